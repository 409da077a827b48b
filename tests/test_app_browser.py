"""The page as a visitor meets it, in a real Chromium."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from app_server import AppServer
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

pytestmark = pytest.mark.browser

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 60_000  # milliseconds: the machine may be busy; no test waits this long for nothing
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("the browser tests need Chromium: apt-get install -y chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(checkpoint_folder, texture_folder, tmp_path_factory) -> Iterator[AppServer]:
    server = AppServer(checkpoint_folder, texture_folder, tmp_path_factory.mktemp("journal") / "steps.txt")
    yield server
    server.close()


@pytest.fixture
def visit(browser, server) -> Iterator[Callable[..., Page]]:
    """A function that opens the page; afterwards the page must have said nothing on its console."""
    contexts, complaints = [], []

    def open_page(path: str = "", **options) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(server.url.rstrip("/") + "/" + path, wait_until="commit")
        finished(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def finished(page: Page, run: str | None = None) -> None:
    """Wait until a sample is there in full; with `run`, one of another run than that."""
    page.wait_for_function(
        """run => { const p = document.querySelector('.picture');
                    return p && p.dataset.done === 'true' && p.dataset.run !== run; }""",
        arg=run,
    )


def run_of(page: Page) -> str:
    return page.locator(".picture").get_attribute("data-run")


def pixels(page: Page, k: int = 0) -> np.ndarray:
    """Image k as it came to the page, pixel for pixel: (H, W, 3)."""
    head, _, body = page.locator(".source").get_attribute("src").partition(",")
    assert head == "data:image/webp;base64"
    sheet = Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB")
    n = page.locator(".picture canvas").count()
    columns = math.ceil(math.sqrt(n))
    side = sheet.width // columns
    left, top = k % columns * side, k // columns * side
    return np.asarray(sheet.crop((left, top, left + side, top + side)))


def on_screen(page: Page, k: int = 0) -> np.ndarray:
    """Image k as the page shows it, enlarged: (H, W, 3)."""
    script = """k => { const c = document.querySelectorAll('.picture canvas')[k];
                       return [c.height, c.width, Array.from(c.getContext('2d')
                               .getImageData(0, 0, c.width, c.height).data)]; }"""
    height, width, values = page.evaluate(script, k)
    return np.array(values, dtype=np.uint8).reshape(height, width, 4)[..., :3]


def expected(pipe, target, seed: int = 0) -> np.ndarray:
    return np.asarray(pipe.sample(target, n=1, steps=16, size=64, seed=seed)[0])


def same_picture(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal to floating-point rounding: the page samples a batch, `expected` a single image."""
    return one.shape == other.shape and int(np.abs(one.astype(int) - other.astype(int)).max()) <= 1


def dot(page: Page, name: str):
    return page.locator(f'.dot[data-name="{name}"]')


def overflow(page: Page) -> tuple[int, int]:
    """By how many pixels the page is wider and higher than the window."""
    across, down = page.evaluate(
        "() => { const d = document.documentElement;"
        "        return [d.scrollWidth - innerWidth, d.scrollHeight - innerHeight]; }"
    )
    return across, down


def chosen(page: Page) -> list[str]:
    return page.locator('.dot[aria-pressed="true"]').evaluate_all("all => all.map(d => d.dataset.name)")


def until_ended(server: AppServer, begun: int) -> list[str]:
    """What the server has done since its line `begun`, once a run has ended since."""
    deadline = time.monotonic() + 30
    while "end" not in server.lines()[begun:] and time.monotonic() < deadline:
        time.sleep(0.1)
    return server.lines()[begun:]


def set_steps(page: Page, steps: int) -> None:
    """Type the number as often as it takes: while the fold is still opening, Gradio puts the old one back."""
    number, slider = page.locator("#steps input[type=number]"), page.locator("#steps input[type=range]")
    deadline = time.monotonic() + PATIENCE / 1000
    while True:
        number.fill(str(steps))
        number.press("Tab")
        page.wait_for_timeout(300)
        if slider.input_value() == number.input_value() == str(steps):
            return
        assert time.monotonic() < deadline, f"the slider does not take {steps}"


def under_way(page: Page) -> None:
    """Wait until a run has shown its second step."""
    page.wait_for_function(
        "Number(document.querySelector('.picture').dataset.index) >= 2"
        " && document.querySelector('.picture').dataset.done === 'false'"
    )


def slow_run(page: Page) -> None:
    """Set a run that takes many seconds."""
    page.locator("#count label", has_text="16").click()
    page.locator("#size input").click()
    page.get_by_role("option", name="256 px").click()
    page.get_by_role("button", name="More").click()
    set_steps(page, 100)


def test_the_first_screen_shows_a_finished_sample_unasked_on_one_screen(visit, pipe):
    page = visit()
    assert run_of(page) == "0"
    assert same_picture(pixels(page), expected(pipe, "brick"))
    assert same_picture(pixels(page, 3), expected(pipe, "brick", seed=3))
    assert overflow(page) == (0, 0)
    for part in (".map", ".tiles", "#sample", "#stop", "#seed", "#more"):
        box = page.locator(part).bounding_box()
        assert box["x"] >= 0 and box["y"] >= 0
        assert box["x"] + box["width"] <= 1280 and box["y"] + box["height"] <= 800
    map_box, picture = page.locator(".map").bounding_box(), page.locator(".tiles").bounding_box()
    assert map_box["x"] + map_box["width"] <= picture["x"]  # map left, picture right


def test_the_first_sample_takes_under_two_seconds(browser, server):
    """Counted in time that the page's thread computes, so that other work on the machine does not count."""
    page = browser.new_page(viewport=DESKTOP)
    try:
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(server.url, wait_until="commit")
        page.wait_for_selector('.picture[data-done="true"]', timeout=PATIENCE)
        metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        assert 0 < metrics["TaskDuration"] < 2
    finally:
        page.close()


def test_images_are_enlarged_as_a_lanczos_filter_does(visit):
    page = visit()
    for k in (0, 3):
        shown, small = on_screen(page, k), Image.fromarray(pixels(page, k))
        assert shown.shape[0] > 3 * small.height
        filtered = np.asarray(small.resize(shown.shape[:2], Image.Resampling.LANCZOS))
        assert np.abs(shown.astype(int) - filtered).mean() < 2  # of 255; edges are met in another way


def test_nothing_is_asked_of_other_servers(visit, server):
    page = visit()
    page.locator("#sample").click()
    finished(page, "0")
    foreign = [u for u in page.asked if not u.startswith((server.url, "data:", "blob:"))]
    assert page.asked and not foreign


def test_a_class_clicked_is_sampled_and_every_step_arrives_in_order(visit, pipe):
    page = visit()
    page.evaluate("""() => { const p = document.querySelector('.picture'); window.seen = [];
        new MutationObserver(() => window.seen.push(Number(p.dataset.index)))
            .observe(p, { attributes: true, attributeFilter: ['data-index'] }); }""")
    dot(page, "slate").click()
    finished(page, "0")
    assert chosen(page) == ["slate"]
    assert same_picture(pixels(page), expected(pipe, "slate"))
    seen = page.evaluate("window.seen")
    assert seen == sorted(seen) and seen[-1] == 16 and len(seen) >= 2
    reads = {
        key: page.locator(f'[data-read="{key}"]').inner_text() for key in ("step", "evaluations", "device")
    }
    assert reads == {"step": "16 / 16", "evaluations": "16", "device": "cpu"}
    assert float(page.locator('[data-read="ms"]').inner_text()) > 0
    assert page.locator(".progress").get_attribute("aria-valuenow") == "16"
    expect(page.locator(".spoken")).to_have_text("Finished: 4 samples of slate.")
    expect(page.locator("#stop")).to_be_disabled()


def test_a_mixture_with_weights(visit, pipe):
    page = visit()
    dot(page, "moss").click(modifiers=["Shift"])
    assert sorted(chosen(page)) == ["brick", "moss"]
    finished(page, "0")
    before = run_of(page)
    slider = page.get_by_label("Weight of moss")
    assert slider.input_value() == "50"
    slider.evaluate("s => { s.value = 100; s.dispatchEvent(new Event('input', {bubbles: true})); }")
    slider.evaluate("s => s.dispatchEvent(new Event('change', {bubbles: true}))")
    finished(page, before)
    # 50 against 100
    shares = page.locator(".chip output").all_inner_texts()
    assert shares == ["33 %", "67 %"]
    assert same_picture(pixels(page), expected(pipe, {"brick": 1 / 3, "moss": 2 / 3}))
    # the pin lies at the weighted mean of the two thumbnails
    mark = page.locator(".room .mark").bounding_box()
    box = page.locator(".map").bounding_box()
    places = {
        name: (
            float(dot(page, name).get_attribute("data-x")),
            float(dot(page, name).get_attribute("data-y")),
        )
        for name in ("brick", "moss")
    }
    for axis, (low, extent) in enumerate((("x", "width"), ("y", "height"))):
        centre = (mark[low] + mark[extent] / 2 - box[low]) / box[extent]
        assert centre == pytest.approx(places["brick"][axis] / 3 + places["moss"][axis] * 2 / 3, abs=0.01)
    page.get_by_role("button", name="Remove brick").click()
    assert chosen(page) == ["moss"]


def middle(locator) -> tuple[float, float]:
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def weights(page: Page) -> dict[str, float]:
    """What the chips say is sampled, to all digits."""
    chips = page.locator(".chip").evaluate_all("all => all.map(c => [c.dataset.name, +c.dataset.weight])")
    total = sum(weight for _, weight in chips)
    return {name: weight / total for name, weight in chips}


def live_picture(page: Page, sent: str | None = None) -> str:
    """Wait for a picture that follows the pin, another than `sent`; its data URI."""
    page.wait_for_function(
        """sent => document.querySelector('.picture').dataset.live === 'true'
                && document.querySelector('.picture').dataset.index === '6'
                && document.querySelector('.source').src !== sent""",
        arg=sent,
    )
    return page.locator(".source").get_attribute("src")


def test_dragging_the_pin_changes_the_picture_before_it_is_released(visit, pipe):
    page = visit()
    start, goal = middle(page.locator(".room .mark")), middle(dot(page, "moss"))
    assert start == pytest.approx(middle(dot(page, "brick")), abs=1)  # on the first screen it is on a texture
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + goal[0]) / 2, (start[1] + goal[1]) / 2, steps=5)
    halfway = live_picture(page)
    page.wait_for_timeout(1500)  # whatever came last has been painted
    assert page.locator(".picture canvas").count() == 1
    mixed = weights(page)
    assert {"brick", "moss"} <= mixed.keys()
    assert mixed["brick"] == pytest.approx(mixed["moss"], abs=0.05)
    small = np.asarray(pipe.sample(mixed, n=1, steps=6, size=64, seed=0)[0])
    assert same_picture(pixels(page), small)
    page.mouse.move(*goal, steps=5)
    live_picture(page, halfway)
    assert page.locator(".picture").get_attribute("data-done") == "false"
    page.mouse.up()
    finished(page)
    mixed = weights(page)
    assert mixed["moss"] > 0.99
    assert page.locator(".picture canvas").count() == 4
    assert same_picture(pixels(page), expected(pipe, mixed))


def test_a_new_drag_ends_the_run_under_way(visit, server):
    page = visit()
    slow_run(page)
    begun = len(server.lines())
    page.locator("#sample").click()
    under_way(page)
    x, y = middle(page.locator(".room .mark"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 10, steps=3)
    live_picture(page)
    ran = until_ended(server, begun)
    assert ran.index("end") < 100  # of the run: what follows are the six steps of pictures that follow
    assert "step 1 of 6" in ran
    page.mouse.up()
    page.wait_for_function(
        "() => { const { live, index } = document.querySelector('.picture').dataset;"
        "        return live === 'false' && Number(index) >= 1; }"
    )
    page.locator("#stop").click()  # not earlier: Gradio would cancel an event that has no name yet
    expect(page.locator("#stop")).to_be_disabled()


def test_the_pin_goes_where_the_map_is_clicked_and_by_keyboard(visit, pipe):
    page = visit()
    box = page.locator(".map").bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    finished(page, "0")
    assert middle(page.locator(".room .mark")) == pytest.approx(middle(page.locator(".map")), abs=1)
    before, mixed = run_of(page), weights(page)
    page.locator(".room .mark").focus()
    page.keyboard.press("ArrowLeft")
    live_picture(page)
    x, y = middle(page.locator(".room .mark"))
    assert x == pytest.approx(box["x"] + 0.48 * box["width"], abs=1)
    assert y == pytest.approx(box["y"] + 0.5 * box["height"], abs=1)
    page.keyboard.press("Enter")
    finished(page, before)
    assert weights(page) != mixed
    assert same_picture(pixels(page), expected(pipe, weights(page)))


def test_weights_are_continuous_and_a_texture_has_all_of_it_on_its_thumbnail(visit):
    page = visit()
    x, y = middle(page.locator(".room .mark"))
    goal = middle(dot(page, "slate"))
    page.mouse.move(x, y)
    page.mouse.down()
    seen = []
    for k in range(101):
        page.mouse.move(x + (goal[0] - x) * k / 100, y + (goal[1] - y) * k / 100)
        seen.append(weights(page))
    page.mouse.up()
    assert seen[0]["brick"] > 0.99 and seen[-1]["slate"] > 0.99
    for one, following in pairwise(seen):
        assert sum(one.values()) == pytest.approx(1)
        names = one.keys() | following.keys()
        assert max(abs(one.get(n, 0) - following.get(n, 0)) for n in names) < 0.08


def test_stop_really_stops_the_server_and_the_page_goes_on(visit, server, pipe):
    page = visit()
    slow_run(page)
    begun = len(server.lines())
    page.locator("#sample").click()
    under_way(page)
    page.locator("#stop").click()
    expect(page.locator(".spoken")).to_have_text("Stopped.")
    expect(page.locator("#stop")).to_be_disabled()
    ran = until_ended(server, begun)
    assert ran[-1] == "end", "the run went on"
    assert 2 <= len(ran) - 1 < 100
    time.sleep(1)
    assert len(server.lines()) == begun + len(ran)
    # and now something small
    page.locator("#count label").first.click()
    page.locator("#size input").click()
    page.get_by_role("option", name="64 px").click()
    set_steps(page, 16)
    before = run_of(page)
    page.locator("#sample").click()
    finished(page, before)
    assert page.locator(".picture canvas").count() == 1
    assert same_picture(pixels(page), expected(pipe, "brick"))


def test_a_new_wish_ends_a_run_that_is_under_way(visit, server, pipe):
    page = visit()
    slow_run(page)
    begun = len(server.lines())
    page.locator("#sample").click()
    under_way(page)
    first = run_of(page)
    dot(page, "moss").click()
    page.wait_for_function("run => document.querySelector('.picture').dataset.run !== run", arg=first)
    page.wait_for_function("Number(document.querySelector('.picture').dataset.index) >= 1")
    # the first run ends after the step that it was at, which may be later than the first of the new run
    ran = until_ended(server, begun)
    assert ran.index("end") < 100
    assert ran.count("step 1 of 100") == 2
    page.locator("#stop").click()
    expect(page.locator("#stop")).to_be_disabled()


def test_a_link_opened_elsewhere_gives_the_same_pixels(visit, server):
    page = visit()
    assert page.url.rstrip("/") == server.url.rstrip("/")
    page.locator("#seed input").fill("7")
    page.locator("#count label").first.click()
    dot(page, "moss").click(modifiers=["Shift"])
    finished(page, "0")
    assert "mix=brick:0.5,moss:0.5" in page.url and "seed=7" in page.url and "images=1" in page.url
    other = visit(path=page.url.removeprefix(server.url).lstrip("/"))
    finished(other, "0")
    assert chosen(other) == ["brick", "moss"]
    assert other.locator("#seed input").input_value() == "7"
    assert other.locator(".picture canvas").count() == 1
    assert np.array_equal(pixels(other), pixels(page))
    assert other.url == page.url


def test_the_picture_and_the_link_are_taken_home(visit, pipe, tmp_path):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    dot(page, "moss").click()
    finished(page, "0")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "moss-seed-0.png"
    download.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as saved:
        assert saved.format == "PNG" and saved.size == (128, 128)
        assert np.array_equal(np.asarray(saved.convert("RGB"))[:64, :64], pixels(page))
    page.get_by_role("button", name="Link").click()
    expect(page.locator(".spoken")).to_have_text("Link copied.")
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
    assert middle(page.locator(".room .mark")) == pytest.approx(middle(page.locator(".map")), abs=1)
    before = run_of(page)
    page.go_back()
    finished(page, before)
    assert middle(page.locator(".room .mark")) == pytest.approx(middle(dot(page, "moss")), abs=1)
    page.go_back()
    finished(page)
    expect(page.locator('.picture[data-run="0"]')).to_be_visible()
    assert chosen(page) == ["brick"]


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


def test_leaving_the_page_ends_its_run(visit, server):
    page = visit()
    slow_run(page)
    begun = len(server.lines())
    page.locator("#sample").click()
    page.wait_for_function("document.querySelector('.picture').dataset.done === 'false'")
    page.close()
    ran = until_ended(server, begun)
    assert ran[-1] == "end"
    assert "step 100 of 100" not in ran


def test_of_many_quick_clicks_the_last_wins(visit, pipe):
    page = visit()
    for name in ("moss", "slate", "brick", "moss", "slate"):
        dot(page, name).click()
    page.wait_for_function("document.querySelector('.tiles').ariaLabel === '4 samples of slate'")
    page.wait_for_timeout(500)
    finished(page, "0")
    assert chosen(page) == ["slate"]
    assert same_picture(pixels(page), expected(pipe, "slate"))


def test_an_empty_target_and_a_forged_one_are_answered_with_a_sentence(visit, pipe):
    page = visit()
    page.get_by_role("button", name="Remove brick").click()
    page.locator("#sample").click()
    message = page.locator(".message")
    expect(message).to_have_text("Choose at least one texture on the map.")
    expect(page.locator("#stop")).to_be_disabled()

    def forge(route):
        body = json.loads(route.request.post_data)
        body["data"][0] = [{"name": "../../etc/passwd", "weight": 1}]
        route.continue_(post_data=json.dumps(body))

    page.route(re.compile("queue/join"), forge)
    dot(page, "moss").click()
    expect(message).to_have_text("There is no texture named '../../etc/passwd'.")
    page.unroute(re.compile("queue/join"))
    before = run_of(page)
    dot(page, "slate").click()
    finished(page, before)
    expect(message).to_be_hidden()
    assert same_picture(pixels(page), expected(pipe, "slate"))


def test_a_new_seed_gives_other_pixels_and_an_old_one_the_same(visit, pipe):
    page = visit()
    first = pixels(page)
    page.get_by_role("button", name="New seed").click()
    finished(page, "0")
    seed = int(page.locator("#seed input").input_value())
    assert not np.array_equal(pixels(page), first)
    assert same_picture(pixels(page), expected(pipe, "brick", seed=seed))
    before = run_of(page)
    page.locator("#seed input").fill("0")
    page.locator("#seed input").press("Enter")
    finished(page, before)
    assert np.array_equal(pixels(page), first)


def test_by_keyboard_with_a_visible_focus(visit):
    page = visit()
    dot(page, "moss").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")  # focus that a keyboard brought shows a ring
    assert page.evaluate("document.activeElement.dataset.name") == "moss"
    assert page.evaluate("getComputedStyle(document.activeElement.firstElementChild).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    finished(page, "0")
    assert chosen(page) == ["moss"]
    page.locator("#sample").focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_every_control_has_a_name(visit):
    page = visit()
    page.get_by_role("button", name="More").click()
    page.locator("#strength").wait_for()
    nameless = page.evaluate("""() => [...document.querySelectorAll('button, input, select, textarea')]
        .filter(e => e.checkVisibility())
        .filter(e => !(e.ariaLabel || e.title || e.textContent.trim() || e.labels?.length
                       || e.getAttribute('aria-labelledby')))
        .map(e => e.outerHTML.slice(0, 120))""")
    assert nameless == []


def test_grid_and_map(visit):
    page = visit()
    page.get_by_role("button", name="Grid").click()
    page.wait_for_timeout(700)
    boxes = [dot(page, name).bounding_box() for name in ("brick", "moss", "slate")]
    assert boxes[0]["y"] == pytest.approx(boxes[1]["y"], abs=1)  # in rows, by name
    assert boxes[0]["x"] < boxes[1]["x"]
    assert dot(page, "moss").locator("b").is_visible()
    page.get_by_role("button", name="Map", exact=True).click()
    page.wait_for_timeout(700)
    box, box_map = dot(page, "moss").bounding_box(), page.locator(".map").bounding_box()
    share = (box["x"] + box["width"] / 2 - box_map["x"]) / box_map["width"]
    assert share == pytest.approx(float(dot(page, "moss").get_attribute("data-x")), abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(visit, scheme):
    page = visit(color_scheme=scheme)

    def brightness() -> float:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return float(np.mean([int(c) for c in re.findall(r"\d+", colour)[:3]]))

    before = brightness()
    assert before > 200 if scheme == "light" else before < 60
    page.get_by_role("button", name="Switch between dark and light").click()
    assert abs(brightness() - before) > 150


def test_a_phone_gets_one_column(visit):
    page = visit(viewport=PHONE, has_touch=True, is_mobile=True)
    assert overflow(page)[0] == 0
    tops = [page.locator(part).bounding_box() for part in (".tiles", ".map", "#controls")]
    for upper, lower in pairwise(tops):
        assert upper["y"] + upper["height"] <= lower["y"]
    assert all(box["width"] > 340 for box in tops)
    assert page.locator(".room").get_attribute("data-view") == "grid"
    page.get_by_role("button", name="Mix").tap()
    dot(page, "slate").tap()
    finished(page, "0")
    assert sorted(chosen(page)) == ["brick", "slate"]
    assert overflow(page)[0] == 0
