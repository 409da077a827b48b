"""The shipped report as a file in a real Chromium, without internet: its plots and its folded tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser_help import DESKTOP, PHONE
from playwright.sync_api import Locator, Page, expect

from fgsd.evidence.files import PAGE, read_report
from fgsd.evidence.questions import five_findings

pytestmark = [pytest.mark.browser, pytest.mark.integration]

EVIDENCE = Path(__file__).parents[2] / "assets" / "evidence"
INK_OF_THE_DARK = "rgb(238, 236, 230)"


@pytest.fixture(scope="module")
def report(browser) -> Page:
    """The report, opened once; every request and complaint of its is kept."""
    context = browser.new_context(viewport=DESKTOP, color_scheme="light", offline=True)
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda said: page.complaints.append(said.text) if said.type == "error" else None)
    page.goto((EVIDENCE / PAGE).as_uri())
    yield page
    context.close()


def drawn(page: Page, place: str) -> Locator:
    """The figure at a place of the page, when it is drawn."""
    figure = page.locator(place)
    figure.scroll_into_view_if_needed()
    figure.locator("[data-drawn]").wait_for()
    return figure


def test_it_loads_nothing_and_opens_with_five_findings(report):
    answers = five_findings(read_report(EVIDENCE))
    assert report.locator(".findings h3").all_text_contents() == [one.question for one in answers]
    for one in answers:
        figure = drawn(report, f"#finding-{one.name} figure")
        assert figure.bounding_box()["height"] > 180
        assert report.locator(f"#finding-{one.name} a").get_attribute("href") == f"#{one.part}"
    assert report.asked == [(EVIDENCE / PAGE).as_uri()] and report.complaints == []


def test_the_pointer_reads_the_pair_of_classes(report):
    figure = drawn(report, "#embedding-distances")
    plot = read_report(EVIDENCE)["parts"]["embedding"]["plots"][0]
    far = plot["series"][0]["points"].index("deep-water – lava")  # at the end of the cloud, alone
    point = figure.locator(".scatterlayer .points path").nth(far)
    box = point.bounding_box()
    report.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(figure.locator(".hovertext")).to_contain_text("deep-water – lava")
    expect(figure.locator(".hovertext")).to_contain_text("squared distance of centroids")


def test_names_under_a_plot_switch_its_series_by_mouse_and_by_keyboard(report):
    figure = drawn(report, "#between-nearest")
    traces, bands = (
        figure.locator(".scatterlayer .trace .points"),
        figure.locator(".scatterlayer .fills path"),
    )
    ours = figure.get_by_role("button", name="features (ours)")
    expect(ours).to_have_attribute("aria-pressed", "true")
    total, lines = bands.count(), traces.count()
    ours.click()
    expect(ours).to_have_attribute("aria-pressed", "false")
    expect(traces).to_have_count(lines - 2)  # the line and its band
    ours.focus()
    report.keyboard.press("Enter")
    expect(traces).to_have_count(lines)
    expect(bands).to_have_count(total)
    figure.get_by_role("button", name="blend of pixels").dblclick()
    expect(ours).to_have_attribute("aria-pressed", "false")
    expect(traces).to_have_count(2)
    report.emulate_media(color_scheme="dark")  # what is switched off stays so
    expect(figure.locator(".xtick text").first).to_have_css("fill", INK_OF_THE_DARK)
    expect(traces).to_have_count(2)
    report.emulate_media(color_scheme="light")


def test_a_drag_zooms_and_a_double_click_zooms_out(report):
    figure = drawn(report, "#truth-spectrum")
    ticks = figure.locator(".xtick text")
    before = ticks.all_text_contents()
    box = figure.locator(".nsewdrag").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    report.mouse.move(x, y)
    report.mouse.down()
    report.mouse.move(x + 60, y + 60, steps=4)
    report.mouse.up()
    expect(ticks.first).not_to_have_text(before[0])
    report.mouse.dblclick(x, y)
    expect(ticks.first).to_have_text(before[0])


def test_tables_are_folded_and_open_by_keyboard(report):
    tables = report.locator("#textures > details")
    expect(tables).to_have_count(2)
    expect(tables.first.locator("table")).to_be_hidden()
    tables.first.locator("summary").focus()
    report.keyboard.press("Enter")
    expect(tables.first.get_by_role("rowheader", name="features (ours)", exact=True)).to_be_visible()
    # the numbers of a plot, for those who do not point at it
    figure = drawn(report, "#embedding-gaussians")
    figure.locator("summary").click()
    rows = figure.locator("tbody tr")
    expect(rows).to_have_count(3 * 15)
    expect(rows.first).to_contain_text("gaussian-00 – gaussian-01")


def test_on_a_phone_nothing_is_wider_than_the_window(browser):
    context = browser.new_context(viewport=PHONE, color_scheme="dark", has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto((EVIDENCE / PAGE).as_uri())
    figure = drawn(page, "#truth-plane")
    assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [PHONE["width"]] * 2
    panels = figure.locator("[data-drawn]")
    assert panels.evaluate("e => e.scrollWidth") > PHONE["width"]  # it scrolls in its box
    expect(figure.locator(".annotation text").nth(1)).to_have_text(re.compile("features"))
    expect(figure.locator(".annotation text").first).to_have_css("fill", INK_OF_THE_DARK)
    context.close()
