"""The pin, dragged and moved by keyboard, in a real Chromium."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from browser_help import (
    DESKTOP,
    dot,
    expected,
    finished,
    live_picture,
    middle,
    pixels,
    run_of,
    same_picture,
    slow_run,
    under_way,
    until_ended,
    weights,
)
from playwright.sync_api import expect

from fgsd.app.serving.preview import STEPS, preview_sigma_max

pytestmark = pytest.mark.browser


def test_dragging_the_pin_changes_the_picture_before_it_is_released(visit, pipe):
    page = visit()
    start, goal = middle(page.locator(".map-panel .ring")), middle(dot(page, "moss"))
    assert start == pytest.approx(middle(dot(page, "brick")), abs=1)  # on the first screen it is on a texture
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + goal[0]) / 2, (start[1] + goal[1]) / 2, steps=5)
    halfway = live_picture(page)
    page.wait_for_timeout(1500)  # whatever came last has been painted
    assert page.locator(".picture canvas").count() == 4  # whole pictures, since they are quick here
    mixed = weights(page)
    assert {"brick", "moss"} <= mixed.keys()
    assert mixed["brick"] == pytest.approx(mixed["moss"], abs=0.05)
    small = np.asarray(
        pipe.sample(mixed, n=1, steps=STEPS, sigma_max=preview_sigma_max(pipe), size=64, seed=0)[0]
    )
    assert same_picture(pixels(page), small)
    page.mouse.move(*goal, steps=5)
    live_picture(page, halfway)
    assert page.locator(".picture").get_attribute("data-done") == "false"
    page.mouse.up()
    finished(page)
    mixed = weights(page)
    assert mixed["moss"] > 0.99
    assert page.locator(".picture canvas").count() == 4
    assert same_picture(pixels(page), expected(pipe, mixed))


def test_previews_tell_the_true_distance_during_a_drag(visit):
    page = visit()
    distance = page.locator(".true-distance")
    expect(distance).to_have_attribute("data-distance", "0")
    called: list[str] = []
    page.on(
        "request",
        lambda sent: (
            called.append(sent.post_data_json["fn_name"]) if "component_server" in sent.url else None
        ),
    )
    (x, y), goal = middle(page.locator(".map-panel .ring")), middle(dot(page, "moss"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move((x + goal[0]) / 2, (y + goal[1]) / 2, steps=4)
    expect(distance).not_to_have_attribute("data-distance", "0")
    assert "preview" in called and "map_true_distance" not in called
    page.mouse.move(*goal, steps=4)
    page.mouse.up()
    expect(distance).to_have_text(re.compile(r"^(This is|Close to) moss\.$"))
    finished(page)
    assert "map_true_distance" in called  # of what was let go, which no preview may have shown


def test_a_new_drag_ends_the_run_under_way(visit, server):
    page = visit()
    slow_run(page)
    begun = len(server.lines())
    page.locator("#sample").click()
    under_way(page)
    x, y = middle(page.locator(".map-panel .ring"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 10, steps=3)
    live_picture(page)
    ran = until_ended(server, begun)
    assert ran.index("end") < 100  # of the run: then come the steps of pictures that follow
    assert f"step 1 of {STEPS}" in ran
    page.mouse.up()
    page.wait_for_function(
        "() => { const { preview, index } = document.querySelector('.picture').dataset;"
        "        return preview === 'false' && Number(index) >= 1; }"
    )
    page.locator("#stop").click()
    expect(page.locator("#stop")).to_be_disabled()


def test_the_pin_goes_where_the_map_is_clicked_and_by_keyboard(visit, pipe):
    page = visit()
    box = page.locator(".map").bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    finished(page, "0")
    assert middle(page.locator(".map-panel .ring")) == pytest.approx(middle(page.locator(".map")), abs=1)
    before, mixed = run_of(page), weights(page)
    page.locator(".map-panel .ring").focus()
    page.keyboard.press("ArrowLeft")
    live_picture(page)
    x, y = middle(page.locator(".map-panel .ring"))
    assert x == pytest.approx(box["x"] + 0.48 * box["width"], abs=1)
    assert y == pytest.approx(box["y"] + 0.5 * box["height"], abs=1)
    page.keyboard.press("Enter")
    finished(page, before)
    assert weights(page) != mixed
    assert same_picture(pixels(page), expected(pipe, weights(page)))


def test_nothing_lies_over_the_map_while_the_page_opens(visit):
    watch = """
    window.over = [];
    new MutationObserver(() => {
      const map = document.querySelector('.map-panel[data-target] .map');
      if (!map) return;
      const { x, y, width, height } = map.getBoundingClientRect();
      const top = document.elementFromPoint(x + width / 2, y + height / 2);
      window.over.push(map.contains(top) ? '' : top?.className ?? 'nothing');
    }).observe(document, { childList: true, subtree: true, attributes: true });
    """
    page = visit(viewport=DESKTOP)  # in a tab of its own
    page.add_init_script(watch)
    page.reload()
    finished(page)
    page.mouse.click(*middle(page.locator(".map")))
    finished(page, "0")
    over = page.evaluate("window.over")
    assert over and not any(over)


def test_a_press_that_is_met_after_its_release_does_not_end_the_run(visit):
    page = visit()
    slow_run(page)
    held, box, before = [], page.locator(".map").bounding_box(), run_of(page)

    def hold_the_first(route):
        held.append(route) if not held else route.continue_()

    page.route("**/run/*", hold_the_first)  # what makes way, past the queue
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    steps = """([run, n]) => {
        const { run: now, preview, index } = document.querySelector('.picture').dataset;
        return now !== run && preview === 'false' && Number(index) >= n;
    }"""
    page.wait_for_function(steps, arg=[before, 2])  # of the run: the picture that follows the press is live
    with page.expect_response("**/run/*"):
        held[0].continue_()
    met = int(page.locator(".picture").get_attribute("data-index"))
    page.wait_for_function(steps, arg=[before, met + 5])
    page.locator("#stop").click()
    expect(page.locator("#stop")).to_be_disabled()


def test_weights_are_continuous_and_a_texture_has_all_of_it_on_its_thumbnail(visit):
    page = visit()
    x, y = middle(page.locator(".map-panel .ring"))
    goal = middle(dot(page, "slate"))
    page.mouse.move(x, y)
    page.mouse.down()
    seen = []
    for k in range(51):
        page.mouse.move(x + (goal[0] - x) * k / 50, y + (goal[1] - y) * k / 50)
        seen.append(weights(page))
    page.mouse.up()
    assert seen[0]["brick"] > 0.99 and seen[-1]["slate"] > 0.99
    for one, following in pairwise(seen):
        assert sum(one.values()) == pytest.approx(1)
        names = one.keys() | following.keys()
        assert max(abs(one.get(n, 0) - following.get(n, 0)) for n in names) < 0.08
