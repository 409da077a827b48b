"""The report inside the page, in a real Chromium: opened and closed by hand and by keyboard."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from html import escape

import pytest
from app_server import AppServer
from browser_help import DESKTOP, PHONE, chosen, dot, overflow, shows
from evidence_help import QUESTION, copies, reported
from playwright.sync_api import Page, expect

from fgsd.evidence.files import write_report

pytestmark = [pytest.mark.browser, pytest.mark.integration]


@pytest.fixture(scope="module")
def server(checkpoint_folder, texture_folder, tmp_path_factory):
    """The page with a report; other files lie beside it."""
    folder = tmp_path_factory.mktemp("evidence")
    networks = copies(checkpoint_folder, tmp_path_factory.mktemp("networks"))
    write_report(reported(networks, folder), folder)
    journal = tmp_path_factory.mktemp("journal") / "steps.txt"
    server = AppServer(checkpoint_folder, texture_folder, journal, folder / "report.html")
    yield server
    server.close()


def opened(page: Page):
    """Press the button, and wait for the report: (dialog, frame)."""
    page.get_by_role("button", name="Evidence", exact=True).click()
    dialog, frame = page.locator(".evidence dialog"), page.frame_locator(".evidence iframe")
    expect(frame.get_by_role("heading", level=1)).to_be_visible()
    return dialog, frame


def status(address: str) -> int:
    try:
        with urllib.request.urlopen(address) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_report_opens_over_the_page_and_closes_again(visit, viewport):
    page = visit(viewport=viewport)
    button = page.get_by_role("button", name="Evidence", exact=True)
    box = button.bounding_box()
    assert box["y"] < 60 and box["x"] >= 0 and box["x"] + box["width"] <= viewport["width"]
    assert overflow(page)[0] == 0
    dialog, frame = opened(page)
    expect(frame.get_by_text(QUESTION)).to_be_visible()
    # nothing of the report is wider than its window: tables scroll by themselves
    width = frame.locator("html").evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert width[0] == width[1] > 0.8 * min(viewport["width"], 1180)
    # plots and pictures are drawn
    assert frame.locator("[data-drawn] svg").first.bounding_box()["height"] > 150
    assert frame.locator("figure img").first.evaluate("i => i.complete && i.naturalWidth") > 0
    page.get_by_role("button", name="Close the evidence").click()
    expect(dialog).to_be_hidden()
    assert page.evaluate("document.activeElement.textContent") == "Evidence"


def test_by_keyboard_alone(visit):
    page = visit()
    page.get_by_role("button", name="Evidence", exact=True).focus()
    page.keyboard.press("Enter")
    dialog = page.locator(".evidence dialog")
    frame = page.frame_locator(".evidence iframe")
    expect(frame.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("button", name="Close the evidence")).to_be_focused()
    page.keyboard.press("Tab")
    expect(frame.locator("nav a").first).to_be_focused()
    page.keyboard.press("Escape")  # from inside the frame
    expect(dialog).to_be_hidden()
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_the_first_screen_does_not_ask_for_it(visit, server):
    page = visit()
    assert not [url for url in page.asked if "evidence.html" in url]
    opened(page)
    assert len([url for url in page.asked if "evidence.html" in url]) == 1
    assert not [url for url in page.asked if not url.startswith((server.url, "data:", "blob:"))]


def test_links_inside_leave_undo_alone(visit):
    page = visit()
    dot(page, "moss").click()
    shows(page, "mix=moss:1.0")
    steps = page.evaluate("history.length")
    _, frame = opened(page)
    link = frame.locator("nav a").last
    goal = frame.locator(link.get_attribute("href"))
    link.click()
    expect(goal).to_be_focused()
    expect(goal.get_by_role("heading", level=2)).to_be_in_viewport()
    assert page.evaluate("history.length") == steps
    page.keyboard.press("Escape")
    page.locator(".toolbar .undo").click()
    shows(page, "mix=brick:1.0")
    assert chosen(page) == ["brick"]


def test_it_is_as_dark_or_light_as_the_page(visit):
    page = visit(color_scheme="light")
    brightness = "e => Number(getComputedStyle(e).backgroundColor.match(/\\d+/)[0])"
    _, frame = opened(page)
    assert frame.locator("body").evaluate(brightness) > 200
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Switch between dark and light").click()
    opened(page)
    assert frame.locator("body").evaluate(brightness) < 60
    words = frame.locator("[data-drawn] .xtick text").first  # in the plots too
    expect(words).to_have_css("fill", "rgb(238, 236, 230)")


def test_only_that_one_file_is_served(server):
    with urllib.request.urlopen(server.url + "evidence.html") as answer:
        assert answer.headers["content-type"].startswith("text/html")
        assert escape(QUESTION) in answer.read().decode()
    for path in ("report.json", "evidence.html/../report.json", "evidence/report.json"):
        assert status(server.url + path) == 404


def test_without_a_report_there_is_no_button(checkpoint_folder, texture_folder, tmp_path):
    missing = tmp_path / "report.html"
    bare = AppServer(checkpoint_folder, texture_folder, tmp_path / "steps.txt", missing)
    try:
        with urllib.request.urlopen(bare.url + "config") as answer:
            ids = [one["props"].get("elem_id") for one in json.load(answer)["components"]]
        assert "toolbar" in ids and "evidence" not in ids
        missing.write_text("written later")  # whoever wants it starts the page again
        assert status(bare.url + "evidence.html") == 404
    finally:
        bare.close()
