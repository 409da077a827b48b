"""HTTP middleware: passes on only the requests that the page, its API and its tools need.

Gradio has many more routes than this page needs: some fetch addresses, write files or report on the server.
They are closed here. What passes is small, well formed and from a session with a plausible name; the meaning
of its values is validated by `fgsd.app.requests.request`. `fgsd.app.http.errors` responds to whatever still
fails inside of Gradio.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import orjson  # Gradio depends on it, and writes its event streams with it
from httpx import URL, InvalidURL
from starlette.datastructures import Headers

from fgsd.app.gradio_internals import queue_of
from fgsd.app.http.errors import ErrorResponder, Message, Send, status_and_sentence
from fgsd.app.http.queue_cleanup import QueueCleanup
from fgsd.app.limits import (
    FILE_SWEEP_S,
    MAX_BODY_BYTES,
    MAX_BODY_DEPTH,
    MAX_BODY_VALUES,
    MAX_ID_CHARACTERS,
    MAX_RECEIVED_BYTES,
    MAX_STORED_BYTES,
    MAX_UPLOAD_BODY_BYTES,
    MAX_UPLOAD_BYTES,
    MAX_URL_CHARACTERS,
    TIMEOUT_BODY_S,
    TIMEOUT_UPLOAD_S,
)
from fgsd.app.web_files import MODULES_PATTERN, PLOTLY_ADDRESS, SITE_PATTERN, preload_link

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

API = "/gradio_api/"
PAGES = (
    "",
    r"config/?",
    r"theme\.css",
    r"evidence\.html",
    MODULES_PATTERN,
    SITE_PATTERN,
    re.escape(PLOTLY_ADDRESS),
    r"favicon\.ico",
    r"robots\.txt",
    r"manifest\.json",
    r"(assets|static|svelte)/.+",
    # Gradio requests the first two from itself when it starts
    r"gradio_api/startup-events",
    r"gradio_api/(app_id|info|user|login_check)/?",
    r"gradio_api/(openapi\.json|theme\.css)",
    r"gradio_api/queue/(data|status)",
    r"gradio_api/heartbeat/[^/]+",
    r"gradio_api/call/(v2/)?[^/]+/[^/]+",
    r"gradio_api/file=.+",
    r"gradio_api/mcp(/.*)?",
)
JSON_ROUTES = r"gradio_api/(queue/join|(run|call|call/v2)/[^/]+|component_server|cancel|reset)/?"
UPLOAD_ROUTE = r"gradio_api/upload"
OPEN_ROUTES = re.compile(f"/({'|'.join((*PAGES, JSON_ROUTES, UPLOAD_ROUTE))})")
TAKES_JSON, TAKES_FILES = re.compile(f"/{JSON_ROUTES}"), re.compile(f"/{UPLOAD_ROUTE}")
ID = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_ID_CHARACTERS}}}")  # of a session, an event or a job
HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
WRONG_ID = "{} must be up to " + str(MAX_ID_CHARACTERS) + " letters, digits, hyphens and underscores."


class Refusal(Exception):
    """A request that is not passed on, with the status and the sentence of the response."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class PageMiddleware:
    """ASGI middleware around a page; see the module."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app, self._queue_cleanup, self._uploads = app, QueueCleanup(), UploadQuota()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        responder = ErrorResponder(scope, _preloading(scope, send))
        if app := scope.get("app"):
            self._queue_cleanup.sweep(queue_of(app))
        try:
            with self._uploads.receiving() as received:
                await self.app(*await _checked(scope, receive, self._uploads, received), responder.send)
        except Refusal as refusal:
            log.info("refused %s %.200r: %s", scope["method"], scope["path"], refusal)
            await responder.end(refusal.status, str(refusal))
        except Exception as error:
            await responder.end(*status_and_sentence(scope["path"], error))


def _preloading(scope: Scope, send: Send) -> Send:
    """Add a header to the page itself that makes browsers fetch its JavaScript before they have read it."""
    if scope["path"].removeprefix(scope.get("root_path", "")) not in ("", "/"):
        return send

    async def send_with_link(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"link", preload_link())]}
        await send(message)

    return send_with_link


class UploadQuota:
    """Bounds the bytes of uploads in memory, and of files on the disk, which stay until Gradio sweeps them.

    Parameters
    ----------
    clock : callable
        Returns seconds of a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._uploads = clock, deque[tuple[float, int]]()
        self._received = 0

    @contextlib.contextmanager
    def receiving(self) -> Iterator[Callable[[int], None]]:
        """A context of one request, with a function that counts bytes of its upload until the context ends.

        The function raises `Refusal` if too many bytes are in memory.
        """
        received = 0

        def count(size: int) -> None:
            nonlocal received
            if self._received + size > MAX_RECEIVED_BYTES:
                raise Refusal(503, "Many files are being uploaded; try again in a minute.")
            received += size
            self._received += size

        try:
            yield count
        finally:
            self._received -= received

    def add(self, size: int) -> None:
        """Count an upload of `size` bytes; raise `Refusal` if too much lies on the disk."""
        now = self._clock()
        while self._uploads and self._uploads[0][0] < now - sum(FILE_SWEEP_S):
            self._uploads.popleft()
        if sum(stored for _, stored in self._uploads) + size > MAX_STORED_BYTES:
            raise Refusal(503, "Too much was uploaded here lately; try again in an hour, or send a data URI.")
        self._uploads.append((now, size))


async def _checked(
    scope: Scope, receive: Receive, uploads: UploadQuota, count: Callable[[int], None]
) -> tuple[Scope, Receive]:
    """Return the request to pass on; raise `Refusal` if it must not pass."""
    path, query, headers = scope["path"], scope["query_string"].decode("latin-1"), Headers(scope=scope)
    path = path.removeprefix(scope.get("root_path", ""))
    if len(path) + len(query) > MAX_URL_CHARACTERS:
        raise Refusal(
            414, f"This address is too long; at most {MAX_URL_CHARACTERS:,} characters can be read."
        )
    _check_origin(headers)
    if not OPEN_ROUTES.fullmatch(path) or "\0" in path or "://" in path:
        raise Refusal(404, "There is nothing at this address.")
    for key, value in parse_qsl(query):
        if key == "session_hash" and not ID.fullmatch(value):
            raise Refusal(400, WRONG_ID.format("session_hash"))
    if path.startswith(f"{API}heartbeat/") and not ID.fullmatch(path.rpartition("/")[2]):
        raise Refusal(400, WRONG_ID.format("session_hash"))
    if scope["method"] not in ("POST", "PUT", "PATCH", "DELETE"):
        return scope, receive
    if TAKES_FILES.fullmatch(path):
        body = await _body(
            headers, receive, count, max_bytes=MAX_UPLOAD_BODY_BYTES, timeout_s=TIMEOUT_UPLOAD_S
        )
        uploads.add(len(body))
        # without upload_id, which Gradio would keep for ever
        return {**scope, "query_string": b""}, _replay(body, receive)
    body = await _body(headers, receive)
    if TAKES_JSON.fullmatch(path):
        # Gradio's event stream breaks on an input that it repeats and cannot encode
        _check_json(headers, body, repeated="/call/" not in path)
    return scope, _replay(body, receive)


def _check_origin(headers: Headers) -> None:
    """Check the headers that tell Gradio the page's address: without one, it never answers an event."""
    for name, form in (("host", "http://{}"), ("x-forwarded-host", "http://{}"), ("x-gradio-server", "{}")):
        value = headers.get(name, "page" if form != "{}" else "http://page").split(",")[0].strip()
        try:
            valid = HOST.fullmatch(URL(form.format(value)).netloc.decode()) is not None
        except (InvalidURL, ValueError):
            valid = False
        if not valid:
            raise Refusal(400, f"The header {name} must name a server.")


async def _body(
    headers: Headers,
    receive: Receive,
    count: Callable[[int], None] = lambda size: None,
    *,
    max_bytes: int = MAX_BODY_BYTES,
    timeout_s: float | None = None,
) -> bytes:
    """Return the whole body, held in memory, so that a client that disconnects leaves nothing on the disk.

    Parameters
    ----------
    count : callable
        Called with the size of each part that arrives; it may raise `Refusal`.
    """
    length = headers.get("content-length", "0")
    if length.isdecimal() and len(length) < 20 and int(length) <= max_bytes:
        chunks, size, more = [], 0, True
        try:
            async with asyncio.timeout(timeout_s or TIMEOUT_BODY_S):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refusal(400, "The request broke off.")
                    chunks.append(message.get("body", b""))
                    size, more = size + len(chunks[-1]), message.get("more_body", False)
                    if size > max_bytes:
                        break
                    count(len(chunks[-1]))
                else:
                    return b"".join(chunks)
        except TimeoutError:
            raise Refusal(408, "The request came too slowly.") from None
    if max_bytes == MAX_UPLOAD_BODY_BYTES:
        raise Refusal(413, f"This file is too large; an image may have at most {MAX_UPLOAD_BYTES:,} bytes.")
    raise Refusal(413, f"This is too large; at most {max_bytes:,} bytes can be sent.")


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body once, and then waits for the client to disconnect."""
    replayed = False

    async def replay() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _check_json(headers: Headers, body: bytes, *, repeated: bool) -> None:
    """Raise `Refusal` unless a body is a bounded JSON object with valid ids.

    Parameters
    ----------
    repeated : bool
        Whether Gradio repeats the values in its response, for which orjson must be able to encode them.
    """
    media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refusal(415, "The body must be JSON, with the content type application/json.")
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_BODY_VALUES:  # before decoding takes memory
        raise Refusal(413, f"The body holds too many values; at most {MAX_BODY_VALUES:,} can be sent.")
    try:
        content = json.loads(body)
        body.decode()  # `json` also reads UTF-16, Gradio does not
    except (ValueError, RecursionError):
        raise Refusal(400, "The body cannot be read as JSON.") from None
    if not isinstance(content, dict):
        raise Refusal(400, "The body must be a JSON object.")
    if not _is_shallow(content):
        raise Refusal(400, f"Lists and objects may lie in one another {MAX_BODY_DEPTH} deep at most.")
    if repeated:
        try:
            orjson.dumps(content)
        except TypeError:
            raise Refusal(
                400, "Whole numbers must have at most 64 bits, and text no halves of letters."
            ) from None
    for key in ("session_hash", "event_id"):
        if (value := content.get(key)) is not None and not (isinstance(value, str) and ID.fullmatch(value)):
            raise Refusal(400, WRONG_ID.format(key))
    if content.get("batched"):
        raise Refusal(400, "batched must be false: there is one set of values a call.")


def _is_shallow(content: Any) -> bool:
    level = [content]
    for _ in range(MAX_BODY_DEPTH):
        inner = (part.values() if isinstance(part, dict) else part for part in level)
        level = [value for values in inner for value in values if isinstance(value, (dict, list))]
        if not level:
            return True
    return False
