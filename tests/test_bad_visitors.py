"""Forged requests to a served page: a few hundred by default, ten thousand with `-m slow`."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest
from app_server import AppServer
from bad_values import API, CLOSED, CLOSED_POSTS
from bad_visitors import Outcome, assault, good_picture


@pytest.fixture(scope="module")
def server(checkpoint_folder, texture_folder, tmp_path_factory):
    """A page of its own: what other tests do there would count as memory."""
    folder: Path = tmp_path_factory.mktemp("bad")
    with (folder / "log.txt").open("w") as log:
        server = AppServer(checkpoint_folder, texture_folder, folder / "journal.txt", stderr=log)
        yield server
        server.close()


def check(outcome: Outcome, inputs: int, growth: float) -> None:
    assert outcome.failures == []
    assert outcome.inputs == inputs
    assert outcome.fetched == 0
    assert outcome.growth < growth
    # it would be no assault if all of it were refused at the door
    routes = {route for route, status in outcome.counts if status.startswith("200")}
    assert {"queue/join", "run", "call", "component_server", "upload", "mcp"} <= routes


def test_bad_visitors_get_sentences_and_leave_nothing_behind(server, pipe):
    check(assault(server, inputs=300, seed=1), 300, growth=0.2)  # Python's own caches still fill
    with httpx.Client(base_url=server.url, timeout=30) as web:
        library = np.asarray(pipe.sample(pipe.classes[0], steps=4)[0])
        assert np.array_equal(good_picture(web, pipe.classes[0])[..., :3], library)


@pytest.mark.parametrize("path", CLOSED)
def test_what_the_page_does_not_need_is_closed(server, path):
    assert httpx.get(server.url.rstrip("/") + path).status_code == 404


@pytest.mark.parametrize("path", CLOSED_POSTS)
def test_nor_does_it_take_anything(server, path):
    assert httpx.post(server.url.rstrip("/") + path, json={}).status_code == 404


def test_a_refused_call_past_the_queue_has_words_and_no_status_500(server):
    answer = httpx.post(f"{server.url}{API}/run/sample", json={"data": ["gold"]})
    assert answer.status_code == 400
    assert answer.json()["error"] == (
        "target: there is no class named 'gold'; the endpoint classes has the names."
    )


@pytest.mark.slow
def test_ten_thousand_bad_inputs(server):
    check(assault(server, inputs=10_000, seed=2), 10_000, growth=0.05)
