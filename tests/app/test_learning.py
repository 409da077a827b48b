"""Learning on the page: gradients in the scheduler, the line of learners, and what the page hears."""

from __future__ import annotations

import base64
import io
import threading
import time
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image
from scheduler_help import RecordedNetwork, call_network, finish, queue_calls, run_together, sampled, wait_for

from fgsd.app.limits import MAX_LEARNERS
from fgsd.app.panels import learning as panel
from fgsd.app.panels.learning import learn_texture
from fgsd.app.panels.state import ServerState
from fgsd.app.render.learned import LearnRequest, learning_steps
from fgsd.app.render.user_textures import make_texture
from fgsd.app.requests.request import RequestError
from fgsd.app.serving.admission import Admission, BusyError
from fgsd.app.serving.learning import LearningQueue, Waiting
from fgsd.app.serving.scheduler import GRADIENT_CROPS, Cancelled, Scheduler
from fgsd.learning import BATCH, centroid_gradient
from fgsd.levels import interpolate


def picture(seed: int = 0, side: int = 48) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))


def never() -> bool:
    return False


@pytest.fixture
def scheduler(pipe):
    scheduler = Scheduler(pipe)
    yield scheduler
    scheduler.close()


@pytest.fixture
def state(scheduler) -> ServerState:
    admission = Admission(scheduler)
    return ServerState(admission, LearningQueue(admission))


@pytest.fixture
def request_of(pipe):
    """A request to learn from a picture, in a few steps."""
    return lambda steps=3, seed=0: LearnRequest("wall", picture(seed), pipe.centroid_of(picture(seed)), steps)


class TestGradients:
    @pytest.fixture
    def crops(self, pipe):
        generator = torch.Generator().manual_seed(0)
        x0 = torch.rand(BATCH, 3, 16, 16, generator=generator) * 2 - 1
        sigma = torch.linspace(0.1, 5, BATCH)
        x = x0 + sigma[:, None, None, None] * torch.randn(x0.shape, generator=generator)
        return x0, x, sigma, interpolate(pipe.table.sigmas, pipe.table.of("moss").values, sigma)

    def test_in_parts_they_are_those_of_the_whole(self, pipe, scheduler, crops, monkeypatch):
        monkeypatch.setattr("fgsd.learning.has_bfloat16", lambda device: False)
        loss, gradient = centroid_gradient(pipe.network, *crops)
        before = scheduler.evaluations
        with scheduler.lend("a") as lent:
            same_loss, same = lent._gradient(*crops)
        assert scheduler.evaluations - before == BATCH // GRADIENT_CROPS > 1
        assert 0 < scheduler.gradient_s <= scheduler.evaluated_s
        assert torch.allclose(same_loss, loss, rtol=1e-5)
        assert torch.allclose(same, gradient, rtol=1e-3, atol=1e-6)

    def test_they_are_those_of_finite_differences(self, pipe, crops):
        x0, x, sigma, centroid = (value[:2].double() for value in crops)
        network = pipe.network.double()
        try:
            loss, gradient = centroid_gradient(network, x0, x, sigma, centroid)
            direction = torch.randn(centroid.shape, generator=torch.Generator().manual_seed(1)).double()
            up, down = (
                centroid_gradient(network, x0, x, sigma, centroid + step * direction)[0]
                for step in (1e-3, -1e-3)
            )
        finally:
            network.float()
        # the loss is computed in float32
        assert ((up - down) / 2e-3).item() == pytest.approx((gradient * direction).sum().item(), rel=0.02)
        assert loss > 0

    def test_a_preview_is_served_between_the_parts(self, pipe, scheduler, monkeypatch, crops):
        network = RecordedNetwork(monkeypatch, pipe)
        network.gate.clear()
        results = []

        def learn():
            with scheduler.lend("a") as lent:
                results.append(lent._gradient(*crops))

        def preview():
            assert network.entered.wait(30)
            with scheduler.lend("b", preview=True) as lent:
                results.append(call_network(lent, 0.5))

        def release():
            wait_for(lambda: len(scheduler._waiting) == 1)
            network.gate.set()

        run_together([learn, preview, release])
        later = BATCH // GRADIENT_CROPS - 1
        assert network.batches == [GRADIENT_CROPS, 1, *later * [GRADIENT_CROPS]]

    def test_between_the_previews_of_a_drag_there_is_none(self, scheduler, monkeypatch, crops):
        monkeypatch.setattr("fgsd.app.serving.scheduler.MAX_LEARNING_DELAY", 30.0)
        monkeypatch.setattr("fgsd.app.serving.scheduler.DRAG_PAUSE", 0.3)
        _learned(scheduler, crops)
        one = [value[:GRADIENT_CROPS] for value in crops]
        thread = threading.Thread(target=_learned, args=(scheduler, one))
        for sigma in (0.5, 0.6, 0.7):  # the hand moves ten times a second
            with scheduler.lend("b", preview=True) as lent:
                call_network(lent, sigma)
            if sigma == 0.5:
                thread.start()
            time.sleep(0.1)
            assert thread.is_alive()
        start = time.monotonic()
        thread.join(10)
        assert not thread.is_alive() and time.monotonic() - start < 3

    def test_while_a_preview_is_under_way_a_part_comes_at_most_every_so_often(
        self, scheduler, monkeypatch, crops
    ):
        monkeypatch.setattr("fgsd.app.serving.scheduler.MAX_LEARNING_DELAY", 0.5)
        _learned(scheduler, crops)
        one = [value[:GRADIENT_CROPS] for value in crops]
        with scheduler.lend("b", preview=True) as lent:
            start = scheduler._last_gradient
            _learned(scheduler, one)
            assert scheduler._last_gradient - start >= 0.5
            start = time.monotonic()
            call_network(lent, 0.5)  # which the gradient that waits does not delay
            thread = threading.Thread(target=_learned, args=(scheduler, one))
            thread.start()
            wait_for(lambda: scheduler._waiting)
            call_network(lent, 0.6)
            assert time.monotonic() - start < 0.4
        thread.join(0.4)  # soon after the end of the preview it goes on
        assert not thread.is_alive()

    def test_they_share_no_batch_and_wait_for_no_partner(self, pipe, scheduler, monkeypatch, crops):
        network = RecordedNetwork(monkeypatch, pipe)
        threads = queue_calls(scheduler, network, (0.2, "b"), (0.3, "c"))
        run = run_together([lambda: finish(network, threads), lambda: _learned(scheduler, crops)])
        assert [0.2, 0.3] in run[0]
        assert sorted(network.batches) == [1, 2, *(BATCH // GRADIENT_CROPS) * [GRADIENT_CROPS]]

    def test_a_visitor_who_learns_waits_behind_one_who_samples(self, pipe, scheduler, crops):
        _learned(scheduler, crops)
        now = scheduler._last_end
        used = scheduler._recent_use.of("learner", now)
        sampled(scheduler, "moss", visitor="sampler", n=1, size=16, steps=1)
        assert used > scheduler._recent_use.of("sampler", now) > 0

    def test_a_cancelled_learner_ends(self, scheduler, crops):
        with pytest.raises(Cancelled), scheduler.lend("a", is_cancelled=lambda: True) as lent:
            lent._gradient(*crops)


def _learned(scheduler, crops):
    with scheduler.lend("learner") as lent:
        return lent._gradient(*crops)


class TestQueue:
    def test_it_learns_what_the_library_learns(self, pipe, state, request_of):
        *_, step = state.learning.learn("a", request_of(), is_cancelled=never)
        *_, same = pipe.learn(picture(), steps=3, scale=1.0, start=pipe.centroid_of(picture()))
        assert step.index == step.steps == 3 and step.texture.name == "wall"
        learned, expected = step.texture.centroid.values, same.texture.centroid.values
        assert torch.allclose(learned, expected, rtol=0.02, atol=0.02)
        assert not torch.allclose(learned, pipe.centroid_of(picture()).values, atol=0.02)

    def test_others_wait_with_their_places_and_move_up(self, state, request_of, monkeypatch):
        monkeypatch.setattr("fgsd.app.serving.learning.LEARNING_POLL_S", 0.01)
        learn = state.learning.learn
        first, second, third = (learn(v, request_of(), is_cancelled=never) for v in "abc")
        assert next(first).index == 1
        assert next(second) == Waiting(1) and next(third) == Waiting(2)
        assert [step.index for step in first] == [2, 3]
        assert next(second).index == 1
        assert next(third) == Waiting(1)
        second.close()
        assert [step.index for step in third] == [1, 2, 3]

    def test_one_whose_visitor_has_gone_is_passed_over_although_nobody_ends_it(self, state, request_of):
        gone = []
        first = state.learning.learn("a", request_of(), is_cancelled=lambda: bool(gone))
        assert next(first).index == 1
        second = state.learning.learn("b", request_of(), is_cancelled=lambda: bool(gone))
        assert next(second) == Waiting(1)
        gone.append(True)
        third = state.learning.learn("c", request_of(), is_cancelled=never)
        assert [step.index for step in third] == [1, 2, 3]
        assert list(first) == list(second) == []

    def test_of_too_many_the_last_is_refused_and_the_line_is_empty_afterwards(self, state, request_of):
        line = [state.learning.learn(str(k), request_of(), is_cancelled=never) for k in range(MAX_LEARNERS)]
        for learner in line:
            next(learner)
        with pytest.raises(BusyError, match="Many textures wait"):
            next(state.learning.learn("z", request_of(), is_cancelled=never))
        for learner in line:
            learner.close()
        assert state.learning._line == []

    def test_an_error_frees_the_line(self, state, request_of):
        small = replace(request_of(), image=picture(side=8), start=None)
        with pytest.raises(RequestError, match=r"cannot be learned: .*8 x 8 pixels; at least 16 x 16"):
            list(state.learning.learn("a", small, is_cancelled=never))
        assert len(list(state.learning.learn("b", request_of(), is_cancelled=never))) == 3


class TestPanel:
    """What a visitor's page hears."""

    @pytest.fixture(autouse=True)
    def every_step(self, monkeypatch):
        monkeypatch.setattr(panel, "LEARNING_INTERVAL_S", 0.0)
        monkeypatch.setattr(panel, "LEARNING_STEPS", 6)

    @pytest.fixture
    def texture(self, pipe, state):
        buffer = io.BytesIO()
        picture().save(buffer, "PNG")
        uri = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        state.store.add("me", make_texture(pipe, uri, "wall.png", []))
        return state.store.of("me")["wall"]

    def test_the_texture_in_the_store_moves_and_its_image_goes_at_the_end(self, state, texture):
        seen, positions = [], []
        for value in learn_texture(state, "me", texture, asked=False):
            seen.append(value)
            positions.append(state.store.of("me")["wall"])
        steps = [value["learning"]["step"] for value in seen[:-1]]
        assert steps == [1, 2, 3, 4, 5, 6] and seen[-1] == {"ended": "wall"}
        assert seen[0]["learning"]["seconds"] >= seen[-2]["learning"]["seconds"] == 0
        assert len({str(texture.pca) for texture in positions}) == 6
        assert [texture.image is None for texture in positions] == [False] * 5 + [True, True]
        assert positions[0].src == texture.src and positions[0].near != []

    def test_a_texture_that_is_removed_meanwhile_is_not_put_back(self, state, texture):
        values = learn_texture(state, "me", texture, asked=False)
        list(islice(values, 2))
        state.store.remove("me", "wall")
        assert list(values) == [{"ended": "wall"}] and state.store.of("me") == {}

    def test_stop_keeps_what_is_learned(self, state, texture):
        values = learn_texture(state, "me", texture, asked=False)
        list(islice(values, 3))
        learned = state.store.of("me")["wall"]
        assert state.store.swap("me", learned, replace(learned))
        assert list(values) == [{"ended": "wall"}]
        assert state.store.of("me")["wall"].pca == learned.pca != texture.pca

    def test_other_textures_may_come_and_go_meanwhile(self, state, texture):
        values = learn_texture(state, "me", texture, asked=False)
        next(values)
        state.store.add("me", replace(texture, name="other"))
        next(values)
        state.store.remove("me", "other")
        assert [*values][-2]["learning"]["step"] == 6 and list(state.store.of("me")) == ["wall"]

    def test_what_takes_too_long_is_only_offered(self, state, texture, monkeypatch):
        monkeypatch.setattr(panel, "MAX_AUTO_LEARNING_S", 0.0)
        *_, last = learn_texture(state, "me", texture, asked=False)
        assert last == {"ended": "wall", "offer": 0}
        *_, last = learn_texture(state, "me", state.store.of("me")["wall"], asked=True)
        assert last == {"ended": "wall"} and state.store.of("me")["wall"].image is None

    @pytest.mark.parametrize(("gradient_s", "end"), [(1.0, {}), (3.0, {"offer": 3})])
    def test_steps_that_others_delay_do_not_count(self, state, texture, monkeypatch, gradient_s, end):
        learn, scheduler = state.learning.learn, state.admission.scheduler

        def delayed(*arguments, **options):
            for step in learn(*arguments, **options):
                scheduler.gradient_s += gradient_s
                yield replace(step, seconds=9.0 * step.index)

        monkeypatch.setattr(state.learning, "learn", delayed)
        monkeypatch.setattr(panel, "MAX_AUTO_LEARNING_S", 2.0)
        *_, last = learn_texture(state, "me", texture, asked=False)
        assert last == {"ended": "wall", **end}  # one step is left

    def test_its_place_in_line_is_told(self, state, texture, request_of):
        first = state.learning.learn("other", request_of(), is_cancelled=never)
        next(first)
        values = learn_texture(state, "me", texture, asked=False)
        assert next(values) == {"learning": {"name": "wall", "position": 1}}
        first.close()
        assert next(values)["learning"]["step"] == 1


def test_a_network_with_labels_cannot_learn(pipe, lively, tiny):
    from fgsd.pipeline import Pipeline

    other = Pipeline(lively(replace(tiny, labels=3)), pipe.table, pipe.info, "cpu")
    with pytest.raises(RequestError, match=r"cannot be learned: a network with labels"):
        list(learning_steps(other, LearnRequest("wall", picture(), None, 2)))
