"""The paint panel, which takes the place of the picture, and the button that opens it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from fgsd.app.gradio_internals import event_data
from fgsd.app.limits import MAX_REGIONS
from fgsd.app.panels.picture import timeline
from fgsd.app.panels.state import PRIVATE, ServerState
from fgsd.app.requests.errors import errors_as_sentences
from fgsd.app.serving.painting import STEPS, textures_of_colours_function
from fgsd.app.web_files import mount_script

MIN_SECONDS_SHOWN = 1.5  # of all steps; pictures of larger sides say how long they take
FAILURE = "Painting failed on the server; try a smaller picture."
BUTTON = """
<div class="paint-button">
  <button type="button" class="open" aria-pressed="false" title="Paint a picture with textures of the map"
    >Paint</button>
</div>
"""
MARKUP = """
<section class="paint" aria-label="Paint" data-max="{regions}" data-all-steps="{steps}" hidden>
  <div class="bar">
    <div class="palette" role="group" aria-label="Paint with"></div>
    <label title="A stroke is then a line along which the texture under its start becomes that of the brush"
      ><input type="checkbox" class="gradient"> Gradient</label>
    <label title="What is chosen on the map then changes the texture that the brush has, wherever it is"
      ><input type="checkbox" class="follows"> Change on the map</label>
    <button type="button" class="undo" disabled title="Undo the last stroke (Ctrl+Z)">Undo</button>
    <button type="button" class="clear" title="Cover all with the texture of the brush">Fill</button>
    <button type="button" class="done">Done</button>
  </div>
  <div class="easel">
    <img class="painting" alt="">
    <canvas class="plan" tabindex="0" role="application" aria-label="The picture, with a brush: arrow keys
      move it, Space paints, [ and ] change its size, Alt and a click take the texture under it."></canvas>
    <div class="progress" role="progressbar" aria-label="The picture condenses" hidden></div>
  </div>
  {timeline}
  <p class="duration" role="status"></p>
  <p class="advice" role="status"></p>
  <p class="error" role="alert" hidden></p>
  <div class="settings">
    <label>Brush <input type="range" class="brush" min="4" max="64" step="1" value="18"></label>
    <label>Soft edge <input type="range" class="feather" min="0" max="16" step="1" value="3"></label>
    <label>Size <select class="side">{sides}</select></label>
    <label>Seed <input type="number" class="seed" min="0" max="2147483647" step="1" value="0"></label>
    <label><input type="checkbox" class="tileable"> Seamless</label>
    <button type="button" class="another" title="Another picture of the same plan">New seed</button>
    <button type="button" class="open-plan" title="Paint an image in which each colour stands for a texture,
      or a plan that was saved here; it may be dropped on the picture too">Open plan</button>
    <input type="file" class="plan-file" accept="image/*" hidden>
  </div>
</section>
"""


def create_paint_button() -> gr.HTML:
    """The button in the header."""
    script = mount_script("paint", "button.js")
    return gr.HTML(BUTTON, js_on_load=script, apply_default_css=False, elem_id="paint-button")


def paint_markup(sides: Sequence[tuple[int, str]], chosen: int | None = None) -> str:
    """Return the markup of the panel.

    Parameters
    ----------
    sides : sequence of (int, str)
        Of pictures that can be painted, in pixels, and what is said beside each.
    chosen : int, optional
        The one at first; by default the first of them.
    """
    options = (
        f'<option value="{side}"{" selected" if side == chosen else ""}>{side} px{words}</option>'
        for side, words in sides
    )
    return MARKUP.format(
        regions=MAX_REGIONS, steps=STEPS, sides="".join(options), timeline=timeline("Step of the painting")
    )


def create_paint_panel(state: ServerState) -> gr.HTML:
    """The component; `wire_paint` describes its value. It fires `submit` with a query of
    `fgsd.app.serving.painting.Painter` when a stroke ends."""
    painter = state.painter
    sides = []
    for side in painter.sides():
        seconds = STEPS * side**2 * painter.seconds_per_pixel
        sides.append((side, f", {seconds:.0f} s" if seconds >= MIN_SECONDS_SHOWN else ""))
    return gr.HTML(
        None,
        html_template=paint_markup(sides),
        js_on_load=mount_script("paint"),
        server_functions=[painter.preview_function(), textures_of_colours_function(state.pipe)],
        apply_default_css=False,
        elem_id="paint",
    )


def wire_paint(panel: gr.HTML, state: ServerState, *, sampling_queue: dict[str, Any]) -> None:
    """Paint in all steps what the panel asks for.

    Its value becomes {"number", "frames"} with the number of the query, {"number", "busy"} or {"number",
    "error"}.

    Parameters
    ----------
    sampling_queue : dict
        Gradio's `concurrency_id` and `concurrency_limit` for events that sample.
    """

    def respond(sentence: str, visitor: gr.Request, event: gr.EventData) -> dict[str, Any]:
        return {"number": event_data(event).get("number"), "error": sentence}

    @errors_as_sentences(respond, failure=FAILURE)
    def paint_plan(visitor: gr.Request, event: gr.EventData) -> Iterator[dict[str, Any]]:
        yield from state.painter.steps(event_data(event), visitor)

    panel.submit(paint_plan, None, panel, trigger_mode="multiple", **sampling_queue, **PRIVATE)
