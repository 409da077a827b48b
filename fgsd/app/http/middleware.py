"""The door: of what arrives over HTTP, only what the page, its API and its tools ask in earnest goes on.

Gradio has many more routes than this page needs: some fetch addresses, write files or tell how the server
does. They are closed here. What goes on is small, well formed and from a visitor with a plausible name; what
the values in it mean is checked by `fgsd.app.requests.request` and by those who call it. Whatever still
fails inside
of Gradio is answered by `fgsd.app.http.errors`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import orjson  # comes with Gradio, which writes its answers with it
from httpx import URL, InvalidURL
from starlette.datastructures import Headers

from fgsd.app.api.files import SWEEP
from fgsd.app.http.errors import ErrorResponder, meaning
from fgsd.app.http.queue_cleanup import QueueCleanup
from fgsd.app.web_files import MODULES_PATTERN

log = logging.getLogger(__name__)

API = "/gradio_api/"
PAGES = (
    "",
    r"config/?",
    r"theme\.css",
    r"evidence\.html",
    MODULES_PATTERN,
    r"favicon\.ico",
    r"robots\.txt",
    r"manifest\.json",
    r"(assets|static|svelte)/.+",
    # Gradio asks itself for the first two when it starts
    r"gradio_api/startup-events",
    r"gradio_api/(app_id|info|user|login_check)/?",
    r"gradio_api/(openapi\.json|theme\.css)",
    r"gradio_api/queue/(data|status)",
    r"gradio_api/heartbeat/[^/]+",
    r"gradio_api/call/(v2/)?[^/]+/[^/]+",
    r"gradio_api/file=.+",
    r"gradio_api/mcp(/.*)?",
)
ASKED = r"gradio_api/(queue/join|(run|call|call/v2)/[^/]+|component_server|cancel|reset)/?"  # with JSON
SENT = r"gradio_api/upload"
OPEN = re.compile(f"/({'|'.join((*PAGES, ASKED, SENT))})")
TAKES_JSON, TAKES_FILES = re.compile(f"/{ASKED}"), re.compile(f"/{SENT}")

MAX_ADDRESS = 8_000  # characters of path and query: a link of ours has some 300
MAX_BYTES = 4_000_000  # of a body: an image of the visitor's own comes in one piece
MAX_PARTS = 20_000  # values in a body, at most: a page sends some dozens
MAX_DEPTH = 24  # of lists and objects in one another: a page needs six
MAX_UPLOADED = 500_000_000  # bytes of files on the disk
TIMEOUT_S = 60.0  # seconds until a body is there
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # of a session, an event, a job: Gradio makes them itself
HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")


class Refusal(Exception):
    """What is not let in, with the status and the sentence that it is answered with."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class PageMiddleware:
    """ASGI middleware around a page: see the module."""

    def __init__(self, app: Callable) -> None:
        self.app, self._queue_cleanup, self._uploads = app, QueueCleanup(), Uploads()

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = ErrorResponder(scope, send)
        if page := scope.get("app"):
            self._queue_cleanup.sweep(page.get_blocks()._queue)
        try:
            await self.app(*await _admitted(scope, receive, self._uploads), answer.send)
        except Refusal as refusal:
            log.info("refused %s %.200r: %s", scope["method"], scope["path"], refusal)
            await answer.end(refusal.status, str(refusal))
        except Exception as error:
            await answer.end(*meaning(scope["path"], error))


class Uploads:
    """How much may be uploaded: as much as the disk may hold until it is swept, see `fgsd.app.api.files`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._taken = clock, deque[tuple[float, int]]()

    def take(self, size: int) -> None:
        """Count an upload; `Refusal` if there have been too many."""
        now = self._clock()
        while self._taken and self._taken[0][0] < now - sum(SWEEP):
            self._taken.popleft()
        if sum(one for _, one in self._taken) + size > MAX_UPLOADED:
            raise Refusal(503, "Too much was uploaded here lately; try again in an hour, or send a data URI.")
        self._taken.append((now, size))


async def _admitted(scope: dict, receive: Callable, uploads: Uploads) -> tuple[dict, Callable]:
    """The request to go on with; `Refusal` if it must not."""
    path, query, headers = scope["path"], scope["query_string"].decode("latin-1"), Headers(scope=scope)
    path = path.removeprefix(scope.get("root_path", ""))
    if len(path) + len(query) > MAX_ADDRESS:
        raise Refusal(414, f"This address is too long; at most {MAX_ADDRESS:,} characters can be read.")
    _check_origin(headers)
    if not OPEN.fullmatch(path) or "\0" in path or "://" in path:
        raise Refusal(404, "There is nothing at this address.")
    for key, value in parse_qsl(query):
        if key == "session_hash" and not NAME.fullmatch(value):
            raise Refusal(400, NO_SESSION)
    if path.startswith(f"{API}heartbeat/") and not NAME.fullmatch(path.rpartition("/")[2]):
        raise Refusal(400, NO_SESSION)
    if scope["method"] not in ("POST", "PUT", "PATCH", "DELETE"):
        return scope, receive
    body = await _body(headers, receive)
    if TAKES_JSON.fullmatch(path):
        # Gradio's stream of answers breaks on a value of the visitor's own that it cannot write
        _check(headers, body, said_again="/call/" not in path)
    if TAKES_FILES.fullmatch(path):
        uploads.take(len(body))
        scope = scope | {"query_string": b""}  # upload_id, which Gradio would remember for ever
    return scope, _again(body, receive)


def _check_origin(headers: Headers) -> None:
    """Where the page is, as proxies tell it: an event whose root Gradio cannot tell is never answered."""
    for name, form in (("host", "http://{}"), ("x-forwarded-host", "http://{}"), ("x-gradio-server", "{}")):
        value = headers.get(name, "page" if form != "{}" else "http://page").split(",")[0].strip()
        try:
            fits = HOST.fullmatch(URL(form.format(value)).netloc.decode()) is not None
        except (InvalidURL, ValueError):
            fits = False
        if not fits:
            raise Refusal(400, f"The header {name} must name a server.")


NO_SESSION = "session_hash must be up to 64 letters, digits, hyphens and underscores."


async def _body(headers: Headers, receive: Callable) -> bytes:
    """All of the body, in memory: whoever breaks off leaves nothing on the disk."""
    told = headers.get("content-length", "0")
    if told.isdecimal() and len(told) < 20 and int(told) <= MAX_BYTES:
        chunks, size, more = [], 0, True
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refusal(400, "The request broke off.")
                    chunks.append(message.get("body", b""))
                    size, more = size + len(chunks[-1]), message.get("more_body", False)
                    if size > MAX_BYTES:
                        break
                else:
                    return b"".join(chunks)
        except TimeoutError:
            raise Refusal(408, "The request came too slowly.") from None
    raise Refusal(413, f"This is too large; at most {MAX_BYTES:,} bytes can be sent.")


def _again(body: bytes, receive: Callable) -> Callable:
    told = False

    async def again() -> dict:
        nonlocal told
        if told:
            return await receive()  # waits for the visitor to go
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _check(headers: Headers, body: bytes, said_again: bool) -> None:
    """`Refusal` if a body is not what these routes take: an object, bounded, with names for who sends it."""
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "The body must be JSON, with the content type application/json.")
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_PARTS:  # before they take memory
        raise Refusal(413, f"The body holds too many values; at most {MAX_PARTS:,} can be sent.")
    try:
        content = json.loads(body)
        body.decode()  # JSON in another encoding is not for Gradio
    except (ValueError, RecursionError):
        raise Refusal(400, "The body cannot be read as JSON.") from None
    if not isinstance(content, dict):
        raise Refusal(400, "The body must be a JSON object.")
    if not _shallow(content):
        raise Refusal(400, f"Lists and objects may lie in one another {MAX_DEPTH} deep at most.")
    if said_again:
        try:
            orjson.dumps(content)
        except TypeError:
            raise Refusal(
                400, "Whole numbers must have at most 64 bits, and text no halves of letters."
            ) from None
    for key in ("session_hash", "event_id"):
        if (value := content.get(key)) is not None and not (isinstance(value, str) and NAME.fullmatch(value)):
            raise Refusal(400, NO_SESSION.replace("session_hash", key))
    if content.get("batched"):
        raise Refusal(400, "batched must be false: there is one set of values a call.")


def _shallow(content: Any) -> bool:
    level = [content]
    for _ in range(MAX_DEPTH):
        inner = (part.values() if isinstance(part, dict) else part for part in level)
        level = [value for values in inner for value in values if isinstance(value, (dict, list))]
        if not level:
            return True
    return False
