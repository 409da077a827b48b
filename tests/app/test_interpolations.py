"""Interpolations between textures, without a browser."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from fgsd.app.render import interpolations
from fgsd.app.render.interpolations import (
    interpolation_frames,
    missing_textures,
    mixtures,
    strip_points,
    switch_frame,
    textures_to_add,
)
from fgsd.app.requests.link import from_link, to_link
from fgsd.app.requests.request import RequestError, SampleRequest, parse_request
from fgsd.app.serving.admission import Admission
from fgsd.app.serving.preview import preview_function
from fgsd.app.serving.scheduler import Scheduler
from fgsd.centroids import Centroid, coarse_fine
from fgsd.interpolation import blend_images, switch_stops

CLASSES = ["brick", "moss", "slate"]


def parse(names=("brick", "moss"), *, mode="strip", switch=None, places=None, **values) -> SampleRequest:
    target = [{"name": name, "weight": 1} for name in names]
    interpolation = {"mode": mode, "switch": switch, "places": places}
    options = {"size": 16, "steps": 4, "seed": 5} | values
    return parse_request(target, classes=CLASSES, multiple=4, interpolation=interpolation, **options)


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def pictures(frame: dict) -> dict[int, np.ndarray]:
    """Every image of a frame, by its index."""
    found = {}
    for sheet in frame["sheets"]:
        whole, side = opened(sheet["src"]).convert("RGB"), sheet["side"]
        for k, places in enumerate(sheet["places"]):
            left, top = k % sheet["columns"] * side, k // sheet["columns"] * side
            cut = np.asarray(whole.crop((left, top, left + side, top + side)))
            found |= dict.fromkeys(places, cut)
    return found


def last(pipe, request, **options) -> dict:
    return list(interpolation_frames(pipe, request, interval=0, **options))[-1]


def sampled(pipe, target, request: SampleRequest) -> np.ndarray:
    options = {"size": request.size, "steps": request.steps, "strength": request.strength}
    return np.asarray(pipe.sample(target, n=1, seed=request.seed, **options)[0])


def close(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal to floating-point rounding: a batch against a single image."""
    return one.shape == other.shape and int(np.abs(one.astype(int) - other.astype(int)).max()) <= 1


class TestRequest:
    @pytest.mark.parametrize(
        ("interpolation", "words"),
        [
            ({"mode": "spiral"}, "Mode must be sample or strip or grid or loop or coarse-fine"),
            ({"mode": ["strip"]}, "Mode must be"),
            ({"mode": None}, "Mode must be"),
            ({"mode": "strip", "places": 4}, "Places must be a whole number from 5 to 11; 4 came"),
            ({"mode": "strip", "places": 1e9}, "Places"),
            ({"mode": "strip", "places": 7.5}, "Places"),
            ({"mode": "coarse-fine", "switch": 0}, "The switch must be a number from 0.001 to 1000; 0 came"),
            ({"mode": "coarse-fine", "switch": float("nan")}, "The switch"),
            ({"mode": "coarse-fine", "switch": "low"}, "The switch"),
            ("strip", "must name a mode"),
            (["strip"], "must name a mode"),
        ],
    )
    def test_a_forged_interpolation_is_refused_with_a_sentence(self, interpolation, words):
        with pytest.raises(RequestError, match=words) as caught:
            parse_request(
                [{"name": "moss", "weight": 1}], classes=CLASSES, multiple=4, interpolation=interpolation
            )
        assert len(str(caught.value)) < 160

    def test_missing_values_take_their_defaults(self):
        for interpolation in (None, {}, {"mode": "sample", "switch": None}):
            request = parse_request(
                [{"name": "moss", "weight": 1}], classes=CLASSES, multiple=4, interpolation=interpolation
            )
            assert (request.mode, request.switch, request.points) == ("sample", 0.5, 7)

    def test_textures_of_weight_0_are_ends_too_in_the_order_of_choice(self):
        target = [{"name": "slate", "weight": 0}, {"name": "brick", "weight": 2}]
        request = parse_request(target, classes=CLASSES, multiple=4)
        assert request.ends == ("slate", "brick")
        assert request.weights == {"brick": 1.0}

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"mode": "strip", "places": 9}, "&mode=strip&places=9"),
            ({"mode": "coarse-fine", "switch": 0.4743}, "&mode=coarse-fine&switch=0.4743"),
            ({"mode": "grid"}, "&mode=grid"),
            ({"mode": "loop"}, "&mode=loop"),
            ({"mode": "sample"}, "watch=noise"),
        ],
    )
    def test_a_link_holds_the_mode_and_its_parameter(self, values, words):
        target = [{"name": "slate", "weight": 0}, {"name": "brick", "weight": 2}]
        request = parse_request(target, classes=CLASSES, multiple=4, interpolation=values)
        link = to_link(request)
        assert link.endswith(words)
        assert "mix=slate:0.0,brick:1.0&" in link
        target, settings = from_link(link)
        assert parse_request(target, classes=CLASSES, multiple=4, **settings) == request

    def test_a_link_with_another_mode_is_refused(self):
        for query in ("mode=spiral", "mode=strip&places=99", "mode=coarse-fine&switch=-1"):
            target, settings = from_link(f"?mix=moss:1&{query}")
            with pytest.raises(RequestError):
                parse_request(target, classes=CLASSES, multiple=4, **settings)


class TestMissing:
    @pytest.mark.parametrize("mode", ["strip", "loop", "coarse-fine"])
    def test_one_texture_is_too_few_and_the_most_different_is_offered(self, pipe, mode):
        need = missing_textures(parse(["brick"], mode=mode), CLASSES)
        assert "second" in need.sentence and need.button == "Add the most different texture"
        order = [name for name, _ in pipe.nearest("brick", n=3)]
        assert textures_to_add(pipe, parse(["brick"], mode=mode)) == order[-1:]
        assert missing_textures(parse(["brick", "moss"], mode=mode), CLASSES) is None
        assert textures_to_add(pipe, parse(["brick", "moss"], mode=mode)) == []

    def test_a_grid_wants_four_and_offers_the_nearest(self, pipe):
        need = missing_textures(parse(["brick"], mode="grid"), [*CLASSES, "mine"])
        assert "3 more textures" in need.sentence and need.button == "Add the 3 nearest textures"
        need = missing_textures(parse(["brick", "moss", "slate"], mode="grid"), [*CLASSES, "mine"])
        assert "one more texture" in need.sentence

    def test_the_corners_are_filled_with_the_nearest_classes(self, pipe, monkeypatch):
        monkeypatch.setitem(interpolations.MIN_TEXTURES, "grid", 2)  # there are only three classes here
        nearest = [name for name, _ in pipe.nearest("brick", n=3)]
        assert (
            textures_to_add(pipe, parse(["brick"], mode="grid")) == [n for n in nearest if n != "brick"][:1]
        )

    def test_a_checkpoint_of_too_few_classes_offers_nothing(self, pipe):
        need = missing_textures(parse(mode="grid"), CLASSES)
        assert need.sentence == "This takes 4 textures, and there are only 3." and not need.button
        assert textures_to_add(pipe, parse(mode="grid")) == []

    def test_a_sample_needs_nothing(self):
        assert missing_textures(parse(["brick"], mode="sample"), CLASSES) is None


class TestStrip:
    def test_its_ends_are_the_pictures_of_the_textures(self, pipe):
        request = parse(places=5)
        shown = pictures(last(pipe, request))
        assert close(shown[0], sampled(pipe, "brick", request))
        assert close(shown[4], sampled(pipe, "moss", request))
        assert close(shown[1], sampled(pipe, {"brick": 0.75, "moss": 0.25}, request))

    def test_every_texture_is_a_point_of_the_strip(self, pipe):
        request = parse(["moss", "brick", "slate"], places=8)
        frame = last(pipe, request)
        assert frame["count"] == strip_points(request) == 7
        assert frame["fitting"] == [5, 7, 9, 11]
        shown = pictures(frame)
        for place, name in ((0, "moss"), (3, "brick"), (6, "slate")):
            assert frame["weights"][place] == {name: 1.0}
            assert close(shown[place], sampled(pipe, name, request))

    def test_the_blend_is_one_of_pixels(self, pipe):
        frame = last(pipe, parse(["moss", "brick", "slate"], places=5))
        shown = pictures(frame)
        ends = [Image.fromarray(shown[place]) for place in (0, 2, 4)]
        for k, weights in enumerate(frame["weights"]):
            shares = [weights.get(name, 0.0) for name in ("moss", "brick", "slate")]
            assert np.array_equal(shown[5 + k], np.asarray(blend_images(ends, shares)))
        assert not np.array_equal(shown[6], shown[1])

    def test_the_last_picture_is_unguided(self, pipe):
        request = parse(places=5)
        shown = pictures(last(pipe, request))
        assert len(shown) == 11
        assert np.array_equal(shown[10], sampled(pipe, None, request))

    def test_without_guidance_the_strip_is_unguided_throughout(self, pipe):
        shown = pictures(last(pipe, parse(places=5, strength=0.0)))
        assert all(close(shown[k], shown[10]) for k in range(5))

    def test_the_file_has_three_rows_with_captions(self, pipe):
        frame = last(pipe, parse(places=5, size=64, steps=2))
        assert list(frame["files"]) == ["png"]
        sheet = np.asarray(opened(frame["files"]["png"]).convert("RGB"))
        shown, top = pictures(frame), 16
        for row in range(3):
            for k in range(5):
                place = 10 if row == 2 else row * 5 + k
                cut = sheet[top : top + 64, k * 66 : k * 66 + 64]
                assert np.array_equal(cut, shown[place])
            assert (sheet[top - 16 : top] < 128).any()  # words
            top += 64 + 6 + 16
        assert top - 16 - 6 == sheet.shape[0]

    def test_frames_come_at_a_bounded_rate_and_the_last_one_always(self, pipe):
        indices = [frame["index"] for frame in interpolation_frames(pipe, parse(steps=6), interval=0)]
        assert indices == sorted(set(indices)) and indices[-1] == 6
        frames = list(interpolation_frames(pipe, parse(steps=6), interval=3600))
        assert [frame["index"] for frame in frames] == [1, 6]
        assert ["files" in frame for frame in frames] == [False, True]

    def test_a_large_size_is_reduced(self, pipe):
        frame = last(pipe, parse(places=5, size=256, steps=1))
        assert frame["size"] == 128 and pictures(frame)[0].shape == (128, 128, 3)

    def test_a_texture_of_the_visitor_may_be_an_end(self, pipe):
        textures = {"mine": pipe.centroid({"moss": 0.5, "slate": 0.5})}
        target = [{"name": "brick", "weight": 1}, {"name": "mine", "weight": 1}]
        request = parse_request(
            target, classes=[*CLASSES, "mine"], multiple=4, size=16, steps=4, interpolation={"mode": "strip"}
        )
        shown = pictures(last(pipe, request, user_centroids=textures))
        assert close(shown[6], sampled(pipe, textures["mine"], request))


class TestGrid:
    @pytest.fixture
    def four(self, pipe) -> tuple[SampleRequest, dict[str, Centroid]]:
        """A request of four corners, one of which the test brings along."""
        textures = {"mine": pipe.centroid({"moss": 0.5, "slate": 0.5})}
        target = [{"name": name, "weight": 1} for name in (*CLASSES, "mine")]
        interpolation = {"mode": "grid"}
        request = parse_request(
            target,
            classes=[*CLASSES, "mine"],
            multiple=4,
            size=16,
            steps=3,
            seed=2,
            interpolation=interpolation,
        )
        return request, textures

    def test_the_corners_are_the_textures_and_the_middle_their_mean(self, pipe, four):
        request, textures = four
        frame = last(pipe, request, user_centroids=textures)
        shown = pictures(frame)
        assert frame["count"] == len(shown) == 25
        targets = {0: "brick", 4: "moss", 20: "slate", 24: textures["mine"]}
        targets[12] = {"brick": 0.25, "moss": 0.375, "slate": 0.375}
        for place, target in targets.items():
            assert close(shown[place], sampled(pipe, target, request))
        assert opened(frame["files"]["png"]).size == (5 * 18 - 2, 5 * 18 - 2)


class TestLoop:
    @pytest.mark.parametrize(("names", "count"), [(("brick", "moss"), 24), (CLASSES, 36)])
    def test_it_has_twelve_pictures_a_leg_and_returns(self, pipe, names, count):
        request = parse(names, mode="loop", steps=2)
        frame = last(pipe, request)
        shown = pictures(frame)
        assert frame["count"] == count and sorted(shown) == list(range(count))
        for k, name in enumerate(names):
            assert frame["weights"][12 * k] == {name: 1.0}
            assert close(shown[12 * k], sampled(pipe, name, request))
        assert frame["weights"][-1] == pytest.approx({names[-1]: 1 / 12, names[0]: 11 / 12})

    def test_many_textures_stay_bounded(self):
        names = [f"t{k}" for k in range(8)]
        target = [{"name": name, "weight": 1} for name in names]
        request = parse_request(target, classes=names, multiple=4, interpolation={"mode": "loop"})
        assert len(mixtures(request)) == 64

    def test_with_two_textures_the_way_back_is_not_computed_again(self, pipe, monkeypatch):
        made, stream = [], pipe.stream

        def counted(*args, **options):
            made.append(options["n"])
            return stream(*args, **options)

        monkeypatch.setattr(pipe, "stream", counted)
        shown = pictures(last(pipe, parse(mode="loop", steps=1, size=64)))
        assert sum(made) == 13
        assert np.array_equal(shown[5], shown[19])

    def test_it_grows_from_the_textures_to_the_mixtures(self, pipe):
        seen = []
        for frame in interpolation_frames(pipe, parse(CLASSES, mode="loop", steps=2, size=64), interval=0):
            seen.append(sorted(pictures(frame)) if frame["sheets"] else [])
            assert frame["steps"] == 2 * 36
        assert [len(s) for s in seen] == sorted(len(s) for s in seen)
        assert seen[0] == [0, 12, 24]  # as they condense, before they are done
        assert len(seen[-1]) == 36

    def test_its_files_play_it(self, pipe):
        import av

        frame = last(pipe, parse(mode="loop", steps=2))
        shown = pictures(frame)
        gif = opened(frame["files"]["gif"])
        assert gif.n_frames == 24 and gif.info["loop"] == 0 and gif.size == (128, 128)
        film = io.BytesIO(base64.b64decode(frame["files"]["mp4"].partition(",")[2]))
        with av.open(film) as opened_film:
            stream = opened_film.streams.video[0]
            assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
            decoded = [f.to_ndarray(format="rgb24") for f in opened_film.decode(stream)]
        assert len(decoded) == 24
        for k in (0, 12):
            assert np.abs(decoded[k].mean(axis=(0, 1)) - shown[k].mean(axis=(0, 1))).max() < 6

    def test_a_cancelled_run_makes_no_further_step(self, pipe, monkeypatch):
        made, stream = [], pipe.stream

        def counted(*args, **options):
            for step in stream(*args, **options):
                made.append(step.index)
                yield step

        monkeypatch.setattr(pipe, "stream", counted)
        request = parse(mode="loop", steps=9, size=64)
        shown = list(interpolation_frames(pipe, request, interval=0, is_cancelled=lambda: len(made) >= 12))
        assert len(made) == 12
        assert not any(frame["last"] for frame in shown)


class TestCoarseFine:
    @pytest.mark.parametrize("switch", [0.05, 0.4, 3.0])
    def test_it_is_what_the_library_samples_to_the_bit(self, pipe, switch):
        request = parse(["moss", "slate"], mode="coarse-fine", switch=switch, size=32)
        frame = last(pipe, request)
        weights = coarse_fine({"moss": 1}, {"slate": 1}, switch)
        expected = sampled(pipe, weights, request)
        assert np.array_equal(pictures(frame)[0], expected)
        assert np.array_equal(np.asarray(opened(frame["files"]["png"])), expected)
        assert frame["ends"] == ["moss", "slate"] and frame["switch"] == switch

    def test_at_its_ends_there_is_one_texture_alone(self, pipe):
        stops = switch_stops(pipe.table.sigmas)
        for switch, name in ((stops[0], "moss"), (stops[-1], "slate")):
            request = parse(["moss", "slate"], mode="coarse-fine", switch=switch)
            assert np.array_equal(pictures(last(pipe, request))[0], sampled(pipe, name, request))

    @pytest.mark.usefixtures("exact_previews")
    def test_the_preview_of_the_switch_is_small_and_has_no_files(self, pipe):
        preview = preview_function(Admission(Scheduler(pipe)), multiple=4, make=switch_frame)
        target = [{"name": "moss", "weight": 1}, {"name": "slate", "weight": 1}]
        settings = [9, 128, 3, 50, 1.0, "heun", "noise", False]
        asked = {
            "target": target,
            "settings": settings,
            "interpolation": {"mode": "coarse-fine", "switch": 0.4},
        }
        frame = preview(asked)["frame"]
        assert (frame["size"], frame["steps"], frame["last"]) == (64, 5, True)
        assert "files" not in frame
        weights = coarse_fine({"moss": 1}, {"slate": 1}, 0.4)
        expected = np.asarray(pipe.sample(weights, n=1, seed=3, steps=5, size=64)[0])
        assert np.array_equal(pictures(frame)[0], expected)

    @pytest.mark.parametrize(
        "changes",
        [
            {"interpolation": {"mode": "loop"}},
            {"interpolation": None},
            {"interpolation": {"mode": "coarse-fine", "switch": -1}},
            {"target": [{"name": "moss", "weight": 1}]},
            {"target": None},
        ],
    )
    def test_a_forged_query_gets_a_sentence(self, pipe, changes):
        preview = preview_function(Admission(Scheduler(pipe)), multiple=4, make=switch_frame)
        target = [{"name": "moss", "weight": 1}, {"name": "slate", "weight": 1}]
        asked = {"target": target, "interpolation": {"mode": "coarse-fine"}} | changes
        assert list(preview(asked)) == ["error"]
