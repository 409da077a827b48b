"""The map in 3D, as a visitor works with it, in a Chromium that draws WebGL with the processor."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from app_server import AppServer
from browser_help import FLAGS, chosen, finished, weights
from map_help import scattered_map
from playwright.sync_api import expect

from fgsd.pipeline import Pipeline

pytestmark = [pytest.mark.browser, pytest.mark.integration]
COUNT = 120
OPENINGS = 50
NO_WEBGL = """const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return kind.startsWith('webgl') ? null : get.call(this, kind, ...rest);
};"""
KEEP_CONTEXTS = """window.contexts = new Set();
const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (...all) {
    const context = get.apply(this, all);
    if (context instanceof WebGLRenderingContext) window.contexts.add(context);
    return context;
};"""


@pytest.fixture(scope="module")
def browser(playwright):
    """A Chromium with WebGL, which the one of the other tests lacks."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, "--enable-unsafe-swiftshader"])
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def rested() -> list:
    """Tabs of this browser that tests have left."""
    return []


@pytest.fixture(scope="module")
def server(pipe, texture_folder, tmp_path_factory):
    """A page whose map has crops and both projections."""
    folder = tmp_path_factory.mktemp("space")
    mapped = Pipeline(pipe.network, pipe.table, pipe.info, "cpu", map=scattered_map(pipe, COUNT, image=48))
    mapped.save_pretrained(folder / "checkpoint")
    server = AppServer(folder / "checkpoint", texture_folder, folder / "steps.txt")
    yield server
    server.close()


def drawn(page, view: str) -> None:
    """Wait until a view such as "pca-depth-0" is drawn."""
    page.wait_for_function("v => document.querySelector('.map-panel')?.dataset.space === v", arg=view)


def opener(page):
    return page.get_by_role("button", name="3-D", exact=True)


def hover_texture(page, *, other_than: list[str]) -> str:
    """Move the pointer over the plot until it is on another texture, and return its name."""
    box = page.locator(".space .plot").bounding_box()
    for row in range(2, 20):
        for column in range(2, 20):
            x, y = box["x"] + column * box["width"] / 22, box["y"] + row * box["height"] / 22
            page.mouse.move(x, y)
            page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 20)))")
            tooltip = page.locator(".space-tooltip")
            if (
                tooltip.is_visible()
                and (name := tooltip.locator("figcaption").inner_text()) not in other_than
            ):
                return name
    raise AssertionError("no texture lies under any place of the plot")


def eye(page) -> list[float]:
    camera = page.evaluate("document.querySelector('.space .plot').layout.scene.camera.eye")
    return [camera[axis] for axis in "xyz"]


def test_it_opens_chooses_adds_follows_the_path_and_closes(visit):
    page = visit()
    finished(page)
    assert not [url for url in page.asked if "plotly" in url]  # not before it is needed
    opener(page).click()
    drawn(page, "pca-depth-0")
    assert [url for url in page.asked if re.search(r"/plotly-[\d.]+\.min\.js$", url)]
    expect(page.locator(".map-panel .map")).to_be_hidden()
    expect(opener(page)).to_have_attribute("aria-pressed", "true")
    assert json.loads(page.locator(".space").get_attribute("data-chosen")) == chosen(page)

    before, run = chosen(page), page.locator(".picture").get_attribute("data-run")
    name = hover_texture(page, other_than=before)
    page.mouse.down()
    page.mouse.up()
    finished(page, run)
    assert chosen(page) == [name]
    page.wait_for_function(
        "name => document.querySelector('.space').dataset.chosen === JSON.stringify([name])", arg=name
    )
    # the path has as many steps as that of the map, whose canvas is hidden
    page.wait_for_function("Number(document.querySelector('.space').dataset.path) >= 16")

    other, run = hover_texture(page, other_than=[name]), page.locator(".picture").get_attribute("data-run")
    page.keyboard.down("Shift")
    page.mouse.down()
    page.mouse.up()
    page.keyboard.up("Shift")
    page.wait_for_function("document.querySelectorAll('.chip').length === 2")
    assert set(weights(page)) == {name, other}
    finished(page, run)
    page.wait_for_function("Number(document.querySelector('.space').dataset.path) >= 16")

    page.get_by_role("button", name="Noise level").click()
    drawn(page, "pca-noise-0")
    heights = page.evaluate(
        """() => document.querySelector('.space .plot').data
                    .find((trace) => trace.name === 'path').z.filter((z) => z !== null)"""
    )
    one = heights[: len(heights) // max(1, page.locator(".picture canvas").count())]
    assert one == sorted(one) and one[0] < 0.2 < 0.8 < one[-1]  # the sample climbs as its noise falls
    assert "space=noise:" in page.url

    opener(page).click()
    expect(page.locator(".map-panel .map")).to_be_visible()
    expect(page.locator(".space")).to_be_hidden()
    assert page.locator(".space canvas").count() == 0 and "space=" not in page.url
    assert set(chosen(page)) == {name, other}


def test_the_camera_is_in_the_link_and_keys_turn_it(visit):
    page = visit("?space=depth:1,-1.2,0.4,0,0,0")
    drawn(page, "pca-depth-0")
    assert eye(page) == pytest.approx([1, -1.2, 0.4], abs=0.01)
    page.locator(".space").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("!location.search.includes('space=depth:1,-1.2,0.4')")
    turned = eye(page)
    assert turned != pytest.approx([1, -1.2, 0.4], abs=0.05)
    page.reload()
    drawn(page, "pca-depth-0")
    assert eye(page) == pytest.approx(turned, abs=0.01)
    page.locator(".space").focus()
    page.keyboard.press("Escape")
    expect(page.locator(".map-panel .map")).to_be_visible()


def test_by_keyboard_the_search_chooses(visit):
    page = visit("?space=depth")
    drawn(page, "pca-depth-0")
    page.get_by_role("searchbox", name="Find a texture").fill("slate")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.space').dataset.chosen === '[\"slate\"]'")


def test_without_webgl_a_sentence_stands_in_its_place(visit):
    page = visit(script=NO_WEBGL)
    opener(page).click()
    expect(page.locator(".space .state")).to_contain_text("This browser draws no 3-D graphics")
    assert not [url for url in page.asked if "plotly" in url]
    opener(page).click()
    expect(page.locator(".map-panel .map")).to_be_visible()


def test_fifty_openings_leave_no_context_behind(visit):
    page = visit(script=KEEP_CONTEXTS)
    opener(page).wait_for()
    for _ in range(OPENINGS):
        opener(page).click()
        drawn(page, "pca-depth-0")
        opener(page).click()
    made, alive = page.evaluate(
        "() => [window.contexts.size, [...window.contexts].filter((one) => !one.isContextLost()).length]"
    )
    assert made >= OPENINGS and alive == 0
