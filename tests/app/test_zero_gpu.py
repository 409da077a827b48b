"""Sampling where a Space lends a GPU, with a stand-in for the package `spaces`."""

from __future__ import annotations

import inspect
import pickle
import sys
import types
from functools import partial

import numpy as np
import pytest

from fgsd.app.api.endpoints import samples, strip
from fgsd.app.render.frames import frames
from fgsd.app.render.interpolations import interpolation_frames
from fgsd.app.requests.request import SampleRequest, parse_request
from fgsd.app.serving.admission import RUNS_ON_ZERO_GPU, Admission, BusyError
from fgsd.app.serving.scheduler import Scheduler
from fgsd.app.serving.zero_gpu import LONGEST, START, on_gpu, on_zero_gpu, seconds


class Spaces(types.ModuleType):
    """What a Space has: notes the seconds that were asked for, and what happens while the GPU is lent."""

    def __init__(self) -> None:
        super().__init__("spaces")
        self.lent, self.asked, self.steps = False, [], []

    def GPU(self, *, duration):
        def decorate(function):
            def lend(arguments):
                self.asked.append(duration(*arguments))
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


def test_elsewhere_it_is_the_plain_function(pipe, monkeypatch):
    monkeypatch.setitem(sys.modules, "spaces", None)  # as if it were not installed
    images = on_gpu(samples, pipe)(request())
    for image, expected in zip(images, samples(pipe, request()), strict=True):
        assert np.array_equal(np.asarray(image), np.asarray(expected))


def test_the_whole_loop_of_a_page_runs_while_the_gpu_is_lent(pipe, spaces):
    made = [frame for several in on_gpu(frames, pipe)(request(), own={}) for frame in several]
    assert [frame["index"] for frame in made] == [1, 2, 3, 4]
    assert spaces.steps == [True] * 4
    assert spaces.asked == [seconds(request())] and not spaces.lent
    [*_, last] = [frame for several in frames(pipe, request()) for frame in several]
    assert made[-1]["src"] == last["src"]


def test_what_lies_between_and_what_programs_ask_for_too(pipe, spaces):
    way = request("moss brick", interpolation={"mode": "strip", "places": 5})
    *_, last = on_gpu(interpolation_frames, pipe)(way, own=None)
    assert last["last"] and len(on_gpu(strip, pipe)(way)) == 5 and len(on_gpu(samples, pipe)(request())) == 2
    assert spaces.steps and all(spaces.steps)
    assert spaces.asked == [seconds(way), seconds(way), seconds(request())]


def test_a_run_that_nobody_wants_ends_after_the_step(pipe, spaces):
    save_sequence = iter([True, False])
    made = list(on_gpu(partial(frames, interval=0), pipe)(request(), wanted=lambda: next(save_sequence)))
    assert len(made) == 1 and len(spaces.steps) == 2


def test_there_the_scheduler_only_counts_who_is_under_way(pipe, spaces):
    admission = Admission(Scheduler(pipe, most_each=1))
    assert admission.at_once == RUNS_ON_ZERO_GPU
    run = admission.loop(frames)("a", request())
    next(run)
    with pytest.raises(BusyError):
        admission.call(samples)("a", request())
    assert list(run)[-1][-1]["last"] and len(admission.call(samples)("a", request())) == 2
    assert len(spaces.steps) == 8 and all(spaces.steps) and admission.scheduler.evaluations == 0


def test_the_seconds_follow_the_inputs():
    small = seconds(request(n=1, size=64, steps=16))
    assert START < small < 20
    for more in ({"n": 16}, {"size": 256}, {"steps": 100}, {"sampler": "heun"}):
        asked = {"n": 4, "size": 128, "steps": 50}
        assert seconds(request(**asked | more)) > seconds(request(**asked))
    most = {"n": 16, "size": 256, "steps": 100, "sampler": "heun"}
    assert small < seconds(request(**most)) <= LONGEST
    way = {"mode": "strip", "places": 5}
    many = {"size": 128, "steps": 100}
    assert seconds(request("moss brick", interpolation=way, **many)) < seconds(
        request("moss brick slate", interpolation={"mode": "loop"}, **many)
    )


@pytest.mark.parametrize(("value", "yes"), [("true", True), ("1", True), ("", False), ("false", False)])
def test_a_space_says_that_it_lends_one(monkeypatch, value, yes):
    monkeypatch.setenv("SPACES_ZERO_GPU", value)
    assert on_zero_gpu() is yes
