"""A server goes away and comes back: pages that stayed open recover by themselves, in a real Chromium."""

from __future__ import annotations

import pytest
from browser_help import (
    BLOCKED_STORAGE,
    DESKTOP,
    TIMEOUT_MS,
    chosen,
    dot,
    expected,
    finished,
    give,
    photograph,
    pixels,
    png,
    same_picture,
    shows,
    thumb,
)
from command_server import CommandServer, app_command
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]
AWAY, LOST = "The server is away.", "your own textures are gone"


@pytest.mark.parametrize("storage", ["allowed", "blocked"])
def test_open_pages_outlive_a_killed_server(
    browser, checkpoint_folder, texture_folder, tmp_path, pipe, storage
):
    command = app_command(checkpoint_folder, texture_folder)
    server = CommandServer(*command, temporary=tmp_path)
    server.started()
    context = browser.new_context(viewport=DESKTOP, reduced_motion="reduce")
    context.set_default_timeout(TIMEOUT_MS)
    if storage == "blocked":
        context.add_init_script(BLOCKED_STORAGE)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    pages = idle, busy, owner = [context.new_page() for _ in range(3)]
    for page, path in zip(pages, ("", "?mix=moss:1&images=16&size=256&steps=100", ""), strict=True):
        page.goto(f"{server.url}/{path}", wait_until="commit")
    for page in (idle, owner):
        finished(page)
    idle.locator("#seed input").fill("7")
    dot(idle, "moss").click()
    shows(idle, "mix=moss:1.0", "seed=7")
    give(owner, png(photograph()))
    thumb(owner, "my photo").wait_for()
    dot(owner, "slate").click(modifiers=["Shift"])
    shows(owner, "mix=my%2520photo:0.5,slate:0.5")
    shows(busy, "steps=100", done=False)
    assert busy.locator(".picture").get_attribute("data-done") == "false"
    for page in pages:
        page.evaluate("window.before = true")

    server.kill()
    for page in pages:
        expect(page.locator(".offline")).to_contain_text(AWAY)
        assert page.locator(".offline").is_visible()
        assert not page.locator(".toast-wrap").is_visible()
    dot(idle, "slate").click()  # what nobody has answered yet
    expect(dot(idle, "slate")).to_have_attribute("aria-pressed", "true")

    server = CommandServer(*command, temporary=tmp_path, port=server.port)
    server.started()
    for page in pages:
        page.wait_for_function("!window.before && document.querySelector('.picture')")
        assert AWAY not in page.locator(".offline").text_content()
    shows(idle, "mix=slate:1.0", "seed=7")
    assert chosen(idle) == ["slate"]
    assert same_picture(pixels(idle), expected(pipe, "slate", seed=7))
    if storage == "blocked":
        shows(owner, "mix=slate:1.0")
        expect(owner.locator(".offline")).to_contain_text(LOST)
    else:  # the browser has kept the texture
        shows(owner, "mix=my%2520photo:0.5,slate:0.5")
        thumb(owner, "my photo").wait_for()
    shows(busy, "mix=moss:1.0", "images=16", "size=256", "steps=100", done=False)
    for page in (idle, owner):
        dot(page, "brick").click()
        shows(page, "mix=brick:1.0")
    context.close()
    assert errors == []
    assert server.asked_to_end(15)[1] == 0
    assert len(list(tmp_path.glob("fgsd-*/server-*"))) == 0  # of neither server
