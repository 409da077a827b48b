"""The paint panel, which takes the place of the picture, and the button that opens it."""

from __future__ import annotations

import gradio as gr

from fgsd.app.limits import MAX_REGIONS
from fgsd.app.render.user_textures import UserTextureStore
from fgsd.app.serving.admission import Admission
from fgsd.app.serving.painting import paint_function
from fgsd.app.web_files import mount_script

SIDES = (128, 192, 256)  # pixels
BUTTON = """
<div class="paint-button">
  <button type="button" class="open" aria-pressed="false" title="Paint a picture with textures of the map"
    >Paint</button>
</div>
"""
MARKUP = """
<section class="paint" aria-label="Paint" data-max="{regions}" hidden>
  <div class="bar">
    <div class="palette" role="group" aria-label="Paint with"></div>
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
  <p class="advice" role="status"></p>
  <p class="error" role="alert" hidden></p>
  <div class="settings">
    <label>Brush <input type="range" class="brush" min="4" max="64" step="1" value="18"></label>
    <label>Soft edge <input type="range" class="feather" min="0" max="16" step="1" value="6"></label>
    <label>Size <select class="side">{sides}</select></label>
    <label>Seed <input type="number" class="seed" min="0" max="2147483647" step="1" value="0"></label>
    <label><input type="checkbox" class="tileable"> Seamless</label>
    <button type="button" class="another" title="Another picture of the same plan">New seed</button>
    <button type="button" class="save" title="Save the picture as a PNG">Save picture</button>
    <button type="button" class="save-plan" title="Save the plan as a PNG, one colour for each texture, and
      copy the command that paints it">Save plan</button>
  </div>
</section>
"""


def create_paint_button() -> gr.HTML:
    """The button in the header."""
    script = mount_script("paint", "button.js")
    return gr.HTML(BUTTON, js_on_load=script, apply_default_css=False, elem_id="paint-button")


def create_paint_panel(admission: Admission, store: UserTextureStore) -> gr.HTML:
    """The component. It has no value: the page asks for its pictures by the function `paint`."""
    multiple = admission.scheduler.pipe.network.config.multiple
    sides = [side for side in SIDES if side % multiple == 0] or [multiple * max(1, SIDES[0] // multiple)]
    return gr.HTML(
        "",
        html_template=MARKUP.format(
            regions=MAX_REGIONS,
            sides="".join(f'<option value="{side}">{side} px</option>' for side in sides),
        ),
        js_on_load=mount_script("paint"),
        server_functions=[paint_function(admission, store, multiple=multiple)],
        apply_default_css=False,
        elem_id="paint",
    )
