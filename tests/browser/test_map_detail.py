"""A map of more textures than there is room for: thumbnails by level of detail, in a real Chromium."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from app_server import AppServer
from browser_help import PHONE, chosen, dot, finished, middle, run_of
from PIL import Image
from playwright.sync_api import Page, expect

from fgsd.centroids import CentroidTable
from fgsd.pipeline import Pipeline

pytestmark = [pytest.mark.browser, pytest.mark.integration]
COUNT = 150


@pytest.fixture(scope="module")
def server(pipe, texture_folder, tmp_path_factory):
    """A page with many classes: those of the small checkpoint, scattered."""
    folder, images = tmp_path_factory.mktemp("many"), tmp_path_factory.mktemp("images")
    table, rows = pipe.table, torch.arange(COUNT) % len(pipe.classes)
    names = [f"{pipe.classes[row]}-{k:03}" for k, row in enumerate(rows.tolist())]
    order = sorted(range(COUNT), key=names.__getitem__)
    noise = torch.randn(COUNT, 1, table.dimension, generator=torch.Generator().manual_seed(0))
    values = table.values[rows] + 40 * noise * table.scales
    many = CentroidTable(
        [names[k] for k in order], table.sigmas, values[order], table.scales, table.colours[rows[order]]
    )
    for k, row in enumerate(rows.tolist()):
        with Image.open(texture_folder / f"{pipe.classes[row]}.png") as image:
            image.save(images / f"{names[k]}.png")
    families = {name: f"all {name.rpartition('-')[0]}" for name in names[:-1]}  # the last has none
    Pipeline(pipe.network, many, pipe.info, "cpu", families=families).save_pretrained(folder / "checkpoint")
    server = AppServer(folder / "checkpoint", images, folder / "steps.txt")
    yield server
    server.close()


def still(page: Page) -> None:
    """Wait until thumbnails have stopped to move and to grow."""
    page.wait_for_function(
        """() => { const boxes = [...document.querySelectorAll('.dot')].map(d => d.getBoundingClientRect());
                   const now = boxes.map(({ x, y, width }) => [x, y, width].join()).join();
                   const same = window.lastSeen === now; window.lastSeen = now; return same; }""",
        polling=200,
    )


def boxes(page: Page, kind: str) -> np.ndarray:
    """Left, top, right and bottom of the thumbnails that a selector names: (N, 4)."""
    found = page.locator(f".map {kind}").evaluate_all(
        """all => all.map(d => { const box = d.getBoundingClientRect();
                                 return [box.left, box.top, box.right, box.bottom]; })"""
    )
    return np.array(found).reshape(-1, 4)


def overlaps(found: np.ndarray) -> int:
    """The number of pairs of boxes that overlap."""
    low, high = found[:, :2], found[:, 2:]
    both = ((low[:, None] < high[None]) & (low[None] < high[:, None])).all(axis=-1)
    return int(both.sum() - len(found)) // 2


@pytest.mark.parametrize("size", [None, PHONE], ids=["desktop", "phone"])
def test_thumbnails_never_overlap_and_more_appear_as_one_zooms_in(visit, size):
    page = visit(**({} if size is None else {"viewport": size}))
    still(page)
    counts = []
    for _ in range(3):
        shown, names = boxes(page, ".dot:not(.small)"), boxes(page, ".dot.named b")
        assert overlaps(shown) == 0 and overlaps(names) == 0
        small = boxes(page, ".dot.small")
        assert len(shown) + len(small) == COUNT and (small[:, 2] - small[:, 0] <= 10).all()
        counts.append(len(shown))
        page.evaluate(
            """() => { const map = document.querySelector('.map'), box = map.getBoundingClientRect();
                       const at = { clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 };
                       const options = { ...at, deltaY: -500, bubbles: true, cancelable: true };
                       map.dispatchEvent(new WheelEvent('wheel', options)); }"""
        )
        page.mouse.move(2, 2)
        still(page)
    assert 20 < counts[0] <= counts[1] <= counts[2] and (size is not None or counts[0] < counts[1])


def test_a_texture_without_room_is_chosen_by_a_click_and_shown_from_then_on(visit):
    page = visit()
    still(page)
    before = run_of(page)
    ring = page.locator(".map-panel .ring").bounding_box()
    for one in page.locator(".dot.small").all():
        name, (x, y) = one.get_attribute("data-name"), middle(one)
        on_top = page.evaluate(
            "([x, y]) => document.elementFromPoint(x, y)?.closest('.dot')?.dataset.name", [x, y]
        )
        if on_top == name and abs(x - ring["x"]) > 40:
            break
    page.mouse.move(x, y)
    expect(page.locator(".hint")).to_have_text(re.compile(rf"^{name}\b"))
    page.mouse.click(x, y)
    finished(page, before)
    assert chosen(page) == [name]
    page.mouse.move(2, 2)
    still(page)
    assert "small" not in dot(page, name).get_attribute("class").split()


def test_what_a_search_finds_is_shown_though_there_is_no_room(visit):
    page = visit()
    still(page)
    hidden = page.locator(".dot.small").first.get_attribute("data-name")
    search = page.get_by_role("searchbox", name="Find a texture")
    search.fill(hidden)
    still(page)
    assert page.locator(".dot:not(.faint)").evaluate_all("all => all.map(d => d.dataset.name)") == [hidden]
    assert "small" not in dot(page, hidden).get_attribute("class").split()
    search.fill("")
    still(page)
    assert "small" in dot(page, hidden).get_attribute("class").split()


def test_the_grid_shows_all(visit):
    page = visit("?show=grid")
    still(page)
    assert len(boxes(page, ".dot:not(.small)")) == COUNT


def bright(page: Page) -> set[str]:
    """Classes, without their numbers, of the textures that stand out."""
    names = page.locator(".dot:not(.faint)").evaluate_all("all => all.map(d => d.dataset.name)")
    return {name.rpartition("-")[0] for name in names}


def test_families_stand_out_are_searched_and_group_the_grid(visit, pipe):
    page = visit()
    still(page)
    row = page.get_by_role("group", name="Families")
    painted = """() => { const c = document.querySelector('.regions');
        return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(value => value > 0); }"""
    page.wait_for_function(painted)
    row.get_by_role("button", name="all moss").click()
    assert bright(page) == {"moss"}
    row.get_by_role("button", name="all brick").click()
    assert bright(page) == {"moss", "brick"}
    row.get_by_role("button", name="All", exact=True).click()
    assert bright(page) == set(pipe.classes)
    search = page.get_by_role("searchbox", name="Find a texture")
    search.fill("all slate")
    assert bright(page) == {"slate"}
    search.fill("-001")  # one texture, to which the map flies
    page.wait_for_function("Number(document.querySelector('.map-panel').dataset.zoom) > 2")
    search.fill("")
    page.wait_for_function("Number(document.querySelector('.map-panel').dataset.zoom) === 1")
    page.locator('[data-show="grid"]').click()
    still(page)
    assert overlaps(boxes(page, ".dot")) == 0
    found = {name: boxes(page, f'.dot[data-family="all {name}"]') for name in pipe.classes}
    for name, own in found.items():  # blocks: the box around a family holds no other
        low, high = own[:, :2].min(axis=0), own[:, 2:].max(axis=0)
        for other in (other for key, other in found.items() if key != name):
            assert not ((other[:, :2] >= low) & (other[:, 2:] <= high)).all(axis=1).any()
