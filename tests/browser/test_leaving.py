"""A visitor leaves the page while a run is under way, in a real Chromium."""

from __future__ import annotations

import pytest
from browser_help import finished, slow_run, under_way, until_ended

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def test_leaving_during_a_run_reports_no_error_and_ends_the_run(visit, server):
    page = visit()
    slow_run(page)
    begun = len(server.lines())
    page.locator("#sample").click()
    under_way(page)
    page.goto(server.url)  # like a reload: the page is left with the stream of answers open
    finished(page)
    assert page.complaints == []
    lines = until_ended(server, begun)
    assert "end" in lines and "step 100 of 100" not in lines


def test_leaving_during_a_run_for_a_slow_page_arrives_there(visit):
    page, held = visit(), []
    slow_run(page)
    page.locator("#sample").click()
    under_way(page)
    page.route("**/elsewhere", lambda route: held.append(route))
    page.evaluate("setTimeout(() => (location.href = 'elsewhere'))")
    page.wait_for_timeout(4000)  # Gradio would reload the page after two seconds
    held[0].fulfill(body="<h1>There</h1>", content_type="text/html")
    page.get_by_role("heading", name="There").wait_for(timeout=15_000)
    assert page.complaints == []
