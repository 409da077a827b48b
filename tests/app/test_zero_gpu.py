"""Sampling on a Space that lends a GPU, with a fake of the package `spaces`."""

from __future__ import annotations

import inspect
import pickle
import sys
import types
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from fgsd.app.api.endpoints import samples, strip
from fgsd.app.limits import MAX_GPU_RUNS, MAX_GPU_S
from fgsd.app.render.frames import frames
from fgsd.app.render.interpolations import interpolation_frames
from fgsd.app.render.learned import LearnRequest, learning_steps
from fgsd.app.requests.request import SampleRequest, parse_request
from fgsd.app.serving.admission import Admission, BusyError
from fgsd.app.serving.scheduler import Scheduler
from fgsd.app.serving.zero_gpu import START_S, gpu_seconds, on_gpu, on_zero_gpu


class Spaces(types.ModuleType):
    """A fake of the package: records the seconds that runs ask for, and whether a step has the GPU."""

    def __init__(self) -> None:
        super().__init__("spaces")
        self.lent, self.durations, self.steps = False, [], []

    def GPU(self, *, duration):
        def decorate(function):
            def lend(arguments):
                self.durations.append(duration(*arguments))
                self.lent = True
                return pickle.loads(pickle.dumps(arguments))  # the GPU is in another process

            def generator(*arguments):
                arguments = lend(arguments)
                try:
                    yield from function(*arguments)
                finally:
                    self.lent = False

            def call(*arguments):
                arguments = lend(arguments)
                try:
                    return function(*arguments)
                finally:
                    self.lent = False

            return generator if inspect.isgeneratorfunction(function) else call

        return decorate


@pytest.fixture
def spaces(monkeypatch, pipe) -> Spaces:
    spaces, stream = Spaces(), type(pipe).stream
    monkeypatch.setitem(sys.modules, "spaces", spaces)

    def watched(self, *arguments, **options):
        for step in stream(self, *arguments, **options):
            spaces.steps.append(spaces.lent)
            yield step

    monkeypatch.setattr(type(pipe), "stream", watched)
    return spaces


def request(names: str = "moss", **values) -> SampleRequest:
    target = [{"name": name, "weight": 1} for name in names.split()]
    small = {"n": 2, "size": 16, "steps": 4, **values}
    return parse_request(target, classes=["brick", "moss", "slate"], multiple=4, **small)


def test_without_the_package_it_is_the_plain_function(pipe, monkeypatch):
    monkeypatch.setitem(sys.modules, "spaces", None)  # as if it were not installed
    images = on_gpu(samples, pipe)(request())
    for image, expected in zip(images, samples(pipe, request()), strict=True):
        assert np.array_equal(np.asarray(image), np.asarray(expected))


def test_the_whole_loop_of_a_page_runs_while_the_gpu_is_lent(pipe, spaces):
    made = [frame for new in on_gpu(frames, pipe)(request(), user_centroids={}) for frame in new]
    assert [frame["index"] for frame in made] == [1, 2, 3, 4]
    assert spaces.steps == [True] * 4
    assert spaces.durations == [gpu_seconds(request())] and not spaces.lent
    [*_, last] = [frame for new in frames(pipe, request()) for frame in new]
    assert made[-1]["src"] == last["src"]


def test_interpolations_and_calls_of_programs_run_on_the_gpu_too(pipe, spaces):
    way = request("moss brick", interpolation={"mode": "strip", "places": 5})
    *_, last = on_gpu(interpolation_frames, pipe)(way, user_centroids=None)
    assert last["last"] and len(on_gpu(strip, pipe)(way)) == 5 and len(on_gpu(samples, pipe)(request())) == 2
    assert spaces.steps and all(spaces.steps)
    assert spaces.durations == [gpu_seconds(way), gpu_seconds(way), gpu_seconds(request())]


def test_a_texture_is_learned_while_the_gpu_is_lent_once_for_all_steps(pipe, spaces, texture_folder):
    learning = LearnRequest("wall", Image.open(texture_folder / "moss.png").convert("RGB"), None, 3)
    steps = list(on_gpu(learning_steps, pipe)(learning))
    assert [step.index for step in steps] == [1, 2, 3] and not spaces.lent
    assert spaces.durations == [gpu_seconds(learning)]
    assert gpu_seconds(learning) < gpu_seconds(replace(learning, steps=60)) < MAX_GPU_S
    *_, same = pipe.learn(learning.image, name="wall", steps=3)
    assert torch.equal(steps[-1].texture.centroid.values, same.texture.centroid.values)
    assert steps[-1].texture.network == pipe.network_digest


def test_a_cancelled_run_ends_after_the_step(pipe, spaces):
    answers = iter([False, True])
    made = list(on_gpu(partial(frames, interval=0), pipe)(request(), is_cancelled=lambda: next(answers)))
    assert len(made) == 1 and len(spaces.steps) == 2


def test_admission_counts_requests_and_the_scheduler_evaluates_nothing(pipe, spaces):
    admission = Admission(Scheduler(pipe), max_requests_each=1)
    assert admission.concurrency_limit == MAX_GPU_RUNS
    run = admission.stream(frames)("a", request())
    next(run)
    with pytest.raises(BusyError):
        admission.call(samples)("a", request())
    assert list(run)[-1][-1]["last"] and len(admission.call(samples)("a", request())) == 2
    assert len(spaces.steps) == 8 and all(spaces.steps) and admission.scheduler.evaluations == 0


def test_the_seconds_depend_on_the_inputs():
    small = gpu_seconds(request(n=1, size=64, steps=16))
    assert START_S < small < 20
    for more in ({"n": 16}, {"size": 256}, {"steps": 100}, {"sampler": "heun"}):
        base = {"n": 4, "size": 128, "steps": 50}
        assert gpu_seconds(request(**base | more)) > gpu_seconds(request(**base))
    most = {"n": 16, "size": 256, "steps": 100, "sampler": "heun"}
    assert small < gpu_seconds(request(**most)) <= MAX_GPU_S
    way = {"mode": "strip", "places": 5}
    many = {"size": 128, "steps": 100}
    assert gpu_seconds(request("moss brick", interpolation=way, **many)) < gpu_seconds(
        request("moss brick slate", interpolation={"mode": "loop"}, **many)
    )


@pytest.mark.parametrize(("value", "yes"), [("true", True), ("1", True), ("", False), ("false", False)])
def test_a_space_says_that_it_lends_one(monkeypatch, value, yes):
    monkeypatch.setenv("SPACES_ZERO_GPU", value)
    assert on_zero_gpu() is yes
