"""Headers that isolate the page from other pages, for which browsers give its workers threads.

They are sent with `fgsd app --site` only, whose workers evaluate the network. Isolation costs nothing here:
the page loads nothing from other servers, and opens no windows that talk to it. In a frame of another site it
would bring nothing, since the outer page decides; so a framed page gets no such headers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


class IsolationMiddleware:
    """ASGI middleware that adds the headers to every response, but to the page in a frame."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Send) -> None:
        if scope["type"] != "http" or _is_framed_page(scope):
            await self.app(scope, receive, send)
            return

        async def send_isolated(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(ISOLATED)
            await send(message)

        await self.app(scope, receive, send_isolated)


def _is_framed_page(scope: MutableMapping[str, Any]) -> bool:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return path in ("", "/") and Headers(scope=scope).get("sec-fetch-dest") in ("iframe", "frame", "embed")
