"""Error responses: a sentence and a status of 4xx where Gradio fails; tracebacks stay in the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from httpx import InvalidURL
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from fgsd.app.gradio_internals import UnknownEndpoint
from fgsd.app.limits import MAX_ERROR_CHARACTERS

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

# errors that Gradio's code raises where a value is missing, unknown or of another type
INPUT_ERRORS = (
    TypeError,
    LookupError,
    ValueError,
    AttributeError,
    AssertionError,
    RecursionError,
    InvalidURL,
)
UNREADABLE = "What came cannot be read."


class ErrorResponder:
    """Sends a response of Gradio on, but with status 400 in place of 500, which Gradio gives a refused call.

    Parameters
    ----------
    scope, send
        Of the ASGI request.
    """

    def __init__(self, scope: MutableMapping[str, Any], send: Send) -> None:
        self._scope, self._send = scope, send
        self._begun, self._ended, self._failed = False, False, False
        self._body = b""

    async def send(self, message: Message) -> None:
        """Send an ASGI message on; a response of status 500 is collected and then replaced."""
        if message["type"] == "http.response.start":
            self._failed = message["status"] == 500
            if not self._failed:
                await self._send(self._without_sniffing(message))
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
        """Respond with a sentence; a response that has begun can only be ended."""
        if self._ended:
            return
        self._ended = True
        if self._begun:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await json_response(status, sentence)(self._scope, _disconnected, self._send)

    def _without_sniffing(self, message: Message) -> Message:
        # browsers must take an uploaded file for what its name says, and never for a page
        return {**message, "headers": [*message["headers"], (b"x-content-type-options", b"nosniff")]}


async def _disconnected() -> Message:
    return {"type": "http.disconnect"}


def json_response(status: int, sentence: str) -> JSONResponse:
    """Return a response with a sentence, under the names that Gradio's client and FastAPI's clients read."""
    text = sentence.encode("utf-8", "replace").decode()  # a lone surrogate cannot be sent
    return JSONResponse({"error": text, "detail": text}, status)


def _sentence(body: bytes) -> str:
    """Return the error message in a response of Gradio; `UNREADABLE` if there is none."""
    try:
        sentence = json.loads(body).get("error")
    except (ValueError, AttributeError):
        sentence = None
    return sentence if isinstance(sentence, str) and sentence else UNREADABLE


def status_and_sentence(path: str, error: Exception) -> tuple[int, str]:
    """Return the response to an exception out of Gradio, and log the exception."""
    if isinstance(refused := error.__cause__ or error, HTTPException):  # the cause: within a begun stream
        log.info("refused %.200r: %s", path, refused.detail)
        return refused.status_code, str(refused.detail)
    if isinstance(error, UnknownEndpoint) or (isinstance(error, KeyError) and "/call/" in path):
        log.info("refused a call of %.200r: %s", path, error)
        return 404, "There is no such endpoint."
    if isinstance(error, TypeError) and "/call/v2/" in path:  # a wrong argument name; the message has it
        log.info("refused a call of %.200r: %s", path, error)
        return 400, str(error).split(". Please")[0][:MAX_ERROR_CHARACTERS]
    if isinstance(error, INPUT_ERRORS):
        log.warning("%.200r got an input that Gradio cannot handle", path, exc_info=error)
        return 400, UNREADABLE
    log.error("%.200r failed", path, exc_info=error)
    return 500, "This failed on the server."


def _handle_validation_error(request: Request, error: Exception) -> JSONResponse:
    """Respond to a request that FastAPI rejects, without the input, which FastAPI would repeat."""
    problems = error.errors()[:3] if isinstance(error, RequestValidationError) else []
    where = ", ".join(".".join(map(str, problem["loc"][1:]))[:40] for problem in problems)
    sentence = f"What came does not fit{f': {where}' if where else ''}."
    log.info("refused %.200r: %s", request.scope["path"], sentence)
    return json_response(422, sentence)


def _handle_any_error(request: Request, error: Exception) -> JSONResponse:
    """Respond to an error in the middleware outside of `PageMiddleware`."""
    return json_response(*status_and_sentence(request.scope["path"], error))


HANDLERS = {RequestValidationError: _handle_validation_error, Exception: _handle_any_error}
