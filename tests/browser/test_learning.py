"""Textures of the visitor that are learned, cropped, kept and exchanged as files, in a real Chromium."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
import torch
from app_server import AppServer
from browser_help import (
    BLOCKED_STORAGE,
    PHONE,
    dot,
    finished,
    give,
    middle,
    names,
    overflow,
    photograph,
    pixels,
    png,
    run_of,
    same_picture,
    shows,
    thumb,
)
from PIL import Image
from playwright.sync_api import Page, expect
from safetensors.torch import load, save

from fgsd.app.limits import LEARNING_STEPS
from fgsd.app.render.user_textures import CROPS
from fgsd.texture import Texture

pytestmark = [pytest.mark.browser, pytest.mark.integration]

# records what the page hears while a texture is learned
RECORD = """() => {
    window.texts = []; window.places = [];
    const line = document.querySelector('.user-textures .learning');
    new MutationObserver(() => window.texts.push(line.textContent)).observe(line, { childList: true });
    document.addEventListener('fgsd:user-textures',
                              event => window.places.push(JSON.stringify(event.detail[0]?.pca)));
}"""


def action(page: Page, name: str):
    return page.locator(f".user-textures .actions .{name}")


def add(page: Page, name: str = "wall.png", seed: int = 0) -> None:
    before = run_of(page)
    give(page, png(photograph(seed=seed)), name)
    thumb(page, name.partition(".")[0]).wait_for()
    finished(page, before)


def learn(page: Page) -> None:
    """Press Learn, and wait for the samples of what is learned."""
    before = run_of(page)
    action(page, "learn").click()
    expect(action(page, "learn")).to_be_hidden()
    expect(action(page, "stop")).to_be_hidden()
    finished(page, before)


def saved(page: Page, path) -> Texture:
    with page.expect_download() as download:
        action(page, "keep").click()
    download.value.save_as(path)
    return Texture.load(path)


def library(pipe, target) -> np.ndarray:
    return np.asarray(pipe.sample(target, n=1, steps=16, size=64, seed=0)[0])


def kept(page: Page) -> list[str]:
    """Names of the textures that the browser keeps."""
    return page.evaluate(
        """() => new Promise(done => {
            const open = indexedDB.open('fgsd', 1);
            open.onsuccess = () => {
                const all = open.result.transaction('textures').objectStore('textures').getAll();
                all.onsuccess = () => { open.result.close(); done(all.result.map(kept => kept.name)); };
            };
        })"""
    )


def until_kept(page: Page, *expected: str) -> None:
    for _ in range(100):
        if kept(page) == list(expected):
            return
        page.wait_for_timeout(100)
    assert kept(page) == list(expected)


def test_a_texture_is_learned_while_one_watches_and_stays_after_a_reload(visit, pipe, tmp_path):
    page = visit()
    add(page)
    averaged = pixels(page)
    page.evaluate(RECORD)
    learn(page)
    texts, places = page.evaluate("[window.texts, window.places]")
    assert any(text.startswith("Learning wall, ") and text.endswith(" s left") for text in texts)
    assert len(set(places)) > 1  # the point has travelled
    texture = saved(page, tmp_path / "wall.fgsd.safetensors")
    assert texture.name == "wall" and (tmp_path / "wall.fgsd.safetensors").stat().st_size < 60_000
    learned = library(pipe, texture)
    assert same_picture(pixels(page), learned) and not same_picture(averaged, learned)
    *_, step = pipe.learn(
        photograph(),
        start=pipe.centroid_of(photograph(), crops=CROPS, scale=1.0),
        steps=LEARNING_STEPS,
        scale=1.0,
    )
    assert np.abs(library(pipe, step.texture).astype(int) - learned).mean() < 6
    dot(page, "moss").click(modifiers=["Shift"])  # it is mixed like any class
    shows(page, "mix=wall:0.5,moss:0.5")
    until_kept(page, "wall")
    mixed = pixels(page)
    page.reload()
    finished(page, "0")  # the link in the address names the texture
    assert names(page) == ["wall"] and same_picture(pixels(page), mixed)
    thumb(page, "wall").click()
    shows(page, "mix=wall:1.0")
    assert same_picture(pixels(page), learned)
    expect(action(page, "learn")).to_be_hidden()  # the image is gone
    expect(action(page, "crop")).to_be_hidden()
    page.get_by_role("button", name="Remove your texture wall").click()
    until_kept(page)
    page.reload()
    expect(page.locator(".message")).to_contain_text("There is no texture named 'wall'")


def test_a_dropped_image_is_learned_at_once_and_can_be_dragged_mixed_and_stopped(
    visit, checkpoint_folder, texture_folder, tmp_path
):
    server = AppServer(checkpoint_folder, texture_folder, tmp_path / "steps.txt", AUTO_LEARN="1")
    try:
        page = visit(at=server, bypass_csp=True)
        page.evaluate(RECORD)
        give(page, png(photograph()), "wall.png")
        expect(thumb(page, "wall")).to_have_attribute("data-learning", "")
        # meanwhile, the ring is dragged
        x, y = middle(page.locator(".map-panel .ring"))
        page.mouse.move(x, y)
        page.mouse.down()
        for k in range(6):
            page.mouse.move(x + 12 * k, y - 8 * k)
            page.wait_for_timeout(60)
        before = run_of(page)
        page.mouse.up()
        finished(page, before)
        expect(action(page, "stop")).to_be_hidden()
        assert any("s left" in text for text in page.evaluate("window.texts"))
        give(page, png(photograph(seed=1)), "other.png")
        expect(thumb(page, "other")).to_have_attribute("data-learning", "")
        stop = action(page, "stop")
        if stop.is_visible():  # on a fast machine it may be over
            stop.click()
        expect(stop).to_be_hidden()
        expect(page.locator(".user-textures .error")).to_be_hidden()
        assert names(page) == ["wall", "other"]
    finally:
        page.close()
        server.close()


def test_where_it_takes_long_a_button_offers_it(visit, checkpoint_folder, texture_folder, tmp_path):
    server = AppServer(checkpoint_folder, texture_folder, tmp_path / "steps.txt", AUTO_LEARN="slow")
    try:
        page = visit(at=server, bypass_csp=True)
        add(page)
        expect(page.locator(".user-textures .learning")).to_contain_text("To learn wall takes about")
        learn(page)  # by the button, which is not asked about again
        expect(page.locator(".user-textures .nearest")).to_contain_text("wall is nearest to")
        page.close()
    finally:
        server.close()


def test_a_texture_file_opens_in_another_browser(visit, pipe, tmp_path):
    page = visit()
    add(page, "my wall.png")
    texture = saved(page, tmp_path / "wall.fgsd.safetensors")
    assert torch.equal(texture.centroid.values, pipe.centroid_of(photograph(), crops=CROPS, scale=1.0).values)
    other = visit()
    content = (tmp_path / "wall.fgsd.safetensors").read_bytes()
    give(other, content, "wall.fgsd.safetensors", "application/octet-stream")
    shows(other, "mix=my%2520wall:1.0")
    assert np.array_equal(pixels(other), pixels(page)) and names(other) == ["my wall"]
    # and a second time, under another name
    give(other, content, "wall.fgsd.safetensors", "application/octet-stream")
    shows(other, "mix=my%2520wall%25202:1.0")
    error = other.locator(".user-textures .error")
    tensors = load(content)
    foreign = Texture("wall", texture.centroid, texture.thumbnail, "0" * 16).to_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    broken = save({**tensors, "values": tensors["values"] * float("nan")}, header)
    for bad, words in (
        (content[:-5], "This file: damaged, or no texture file"),
        (foreign, "This texture was made with another network"),
        (broken, "This file: values must hold finite numbers"),
        (b"x" * 200_001, "wall.fgsd.safetensors is too large for a texture file."),
    ):
        give(other, bad, "wall.fgsd.safetensors", "application/octet-stream")
        expect(error).to_contain_text(words)
        assert names(other) == ["my wall", "my wall 2"]


def test_a_part_of_an_image_is_chosen_by_mouse_and_keyboard(visit, pipe):
    page = visit()
    sent = []  # images, as data URIs

    def note(request) -> None:
        data = (
            json.loads(request.post_data or "{}").get("event_data") if "queue/join" in request.url else None
        )
        if isinstance(data, dict) and "image" in data:
            sent.append(data["image"])

    page.on("request", note)
    left, right = Image.new("RGB", (40, 40), (200, 40, 40)), photograph(40, 40, seed=3)
    image = Image.new("RGB", (80, 40))
    image.paste(left, (0, 0))
    image.paste(right, (40, 0))
    before = run_of(page)
    give(page, png(image), "two.png")
    thumb(page, "two").wait_for()
    finished(page, before)
    dialog, canvas = page.locator(".crop-dialog"), page.locator(".crop-dialog canvas")
    before = run_of(page)
    for applied in (False, True):
        action(page, "crop").click()
        expect(dialog).to_be_visible()
        x, y = middle(canvas)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + canvas.bounding_box()["width"], y, steps=4)  # as far to the right as it goes
        page.mouse.up()
        page.keyboard.press("r")
        expect(page.locator(".crop-dialog .angle")).to_have_value("90")
        if not applied:
            page.keyboard.press("Escape")
            expect(dialog).to_be_hidden()
            assert run_of(page) == before and names(page) == ["two"]
    before = run_of(page)
    page.get_by_role("button", name="Use this part").click()
    finished(page, before)
    assert names(page) == ["two"]
    # the square has turned clockwise, so what it holds turns the other way
    part = Image.open(io.BytesIO(base64.b64decode(sent[-1].partition(",")[2]))).convert("RGB")
    assert part.size == (40, 40)
    assert np.abs(np.asarray(part, int) - np.asarray(right.rotate(90), int)).mean() < 2
    centroid = pipe.centroid_of(part, crops=CROPS, scale=1.0)
    assert same_picture(pixels(page), library(pipe, centroid))
    assert overflow(page) == (0, 0)


def test_on_a_phone_the_dialog_fits(visit):
    page = visit(viewport=PHONE, has_touch=True, is_mobile=True)
    add(page)
    assert overflow(page)[0] == 0
    action(page, "crop").tap()
    expect(page.locator(".crop-dialog")).to_be_visible()
    box = page.locator(".crop-dialog").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"] and box["height"] < PHONE["height"]
    page.get_by_role("button", name="Turn by 90°").tap()
    page.get_by_role("button", name="Cancel").tap()
    expect(page.locator(".crop-dialog")).to_be_hidden()
    learn(page)
    assert overflow(page)[0] == 0


def test_where_storage_is_blocked_a_texture_lives_as_long_as_the_page(visit):
    page = visit(script=BLOCKED_STORAGE)
    add(page)
    dot(page, "moss").click()
    shows(page, "mix=moss:1.0")
    page.reload()
    finished(page, "0")
    assert names(page) == []


def test_a_slow_storage_delays_no_click_and_repeats_none(visit):
    """The page waits 5 seconds for kept textures before it opens the address."""
    page = visit(script="Object.defineProperty(window, 'indexedDB', { value: { open: () => ({}) } });")
    dot(page, "slate").click()
    shows(page, "mix=slate:1.0")
    run = run_of(page)
    page.wait_for_timeout(6000)
    assert run_of(page) == run and page.locator(".picture").get_attribute("data-done") == "true"


def test_a_kept_file_that_is_damaged_does_not_cost_the_others(visit, tmp_path):
    page = visit()
    add(page, "one.png")
    add(page, "two.png", seed=1)
    until_kept(page, "one", "two")
    page.evaluate(
        """() => new Promise(done => {
            const open = indexedDB.open('fgsd', 1);
            open.onsuccess = () => {
                const store = open.result.transaction('textures', 'readwrite').objectStore('textures');
                const all = store.getAll();
                all.onsuccess = () => {
                    const put = store.put({ ...all.result[0], file: new Uint8Array(9) });
                    put.onsuccess = () => { open.result.close(); done(); };
                };
            };
        })"""
    )
    page.reload()
    thumb(page, "two").wait_for()
    assert names(page) == ["two"]


def test_learning_is_refused_with_a_sentence_and_nothing_hangs(visit):
    page = visit()
    add(page)

    def forge(route):
        body = json.loads(route.request.post_data)
        if isinstance(body.get("event_data"), dict) and body["event_data"].get("asked"):
            body["event_data"] = {"name": {"forged": 1}, "asked": 1}
        route.continue_(post_data=json.dumps(body))

    page.route("**/queue/join*", forge)
    action(page, "learn").click()
    page.wait_for_timeout(500)
    page.unroute_all()
    dot(page, "moss").click()
    shows(page, "mix=moss:1.0")


def test_two_visitors_learn_one_after_the_other(visit):
    one, other = visit(), visit()
    add(one, "a.png")
    add(other, "b.png", seed=1)
    for page in (one, other):
        page.evaluate(RECORD)
        action(page, "learn").click()
    for page in (one, other):
        expect(action(page, "stop")).to_be_hidden()
        finished(page)
        assert any("s left" in text for text in page.evaluate("window.texts"))
