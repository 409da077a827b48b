"""Links, saved pictures, Back and Forward, in a real Chromium."""

from __future__ import annotations

from pathlib import Path
from unicodedata import normalize
from urllib.parse import quote

import numpy as np
import pytest
from browser_help import (
    chosen,
    dot,
    expected,
    finished,
    middle,
    pixels,
    run_of,
    same_picture,
    shows,
)
from PIL import Image
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def test_a_link_opened_elsewhere_gives_the_same_pixels(visit, server):
    page = visit()
    assert page.url.rstrip("/") == server.url.rstrip("/")
    page.locator("#seed input").fill("7")
    page.locator("#count label").first.click()
    dot(page, "moss").click(modifiers=["Shift"])
    shows(page, "mix=brick:0.5,moss:0.5", "seed=7", "images=1")
    other = visit(path=page.url.removeprefix(server.url).lstrip("/"))
    finished(other, "0")
    assert chosen(other) == ["brick", "moss"]
    assert other.locator("#seed input").input_value() == "7"
    assert other.locator(".picture canvas").count() == 1
    assert np.array_equal(pixels(other), pixels(page))
    assert other.url == page.url


def test_a_page_loaded_again_shows_the_same_picture(visit):
    page = visit()
    page.locator("#seed input").fill("5")
    dot(page, "slate").click()
    shows(page, "mix=slate:1.0", "seed=5")
    before, address = pixels(page), page.url
    page.reload(wait_until="commit")
    shows(page, "mix=slate:1.0", "seed=5")
    assert np.array_equal(pixels(page), before)
    assert page.url == address and chosen(page) == ["slate"]
    page.complaints.clear()  # of Gradio's, about requests that the reload has cut off


def test_the_picture_and_the_link_are_taken_home(visit, pipe, tmp_path):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    dot(page, "moss").click()
    finished(page, "0")
    page.get_by_role("button", name="Save", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="PNG the picture").click()
    assert download.value.suggested_filename == "moss-seed-0.png"
    download.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as saved:
        assert saved.format == "PNG" and saved.size == (128, 128)
        assert np.array_equal(np.asarray(saved.convert("RGB"))[:64, :64], pixels(page))
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("menuitem", name="Link").click()
    expect(page.locator(".save .status")).to_have_text("Link copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_back_and_forward_undo_and_redo(visit, pipe):
    page = visit()
    for name in ("moss", "slate"):
        before = run_of(page)
        dot(page, name).click()
        finished(page, before)
    for way, name in ((page.go_back, "moss"), (page.go_forward, "slate"), (page.go_back, "moss")):
        before = run_of(page)
        way()
        finished(page, before)
        assert chosen(page) == [name]
        assert same_picture(pixels(page), expected(pipe, name))
    before = run_of(page)
    page.mouse.click(*middle(page.locator(".map")))
    finished(page, before)
    assert middle(page.locator(".map-panel .ring")) == pytest.approx(middle(page.locator(".map")), abs=1)
    before = run_of(page)
    page.go_back()
    finished(page, before)
    assert middle(page.locator(".map-panel .ring")) == pytest.approx(middle(dot(page, "moss")), abs=1)
    before = run_of(page)
    page.go_back()  # to the first screen
    finished(page, before)
    assert chosen(page) == ["brick"]
    assert same_picture(pixels(page), expected(pipe, "brick"))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("mix=gold:1", "There is no texture named 'gold'"),
        ("mix=moss:1&size=72", "Size must be one of 64"),
        ("mix=moss:nan", "The weight of moss"),
    ],
)
def test_a_broken_link_is_named_and_the_page_stays_usable(visit, query, words):
    page = visit(path=f"?{query}")
    expect(page.locator(".message")).to_contain_text("This link cannot be opened. " + words)
    dot(page, "moss").click()
    finished(page, "0")
    expect(page.locator(".message")).to_be_hidden()


# eight names in scripts that percent-encoding makes nine times as long, and one with an accent
WORDS = ("石畳", "煉瓦", "落葉", "氷河", "溶岩", "珊瑚", "苔", "砂")
LONG_NAMES = [f"{word}の古い壁と庭の小道と川の石と雪と森" for word in WORDS]
CAFE = "Café"


@pytest.fixture(scope="module")
def world_server(lively, tmp_path_factory):
    """A page whose classes have such names, of noise in nine colours."""
    from app_server import AppServer

    from fgsd.centroids import compute_table
    from fgsd.checkpoint import Checkpoint, CheckpointInfo, save_checkpoint
    from fgsd.data import DataConfig, TextureFolder
    from fgsd.levels import noise_levels

    folder, random = tmp_path_factory.mktemp("world"), np.random.default_rng(0)
    for name in (*LONG_NAMES, CAFE):
        values = random.integers(0, 200, 3) + random.integers(0, 56, (48, 48, 1))
        Image.fromarray(values.astype(np.uint8)).save(folder / f"{name}.png")
    data = TextureFolder(folder, DataConfig(image_size=None, patch_size=16, test_share=1 / 3))
    network = lively(size=0.08)
    table = compute_table(network, data, noise_levels(0.02, 4.0, 6), crops=4)
    checkpoint = tmp_path_factory.mktemp("checkpoint") / "world"
    save_checkpoint(Checkpoint(network, table, CheckpointInfo(patch_size=16, image_size=48)), checkpoint)
    server = AppServer(checkpoint, folder, tmp_path_factory.mktemp("journal") / "steps.txt")
    yield server
    server.close()


def test_eight_long_names_survive_address_undo_favourites_and_files(visit, world_server):
    mixture = ",".join(f"{name}:0.125" for name in LONG_NAMES)
    page = visit(f"?mix={quote(mixture)}&seed=5&images=1", at=world_server)
    shows(page, "seed=5", "images=1")
    assert sorted(chosen(page)) == sorted(LONG_NAMES) and page.locator(".message").is_hidden()
    first, address = pixels(page), page.url
    star, status = page.locator(".toolbar .star"), page.locator(".toolbar .status")
    star.click()
    expect(status).to_have_text("Kept as a favourite.")
    expect(page.locator(".favourites-toggle")).to_have_text("1")

    dot(page, CAFE).click()
    shows(page, "seed=5", f"mix={quote(CAFE)}:1.0")
    assert not np.array_equal(pixels(page), first)
    before = run_of(page)
    page.go_back()
    finished(page, before)
    assert page.url == address and sorted(chosen(page)) == sorted(LONG_NAMES)
    assert np.array_equal(pixels(page), first)

    page.go_forward()
    shows(page, f"mix={quote(CAFE)}:1.0")
    page.locator(".favourites-toggle").click()
    page.locator(".favourite .open").click()
    shows(page, "seed=5", "images=1", address.partition("?")[2].partition("&")[0])
    assert np.array_equal(pixels(page), first)
    page.get_by_role("button", name="Save", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="PNG the picture").click()
    words, _, end = download.value.suggested_filename.partition("-seed-")
    assert end == "5.png" and LONG_NAMES[0].startswith(words[:10]) and len(words) > 30


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_with_an_accent_is_found_in_every_form(visit, world_server, form):
    page = visit(f"?mix={quote(normalize(form, CAFE))}:1&seed=3", at=world_server)
    shows(page, "seed=3", f"mix={quote(CAFE)}:1.0")
    assert chosen(page) == [CAFE] and page.locator(".message").is_hidden()
    page.locator(".search").fill(normalize(form, "café"))
    expect(page.locator(".dot:not(.faint)")).to_have_count(1)
    page.get_by_role("button", name="Save", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="PNG the picture").click()
    assert download.value.suggested_filename == "Café-seed-3.png"


def test_programs_ask_for_names_of_any_script_and_get_files_of_that_name(world_server, tmp_path):
    from gradio_client import Client

    client = Client(world_server.url, verbose=False, download_files=tmp_path)
    for name in (normalize("NFD", CAFE), LONG_NAMES[0]):
        (file,), link = client.predict(name, size=16, steps=2, api_name="/sample")
        assert Path(file).name == f"{normalize('NFC', name)}-seed-0-0.png"
        with Image.open(file) as image:
            assert image.size == (16, 16)
        assert link.startswith(f"?mix={quote(normalize('NFC', name))}:1.0&")
