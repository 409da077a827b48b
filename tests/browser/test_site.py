"""A site without a server in Chromium: from its files alone, with the pixels of Python, and offline."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from axe import AXE, faults
from browser_help import DESKTOP, dot, finished, middle, overflow, run_of
from paint_help import easel, opened, painted, pictures, saved
from paint_help import picture as painting
from PIL import Image
from playwright.sync_api import expect

from fgsd.app.site.build import build_site
from fgsd.benchmarks.dom import NO_TOUR
from fgsd.benchmarks.site import serve_folder
from fgsd.centroids import compute_table
from fgsd.checkpoint import CheckpointInfo
from fgsd.data import to_images
from fgsd.feature_map import fit_map
from fgsd.guidance import GuidedDenoiser
from fgsd.levels import noise_levels
from fgsd.pipeline import Pipeline
from fgsd.regions import plan_masks
from fgsd.sampling import ImageNoise, dpm_solver_2m
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


def own_requests_only(page, address: str) -> bool:
    return all(url.startswith((address, "data:", "blob:")) for url in page.asked)


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
    page.locator(".toolbar .undo").click()
    finished(page, run)
    assert np.array_equal(picture(page), before) and page.locator("[name=seed]").input_value() == "0"

    # offline, and by now with threads where the machine has cores for them
    assert own_requests_only(page, address)
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


def regions_of(page, folder) -> list[tuple[str, np.ndarray]]:
    """Textures and masks of the painting, by the plan that the page saves."""
    entries = page.locator(".paint .palette button")
    labels = [entries.nth(k).get_attribute("aria-label") for k in range(entries.count())]
    colours = ["#0072b2", "#e69f00", "#009e73"]
    return plan_masks(saved(page, "plan", folder), dict(zip(colours, labels, strict=False)))


def followed(pipe, regions, *, feather: float) -> Image.Image:
    """What the student paints in its two evaluations."""
    target, schedule = pipe.regions(regions, feather=feather), pipe.student.schedule()
    noise = ImageNoise([0], (3, *target.size))
    x = schedule[0].item() * noise() + target.blended([one.colour for one in target.centroids])
    *_, last = dpm_solver_2m(GuidedDenoiser(pipe.student.network, target), x, schedule, noise=noise)
    return to_images(last.x)[0]


def test_painting_has_the_pixels_of_python(open_site, address, site_pipe, tmp_path):
    """By mouse, by keys and by the map; and offline."""
    page = open_site()
    finished(page)
    opened(page)
    first = site_pipe.classes[0]
    assert alike(painting(page), site_pipe.sample(first, size=128)[0])
    assert page.locator("#loading").is_hidden() and run_of(page) == "0"

    # a disc: pixels change while the button is pressed
    before, count = painting(page), pictures(page)
    dot(page, "slate").click()
    page.mouse.move(*easel(page, 0.3, 0.4))
    page.mouse.down()
    painted(page, count, "preview")
    following, count = painting(page), pictures(page)
    page.mouse.up()
    painted(page, count)
    regions = regions_of(page, tmp_path)
    assert [name for name, _ in regions] == [first, "slate"] and regions[1][1].sum() > 200
    assert alike(following, followed(site_pipe, regions, feather=3))
    assert alike(painting(page), site_pipe.paint(regions, feather=3, seed=0)[0])

    # the steps are watched again
    page.locator(".paint .scrub").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("document.querySelector('.paint').dataset.index === '15'")

    # by keys: a disc of a third texture, seamless and with a wider edge
    page.evaluate("document.querySelector('.dot[data-name=moss]').click()")
    page.locator(".paint .plan").focus()
    for key in ("ArrowUp", "ArrowLeft", "]", "Space"):
        count = pictures(page)
        page.keyboard.press(key)
    painted(page, count)
    count = pictures(page)
    page.locator(".paint .tileable").check()
    painted(page, count)
    count = pictures(page)
    page.locator(".paint .feather").fill("6")
    page.locator(".paint .feather").blur()
    painted(page, count)
    regions = regions_of(page, tmp_path)
    assert len(regions) == 3
    assert alike(painting(page), site_pipe.paint(regions, feather=6, seed=0, tileable=True)[0])
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("menuitem", name="Python").click()
    expect(page.locator(".save dialog pre")).to_contain_text("    tileable=True,")
    page.locator(".save dialog").get_by_role("button", name="Close").click()

    # the map changes the texture of the brush, where it is
    count = pictures(page)
    page.locator(".paint .follows").check()
    dot(page, "brick" if first != "brick" else "slate").click()
    painted(page, count)
    changed = np.abs(painting(page).astype(int) - before).mean(axis=2)
    assert changed.mean() > 1

    # undone to the bit
    page.locator(".paint .tileable").uncheck()
    page.locator(".paint .feather").fill("3")
    page.locator(".paint .plan").focus()
    for _ in range(2):
        count = pictures(page)
        page.keyboard.press("Control+z")
        painted(page, count)
    assert np.array_equal(painting(page), before)
    if AXE.is_file():
        assert faults(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#picture-panel")).to_be_visible()
    assert own_requests_only(page, address)

    # offline
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.context.set_offline(True)
    page.goto(address)
    finished(page)
    opened(page)
    assert np.array_equal(painting(page), before)
    count = pictures(page)
    dot(page, "slate").click()
    page.locator(".paint .plan").focus()
    page.keyboard.press("Space")
    painted(page, count)
    assert not np.array_equal(painting(page), before)
