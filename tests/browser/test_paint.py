"""The paint panel, as a visitor works with it, in a real Chromium."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pytest
from browser_help import PHONE, dot, finished, overflow, run_of, transfer
from film_help import film_frames, in_few_pixels
from paint_help import easel, opened, painted, picture, pictures, saved, stroke
from PIL import Image
from playwright.sync_api import Page, expect

from fgsd.app.serving.painting import textures_of_colours_function
from fgsd.cli.main import main

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def test_a_stroke_changes_pixels_before_the_button_is_released(visit):
    page = opened(visit())
    before, count = picture(page), pictures(page)
    dot(page, "slate").click()
    stroke(page, (0.3, 0.3), (0.7, 0.3))
    painted(page, count, "preview")
    following = picture(page)
    assert not np.array_equal(following, before)
    count = pictures(page)
    page.mouse.up()
    painted(page, count)
    after = picture(page).astype(int)
    side = after.shape[0]
    changed = np.abs(after - before).mean(axis=2)
    assert (
        changed[int(0.3 * side), int(0.35 * side) : int(0.65 * side)].mean()
        > 3 * changed[int(0.8 * side) :].mean()
    )
    # undo: the picture of before, to the bit
    count = pictures(page)
    page.locator(".paint .undo").click()
    painted(page, count)
    assert np.array_equal(picture(page), before)
    expect(page.locator(".paint .undo")).to_be_disabled()


def test_a_stroke_does_not_wait_for_the_picture_of_the_one_before(visit):
    page = opened(visit())
    page.locator(".paint .side").select_option("256")
    dot(page, "slate").click()
    shown = """count => { const { pictures, shown } = document.querySelector('.paint').dataset;
                          return Number(pictures) > count && shown === 'preview'; }"""
    stroke(page, (0.2, 0.2), (0.8, 0.2))
    page.mouse.up()  # all steps are asked for
    count = int(pictures(page))
    stroke(page, (0.2, 0.6), (0.8, 0.6))
    page.wait_for_function(shown, arg=count)
    count = pictures(page)
    page.mouse.up()
    painted(page, count)
    expect(page.locator(".paint .progress")).to_be_hidden()


def test_the_map_changes_the_texture_of_the_brush_and_only_its_region(visit):
    page = opened(visit())
    count = pictures(page)
    dot(page, "slate").click()
    expect(page.locator(".paint .advice")).to_contain_text("The brush has slate")
    stroke(page, (0.0, 0.1), (1.0, 0.1))
    page.mouse.up()
    painted(page, count)
    before, count = picture(page).astype(int), pictures(page)
    entries = page.locator(".paint .palette button")
    assert entries.count() == 2 and entries.nth(1).get_attribute("aria-pressed") == "true"
    page.locator(".paint .follows").check()
    other = "brick" if entries.nth(0).get_attribute("aria-label") != "brick" else "moss"
    dot(page, other).click()
    painted(page, count)
    expect(entries.nth(1)).to_have_attribute("aria-label", other)
    changed = np.abs(picture(page) - before).mean(axis=2)
    side = len(changed)
    assert changed[: side // 8].mean() > 1 and changed[: side // 8].mean() > 2 * changed[side // 2 :].mean()
    assert entries.count() == 2


def test_the_brush_takes_what_is_in_the_palette_or_under_it(visit):
    page = opened(visit())
    entries, count = page.locator(".paint .palette button"), pictures(page)
    first = entries.nth(0).get_attribute("aria-label")
    dot(page, "slate").click()
    stroke(page, (0.2, 0.2), (0.4, 0.2))
    page.mouse.up()
    painted(page, count)
    entries.nth(0).click()
    expect(page.locator(".paint .advice")).to_contain_text(f"The brush has {first}")
    count = pictures(page)
    stroke(page, (0.2, 0.2), (0.4, 0.2))  # an eraser: all is the first texture again
    page.mouse.up()
    painted(page, count)
    count = pictures(page)
    page.locator(".paint .undo").click()
    painted(page, count)
    page.keyboard.down("Alt")
    page.mouse.click(*easel(page, 0.3, 0.2))
    page.keyboard.up("Alt")
    expect(page.locator(".paint .advice")).to_contain_text("The brush has slate")
    assert entries.count() == 2


def test_by_keyboard_alone(visit):
    page = visit()
    page.get_by_role("button", name="Paint", exact=True).focus()
    page.keyboard.press("Enter")
    painted(page, "0")
    expect(page.locator(".paint .plan")).to_be_focused()
    before, count = picture(page), pictures(page)
    page.evaluate("document.querySelector('.dot[data-name=slate]').click()")
    page.locator(".paint .plan").focus()
    for key in ("ArrowUp", "ArrowLeft", "]", "Space"):
        page.keyboard.press(key)
    painted(page, count)
    assert not np.array_equal(picture(page), before)
    count = pictures(page)
    page.keyboard.press("Control+z")
    painted(page, count)
    assert np.array_equal(picture(page), before)
    page.keyboard.press("Escape")
    expect(page.locator(".paint")).to_be_hidden()
    expect(page.locator("#picture-panel")).to_be_visible()


def test_while_painting_the_map_samples_nothing_and_afterwards_what_was_chosen(visit):
    page = visit()
    before = run_of(page)
    opened(page)
    dot(page, "slate").click()
    page.wait_for_timeout(800)
    assert run_of(page) == before
    page.get_by_role("button", name="Done").click()
    finished(page, before)
    assert "mix=slate" in page.url


def painted_line(page: Page) -> None:
    """A line of slate."""
    count = pictures(page)
    dot(page, "slate").click()
    stroke(page, (0.2, 0.2), (0.8, 0.8))
    page.mouse.up()
    painted(page, count)


def test_the_steps_are_watched_again_and_saved(visit, tmp_path):
    page = opened(visit())
    painted_line(page)
    last, slider = picture(page), page.locator(".paint .scrub")
    assert slider.get_attribute("max") == "16" and slider.input_value() == "16"
    expect(page.locator(".paint .duration")).to_have_text(re.compile(r"^16 steps in \d+\.\d s$"))
    slider.focus()
    for _ in range(13):
        page.keyboard.press("ArrowLeft")
    expect(page.locator(".paint [data-readout=sigma]")).not_to_have_text("0.020")
    page.wait_for_function("document.querySelector('.paint').dataset.index === '3'")
    assert np.abs(picture(page).astype(int) - last).mean() > 10
    file = saved(page, "png", tmp_path)  # of the newest step, whatever is on the screen
    assert file.name == "painting-seed-0.png"
    assert np.array_equal(np.asarray(Image.open(file).convert("RGB")), last)
    with Image.open(saved(page, "gif", tmp_path)) as film:
        assert film.n_frames == 16
        far = []
        for k in (7, 15):
            film.seek(k)
            shrunk = film.convert("RGB").resize(last.shape[:2], Image.Resampling.BOX)
            far.append(np.abs(np.asarray(shrunk).astype(int) - last).mean())
    assert far[1] < 0.7 * far[0]  # a GIF has few colours
    page.locator(".paint .play").click()
    page.wait_for_function("document.querySelector('.paint').dataset.index === '16'")
    # back on the map, the menu saves its picture again
    page.get_by_role("button", name="Done").click()
    page.locator(".save .open").click()
    expect(page.locator(".save [data-save=link]")).to_be_visible()
    expect(page.locator(".save [data-save=plan]")).to_be_hidden()


def test_a_gradient_leads_from_the_texture_under_it_to_that_of_the_brush(visit):
    page = opened(visit())
    before, count = picture(page).astype(int), pictures(page)
    page.locator(".paint .gradient").check()
    stroke(page, (0.1, 0.5), (0.3, 0.5))
    page.mouse.up()
    expect(page.locator(".paint .advice")).to_contain_text("choose one")
    assert pictures(page) == count
    dot(page, "slate").click()
    expect(page.locator(".paint .advice")).to_contain_text("becomes slate")
    stroke(page, (0.3, 0.5), (0.7, 0.5))
    painted(page, count, "preview")
    count = pictures(page)
    page.mouse.up()
    painted(page, count)
    changed = np.abs(picture(page) - before).mean(axis=(0, 2))
    fifths = [part.mean() for part in np.array_split(changed, 5)]
    assert fifths[0] < 0.5 * fifths[4] and fifths[0] < fifths[2]
    count = pictures(page)
    page.locator(".paint .undo").click()
    painted(page, count)
    assert np.array_equal(picture(page), before)
    # by keys: Space at both ends
    count = pictures(page)
    page.locator(".paint .plan").focus()
    for key in ["Space", *["ArrowRight"] * 6, "Space"]:
        page.keyboard.press(key)
    painted(page, count)
    assert not np.array_equal(picture(page), before)


def test_a_plan_from_elsewhere_is_painted_with_textures_of_its_colours(visit, pipe):
    page = opened(visit())
    plan = Image.new("RGB", (300, 200), "#c03020")
    plan.paste("#2a7a30", (150, 0, 300, 200))
    count = pictures(page)
    page.locator(".paint .plan").dispatch_event("drop", {"dataTransfer": transfer(page, plan, "map.png")})
    painted(page, count)
    # both colours have the same number of pixels: the first one in the image comes first
    red, green = textures_of_colours_function(pipe)(["#c03020", "#2a7a30"])["names"]
    entries = page.locator(".paint .palette button")
    assert [entries.nth(k).get_attribute("aria-label") for k in range(entries.count())] == [red, green]
    left = np.zeros((128, 128), dtype=bool)
    left[:, :64] = True
    [expected] = pipe.paint([(red, left), (green, ~left)], feather=3, seed=0)
    assert np.array_equal(picture(page), np.asarray(expected))
    assert page.locator(".user-textures .thumbs button").count() == 0  # it is no texture of the visitor
    page.locator(".paint .plan-file").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no image"}
    )
    expect(page.locator(".paint .error")).to_have_text("notes.txt is no image that this browser can read.")


def test_a_saved_plan_brings_the_painting_back(visit, tmp_path):
    page = opened(visit())
    page.locator(".paint .side").select_option("192")
    page.locator(".paint .feather").fill("3")
    page.locator(".paint .tileable").check()
    painted_line(page)
    before, file = picture(page), saved(page, "plan", tmp_path)
    other = opened(visit())
    count = pictures(other)
    other.locator(".paint .plan-file").set_input_files(file)
    painted(other, count)
    assert np.array_equal(picture(other), before)
    assert other.locator(".paint .palette button").count() == 2
    assert other.locator(".paint .side").input_value() == "192"


def test_saved_plan_with_its_command_or_its_python_paints_the_picture(
    visit, tmp_path, monkeypatch, checkpoint_folder
):
    page = visit()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened(page)
    painted_line(page)
    saved(page, "plan", tmp_path)
    command = page.evaluate("navigator.clipboard.readText()")
    monkeypatch.chdir(tmp_path)
    program, *arguments = shlex.split(command)
    assert program == "fgsd"
    with pytest.raises(SystemExit) as end:
        main([*arguments, "-c", str(checkpoint_folder)])
    assert end.value.code == 0
    ours = np.asarray(Image.open(tmp_path / "painting.png").convert("RGB"))
    assert np.abs(picture(page).astype(int) - ours).max() <= 1
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("menuitem", name="Python").click()
    lines = page.locator(".save dialog pre")
    expect(lines).to_contain_text("pipe.paint_stream(")
    known: dict = {}
    exec(lines.inner_text().replace("/".join(checkpoint_folder.parts[-2:]), str(checkpoint_folder)), known)
    assert np.array_equal(np.asarray(known["images"][0]), ours)


@pytest.mark.integration
def test_a_stroke_is_saved_as_a_video(visit, tmp_path):
    page = opened(visit())
    count = pictures(page)
    dot(page, "slate").click()
    stroke(page, (0.2, 0.2), (0.8, 0.8))
    painted(page, count, "preview")  # which a busy machine makes late
    count = pictures(page)
    page.mouse.up()
    painted(page, count)
    page.locator(".save .open").click()
    frames, _ = film_frames(page, tmp_path, page.locator(".save [data-save=film]").click)
    likeness = [
        np.corrcoef(in_few_pixels(frame).ravel(), in_few_pixels(picture(page)).ravel())[0, 1]
        for frame in (frames[0], frames[-1])
    ]
    assert likeness[1] > 0.9 and likeness[1] > likeness[0]


def test_by_touch_on_a_phone(visit):
    page = visit(viewport=PHONE, has_touch=True)
    opened(page)
    before, count = picture(page), pictures(page)
    page.evaluate("document.querySelector('.dot[data-name=slate]').click()")
    page.locator(".paint .plan").scroll_into_view_if_needed()
    page.touchscreen.tap(*easel(page, 0.5, 0.5))
    painted(page, count)
    assert not np.array_equal(picture(page), before)
    assert overflow(page)[0] <= 0
