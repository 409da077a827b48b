"""The page's logic, without a browser."""

from __future__ import annotations

import gc
import math
import time
import unicodedata
from urllib.parse import parse_qs, quote

import numpy as np
import pytest
from page_help import opened, parse
from PIL import Image

from fgsd.app.limits import MAX_CLASSES, MAX_LINK_CHARACTERS, MAX_PREVIEW_S, MAX_URL_CHARACTERS
from fgsd.app.render.map_data import MapData
from fgsd.app.render.thumbnails import MISSING, thumbnails, training_images
from fgsd.app.requests.link import from_link, to_link
from fgsd.app.requests.request import SETTINGS, RequestError, SampleRequest, parse_request
from fgsd.app.serving.admission import Admission
from fgsd.app.serving.preview import STEPS, preview_function, preview_sigma_max
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

    def test_a_deeply_nested_value_is_refused_too(self):
        deep: list = []
        for _ in range(5_000):
            deep = [deep]
        with pytest.raises(RequestError, match="Seed must be"):
            parse(seed=deep)


class TestLink:
    def test_only_text_is_read(self):
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

    def test_it_is_readable(self):
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

    @pytest.mark.parametrize(
        "name", ["a,b", "a:b", "a&b=c", "50 %", "%2C", "ü/ö", "<b>", "石畳", "石:畳,%E7", "हिन्दी", "🧱 1+1"]
    )
    def test_any_name_of_a_class(self, name):
        request = parse_request([{"name": name, "weight": 1}], classes=[name], multiple=4)
        target, settings = from_link(to_link(request))
        assert parse_request(target, classes=[name], multiple=4, **settings) == request

    @pytest.mark.parametrize(
        "query", ["", "?", "?a=b", "?mix=", None, 3, ["mix"], "?mix=moss:1" + "0" * 5000]
    )
    def test_other_values_are_no_link(self, query):
        assert from_link(query) is None

    @pytest.mark.parametrize("form", ["NFC", "NFD"])
    def test_a_name_may_have_any_form_of_unicode(self, form):
        name = unicodedata.normalize(form, "Café 가")
        target, _ = from_link("?mix=" + quote(quote(name, safe=""), safe="") + ":1")
        assert target[0]["name"] == "Café 가"
        entry = {"name": name, "weight": 1, "move": [0.1, 0.2]}
        request = parse_request([entry], classes=["Café 가"], multiple=4)
        assert [*request.weights, *request.moves, *request.ends] == 3 * ["Café 가"]

    def test_eight_names_as_long_as_files_may_have_fit_into_a_link(self):
        """The limit counts what the visitor sees: percent-encoded, such a link has 6,500 characters."""
        names = [f"{k}石{'畳' * 84}"[:85] for k in range(MAX_CLASSES)]
        request = parse_request([{"name": n, "weight": 1} for n in names], classes=names, multiple=4)
        link = to_link(request)
        assert MAX_LINK_CHARACTERS < len(link) < MAX_URL_CHARACTERS
        target, settings = from_link(link)
        assert parse_request(target, classes=names, multiple=4, **settings) == request
        values = {key: values[-1] for key, values in parse_qs(link[1:]).items()}
        assert from_link(values) == (target, settings)

    def test_links_with_names_in_the_former_encoding_open(self):
        assert from_link("?mix=%25E7%259F%25B3%25E7%2595%25B3:1.0")[0][0]["name"] == "石畳"

    def test_unreadable_settings_are_left_out_and_mixtures_refused(self):
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


def test_a_new_request_cancels_the_earlier_ones_of_its_visitor_alone():
    sequence = RequestSequence(max_visitors=2)
    first, other = sequence.start("a"), sequence.start("b")
    assert sequence.is_current("a", first) and sequence.is_current("b", other)
    second = sequence.start("a")
    assert not sequence.is_current("a", first)
    assert sequence.is_current("a", second) and sequence.is_current("b", other)
    sequence.start("c")  # "b" has started nothing for longest and is dropped, which cancels none of its runs
    assert sequence.is_current("b", other) and sequence.is_current("a", second)
    time.sleep(0.01)
    # a server that is restarted while the page stays open
    assert RequestSequence().start("a") > first


def test_a_request_that_arrives_late_does_not_cancel_the_newer_one():
    sequence = RequestSequence(max_visitors=2)
    run = sequence.start("a", client_seq=2)
    assert sequence.start("a", client_seq=1) is None
    assert sequence.start("a", client_seq=2) == run
    assert sequence.is_current("a", run)
    assert sequence.start("b", client_seq=1)  # each visitor's page has its own numbers
    assert sequence.start("a", client_seq=3) and not sequence.is_current("a", run)
    sequence.start("c"), sequence.start("d")
    assert sequence.start("a", client_seq=1)  # nothing is left of a visitor who was dropped


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


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # Gradio leaves event loops to the collector
def test_the_page_is_assembled_with_a_finished_sample(pipe, texture_folder):
    from fgsd.app.page import build_page

    page = build_page(pipe, texture_folder, first=(4, 64))
    values = {c["props"].get("elem_id"): c["props"].get("value") for c in page.config["components"]}
    assert values["map-panel"] == [{"name": "brick", "weight": 50}]
    welcome = values["picture-panel"]
    assert welcome["run"] == 0
    assert welcome["frames"][-1]["last"]
    shown = np.asarray(opened(welcome["frames"][-1]["src"]).crop((0, 0, 64, 64)))
    single = np.asarray(pipe.sample("brick", n=1, steps=16, size=64, seed=0)[0])
    assert np.abs(shown.astype(int) - single.astype(int)).max() <= 1  # rounding: a batch against a single
    del page
    gc.collect()  # now, and not during another test


# values of all controls
SAMPLED = dict(zip(SETTINGS, (1, 64, 0, 16, 1.0, "dpm2m", "noise", False), strict=True))


class TestPreview:
    @pytest.mark.usefixtures("exact_previews")
    def test_it_is_the_sample_at_the_pin(self, pipe):
        preview = preview_function(Admission(Scheduler(pipe)), multiple=4)
        target = [{"name": "moss", "weight": 1}, {"name": "slate", "weight": 3}]
        settings = list({**SAMPLED, "seed": 5, "strength": 0.5, "tileable": True}.values())
        frame = preview({"target": target, "settings": settings})["frame"]
        options = {"steps": STEPS, "sigma_max": preview_sigma_max(pipe), "seed": 5}
        [sample] = pipe.sample({"moss": 0.25, "slate": 0.75}, strength=0.5, tileable=True, **options)
        assert np.array_equal(np.asarray(opened(frame["src"])), np.asarray(sample))

    def test_it_says_what_took_its_time(self, pipe):
        preview = preview_function(Admission(Scheduler(pipe)), multiple=4, nearest=True)
        times = preview({"target": [{"name": "moss", "weight": 1}], "settings": None})["times"]
        assert list(times) == ["all", "checks", "sampling", "evaluations"]
        assert times["all"] >= times["checks"] + times["sampling"] - 0.2
        assert times["sampling"] + 0.3 >= times["evaluations"] > 0

    @pytest.mark.usefixtures("exact_previews")
    def test_missing_settings_take_their_defaults(self, pipe):
        result = preview_function(Admission(Scheduler(pipe)), multiple=4)(
            {"target": [{"name": "moss", "weight": 1}], "settings": None}
        )
        shown, sample = (
            opened(result["frame"]["src"]),
            pipe.sample("moss", steps=STEPS, sigma_max=preview_sigma_max(pipe))[0],
        )
        assert np.array_equal(np.asarray(shown), np.asarray(sample))

    @pytest.mark.usefixtures("exact_previews")
    def test_its_noise_is_that_of_the_centre_of_the_picture(self, pipe):
        preview = preview_function(Admission(Scheduler(pipe)), multiple=4)
        query = {"target": [{"name": "moss", "weight": 1}]}
        settings = {**SAMPLED, "n": 4, "size": 128, "seed": 3, "tileable": True}
        frame = preview({**query, "settings": list(settings.values())})["frame"]
        assert frame["finished"] == {"n": 4, "columns": 2, "size": 128, "corner": 32}
        options = {"steps": STEPS, "sigma_max": preview_sigma_max(pipe), "seed": 3, "noise_size": 128}
        [sample] = pipe.sample("moss", **options)
        assert np.array_equal(np.asarray(opened(frame["src"])), np.asarray(sample))

    def test_a_fast_device_shows_more_and_the_whole_picture_where_the_hand_rests(self, pipe):
        query = {"target": [{"name": "moss", "weight": 1}]}

        def shown(seconds_per_pixel: float, n: int, size: int, **more) -> tuple | None:
            options = {"multiple": 4, "seconds_per_pixel": seconds_per_pixel}
            preview = preview_function(Admission(Scheduler(pipe)), **options)
            settings = list({**SAMPLED, "n": n, "size": size}.values())
            frame = preview({**query, "settings": settings, **more}).get("frame")
            return frame and (frame["n"], frame["size"], frame["finished"]["corner"])

        slow, fast = MAX_PREVIEW_S / STEPS / 64**2 * 1.2, MAX_PREVIEW_S / STEPS / 128**2 * 0.9
        assert [shown(slow, 1, size) for size in (64, 128)] == [(1, 64, 0), (1, 64, 32)]
        assert shown(slow, 4, 64) == (1, 64, 0)
        assert shown(fast, 1, 128) == (1, 128, 0)
        assert shown(fast, 1, 192) == (1, 128, 32)
        assert shown(fast, 4, 64) == (4, 64, 0)
        assert shown(slow, 1, 128, whole=True) == (1, 128, 0)
        assert shown(slow, 1, 256, whole=True) is None

    def test_a_later_query_of_a_page_cancels_the_whole_picture(self, pipe):
        query = {"target": [{"name": "moss", "weight": 1}], "page": "a"}
        answers, indices = [], []

        def make(lent, request, user_centroids):
            for step in lent.stream("moss", **request.options()):
                indices.append(step.index)
                if len(indices) == 2:  # while the first is under way
                    answers.append(preview({**query, "number": 2}))
            return {"ms": 1.0, "index": step.index}

        preview = preview_function(Admission(Scheduler(pipe)), multiple=4, seconds_per_pixel=1e-9, make=make)
        assert preview({**query, "number": 1, "whole": True}) == {}
        assert indices == [1, 2, *range(1, STEPS + 1)]
        assert "frame" in answers[0]
        assert preview({**query, "number": 1}) == {}  # it has arrived after the later one
        assert "frame" in preview({**query, "page": "b", "number": 1})  # another page counts by itself

    def test_it_knows_the_nearest_class_and_its_true_distance(self, pipe):
        preview = preview_function(Admission(Scheduler(pipe)), multiple=4, nearest=True)
        query = {"target": [{"name": "moss", "weight": 20, "move": [0.2, 0.1]}]}
        result = preview(query)
        assert result["nearest"] == MapData(pipe, None).true_distance(query)
        assert set(result) == {"frame", "nearest", "times"}

    @pytest.mark.parametrize("query", [None, 3, [], {}, {"target": [{"name": "gold", "weight": 1}]}])
    def test_a_forged_query_gets_a_sentence(self, pipe, query):
        result = preview_function(Admission(Scheduler(pipe)), multiple=4, nearest=True)(query)
        assert set(result) == {"error"} and result["error"].endswith(".")
