"""The page in a frame of another origin, as a Hugging Face Space shows it, in a real Chromium.

The frame may neither write to the clipboard nor use the camera, and opens no prompt.
"""

from __future__ import annotations

import pytest
from browser_help import DESKTOP, TIMEOUT_MS, finished, middle, run_of
from playwright.sync_api import expect

from fgsd.benchmarks.site import serve_folder

pytestmark = [pytest.mark.browser, pytest.mark.integration]
FRAME = """<!doctype html><title>Space</title><body style="margin: 0">
<iframe src="%s" style="width: 100%%; height: 700px; border: 0"
  sandbox="allow-downloads allow-forms allow-modals allow-popups allow-same-origin allow-scripts"></iframe>"""


@pytest.fixture
def outside(server, tmp_path):
    """Address of a page of another site than the server, which shows the server's page in a frame."""
    (tmp_path / "index.html").write_text(FRAME % server.url, encoding="utf-8")
    with serve_folder(tmp_path) as address:
        yield address.replace("127.0.0.1", "localhost")


def test_it_works_in_a_frame_that_may_do_little(browser, outside):
    context = browser.new_context(viewport=DESKTOP, reduced_motion="reduce", accept_downloads=True)
    context.set_default_timeout(TIMEOUT_MS)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(outside, wait_until="commit")
    page.wait_for_function("document.querySelector('iframe')")
    frame = page.locator("iframe").element_handle().content_frame()
    finished(frame)
    # a frame lower than the page scrolls down to the last control, and never sideways
    across = frame.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert across <= 0
    frame.locator("#sample").scroll_into_view_if_needed()
    expect(frame.locator("#sample")).to_be_in_viewport()
    before = run_of(frame)
    frame.locator(".map-panel .ring").scroll_into_view_if_needed()
    start = middle(frame.locator(".map-panel .ring"))
    end = middle(frame.locator('.dot[aria-pressed="false"]').first)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=6)
    page.mouse.up()
    finished(frame, before)
    frame.get_by_role("button", name="Save", exact=True).click()
    with page.expect_download() as download:
        frame.locator('[data-save="png"]').click()
    assert download.value.suggested_filename.endswith(".png")
    # what is copied arrives where one pastes
    frame.get_by_role("button", name="Save", exact=True).click()
    frame.locator('[data-save="link"]').click()
    search = frame.get_by_role("searchbox", name="Find a texture")
    search.focus()
    page.keyboard.press("Control+V")
    expect(search).to_have_value(frame.evaluate("location.href"))
    assert not errors
    context.close()
