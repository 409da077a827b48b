"""The page's address: a link opens its picture, and Back and Forward undo and redo."""

from __future__ import annotations

from typing import Any

import gradio as gr

from fgsd.app.gradio_internals import event_data
from fgsd.app.panels.state import PRIVATE, Components, ServerState
from fgsd.app.requests.link import from_link
from fgsd.app.requests.request import RequestError
from fgsd.app.web_files import NUMBER_REQUEST, SAMPLE_ADDRESS, SAMPLE_OPENED, TEXTURES_RESTORED


def wire_address(state: ServerState, components: Components, page: gr.Blocks) -> None:
    """Set the target and the settings from the address when the page loads or the visitor goes back."""
    settings = components.settings()

    nothing = (gr.skip(),) * (2 + len(settings))

    def apply_link(query: object, visitor: gr.Request) -> tuple[Any, ...]:
        """Return the values of the picture, the target and the settings."""
        linked = from_link(query)
        if linked is None:
            return nothing
        target, values = linked
        values.setdefault("interpolation", {"mode": "sample"})
        try:
            state.parse(visitor, target, values)
            components.controls.check_choices(values)
        except RequestError as error:
            run_id = state.sequence.current(visitor.session_hash)
            sentence = f"This link cannot be opened. {error}"
            return {"run": run_id, "error": sentence, "link": ""}, *(gr.skip(),) * (1 + len(settings))
        return gr.skip(), target, *(values.get(name, gr.skip()) for name in settings)

    def open_address(visitor: gr.Request) -> tuple[Any, ...]:
        return apply_link(dict(visitor.query_params), visitor)

    def go_back(visitor: gr.Request, event: gr.EventData, client_seq: float | None) -> tuple[Any, ...]:
        if state.sequence.start(visitor.session_hash, client_seq) is None:
            return nothing  # of two steps back, the later has arrived first
        return apply_link(event_data(event).get("query"), visitor)

    outputs = [components.picture, *components.inputs()]
    client_seq = gr.Number(None, visible=False)  # the browser sets it, see `NUMBER_REQUEST`
    # the address may name a texture that the browser has kept
    opening = page.load(open_address, None, outputs, js=TEXTURES_RESTORED, **PRIVATE)
    opening.then(None, js=SAMPLE_OPENED, **PRIVATE)
    going_back = components.picture.input(
        go_back, client_seq, outputs, js=NUMBER_REQUEST, trigger_mode="multiple", **PRIVATE
    )
    going_back.then(None, js=SAMPLE_ADDRESS, **PRIVATE)
