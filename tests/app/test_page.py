"""The page's logic, without a browser."""

from __future__ import annotations

import gc
import math
import subprocess
import sys
import time

import numpy as np
import pytest
from page_help import opened, parse
from PIL import Image

from fgsd.app.render.pictures import data_uri, grid
from fgsd.app.render.thumbnails import MISSING, thumbnails, training_images
from fgsd.app.requests.link import from_link, to_link
from fgsd.app.requests.request import SETTINGS, RequestError, SampleRequest, parse_request
from fgsd.app.serving.admission import Admission
from fgsd.app.serving.preview import STEPS, preview_function
from fgsd.app.serving.request_sequence import RequestSequence
from fgsd.app.serving.scheduler import Scheduler
from fgsd.checkpoint import CheckpointInfo

CLASSES = ["brick", "moss", "slate"]


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

    def test_what_lies_in_itself_a_thousand_times_is_refused_too(self):
        deep: list = []
        for _ in range(5_000):
            deep = [deep]
        with pytest.raises(RequestError, match="Seed must be"):
            parse(seed=deep)


class TestLink:
    def test_only_words_are_read(self):
        assert from_link({"mix": ["moss:1"]}) is None
        assert from_link({"mix": "moss:1", "size": {"a": 1}}) == from_link("?mix=moss:1")

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


def test_the_newest_wish_of_a_visitor_wins_and_visitors_do_not_see_each_other():
    newest = RequestSequence(most=2)
    first, other = newest.renew("a"), newest.renew("b")
    assert newest.holds("a", first) and newest.holds("b", other)
    second = newest.renew("a")
    assert not newest.holds("a", first)
    assert newest.holds("a", second) and newest.holds("b", other)
    newest.renew("c")  # "b" was quiet longest and is forgotten, which ends none of its runs
    assert newest.holds("b", other) and newest.holds("a", second)
    time.sleep(0.01)
    assert (
        RequestSequence().renew("a") > first
    )  # of a server that starts again, while the visitor's page stayed open


def test_a_wish_that_is_met_late_does_not_end_the_one_that_overtook_it():
    newest = RequestSequence(most=2)
    run = newest.renew("a", client_seq=2)
    assert newest.renew("a", client_seq=1) is None
    assert newest.renew("a", client_seq=2) == run
    assert newest.holds("a", run)
    assert newest.renew("b", client_seq=1)  # each visitor's page counts for itself
    assert newest.renew("a", client_seq=3) and not newest.holds("a", run)
    newest.renew("c"), newest.renew("d")
    assert newest.renew("a", client_seq=1)  # of a visitor who was forgotten nothing is left


def test_grid_and_data_uri_keep_every_pixel():
    rng = np.random.default_rng(1)
    images = [Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(5)]
    sheet, columns, rows = grid(images)
    assert (columns, rows) == (3, 2)
    assert np.array_equal(np.asarray(opened(data_uri(sheet, lossless=True))), np.asarray(sheet))
    assert np.array_equal(np.asarray(sheet.crop((8, 8, 16, 16))), np.asarray(images[4]))


class TestThumbnails:
    def test_they_are_the_middle_of_the_real_image(self, texture_folder):
        info = CheckpointInfo(patch_size=16, image_size=None)
        data = training_images(texture_folder, info)
        shown = thumbnails(data, ["moss", "brick"], info, side=16)
        for name, image in zip(["moss", "brick"], shown, strict=True):
            real = Image.open(texture_folder / f"{name}.png").crop((16, 16, 32, 32))
            assert np.array_equal(np.asarray(image), np.asarray(real))

    def test_a_class_without_an_image_is_grey(self, texture_folder):
        info = CheckpointInfo(patch_size=16, image_size=None)
        data = training_images(texture_folder, info)
        for shown in (thumbnails(data, ["gold"], info), thumbnails(None, ["moss"], info)):
            assert shown[0].getcolors() == [(64 * 64, MISSING)]

    def test_a_missing_folder_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            training_images(tmp_path / "nowhere", CheckpointInfo())
        assert training_images(None, CheckpointInfo()) is None


def test_the_library_and_the_package_of_the_app_are_light():
    code = "import sys, fgsd, fgsd.app; print('gradio' in sys.modules, 'sklearn' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # Gradio leaves event loops to the collector
def test_the_page_is_assembled_with_a_finished_sample(pipe, texture_folder):
    from fgsd.app.page import build_page

    page = build_page(pipe, texture_folder)
    values = {c["props"].get("elem_id"): c["props"].get("value") for c in page.config["components"]}
    assert values["map-panel"] == [{"name": "brick", "weight": 50}]
    welcome = values["picture-panel"]
    assert welcome["run"] == 0
    assert welcome["frames"][-1]["last"]
    shown = np.asarray(opened(welcome["frames"][-1]["src"]).crop((0, 0, 64, 64)))
    single = np.asarray(pipe.sample("brick", n=1, steps=16, size=64, seed=0)[0])
    assert np.abs(shown.astype(int) - single.astype(int)).max() <= 1  # rounding: a batch against a single
    del page
    gc.collect()  # now, not within another test


class TestLive:
    def test_its_picture_is_the_sample_at_the_pin(self, pipe):
        follow = preview_function(Admission(Scheduler(pipe)), multiple=4)
        target = [{"name": "moss", "weight": 1}, {"name": "slate", "weight": 3}]
        settings = list({**dict.fromkeys(SETTINGS), "seed": 5, "strength": 0.5, "tileable": True}.values())
        settings[SETTINGS.index("view")] = "noise"
        frame = follow({"target": target, "settings": settings})["frame"]
        sample = pipe.sample({"moss": 0.25, "slate": 0.75}, steps=STEPS, seed=5, strength=0.5, tileable=True)[
            0
        ]
        assert np.array_equal(np.asarray(opened(frame["src"])), np.asarray(sample))

    def test_before_the_settings_are_known_their_defaults_count(self, pipe):
        answer = preview_function(Admission(Scheduler(pipe)), multiple=4)(
            {"target": [{"name": "moss", "weight": 1}], "settings": None}
        )
        shown, sample = opened(answer["frame"]["src"]), pipe.sample("moss", steps=STEPS)[0]
        assert np.array_equal(np.asarray(shown), np.asarray(sample))

    @pytest.mark.parametrize("asked", [None, 3, [], {}, {"target": [{"name": "gold", "weight": 1}]}])
    def test_what_is_forged_is_answered_with_a_sentence(self, pipe, asked):
        answer = preview_function(Admission(Scheduler(pipe)), multiple=4)(asked)
        assert set(answer) == {"error"} and answer["error"].endswith(".")
