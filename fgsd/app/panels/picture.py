"""The picture panel: the steps of a run as they arrive, with a timeline, a chart and read-outs."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from fgsd.app.requests.request import SETTINGS
from fgsd.app.web_files import mount_script

# the paint panel has one too, whose slider has another label
TIMELINE = """
  <div class="timeline">
    <button type="button" class="play" aria-label="Play the steps" disabled></button>
    <div class="track">
      <svg class="chart" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
        <line class="hover" y1="0" y2="100" style="display:none"/>
        <line class="marker" y1="0" y2="100" style="display:none"/>
        <polyline class="sigma"/>
        <polyline class="distance"/>
      </svg>
      <input type="range" class="scrub" min="1" max="1" value="1" aria-label="{step}" disabled>
    </div>
    <dl class="readouts legend">
      <div title="noise level: black is -1, white is 1"><dt class="sigma">noise σ</dt>
        <dd data-readout="sigma">–</dd></div>
      <div title="of the features to the target, in spreads within a class"><dt class="distance">distance</dt>
        <dd data-readout="distance">–</dd></div>
    </dl>
  </div>
"""
MARKUP = f"""
<section class="picture" aria-label="Samples" data-settings="{",".join(SETTINGS)}">
  <div class="stage">
    <figure>
      <div class="samples" role="img" aria-label="No sample yet"></div>
      <figcaption></figcaption>
    </figure>
    <figure hidden>
      <div class="estimates" role="img" aria-label="Denoised estimates of the same samples"></div>
      <figcaption></figcaption>
    </figure>
  </div>
  <img class="source" alt="" hidden>
  {TIMELINE.format(step="Step")}
  <dl class="readouts">
    <div><dt>step</dt><dd data-readout="step">–</dd></div>
    <div><dt>ms a step</dt><dd data-readout="ms">–</dd></div>
    <div title="network evaluations an image"><dt>evaluations</dt><dd data-readout="evaluations">–</dd></div>
    <div><dt>device</dt><dd data-readout="device">–</dd></div>
  </dl>
  <p class="message" role="alert" hidden></p>
  <p class="status" role="status"></p>
</section>
"""


def create_picture_panel(preview: Callable) -> gr.HTML:
    """The component; it fires `input` with the query of the address when the visitor goes back or forward.

    Its value is {"run", "frames"}, {"run", "error"}, or {"run", "stopped"}, where "run" is an id: the page
    ignores what arrives late from a run older than the one on the screen. "frames" are the newest steps of
    the run (all of them at its end), by index. "link" becomes the page's address. The first value, of run 0,
    plays before any request; its "first" is the link of its picture.

    Parameters
    ----------
    preview : callable
        Makes the picture at a position of the ring; see `fgsd.app.serving.preview`.
    """
    return gr.HTML(
        {"run": 0, "frames": []},
        html_template=MARKUP,
        js_on_load=mount_script("picture"),
        server_functions=[preview],
        apply_default_css=False,
        elem_id="picture-panel",
    )
