"""The interpolation panel, which takes the place of the picture, and the tabs of the modes above both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from fgsd.app.gradio_internals import event_data
from fgsd.app.panels.state import PRIVATE, Components, ServerState
from fgsd.app.render.interpolations import switch_frame, textures_to_add
from fgsd.app.render.user_textures import UserTextureStore
from fgsd.app.requests.request import MODES, RequestError
from fgsd.app.serving.admission import Admission
from fgsd.app.serving.preview import preview_function
from fgsd.app.web_files import PRESS_SAMPLE, mount_script
from fgsd.interpolation import switch_stops

MODES_MARKUP = """
<div class="modes" role="tablist" aria-label="What is made of the textures">
  {buttons}
</div>
"""

MARKUP = """
<section class="interpolation" data-stops="{stops}" aria-label="Between the textures">
  <div class="head">
    <p class="headline"></p>
    <label class="strip-size">places <select aria-label="Pictures in the strip"></select></label>
    <div class="exports"></div>
  </div>
  <div class="stage"></div>
  <div class="coarse-fine" hidden>
    <span class="end"></span>
    <button type="button" class="swap" title="Swap the two textures" aria-label="Swap the two textures"
      >⇄</button>
    <span class="end"></span>
    <input type="range" min="0" step="1" aria-label="Where coarse goes over to detail">
    <p><span>coarse, high noise</span><output></output><span>fine, low noise</span></p>
  </div>
  <div class="player" hidden>
    <button type="button" class="play" aria-label="Play" aria-pressed="true">❚❚</button>
    <input type="range" min="0" step="1" aria-label="Place in the loop">
  </div>
  <div class="missing" hidden><p></p><button type="button"></button></div>
  <div class="progress" role="progressbar" aria-label="Diffusion steps" aria-valuemin="0"><i></i></div>
  <p class="readout"></p>
  <p class="error" role="alert" hidden></p>
  <p class="status" role="status"></p>
</section>
"""


def create_modes() -> gr.HTML:
    """The tabs of the modes.

    They fire `release` when the visitor has chosen a mode or let go of the slider of the interpolation panel,
    and `select` when the visitor grabs that slider.
    """
    buttons = "".join(
        f'<button type="button" role="tab" data-mode="{mode}" aria-selected="false">{label}</button>'
        for label, mode in MODES.items()
    )
    return gr.HTML(
        {"mode": "sample"},
        html_template=MODES_MARKUP.format(buttons=buttons),
        js_on_load=mount_script("interpolation", "modes.js"),
        apply_default_css=False,
        elem_id="modes",
    )


def create_interpolation_panel(admission: Admission, store: UserTextureStore) -> gr.HTML:
    """The component. Its value is {"run"} with "frame" (see `fgsd.app.render.interpolations`), "need",
    "error" or "stopped"; ids of runs are shared with the picture panel.

    It fires `select` with the weights of a picture that was clicked, `input` when missing textures are to be
    added, and `release` when the two textures are to be swapped.
    """
    pipe = admission.scheduler.pipe
    stops = json.dumps(switch_stops(pipe.table.sigmas))
    return gr.HTML(
        {"run": 0},
        html_template=MARKUP.format(stops=stops),
        js_on_load=mount_script("interpolation"),
        server_functions=[
            preview_function(admission, store, multiple=pipe.network.config.multiple, make=switch_frame)
        ],
        apply_default_css=False,
        elem_id="interpolation-panel",
    )


def is_interpolation(value: Any) -> bool:
    """Return whether the value of the modes is a mode other than "sample"; a forged value is none."""
    mode = value.get("mode") if isinstance(value, Mapping) else None
    return isinstance(mode, str) and mode in MODES.values() and mode != "sample"


def wire_interpolation(state: ServerState, components: Components) -> None:
    """Handle the events of the interpolation panel, which change the target; then sample again."""
    names = list(components.settings())

    def use_mixture(visitor: gr.Request, event: gr.EventData, target: Any) -> tuple[Any, Any]:
        """Make the mixture of a clicked image the target; every chosen texture stays chosen."""
        weights = event_data(event).get("weights")
        try:
            entries = [{"name": name, "weight": weight} for name, weight in dict(weights or ()).items()]
            mixture = state.parse(visitor, entries, {}).weights
            state.parse(visitor, target, {})
        except (RequestError, TypeError, ValueError):
            return gr.skip(), gr.skip()
        new = [{**entry, "weight": 100 * mixture.get(entry["name"], 0.0)} for entry in target]
        return new, {"mode": "sample"}

    def add_missing(visitor: gr.Request, target: Any, *values: Any) -> Any:
        """Add the textures that the mode lacks, with the weight of the heaviest chosen one."""
        try:
            request = state.parse(visitor, target, dict(zip(names, values, strict=True)))
            added = textures_to_add(state.pipe, request, state.centroids(visitor))
        except RequestError:
            return gr.skip()
        weight = max(entry["weight"] for entry in target)
        return [*target, *({"name": name, "weight": weight} for name in added)]

    def swap(visitor: gr.Request, target: Any, *values: Any) -> Any:
        """Swap the first two textures."""
        try:
            state.parse(visitor, target, dict(zip(names, values, strict=True)))
        except RequestError:
            return gr.skip()
        return [*target[1::-1], *target[2:]]

    panel, map_panel, inputs = components.interpolation, components.map_panel, components.inputs()
    again: dict[str, Any] = {"fn": None, "js": PRESS_SAMPLE, **PRIVATE}
    panel.select(use_mixture, [map_panel], [map_panel, components.modes], **PRIVATE).then(**again)
    panel.input(add_missing, inputs, map_panel, **PRIVATE).then(**again)
    panel.release(swap, inputs, map_panel, **PRIVATE).then(**again)
