"""The page behind a reverse proxy that serves it under a path, in a real Chromium."""

from __future__ import annotations

import pytest
from app_server import AppServer
from browser_help import DESKTOP, TIMEOUT_MS, dot, expected, finished, pixels, same_picture, shows
from playwright.sync_api import expect
from prefix_proxy import PrefixProxy

pytestmark = [pytest.mark.browser, pytest.mark.integration]


@pytest.fixture
def opened(browser):
    """A function that opens an address; its page."""
    contexts = []

    def open_page(url: str):
        contexts.append(browser.new_context(viewport=DESKTOP, reduced_motion="reduce"))
        contexts[-1].set_default_timeout(TIMEOUT_MS)
        page = contexts[-1].new_page()
        page.goto(url, wait_until="commit")
        finished(page)
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_a_server_that_does_not_know_its_path_says_what_to_set(opened, server):
    proxy = PrefixProxy(server.url, "/my/textures")
    page = opened(proxy.url)
    notice = page.locator(".offline")
    expect(notice).to_contain_text("start it with GRADIO_ROOT_PATH=/my/textures")
    dot(page, "moss").click()  # which Gradio takes for an error of the server
    page.wait_for_timeout(500)
    assert notice.is_visible() and not page.locator(".toast-wrap").is_visible()
    expect(opened(server.url).locator(".offline")).to_be_hidden()
    proxy.close()


@pytest.mark.parametrize("value", ["/textures", "whole address"])
def test_a_server_that_knows_its_path_works(opened, checkpoint_folder, texture_folder, tmp_path, pipe, value):
    journal = tmp_path / "steps.txt"
    # the address of the proxy must be known before that of the server
    proxy = PrefixProxy("http://127.0.0.1:1", "/textures")
    root = value if value == "/textures" else proxy.url.rstrip("/")
    server = AppServer(checkpoint_folder, texture_folder, journal, GRADIO_ROOT_PATH=root)
    proxy.target = server.url
    page = opened(proxy.url)
    dot(page, "moss").click()
    shows(page, "mix=moss:1.0")
    assert same_picture(pixels(page), expected(pipe, "moss"))
    expect(page.locator(".offline")).to_be_hidden()
    assert page.url.startswith(f"{proxy.url}?mix=moss:1.0")
    page.goto("about:blank")
    server.close()
    proxy.close()
