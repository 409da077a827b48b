"""The function by which the page paints."""

from __future__ import annotations

import base64
import io
import itertools
import threading
import time

import numpy as np
import pytest
from PIL import Image

from fgsd.app.limits import MAX_REGIONS
from fgsd.app.render.user_textures import UserTextureStore
from fgsd.app.serving.admission import Admission
from fgsd.app.serving.painting import STEPS, paint_function
from fgsd.app.serving.scheduler import Scheduler

PLAN = np.zeros((32, 32), dtype=np.uint8)
PLAN[:, 12:] = 1
TARGETS = [[{"name": "moss", "weight": 50}], [{"name": "brick", "weight": 1}, {"name": "slate", "weight": 3}]]


def encoded(plan: np.ndarray) -> str:
    return base64.b64encode(plan.tobytes()).decode()


numbers = itertools.count()


def query(**changes) -> dict:
    plan = {"plan": encoded(PLAN), "width": 32, "targets": TARGETS, "feather": 2}
    return plan | {"quality": "preview", "seed": 3, "number": next(numbers), "visitor": "a"} | changes


@pytest.fixture
def paint(pipe):
    scheduler = Scheduler(pipe)
    yield paint_function(Admission(scheduler), UserTextureStore(), multiple=4)
    scheduler.close()


def picture(answer: dict) -> np.ndarray:
    head, _, body = answer["src"].partition(",")
    assert head == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB"))


@pytest.mark.parametrize("quality", list(STEPS))
def test_a_plan_is_painted_to_the_bit_as_by_the_library(paint, pipe, quality):
    found = picture(paint(query(quality=quality, tileable=True)))
    regions = [("moss", PLAN == 0), ({"brick": 0.25, "slate": 0.75}, PLAN == 1)]
    [expected] = pipe.paint(regions, feather=2, seed=3, steps=STEPS[quality], tileable=True)
    assert np.array_equal(found, np.asarray(expected))


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
        ({"quality": "best"}, "quality must be one of preview, full; 'best' came."),
        ({"plan": None}, "The plan must be a byte for each pixel, as base64."),
        ({"plan": "?" * 40}, "The plan must be a byte for each pixel"),
        ({"plan": "A" * 10**6}, "The plan must be a byte for each pixel"),
        ({"plan": ""}, "A plan of 0 pixels has no rows of 32."),
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
    ],
)
def test_forged_queries_are_refused_in_one_sentence(paint, changes, words):
    answer = paint(query(**changes))
    assert words in answer["error"] and "src" not in answer


@pytest.mark.parametrize("forged", [None, [], "paint", {"plan": {}}])
def test_what_is_no_query_is_refused(paint, forged):
    assert "error" in paint(forged)


def test_while_too_many_are_under_way_there_is_no_picture(pipe):
    scheduler = Scheduler(pipe)
    admission = Admission(scheduler, max_requests=1, max_requests_each=1)
    paint = paint_function(admission, UserTextureStore(), multiple=4)
    with admission.admit("another"):
        assert paint(query(quality="full")) == {"busy": True}
    assert "src" in paint(query(quality="full"))
    scheduler.close()


def test_a_newer_query_of_the_same_page_cancels_one_that_is_under_way(pipe):
    scheduler = Scheduler(pipe)
    paint = paint_function(Admission(scheduler), UserTextureStore(), multiple=4)
    begun, go_on, answers = threading.Event(), threading.Event(), []
    evaluate = pipe.network.denoise

    def slow(*args, **options):
        begun.set()
        go_on.wait(10)
        return evaluate(*args, **options)

    pipe.network.denoise = slow
    try:
        first, second, other = query(quality="full"), query(), query(visitor="b")
        threads = [threading.Thread(target=lambda q=q: answers.append((q, paint(q)))) for q in (first, other)]
        for thread in threads:
            thread.start()
        begun.wait(10)
        thread = threading.Thread(target=lambda: answers.append((second, paint(second))))
        threads.append(thread)
        thread.start()
        time.sleep(0.3)  # so that the second query has arrived
        go_on.set()
        for thread in threads:
            thread.join(20)
    finally:
        pipe.network.denoise = evaluate
    found = {q["number"]: answer for q, answer in answers}
    assert (
        found[first["number"]] == {} and "src" in found[second["number"]] and "src" in found[other["number"]]
    )
    assert paint(first) == {}  # it has been overtaken
    scheduler.close()
