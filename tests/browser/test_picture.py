"""Watching diffusion and taking it home, in a real Chromium."""

from __future__ import annotations

import base64
import io
import json
import re

import av
import numpy as np
import pytest
from browser_help import (
    DESKTOP,
    PHONE,
    chosen,
    dot,
    finished,
    on_screen,
    overflow,
    pixels,
    run_of,
    slow_run,
    under_way,
    until_ended,
)
from picture_help import distance, luma, nearest
from PIL import Image
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.integration]


@pytest.fixture(scope="module")
def steps(pipe) -> list:
    """What the first screen shows."""
    return list(pipe.stream("brick", n=4, steps=16, size=64, seed=0))


def scrub(page: Page):
    return page.get_by_label("Step", exact=True)


def go_to(page: Page, step: int) -> None:
    """Move the timeline's thumb by keyboard."""
    assert 1 <= step <= int(page.locator(".picture").get_attribute("data-steps"))
    scrub(page).focus()
    while (now := int(scrub(page).input_value())) != step:
        page.keyboard.press("ArrowLeft" if now > step else "ArrowRight")
    shows(page, step)


def shows(page: Page, step: int) -> None:
    page.wait_for_function("k => document.querySelector('.picture').dataset.index === k", arg=str(step))


def watch(page: Page, name: str) -> None:
    page.locator("#view label", has_text=name).click()


def saved(page: Page, name: str) -> tuple[str, bytes]:
    """Choose from the menu; name and content of the file that comes."""
    page.get_by_role("button", name="Save", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name=name).click()
    path = download.value.path()
    return download.value.suggested_filename, path.read_bytes()


def points(page: Page, line: str) -> np.ndarray:
    text = page.locator(f".picture .chart .{line}").get_attribute("points")
    return np.array([[float(v) for v in pair.split(",")] for pair in text.split()])


@pytest.mark.parametrize("asked", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_timeline_shows_each_step_of_the_first_screen_and_of_a_run(visit, steps, asked):
    page = visit()
    if asked:
        page.locator("#sample").click()
        finished(page, "0")
    for step in (15, 9, 2, 1, 4, 16):
        go_to(page, step)
        shown = on_screen(page, 1)
        right = distance(shown, steps[step - 1].images[1], side=16)
        assert right < 10
        others = [distance(shown, steps[k - 1].images[1], side=16) for k in range(1, 17) if abs(k - step) > 2]
        assert min(others) > right
        assert page.locator('[data-readout="step"]').inner_text() == f"{step} / 16"
        assert float(page.locator('.picture [data-readout="sigma"]').inner_text()) == pytest.approx(
            steps[step - 1].sigma, rel=0.02, abs=1e-3
        )
        far = page.locator('.picture [data-readout="distance"]').inner_text()
        assert far.endswith(" %")
        assert float(far[:-2]) == pytest.approx(
            100 * float(steps[step - 1].relative_distance.mean()), rel=0.01, abs=0.51
        )
    assert np.array_equal(pixels(page, 1), np.asarray(steps[-1].images[1]))


def test_what_is_saved_is_the_sample_whatever_step_is_looked_at(visit, steps):
    page = visit()
    go_to(page, 3)
    name, data = saved(page, "PNG the picture")
    assert name == "brick-seed-0.png"
    image = Image.open(io.BytesIO(data)).convert("RGB")
    assert np.array_equal(np.asarray(image)[:64, 64:], np.asarray(steps[-1].images[1]))


def test_noise_estimate_or_both_at_once_without_a_new_run(visit, server, steps):
    page = visit()
    page.locator("#sample").click()
    finished(page, "0")
    done, run = len(server.lines()), run_of(page)
    go_to(page, 6)
    both = steps[5].images[0], steps[5].denoised[0]
    assert nearest(on_screen(page), both) == 0
    watch(page, "Estimate")
    page.wait_for_selector('.picture[data-view="estimate"]')
    assert nearest(on_screen(page), both) == 1
    assert "watch=estimate" in page.url
    watch(page, "Both")
    page.wait_for_selector('.picture[data-view="both"]')
    assert [page.locator(f"{pane} canvas").count() for pane in (".samples", ".estimates")] == [4, 4]
    assert [nearest(on_screen(page, k), both) for k in (0, 4)] == [0, 1]
    left, right = (page.locator(pane).bounding_box() for pane in (".samples", ".estimates"))
    assert left["x"] + left["width"] < right["x"]
    assert left["y"] == right["y"]
    assert overflow(page) == (0, 0)
    assert "watch=both" in page.url
    assert (len(server.lines()), run_of(page)) == (done, run)
    watch(page, "Noise")
    page.wait_for_selector('.picture[data-view="noise"]')
    assert page.locator(".picture canvas").count() == 4
    # and the next run keeps to it
    watch(page, "Both")
    dot(page, "moss").click()
    finished(page, run)
    assert "watch=both" in page.url
    assert page.locator(".picture canvas").count() == 8


def test_the_chart_has_a_point_for_each_step_and_values_under_the_pointer(visit, steps):
    page = visit()
    sigma, far = points(page, "sigma"), points(page, "distance")
    assert len(sigma) == len(far) == 16
    assert sigma[:, 0] == pytest.approx(np.linspace(0, 100, 16), abs=0.01)
    # down is positive: noise falls, in proportion to its logarithm
    logs = np.log([step.sigma for step in steps])
    assert np.corrcoef(sigma[:, 1], -logs)[0, 1] > 0.9999
    assert np.corrcoef(far[:, 1], [-float(step.relative_distance.mean()) for step in steps])[0, 1] > 0.9999
    box = page.locator(".picture .chart").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 4 / 15, box["y"] + box["height"] / 2)
    assert page.locator('[data-readout="step"]').inner_text() == "5 / 16"
    assert page.locator(".picture").get_attribute("data-index") == "16"
    page.mouse.down()
    shows(page, 5)
    page.mouse.move(box["x"] + box["width"] * 9 / 15, box["y"] + box["height"] / 2, steps=3)
    shows(page, 10)
    page.mouse.up()
    assert scrub(page).input_value() == "10"
    marker = float(page.locator(".picture .chart .marker").get_attribute("x1"))
    assert marker == pytest.approx(60)
    page.mouse.move(5, 5)
    assert page.locator('[data-readout="step"]').inner_text() == "10 / 16"


def test_play_and_pause(visit):
    page = visit()
    page.evaluate("""() => { const p = document.querySelector('.picture'); window.seen = [];
        new MutationObserver(() => window.seen.push(Number(p.dataset.index)))
            .observe(p, { attributes: true, attributeFilter: ['data-index'] }); }""")
    page.get_by_role("button", name="Play the steps").click()
    page.wait_for_function("window.seen.at(-1) === 16")
    seen = page.evaluate("window.seen")
    assert seen == sorted(seen) and seen[0] < 8 and len(set(seen)) >= 3
    go_to(page, 1)
    page.get_by_role("button", name="Play the steps").click()
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(300)
    stood = page.locator(".picture").get_attribute("data-index")
    page.wait_for_timeout(400)
    assert page.locator(".picture").get_attribute("data-index") == stood != "16"


@pytest.mark.slow
def test_every_step_of_a_run_is_kept_and_looking_back_does_not_stop_it(visit, server):
    page = visit()
    slow_run(page)
    page.locator("#sample").click()
    under_way(page)
    scrub(page).evaluate("s => { s.value = 1; s.dispatchEvent(new Event('input')); }")
    shows(page, 1)
    have = int(page.locator(".picture").get_attribute("data-steps"))
    page.wait_for_function("n => document.querySelector('.picture').dataset.steps >= n", arg=have + 2)
    assert page.locator(".picture").get_attribute("data-index") == "1"
    page.locator("#stop").click()
    expect(page.locator("#stop")).to_be_disabled()
    count = int(page.locator(".picture").get_attribute("data-steps"))
    assert have + 2 <= count < 100
    assert len(points(page, "sigma")) == count
    go_to(page, count)  # those that came can still be looked at


@pytest.mark.slow
def test_a_run_looked_back_at_is_finished_all_the_same(visit, steps):
    page = visit()
    page.locator("#size input").click()
    page.get_by_role("option", name="256 px").click()
    page.locator("#sample").click()
    page.wait_for_function(
        "() => { const { run, index } = document.querySelector('.picture').dataset;"
        "        return run !== '0' && Number(index) >= 1; }"
    )
    scrub(page).evaluate("s => { s.value = 1; s.dispatchEvent(new Event('input')); }")
    finished(page, "0")
    assert page.locator(".picture").get_attribute("data-steps") == "16"
    assert pixels(page).shape == (256, 256, 3)


class TestTakingHome:
    def test_the_contact_sheet(self, visit, steps):
        page = visit()
        name, data = saved(page, "Contact sheet")
        sheet = Image.open(io.BytesIO(data))
        assert name == "brick-seed-0-steps.png"
        assert sheet.size == (4 * 128 + 3 * 4, 4 * (128 + 14) + 3 * 4)
        left, top = 1 * 132, 2 * 146  # step 10
        cut = np.asarray(sheet.crop((left, top, left + 64, top + 64)))
        assert np.array_equal(cut, np.asarray(steps[9].images[0]))
        expect(page.locator(".save .open")).to_have_text("Save")

    def test_the_gif(self, visit):
        name, data = saved(visit(), "GIF")
        gif = Image.open(io.BytesIO(data))
        assert (name, gif.format, gif.n_frames, gif.size) == ("brick-seed-0.gif", "GIF", 16, (256, 256))

    def test_the_film_plays_in_the_browser(self, visit, steps):
        page = visit()
        watch(page, "Both")
        page.wait_for_selector('.picture[data-view="both"]')
        name, data = saved(page, "MP4")
        assert name == "brick-seed-0.mp4"
        with av.open(io.BytesIO(data)) as film:
            frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
        assert len(frames) == 16 + 9
        assert frames[0].shape == (256, 520, 3)
        estimate = np.asarray(steps[5].denoised[0].resize((128, 128), Image.Resampling.LANCZOS), dtype=float)
        assert np.abs(frames[5][:128, 264:392] - estimate).mean() < 12
        size = page.evaluate(
            """async (url) => { const video = document.createElement('video');
                video.muted = true; video.src = url;
                await new Promise((good, bad) => { video.onloadeddata = good;
                    video.onerror = () => bad(video.error.message); });
                return [video.videoWidth, video.videoHeight]; }""",
            "data:video/mp4;base64," + base64.b64encode(data).decode(),
        )
        assert size == [520, 256]

    def test_the_lines_of_python_make_the_same_pixels(self, visit, checkpoint_folder, tmp_path, monkeypatch):
        page = visit(permissions=["clipboard-read", "clipboard-write"])
        page.locator("#seed input").fill("5")
        dot(page, "moss").click(modifiers=["Shift"])
        finished(page, "0")
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_role("menuitem", name="Python").click()
        lines = page.locator(".save dialog pre")
        expect(lines).to_contain_text("pipe.stream(")
        page.get_by_role("button", name="Copy").click()
        expect(page.locator(".save .status")).to_have_text("Copied.")
        text = page.evaluate("navigator.clipboard.readText()")
        assert text.strip() == lines.inner_text().strip()
        assert str(checkpoint_folder) not in text  # where the server keeps it is nobody's business
        page.get_by_role("button", name="Close").click()
        expect(page.locator(".save dialog")).to_be_hidden()
        monkeypatch.chdir(tmp_path)
        known: dict = {}
        exec(text.replace("/".join(checkpoint_folder.parts[-2:]), str(checkpoint_folder)), known)
        for k, image in enumerate(known["images"]):
            assert np.array_equal(np.asarray(image), pixels(page, k))

    @pytest.mark.slow
    def test_a_new_run_ends_the_making_of_a_file(self, visit, server):
        page = visit()
        slow_run(page)
        page.locator("#sample").click()
        under_way(page)
        page.locator("#stop").click()
        expect(page.locator("#stop")).to_be_disabled()
        until_ended(server, 0)
        begun = len(server.lines())
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_role("menuitem", name="GIF").click()
        expect(page.locator(".save .open")).to_have_text(re.compile("%"))
        assert page.locator(".save .open").get_attribute("aria-busy") == "true"
        dot(page, "moss").click()
        expect(page.locator(".save .open")).to_have_text("Save")
        ran = until_ended(server, begun)
        assert 1 <= ran.index("end") < 100
        page.locator("#stop").click()
        expect(page.locator("#stop")).to_be_disabled()
        assert page.locator(".message").is_hidden()

    def test_a_forged_wish_is_answered_with_a_sentence(self, visit):
        page = visit()

        def forge(route):
            body = json.loads(route.request.post_data)
            if (body.get("event_data") or {}).get("kind"):
                body["event_data"]["kind"] = "../exe"
            route.continue_(post_data=json.dumps(body))

        page.route(re.compile("queue/join"), forge)
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_role("menuitem", name="GIF").click()
        expect(page.locator(".message")).to_have_text("There is no such kind of file.")
        expect(page.locator(".save .open")).to_have_text("Save")
        page.unroute(re.compile("queue/join"))
        assert saved(page, "GIF")[0] == "brick-seed-0.gif"
        expect(page.locator(".message")).to_be_hidden()

    def test_the_menu_by_keyboard(self, visit):
        page = visit()
        menu = page.get_by_role("menu", name="Save")
        page.get_by_role("button", name="Save", exact=True).focus()
        page.keyboard.press("Enter")
        expect(menu).to_be_visible()
        page.keyboard.press("ArrowUp")
        assert page.evaluate("document.activeElement.dataset.save") == "link"
        page.keyboard.press("Escape")
        expect(menu).to_be_hidden()
        assert page.evaluate("document.activeElement.className") == "open"
        page.keyboard.press("Enter")
        expect(menu).to_be_visible()
        page.mouse.click(5, 5)
        expect(menu).to_be_hidden()


def test_a_seamless_image_is_shown_three_times_three(visit):
    page = visit()
    tile = page.get_by_role("button", name="Tile 3 × 3")
    expect(tile).to_be_hidden()
    page.get_by_role("button", name="More").click()
    page.get_by_label("Seamless tile").check()
    page.locator("#sample").click()
    finished(page, "0")
    single = on_screen(page, 2)
    tile.click()
    assert tile.get_attribute("aria-pressed") == "true"
    page.wait_for_selector('.picture[data-tiled="true"]')
    shown = on_screen(page, 2)
    side = len(shown) // 3
    assert shown.shape == (3 * side, 3 * side, 3)
    one = shown[:side, :side]
    assert np.array_equal(shown, np.tile(one, (3, 3, 1)))
    assert distance(one, Image.fromarray(pixels(page, 2))) < 4
    # across the seam it goes on as it does inside
    jumps = np.abs(np.diff(luma(shown), axis=1)).mean(axis=0)
    assert jumps[side - 1] < 2 * jumps.mean()
    tile.click()
    page.wait_for_selector('.picture[data-tiled="false"]')
    assert np.array_equal(on_screen(page, 2), single)
    page.get_by_label("Seamless tile").uncheck()
    before = run_of(page)
    page.locator("#sample").click()
    finished(page, before)
    expect(tile).to_be_hidden()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_all_fits(visit, viewport):
    page = visit(viewport=viewport)
    assert overflow(page)[0] == 0
    for part in (".save .open", "#view", ".picture .play", ".picture .chart", ".picture .scrub", ".dot"):
        box = page.locator(part).first.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= viewport["width"]
        # on a phone what to show of a step comes after the textures
        assert box["y"] + box["height"] <= viewport["height"] or (part == "#view" and viewport == PHONE)
    chart, thumb = (page.locator(part).bounding_box() for part in (".picture .chart", ".picture .scrub"))
    assert chart["y"] + chart["height"] <= thumb["y"] + 1
    assert chart["x"] == pytest.approx(thumb["x"] + 7, abs=0.5)  # under step 1 is the middle of the thumb
    assert chosen(page) == ["brick"]
