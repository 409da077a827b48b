"""Batching: sharing changes no image, priorities are fair, and no call waits for ever."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scheduler_help import SMALL, call_network, finish, pixels, queue_calls, run_together, sampled, wait_for

from fgsd.app.limits import MAX_BATCH_PIXELS
from fgsd.app.serving.batch import Call, Request, joint_matching
from fgsd.app.serving.scheduler import Scheduler
from fgsd.model.matching import CentroidMatching
from fgsd.pipeline import Pipeline
from fgsd.student import Student


class TestBatches:
    @pytest.mark.parametrize("sampler", ["dpm2m", "heun", "ancestral"])
    def test_a_request_that_is_alone_is_the_pipeline_to_the_bit(self, scheduler, pipe, sampler):
        options = {"n": 3, "seed": 5, "sampler": sampler, "strength": 1.5, "tileable": True}
        mixture = {"moss": 0.25, "brick": 0.75}
        for _ in range(2):
            found = sampled(scheduler, mixture, **options)
            for one, other in zip(found, pipe.sample(mixture, **SMALL, **options), strict=True):
                assert np.array_equal(np.asarray(one), np.asarray(other))

    def test_sharing_a_batch_changes_no_image(self, scheduler, network, pipe, monkeypatch):
        """Requests differ in class, strength, sampler, number of steps and images, and guidance."""
        monkeypatch.setattr(
            "fgsd.app.serving.scheduler.MAX_BATCHING_DELAY", 1000
        )  # however busy the machine is
        requests = [
            ("moss", {"n": 2, "seed": 1}),
            ("brick", {"strength": 0.5, "steps": 8, "seed": 2}),
            ({"moss": 0.5, "slate": 0.5}, {"sampler": "heun", "n": 3}),
            (["slate", "brick"], {"n": 2, "sampler": "ancestral", "strength": 2.0}),
            (None, {"n": 2, "seed": 4}),
            (None, {"seed": 9}),
            ("slate", {"size": 20}),
            ("slate", {"tileable": True}),
        ]
        found = run_together(
            [
                lambda k=k, target=target, options=options: sampled(scheduler, target, visitor=k, **options)
                for k, (target, options) in enumerate(requests)
            ]
        )
        assert max(network.batches) > 3, "no batch was shared"
        for (target, options), images in zip(requests, found, strict=True):
            alone = pipe.sample(target, **{**SMALL, **options})
            for one, other in zip(pixels(images), pixels(alone), strict=True):
                assert np.abs(one - other).mean() < 1 / 50 and np.abs(one - other).max() <= 1

    def test_a_student_is_called_in_batches_of_its_own(self, pipe, lively, monkeypatch):
        monkeypatch.setattr("fgsd.app.serving.scheduler.MAX_BATCHING_DELAY", 1000)
        student = Student(lively(pipe.network.config, seed=5).eval(), (4.0, 1.2))
        ours = Pipeline(pipe.network, pipe.table, pipe.info, "cpu", student=student)
        scheduler = Scheduler(ours, max_batch_pixels=10_000)
        kinds = ["distilled", "dpm2m", "distilled"]
        options = [{"sampler": kind, "seed": k, "steps": 2, "size": 16} for k, kind in enumerate(kinds)]
        found = run_together(
            [
                lambda k=k, one=one: sampled(scheduler, "moss", visitor=k, **one)
                for k, one in enumerate(options)
            ]
        )
        scheduler.close()
        for one, images in zip(options, found, strict=True):
            [here], [there] = pixels(images), pixels(ours.sample("moss", **one))
            assert np.abs(here - there).max() <= 1

    def test_coordinates_of_targets_come_along(self, lively, tiny):
        """Calls with several targets share a batch as if a network with a target embedding saw each alone."""
        network = lively(replace(tiny, normalization_levels=3, target_embedding=4)).eval()
        network.requires_grad_(False)
        generator, calls = torch.Generator().manual_seed(0), []
        for n, strength in ((1, 1.0), (2, 0.5)):
            x, centroid = torch.randn(n, 3, 8, 8, generator=generator), torch.randn(tiny.dimension)
            matching = CentroidMatching(centroid, strength, torch.randn(4, generator=generator))
            request = Request(n, preview=False, is_cancelled=lambda: False, number=n)
            calls.append(Call(request, x, 1.0, matching, False))
        together = network(torch.cat([c.x for c in calls]), 1.0, joint_matching(calls))
        alone = torch.cat([network(c.x, 1.0, c.matching) for c in calls])
        without = torch.cat([network(c.x, 1.0, replace(c.matching, coordinates=None)) for c in calls])
        assert torch.allclose(together, alone, atol=1e-5) and not torch.allclose(alone, without, atol=1e-3)

    @pytest.mark.slow
    def test_sharing_a_batch_changes_no_image_of_the_shipped_network(self):
        root = Path(__file__).parents[2]
        pipe = Pipeline.from_pretrained(root / "checkpoints" / "textures", device="cpu")
        scheduler = Scheduler(pipe)
        names = pipe.classes[:: len(pipe.classes) // 6][:6]
        calls = [
            lambda k=k, name=name: sampled(scheduler, name, visitor=k, seed=k, size=64, steps=16)
            for k, name in enumerate(names)
        ]
        found = run_together(calls)
        scheduler.close()
        assert scheduler.images > 2 * scheduler.evaluations
        for k, (name, images) in enumerate(zip(names, found, strict=True)):
            alone = pipe.sample(name, seed=k, size=64, steps=16)
            assert np.abs(pixels(images)[0] - pixels(alone)[0]).mean() < 1

    def test_a_new_request_joins_at_the_next_step(self, scheduler, network):
        with ThreadPoolExecutor(2) as pool:
            network.gate.clear()
            first = pool.submit(sampled, scheduler, "moss", steps=20)
            assert network.entered.wait(30)
            second = pool.submit(sampled, scheduler, "brick", visitor="b", steps=5)
            wait_for(lambda: scheduler._waiting)
            network.gate.set()
            first.result(30), second.result(30)
        assert network.batches[0] == 1 and 2 in network.batches
        assert len(network.batches) < 25

    def test_without_sharing_each_call_is_alone(self, pipe_copy, network):
        scheduler = Scheduler(pipe_copy, share=False)
        run_together([lambda k=k: sampled(scheduler, "moss", visitor=k, n=2) for k in range(3)])
        scheduler.close()
        assert network.batches == [2] * 18
        assert (scheduler.evaluations, scheduler.images) == (18, 36)

    def test_a_large_batch_comes_in_the_passes_of_the_library(self, pipe, monkeypatch):
        monkeypatch.setattr("fgsd.guidance.PASS_PIXELS", 2 * 16 * 16)
        monkeypatch.setattr("fgsd.pipeline.PASS_PIXELS", 2 * 16 * 16)
        *_, last = pipe.stream("moss", n=5, **SMALL)
        library = pipe.sample("moss", n=5, **SMALL)
        assert all(np.array_equal(*pair) for pair in zip(pixels(last.images), pixels(library), strict=True))


class TestPriority:
    def test_previews_are_first_and_the_rest_in_order_of_arrival(self, pipe_copy, network):
        scheduler = Scheduler(pipe_copy, share=False)
        threads = queue_calls(scheduler, network, (0.1, "a"), (0.2, "b"), (0.3, "c", True))
        assert finish(network, threads) == [[0.3], [0.1], [0.2]]
        scheduler.close()

    def test_a_batch_is_filled_up_to_its_limit_and_previews_share_with_previews_only(
        self, pipe_copy, network
    ):
        scheduler = Scheduler(pipe_copy, max_batch_pixels=2 * 16 * 16)
        threads = queue_calls(
            scheduler,
            network,
            *[(0.1, "a"), (0.2, "b"), (0.3, "c"), (0.4, "d", True), (0.5, "e", True)],
        )
        assert finish(network, threads) == [[0.4, 0.5], [0.1, 0.2], [0.3]]
        scheduler.close()

    def test_the_visitor_with_the_least_network_time_is_first(self, pipe_copy, network):
        scheduler = Scheduler(pipe_copy, share=False)
        with scheduler.lend("greedy") as lent:
            call_network(lent, 0.0, n=5, size=128)
        network.marks.clear()
        threads = queue_calls(scheduler, network, (0.1, "greedy"), (0.2, "modest"))
        assert finish(network, threads) == [[0.2], [0.1]]
        scheduler.close()

    def test_network_time_is_forgotten(self, pipe_copy, network, monkeypatch):
        monkeypatch.setattr("fgsd.app.serving.fair_share.HALF_LIFE_S", 1e-3)
        scheduler = Scheduler(pipe_copy, share=False)
        with scheduler.lend("greedy") as lent:
            call_network(lent, 0.0, n=5, size=128)
        time.sleep(0.05)
        network.marks.clear()
        threads = queue_calls(scheduler, network, (0.1, "greedy"), (0.2, "modest"))
        assert finish(network, threads) == [[0.1], [0.2]]
        scheduler.close()

    def test_no_call_starves(self, pipe_copy, network):
        """Every fourth batch begins with the call that has waited longest, whatever its priority."""
        scheduler = Scheduler(pipe_copy, share=False)
        previews = [(0.1 * k, f"visitor {k}", True) for k in range(2, 8)]
        threads = queue_calls(scheduler, network, (0.1, "patient"), *previews)
        assert finish(network, threads) == [[0.2], [0.3], [0.1], [0.4], [0.5], [0.6], [0.7]]
        scheduler.close()

    def test_no_full_render_comes_between_the_steps_of_a_preview(self, pipe_copy, network, monkeypatch):
        """Except where the full render is the call that has waited longest."""
        monkeypatch.setattr("fgsd.app.serving.scheduler.TIMEOUT_PREVIEW_S", 10)  # however busy the machine is
        scheduler = Scheduler(pipe_copy, share=False)
        with ThreadPoolExecutor(2) as pool:
            network.gate.clear()
            render = pool.submit(sampled, scheduler, "moss", visitor="a", n=3, steps=30)
            assert network.entered.wait(30)
            preview = pool.submit(sampled, scheduler, "brick", visitor="b", preview=True, steps=20)
            wait_for(lambda: scheduler._waiting)
            network.gate.set()
            preview.result(30)
            render.result(30)
        scheduler.close()
        during = network.batches[1 : len(network.batches) - network.batches[::-1].index(1)]
        assert during.count(1) == 20
        assert during.count(3) <= 7


@pytest.mark.parametrize("pixels", [0, -1])
def test_the_limit_of_a_batch_is_checked(pipe_copy, pixels):
    with pytest.raises(ValueError, match=f"max_batch_pixels={pixels} must be at least 1"):
        Scheduler(pipe_copy, max_batch_pixels=pixels)


def test_on_a_cpu_calls_share_a_batch_only_where_this_is_faster():
    assert MAX_BATCH_PIXELS["cpu"] < 2 * 192 * 192
    assert MAX_BATCH_PIXELS["cpu"] >= 2 * 128 * 128
