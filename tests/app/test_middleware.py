"""The HTTP middleware: which addresses are open, and which requests go on to Gradio."""

from __future__ import annotations

import asyncio
import gc
import json
import re

import httpx
import pytest
from starlette.exceptions import HTTPException

from fgsd.app.http import middleware
from fgsd.app.http.middleware import OPEN_ROUTES, PageMiddleware, Refusal, UploadQuota
from fgsd.app.limits import (
    MAX_BODY_BYTES,
    MAX_BODY_DEPTH,
    MAX_RECEIVED_BYTES,
    MAX_STORED_BYTES,
    MAX_UPLOAD_BODY_BYTES,
)
from fgsd.app.web_files import address

JSON = {"content-type": "application/json"}
JOIN = "/gradio_api/queue/join"


async def echo(scope, receive, send) -> None:
    """Respond with the path, the query and the length of the body."""
    message = await receive() if scope["method"] == "POST" else {"body": b""}
    body = json.dumps([scope["path"], scope["query_string"].decode(), len(message["body"])]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def requested(app, method: str, path: str, **options) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(PageMiddleware(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://page") as web:
            return await web.request(method, path, **options)

    return asyncio.run(send())


def failing(error: Exception, *, after: bool = False):
    async def app(scope, receive, send) -> None:
        if after:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
        raise error

    return app


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # Gradio leaves event loops to the collector
def test_of_all_routes_of_gradio_only_these_are_open(pipe):
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
    served = {re.sub(r"\{[^}]*\}", "x", path) for path in paths(app.routes)}
    assert len(served) > 40
    assert {path for path in served if OPEN_ROUTES.fullmatch(path)} == {
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
    gc.collect()  # now, and not during another test


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/file=http://127.0.0.1:1/", "/gradio_api/file=%00", "/gradio_api/proxy=http://a.hf.space/",
     "/gradio_api/deep_link?session_hash=a", "/monitoring/summary", "/gradio_api/vibe-code", "/nothing"],
)  # fmt: skip
def test_other_addresses_are_closed(path):
    response = requested(echo, "GET", path)
    assert response.status_code == 404
    assert response.json()["error"] == "There is nothing at this address."


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "cannot be read as JSON"),
        (b"[" * 15_000, 400, "cannot be read as JSON"),
        (b"\xff\xfe{\0}\0", 400, "cannot be read as JSON"),
        (b'{"data":[' + b"9" * 5_000 + b"]}", 400, "cannot be read as JSON"),
        (b"[]", 400, "must be a JSON object"),
        (b'{"data":' + b"[" * MAX_BODY_DEPTH + b"]" * MAX_BODY_DEPTH + b"}", 400, "deep at most"),
        (b'{"data":[' + b"1," * 30_000 + b"1]}", 413, "too many values"),
        (b"{" + b" " * MAX_BODY_BYTES + b"}", 413, "too large; at most 4,000,000 bytes"),
        (b'{"data":[],"session_hash":["a"]}', 400, "session_hash must be up to 64"),
        (b'{"data":[],"session_hash":"' + b"a" * 65 + b'"}', 400, "session_hash must be up to 64"),
        (b'{"data":[],"event_id":"../x"}', 400, "event_id must be up to 64"),
        (b'{"data":[],"batched":true}', 400, "batched must be false"),
        (b'{"data":[],"event_data":{"client_seq":' + b"9" * 400 + b"}}", 400, "at most 64 bits"),
        (b'{"data":["\\ud800"]}', 400, "no halves of letters"),
    ],
)
def test_a_bad_body_is_refused_in_a_sentence(body, status, words):
    response = requested(echo, "POST", JOIN, content=body, headers=JSON)
    assert response.status_code == status
    assert words in response.json()["error"] == response.json()["detail"]


def test_a_good_body_goes_on_as_it_came():
    body = json.dumps({"data": [float("nan"), 2**63, "x" * 3_000_000], "session_hash": "a-b_9"}).encode()
    response = requested(echo, "POST", JOIN + "?mix=moss:1.0", content=body, headers=JSON)
    assert response.json() == [JOIN, "mix=moss:1.0", len(body)]
    # Gradio does not repeat the values of a call, so they may be anything
    body = json.dumps({"data": [10**400, "\ud800"]}).encode()
    response = requested(echo, "POST", "/gradio_api/call/sample", content=body, headers=JSON)
    assert response.json()[2] == len(body)


def test_bodies_other_than_json_have_one_address():
    files = {"files": ("a.png", b"x")}
    assert requested(echo, "POST", "/gradio_api/component_server", files=files).status_code == 415
    # Gradio would keep the upload_id for ever
    assert requested(echo, "POST", "/gradio_api/upload?upload_id=x", files=files).json()[:2] == [
        "/gradio_api/upload",
        "",
    ]


def test_uploads_stop_before_they_fill_the_disk():
    now = [0.0]
    uploads = UploadQuota(clock=lambda: now[0])
    for now[0] in (0.0, 1800.0):
        uploads.add(MAX_STORED_BYTES // 2)
    with pytest.raises(Refusal, match="try again in an hour"):
        uploads.add(1)
    now[0] = 4300.0  # the first one is swept away
    uploads.add(MAX_STORED_BYTES // 2)


def test_uploads_stop_before_they_fill_the_memory():
    uploads = UploadQuota()
    with uploads.receiving() as one, uploads.receiving() as other:
        one(MAX_RECEIVED_BYTES - 10)
        other(10)
        with pytest.raises(Refusal, match="try again in a minute"):
            other(1)
    with uploads.receiving() as later:  # what was received before is gone
        later(MAX_RECEIVED_BYTES)


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(
    ("path", "limit"), [("/gradio_api/upload", MAX_UPLOAD_BODY_BYTES), (JOIN, MAX_BODY_BYTES)]
)
def test_an_endless_body_is_refused_while_it_arrives(path, limit, declared):
    received = 0

    async def chunks():
        nonlocal received
        while True:
            received += 100_000
            yield b"x" * 100_000

    headers = {"content-length": str(10**9)} if declared else {}
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
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
    assert received <= limit + 100_000 and (received == 0 or not declared)


def test_a_slow_body_is_refused(monkeypatch):
    monkeypatch.setattr(middleware, "TIMEOUT_BODY_S", 0.05)

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
def test_a_malformed_host_is_refused(name):
    assert requested(echo, "GET", "/", headers={name: "[:: x"}).status_code == 400
    assert requested(echo, "GET", "/", headers={name: "a.hf.space, b"}).status_code == 200
    assert requested(echo, "GET", "/", headers={name: "[::1]:7860"}).status_code == 200


def test_a_malformed_server_is_refused():
    for value, status in (("http://[::", 400), ("nothing", 400), ("https://a.hf.space/x", 200)):
        assert requested(echo, "GET", "/", headers={"x-gradio-server": value}).status_code == status


def test_the_id_of_a_session_is_checked():
    assert requested(echo, "GET", "/gradio_api/queue/data?session_hash=a%00").status_code == 400
    assert requested(echo, "GET", "/gradio_api/heartbeat/..%2fx").status_code in (400, 404)
    assert requested(echo, "GET", "/gradio_api/heartbeat/abc").status_code == 200


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
def test_an_error_of_gradio_becomes_a_sentence(error, path, status, words, caplog):
    method = "POST" if "api" in path else "GET"
    body = {"content": b'{"data":[]}', "headers": JSON} if method == "POST" else {}
    response = requested(failing(error), method, path, **body)
    assert response.status_code == status
    assert words in response.json()["error"]
    assert "private" not in response.text


def test_a_stream_that_fails_ends():
    response = requested(
        failing(HTTPException(404), after=True), "GET", "/gradio_api/queue/data?session_hash=a"
    )
    assert (response.status_code, response.text) == (200, "part")


def test_a_refused_call_is_no_failure_of_the_server():
    async def app(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": [(b"content-length", b"99")]})
        await send({"type": "http.response.body", "body": b'{"error": "Steps must', "more_body": True})
        await send({"type": "http.response.body", "body": b' be 3."}'})

    response = requested(app, "GET", "/")
    assert (response.status_code, response.json()["error"]) == (400, "Steps must be 3.")


def test_the_page_itself_makes_browsers_fetch_its_javascript_early():
    async def page(scope, receive, send):
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}
        )
        await send({"type": "http.response.body", "body": b""})

    link = requested(page, "GET", "/").headers["link"]
    assert link == f"<{address()}>; rel=modulepreload"
    assert "link" not in requested(page, "GET", "/config").headers
