"""Forged requests to a served page: a few hundred by default, ten thousand with `-m slow`."""

from __future__ import annotations

import httpx
import numpy as np
import pytest
from bad_values import API, CLOSED, CLOSED_POSTS
from bad_visitors import Outcome, assault, good_picture, spoken


def check(outcome: Outcome, inputs: int, growth: float) -> None:
    assert outcome.failures == []
    assert outcome.inputs == inputs
    assert outcome.fetched == 0
    assert outcome.growth < growth
    # forged requests must reach Gradio, and not all be refused by the middleware
    routes = {route for route, status in outcome.counts if status.startswith("200")}
    assert {"queue/join", "run", "call", "component_server", "upload"} <= routes


def test_forged_requests_get_sentences_and_leave_nothing_behind(server, pipe):
    check(assault(server, inputs=300, seed=1, fill=False), 300, growth=0.2)  # caches of Python still fill
    with httpx.Client(base_url=server.url, timeout=30) as web:
        library = np.asarray(pipe.sample(pipe.classes[0], steps=4)[0])
        assert np.array_equal(good_picture(web, pipe.classes[0])[..., :3], library)


@pytest.mark.parametrize("path", CLOSED)
def test_routes_that_the_page_does_not_need_are_closed(server, path):
    assert httpx.get(server.url.rstrip("/") + path).status_code == 404


@pytest.mark.parametrize("path", CLOSED_POSTS)
def test_so_are_those_that_take_a_body(server, path):
    assert httpx.post(server.url.rstrip("/") + path, json={}).status_code == 404


def test_a_refused_call_outside_of_the_queue_has_a_sentence_and_status_400(server):
    response = httpx.post(f"{server.url.rstrip('/')}{API}/run/classes", json={"data": [1]})
    assert response.status_code == 400
    assert response.json()["error"] == "/classes takes at most 0 values; 1 came."


def test_an_event_of_the_browser_is_refused(server):
    url = server.url.rstrip("/") + API
    config = httpx.get(f"{server.url}config").json()
    number = next(d["id"] for d in config["dependencies"] if not d["backend_fn"] and d["api_name"] != "")
    response = httpx.post(f"{url}/run/x", json={"data": [], "fn_index": number, "session_hash": "a"})
    assert (response.status_code, response.json()["error"]) == (400, "This event is for the browser alone.")


def test_a_request_without_a_host_from_another_page_is_answered(server):
    from urllib.parse import urlsplit

    status, words = spoken(urlsplit(server.url).port, b"GET / HTTP/1.0\r\nOrigin: http://a\r\n\r\n")
    assert status == "400" and "What came cannot be read." in words


def test_a_value_that_is_no_choice_is_not_repeated_in_full(server):
    url = server.url.rstrip("/") + API
    dependencies = httpx.get(f"{server.url}config").json()["dependencies"]
    event = next(d for d in dependencies if d["api_name"] == "run")
    data = [[], "x" * 10_000, *[None] * (len(event["inputs"]) - 2)]
    response = httpx.post(f"{url}/run/run", json={"data": data, "session_hash": "long"})
    assert response.status_code == 400 and len(response.json()["error"]) <= 200


def test_values_that_gradio_would_keep_are_bounded(server):
    url = server.url.rstrip("/") + API
    long = [[{"name": "x" * 30_000, "weight": 1}]]
    config = httpx.get(f"{server.url}config").json()
    number = next(d["id"] for d in config["dependencies"] if d["api_name"] == "choose")
    joined = httpx.post(
        f"{url}/queue/join", json={"data": long, "fn_index": number, "session_hash": "bounded"}
    )
    assert joined.status_code == 200
    text = httpx.get(f"{url}/queue/data?session_hash=bounded", timeout=30).text
    assert "may take 20,000 characters at most" in text


@pytest.mark.slow
def test_ten_thousand_bad_inputs(server):
    check(assault(server, inputs=10_000, seed=2), 10_000, growth=0.05)
