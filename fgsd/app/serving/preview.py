"""The picture that follows the pin while it is in the visitor's hand.

It goes past the page's queue, which would take longer than the sampling: the page asks for one picture
at a time, always for the newest place of the pin, and nothing waits in line behind it. The scheduler lets it
go before all full renders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from fgsd.app.render.frames import last_frame
from fgsd.app.render.user_textures import UserTextureStore, centroids
from fgsd.app.requests.request import SETTINGS, RequestError, parse_request, sizes
from fgsd.app.serving.admission import Admission, BusyError, hand

STEPS = 5  # the first that look like all sixteen; with the same noise, the picture changes smoothly


def preview_function(
    admission: Admission,
    store: UserTextureStore | None = None,
    *,
    multiple: int,
    make: Callable[..., dict] = last_frame,
) -> Callable[[Any], dict[str, Any]]:
    """A function for the page to call: `preview({"target": [...], "settings": [...]})` gives one frame.

    The settings are the values of `SETTINGS`, of which the picture has some of its own; "interpolation" may
    come
    too (see `parse_request`).

    Parameters
    ----------
    store : UserTextureStore, optional
        Where the visitors' own textures are; "visitor" names the one who asks.
    multiple : int
        Sides are multiples of this number of pixels; the picture has the smallest that the page offers.
    make : callable
        Makes the frame of a request, as `last_frame` does; may raise `RequestError`.

    Returns
    -------
    callable
        Its answer is {"frame": ...} (see `fgsd.app.render.frames`), or {"error": sentence}; {} if too many
        others
        are waiting.
    """
    pipe = admission.scheduler.pipe

    def preview(asked: Any, visitor: gr.Request | None = None) -> dict[str, Any]:
        asked = asked if isinstance(asked, Mapping) else {}
        values = asked.get("settings")
        known = isinstance(values, list) and len(values) == len(SETTINGS)
        settings = dict(zip(SETTINGS, values, strict=True)) if known else {}
        settings["interpolation"] = asked.get("interpolation")
        settings |= {"n": 1, "size": sizes(multiple)[0], "steps": STEPS, "sampler": "dpm2m"}
        own = centroids(store.of(asked.get("visitor"))) if store else {}
        try:
            known = [*pipe.classes, *own]
            request = parse_request(asked.get("target"), classes=known, multiple=multiple, **settings)
        except RequestError as error:
            return {"error": str(error)}
        try:
            with admission.place(hand(visitor), preview=True) as lent:
                return {"frame": make(lent, request, own=own)}
        except BusyError:
            return {}
        except RequestError as error:
            return {"error": str(error)}

    return preview
