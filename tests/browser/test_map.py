"""The map of features, as a visitor works with it, in a real Chromium."""

from __future__ import annotations

import re

import numpy as np
import pytest
from app_server import AppServer
from browser_help import (
    PHONE,
    chosen,
    dot,
    finished,
    live_picture,
    middle,
    overflow,
    pixels,
    run_of,
    same_picture,
    shows,
    weights,
)
from map_help import at, crops_under, drag, scattered_map, settled
from playwright.sync_api import expect

from fgsd.pipeline import Pipeline

pytestmark = [pytest.mark.browser, pytest.mark.integration]
COUNT = 300


@pytest.fixture(scope="module")
def mapped(pipe) -> Pipeline:
    return Pipeline(pipe.network, pipe.table, pipe.info, "cpu", map=scattered_map(pipe, COUNT, image=48))


@pytest.fixture(scope="module")
def server(mapped, texture_folder, tmp_path_factory):
    """A page whose map has crops and both projections."""
    folder = tmp_path_factory.mktemp("mapped")
    mapped.save_pretrained(folder / "checkpoint")
    server = AppServer(folder / "checkpoint", texture_folder, folder / "steps.txt")
    yield server
    server.close()


def test_crops_lie_where_the_map_has_them_in_both_projections_and_move_between(visit, mapped):
    page = visit(reduced_motion="no-preference")
    settled(page, "pca-0")
    assert crops_under(page, mapped.map.crops("pca", 0)) > 0.99
    before = middle(dot(page, "moss"))
    page.get_by_role("button", name="UMAP").click()
    # on its way it is neither here nor there
    page.wait_for_function(
        """([name, x]) => { const d = document.querySelector(`.dot[data-name="${name}"]`);
            const box = d.getBoundingClientRect(), map = d.closest('.map').getBoundingClientRect();
            const end = map.x + d.dataset.x * map.width, now = box.x + box.width / 2;
            return Math.abs(now - x) > 3 && Math.abs(now - end) > 3; }""",
        arg=["moss", before[0]],
        polling="raf",
    )
    settled(page, "umap-0")
    assert crops_under(page, mapped.map.crops("umap", 0)) > 0.99
    assert crops_under(page, mapped.map.crops("pca", 0)) < 0.9
    shown = [float(dot(page, "moss").get_attribute(f"data-{axis}")) for axis in "xy"]
    assert middle(dot(page, "moss")) == pytest.approx(at(page, *shown), abs=1)
    assert shown == pytest.approx(mapped.map.classes("umap", 0)[1].tolist(), abs=0.12)  # above its crops
    assert page.url.endswith("?show=umap-0")


def test_the_noise_slider_moves_crops_and_thumbnails(visit, mapped):
    page = visit("?show=umap-0")
    settled(page, "umap-0")
    before = middle(dot(page, "slate"))
    page.get_by_role("slider", name="Noise").press("End")
    settled(page, "umap-5")
    assert middle(dot(page, "slate")) != pytest.approx(before, abs=5)
    assert crops_under(page, mapped.map.crops("umap", 5)) > 0.99
    expect(page.locator("output.sigma")).to_have_text("σ 4")
    assert page.url.endswith("?show=umap-5")


def test_without_motion_nothing_glides(visit, mapped):
    page = visit("?show=umap-0", reduced_motion="reduce")
    page.get_by_role("button", name="PCA").click()
    x = mapped.map.classes("pca", 0)[:, 0]
    places = [middle(dot(page, name))[0] for name in ("brick", "moss", "slate")]
    assert np.argsort(places).tolist() == np.argsort(x).tolist()
    settled(page, "pca-0")
    shown = [at(page, float(dot(page, n).get_attribute("data-x")), 0)[0] for n in ("brick", "moss", "slate")]
    assert places == pytest.approx(shown, abs=1)


def test_the_view_is_in_the_address_and_outlives_a_run(visit):
    page = visit("?show=umap-3")
    settled(page, "umap-3")
    assert page.get_by_role("button", name="UMAP").get_attribute("aria-pressed") == "true"
    dot(page, "moss").click()
    finished(page, "0")
    assert "mix=moss:1.0" in page.url and page.url.endswith("&show=umap-3")
    entries = page.evaluate("history.length")
    before = run_of(page)
    page.locator("#sample").click()  # the same again is no new entry
    finished(page, before)
    assert page.evaluate("history.length") == entries
    page.get_by_role("button", name="Grid").click()
    assert page.url.endswith("&show=grid")
    page.get_by_role("button", name="PCA").click()
    page.get_by_role("slider", name="Noise").press("Home")
    assert "show=" not in page.url and "mix=moss:1.0" in page.url


def test_the_lasso_makes_a_mixture_of_what_it_encloses(visit, mapped):
    page = visit("?show=umap-0")
    settled(page, "umap-0")
    places = mapped.map.crops("umap", 0)
    low, high = np.array([-0.1, 0.3]), np.array([0.62, 1.0])
    inside = ((places > low) & (places < high)).all(axis=1)
    counts = np.bincount(mapped.map.labels[inside], minlength=3)
    expected = {name: n / inside.sum() for name, n in zip(mapped.classes, counts, strict=True) if n}
    assert len(expected) >= 2 and 20 < inside.sum() < COUNT
    page.keyboard.press("l")
    corners = [at(page, *np.clip(c, 0, 1)) for c in ((0, 0.3), (0.62, 0.3), (0.62, 1.0), (0, 1.0))]
    page.mouse.move(corners[0][0] + 1, corners[0][1])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(max(corner[0], corners[0][0] + 1), corner[1], steps=4)
    page.mouse.up()
    assert weights(page) == pytest.approx(expected, abs=0.02)
    assert page.get_by_role("button", name="Lasso").get_attribute("aria-pressed") == "false"
    finished(page, "0")
    made = np.asarray(mapped.sample(weights(page), n=1, steps=16, size=64, seed=0)[0])
    assert same_picture(pixels(page), made)


def test_a_texture_dragged_over_pca_is_moved_exactly(visit, mapped):
    page = visit()
    settled(page, "pca-0")
    start = middle(dot(page, "slate"))
    box = page.locator(".map").bounding_box()
    drag(page, start, (3, 0))
    assert page.locator(".map-panel.dragging").count() == 0  # so far it may be a click
    page.mouse.move(start[0] + 60, start[1] - 45, steps=6)
    live_picture(page)
    page.mouse.up()
    finished(page)
    assert middle(dot(page, "slate")) == pytest.approx((start[0] + 60, start[1] - 45), abs=1)
    assert chosen(page) == ["slate"]
    _, dx, dy = re.search(r"mix=slate:(1\.0):([-\d.]+):([-\d.]+)", page.url).groups()
    assert [float(dx), float(dy)] == pytest.approx([60 / box["width"], -45 / box["height"]], abs=2e-3)
    goal = mapped.map.moved(mapped.table.of("slate"), float(dx), float(dy))
    made = np.asarray(mapped.sample(goal, n=1, steps=16, size=64, seed=0)[0])
    assert same_picture(pixels(page), made)
    assert not same_picture(made, np.asarray(mapped.sample("slate", n=1, steps=16, size=64, seed=0)[0]))
    # and back home
    before = run_of(page)
    page.get_by_role("button", name="Put slate back in its place").click()
    finished(page, before)
    assert middle(dot(page, "slate")) == pytest.approx(start, abs=1)
    assert same_picture(pixels(page), np.asarray(mapped.sample("slate", n=1, steps=16, size=64, seed=0)[0]))


def test_a_moved_texture_stays_in_the_mixture_and_goes_home_when_it_leaves(visit):
    page = visit()
    settled(page, "pca-0")
    start = middle(dot(page, "slate"))
    page.keyboard.down("Shift")
    drag(page, start, (50, 30))
    page.mouse.up()
    page.keyboard.up("Shift")
    finished(page, "0")
    assert sorted(chosen(page)) == ["brick", "slate"]
    assert middle(dot(page, "slate")) == pytest.approx((start[0] + 50, start[1] + 30), abs=1)
    page.get_by_label("Weight of slate").press("ArrowRight")  # a slider does not undo the move
    expect(page.get_by_role("button", name="Put slate back in its place")).to_be_visible()
    dot(page, "moss").click()
    assert middle(dot(page, "slate")) == pytest.approx(start, abs=1)


def test_a_texture_moved_by_keyboard(visit):
    page = visit()
    settled(page, "pca-0")
    x, y = middle(dot(page, "moss"))
    width = page.locator(".map").bounding_box()["width"]
    dot(page, "moss").focus()
    page.keyboard.down("Alt")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    live_picture(page)
    page.keyboard.up("Alt")
    finished(page)
    assert chosen(page) == ["moss"]
    assert middle(dot(page, "moss")) == pytest.approx((x + 0.02 * width, y + 0.02 * width), abs=1)


def test_a_texture_dragged_over_umap_takes_the_pin_along(visit):
    page = visit("?show=umap-0")
    settled(page, "umap-0")
    start, goal = middle(dot(page, "moss")), middle(dot(page, "slate"))
    drag(page, start, ((goal[0] - start[0]) / 2, (goal[1] - start[1]) / 2))
    mixed = weights(page)
    assert mixed["moss"] == pytest.approx(mixed["slate"], abs=0.05)
    assert middle(dot(page, "moss")) == pytest.approx(start, abs=1)
    page.mouse.up()
    finished(page)


def test_zoom_and_pan_keep_thumbnails_crops_and_pin_together(visit, mapped):
    page = visit("?show=umap-0")
    settled(page, "umap-0")
    origin = at(page, 0, 0)
    names = ("brick", "moss", "slate")
    before = np.array([middle(dot(page, name)) for name in names]) - origin
    sides = [dot(page, name).bounding_box()["width"] for name in names]
    fixed = np.array(at(page, 0.5, 0.4)) - origin
    page.mouse.move(*(fixed + origin))
    page.mouse.wheel(0, -180)
    page.wait_for_function("Number(document.querySelector('.map-panel').dataset.zoom) > 1.2")
    k = float(page.locator(".map-panel").get_attribute("data-zoom"))
    after = np.array([middle(dot(page, name)) for name in names]) - origin
    assert after == pytest.approx(fixed + k * (before - fixed), abs=2)
    assert [dot(page, name).bounding_box()["width"] for name in names] == pytest.approx(sides)
    assert middle(page.locator(".ring")) == pytest.approx(middle(dot(page, "brick")), abs=1)
    page.mouse.move(*(fixed + origin))
    page.mouse.down(button="middle")
    page.mouse.move(*(fixed + origin + [30, -20]), steps=3)
    page.mouse.up(button="middle")
    panned = np.array([middle(dot(page, name)) for name in names]) - origin
    assert panned - after == pytest.approx(np.array([[30, -20]] * 3), abs=1)
    settled(page, "umap-0")
    size = np.array([page.locator(".map").bounding_box()[key] for key in ("width", "height")])
    crops = panned[0] + k * (mapped.map.crops("umap", 0) * size - before[0])
    assert crops_under(page, crops / size) > 0.95
    assert chosen(page) == ["brick"]  # nothing of this was a client_seq
    # the pin goes where the hand is, seen through the zoom: onto a texture it takes all of that
    drag(page, middle(page.locator(".ring")), tuple(panned[1] - panned[0]))
    assert weights(page)["moss"] > 0.98
    page.mouse.up()
    page.keyboard.press("0")
    assert np.array([middle(dot(page, name)) for name in names]) - origin == pytest.approx(before, abs=1)


def test_a_double_click_zooms_and_leaves_the_target(visit):
    page = visit()
    settled(page, "pca-0")
    page.mouse.dblclick(*at(page, 0.5, 0.97))
    page.wait_for_function("Number(document.querySelector('.map-panel').dataset.zoom) === 2")
    assert chosen(page) == ["brick"] and weights(page) == {"brick": 1}
    page.get_by_role("button", name="Zoom out").click()
    page.get_by_role("button", name="Show the whole map").click()
    assert page.locator(".map-panel").get_attribute("data-zoom") == "1"


def test_a_crop_under_the_pointer_is_shown_with_its_class(visit, mapped, texture_folder):
    page = visit("?show=umap-0")
    settled(page, "umap-0")
    places = mapped.map.crops("umap", 0)
    thumbs = [[float(dot(page, n).get_attribute(f"data-{axis}")) for axis in "xy"] for n in mapped.classes]
    apart = np.abs(places[:, None] - np.array(thumbs)).max(axis=2).min(axis=1)
    index = int(np.where(((places > 0.1) & (places < 0.9)).all(axis=1), apart, 0).argmax())
    page.mouse.move(*at(page, *places[index].tolist()))
    peek = page.locator(".tooltip")
    expect(peek).to_be_visible()
    name = mapped.classes[mapped.map.labels[index]]
    expect(peek.locator("b")).to_have_text(name)
    rows, distances = (part[index] for part in mapped.map.nearest(0, 3))
    assert peek.locator("li").all_inner_texts() == [
        f"{mapped.classes[r]}\n{d:.2f}" for r, d in zip(rows, distances.round(2), strict=True)
    ]
    assert peek.locator("img").evaluate("i => [i.naturalWidth, i.complete]") == [16, True]
    page.mouse.move(*at(page, 0.01, 0.99))
    expect(peek).to_be_hidden()


def test_crops_are_coloured_by_a_feature(visit):
    page = visit()
    settled(page, "pca-0")
    before = page.evaluate("document.querySelector('.ground').toDataURL()")
    page.get_by_label("Colour").select_option("feature")
    page.get_by_label("Number of the feature").fill("3")
    page.get_by_label("Number of the feature").press("Tab")
    expect(page.locator(".map-panel .legend")).to_be_visible()
    expect(page.locator(".map-panel .legend")).to_have_attribute("title", "Feature 3")
    page.wait_for_function("was => document.querySelector('.ground').toDataURL() !== was", arg=before)
    low, high = (float(page.locator(f".legend .{end}").inner_text()) for end in ("low", "high"))
    assert low < high


def test_search_shows_and_picks(visit):
    page = visit()
    search = page.get_by_label("Find a texture")
    search.fill("SL")
    expect(page.locator(".dot.faint")).to_have_count(2)
    expect(page.locator(".hint")).to_have_text("slate")
    search.press("Enter")
    finished(page, "0")
    assert chosen(page) == ["slate"]
    expect(page.locator(".dot.faint")).to_have_count(0)
    search.fill("gold")
    expect(page.locator(".hint")).to_have_text("No texture has that name.")
    search.press("Enter")
    assert chosen(page) == ["slate"]
    search.press("Escape")
    expect(page.locator(".dot.faint")).to_have_count(0)


def test_a_weight_typed_as_a_number(visit, mapped):
    page = visit()
    for name in ("moss", "slate"):
        dot(page, name).click(modifiers=["Shift"])
    number = page.get_by_label("Share of moss in percent")
    expect(number).to_have_value("33")
    number.fill("60")
    number.press("Enter")
    shows(page, "mix=brick:0.2,moss:0.6,slate:0.2")
    assert weights(page) == pytest.approx({"brick": 0.2, "moss": 0.6, "slate": 0.2})
    expect(page.get_by_label("Share of brick in percent")).to_have_value("20")
    made = np.asarray(mapped.sample(weights(page), n=1, steps=16, size=64, seed=0)[0])
    assert same_picture(pixels(page), made)


def test_what_other_rooms_bring_onto_the_map(visit, mapped):
    page = visit()
    settled(page, "pca-0")
    send = "([name, detail]) => document.dispatchEvent(new CustomEvent(name, { detail }))"
    for index in range(3):
        places = [[0.2 + 0.1 * index, 0.9], [0.9, 0.2 + 0.1 * index]]
        page.evaluate(send, ["fgsd:path", {"run": 4, "index": index, "positions": {"pca": places}}])
    expect(page.locator(".map-panel")).to_have_attribute("data-path", "3")
    page.evaluate(send, ["fgsd:path", {"run": 5, "index": 0, "positions": {"pca": [[0.1, 0.1]]}}])
    expect(page.locator(".map-panel")).to_have_attribute("data-path", "1")
    src = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
    levels = [[0.3, 0.95]] * len(mapped.map.sigmas)
    page.evaluate(
        send, ["fgsd:user-textures", [{"name": "my wall", "src": src, "pca": levels, "umap": None}]]
    )
    settled(page, "pca-0")
    assert middle(dot(page, "my wall")) == pytest.approx(at(page, 0.3, 0.95), abs=1)
    page.evaluate(send, ["fgsd:user-textures", []])
    expect(dot(page, "my wall")).to_have_count(0)


def test_what_is_forged_is_refused(visit):
    page = visit()
    with page.expect_request(re.compile("component_server")) as sent:
        page.get_by_role("slider", name="Noise").press("End")
    body = sent.value.post_data_json
    for function, asked in (
        ("map_points", {"projection": "../x", "level": 0}),
        ("map_points", {"projection": "pca", "level": 99}),
        ("map_feature", {"index": -1, "level": 0}),
        ("map_crop", {"crop": "1", "level": 0}),
        ("map_true_distance", {"target": "everything"}),
    ):
        reply = page.request.post(sent.value.url, data={**body, "fn_name": function, "data": asked})
        assert set(reply.json()) == {"error"}, function
    reply = page.request.post(sent.value.url, data={**body, "fn_name": "map_labels_", "data": None})
    assert reply.status == 404


def test_a_phone_has_all_of_it(visit):
    page = visit("?show=umap-0", viewport=PHONE, has_touch=True, is_mobile=True)
    settled(page, "umap-0")
    assert overflow(page)[0] == 0
    for part in (".search", ".lasso", ".mix", ".level", ".projections", ".zoom"):
        box = page.locator(part).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]


def test_two_fingers_zoom_and_leave_the_target(visit):
    page = visit("?show=pca-0", has_touch=True)
    settled(page, "pca-0")
    session = page.context.new_cdp_session(page)

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(at(page, *place) for place in places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", (0.45, 0.95))
    fingers("touchStart", (0.45, 0.95), (0.55, 0.95))
    fingers("touchMove", (0.4, 0.95), (0.6, 0.95))
    fingers("touchMove", (0.3, 0.95), (0.7, 0.95))
    fingers("touchEnd")
    page.wait_for_function("Math.abs(document.querySelector('.map-panel').dataset.zoom - 4) < 0.2")
    assert weights(page) == {"brick": 1}
    assert page.locator(".map-panel.dragging").count() == 0
