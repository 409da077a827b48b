"""The hints of the first visit, in a real Chromium."""

from __future__ import annotations

import pytest
from browser_help import BLOCKED_STORAGE, PHONE, finished, middle, run_of
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def hint(page: Page):
    return page.get_by_role("complementary", name="First steps")


def opened_again(page: Page) -> None:
    page.reload()
    finished(page)
    page.wait_for_timeout(2000)


def test_three_hints_by_keyboard_which_never_come_back(visit):
    page = visit(tour=True)
    expect(hint(page)).to_contain_text("Drag the ring")
    focused = page.evaluate("document.activeElement === document.body")
    assert focused  # what the visitor does is not interrupted
    button = hint(page).get_by_role("button", name="Next")
    button.focus()
    seen = [hint(page).inner_text()]
    for name in ("Next", "Done"):
        page.keyboard.press("Enter")
        expect(hint(page).locator(".next")).to_have_text(name)
        assert page.evaluate("document.activeElement.className") == "next"
        seen.append(hint(page).inner_text())
    assert len(set(seen)) == 3 and ["1 of 3" in seen[0], "3 of 3" in seen[2]] == [True, True]
    page.keyboard.press("Enter")
    expect(hint(page)).to_be_hidden()
    assert page.locator(".tour-anchor").count() == 0
    opened_again(page)
    expect(hint(page)).to_be_hidden()


def test_the_hints_wait_while_the_visitor_paints(visit):
    page = visit(tour=True)
    page.locator("#paint-button").click()  # before the first hint comes
    page.wait_for_timeout(2500)
    expect(hint(page)).to_be_hidden()
    page.locator(".done:visible").click()
    expect(hint(page)).to_contain_text("1 of 3")


def test_a_drag_takes_the_first_hint_and_escape_all(visit):
    page = visit(tour=True)
    expect(hint(page)).to_contain_text("1 of 3")
    ring, card = page.locator(".map-panel .ring").bounding_box(), hint(page).bounding_box()
    assert card["y"] >= ring["y"] + ring["height"] or card["y"] + card["height"] <= ring["y"]
    x, y = middle(page.locator(".map-panel .ring"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 10, steps=3)
    expect(hint(page)).to_be_hidden()
    run = run_of(page)
    page.mouse.up()
    finished(page, run)
    expect(hint(page)).to_contain_text("2 of 3")
    page.keyboard.press("Escape")
    expect(hint(page)).to_be_hidden()
    opened_again(page)
    expect(hint(page)).to_be_hidden()


def test_on_a_phone_each_hint_is_on_the_screen_with_what_it_is_about(visit):
    page = visit(tour=True, viewport=PHONE, has_touch=True, is_mobile=True)
    for _ in range(3):
        expect(hint(page)).to_be_visible()
        for part in (hint(page), page.locator(".tour-anchor")):
            expect(part).to_be_in_viewport()
        box = hint(page).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
        assert box["y"] >= 0 and box["y"] + box["height"] <= PHONE["height"]
        hint(page).locator(".next").tap()
    expect(hint(page)).to_be_hidden()


def test_it_is_on_the_screen_where_the_map_is_in_3d(visit):
    page = visit("?space=depth", tour=True)
    expect(page.locator(".map-panel .map")).to_be_hidden()
    expect(hint(page)).to_be_visible()
    box, size = hint(page).bounding_box(), page.viewport_size
    assert 0 <= box["x"] <= size["width"] - box["width"]
    assert 0 <= box["y"] <= size["height"] - box["height"]


def test_without_storage_there_are_no_hints(visit):
    page = visit(tour=True, script=BLOCKED_STORAGE)
    page.wait_for_timeout(2000)
    expect(hint(page)).to_be_hidden()
