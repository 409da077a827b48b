"""The picture that follows the pin while it is in the visitor's hand.

It goes past the page's queue, whose turns would take longer than the sampling: the page asks for one picture
at a time, always for the newest place of the pin, and nothing waits in line behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import BoundedSemaphore
from typing import Any

from fgsd.app.frames import last_frame
from fgsd.app.own import Shelves, centroids
from fgsd.app.request import SETTINGS, RequestError, parse_request, sizes
from fgsd.pipeline import Pipeline

STEPS = 5  # the first that look like all sixteen; with the same noise, the picture changes smoothly
AT_ONCE = 2  # of all visitors together
PATIENCE = 5.0  # seconds that a visitor waits for the others at most


def follower(
    pipe: Pipeline,
    shelves: Shelves | None = None,
    *,
    multiple: int,
    make: Callable[..., dict] = last_frame,
) -> Callable[[Any], dict[str, Any]]:
    """A function for the page to call: `follow({"target": [...], "settings": [...]})` gives one frame.

    The settings are the values of `SETTINGS`, of which the picture has some of its own; "between" may come
    too (see `parse_request`).

    Parameters
    ----------
    shelves : Shelves, optional
        Where the visitors' own textures are; "visitor" names the one who asks.
    multiple : int
        Sides are multiples of this number of pixels; the picture has the smallest that the page offers.
    make : callable
        Makes the frame of a request, as `last_frame` does; may raise `RequestError`.

    Returns
    -------
    callable
        Its answer is {"frame": ...} (see `fgsd.app.frames`), or {"error": sentence}; {} if too many others
        are waiting.
    """
    turns = BoundedSemaphore(AT_ONCE)

    def follow(asked: Any) -> dict[str, Any]:
        asked = asked if isinstance(asked, Mapping) else {}
        values = asked.get("settings")
        known = isinstance(values, list) and len(values) == len(SETTINGS)
        settings = dict(zip(SETTINGS, values, strict=True)) if known else {}
        settings["between"] = asked.get("between")
        settings |= {"n": 1, "size": sizes(multiple)[0], "steps": STEPS, "sampler": "dpm2m"}
        own = centroids(shelves.of(asked.get("visitor"))) if shelves else {}
        try:
            known = [*pipe.classes, *own]
            request = parse_request(asked.get("target"), classes=known, multiple=multiple, **settings)
        except RequestError as error:
            return {"error": str(error)}
        if not turns.acquire(timeout=PATIENCE):
            return {}
        try:
            return {"frame": make(pipe, request, own=own)}
        except RequestError as error:
            return {"error": str(error)}
        finally:
            turns.release()

    return follow
