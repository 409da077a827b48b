"""Frames of a run, and the budgets of the images of its steps."""

from __future__ import annotations

import dataclasses
import time
from types import SimpleNamespace

import numpy as np
import pytest
from page_help import opened, parse
from PIL import Image

from fgsd.app.limits import MAX_KEPT_FRAMES, MAX_PREVIEW_CHARACTERS
from fgsd.app.render.frames import file_name, frames, frames_to_send, last_frame
from fgsd.app.render.step_images import WIDTHS, StepImages, lossless_picture
from fgsd.app.requests.link import from_link
from fgsd.app.requests.request import parse_request


def flat(batches) -> list[dict]:
    return [frame for batch in batches for frame in batch]


def noise_images(count: int, side: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)) for _ in range(count)]


class TestFileName:
    @pytest.mark.parametrize(
        ("names", "words"),
        [
            (["brick"], "brick"),
            (["my photo", "moss"], "my-photo-moss"),
            (["石畳"], "石畳"),
            (["हिन्दी दीवार"], "हिन्दी-दीवार"),
            (["Café"], "Café"),
            (['a/b\\c:d*e?f"g<h>i|j'], "a-b-c-d-e-f-g-h-i-j"),
            (["../..", "..."], "sample"),
            (["🧱"], "sample"),
        ],
    )
    def test_letters_of_any_script_stay(self, names, words):
        target = [{"name": name, "weight": 1} for name in names]
        assert file_name(parse_request(target, classes=names, multiple=4)) == f"{words}-seed-0"

    def test_it_is_short_enough_for_every_file_system(self):
        names = [f"{k}{'畳' * 80}" for k in range(8)]
        target = [{"name": name, "weight": 1} for name in names]
        name = file_name(parse_request(target, classes=names, multiple=4, seed=2**31 - 1))
        assert name == f"0{'畳' * 33}-seed-2147483647"
        assert len(f"{name}-coarse-fine.png".encode()) < 143  # in encrypted folders; others have 255


def difference(one, other) -> float:
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


class TestFrames:
    def test_the_last_frame_holds_the_samples_that_the_library_gives(self, pipe):
        request = parse(
            [{"name": "brick", "weight": 1}, {"name": "moss", "weight": 3}], n=3, size=32, steps=5, seed=9
        )
        last = flat(frames(pipe, request))[-1]
        assert (last["n"], last["columns"], last["side"], last["size"]) == (3, 2, 32, 32)
        assert last["last"]
        sheet = opened(last["src"])
        expected = pipe.sample({"brick": 0.25, "moss": 0.75}, n=3, size=32, steps=5, seed=9)
        for k, image in enumerate(expected):
            left, top = k % 2 * 32, k // 2 * 32
            cut = sheet.crop((left, top, left + 32, top + 32))
            assert np.array_equal(np.asarray(cut), np.asarray(image))

    def test_the_measurements(self, pipe):
        shown = flat(frames(pipe, parse(n=1, size=16, steps=6)))
        assert [frame["index"] for frame in shown] == [1, 2, 3, 4, 5, 6]
        assert {frame["steps"] for frame in shown} == {6}
        assert [frame["evaluations"] for frame in shown] == [1, 2, 3, 4, 5, 6]
        assert shown[-1]["sigma"] == pytest.approx(pipe.info.sigma_min, abs=1e-4)
        assert all(frame["ms"] > 0 and frame["distance"] > 0 for frame in shown)
        assert all(frame["relative_distance"] > 0 for frame in shown)
        assert shown[-1]["device"] == "cpu"

    @pytest.mark.parametrize("interval", [0, 3600])
    def test_no_step_is_left_out_however_fast_they_come(self, pipe, interval):
        batches = list(frames(pipe, parse(n=1, size=16, steps=12), interval=interval))
        assert [frame["index"] for frame in flat(batches)] == list(range(1, 13))
        assert len(batches) == (12 if interval == 0 else 2)  # the first at once, the last in any case

    def test_each_step_has_the_image_and_the_estimate(self, pipe):
        request = parse(n=2, size=32, steps=5)
        steps = list(pipe.stream("moss", n=2, size=32, steps=5))
        for frame, step in zip(flat(frames(pipe, request)), steps, strict=True):
            for key, images in (("src", step.images), ("estimate", step.denoised)):
                shown = opened(frame[key] or frame["src"])
                assert shown.size == (64, 32)
                cut = shown.crop((32, 0, 64, 32))
                if frame["last"]:
                    assert difference(cut, images[1]) == 0
                # lossy images lose fine colour, and white noise has most of it
                right, wrong = (difference(cut.convert("L"), image.convert("L")) for image in images[::-1])
                assert right < 10 and right < 0.6 * wrong
        assert [frame["estimate"] is None for frame in flat(frames(pipe, request))] == [False] * 4 + [True]

    def test_unguided_ignores_the_target(self, pipe):
        one = flat(frames(pipe, parse(n=1, size=16, steps=3, strength=0)))[-1]
        other = parse([{"name": "slate", "weight": 1}], n=1, size=16, steps=3, strength=0)
        assert one["src"] == flat(frames(pipe, other))[-1]["src"]

    def test_the_query_of_a_frame_is_the_request(self, pipe):
        request = parse(n=1, size=16, steps=3, seed=4)
        target, settings = from_link(flat(frames(pipe, request))[0]["query"])
        assert parse(target, **settings) == request

    def test_each_frame_has_positions_on_the_map(self, pipe, monkeypatch):
        asked = []

        def project(projection, phi, sigma):
            asked.append((projection, tuple(phi.shape), sigma))
            return np.array([[0.25, len(asked)]] * len(phi), dtype=np.float32)

        space = SimpleNamespace(
            is_fitted=lambda projection, sigma: projection == "pca",
            project=lambda projection, phi, sigma: np.array([[0.25, 1, 0.5]] * len(phi), dtype=np.float32),
        )
        feature_map = SimpleNamespace(projections=("pca", "umap"), project=project, space=space)
        monkeypatch.setattr(pipe, "map", feature_map, raising=False)
        shown = flat(frames(pipe, parse(n=2, size=16, steps=3)))
        assert [frame["path"]["pca"] for frame in shown] == [[[0.25, k]] * 2 for k in (1.0, 3.0, 5.0)]
        assert [frame["path"]["umap"] for frame in shown] == [[[0.25, k]] * 2 for k in (2.0, 4.0, 6.0)]
        assert all(frame["path"]["pca-3d"] == [[0.25, 1.0, 0.5]] * 2 for frame in shown)
        assert not any("umap-3d" in frame["path"] for frame in shown)  # nobody has asked to fit it
        assert {shape for _, shape, _ in asked} == {(2, pipe.table.dimension)}
        assert [sigma for _, _, sigma in asked[::2]] == pytest.approx([f["sigma"] for f in shown], abs=1e-4)

    def test_the_last_frame_alone_is_the_last_frame(self, pipe):
        request = parse(n=2, size=16, steps=4)
        alone, last = last_frame(pipe, request), flat(frames(pipe, request))[-1]
        assert {**alone, "ms": 0} == {**{k: v for k, v in last.items() if k != "path"}, "ms": 0}

    def test_leaving_ends_the_sampling(self, pipe, monkeypatch):
        ended = []
        stream = pipe.stream

        def watched(*args, **options):
            try:
                yield from stream(*args, **options)
            finally:
                ended.append(True)

        monkeypatch.setattr(pipe, "stream", watched)
        running = frames(pipe, parse(n=1, size=16, steps=50), interval=0)
        next(running)
        assert not ended
        running.close()
        assert ended

    def test_a_cancelled_run_makes_no_further_step(self, pipe, monkeypatch):
        made, stream = [], pipe.stream

        def counted(*args, **options):
            for step in stream(*args, **options):
                made.append(step.index)
                yield step

        monkeypatch.setattr(pipe, "stream", counted)
        shown = flat(
            frames(pipe, parse(n=1, size=16, steps=50), interval=0, is_cancelled=lambda: len(made) >= 3)
        )
        assert made == [1, 2, 3]
        assert not any(frame["last"] for frame in shown)


def test_the_newest_frames_stay_in_the_value_and_all_come_at_the_end():
    made = {k: {"index": k} for k in range(1, MAX_KEPT_FRAMES + 9)}
    assert list(frames_to_send(made, last=False)) == list(range(9, MAX_KEPT_FRAMES + 9))
    assert frames_to_send(made, last=True) == made


class TestStepImages:
    def test_large_pictures_are_scaled_down(self):
        uris, columns, side = StepImages(10).encode([noise_images(16, 256)], seconds=1)
        assert (columns, side) == (4, WIDTHS[0] // 4)
        assert opened(uris[0]).size == (WIDTHS[0], WIDTHS[0])
        assert len(uris[0]) < 400_000  # even of white noise

    def test_small_pictures_keep_their_size(self):
        uris, columns, side = StepImages(10).encode([noise_images(3, 16)] * 2, seconds=1)
        assert (columns, side) == (2, 16)
        assert [opened(uri).size for uri in uris] == [(32, 32)] * 2

    def test_all_images_of_a_run_stay_within_the_budget(self):
        previews, images = StepImages(100), noise_images(4, 256)
        sides, spent = [], 0
        for _ in range(100):
            uris, _, side = previews.encode([images, images], seconds=1)
            sides.append(side)
            spent += sum(map(len, uris))
        assert spent < 1.5 * MAX_PREVIEW_CHARACTERS
        assert sides[0] == 256 > max(sides[1:]) >= min(sides) >= 48

    def test_encoding_takes_no_longer_than_the_network(self, monkeypatch):
        clock = SimpleNamespace(now=0.0)

        def encode(image, **options):
            clock.now += 1e-6 * image.width * image.height
            return "x"

        monkeypatch.setattr(time, "perf_counter", lambda: clock.now)
        monkeypatch.setattr("fgsd.app.render.step_images.data_uri", encode)
        previews, images = StepImages(20), [Image.new("RGB", (512, 512))]
        took = []
        for _ in range(20):
            before = clock.now
            previews.encode([images, images], seconds=0.05)
            took.append(clock.now - before)
        assert took[0] > 0.5  # the first step is encoded before its cost is known
        assert all(0.02 < one <= 0.05 for one in took[1:])

    def test_a_lossless_picture_keeps_every_bit(self):
        images = noise_images(16, 64)
        whole, columns, side = lossless_picture(images)
        assert (columns, side) == (4, 64)
        assert np.array_equal(np.asarray(opened(whole))[64:128, :64], np.asarray(images[4]))


def test_views_do_not_change_what_is_sampled(pipe):
    request = parse(n=1, size=16, steps=3)
    pictures = {
        flat(frames(pipe, dataclasses.replace(request, view=view)))[1]["src"]
        for view in ("noise", "estimate", "both")
    }
    assert len(pictures) == 1
