"""A site without a server in Chromium: from its files alone, with the pixels of Python, and offline."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from axe import AXE, faults
from browser_help import DESKTOP, finished, middle, overflow, run_of
from PIL import Image

from fgsd.app.site.build import build_site
from fgsd.benchmarks.dom import NO_TOUR
from fgsd.benchmarks.site import serve_folder
from fgsd.centroids import compute_table
from fgsd.checkpoint import CheckpointInfo
from fgsd.feature_map import fit_map
from fgsd.levels import noise_levels
from fgsd.pipeline import Pipeline
from fgsd.student import Student

pytestmark = [pytest.mark.browser, pytest.mark.integration]  # it fetches 33 MB from npm

METERED = "Object.defineProperty(navigator, 'connection', { value: { saveData: true } });"


@pytest.fixture(scope="module")
def site_pipe(lively, data) -> Pipeline:
    """A tiny pipeline with crops on its map, and a student."""
    network, other = lively(size=0.08), lively(size=0.08, seed=1)
    table = compute_table(network, data, noise_levels(0.02, 4.0, 6), crops=4)
    return Pipeline(
        network,
        table,
        replace(CheckpointInfo(patch_size=16, image_size=48), attribution="By us (https://example.org/us)."),
        device="cpu",
        map=fit_map(network, table, data, crops=3),
        student=Student(other, (2.0, 0.5)),
    )


@pytest.fixture(scope="module")
def address(site_pipe, texture_folder, onnx_runtime_web, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build_site(site_pipe, texture_folder, folder, runtime=onnx_runtime_web)
    with serve_folder(folder) as served:
        yield served


@pytest.fixture
def open_site(browser, address):
    """A function that opens the site as a new visitor; it may ask for its own files only."""
    contexts, complaints = [], []

    def open_page(path: str = "", *, script: str | None = None, **options):
        context = browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **options})
        contexts.append(context)
        context.add_init_script(NO_TOUR)
        if script is not None:
            context.add_init_script(script)
        page = context.new_page()
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def picture(page) -> np.ndarray:
    """The sheet of pictures as the page has it, pixel for pixel."""
    _, _, body = page.locator(".source").get_attribute("src").partition(",")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB"), dtype=int)


def alike(found: np.ndarray, expected: Image.Image) -> bool:
    return found.shape == (*expected.size, 3) and np.abs(found - np.asarray(expected, dtype=int)).max() <= 2


def settings_of(page) -> dict[str, str]:
    query = page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")
    return {key: query[key] for key in ("mix", "size", "seed")}


def weights(query: dict[str, str]) -> dict[str, float]:
    return {name: float(weight) for name, weight in (part.split(":") for part in query["mix"].split(","))}


def test_a_visit_from_the_first_picture_to_offline(open_site, address, site_pipe):
    page = open_site()
    finished(page)
    first = site_pipe.sample(site_pipe.classes[0], size=128)[0]
    assert alike(picture(page), first)
    large = [url for url in page.asked if "weights" in url or "ort" in url]
    assert large == []  # the first screen needs no network
    assert overflow(page)[0] <= 0

    assert not page.evaluate("crossOriginIsolated")  # by a plain server of files

    # a drag: the network is loaded, and a preview follows the ring
    x, y = middle(page.locator(".ring"))
    page.mouse.move(x, y)
    page.mouse.down()
    for k in range(240):
        page.mouse.move(x + 20 + k % 7, y + 10)
        page.wait_for_timeout(250)
        if page.locator(".picture").get_attribute("data-preview") == "true":
            break
    page.mouse.move(x + 30, y + 10)
    page.wait_for_function("document.querySelector('.picture').dataset.preview === 'true'")
    run = run_of(page)
    page.mouse.up()
    finished(page, run)
    query = settings_of(page)
    assert len(weights(query)) > 1  # a mixture
    size = int(query["size"])
    sampled = site_pipe.sample(weights(query), size=size, seed=int(query["seed"]))[0]
    assert alike(picture(page), sampled)
    assert page.locator("#loading").is_hidden() and page.locator("#stop").is_disabled()

    # another seed is a step of the history; Back undoes it
    before, run = picture(page), run_of(page)
    page.locator("#another").click()
    finished(page, run)
    assert settings_of(page)["seed"] != "0" and not np.array_equal(picture(page), before)
    run = run_of(page)
    page.locator(".undo").click()
    finished(page, run)
    assert np.array_equal(picture(page), before) and page.locator("[name=seed]").input_value() == "0"

    # offline, and by now with threads where the machine has cores for them
    assert {url for url in page.asked if not url.startswith((address, "data:", "blob:"))} == set()
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.context.set_offline(True)
    page.reload()
    finished(page, "0")
    assert np.array_equal(picture(page), before)
    assert page.evaluate("crossOriginIsolated")


def test_a_link_opens_its_picture_and_a_wrong_one_says_why(open_site, site_pipe):
    page = open_site("?mix=moss:0.4,brick:0.6:0.1:-0.05&images=4&size=64&seed=3&steps=5&strength=1.5&tile=1")
    finished(page, "0")
    target = site_pipe.map.moved(site_pipe.centroid("brick"), 0.1, -0.05)
    moss = site_pipe.centroid("moss")
    mixed = replace(
        moss,
        values=0.4 * moss.values + 0.6 * target.values,
        colour=0.4 * moss.colour + 0.6 * target.colour,
    )
    expected = site_pipe.sample(mixed, n=4, size=64, seed=3, steps=5, strength=1.5, tileable=True)
    sheet = picture(page)
    for k, image in enumerate(expected):
        top, left = 64 * (k // 2), 64 * (k % 2)
        assert alike(sheet[top : top + 64, left : left + 64], image)
    page.goto(page.url.split("?")[0] + "?mix=moss:1.0&mode=strip&places=5")
    page.wait_for_function("!document.querySelector('.picture .message').hidden")
    assert "need the page that a server computes" in page.locator(".picture .message").inner_text()


def test_on_a_metered_connection_the_visitor_is_asked_first(open_site):
    page = open_site(script=METERED)
    finished(page)
    page.locator("#sample").click()
    button = page.get_by_role("button", name="Load")
    button.wait_for()
    assert "MB, once" in page.locator("#loading").inner_text()
    assert not any("weights" in url for url in page.asked)
    button.click()
    finished(page, "0")
    assert any("weights" in url for url in page.asked)


def test_the_map_answers_from_its_files(open_site, site_pipe):
    """Crops with their pictures, UMAP, search; in the colours of the night and on a phone."""
    page = open_site(viewport={"width": 390, "height": 844}, color_scheme="dark")
    finished(page)
    assert overflow(page)[0] <= 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 19, 18)"
    if AXE.is_file():  # tests/js/check installs it
        page.locator("#more summary").click()
        assert faults(page) == []
    page.locator('[data-projection="umap"]').click()
    page.wait_for_function("document.querySelector('.map-panel').dataset.points?.startsWith('umap')")
    page.locator(".search").fill("mos")
    page.locator(".search").press("Enter")
    finished(page, "0")
    assert weights(settings_of(page)) == {"moss": 1.0}
