"""The page's logic, without a browser."""

from __future__ import annotations

import base64
import gc
import io
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from fgsd.app.class_map import class_map, spread_out
from fgsd.app.frames import PREVIEW_SIDE, frames, picture
from fgsd.app.link import from_link, to_link
from fgsd.app.newest import Newest
from fgsd.app.pictures import data_uri, grid
from fgsd.app.request import RequestError, SampleRequest, parse_request
from fgsd.app.thumbnails import MISSING, thumbnails
from fgsd.centroids import CentroidTable
from fgsd.checkpoint import CheckpointInfo

CLASSES = ["brick", "moss", "slate"]


def parse(target=None, **values) -> SampleRequest:
    target = [{"name": "moss", "weight": 1}] if target is None else target
    return parse_request(target, classes=CLASSES, multiple=4, **values)


def opened(src: str) -> Image.Image:
    head, _, body = src.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB")


def link_of(request: SampleRequest) -> tuple:
    return from_link(to_link(request))


class TestRequest:
    def test_weights_are_scaled_to_sum_one(self):
        request = parse([{"name": "moss", "weight": 3}, {"name": "brick", "weight": 1}])
        assert request.weights == {"moss": 0.75, "brick": 0.25}
        assert request.label == "75% moss, 25% brick"

    def test_a_class_without_weight_is_left_out(self):
        assert parse([{"name": "moss", "weight": 0}, {"name": "slate", "weight": 2}]).weights == {
            "slate": 1.0
        }

    def test_numbers_of_a_page_may_be_floats(self):
        request = parse(n=4.0, size=128.0, seed=7.0, steps=8.0)
        assert (request.n, request.size, request.seed, request.steps) == (4, 128, 7, 8)
        assert all(type(v) is int for v in (request.n, request.size, request.seed, request.steps))

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"n": 17}, "Images must be a whole number from 1 to 16; 17 came"),
            ({"n": 0}, "Images"),
            ({"n": True}, "Images"),
            ({"n": 2.5}, "Images"),
            ({"n": float("nan")}, "Images"),
            ({"size": 4096}, "Size must be a whole number from 4 to 256"),
            ({"size": 62}, "multiple of 4 pixels; the nearest to 62 is 64"),
            ({"size": None}, "nothing came"),
            ({"seed": -1}, "Seed"),
            ({"seed": 2**31}, "Seed"),
            ({"seed": "x" * 10_000}, "Seed"),
            ({"steps": 101}, "Steps"),
            ({"steps": float("inf")}, "Steps"),
            ({"strength": 2.1}, "Guidance strength must be a number from 0 to 2"),
            ({"strength": float("nan")}, "Guidance strength"),
            ({"sampler": "ascent"}, "Sampler must be dpm2m or ancestral or heun; 'ascent' came"),
            ({"sampler": ["dpm2m"]}, "Sampler"),
            ({"tileable": 1}, "Seamless tile"),
            ({"view": "__class__"}, "Watch"),
        ],
    )
    def test_a_forged_setting_is_refused_in_one_short_sentence(self, values, words):
        with pytest.raises(RequestError, match=words) as caught:
            parse(**values)
        assert len(str(caught.value)) < 160
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("target", "words"),
        [
            ([], "Choose at least one"),
            ("moss", "Choose at least one"),
            ({"name": "moss"}, "Choose at least one"),
            ([{"name": "gold", "weight": 1}], "no texture named 'gold'"),
            (["moss"], "no texture named nothing"),
            ([{"name": ["moss"], "weight": 1}], "no texture named"),
            ([{"name": "moss"}], "The weight of moss must be a number from 0 to 100; nothing came"),
            ([{"name": "moss", "weight": -1}], "The weight of moss"),
            ([{"name": "moss", "weight": 1e308}], "The weight of moss"),
            ([{"name": "moss", "weight": 1}] * 2, "came twice"),
            ([{"name": "moss", "weight": 0}], "above 0"),
            ([{"name": "moss", "weight": 1}] * 9, "At most 8 textures can be mixed; 9 came"),
        ],
    )
    def test_a_forged_target_is_refused(self, target, words):
        with pytest.raises(RequestError, match=words):
            parse(target)


class TestLink:
    @pytest.mark.parametrize(
        "weights", [{"moss": 1}, {"moss": 1, "brick": 2}, {"moss": 0.1, "brick": 0.2, "slate": 0.3}]
    )
    def test_a_request_comes_back_to_the_last_digit(self, weights):
        target = [{"name": name, "weight": weight} for name, weight in weights.items()]
        options = {"n": 9, "size": 96, "seed": 2**31 - 1, "steps": 7, "strength": 1.35}
        request = parse(target, **options, sampler="heun", tileable=True, view="estimate")
        assert parse(*link_of(request)[:1], **link_of(request)[1]) == request
        assert parse(*link_of(parse())[:1], **link_of(parse())[1]) == parse()

    def test_it_reads_as_it_is_meant(self):
        assert to_link(parse(seed=3)) == (
            "?mix=moss:1.0&images=4&size=64&seed=3&steps=16&strength=1.0&sampler=dpm2m&watch=noise"
        )

    def test_moves_over_the_map_come_back(self):
        target = [{"name": "moss", "weight": 1, "move": [0.12344, -0.5]}, {"name": "brick", "weight": 1}]
        request = parse(target)
        assert request.moves == {"moss": (0.1234, -0.5)}
        assert "mix=moss:0.5:0.1234:-0.5,brick:0.5&" in to_link(request)
        assert parse(*link_of(request)[:1], **link_of(request)[1]) == request

    @pytest.mark.parametrize("move", ["far", [1], [1, 2, 3], [math.nan, 0], [0, 2.5], [None, 0], [True, 0]])
    def test_a_forged_move_is_refused(self, move):
        with pytest.raises(RequestError, match="The move of moss must be"):
            parse([{"name": "moss", "weight": 1, "move": move}])

    @pytest.mark.parametrize("name", ["a,b", "a:b", "a&b=c", "50 %", "%2C", "ü/ö", "<b>"])
    def test_any_name_of_a_class(self, name):
        request = parse_request([{"name": name, "weight": 1}], classes=[name], multiple=4)
        target, settings = from_link(to_link(request))
        assert parse_request(target, classes=[name], multiple=4, **settings) == request

    @pytest.mark.parametrize(
        "query", ["", "?", "?a=b", "?mix=", None, 3, ["mix"], "?mix=moss:1" + "0" * 3000]
    )
    def test_what_is_no_link_changes_nothing(self, query):
        assert from_link(query) is None

    def test_what_cannot_be_read_is_left_out_or_refused(self):
        target, settings = from_link("?mix=moss:1&seed=x&steps=1e9&strength=&tile=yes")
        assert settings == {"tileable": False}
        for mix in (
            "moss",
            "moss:",
            "moss:x",
            "moss:nan",
            "moss:-1",
            "gold:1",
            "moss:1,moss:1",
            ",",
            "moss:9",
        ):
            target, settings = from_link({"mix": mix})
            with pytest.raises(RequestError):
                parse(target, **settings)


class TestFrames:
    def test_the_last_frame_holds_the_samples_that_the_library_gives(self, pipe):
        request = parse(
            [{"name": "brick", "weight": 1}, {"name": "moss", "weight": 3}], n=3, size=32, steps=5, seed=9
        )
        last = list(frames(pipe, request, interval=0))[-1]
        assert (last["n"], last["columns"], last["side"], last["size"]) == (3, 2, 32, 32)
        assert last["last"]
        sheet = opened(last["src"])
        expected = pipe.sample({"brick": 0.25, "moss": 0.75}, n=3, size=32, steps=5, seed=9)
        for k, image in enumerate(expected):
            left, top = k % 2 * 32, k // 2 * 32
            cut = sheet.crop((left, top, left + 32, top + 32))
            assert np.array_equal(np.asarray(cut), np.asarray(image))

    def test_read_outs(self, pipe):
        shown = list(frames(pipe, parse(n=1, size=16, steps=6), interval=0))
        steps = [frame["index"] for frame in shown]
        assert steps == sorted(steps)
        assert steps[-1] == 6
        assert {frame["steps"] for frame in shown} == {6}
        assert [frame["evaluations"] for frame in shown] == steps  # one a step
        assert shown[-1]["sigma"] == pytest.approx(pipe.info.sigma_min, abs=1e-4)
        assert all(frame["ms"] > 0 and frame["distance"] > 0 for frame in shown)
        assert shown[-1]["device"] == "cpu"

    def test_fast_steps_are_left_out_but_never_the_last(self, pipe):
        shown = list(frames(pipe, parse(n=1, size=16, steps=12), interval=3600))
        assert [frame["index"] for frame in shown] == [1, 12]

    def test_the_estimate_is_smoother_than_the_noise(self, pipe):
        def roughness(view: str) -> float:
            first = next(frames(pipe, parse(n=1, size=32, steps=4, view=view), interval=0))
            pixels = np.asarray(opened(first["src"]), dtype=float)
            return float(np.abs(np.diff(pixels, axis=0)).mean())

        assert roughness("estimate") < 0.5 * roughness("noise")

    def test_unguided_has_no_distance_and_ignores_the_target(self, pipe):
        one = list(frames(pipe, parse(n=1, size=16, steps=3, strength=0), interval=0))[-1]
        other = parse([{"name": "slate", "weight": 1}], n=1, size=16, steps=3, strength=0)
        assert one["src"] == list(frames(pipe, other, interval=0))[-1]["src"]

    def test_large_previews_are_scaled_down_and_small(self):
        rng = np.random.default_rng(0)
        images = [Image.fromarray(rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)) for _ in range(16)]
        src, columns, side = picture(images, whole=False)
        assert (columns, side) == (4, PREVIEW_SIDE // 4)
        assert opened(src).size == (PREVIEW_SIDE, PREVIEW_SIDE)
        assert len(src) < 400_000  # even of white noise
        whole, columns, side = picture(images, whole=True)
        assert (columns, side) == (4, 256)
        assert np.array_equal(np.asarray(opened(whole))[256:512, :256], np.asarray(images[4]))  # every bit

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

    def test_a_run_that_is_no_longer_wanted_makes_no_further_step(self, pipe, monkeypatch):
        made, stream = [], pipe.stream

        def counted(*args, **options):
            for step in stream(*args, **options):
                made.append(step.index)
                yield step

        monkeypatch.setattr(pipe, "stream", counted)
        shown = list(frames(pipe, parse(n=1, size=16, steps=50), interval=0, wanted=lambda: len(made) < 3))
        assert made == [1, 2, 3]
        assert not any(frame["last"] for frame in shown)


def test_the_newest_wish_of_a_visitor_wins_and_visitors_do_not_see_each_other():
    newest = Newest(most=2)
    first, other = newest.renew("a"), newest.renew("b")
    assert newest.holds("a", first) and newest.holds("b", other)
    second = newest.renew("a")
    assert not newest.holds("a", first)
    assert newest.holds("a", second) and newest.holds("b", other)
    newest.renew("c")  # "b" was quiet longest and is forgotten, which ends none of its runs
    assert newest.holds("b", other) and newest.holds("a", second)


def test_grid_and_data_uri_keep_every_pixel():
    rng = np.random.default_rng(1)
    images = [Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(5)]
    sheet, columns, rows = grid(images)
    assert (columns, rows) == (3, 2)
    assert np.array_equal(np.asarray(opened(data_uri(sheet, lossless=True))), np.asarray(sheet))
    assert np.array_equal(np.asarray(sheet.crop((8, 8, 16, 16))), np.asarray(images[4]))


def table_of(values: torch.Tensor) -> CentroidTable:
    names = [f"class-{k}" for k in range(len(values))]
    sigmas = torch.linspace(0.1, 1.0, values.shape[1])
    return CentroidTable(names, sigmas, values, torch.ones_like(values), torch.zeros(len(names), 3))


class TestClassMap:
    def test_a_mixture_lies_at_the_weighted_mean_of_its_classes(self):
        values = torch.randn(6, 3, 5, generator=torch.Generator().manual_seed(1))
        values[5] = 0.2 * values[0] + 0.5 * values[1] + 0.3 * values[2]
        points = class_map(table_of(values)).points
        assert points[5] == pytest.approx(0.2 * points[0] + 0.5 * points[1] + 0.3 * points[2], abs=1e-5)

    def test_every_level_counts_alike(self):
        values = torch.randn(6, 2, 5, generator=torch.Generator().manual_seed(2))
        scaled = values * torch.tensor([1.0, 1000.0])[:, None]
        one, other = class_map(table_of(values)).points, class_map(table_of(scaled)).points
        assert one == pytest.approx(other, abs=1e-4)

    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_few_or_equal_classes(self, count):
        places = class_map(table_of(torch.ones(count, 2, 3)))
        assert places.points == pytest.approx(np.full((count, 2), 0.5))
        assert np.isfinite(places.thumbnails).all()

    @pytest.mark.parametrize("count", [3, 64])
    def test_thumbnails_do_not_hide_each_other_and_stay_on_the_map(self, count):
        values = torch.randn(count, 2, 40, generator=torch.Generator().manual_seed(3)) ** 3
        places = class_map(table_of(values))
        centres = places.thumbnails * [1, 1 / places.aspect]  # in widths of the map
        gaps = np.abs(centres[:, None] - centres[None]).max(axis=-1)
        np.fill_diagonal(gaps, np.inf)
        assert gaps.min() > 0.97 * places.side
        assert (centres >= places.side / 2).all()
        assert (centres <= np.array([1, 1 / places.aspect]) - places.side / 2).all()

    def test_more_squares_than_fit_stay_on_their_points(self):
        points = np.random.default_rng(0).random((30, 2))
        assert np.array_equal(spread_out(points, 0.3, 1.0), points)

    def test_squares_that_are_apart_stay_where_they_are(self):
        points = np.array([[0.2, 0.2], [0.8, 0.3], [0.5, 0.8]])
        assert spread_out(points, 0.1, 1.0) == pytest.approx(points, abs=1e-3)


class TestThumbnails:
    def test_they_are_the_middle_of_the_real_image(self, texture_folder):
        info = CheckpointInfo(patch_size=16, image_size=None)
        shown = thumbnails(texture_folder, ["moss", "brick"], info, side=16)
        for name, image in zip(["moss", "brick"], shown, strict=True):
            real = Image.open(texture_folder / f"{name}.png").crop((16, 16, 32, 32))
            assert np.array_equal(np.asarray(image), np.asarray(real))

    def test_a_class_without_an_image_is_grey(self, texture_folder):
        info = CheckpointInfo(patch_size=16, image_size=None)
        for shown in (thumbnails(texture_folder, ["gold"], info), thumbnails(None, ["moss"], info)):
            assert shown[0].getcolors() == [(64 * 64, MISSING)]

    def test_a_missing_folder_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            thumbnails(tmp_path / "nowhere", ["moss"], CheckpointInfo())


def test_names_of_classes_reach_no_script():
    from fgsd.app.class_map import ClassMap
    from fgsd.app.target_room import room_html

    nasty = '"><script>alert(1)</script>${trigger}{{value}}`\\'
    half = np.full((1, 2), 0.5)
    markup = room_html(ClassMap([nasty], half, half, 0.1, 1.0), 1, 1)
    for active in ("<script", "${", "{{", "`", "\\"):
        assert active not in markup


def test_the_library_and_the_package_of_the_app_are_light():
    code = "import sys, fgsd, fgsd.app; print('gradio' in sys.modules, 'sklearn' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # Gradio leaves event loops to the collector
def test_the_page_is_assembled_with_a_finished_sample(pipe, texture_folder):
    from fgsd.app.page import build_page

    page = build_page(pipe, texture_folder)
    values = {c["props"].get("elem_id"): c["props"].get("value") for c in page.config["components"]}
    assert values["target-room"] == [{"name": "brick", "weight": 50}]
    welcome = values["picture-room"]
    assert welcome["run"] == 0
    assert welcome["frames"][-1]["last"]
    shown = np.asarray(opened(welcome["frames"][-1]["src"]).crop((0, 0, 64, 64)))
    single = np.asarray(pipe.sample("brick", n=1, steps=16, size=64, seed=0)[0])
    assert np.abs(shown.astype(int) - single.astype(int)).max() <= 1  # rounding: a batch against a single
    del page
    gc.collect()  # now, not within another test
