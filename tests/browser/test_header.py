"""Favourites, undo and redo, in a real Chromium."""

from __future__ import annotations

import numpy as np
import pytest
from browser_help import (
    BLOCKED_STORAGE,
    choose_size,
    chosen,
    dot,
    expected,
    pixels,
    same_picture,
    set_steps,
    shows,
)
from playwright.sync_api import Route, expect

pytestmark = pytest.mark.browser


def test_favourites_are_kept_in_the_browser(visit, pipe):
    page = visit()
    star, toggle = page.locator(".toolbar .star"), page.locator(".toolbar .favourites-toggle")
    expect(toggle).to_be_hidden()
    star.click()  # the first screen, whose address is bare
    dot(page, "moss").click()
    shows(page, "mix=moss:1.0")
    expect(star).to_have_attribute("aria-pressed", "false")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    expect(toggle).to_have_text("2")
    page.reload()
    shows(page, "mix=moss:1.0")
    expect(star).to_have_attribute("aria-pressed", "true")
    toggle.click()
    page.get_by_role("button", name="Open 4 samples of brick").click()
    shows(page, "mix=brick:1.0")
    assert chosen(page) == ["brick"]
    assert same_picture(pixels(page), expected(pipe, "brick"))
    page.locator(".toolbar .undo").click()
    shows(page, "mix=moss:1.0")
    toggle.click()
    page.get_by_role("button", name="Remove 4 samples of brick from the favourites").click()
    expect(toggle).to_have_text("1")
    expect(star).to_have_attribute("aria-pressed", "true")
    star.click()
    expect(toggle).to_be_hidden()
    assert page.evaluate("localStorage.getItem('fgsd:favourites')") == "[]"


@pytest.mark.parametrize(
    "stored",
    [pytest.param("{", marks=pytest.mark.slow), '[[], null, 3, {"link": "javascript:x", "src": 1}]'],
)
def test_favourites_survive_malformed_content(visit, server, stored):
    item = {"name": "fgsd:favourites", "value": stored}
    origin = {"origin": server.url.rstrip("/"), "localStorage": [item]}
    page = visit(storage_state={"cookies": [], "origins": [origin]})
    assert page.evaluate("localStorage.getItem('fgsd:favourites')") == stored
    expect(page.locator(".toolbar .favourites-toggle")).to_be_hidden()
    page.locator(".toolbar .star").click()
    expect(page.locator(".toolbar .favourites-toggle")).to_have_text("1")


def test_every_change_is_sampled_and_can_be_undone_and_done_again(visit, pipe):
    page = visit()
    undo, redo = page.locator(".toolbar .undo"), page.locator(".toolbar .redo")
    expect(undo).to_be_disabled()
    expect(redo).to_be_disabled()
    page.get_by_role("button", name="More").click()
    page.locator("#count label").first.click()
    shows(page, "images=1")
    choose_size(page, 96)
    shows(page, "size=96")
    set_steps(page, 8)
    shows(page, "steps=8")
    page.locator("#strength input[type=range]").focus()
    page.keyboard.press("ArrowLeft")
    shows(page, "strength=0.95")
    page.locator("#sampler input").click()
    page.get_by_role("option", name="Heun").click()
    shows(page, "sampler=heun")
    page.locator("#tileable input").click()
    shows(page, "tile=1")
    page.locator("#seed input").fill("9")
    page.locator("#seed input").press("Tab")
    shows(page, "seed=9")
    image = pipe.sample("brick", n=1, steps=8, size=96, seed=9, strength=0.95, sampler="heun", tileable=True)[
        0
    ]
    assert same_picture(pixels(page), np.asarray(image))
    for parts in (["tile=1", "seed=0"], ["sampler=heun"], ["sampler=dpm2m"], ["strength=1.0"], ["steps=16"]):
        undo.click()
        shows(page, *parts)
    assert page.locator("#size input").input_value() == "96 px"
    redo.click()
    shows(page, "steps=8", "strength=1.0")
    page.locator("body").click(position={"x": 2, "y": 2})
    page.keyboard.press("Control+z")
    shows(page, "steps=16")
    page.keyboard.press("Control+z")
    shows(page, "size=64", "images=1")
    page.keyboard.press("Control+z")
    shows(page, "size=64", "images=4")
    expect(undo).to_be_disabled()
    assert same_picture(pixels(page), expected(pipe, "brick"))
    page.keyboard.press("Control+Shift+z")
    shows(page, "images=1")
    expect(redo).to_be_enabled()


@pytest.mark.slow
def test_a_dialog_tells_how_it_works_and_which_keys_there_are(visit, pipe):
    page = visit()
    dialog = page.locator(".help-dialog")
    page.get_by_role("button", name="How it works, and keys").click()
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text(f"{pipe.table.dimension} numbers")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("?")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    search = page.get_by_label("Find a texture")
    search.focus()
    page.keyboard.press("?")  # in a text field it is a character
    expect(search).to_have_value("?")
    expect(dialog).to_be_hidden()


def test_undo_pressed_twice_at_once_goes_two_steps(visit, pipe):
    page = visit()
    for name in ("moss", "slate"):
        dot(page, name).click()
        shows(page, f"mix={name}:1.0")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    shows(page, "mix=brick:1.0")
    page.wait_for_timeout(1000)  # whatever else comes has come
    shows(page, "mix=brick:1.0")
    assert chosen(page) == ["brick"]
    expect(page.locator(".toolbar .undo")).to_be_disabled()
    expect(page.locator(".toolbar .redo")).to_be_enabled()
    assert same_picture(pixels(page), expected(pipe, "brick"))


def test_undo_goes_two_steps_if_its_requests_arrive_in_the_other_order(visit, pipe):
    page, held = visit(), []
    for name in ("moss", "slate"):
        dot(page, name).click()
        shows(page, f"mix={name}:1.0")

    def hold_first_step_back(route: Route) -> None:
        if "mix=moss" in (route.request.post_data or "") and not held:
            held.append(route)
        else:
            route.continue_()

    page.route("**/queue/join*", hold_first_step_back)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    shows(page, "mix=brick:1.0")
    held[0].continue_()
    page.wait_for_timeout(1000)
    shows(page, "mix=brick:1.0")
    assert chosen(page) == ["brick"]


def test_in_a_text_field_ctrl_z_is_the_fields_own(visit):
    page = visit()
    dot(page, "moss").click()
    shows(page, "mix=moss:1.0")
    page.locator("#seed input").click()
    page.keyboard.press("Control+z")
    page.wait_for_timeout(500)
    assert chosen(page) == ["moss"]


def test_the_page_works_where_storage_is_blocked(visit, pipe):
    """Neither the page nor Gradio says anything on the console, which `visit` checks."""
    page = visit(script=BLOCKED_STORAGE)
    dot(page, "moss").click()
    shows(page, "mix=moss:1.0")
    assert same_picture(pixels(page), expected(pipe, "moss"))
    page.locator(".toolbar .star").click()
    expect(page.locator(".toolbar .status")).to_have_text("This browser keeps no favourites.")
    expect(page.locator(".toolbar .favourites-toggle")).to_be_hidden()
    page.reload()
    shows(page, "mix=moss:1.0")
    page.complaints.clear()  # of Gradio's, about requests that the reload has cut off
