"""The function by which the page paints."""

from __future__ import annotations

import base64
import io
import itertools
import re
import time
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fgsd.app.limits import MAX_PAINT_PIXELS, MAX_REGIONS
from fgsd.app.render.user_textures import UserTextureStore
from fgsd.app.requests.request import RequestError
from fgsd.app.serving.admission import Admission
from fgsd.app.serving.painting import (
    PREVIEW_STEPS,
    STEPS,
    Painter,
    measure_evaluation,
    painting_lines,
    textures_of_colours_function,
)
from fgsd.app.serving.preview import preview_sigma_max
from fgsd.app.serving.scheduler import Scheduler
from fgsd.pipeline import Pipeline
from fgsd.student import Student

PLAN = np.zeros((32, 32), dtype=np.uint8)
PLAN[:, 12:] = 1
TARGETS = [[{"name": "moss", "weight": 50}], [{"name": "brick", "weight": 1}, {"name": "slate", "weight": 3}]]


def encoded(plan: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(plan.tobytes())).decode()


numbers = itertools.count()


def query(**changes) -> dict:
    plan = {"plan": encoded(PLAN), "width": 32, "targets": TARGETS, "feather": 2}
    return plan | {"seed": 3, "number": next(numbers), "visitor": "a"} | changes


MOVED = [{"name": "moss", "weight": 1, "move": [0.25, -0.5]}]
SLOW = 1.0  # seconds of an evaluation for each pixel: no size is offered but those that always are
VISITOR = SimpleNamespace(session_hash="a", headers={}, client=None)


@pytest.fixture
def painter(pipe):
    scheduler = Scheduler(pipe)
    yield Painter(Admission(scheduler), UserTextureStore(), SLOW)
    scheduler.close()


@pytest.fixture
def paint(painter):
    return painter.preview_function()


def frames_of(values) -> dict[str, dict]:
    """All frames of a run, by index."""
    return {index: frame for value in values for index, frame in value["frames"].items()}


def picture(answer: dict) -> np.ndarray:
    head, _, body = answer["src"].partition(",")
    assert head == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB"))


def expected_picture(pipe, steps: int, **options) -> np.ndarray:
    regions = [("moss", PLAN == 0), ({"brick": 0.25, "slate": 0.75}, PLAN == 1)]
    [image] = pipe.paint(regions, feather=2, seed=3, steps=steps, tileable=True, **options)
    return np.asarray(image)


@pytest.mark.usefixtures("exact_previews")
def test_a_plan_is_painted_to_the_bit_as_by_the_library(paint, pipe):
    expected = expected_picture(pipe, PREVIEW_STEPS, sigma_max=preview_sigma_max(pipe))
    assert np.array_equal(picture(paint(query(tileable=True))), expected)


def test_the_student_of_a_checkpoint_paints_what_follows_the_hand(pipe, lively):
    student = Student(lively(pipe.network.config, seed=5).eval(), (4.0, 1.2))
    ours = Pipeline(pipe.network, pipe.table, pipe.info, "cpu", student=student)
    scheduler = Scheduler(ours)
    paint = Painter(Admission(scheduler), UserTextureStore(), SLOW).preview_function()
    found = picture(paint(query(tileable=True))).astype(int)
    off = [np.abs(found - expected_picture(ours, 2, sampler=name)).mean() for name in ("distilled", "dpm2m")]
    assert off[0] < 1 < off[1]  # previews may be evaluated in bfloat16
    scheduler.close()


def test_all_steps_are_sent_as_frames(painter, pipe):
    asked = query(tileable=True)
    values = list(painter.steps(asked, VISITOR))
    assert {value["number"] for value in values} == {asked["number"]}
    found = frames_of(values)
    assert list(found) == [str(k + 1) for k in range(STEPS)]
    last = found[str(STEPS)]
    assert last["last"] and np.array_equal(picture(last), expected_picture(pipe, STEPS))
    assert last["label"] == "a painting with 2 textures" and last["name"] == "painting-seed-3"
    assert last["size"] == (32, 32) and last["path"] is None and last["query"] == ""
    assert all(np.isfinite(frame["distance"]) for frame in found.values())
    assert np.abs(picture(found["1"]).astype(int) - picture(last)).mean() > 10


def test_targets_without_pixels_are_left_out(paint):
    assert np.array_equal(
        picture(paint(query(plan=encoded(0 * PLAN)))),
        picture(paint(query(plan=encoded(0 * PLAN), targets=TARGETS[:1]))),
    )


def test_a_moved_texture_is_painted_as_it_was_moved(paint):
    moved = [[{"name": "moss", "weight": 50, "move": [0.3, 0.0]}], TARGETS[1]]
    assert not np.array_equal(picture(paint(query(targets=moved))), picture(paint(query())))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"plan": None}, "The plan must be a byte for each of at most 131,072 pixels, deflated, as base64."),
        ({"plan": "?" * 40}, "The plan must be a byte for each"),
        ({"plan": "A" * 10**6}, "The plan must be a byte for each"),
        ({"plan": ""}, "The plan must be a byte for each"),
        ({"plan": base64.b64encode(PLAN.tobytes()).decode()}, "The plan must be a byte for each"),
        ({"plan": encoded(PLAN)[:12]}, "The plan must be a byte for each"),
        ({"plan": encoded(np.zeros(10**7, dtype=np.uint8))}, "The plan must be a byte for each"),
        ({"plan": encoded(PLAN[:0])}, "A plan of 0 pixels has no rows of 32."),
        ({"width": 20}, "A plan of 1024 pixels has no rows of 20."),
        ({"width": 2}, "The width must be a whole number from 4"),
        ({"width": "32"}, "The width must be a whole number"),
        ({"plan": encoded(PLAN[:30])}, "must be multiples of 4 pixels; 30 x 32 pixels came"),
        ({"targets": []}, f"Paint with 1 to {MAX_REGIONS} textures"),
        ({"targets": [TARGETS[0]] * (MAX_REGIONS + 1)}, f"Paint with 1 to {MAX_REGIONS} textures"),
        ({"targets": TARGETS[:1]}, "The plan names texture 2, but 1 came."),
        ({"targets": [TARGETS[0], [{"name": "mos", "weight": 1}]]}, "There is no texture named 'mos'."),
        ({"feather": "soft"}, "feather must be a number from 0 to 256"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"tileable": 1}, "tileable must be False or True; 1 came."),
        ({"number": None}, "number must be a whole number from 0"),
        ({"view": "all"}, "view must be noise or estimate or both"),
    ],
)
def test_forged_queries_are_refused_in_one_sentence(painter, paint, changes, words):
    answer = paint(query(**changes))
    assert words in answer["error"] and "src" not in answer
    with pytest.raises(RequestError, match=re.escape(words)):
        next(painter.steps(query(**changes), VISITOR))


@pytest.mark.parametrize("forged", [None, [], "paint", {"plan": {}}])
def test_what_is_no_query_is_refused(paint, forged):
    assert "error" in paint(forged)


def test_while_too_many_are_under_way_there_is_no_picture(pipe):
    scheduler = Scheduler(pipe)
    admission = Admission(scheduler, max_requests=1, max_requests_each=1)
    painter = Painter(admission, UserTextureStore(), SLOW)
    with admission.admit("another"), admission.admit("a third", preview=True):
        assert painter.preview_function()(query()) == {"busy": True}
        asked = query()
        assert list(painter.steps(asked, VISITOR)) == [{"number": asked["number"], "busy": True}]
    assert "src" in painter.preview_function()(query())
    scheduler.close()


def test_a_newer_query_of_the_same_page_cancels_one_that_is_under_way(painter, paint, pipe):
    first, second, other = query(), query(), query(visitor="b")
    steps = painter.steps(first, VISITOR)
    assert "frames" in next(steps)
    assert "src" in paint(other)  # of another page
    assert "frames" in next(steps)
    assert "src" in paint(second)
    assert not any("frames" in value and value["frames"].get(str(STEPS)) for value in steps)
    assert paint(first) == {}  # it has been overtaken
    assert list(painter.steps(first, VISITOR)) == []


class TestSizes:
    @pytest.mark.parametrize(
        ("seconds", "sides"),
        [
            (SLOW, [128, 192, 256]),
            (0.5 / 512**2, [128, 192, 256, 384, 512]),
            (1e-9, [128, 192, 256, 384, 512, 768, 1024, 1536, 2048]),
        ],
    )
    def test_larger_pictures_are_offered_if_an_evaluation_takes_half_a_second(self, pipe, seconds, sides):
        scheduler = Scheduler(pipe)
        painter = Painter(Admission(scheduler), UserTextureStore(), seconds)
        assert painter.sides() == sides
        plan = np.zeros((sides[-1], sides[-1]), dtype=np.uint8)
        assert painter.request(query(plan=encoded(plan), width=sides[-1]), "a").size == plan.shape
        larger = np.zeros((sides[-1] + 128, sides[-1]), dtype=np.uint8)
        if larger.size > MAX_PAINT_PIXELS:
            with pytest.raises(RequestError, match="The plan must be a byte for each of at most"):
                painter.request(query(plan=encoded(larger), width=sides[-1]), "a")
        scheduler.close()

    @pytest.mark.parametrize("preview", [False, True])
    def test_an_evaluation_is_timed_after_the_first(self, pipe, monkeypatch, preview):
        denoise, calls = pipe.network.denoise, []

        def slow(x, *args, **options):
            calls.append(x.shape[-1])
            time.sleep(0.3 if len(calls) == 1 else 0.05)
            return denoise(x[..., :16, :16], *args, **options)

        monkeypatch.setattr(pipe.engines, "quick" if preview else "exact", slow)
        assert 0.05 < measure_evaluation(pipe, preview=preview) * calls[0] ** 2 < 0.3
        assert calls == [128] * 3


class TestTexturesOfColours:
    @pytest.fixture
    def textures(self, pipe):
        return textures_of_colours_function(pipe)

    def test_each_colour_has_the_class_of_the_nearest_mean_colour(self, pipe, textures):
        names = ["slate", "brick", "moss"]
        colours = []
        for name in names:
            channels = ((pipe.table.of(name).colour + 1) * 127.5).round().int().tolist()
            colours.append("#" + "".join(f"{value:02x}" for value in channels))
        assert textures(colours) == {"names": names}
        assert textures([colours[1]] * 2)["names"][0] == "brick"
        assert len(set(textures([colours[1]] * 3)["names"])) == 3  # no class comes twice

    @pytest.mark.parametrize(
        ("colours", "words"),
        [
            (None, "Give 1 to 8 colours; nothing came."),
            ([], "Give 1 to 8 colours"),
            (["#000000"] * 9, "Give 1 to 8 colours"),
            (["black"], "A colour is # and six hexadecimal digits; 'black' came."),
            ([7], "A colour is # and six hexadecimal digits; 7 came."),
        ],
    )
    def test_other_values_are_refused(self, textures, colours, words):
        assert words in textures(colours)["error"]


def test_lines_of_python_paint_the_same_pixels(pipe, painter, checkpoint_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    colours = ["#0072b2", "#e69f00", "#009e73"]
    asked = query(colours=colours, tileable=True)
    palette = [tuple(bytes.fromhex(colour[1:])) for colour in colours]
    Image.fromarray(np.array(palette, dtype=np.uint8)[PLAN]).save("plan.png")
    names: dict = {}
    exec(painting_lines(pipe, asked, str(checkpoint_folder)), names)
    request = painter.request(asked, "a")
    regions = list(zip(request.targets, request.masks, strict=True))
    [image] = pipe.paint(regions, **request.options())
    assert np.array_equal(np.asarray(names["images"][0]), np.asarray(image))
    assert "pipe.map.moved(" in painting_lines(pipe, query(targets=[MOVED, MOVED], colours=colours), "mine")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colours": ["#0072b2"]}, "The plan has 2 colours; 1 came."),
        ({}, "The plan has 2 colours; 0 came."),
        ({"colours": ["#0072b2", "red'"]}, 'six hexadecimal digits; "red\'" came'),
        ({"targets": [[{"name": "my photo", "weight": 1}]]}, "and not my photo"),
        ({"targets": 3}, "Paint with 1 to"),
        ({"plan": None}, "The plan must be"),
    ],
)
def test_lines_of_forged_queries_are_refused(pipe, changes, words):
    with pytest.raises(RequestError, match=re.escape(words)):
        painting_lines(pipe, query(**changes), "mine")
