"""The room on the right: the picture, as it condenses, with its progress and read-outs."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

HERE = Path(__file__).parent
SCRIPTS = ("lanczos.js", "history.js", "picture.js")
SCRIPT = "\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)

MARKUP = """
<section class="picture" aria-label="Samples">
  <div class="tiles" role="img" aria-label="No sample yet"></div>
  <img class="source" alt="" hidden>
  <div class="keep">
    <button type="button" data-keep="png" title="Save the picture as PNG, pixel for pixel">Save</button>
    <button type="button" data-keep="link" title="Copy an address that gives this picture">Link</button>
    <button type="button" data-keep="recipe" hidden
      title="Your own texture does not fit into a link: this small file opens the same picture">File</button>
  </div>
  <div class="progress" role="progressbar" aria-label="Diffusion steps" aria-valuemin="0"><i></i></div>
  <dl class="readouts">
    <div><dt>step</dt><dd data-read="step">–</dd></div>
    <div title="noise level: black is -1, white is 1"><dt>noise σ</dt><dd data-read="sigma">–</dd></div>
    <div><dt>ms a step</dt><dd data-read="ms">–</dd></div>
    <div title="network evaluations an image"><dt>evaluations</dt><dd data-read="evaluations">–</dd></div>
    <div><dt>device</dt><dd data-read="device">–</dd></div>
  </dl>
  <p class="message" role="alert" hidden></p>
  <p class="spoken" role="status"></p>
</section>
"""


def create_picture_room(welcome: list[dict]) -> gr.HTML:
    """The component. Its value is {"run", "frames"}, {"run", "error"}, or {"run", "stopped"}; runs are
    numbered, and what comes late from an older run than the one on screen is ignored. With "live" it is
    shown only while the pin is in the visitor's hand; "link" becomes the page's address, "first" is that of
    the first screen. Fires `input` with the query of the address when the visitor goes back or forward.

    Parameters
    ----------
    welcome : list of dict
        Frames (see `fgsd.app.frames`) that play as soon as the page is there, before any request.
    """
    return gr.HTML(
        {"run": 0, "frames": welcome},
        html_template=MARKUP,
        js_on_load=SCRIPT,
        apply_default_css=False,
        elem_id="picture-room",
    )
