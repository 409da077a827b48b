"""Many samplers, one network: company changes no picture, admission are fair, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fgsd.app.serving.scheduler import MAX_SHARED, Busy, Cancelled, Scheduler, _Call, _matching
from fgsd.model.matching import CentroidMatching
from fgsd.pipeline import Pipeline

SMALL = {"size": 16, "steps": 6}


class Watched:
    """Stands before a network's `denoise`: notes the batches, and holds them up as a test wants it."""

    def __init__(self, monkeypatch, pipe) -> None:
        self.batches: list[int] = []
        self.marks: list[list[float]] = []  # of each batch, the value of the first pixel of each image
        self.gate = threading.Event()  # closed, a batch waits inside of the network
        self.gate.set()
        self.entered = threading.Event()
        self.fails = lambda x: False
        self._denoise = pipe.network.denoise
        monkeypatch.setattr(pipe.network, "denoise", self)

    def __call__(self, x, *arguments, **options):
        self.batches.append(len(x))
        self.marks.append(x[:, 0, 0, 0].tolist())
        self.entered.set()
        assert self.gate.wait(30)
        if self.fails(x):
            raise ArithmeticError("a bad batch")
        return self._denoise(x, *arguments, **options)


@pytest.fixture
def own_pipe(pipe) -> Pipeline:
    """A pipeline whose network may be watched."""
    return Pipeline(pipe.network, pipe.table, pipe.info, "cpu", map=pipe.map)


@pytest.fixture
def watched(monkeypatch, own_pipe) -> Watched:
    return Watched(monkeypatch, own_pipe)


@pytest.fixture
def scheduler(own_pipe):
    scheduler = Scheduler(own_pipe)
    yield scheduler
    scheduler.close()


def pixels(images) -> list[np.ndarray]:
    return [np.asarray(image).astype(int) for image in images]


def sampled(scheduler, target, *, visitor="a", preview=False, wanted=None, **options):
    with scheduler.place(visitor, preview=preview, wanted=wanted) as lent:
        return lent.sample(target, **{**SMALL, **options})


def together(calls) -> list:
    """Results of calls that begin at once, each in a thread."""
    ready = threading.Barrier(len(calls))

    def begun(call):
        ready.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(60) for future in [pool.submit(begun, call) for call in calls]]


def call(place_pipe, mark: float, n: int = 1, size: int = 16, **more):
    """One call of the network, whose images can be told by their first pixel."""
    x = torch.zeros(n, 3, size, size)
    x[:, 0, 0, 0] = mark
    return place_pipe._evaluate(x, 1.0, None, **more)


def in_line(scheduler, watched, *asked) -> list[threading.Thread]:
    """Let calls queue up, in this order, behind one that is held inside of the network.

    Each is (mark, visitor) or (mark, visitor, preview). Returns their threads, once all wait.
    """
    watched.gate.clear()
    watched.entered.clear()
    threads = []
    for mark, visitor, *preview in [(0.0, "first"), *asked]:

        def one(mark=mark, visitor=visitor, preview=bool(preview and preview[0])):
            with scheduler.place(visitor, preview=preview) as lent:
                call(lent, mark)

        thread = threading.Thread(target=one)
        thread.start()
        threads.append(thread)
        if len(threads) == 1:
            assert watched.entered.wait(30)
        waits(lambda: len(scheduler._waiting) == len(threads) - 1)
    return threads


def waits(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def through(watched, threads) -> list[list[float]]:
    """Open the gate; the marks of the batches that followed, to a decimal."""
    watched.gate.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return [[round(mark, 1) for mark in marks] for marks in watched.marks[1:]]


class TestPictures:
    @pytest.mark.parametrize("sampler", ["dpm2m", "heun", "ancestral"])
    def test_alone_it_is_the_pipeline_to_the_bit(self, scheduler, pipe, sampler):
        options = {"n": 3, "seed": 5, "sampler": sampler, "strength": 1.5, "tileable": True}
        mixture = {"moss": 0.25, "brick": 0.75}
        for _ in range(2):
            found = sampled(scheduler, mixture, **options)
            for one, other in zip(found, pipe.sample(mixture, **SMALL, **options), strict=True):
                assert np.array_equal(np.asarray(one), np.asarray(other))

    def test_company_changes_no_picture(self, scheduler, watched, pipe, monkeypatch):
        """Other classes, strengths, samplers, numbers of steps and of images, guided and not."""
        monkeypatch.setattr("fgsd.app.serving.scheduler.COMPANY_RETURNS", 1000)  # however busy the machine is
        asked = [
            ("moss", {"n": 2, "seed": 1}),
            ("brick", {"strength": 0.5, "steps": 8, "seed": 2}),
            ({"moss": 0.5, "slate": 0.5}, {"sampler": "heun", "n": 3}),
            (["slate", "brick"], {"n": 2, "sampler": "ancestral", "strength": 2.0}),
            (None, {"n": 2, "seed": 4}),
            (None, {"seed": 9}),
            ("slate", {"size": 20}),
            ("slate", {"tileable": True}),
        ]
        found = together(
            [
                lambda k=k, target=target, options=options: sampled(scheduler, target, visitor=k, **options)
                for k, (target, options) in enumerate(asked)
            ]
        )
        assert max(watched.batches) > 3, "nothing was shared"
        for (target, options), images in zip(asked, found, strict=True):
            alone = pipe.sample(target, **{**SMALL, **options})
            for one, other in zip(pixels(images), pixels(alone), strict=True):
                assert np.abs(one - other).mean() < 1 / 50 and np.abs(one - other).max() <= 1

    def test_what_is_read_up_front_comes_along(self, lively, tiny):
        """Calls of several targets as one, as a network with foresight hears each alone."""
        network = (
            lively(replace(tiny, normalization_levels=3, target_embedding=4)).eval().requires_grad_(False)
        )
        generator, calls = torch.Generator().manual_seed(0), []
        for n, strength in ((1, 1.0), (2, 0.5)):
            x, centroid = torch.randn(n, 3, 8, 8, generator=generator), torch.randn(tiny.dimension)
            matching = CentroidMatching(centroid, strength, torch.randn(4, generator=generator))
            calls.append(_Call(SimpleNamespace(preview=False), x, 1.0, matching, False))
        together = network(torch.cat([c.x for c in calls]), 1.0, _matching(calls))
        alone = torch.cat([network(c.x, 1.0, c.matching) for c in calls])
        unread = torch.cat([network(c.x, 1.0, replace(c.matching, coordinates=None)) for c in calls])
        assert torch.allclose(together, alone, atol=1e-5) and not torch.allclose(alone, unread, atol=1e-3)

    @pytest.mark.slow
    def test_of_the_shipped_network_neither(self):
        root = Path(__file__).parents[2]
        pipe = Pipeline.from_pretrained(root / "checkpoints" / "textures", device="cpu")
        scheduler = Scheduler(pipe)
        names = pipe.classes[:: len(pipe.classes) // 6][:6]
        calls = [
            lambda k=k, name=name: sampled(scheduler, name, visitor=k, seed=k, size=64, steps=16)
            for k, name in enumerate(names)
        ]
        found = together(calls)
        scheduler.close()
        assert scheduler.images > 2 * scheduler.evaluations
        for k, (name, images) in enumerate(zip(names, found, strict=True)):
            alone = pipe.sample(name, seed=k, size=64, steps=16)
            assert np.abs(pixels(images)[0] - pixels(alone)[0]).mean() < 1

    def test_a_new_request_joins_at_the_next_step(self, scheduler, watched):
        with ThreadPoolExecutor(2) as pool:
            watched.gate.clear()
            first = pool.submit(sampled, scheduler, "moss", steps=20)
            assert watched.entered.wait(30)
            second = pool.submit(sampled, scheduler, "brick", visitor="b", steps=5)
            waits(lambda: scheduler._waiting)
            watched.gate.set()
            first.result(30), second.result(30)
        assert watched.batches[0] == 1 and 2 in watched.batches
        assert len(watched.batches) < 25

    def test_without_sharing_each_goes_alone(self, own_pipe, watched):
        scheduler = Scheduler(own_pipe, share=False)
        together([lambda k=k: sampled(scheduler, "moss", visitor=k, n=2) for k in range(3)])
        scheduler.close()
        assert watched.batches == [2] * 18
        assert (scheduler.evaluations, scheduler.images) == (18, 36)

    def test_a_large_batch_comes_in_the_passes_of_the_library(self, pipe, monkeypatch):
        monkeypatch.setattr("fgsd.guidance.PASS_PIXELS", 2 * 16 * 16)
        monkeypatch.setattr("fgsd.pipeline.PASS_PIXELS", 2 * 16 * 16)
        *_, last = pipe.stream("moss", n=5, **SMALL)
        library = pipe.sample("moss", n=5, **SMALL)
        assert all(np.array_equal(*pair) for pair in zip(pixels(last.images), pixels(library), strict=True))


class TestTurns:
    def test_previews_first_and_the_rest_as_they_came(self, own_pipe, watched):
        scheduler = Scheduler(own_pipe, share=False)
        threads = in_line(scheduler, watched, (0.1, "a"), (0.2, "b"), (0.3, "c", True))
        assert through(watched, threads) == [[0.3], [0.1], [0.2]]
        scheduler.close()

    def test_a_batch_is_filled_up_to_its_limit_and_previews_keep_to_themselves(self, own_pipe, watched):
        scheduler = Scheduler(own_pipe, most_shared=2 * 16 * 16)
        threads = in_line(
            scheduler,
            watched,
            *[(0.1, "a"), (0.2, "b"), (0.3, "c"), (0.4, "d", True), (0.5, "e", True)],
        )
        assert through(watched, threads) == [[0.4, 0.5], [0.1, 0.2], [0.3]]
        scheduler.close()

    def test_whoever_had_least_network_time_goes_first(self, own_pipe, watched):
        scheduler = Scheduler(own_pipe, share=False)
        with scheduler.place("greedy") as lent:
            call(lent, 0.0, n=5, size=128)
        watched.marks.clear()
        threads = in_line(scheduler, watched, (0.1, "greedy"), (0.2, "modest"))
        assert through(watched, threads) == [[0.2], [0.1]]
        scheduler.close()

    def test_network_time_is_forgotten(self, own_pipe, watched, monkeypatch):
        monkeypatch.setattr("fgsd.app.serving.scheduler.HALF_LIFE", 1e-3)
        scheduler = Scheduler(own_pipe, share=False)
        with scheduler.place("greedy") as lent:
            call(lent, 0.0, n=5, size=128)
        time.sleep(0.05)
        watched.marks.clear()
        threads = in_line(scheduler, watched, (0.1, "greedy"), (0.2, "modest"))
        assert through(watched, threads) == [[0.1], [0.2]]
        scheduler.close()

    def test_nobody_starves(self, own_pipe, watched):
        """However many go before it, every fourth turn belongs to who has waited longest."""
        scheduler = Scheduler(own_pipe, share=False)
        hands = [(0.1 * k, f"hand {k}", True) for k in range(2, 8)]
        threads = in_line(scheduler, watched, (0.1, "patient"), *hands)
        assert through(watched, threads) == [[0.2], [0.3], [0.1], [0.4], [0.5], [0.6], [0.7]]
        scheduler.close()

    def test_a_preview_is_not_held_up_between_its_steps(self, own_pipe, watched, monkeypatch):
        """While it is on its way back for the next step, no full render gets in, but at the turn of the
        longest."""
        monkeypatch.setattr("fgsd.app.serving.scheduler.PREVIEW_RETURNS", 10)  # however busy the machine is
        scheduler = Scheduler(own_pipe, share=False)
        with ThreadPoolExecutor(2) as pool:
            watched.gate.clear()
            render = pool.submit(sampled, scheduler, "moss", visitor="a", n=3, steps=30)
            assert watched.entered.wait(30)
            preview = pool.submit(sampled, scheduler, "brick", visitor="b", preview=True, steps=20)
            waits(lambda: scheduler._waiting)
            watched.gate.set()
            preview.result(30)
            render.result(30)
        scheduler.close()
        during = watched.batches[1 : len(watched.batches) - watched.batches[::-1].index(1)]
        assert during.count(1) == 20
        assert during.count(3) <= 7


class TestCancelled:
    def test_no_evaluation_follows(self, scheduler, watched):
        asked = []

        def wanted():
            asked.append(None)
            return len(watched.batches) < 3

        with pytest.raises(Cancelled):
            sampled(scheduler, "moss", wanted=wanted, steps=50)
        assert watched.batches == [1] * 3
        assert scheduler.under_way() == 0

    def test_while_it_waits_in_line(self, scheduler, watched):
        watched.gate.clear()
        client_seq = [True]
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(sampled, scheduler, "moss")
            assert watched.entered.wait(30)
            second = pool.submit(sampled, scheduler, "brick", n=2, wanted=lambda: client_seq[0])
            waits(lambda: scheduler._waiting)
            client_seq[0] = False
            watched.gate.set()
            assert len(first.result(30)) == 1
            with pytest.raises(Cancelled):
                second.result(30)
        assert watched.batches == [1] * 6

    def test_a_wish_that_fails_ends_its_own_request_only(self, scheduler, caplog):
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(sampled, scheduler, "moss", steps=40)
            with pytest.raises(Cancelled):
                sampled(scheduler, "brick", visitor="b", wanted=lambda: 1 / 0)
            assert len(other.result(30)) == 1
        assert "still wanted" in caplog.text

    def test_closing_ends_all(self, own_pipe, watched):
        scheduler = Scheduler(own_pipe)
        watched.gate.clear()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(sampled, scheduler, "moss")
            assert watched.entered.wait(30)
            closing = threading.Thread(target=scheduler.close)
            closing.start()
            watched.gate.set()
            with pytest.raises(Cancelled):
                running.result(30)
            closing.join(30)
        assert watched.batches == [1]
        with pytest.raises(Cancelled, match="closed"):
            sampled(scheduler, "moss")


class TestAdmission:
    def test_there_is_a_bound_for_all_and_for_each(self, own_pipe):
        scheduler = Scheduler(own_pipe, most=3, most_each=2)
        with scheduler.place("a"), scheduler.place("a"):
            with pytest.raises(Busy) as caught, scheduler.place("a"):
                pass
            assert (caught.value.count, caught.value.own) == (2, True)
            with scheduler.place("b"):
                with pytest.raises(Busy) as caught, scheduler.place("c"):
                    pass
                assert (caught.value.count, caught.value.own) == (3, False)
                with scheduler.place("c", preview=True):  # counted apart
                    assert scheduler.under_way() == 3
            with scheduler.place("c"):
                pass
        assert scheduler.under_way() == 0

    def test_what_is_no_longer_wanted_keeps_nobody_out(self, own_pipe):
        scheduler, client_seq = Scheduler(own_pipe, most=1, most_each=1), [True]
        with scheduler.place("a", wanted=lambda: client_seq[0]):
            with pytest.raises(Busy), scheduler.place("a"):
                pass
            client_seq[0] = False
            with scheduler.place("a"):
                pass

    @pytest.mark.parametrize("name", ["most", "most_each", "most_shared"])
    def test_bounds_are_checked(self, own_pipe, name):
        with pytest.raises(ValueError, match=f"{name}=0 must be at least 1"):
            Scheduler(own_pipe, **{name: 0})


class TestErrors:
    def test_of_a_shared_batch_only_the_bad_request_fails(self, own_pipe, watched):
        scheduler = Scheduler(own_pipe)
        watched.fails = lambda x: bool((x[:, 0, 0, 0] == 0.5).any())
        found: dict[float, object] = {}
        threads = in_line(scheduler, watched)

        def one(mark):
            try:
                with scheduler.place(mark) as lent:
                    found[mark] = call(lent, mark)[0].shape
            except ArithmeticError as error:
                found[mark] = str(error)

        for mark in (0.25, 0.5, 0.75):
            threads.append(threading.Thread(target=one, args=(mark,)))
            threads[-1].start()
        waits(lambda: len(scheduler._waiting) == 3)
        batches = through(watched, threads)
        assert found == {0.25: (1, 3, 16, 16), 0.5: "a bad batch", 0.75: (1, 3, 16, 16)}
        assert len(batches) == 4 and len(batches[0]) == 3
        assert len(sampled(scheduler, "moss")) == 1, "the worker has gone"
        scheduler.close()

    def test_an_error_of_the_scheduler_reaches_all_who_wait(self, own_pipe, watched, monkeypatch, caplog):
        scheduler = Scheduler(own_pipe)
        found = []
        threads = in_line(scheduler, watched)

        def one(mark):
            try:
                with scheduler.place(mark) as lent:
                    call(lent, mark)
            except ZeroDivisionError:
                found.append(mark)

        for mark in (0.1, 0.2):
            threads.append(threading.Thread(target=one, args=(mark,)))
            threads[-1].start()
        waits(lambda: len(scheduler._waiting) == 2)
        with monkeypatch.context() as patch:
            patch.setattr(scheduler, "_pick", lambda: 1 // 0)
            through(watched, threads)
        assert sorted(found) == [0.1, 0.2] and "the scheduler failed" in caplog.text
        assert len(sampled(scheduler, "moss")) == 1
        scheduler.close()


def test_on_a_cpu_nothing_is_shared_where_it_gains_nothing():
    assert MAX_SHARED["cpu"] < 2 * 192 * 192
    assert MAX_SHARED["cpu"] >= 2 * 128 * 128
