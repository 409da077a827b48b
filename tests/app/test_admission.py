"""Who is let in, who waits, and that nothing more is computed once nobody waits for it."""

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
from fgsd.app.serving.admission import Admission, BusyError, hand
from fgsd.app.serving.preview import preview_function
from fgsd.app.serving.scheduler import Scheduler
from fgsd.pipeline import Pipeline

LONG = {"target": "moss", "n": 16, "size": 256, "steps": 16}


@pytest.fixture
def admission(pipe):
    scheduler = Scheduler(pipe, most=3, most_each=2)
    yield Admission(scheduler)
    scheduler.close()


class TestPlaces:
    def test_many_visitors_are_told_how_many_wait(self, admission):
        words = r"^Many visitors are here: 3 requests wait; try again in a moment\.$"
        three = admission.place("a"), admission.place("b"), admission.place("c")
        with three[0], three[1], three[2], pytest.raises(BusyError, match=words), admission.place("d"):
            pass

    def test_one_visitor_has_not_all_places(self, admission):
        words = r"^2 requests of yours are under way; try again when one of them is done\.$"
        with admission.place("a"), admission.place("a"), pytest.raises(RequestError, match=words):
            next(admission.loop(frames)("a", parse(size=16)))

    def test_a_run_has_its_place_until_it_ends(self, admission):
        run = admission.loop(frames)("a", parse(size=16, steps=3))
        next(run)
        assert admission.scheduler.under_way() == 1
        run.close()
        assert admission.scheduler.under_way() == 0
        assert len(admission.call(samples)("a", parse(size=16, steps=3))) == 4

    def test_a_run_that_is_no_longer_wanted_ends_in_silence(self, admission):
        counted = admission.scheduler
        run = admission.loop(frames)("a", parse(size=16, steps=40), wanted=lambda: counted.evaluations < 3)
        assert not any(frame["last"] for several in run for frame in several)
        assert counted.evaluations == 3

    def test_a_picture_that_finds_no_place_is_left_out(self, admission):
        asked = {"target": [{"name": "moss", "weight": 1}]}
        follow = preview_function(admission, multiple=4)
        with admission.place(hand(None), preview=True), admission.place(hand(None), preview=True):
            assert follow(asked) == {}
        assert follow(asked)["frame"]["last"]

    def test_pictures_follow_while_all_places_are_taken(self, admission):
        with admission.place("a"), admission.place("b"), admission.place("c"):
            assert "frame" in preview_function(admission, multiple=4)(
                {"target": [{"name": "moss", "weight": 1}]}
            )


def test_frames_of_a_run_that_is_alone_are_those_of_the_library(admission, pipe):
    request = parse(size=16, steps=3)
    runs = (admission.loop(frames)("a", request), frames(pipe, request))
    shown = [[frame for several in run for frame in several][-1]["src"] for run in runs]
    assert shown[0] == shown[1]


def test_whoever_stands_behind_a_proxy_is_told_apart():
    def request(host: str, **headers):
        scope = {"type": "http", "client": (host, 1), "headers": []}
        scope["headers"] = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
        from starlette.requests import Request

        return Request(scope)

    assert hand(request("10.0.0.1")) == "hands at 10.0.0.1"
    assert hand(request("10.0.0.1", x_forwarded_for="forged, 192.0.2.7")) == "hands at 192.0.2.7"


class TestNobodyWaits:
    """The tiny network takes a while for 16 images of 256 pixels; the journal has every step made."""

    def begun(self, server) -> int:
        server.settled()
        return len(server.lines())

    def made(self, server, before: int) -> int:
        ran = until_ended(server, before)
        time.sleep(0.5)
        assert server.lines()[before:] == ran, "the run went on"
        assert ran[-1] == "end"
        return len(ran) - 1

    def under_way(self, server, before: int) -> None:
        deadline = time.monotonic() + 30
        while len(server.lines()) < before + 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def test_a_dropped_stream_ends_the_call(self, server):
        before = self.begun(server)
        with httpx.Client(base_url=server.url, timeout=30) as web:
            event = web.post("gradio_api/call/v2/sample", json=LONG).json()["event_id"]
            with web.stream("GET", f"gradio_api/call/sample/{event}"):
                self.under_way(server, before)
        assert 2 <= self.made(server, before) < 16

    def test_a_cancelled_call_ends(self, server):
        before = self.begun(server)
        job = Client(server.url, verbose=False).submit(**LONG, api_name="/sample")
        self.under_way(server, before)
        job.cancel()
        assert 2 <= self.made(server, before) < 16

    def test_a_call_that_is_waited_for_does_not_end(self, server):
        before = self.begun(server)
        with httpx.Client(base_url=server.url, timeout=60) as web:
            event = web.post("gradio_api/call/v2/sample", json={**LONG, "n": 1, "size": 64}).json()[
                "event_id"
            ]
            told = web.get(f"gradio_api/call/sample/{event}").text
        assert "event: complete" in told and len(json.loads(told.split("data: ")[-1])[0]) == 1
        assert self.made(server, before) == 16


def test_a_passed_over_step_is_not_evaluated(pipe, monkeypatch):
    """The visitor's next client_seq comes while the network is at a step: that one is the last."""
    own = Pipeline(pipe.network, pipe.table, pipe.info, "cpu", map=pipe.map)
    entered, gate, denoise, evaluated = threading.Event(), threading.Event(), own.network.denoise, []

    def held(*arguments, **options):
        evaluated.append(None)
        entered.set()
        assert gate.wait(30)
        return denoise(*arguments, **options)

    monkeypatch.setattr(own.network, "denoise", held)
    admission, client_seq, shown = Admission(Scheduler(own)), [True], []
    run = admission.loop(frames)("a", parse(size=16, steps=9), wanted=lambda: client_seq[0])
    thread = threading.Thread(target=lambda: shown.extend(run))
    thread.start()
    assert entered.wait(30)
    client_seq[0] = False
    gate.set()
    thread.join(30)
    admission.scheduler.close()
    assert len(evaluated) == 1 and shown == []
