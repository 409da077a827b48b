"""What the map says of the target, random mixtures and the ring that wanders, in a real Chromium."""

from __future__ import annotations

import pytest
from browser_help import dot, finished, run_of, weights
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def test_a_surprise_is_a_random_mixture(visit):
    page = visit()
    before, run, seen = weights(page), run_of(page), set()
    for _ in range(4):
        page.get_by_role("button", name="Surprise me").click()
        finished(page, run)
        run = run_of(page)
        seen.add(tuple(sorted(weights(page).items())))
    assert len(seen | {tuple(sorted(before.items()))}) >= 3


def test_a_ring_that_wanders_takes_the_picture_with_it_until_a_touch(visit):
    page = visit()
    run = run_of(page)
    page.evaluate("window.positions = new Set()")
    page.evaluate("document.addEventListener('fgsd:move', e => positions.add(JSON.stringify(e.detail)))")
    wander = page.get_by_role("button", name="Wander")
    wander.click()
    expect(wander).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("positions.size > 5")
    page.wait_for_function("document.querySelector('.picture').dataset.preview === 'true'")
    page.keyboard.press("a")
    expect(wander).to_have_attribute("aria-pressed", "false")
    finished(page, run)
    count = page.evaluate("positions.size")
    wander.click()  # and a click on the button itself ends it
    page.wait_for_function("before => positions.size > before + 5", arg=count)
    run = run_of(page)
    wander.click()
    expect(wander).to_have_attribute("aria-pressed", "false")
    finished(page, run)
    page.wait_for_timeout(300)
    expect(wander).to_have_attribute("aria-pressed", "false")


def test_the_target_is_said_in_words_and_its_distances_on_request(visit, pipe):
    page = visit()
    expect(page.locator(".true-distance")).to_have_attribute("data-distance", "0")
    expect(page.locator(".true-distance")).to_have_text("This is brick.")
    dot(page, "moss").click(modifiers=["Shift"])
    expect(page.locator(".true-distance")).to_contain_text("is the nearest.")
    [(_, distance)] = pipe.table.nearest(pipe.table.mixture({"brick": 0.5, "moss": 0.5}), 1)
    assert distance > 0.05
    title = page.locator(".true-distance").get_attribute("title")
    assert f"is {distance:.2f} away" in title and "On the map it is" in title
