"""Runs that a visitor starts and ends, in a real Chromium."""

from __future__ import annotations

import json
import re
import time

import numpy as np
import pytest
from browser_help import (
    choose_size,
    chosen,
    dot,
    expected,
    finished,
    pixels,
    run_of,
    same_picture,
    set_steps,
    shows,
    slow_run,
    under_way,
    until_ended,
)
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.integration]


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
        key: page.locator(f'[data-readout="{key}"]').inner_text() for key in ("step", "evaluations", "device")
    }
    assert reads == {"step": "16 / 16", "evaluations": "16", "device": "cpu"}
    assert float(page.locator('[data-readout="ms"]').inner_text()) > 0
    assert page.get_by_label("Step", exact=True).input_value() == "16"
    expect(page.locator(".picture .status")).to_have_text("Finished: 4 samples of slate.")
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
    shares = [page.get_by_label(f"Share of {name} in percent") for name in ("brick", "moss")]
    assert [share.input_value() for share in shares] == ["33", "67"]
    assert same_picture(pixels(page), expected(pipe, {"brick": 1 / 3, "moss": 2 / 3}))
    # the pin lies at the weighted mean of the two thumbnails
    mark = page.locator(".map-panel .ring").bounding_box()
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


def test_stop_really_stops_the_server_and_the_page_goes_on(visit, server, pipe):
    page = visit()
    slow_run(page)
    begun = len(server.lines())
    page.locator("#sample").click()
    under_way(page)
    page.locator("#stop").click()
    expect(page.locator(".picture .status")).to_have_text("Stopped.")
    expect(page.locator("#stop")).to_be_disabled()
    ran = until_ended(server, begun)
    assert ran[-1] == "end", "the run went on"
    assert 2 <= len(ran) - 1 < 100
    time.sleep(1)
    assert len(server.lines()) == begun + len(ran)
    # and now something small
    page.get_by_role("button", name="More").click()
    page.locator("#count label").first.click()
    choose_size(page, 64)
    set_steps(page, 16)
    shows(page, "images=1", "size=64", "steps=16")
    assert page.locator(".picture canvas").count() == 1
    assert same_picture(pixels(page), expected(pipe, "brick", sampler="heun"))  # as in `slow_run`


@pytest.mark.parametrize("rate", [1, 8])
def test_there_is_something_to_stop_exactly_while_a_run_is_under_way(visit, rate):
    page = visit()
    slow_run(page)
    browser = page.context.new_cdp_session(page)
    browser.send("Emulation.setCPUThrottlingRate", {"rate": rate})  # answers pile up on a slow machine
    stop = page.locator("#stop")
    for k in range(6):  # it depends on which answer comes first
        page.locator("#sample").click()
        expect(stop).to_be_enabled(timeout=10_000)
        page.wait_for_timeout(300 * (k % 2))  # before the first step, or after
        stop.click()
        page.server.settled()
        page.wait_for_timeout(300)
        expect(stop).to_be_disabled(timeout=15_000)  # a slowed page has answers of seconds to work off
    browser.detach()


def test_a_setting_made_before_the_button_is_there_is_sampled(visit):
    page = visit()
    # Gradio draws the settings a moment earlier
    page.locator("#sample").evaluate(
        "b => { const place = b.parentElement; b.remove(); window.late = () => place.prepend(b); }"
    )
    page.locator("#seed input").fill("7")
    page.locator("#count label").first.click()
    page.wait_for_timeout(100)
    page.evaluate("late()")
    shows(page, "mix=brick:1.0", "seed=7", "images=1")


@pytest.mark.slow
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


def test_leaving_the_page_ends_its_run(visit, server):
    page = visit()
    slow_run(page)
    begun = len(server.lines())
    page.locator("#sample").click()
    under_way(page)
    page.close()
    ran = until_ended(server, begun)
    assert ran[-1] == "end"
    assert "step 100 of 100" not in ran


def test_of_many_quick_clicks_the_last_wins(visit, pipe):
    page = visit()
    for name in ("moss", "slate", "brick", "moss", "slate"):
        dot(page, name).click()
    page.wait_for_function("document.querySelector('.samples').ariaLabel === '4 samples of slate'")
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


SLOW_CLOSE = """
const { fetch } = window;
window.fetch = async (...values) => {
    const response = await fetch(...values);
    if (!response.url.includes("/queue/data")) return response;
    const slow = new TransformStream({ async transform(chunk, controller) {
        const text = new TextDecoder().decode(chunk);
        if (text.includes("close_stream")) await new Promise((resolve) => setTimeout(resolve, 500));
        controller.enqueue(chunk);
    } });
    return new Response(response.body.pipeThrough(slow), response);
};
"""


def test_an_event_is_answered_that_was_sent_while_the_stream_before_it_closed(visit):
    page = visit(script=SLOW_CLOSE)
    for name in ("moss", "slate", "brick", "moss"):
        dot(page, name).click()
        shows(page, f"mix={name}:1.0")
