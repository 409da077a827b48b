"""Textures of the visitor's own and their files, in a real Chromium."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from browser_help import (
    PHONE,
    chosen,
    dot,
    expected,
    finished,
    give,
    names,
    overflow,
    photograph,
    pixels,
    png,
    run_of,
    same_picture,
    shows,
    thumb,
    transfer,
)
from PIL import Image
from playwright.sync_api import Page, expect

from fgsd.app.limits import MAX_UPLOAD_BYTES
from fgsd.app.render.recipe import fingerprint
from fgsd.app.render.user_textures import CROPS, MAX_USER_TEXTURES

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def add(page: Page, image: Image.Image, name: str = "my photo.png") -> None:
    """Choose an image with the button, and wait for the samples of it."""
    before = run_of(page)
    give(page, png(image), name)
    thumb(page, name.partition(".")[0]).wait_for()
    finished(page, before)


def own_picture(pipe, image: Image.Image, **classes: float) -> np.ndarray:
    """What the library gives for an image, or for a mixture of it and classes."""
    centroid = pipe.centroid_of(image, crops=CROPS, scale=1.0)
    if classes:
        from fgsd.centroids import mean_centroid

        parts = [(pipe.table.of(name), weight) for name, weight in classes.items()]
        centroid = mean_centroid([(centroid, 1 - sum(classes.values())), *parts])
    return expected(pipe, centroid)


def test_an_image_becomes_the_target_and_is_described(visit, pipe):
    page = visit()
    page.evaluate("document.addEventListener('fgsd:user-textures', e => (window.textures = e.detail))")
    image = photograph()
    add(page, image)
    assert same_picture(pixels(page), own_picture(pipe, image))
    assert names(page) == ["my photo"]
    near = pipe.nearest(pipe.centroid_of(image, crops=CROPS, scale=1.0), 3)
    words = ", ".join(f"{name} {distance:.1f}" for name, distance in near)
    expect(page.locator(".user-textures .nearest")).to_have_text(f"my photo is nearest to {words}")
    assert "may take the structure of classes" in page.locator(".user-textures .nearest").get_attribute(
        "title"
    )
    (texture,) = page.evaluate("window.textures")
    places = pipe.map.project_centroid("pca", pipe.centroid_of(image, crops=CROPS, scale=1.0))
    assert texture["name"] == "my photo" and texture["src"].startswith("data:image/")
    assert np.array(texture["pca"]) == pytest.approx(places, abs=1e-3)
    assert overflow(page) == (0, 0)


def test_an_image_is_dropped_anywhere_and_the_page_shows_that_it_may_be(visit, pipe):
    page = visit()
    overlay, data = (
        page.locator(".user-textures .drop-overlay"),
        transfer(page, photograph(seed=1), "dropped.png"),
    )
    expect(overlay).to_be_hidden()
    for kind in ("dragenter", "dragover"):
        page.dispatch_event(".picture", kind, {"dataTransfer": data})
    expect(overlay).to_be_visible()
    page.dispatch_event("body", "dragleave", {"dataTransfer": data})
    expect(overlay).to_be_hidden()
    page.dispatch_event(".picture", "dragover", {"dataTransfer": data})
    page.dispatch_event(".picture", "drop", {"dataTransfer": data})
    expect(overlay).to_be_hidden()
    thumb(page, "dropped").wait_for()
    finished(page, "0")
    assert same_picture(pixels(page), own_picture(pipe, photograph(seed=1)))


def test_an_image_is_pasted(visit, pipe):
    page = visit()
    data = transfer(page, photograph(seed=2), "image.png")
    page.evaluate(
        "data => document.body.dispatchEvent(new ClipboardEvent('paste',"
        " { clipboardData: data, bubbles: true, cancelable: true }))",
        data,
    )
    thumb(page, "my texture").wait_for()
    finished(page, "0")
    assert same_picture(pixels(page), own_picture(pipe, photograph(seed=2)))


def test_it_is_mixed_with_a_class_and_chosen_again(visit, pipe):
    page = visit()
    image = photograph()
    add(page, image)
    dot(page, "moss").click(modifiers=["Shift"])
    shows(page, "mix=my%2520photo:0.5,moss:0.5")
    assert same_picture(pixels(page), own_picture(pipe, image, moss=0.5))
    dot(page, "slate").click()
    shows(page, "mix=slate:1.0")
    thumb(page, "my photo").click(modifiers=["Shift"])
    shows(page, "mix=slate:0.5,my%2520photo:0.5")
    assert same_picture(pixels(page), own_picture(pipe, image, slate=0.5))
    thumb(page, "my photo").click()
    shows(page, "mix=my%2520photo:1.0")
    assert same_picture(pixels(page), own_picture(pipe, image))


def test_a_large_image_is_scaled_in_the_browser(visit, pipe):
    page = visit()
    large = photograph().resize((960, 960), Image.Resampling.BICUBIC)
    sent = []
    page.on("request", lambda r: sent.append(len(r.post_data or "")) if "queue/join" in r.url else None)
    add(page, large)
    assert len(png(large)) > 100_000 and max(sent) < 20_000
    # scaled by another filter than the library's: alike, not the same
    close = own_picture(pipe, large)
    assert np.abs(pixels(page).astype(int) - close).mean() < 12


# Browsers of phones draw nothing on larger canvases, without an error.
SMALL_CANVASES = """() => {
    for (const name of ['drawImage', 'fillRect']) {
        const draw = CanvasRenderingContext2D.prototype[name];
        CanvasRenderingContext2D.prototype[name] = function (...values) {
            if (this.canvas.width * this.canvas.height <= LIMIT) draw.apply(this, values);
        };
    }
}"""


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_photograph_of_a_phone_is_scaled_on_a_phone(visit, pipe, orientation):
    """24 megapixels; canvases of iOS have at most 16,777,216. Upright ones note a rotation."""
    page = visit(reduced_motion="no-preference")
    page.evaluate(SMALL_CANVASES.replace("LIMIT", "16777216"))
    small = photograph(57, 43)
    large, file = small.resize((5712, 4284), Image.Resampling.BICUBIC), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    large.save(file, "JPEG", quality=90, exif=exif)
    before = run_of(page)
    give(page, file.getvalue(), "IMG 7.jpg", "image/jpeg")
    thumb(page, "IMG 7").wait_for()
    finished(page, before)
    upright = small if orientation == 1 else small.transpose(Image.Transpose.ROTATE_270)
    seen = upright.resize((100 * upright.width, 100 * upright.height), Image.Resampling.BICUBIC)
    # the shorter side is that of the training images, as in the library
    close = own_picture(
        pipe, seen.resize((64, 48) if orientation == 1 else (48, 64), Image.Resampling.LANCZOS)
    )
    assert np.abs(pixels(page).astype(int) - close).mean() < 12


def test_a_canvas_that_stays_empty_is_noticed(visit):
    page = visit(reduced_motion="no-preference")
    page.evaluate(SMALL_CANVASES.replace("LIMIT", "1000"))
    give(page, png(photograph()), "wall.png")
    error = page.locator(".user-textures .error")
    expect(error).to_have_text("This browser could not draw wall.png; scale it down and try again.")
    assert run_of(page) == "0" and names(page) == []


def test_removed_it_leaves_the_mixture(visit, pipe):
    page = visit()
    add(page, photograph())
    dot(page, "moss").click(modifiers=["Shift"])
    shows(page, "mix=my%2520photo:0.5,moss:0.5")
    page.get_by_role("button", name="Remove your texture my photo").click()
    shows(page, "mix=moss:1.0")
    assert names(page) == [] and chosen(page) == ["moss"]
    assert same_picture(pixels(page), expected(pipe, "moss"))
    page.go_back()  # to what needs it
    expect(page.locator(".message")).to_contain_text("There is no texture named 'my photo'")
    dot(page, "slate").click()
    shows(page, "mix=slate:1.0")
    expect(page.locator(".message")).to_be_hidden()


def test_what_cannot_be_used_is_named_and_the_page_stays_usable(visit, pipe, tmp_path):
    page = visit()
    for content, name, kind, words in (
        (png(photograph(12, 20)), "small.png", "image/png", "12 x 20 pixels; at least 16 x 16 are needed"),
        (png(photograph())[:300], "cut.png", "image/png", "cut.png is no image that this browser can read;"),
        (b"hello", "words.txt", "text/plain", "words.txt is no image that this browser can read;"),
        (b"{}", "a.json", "application/json", "This file is no recipe that this page can open."),
        (b" " * 1_700_000, "b.json", "application/json", "b.json is too large for a recipe."),
    ):
        give(page, content, name, kind)
        expect(page.locator(".user-textures .error")).to_contain_text(words)
        assert run_of(page) == "0" and overflow(page) == (0, 0)
    large = tmp_path / "large.png"
    large.write_bytes(b"\x89PNG" + bytes(MAX_UPLOAD_BYTES))
    page.locator(".user-textures .file").set_input_files(large)
    expect(page.locator(".user-textures .error")).to_contain_text("large.png is larger than 25 MB")
    dot(page, "moss").click()
    finished(page, "0")
    expect(page.locator(".user-textures .error")).to_be_hidden()
    assert same_picture(pixels(page), expected(pipe, "moss"))


def test_a_forged_image_is_answered_with_a_sentence(visit):
    page = visit()

    def forge(route):
        body = json.loads(route.request.post_data)
        if isinstance(body.get("event_data"), dict) and "image" in body["event_data"]:
            body["event_data"]["image"] = "file:///etc/passwd"
        route.continue_(post_data=json.dumps(body))

    page.route("**/queue/join*", forge)
    give(page, png(photograph()))
    expect(page.locator(".user-textures .error")).to_have_text("What came is no image.")
    assert names(page) == []


def test_two_visitors_do_not_see_each_others(visit):
    one, other = visit(), visit()
    add(one, photograph())
    assert names(one) == ["my photo"] and names(other) == []
    link = one.url.partition("?")[2]
    third = visit(path=f"?{link}")
    expect(third.locator(".message")).to_contain_text("There is no texture named 'my photo'")
    add(other, photograph(seed=1))
    assert names(one) == names(other) == ["my photo"]
    assert not np.array_equal(pixels(one), pixels(other))


@pytest.mark.slow
def test_a_ninth_texture_takes_the_place_of_the_oldest(visit):
    page = visit()
    for k in range(MAX_USER_TEXTURES + 1):
        add(page, photograph(seed=k), f"t{k}.png")
    assert names(page) == [f"t{k}" for k in range(1, MAX_USER_TEXTURES + 1)]
    assert overflow(page) == (0, 0)


def test_a_recipe_file_opens_the_same_pixels_elsewhere(visit, pipe, tmp_path):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    file = page.locator('li:has([data-save="recipe"])')
    expect(file).to_have_js_property("hidden", True)
    add(page, photograph())
    dot(page, "moss").click(modifiers=["Shift"])
    shows(page, "mix=my%2520photo:0.5,moss:0.5")
    page.get_by_role("button", name="Save", exact=True).click()
    page.locator('[data-save="link"]').click()
    expect(page.locator(".user-textures .note")).to_contain_text("my photo does not fit into it")
    page.get_by_role("button", name="Save", exact=True).click()
    with page.expect_download() as download:
        page.locator('[data-save="recipe"]').click()
    assert download.value.suggested_filename == "my-photo-moss-seed-0.fgsd.json"
    download.value.save_as(tmp_path / "recipe.fgsd.json")
    text = (tmp_path / "recipe.fgsd.json").read_text()
    assert len(text) < 200_000 and json.loads(text)["checkpoint"] == fingerprint(pipe)
    other = visit()
    give(other, text.encode(), "recipe.fgsd.json", "application/json")
    shows(other, "mix=my%2520photo:0.5,moss:0.5")
    assert np.array_equal(pixels(other), pixels(page)) and np.array_equal(pixels(other, 3), pixels(page, 3))
    assert names(other) == ["my photo"]
    expect(other.locator('li:has([data-save="recipe"])')).to_have_js_property("hidden", False)
    # and a file of another network
    content = {**json.loads(text), "checkpoint": "0" * 16}
    give(other, json.dumps(content).encode(), "recipe.fgsd.json", "application/json")
    expect(other.locator(".user-textures .error")).to_contain_text("made with another network")
    dot(page, "slate").click()
    shows(page, "mix=slate:1.0")
    expect(file).to_have_js_property("hidden", True)


def test_an_own_texture_is_no_favourite(visit):
    page = visit()
    add(page, photograph())
    expect(page.locator(".toolbar .star")).to_be_disabled()
    dot(page, "moss").click()
    shows(page, "mix=moss:1.0")
    expect(page.locator(".toolbar .star")).to_be_enabled()


def test_on_a_phone(visit):
    page = visit(viewport=PHONE, has_touch=True, is_mobile=True)
    assert overflow(page)[0] == 0
    expect(page.get_by_role("button", name="Photograph")).to_be_visible()
    assert page.locator(".user-textures .camera").get_attribute("capture") == "environment"
    add(page, photograph())
    page.get_by_role("button", name="Save", exact=True).tap()
    page.locator('[data-save="link"]').tap()
    assert overflow(page)[0] == 0
