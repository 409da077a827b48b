"""Limits of requests under way, and that nothing more is computed once nobody waits for it."""

from __future__ import annotations

import json
import threading
import time

import httpx
import pytest
from browser_help import until_ended
from gradio_client import Client
from page_help import parse

from fgsd.app.api.endpoints import samples
from fgsd.app.render.frames import frames
from fgsd.app.requests.request import RequestError
from fgsd.app.serving.admission import Admission, BusyError, preview_visitor
from fgsd.app.serving.preview import preview_function
from fgsd.app.serving.scheduler import Scheduler

LONG = {"target": "moss", "n": 16, "size": 256, "steps": 16}


@pytest.fixture
def admission(pipe):
    scheduler = Scheduler(pipe)
    yield Admission(scheduler, max_requests=3, max_requests_each=2)
    scheduler.close()


class TestLimits:
    def test_there_is_a_limit_for_all_visitors_and_for_each(self, admission):
        with admission.admit("a"), admission.admit("a"):
            with pytest.raises(BusyError, match=r"^2 requests of yours"), admission.admit("a"):
                pass
            with admission.admit("b"):
                with pytest.raises(BusyError, match="3 requests wait"), admission.admit("c"):
                    pass
                with admission.admit("c", preview=True):  # previews are counted apart
                    assert admission.active_requests() == 3
            with admission.admit("c"):
                pass
        assert admission.active_requests() == 0

    def test_a_cancelled_request_keeps_no_other_out(self, pipe):
        admission = Admission(Scheduler(pipe), max_requests=1, max_requests_each=1)
        cancelled = threading.Event()
        with admission.admit("a", is_cancelled=cancelled.is_set):
            with pytest.raises(BusyError), admission.admit("a"):
                pass
            cancelled.set()
            assert admission.active_requests() == 0
            with admission.admit("a"):
                pass

    def test_a_request_of_which_nothing_can_be_told_keeps_no_other_out(self, pipe, caplog):
        admission = Admission(Scheduler(pipe), max_requests=1, max_requests_each=1)
        with admission.admit("a", is_cancelled=lambda: 1 // 0), admission.admit("a"):
            assert "whether anybody waits" in caplog.text

    @pytest.mark.parametrize("name", ["max_requests", "max_requests_each"])
    def test_limits_are_checked(self, pipe, name):
        with pytest.raises(ValueError, match=f"{name}=0 must be at least 1"):
            Admission(Scheduler(pipe), **{name: 0})

    def test_a_visitor_reads_how_many_requests_wait(self, admission):
        words = r"^Many visitors are here: 3 requests wait; try again in a moment\.$"
        three = admission.admit("a"), admission.admit("b"), admission.admit("c")
        with three[0], three[1], three[2], pytest.raises(BusyError, match=words), admission.admit("d"):
            pass

    def test_a_visitor_reads_how_many_requests_are_theirs(self, admission):
        words = r"^2 requests of yours are under way; try again when one of them is done\.$"
        with admission.admit("a"), admission.admit("a"), pytest.raises(RequestError, match=words):
            next(admission.stream(frames)("a", parse(size=16)))

    def test_a_run_counts_until_it_ends(self, admission):
        run = admission.stream(frames)("a", parse(size=16, steps=3))
        next(run)
        assert admission.active_requests() == 1
        run.close()
        assert admission.active_requests() == 0
        assert len(admission.call(samples)("a", parse(size=16, steps=3))) == 4

    def test_a_cancelled_run_ends_without_an_error(self, admission):
        scheduler = admission.scheduler
        run = admission.stream(frames)(
            "a", parse(size=16, steps=40), is_cancelled=lambda: scheduler.evaluations >= 3
        )
        assert not any(frame["last"] for new in run for frame in new)
        assert scheduler.evaluations == 3

    def test_a_preview_beyond_the_limit_is_left_out(self, admission):
        query = {"target": [{"name": "moss", "weight": 1}]}
        preview = preview_function(admission, multiple=4)
        with_nearest = preview_function(admission, multiple=4, nearest=True)
        visitor = preview_visitor(None)
        with admission.admit(visitor, preview=True), admission.admit(visitor, preview=True):
            assert preview(query) == {}
            assert list(with_nearest(query)) == ["nearest"]
        assert preview(query)["frame"]["last"]

    def test_previews_are_made_while_all_other_requests_are_too_many(self, admission):
        with admission.admit("a"), admission.admit("b"), admission.admit("c"):
            preview = preview_function(admission, multiple=4)
            assert "frame" in preview({"target": [{"name": "moss", "weight": 1}]})


def test_frames_of_a_run_that_is_alone_are_those_of_the_library(admission, pipe):
    request = parse(size=16, steps=3)
    runs = (admission.stream(frames)("a", request), frames(pipe, request))
    pictures = [[frame for new in run for frame in new][-1]["src"] for run in runs]
    assert pictures[0] == pictures[1]


def test_visitors_behind_a_proxy_have_different_addresses():
    def request(host: str, **headers):
        scope = {"type": "http", "client": (host, 1), "headers": []}
        scope["headers"] = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
        from starlette.requests import Request

        return Request(scope)

    assert preview_visitor(request("10.0.0.1")) == "previews at 10.0.0.1"
    assert (
        preview_visitor(request("10.0.0.1", x_forwarded_for="forged, 192.0.2.7")) == "previews at 192.0.2.7"
    )


class TestNobodyWaits:
    """The tiny network takes a while for 16 images of 256 pixels; the journal has every step made."""

    def settled(self, server) -> int:
        server.settled()
        return len(server.lines())

    def steps_until_end(self, server, before: int) -> int:
        ran = until_ended(server, before)
        time.sleep(0.5)
        assert server.lines()[before:] == ran, "the run continued"
        assert ran[-1] == "end"
        return len(ran) - 1

    def wait_for_two_steps(self, server, before: int) -> None:
        deadline = time.monotonic() + 30
        while len(server.lines()) < before + 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def test_a_dropped_stream_ends_the_call(self, server):
        before = self.settled(server)
        with httpx.Client(base_url=server.url, timeout=30) as web:
            event = web.post("gradio_api/call/v2/sample", json=LONG).json()["event_id"]
            with web.stream("GET", f"gradio_api/call/sample/{event}"):
                self.wait_for_two_steps(server, before)
        assert 2 <= self.steps_until_end(server, before) < 16

    def test_a_cancelled_call_ends(self, server):
        before = self.settled(server)
        job = Client(server.url, verbose=False).submit(**LONG, api_name="/sample")
        self.wait_for_two_steps(server, before)
        job.cancel()
        assert 2 <= self.steps_until_end(server, before) < 16

    def test_a_call_that_is_waited_for_does_not_end(self, server):
        before = self.settled(server)
        with httpx.Client(base_url=server.url, timeout=60) as web:
            event = web.post("gradio_api/call/v2/sample", json={**LONG, "n": 1, "size": 64}).json()[
                "event_id"
            ]
            text = web.get(f"gradio_api/call/sample/{event}").text
        assert "event: complete" in text and len(json.loads(text.split("data: ")[-1])[0]) == 1
        assert self.steps_until_end(server, before) == 16


def test_no_step_is_evaluated_after_the_request_is_cancelled(pipe_copy, network):
    """The next request of the visitor comes while the network evaluates a step: that step is the last."""
    admission, cancelled, received = Admission(Scheduler(pipe_copy)), threading.Event(), []
    network.gate.clear()
    run = admission.stream(frames)("a", parse(size=16, steps=9), is_cancelled=cancelled.is_set)
    thread = threading.Thread(target=lambda: received.extend(run))
    thread.start()
    assert network.entered.wait(30)
    cancelled.set()
    network.gate.set()
    thread.join(30)
    admission.scheduler.close()
    assert len(network.batches) == 1 and received == []
