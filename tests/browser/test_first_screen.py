"""The page as a visitor meets it, in a real Chromium: the first screen, its look, its names."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from browser_help import (
    DESKTOP,
    PHONE,
    TIMEOUT_MS,
    chosen,
    dot,
    expected,
    finished,
    on_screen,
    overflow,
    pixels,
    run_of,
    same_picture,
)
from PIL import Image

pytestmark = pytest.mark.browser


def test_the_first_screen_shows_a_finished_sample_unasked_on_one_screen(visit, pipe):
    page = visit()
    assert run_of(page) == "0"
    assert same_picture(pixels(page), expected(pipe, "brick"))
    assert same_picture(pixels(page, 3), expected(pipe, "brick", seed=3))
    assert overflow(page) == (0, 0)
    for part in (".map", ".samples", "#sample", "#stop", "#seed", "#more"):
        box = page.locator(part).bounding_box()
        assert box["x"] >= 0 and box["y"] >= 0
        assert box["x"] + box["width"] <= 1280 and box["y"] + box["height"] <= 800
    map_box, picture = page.locator(".map").bounding_box(), page.locator(".samples").bounding_box()
    assert map_box["x"] + map_box["width"] <= picture["x"]  # map left, picture right


def test_the_first_sample_takes_under_two_seconds(browser, server):
    """Counted in time that the page's thread computes, so that other work on the machine does not count."""
    page = browser.new_page(viewport=DESKTOP)
    try:
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(server.url, wait_until="commit")
        page.wait_for_selector('.picture[data-done="true"]', timeout=TIMEOUT_MS)
        metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        assert 0 < metrics["TaskDuration"] < 2
    finally:
        page.close()


@pytest.mark.slow
def test_images_are_enlarged_as_a_lanczos_filter_does(visit):
    page = visit()
    for k in (0, 3):
        shown, small = on_screen(page, k), Image.fromarray(pixels(page, k))
        assert shown.shape[0] > 3 * small.height
        filtered = np.asarray(small.resize(shown.shape[:2], Image.Resampling.LANCZOS))
        assert np.abs(shown.astype(int) - filtered).mean() < 2  # of 255; edges are met in another way


def test_nothing_is_asked_of_other_servers(visit, server):
    page = visit()
    page.locator("#sample").click()
    finished(page, "0")
    foreign = [u for u in page.asked if not u.startswith((server.url, "data:", "blob:"))]
    assert page.asked and not foreign


def test_by_keyboard_with_a_visible_focus(visit):
    page = visit()
    dot(page, "moss").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")  # focus that a keyboard brought shows a ring
    assert page.evaluate("document.activeElement.dataset.name") == "moss"
    assert page.evaluate("getComputedStyle(document.activeElement.firstElementChild).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    finished(page, "0")
    assert chosen(page) == ["moss"]
    page.locator("#sample").focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_every_control_has_a_name(visit):
    page = visit()
    page.get_by_role("button", name="More").click()
    page.locator("#strength").wait_for()
    nameless = page.evaluate("""() => [...document.querySelectorAll('button, input, select, textarea')]
        .filter(e => e.checkVisibility())
        .filter(e => !(e.ariaLabel || e.title || e.textContent.trim() || e.labels?.length
                       || e.getAttribute('aria-labelledby')))
        .map(e => e.outerHTML.slice(0, 120))""")
    assert nameless == []


def test_grid_and_map(visit):
    page = visit()
    page.get_by_role("button", name="Grid").click()
    page.wait_for_timeout(700)
    boxes = [dot(page, name).bounding_box() for name in ("brick", "moss", "slate")]
    assert boxes[0]["y"] == pytest.approx(boxes[1]["y"], abs=1)  # in rows, by name
    assert boxes[0]["x"] < boxes[1]["x"]
    assert dot(page, "moss").locator("b").is_visible()
    page.get_by_role("button", name="Map", exact=True).click()
    page.wait_for_timeout(700)
    box, box_map = dot(page, "moss").bounding_box(), page.locator(".map").bounding_box()
    share = (box["x"] + box["width"] / 2 - box_map["x"]) / box_map["width"]
    assert share == pytest.approx(float(dot(page, "moss").get_attribute("data-x")), abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(visit, scheme):
    page = visit(color_scheme=scheme)

    def brightness() -> float:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return float(np.mean([int(c) for c in re.findall(r"\d+", colour)[:3]]))

    before = brightness()
    assert before > 200 if scheme == "light" else before < 60
    page.get_by_role("button", name="Switch between dark and light").click()
    assert abs(brightness() - before) > 150


def test_a_phone_gets_one_column(visit):
    page = visit(viewport=PHONE, has_touch=True, is_mobile=True)
    assert overflow(page)[0] == 0
    tops = [page.locator(part).bounding_box() for part in (".samples", ".map", "#controls")]
    for upper, lower in pairwise(tops):
        assert upper["y"] + upper["height"] <= lower["y"]
    assert all(box["width"] > 340 for box in tops)
    assert page.locator(".map-panel").get_attribute("data-view") == "grid"
    page.get_by_role("button", name="Mix").tap()
    dot(page, "slate").tap()
    finished(page, "0")
    assert sorted(chosen(page)) == ["brick", "slate"]
    assert overflow(page)[0] == 0
