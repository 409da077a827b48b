"""Previews and runs by the visitor's own machine, with `fgsd app --site`; in a real Chromium."""

from __future__ import annotations

import time

import numpy as np
import pytest
from app_server import AppServer
from browser_help import dot, finished, give, middle, photograph, png, run_of, thumb, under_way, weights
from PIL import Image
from playwright.sync_api import expect
from site_help import computed_by, sheet

from fgsd.app.serving.preview import STEPS, preview_sigma_max
from fgsd.app.site.build import build_site

pytestmark = [pytest.mark.browser, pytest.mark.integration]  # it fetches 33 MB from npm

# counts the previews that the server is asked for, and makes it as slow as `slow` says, in milliseconds
COUNTING = """window.asked = 0; window.slow = 0;
const real = window.fetch;
window.fetch = async (...call) => {
    if (String(call[1]?.body).includes('"fn_name":"preview"')) {
        window.asked += 1;
        await new Promise((done) => setTimeout(done, window.slow));
    }
    return real(...call);
};"""
METERED = "Object.defineProperty(navigator, 'connection', { value: { saveData: true } });"
BROKEN = "throw new Error('broken');"
LOADED = "!document.querySelector('.fetching')"


@pytest.fixture(scope="module")
def local_server(pipe, checkpoint_folder, texture_folder, onnx_runtime_web, tmp_path_factory):
    site = tmp_path_factory.mktemp("site")
    build_site(pipe, texture_folder, site, runtime=onnx_runtime_web)
    journal = tmp_path_factory.mktemp("journal") / "steps.txt"
    server = AppServer(checkpoint_folder, texture_folder, journal, SITE=str(site))
    yield server
    server.close()


def press(page) -> None:
    page.mouse.move(*middle(page.locator(".map-panel .ring")))
    page.mouse.down()


def follow(page, name: str, share: float) -> str:
    """Move the pressed ring towards a texture, and wait for its picture; what has computed it."""
    before = page.locator(".source").get_attribute("src")
    (x, y), (goal_x, goal_y) = middle(page.locator(".map-panel .ring")), middle(dot(page, name))
    page.mouse.move(x + share * (goal_x - x), y + share * (goal_y - y))
    page.wait_for_function("before => document.querySelector('.source').src !== before", arg=before)
    return computed_by(page)


def open_link(page, link: str) -> None:
    """Open a link as a favourite is opened; that begins a run."""
    page.evaluate("link => document.dispatchEvent(new CustomEvent('fgsd:open', { detail: link }))", link)


def release(page) -> None:
    run = page.locator(".picture").get_attribute("data-run")
    page.mouse.up()
    finished(page, run)


def loaded(visit, server):
    """A page whose browser has loaded the network, after a drag."""
    page = visit(at=server, script=COUNTING)
    press(page)
    follow(page, "moss", 0.2)
    release(page)
    page.wait_for_function(LOADED)
    server.settled()
    return page


def sampled(page, pipe, **options) -> np.ndarray:
    """The sheet of the server, by default of its preview."""
    preview = {"steps": STEPS, "sigma_max": preview_sigma_max(pipe)}
    images = pipe.sample(weights(page), n=4, size=64, **(options or preview))
    rows = [np.concatenate([np.asarray(image, dtype=int) for image in images[k : k + 2]], 1) for k in (0, 2)]
    return np.concatenate(rows)


def test_a_slow_server_is_left_alone_until_the_visitor_brings_a_texture(visit, local_server, pipe):
    page = visit(at=local_server, script=COUNTING)
    assert page.evaluate("crossOriginIsolated")
    assert not any(".bin" in url or "previews" in url for url in page.asked)  # nothing before the first drag
    page.evaluate("window.slow = 400")
    press(page)
    assert {follow(page, "moss", 0.2) for _ in range(3)} == {"cpu"}
    assert page.evaluate("window.asked") >= 3
    release(page)
    page.wait_for_function(LOADED)
    assert any("weights" in url for url in page.asked)

    # the second drag: once this machine is measured, the server is asked for no more than one preview in ten
    # seconds, to measure it again; and pixels agree
    press(page)
    for _ in range(20):  # short ways: the ring stays between the textures
        if follow(page, "slate", 0.03).startswith("browser"):
            break
    page.evaluate("window.asked = 0")
    start = time.monotonic()
    for k in range(6):
        assert follow(page, ["moss", "slate"][k % 2], 0.3).startswith("browser")
    page.wait_for_timeout(300)  # the last move has its picture
    assert page.evaluate("window.asked") <= 1 + (time.monotonic() - start) // 10
    assert np.abs(sheet(page) - sampled(page, pipe)).max() <= 2
    assert "is the nearest" in page.locator(".map-panel").inner_text()
    release(page)

    # what the worker has not: a texture of the visitor
    run = page.locator(".picture").get_attribute("data-run")
    give(page, png(photograph()))
    thumb(page, "my photo").wait_for()
    finished(page, run)
    press(page)
    page.evaluate("window.asked = 0")
    assert follow(page, "moss", 0.2) == "cpu"
    assert page.evaluate("window.asked") >= 1 and "my photo" in weights(page)
    release(page)


def test_a_run_that_waits_for_the_server_is_made_by_the_browser(visit, local_server, pipe):
    page = loaded(visit, local_server)
    done, run = len(local_server.lines()), run_of(page)
    with local_server.held():
        page.locator("#another").click()
        finished(page, run)
        assert computed_by(page).startswith("browser")
        assert len(local_server.lines()) == done  # nothing by the server
        query = page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")
        seed = int(query["seed"])
        assert seed > 0 and np.abs(sheet(page) - sampled(page, pipe, seed=seed)).max() <= 2

        # its steps are there, as those of the server
        page.locator(".picture .scrub").fill("3")
        assert page.locator(".picture").get_attribute("data-index") == "3"
        assert page.locator('.picture [data-readout="step"]').inner_text() == "3 / 16"
        assert page.locator("[data-path]").get_attribute("data-path") == "3"  # its path on the map

    # files and lines come from its link, by the server
    page.locator(".save .open").click()
    page.locator("[data-save=python]").click()
    expect(page.locator(".save dialog")).to_contain_text(f"seed={seed}")
    page.locator(".save dialog button").last.click()
    page.locator(".save .open").click()
    with page.expect_download() as download:
        page.locator("[data-save=gif]").click()
    with Image.open(download.value.path()) as steps:
        assert steps.n_frames > 3


def test_stop_and_a_newer_run_end_one_that_the_browser_makes(visit, local_server):
    page = loaded(visit, local_server)
    with local_server.held():
        open_link(page, "?mix=moss:1.0&images=1&size=256&steps=100")  # some seconds, by the browser
        under_way(page)
        assert computed_by(page).startswith("browser")
        page.locator("#stop").click()
        expect(page.locator("#stop")).to_be_disabled()
        run, made = run_of(page), page.locator(".picture").get_attribute("data-steps")
        page.wait_for_timeout(500)
        assert page.locator(".picture").get_attribute("data-steps") == made and int(made) < 100
        assert page.locator(".picture .message").is_hidden() and run_of(page) == run

        open_link(page, "?mix=moss:1.0&images=1&size=256&steps=100&seed=1")
        under_way(page)
        run = run_of(page)
        open_link(page, "?mix=slate:1.0&images=1&size=64&steps=16")
        finished(page, run)
        assert computed_by(page).startswith("browser")
        assert page.locator(".picture").get_attribute("data-steps") == "16"
        shown = page.locator(".source").get_attribute("src")
        page.wait_for_timeout(500)
        assert page.locator(".source").get_attribute("src") == shown


def broken(route) -> None:
    """The worker throws."""
    headers = {"Cross-Origin-Embedder-Policy": "require-corp"}
    route.fulfill(body=BROKEN, content_type="text/javascript", headers=headers)


def differing(route) -> None:
    """The server has made another preview than the browser will."""
    response = route.fetch()
    data = response.json()
    data["reference"]["target"] = data["reference"]["target"][:1]
    route.fulfill(response=response, json=data)


@pytest.mark.parametrize(
    ("address", "spoil", "reason"),
    [("worker-*.js", broken, "could not be started"), ("previews-*.json", differing, "pixels differ")],
)
def test_a_worker_that_fails_leaves_all_previews_to_the_server(visit, local_server, address, spoil, reason):
    page = visit(at=local_server, script=COUNTING)
    warnings = []
    page.on("console", lambda said: warnings.append(said.text) if said.type == "warning" else None)
    page.route(f"**/{address}", spoil)
    page.evaluate("window.slow = 100")
    for _ in range(2):
        press(page)
        assert {follow(page, "moss", 0.2) for _ in range(3)} == {"cpu"}
        release(page)
        page.wait_for_function(LOADED)
    assert any("left to the server" in text and reason in text for text in warnings)
    assert page.locator(".picture .message").is_hidden()
    page.complaints.clear()  # that the worker threw


def test_nothing_is_loaded_on_a_metered_connection(visit, local_server):
    page = visit(at=local_server, script=METERED)
    for _ in range(2):
        press(page)
        assert follow(page, "moss", 0.2) == "cpu"
        release(page)
    assert not any(".bin" in url or "previews" in url for url in page.asked)
