"""The door of the page: which addresses are open, and what goes on to Gradio."""

from __future__ import annotations

import asyncio
import gc
import json
import re

import httpx
import pytest
from starlette.exceptions import HTTPException

from fgsd.app.http import middleware as door
from fgsd.app.http.middleware import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_UPLOADED,
    OPEN,
    PageMiddleware,
    Refusal,
    Uploads,
)

JSON = {"content-type": "application/json"}
JOIN = "/gradio_api/queue/join"


async def echo(scope, receive, send) -> None:
    """Answers with what came to it."""
    message = await receive() if scope["method"] == "POST" else {"body": b""}
    body = json.dumps([scope["path"], scope["query_string"].decode(), len(message["body"])]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def asked(app, method: str, path: str, **options) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(PageMiddleware(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://page") as web:
            return await web.request(method, path, **options)

    return asyncio.run(ask())


def failing(error: Exception, *, after: bool = False):
    async def app(scope, receive, send) -> None:
        if after:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
        raise error

    return app


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # Gradio leaves event loops to the collector
def test_of_all_that_gradio_serves_only_this_is_open(pipe):
    from gradio.routes import App

    from fgsd.app.page import build_page

    def paths(routes, prefix: str = "") -> set[str]:
        found = set()
        for route in routes:
            if inner := getattr(route, "routes", None) or getattr(
                getattr(route, "original_router", None), "routes", None
            ):
                found |= paths(inner, prefix + getattr(route, "path", ""))
            elif path := getattr(route, "path", None):
                found.add((prefix + path).rstrip("/") or "/")
        return found

    page = build_page(pipe, None)
    app = App.create_app(page, mcp_server=False)
    known = {re.sub(r"\{[^}]*\}", "x", path) for path in paths(app.routes)}
    assert len(known) > 40
    assert {path for path in known if OPEN.fullmatch(path)} == {
        "/",
        "/config",
        "/theme.css",
        "/favicon.ico",
        "/robots.txt",
        "/manifest.json",
        "/assets/x",
        "/static/x",
        "/svelte/x",
        "/gradio_api/app_id",
        "/gradio_api/call/v2/x",
        "/gradio_api/call/v2/x/x",
        "/gradio_api/call/x",
        "/gradio_api/call/x/x",
        "/gradio_api/cancel",
        "/gradio_api/component_server",
        "/gradio_api/file=x",
        "/gradio_api/heartbeat/x",
        "/gradio_api/info",
        "/gradio_api/login_check",
        "/gradio_api/openapi.json",
        "/gradio_api/queue/data",
        "/gradio_api/queue/join",
        "/gradio_api/queue/status",
        "/gradio_api/reset",
        "/gradio_api/run/x",
        "/gradio_api/startup-events",
        "/gradio_api/theme.css",
        "/gradio_api/upload",
        "/gradio_api/user",
    }
    del page, app
    asyncio.set_event_loop(None)  # Gradio has set one
    gc.collect()  # now, not within another test


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/file=http://127.0.0.1:1/", "/gradio_api/file=%00", "/gradio_api/proxy=http://a.hf.space/",
     "/gradio_api/deep_link?session_hash=a", "/monitoring/summary", "/gradio_api/vibe-code", "/nothing"],
)  # fmt: skip
def test_other_addresses_are_closed(path):
    answer = asked(echo, "GET", path)
    assert answer.status_code == 404
    assert answer.json()["error"] == "There is nothing at this address."


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "cannot be read as JSON"),
        (b"[" * 15_000, 400, "cannot be read as JSON"),
        (b"\xff\xfe{\0}\0", 400, "cannot be read as JSON"),
        (b'{"data":[' + b"9" * 5_000 + b"]}", 400, "cannot be read as JSON"),
        (b"[]", 400, "must be a JSON object"),
        (b'{"data":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", 400, "deep at most"),
        (b'{"data":[' + b"1," * 30_000 + b"1]}", 413, "too many values"),
        (b"{" + b" " * MAX_BYTES + b"}", 413, "too large; at most 4,000,000 bytes"),
        (b'{"data":[],"session_hash":["a"]}', 400, "session_hash must be up to 64"),
        (b'{"data":[],"session_hash":"' + b"a" * 65 + b'"}', 400, "session_hash must be up to 64"),
        (b'{"data":[],"event_id":"../x"}', 400, "event_id must be up to 64"),
        (b'{"data":[],"batched":true}', 400, "batched must be false"),
        (b'{"data":[],"event_data":{"client_seq":' + b"9" * 400 + b"}}", 400, "at most 64 bits"),
        (b'{"data":["\\ud800"]}', 400, "no halves of letters"),
    ],
)
def test_a_bad_body_is_refused_in_a_sentence(body, status, words):
    answer = asked(echo, "POST", JOIN, content=body, headers=JSON)
    assert answer.status_code == status
    assert words in answer.json()["error"] == answer.json()["detail"]


def test_a_good_body_goes_on_as_it_came():
    body = json.dumps({"data": [float("nan"), 2**63, "x" * 3_000_000], "session_hash": "a-b_9"}).encode()
    answer = asked(echo, "POST", JOIN + "?mix=moss:1.0", content=body, headers=JSON)
    assert answer.json() == [JOIN, "mix=moss:1.0", len(body)]
    # what is only read, and said in other words, may be anything
    body = json.dumps({"data": [10**400, "\ud800"]}).encode()
    assert asked(echo, "POST", "/gradio_api/call/sample", content=body, headers=JSON).json()[2] == len(body)


def test_other_bodies_than_json_have_one_address():
    files = {"files": ("a.png", b"x")}
    assert asked(echo, "POST", "/gradio_api/component_server", files=files).status_code == 415
    # Gradio would keep what it is called for ever
    assert asked(echo, "POST", "/gradio_api/upload?upload_id=x", files=files).json()[:2] == [
        "/gradio_api/upload",
        "",
    ]


def test_uploads_stop_before_they_fill_the_disk():
    now = [0.0]
    uploads = Uploads(clock=lambda: now[0])
    for now[0] in (0.0, 1800.0):
        uploads.take(MAX_UPLOADED // 2)
    with pytest.raises(Refusal, match="try again in an hour"):
        uploads.take(1)
    now[0] = 4300.0  # the first one is swept away
    uploads.take(MAX_UPLOADED // 2)


@pytest.mark.parametrize("told", [True, False])
def test_an_endless_body_is_refused_while_it_comes(told):
    taken = 0

    async def chunks():
        nonlocal taken
        while True:
            taken += 100_000
            yield b"x" * 100_000

    headers = {"content-length": str(10**9)} if told else {}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/gradio_api/upload",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    source, sent = chunks(), []

    async def receive() -> dict:
        return {"type": "http.request", "body": await anext(source), "more_body": True}

    async def send(message) -> None:
        sent.append(message)

    asyncio.run(PageMiddleware(echo)(scope, receive, send))
    assert sent[0]["status"] == 413
    assert taken <= MAX_BYTES + 100_000 and (taken == 0 or not told)


def test_a_slow_body_is_given_up(monkeypatch):
    monkeypatch.setattr(door, "TIMEOUT_S", 0.05)

    async def slow():
        yield b"{"
        await asyncio.sleep(10)

    async def receive() -> dict:
        await asyncio.sleep(10)
        return {}

    scope = {"type": "http", "method": "POST", "path": JOIN, "query_string": b"", "headers": []}
    sent: list[dict] = []

    async def send(message) -> None:
        sent.append(message)

    asyncio.run(PageMiddleware(echo)(scope, receive, send))
    assert sent[0]["status"] == 408


@pytest.mark.parametrize("name", ["host", "x-forwarded-host"])
def test_an_odd_host_is_refused(name):
    assert asked(echo, "GET", "/", headers={name: "[:: x"}).status_code == 400
    assert asked(echo, "GET", "/", headers={name: "a.hf.space, b"}).status_code == 200
    assert asked(echo, "GET", "/", headers={name: "[::1]:7860"}).status_code == 200


def test_an_odd_server_is_refused():
    for value, status in (("http://[::", 400), ("nothing", 400), ("https://a.hf.space/x", 200)):
        assert asked(echo, "GET", "/", headers={"x-gradio-server": value}).status_code == status


def test_a_session_must_have_a_name():
    assert asked(echo, "GET", "/gradio_api/queue/data?session_hash=a%00").status_code == 400
    assert asked(echo, "GET", "/gradio_api/heartbeat/..%2fx").status_code in (400, 404)
    assert asked(echo, "GET", "/gradio_api/heartbeat/abc").status_code == 200


@pytest.mark.parametrize(
    ("error", "path", "status", "words"),
    [
        (KeyError("x"), "/gradio_api/run/a", 400, "What came cannot be read"),
        (KeyError("x"), "/gradio_api/call/a", 404, "There is no such endpoint"),
        (UnicodeEncodeError("utf-8", "x", 0, 1, "no"), "/gradio_api/run/a", 400, "cannot be read"),
        (httpx.InvalidURL("x"), "/", 400, "cannot be read"),
        (OSError("/private/path"), "/", 500, "This failed on the server"),
    ],
)
def test_what_fails_behind_the_door_is_said_in_a_sentence(error, path, status, words, caplog):
    method = "POST" if "api" in path else "GET"
    body = {"content": b'{"data":[]}', "headers": JSON} if method == "POST" else {}
    answer = asked(failing(error), method, path, **body)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert "private" not in answer.text


def test_a_stream_that_fails_ends():
    answer = asked(failing(HTTPException(404), after=True), "GET", "/gradio_api/queue/data?session_hash=a")
    assert (answer.status_code, answer.text) == (200, "part")


def test_a_refused_call_is_no_failure_of_the_server():
    async def app(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": [(b"content-length", b"99")]})
        await send({"type": "http.response.body", "body": b'{"error": "Steps must', "more_body": True})
        await send({"type": "http.response.body", "body": b' be 3."}'})

    answer = asked(app, "GET", "/")
    assert (answer.status_code, answer.json()["error"]) == (400, "Steps must be 3.")
