"""What goes out: where Gradio fails, a sentence and a status of 4xx; tracebacks stay in the server's log."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from gradio.route_utils import FnIndexInferError
from httpx import InvalidURL
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

log = logging.getLogger(__name__)

# what Gradio's own code runs into where a value is missing, unknown or of another kind
PROVOKED = (TypeError, LookupError, ValueError, AttributeError, AssertionError, RecursionError, InvalidURL)


class ErrorResponder:
    """Sends on what Gradio answers; but where it says 500, which it does of every refused call, 400."""

    def __init__(self, scope: dict, send: Callable[[dict], Awaitable[None]]) -> None:
        self._scope, self._send = scope, send
        self._begun, self._ended, self._failed = False, False, False
        self._body = b""

    async def send(self, message: dict) -> None:
        if message["type"] == "http.response.start":
            self._failed = message["status"] == 500
            if not self._failed:
                await self._send(self._guarded(message))
                self._begun = True
            return
        if not self._failed:
            self._ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            self._failed = False
            await self.end(400, _sentence(self._body))

    async def end(self, status: int, sentence: str) -> None:
        """ErrorResponder with a sentence; a stream that has begun can only be ended."""
        if self._ended:
            return
        self._ended = True
        if self._begun:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await _said(status, sentence)(self._scope, _nothing, self._send)

    def _guarded(self, message: dict) -> dict:
        # what was uploaded is what its name says, and never a page, whatever it looks like
        return {**message, "headers": [*message["headers"], (b"x-content-type-options", b"nosniff")]}


async def _nothing() -> dict:
    return {"type": "http.disconnect"}


def _said(status: int, sentence: str) -> JSONResponse:
    words = sentence.encode("utf-8", "replace").decode()  # half of a character cannot be sent
    return JSONResponse({"error": words, "detail": words}, status)


UNREADABLE = "What came cannot be read."


def _sentence(body: bytes) -> str:
    """What Gradio says in an answer of its own, if it says anything."""
    try:
        sentence = json.loads(body).get("error")
    except (ValueError, AttributeError):
        sentence = None
    return sentence if isinstance(sentence, str) and sentence else UNREADABLE


def meaning(path: str, error: Exception) -> tuple[int, str]:
    """The status and the sentence for an exception out of Gradio; the log has the rest."""
    if isinstance(refused := error.__cause__ or error, HTTPException):  # within a stream that had begun
        log.info("refused %.200r: %s", path, refused.detail)
        return refused.status_code, str(refused.detail)
    if isinstance(error, FnIndexInferError) or (isinstance(error, KeyError) and "/call/" in path):
        log.info("refused a call of %.200r: %s", path, error)
        return 404, "There is no such endpoint."
    if isinstance(error, TypeError) and "/call/v2/" in path:  # of arguments by name: its message says which
        log.info("refused a call of %.200r: %s", path, error)
        return 400, str(error).split(". Please")[0][:200]
    if isinstance(error, PROVOKED):
        log.warning("%.200r was asked for what cannot be answered", path, exc_info=error)
        return 400, UNREADABLE
    log.error("%.200r failed", path, exc_info=error)
    return 500, "This failed on the server."


def _unfit(request: Request, error: Exception) -> JSONResponse:
    """FastAPI itself would repeat the whole input, and fail where that is no JSON."""
    where = ", ".join(".".join(map(str, one["loc"][1:]))[:40] for one in error.errors()[:3])  # type: ignore
    sentence = f"What came does not fit{f': {where}' if where else ''}."
    log.info("refused %.200r: %s", request.scope["path"], sentence)
    return _said(422, sentence)


def _failed(request: Request, error: Exception) -> JSONResponse:
    """The last resort, outside of the door, for the middleware around it."""
    return _said(*meaning(request.scope["path"], error))


HANDLERS = {RequestValidationError: _unfit, Exception: _failed}
