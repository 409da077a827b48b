"""Every view of the page by axe-core, in light, in dark and on a phone: no serious or critical fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_server import AppServer
from axe import AXE, faults
from browser_help import DESKTOP, PHONE, TIMEOUT_MS, finished, give, photograph, png, run_of, thumb
from playwright.sync_api import Page, expect
from tools import skip_without

from fgsd.pipeline import Pipeline

pytestmark = [pytest.mark.browser, pytest.mark.integration]
ROOT = Path(__file__).parents[2]
STATES = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light", "has_touch": True, "is_mobile": True},
}
SETTLED = "Promise.allSettled(document.getAnimations().map(animation => animation.finished)).then(() => 1)"


@pytest.fixture(scope="module")
def server(pipe, texture_folder, tmp_path_factory):
    """A page with families and with the shipped report."""
    folder = tmp_path_factory.mktemp("accessible")
    families = {"brick": "paving and tiles", "moss": "plants", "slate": "stone"}
    checkpoint = Pipeline(pipe.network, pipe.table, pipe.info, "cpu", map=pipe.map, families=families)
    checkpoint.save_pretrained(folder / "checkpoint")
    report = ROOT / "assets" / "evidence" / "report.html"
    server = AppServer(folder / "checkpoint", texture_folder, folder / "steps.txt", report)
    yield server
    server.close()


def views(page: Page):
    """Open one view after the other; the name of each, and the frame to look at."""
    yield "map", page
    page.locator('[data-show="map"]').click()
    page.get_by_role("searchbox").fill("brick")
    yield "map, search", page
    page.get_by_role("searchbox").fill("")
    page.locator('.families [data-family="stone"]').click()
    yield "map, one family", page
    page.locator('.families [data-family=""]').click()
    page.locator('[data-show="grid"]').click()
    yield "textures as a grid", page
    page.locator("#save-panel, .save").first.locator(".open").click()
    yield "save menu", page
    page.keyboard.press("Escape")
    page.locator(".toolbar .help").click()
    yield "help", page
    page.keyboard.press("Escape")
    for mode in ("strip", "grid", "loop", "stages"):
        tab = page.locator(f'.modes [data-mode="{mode}"]')
        if tab.count():
            tab.click()
            page.wait_for_timeout(1000)
            yield f"mode {mode}", page
    page.locator('.modes [data-mode="sample"]').click()
    before = run_of(page)
    give(page, png(photograph()), "wall.png")
    thumb(page, "wall").wait_for()
    finished(page, before)
    yield "a texture of the visitor", page
    page.locator(".user-textures .actions .crop").click()
    expect(page.locator(".crop-dialog")).to_be_visible()
    yield "crop dialog", page
    page.keyboard.press("Escape")
    page.locator("#paint-button button, #paint-button").first.click()
    page.wait_for_timeout(1000)
    yield "paint", page
    page.locator("#paint-button button, #paint-button").first.click()
    page.get_by_role("button", name="Evidence", exact=True).click()
    frame = page.frame_locator(".evidence iframe")
    expect(frame.get_by_role("heading", level=1)).to_be_visible(timeout=TIMEOUT_MS)
    yield "evidence", page
    yield "report", page.frames[-1]


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_serious_fault(visit, state):
    skip_without(AXE.exists(), "axe-core: tests/js/check installs it")
    page = visit(**STATES[state])
    page.evaluate("document.body.append(Object.assign(document.createElement('button'), { id: 'nameless' }))")
    assert any("button-name" in fault for fault in faults(page))  # it does look
    page.evaluate("document.getElementById('nameless').remove()")
    found = {}
    for name, frame in views(page):
        page.wait_for_timeout(300)
        page.evaluate(SETTLED)  # colours fade in
        if some := faults(frame):
            found[name] = some
    assert not found, "\n".join(f"{name}: {fault}" for name, some in found.items() for fault in some)
