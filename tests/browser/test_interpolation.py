"""Strips, grids, loops, coarse and fine, in a real Chromium."""

from __future__ import annotations

import io
import json
import re
import shutil

import numpy as np
import pytest
from app_server import AppServer
from browser_help import PHONE, chosen, dot, expected, finished, overflow, run_of, same_picture, weights
from PIL import Image
from playwright.sync_api import Page, expect

from fgsd.centroids import coarse_fine, compute_table
from fgsd.checkpoint import Checkpoint, CheckpointInfo, save_checkpoint
from fgsd.data import TextureFolder
from fgsd.levels import noise_levels
from fgsd.pipeline import Pipeline

pytestmark = [pytest.mark.browser, pytest.mark.integration]


@pytest.fixture(scope="module")
def four_textures(texture_folder, tmp_path_factory):
    """The textures of the other tests and a fourth: a grid has four corners."""
    folder = tmp_path_factory.mktemp("four")
    shutil.copytree(texture_folder, folder, dirs_exist_ok=True)
    rng = np.random.default_rng(9)
    Image.fromarray((np.array([210, 190, 120]) + rng.normal(0, 9, (48, 48, 1))).astype(np.uint8)).save(
        folder / "sand.png"
    )
    return folder


@pytest.fixture(scope="module")
def four_checkpoint(four_textures, lively, data_config, tmp_path_factory):
    network = lively(size=0.08)
    table = compute_table(
        network, TextureFolder(four_textures, data_config), noise_levels(0.02, 4.0, 6), crops=12
    )
    folder = tmp_path_factory.mktemp("four-checkpoint") / "tiny"
    save_checkpoint(Checkpoint(network, table, CheckpointInfo(patch_size=16, image_size=48)), folder)
    return folder


@pytest.fixture(scope="module")
def pipe(four_checkpoint) -> Pipeline:
    return Pipeline.from_pretrained(four_checkpoint, device="cpu")


@pytest.fixture(scope="module")
def server(four_checkpoint, four_textures, tmp_path_factory):
    server = AppServer(four_checkpoint, four_textures, tmp_path_factory.mktemp("journal") / "steps.txt")
    yield server
    server.close()


def mode(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def between_run(page: Page) -> str:
    return page.locator(".interpolation").get_attribute("data-run")


def ready(page: Page, run: str | None = None) -> None:
    """Wait until everything is there, or what is missing is said; with `run`, of another run than that."""
    page.wait_for_function(
        """run => { const b = document.querySelector('.interpolation');
                    return b && b.dataset.done === 'true' && b.dataset.run !== run; }""",
        arg=run,
    )


def canvas(page: Page, selector: str, k: int = 0) -> np.ndarray:
    """The pixels of the k-th canvas that a selector finds."""
    script = """([selector, k]) => { const c = document.querySelectorAll(selector)[k];
        return [c.height, c.width, Array.from(c.getContext('2d')
                .getImageData(0, 0, c.width, c.height).data)]; }"""
    height, width, values = page.evaluate(script, [selector, k])
    return np.array(values, dtype=np.uint8).reshape(height, width, 4)[..., :3]


def row(page: Page, k: int) -> list[np.ndarray]:
    selector = f".interpolation .row:nth-child({k + 1}) canvas"
    return [canvas(page, selector, j) for j in range(page.locator(selector).count())]


def saved(page: Page, name: str, folder) -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.locator(".interpolation").get_by_role("button", name=name).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path.name, path.read_bytes()


def strip(visit, **options) -> Page:
    """The page with a strip from brick to moss."""
    page = visit(**options)
    mode(page, "Strip")
    expect(page.locator(".interpolation .missing p")).to_contain_text("choose a second one")
    before = between_run(page)
    dot(page, "moss").click(modifiers=["Shift"])
    ready(page, before)
    return page


def test_a_strip_with_the_blend_and_the_unguided_picture_under_it(visit, pipe, tmp_path):
    page = strip(visit)
    assert overflow(page) == (0, 0)
    expect(page.locator("#picture-panel")).to_be_hidden()
    guided, blend, unguided = (row(page, k) for k in range(3))
    assert len(guided) == len(blend) == len(unguided) == 7
    for k in (0, 2, 6):
        mixture = {"brick": 1 - k / 6, "moss": k / 6}
        assert same_picture(guided[k], expected(pipe, mixture))
    mean = np.round((guided[0].astype(float) + guided[6]) / 2)
    assert np.abs(blend[3] - mean).max() <= 1
    assert all(np.array_equal(one, unguided[0]) for one in unguided)
    assert same_picture(unguided[0], expected(pipe, None))
    name, content = saved(page, "Save", tmp_path)
    assert name == "brick-moss-seed-0-strip.png"
    sheet = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert np.array_equal(sheet[16:80, :64], guided[0])
    assert sheet.shape[0] == 3 * 80 + 2 * 6


def test_steps_of_a_strip_stream_in(visit):
    page = visit()
    page.evaluate("""() => { const b = document.querySelector('.interpolation'); window.seen = [];
        new MutationObserver(() => window.seen.push(Number(b.dataset.index)))
            .observe(b, { attributes: true, attributeFilter: ['data-index'] }); }""")
    mode(page, "Strip")
    page.get_by_role("button", name="Add the most different texture").click()
    page.wait_for_function("document.querySelector('.interpolation').dataset.index === '16'")
    assert len(chosen(page)) == 2 and "brick" in chosen(page)
    seen = page.evaluate("window.seen")
    last_run = seen[len(seen) - seen[::-1].index(0) :]  # each run begins at 0
    assert last_run == sorted(last_run) and last_run[-1] == 16 and len(set(last_run)) >= 2


@pytest.mark.slow
def test_places_and_the_closer_look(visit):
    page = strip(visit)
    before = between_run(page)
    page.get_by_label("Pictures in the strip").select_option("11")
    ready(page, before)
    assert len(row(page, 0)) == 11 and "places=11" in page.url
    page.locator(".interpolation .row").nth(1).locator("canvas").nth(0).hover()
    expect(page.locator(".interpolation figcaption").first).to_have_text("100 % brick")
    page.locator(".interpolation .cell").nth(5).focus()
    expect(page.locator(".interpolation figcaption").first).to_have_text("50 % brick · 50 % moss")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".interpolation figcaption").first).to_have_text("40 % brick · 60 % moss")


def test_a_link_opens_the_same_strip(visit, server):
    page = strip(visit)
    assert "mode=strip&places=7" in page.url
    other = visit(path=page.url.removeprefix(server.url).lstrip("/"))
    ready(other, "0")
    assert other.get_by_role("tab", name="Strip").get_attribute("aria-selected") == "true"
    for k in range(3):
        assert all(np.array_equal(a, b) for a, b in zip(row(page, k), row(other, k), strict=True))
    assert other.url == page.url


def test_a_grid_whose_corners_are_filled_and_a_picture_that_becomes_the_target(visit, pipe):
    page = visit()
    mode(page, "Grid")
    expect(page.locator(".interpolation .missing p")).to_contain_text("four corners: choose 3 more textures")
    page.get_by_role("button", name="Add the 3 nearest textures").click()
    page.wait_for_function("document.querySelectorAll('.interpolation .cell').length === 25")
    ready(page)
    assert overflow(page) == (0, 0)
    corners = page.locator(".interpolation .corner").all_inner_texts()
    assert sorted(corners) == ["brick", "moss", "sand", "slate"] and corners[0] == "brick"
    cells = [canvas(page, ".interpolation .cell canvas", k) for k in range(25)]
    for place, name in zip((0, 4, 20, 24), corners, strict=True):
        assert same_picture(cells[place], expected(pipe, name))
    assert same_picture(cells[12], expected(pipe, dict.fromkeys(corners, 0.25)))
    before = run_of(page)
    page.locator(".interpolation .cell").nth(2).click()
    finished(page, before)
    expect(page.locator("#interpolation-panel")).to_be_hidden()
    assert page.get_by_role("tab", name="Sample").get_attribute("aria-selected") == "true"
    shares = weights(page)
    assert shares[corners[0]] == shares[corners[1]] == 0.5 and len(shares) == 4
    page.go_back()
    ready(page)
    expect(page.locator("#interpolation-panel")).to_be_visible()
    assert page.get_by_role("tab", name="Grid").get_attribute("aria-selected") == "true"


def test_a_loop_plays_and_is_taken_home_as_gif_and_film(visit, pipe, tmp_path):
    import av

    page = strip(visit, reduced_motion="no-preference")
    before = between_run(page)
    mode(page, "Loop")
    ready(page, before)
    assert overflow(page) == (0, 0)
    place = page.locator(".interpolation").get_attribute("data-position")
    expect(page.locator(".interpolation")).not_to_have_attribute("data-position", place)  # it plays
    page.get_by_role("button", name="Pause").click()
    scrub = page.get_by_label("Place in the loop")
    assert scrub.get_attribute("max") == "23"
    scrub.focus()
    page.keyboard.press("Home")
    expect(page.locator(".interpolation")).to_have_attribute("data-position", "0")
    name, gif = saved(page, "GIF", tmp_path)
    assert name == "brick-moss-seed-0-loop.gif"
    moving = Image.open(io.BytesIO(gif))
    assert moving.n_frames == 24
    name, film = saved(page, "MP4", tmp_path)
    assert name == "brick-moss-seed-0-loop.mp4"
    with av.open(io.BytesIO(film)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(frames) == 24
    for k, texture in ((0, "brick"), (12, "moss")):
        colour = expected(pipe, texture).mean(axis=(0, 1))
        assert np.abs(frames[k].mean(axis=(0, 1)) - colour).max() < 6
        moving.seek(k)
        assert np.abs(np.asarray(moving.convert("RGB")).mean(axis=(0, 1)) - colour).max() < 6


@pytest.mark.slow
def test_the_slider_of_coarse_and_fine_changes_the_picture_before_it_is_released(visit, pipe, tmp_path):
    page = strip(visit)
    before = between_run(page)
    mode(page, "Coarse/fine")
    ready(page, before)
    assert overflow(page) == (0, 0)
    first = canvas(page, ".interpolation .single")
    slider = page.get_by_label("Where coarse goes over to detail")
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2, steps=4)
    page.wait_for_function(
        "(() => { const { preview, index } = document.querySelector('.interpolation').dataset;"
        "         return preview === 'true' && index === '5'; })()"
    )
    assert not np.array_equal(canvas(page, ".interpolation .single"), first)
    before = between_run(page)
    page.mouse.up()
    ready(page, before)
    switch = float(re.search(r"switch=([\d.]+)", page.url)[1])
    assert "mode=coarse-fine" in page.url and switch < 0.5
    picture = np.asarray(Image.open(io.BytesIO(saved(page, "Save", tmp_path)[1])))
    assert np.array_equal(picture, expected(pipe, coarse_fine({"brick": 1}, {"moss": 1}, switch)))
    before = between_run(page)
    page.get_by_role("button", name="Swap the two textures").click()
    ready(page, before)
    expect(page.locator(".interpolation .end").first).to_have_text("coarse: moss")
    picture = np.asarray(Image.open(io.BytesIO(saved(page, "Save", tmp_path)[1])))
    assert np.array_equal(picture, expected(pipe, coarse_fine({"moss": 1}, {"brick": 1}, switch)))


def test_by_keyboard_the_slider_refines_at_each_key(visit):
    page = strip(visit)
    before = between_run(page)
    mode(page, "Coarse/fine")
    ready(page, before)
    before, link = between_run(page), page.url
    page.get_by_label("Where coarse goes over to detail").press("ArrowLeft")
    ready(page, before)
    assert page.url != link


@pytest.mark.slow
def test_stop_and_a_new_wish_end_a_loop(visit, server):
    page = visit(path="?mix=brick:0.4,moss:0.3,slate:0.3&mode=loop&size=128&steps=100")
    page.wait_for_function("Number(document.querySelector('.interpolation').dataset.index) >= 1")
    page.locator("#stop").click()
    expect(page.locator(".interpolation .status")).to_have_text("Stopped.")
    expect(page.locator("#stop")).to_be_disabled()
    assert page.locator(".interpolation").get_attribute("data-done") == "false"
    lines = len(server.lines())
    before = between_run(page)
    page.locator("#sample").click()
    page.wait_for_function("run => document.querySelector('.interpolation').dataset.run !== run", arg=before)
    mode(page, "Sample")
    finished(page, "0")
    expect(page.locator("#interpolation-panel")).to_be_hidden()
    # the loop has 36 pictures of 100 steps each, two at a time; the sample of four takes 100 steps
    assert len(server.lines()) - lines < 18 * 100 + 100


def test_a_hand_on_the_map_shows_the_picture_and_the_strip_comes_back(visit):
    page = strip(visit)
    before = between_run(page)
    mark = page.locator(".map-panel .ring").bounding_box()
    page.mouse.move(mark["x"] + 12, mark["y"] + 12)
    page.mouse.down()
    page.mouse.move(mark["x"] + 40, mark["y"] + 20, steps=4)
    expect(page.locator("#picture-panel")).to_be_visible()
    page.mouse.up()
    ready(page, before)
    expect(page.locator("#interpolation-panel")).to_be_visible()
    expect(page.locator("#picture-panel")).to_be_hidden()


def test_tabs_by_keyboard(visit):
    page = visit()
    page.get_by_role("tab", name="Sample").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.mode") == "strip"
    page.keyboard.press("Enter")
    expect(page.locator(".interpolation .missing")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    finished(page, "0")
    expect(page.locator("#picture-panel")).to_be_visible()


@pytest.mark.parametrize(
    ("query", "words"),
    [("mode=spiral", "Mode must be sample or strip"), ("mode=strip&places=99", "Places must be a whole")],
)
def test_a_broken_link_is_named(visit, query, words):
    page = visit(path=f"?mix=moss:1&{query}")
    expect(page.locator(".picture .message")).to_contain_text(f"This link cannot be opened. {words}")


@pytest.mark.slow
def test_a_forged_picture_changes_nothing_and_a_forged_target_is_answered(visit):
    page = strip(visit)
    page.route(re.compile("queue/join"), lambda route: forge(route, {"weights": {"gold": 1}}))
    page.locator(".interpolation .cell").nth(3).click()
    expect(page.locator(".interpolation .error")).to_have_text("There is no texture named 'gold'.")
    page.unroute(re.compile("queue/join"))
    before = between_run(page)
    page.locator("#sample").click()
    ready(page, before)
    expect(page.locator(".interpolation .error")).to_be_hidden()


def forge(route, event_data: dict) -> None:
    body = route.request.post_data_json
    if body.get("event_data"):
        body["event_data"] = event_data
    else:
        body["data"][0] = [{"name": "gold", "weight": 1}]
    route.continue_(post_data=json.dumps(body))


def test_on_a_phone_nothing_is_wider_than_the_screen(visit):
    page = visit(viewport=PHONE, has_touch=True, is_mobile=True)
    for name in ("Strip", "Grid", "Loop", "Coarse/fine"):
        page.get_by_role("tab", name=name).tap()
        expect(page.locator(".interpolation .missing")).to_be_visible()
        assert overflow(page)[0] == 0
    before = between_run(page)
    page.get_by_role("button", name="Add the most different texture").tap()
    page.wait_for_function("document.querySelector('.interpolation .single') !== null")
    ready(page, before)
    assert overflow(page)[0] == 0
    tops = [
        page.locator(part).bounding_box()["y"] for part in ("#interpolation-panel", "#map-panel", "#controls")
    ]
    assert tops == sorted(tops)


def test_every_control_of_the_room_has_a_name(visit):
    page = strip(visit)
    for name in ("Strip", "Loop", "Coarse/fine"):
        before = between_run(page)
        if name != "Strip":
            mode(page, name)
            ready(page, before)
        nameless = page.evaluate("""() => [...document.querySelectorAll('#right :is(button, input, select)')]
            .filter(e => e.checkVisibility())
            .filter(e => !(e.ariaLabel || e.title || e.textContent.trim() || e.labels?.length
                           || e.getAttribute('aria-labelledby')))
            .map(e => e.outerHTML.slice(0, 120))""")
        assert nameless == []
