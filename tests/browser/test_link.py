"""Links, saved pictures, Back and Forward, in a real Chromium."""

from __future__ import annotations

import numpy as np
import pytest
from browser_help import (
    chosen,
    dot,
    expected,
    finished,
    middle,
    pixels,
    run_of,
    same_picture,
    shows,
)
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_link_opened_elsewhere_gives_the_same_pixels(visit, server):
    page = visit()
    assert page.url.rstrip("/") == server.url.rstrip("/")
    page.locator("#seed input").fill("7")
    page.locator("#count label").first.click()
    dot(page, "moss").click(modifiers=["Shift"])
    shows(page, "mix=brick:0.5,moss:0.5", "seed=7", "images=1")
    other = visit(path=page.url.removeprefix(server.url).lstrip("/"))
    finished(other, "0")
    assert chosen(other) == ["brick", "moss"]
    assert other.locator("#seed input").input_value() == "7"
    assert other.locator(".picture canvas").count() == 1
    assert np.array_equal(pixels(other), pixels(page))
    assert other.url == page.url


def test_a_page_loaded_again_shows_the_same_picture(visit):
    page = visit()
    page.locator("#seed input").fill("5")
    dot(page, "slate").click()
    shows(page, "mix=slate:1.0", "seed=5")
    before, address = pixels(page), page.url
    page.reload(wait_until="commit")
    shows(page, "mix=slate:1.0", "seed=5")
    assert np.array_equal(pixels(page), before)
    assert page.url == address and chosen(page) == ["slate"]
    page.complaints.clear()  # of Gradio's, about requests that the reload has cut off


def test_the_picture_and_the_link_are_taken_home(visit, pipe, tmp_path):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    dot(page, "moss").click()
    finished(page, "0")
    page.get_by_role("button", name="Save").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="PNG the picture").click()
    assert download.value.suggested_filename == "moss-seed-0.png"
    download.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as saved:
        assert saved.format == "PNG" and saved.size == (128, 128)
        assert np.array_equal(np.asarray(saved.convert("RGB"))[:64, :64], pixels(page))
    page.get_by_role("button", name="Save").click()
    page.get_by_role("menuitem", name="Link").click()
    expect(page.locator(".save .status")).to_have_text("Link copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_back_and_forward_undo_and_redo(visit, pipe):
    page = visit()
    for name in ("moss", "slate"):
        before = run_of(page)
        dot(page, name).click()
        finished(page, before)
    for way, name in ((page.go_back, "moss"), (page.go_forward, "slate"), (page.go_back, "moss")):
        before = run_of(page)
        way()
        finished(page, before)
        assert chosen(page) == [name]
        assert same_picture(pixels(page), expected(pipe, name))
    before = run_of(page)
    page.mouse.click(*middle(page.locator(".map")))
    finished(page, before)
    assert middle(page.locator(".map-panel .ring")) == pytest.approx(middle(page.locator(".map")), abs=1)
    before = run_of(page)
    page.go_back()
    finished(page, before)
    assert middle(page.locator(".map-panel .ring")) == pytest.approx(middle(dot(page, "moss")), abs=1)
    before = run_of(page)
    page.go_back()  # to the first screen
    finished(page, before)
    assert chosen(page) == ["brick"]
    assert same_picture(pixels(page), expected(pipe, "brick"))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("mix=gold:1", "There is no texture named 'gold'"),
        ("mix=moss:1&size=72", "Size must be one of 64"),
        ("mix=moss:nan", "The weight of moss"),
    ],
)
def test_a_broken_link_is_named_and_the_page_stays_usable(visit, query, words):
    page = visit(path=f"?{query}")
    expect(page.locator(".message")).to_contain_text("This link cannot be opened. " + words)
    dot(page, "moss").click()
    finished(page, "0")
    expect(page.locator(".message")).to_be_hidden()
