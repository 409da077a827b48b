"""What the map says of the target, random mixtures and the ring that wanders, in a real Chromium."""

from __future__ import annotations

import numpy as np
import pytest
from browser_help import dot, finished, middle, on_screen, run_of, weights
from film_help import film_frames, in_few_pixels
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


def drag_to(page, name: str) -> None:
    """Drag the ring to a texture, slowly enough for some previews, and let go."""
    run = run_of(page)
    (x, y), (to_x, to_y) = middle(page.locator(".map-panel .ring")), middle(dot(page, name))
    page.mouse.move(x, y)
    page.mouse.down()
    for share in (0.3, 0.6, 1):
        page.mouse.move(x + share * (to_x - x), y + share * (to_y - y))
        page.wait_for_function("document.querySelector('.picture').dataset.preview === 'true'")
        page.wait_for_timeout(200)
    page.mouse.up()
    finished(page, run)


def test_a_drag_is_saved_as_a_video_that_ends_with_the_picture(visit, tmp_path):
    page = visit()
    save = page.get_by_role("button", name="Save", exact=True)
    save.click()
    film = page.locator("[data-save=film]")
    expect(film).to_be_hidden()  # there was no drag yet
    page.keyboard.press("Escape")
    drag_to(page, "moss")
    save.click()
    frames, seconds = film_frames(page, tmp_path, film.click)
    # the four pictures of the page, as far as a video keeps such noise
    first = frames[-1][:256, :256]
    likeness = [
        np.corrcoef(in_few_pixels(first).ravel(), in_few_pixels(on_screen(page, k)).ravel())[0, 1]
        for k in (0, 1)
    ]
    assert likeness[0] > 0.9 and abs(likeness[1]) < 0.3
    assert 1.5 < seconds < 12


def test_full_screen_shows_the_picture_alone_and_the_ring_wanders_on(visit):
    page = visit()
    stage, button = page.locator(".picture .stage"), page.locator(".picture .full-screen")
    wander = page.get_by_role("button", name="Wander")
    small = on_screen(page).shape[0]
    wander.click()
    stage.hover()
    button.click()
    page.wait_for_function("document.fullscreenElement === document.querySelector('.picture .stage')")
    expect(wander).to_have_attribute("aria-pressed", "true")
    page.wait_for_function(
        "side => document.querySelector('.picture canvas').width > side && document.querySelector('.picture')"
        ".dataset.preview === 'true'",
        arg=small,
    )
    run = run_of(page)
    page.keyboard.press("a")  # any other key takes over
    expect(wander).to_have_attribute("aria-pressed", "false")
    finished(page, run)
    button.click()
    page.wait_for_function("document.fullscreenElement === null")
    page.wait_for_function("side => document.querySelector('.picture canvas').width === side", arg=small)
