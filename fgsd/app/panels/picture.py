"""The picture panel: the steps of a run as they arrive, with a timeline, a chart and read-outs."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from fgsd.app.requests.request import SETTINGS
from fgsd.app.web_files import mount_script

# name of a value: what it is called, and what it is, in one sentence for anybody
LEGEND = {
    "sigma": ("noise σ", "How much noise is left in the picture, where black is −1 and white is 1."),
    "distance": (
        "off target",
        "How far the picture's features are from those of the target: 100 % is the usual distance between "
        "two textures in as much noise. It may rise at first, where noise hides what a texture is.",
    ),
}
READOUTS = {
    "step": ("step", "The step on the screen, of all those in which the picture condenses out of noise."),
    "ms": ("ms a step", "How many milliseconds the server has taken for a step, on average."),
    "evaluations": ("evaluations", "How often the network has looked at each picture so far."),
    "device": ("device", "What the server computes with: its processor (cpu) or a graphics card."),
}
DEVICE_WITH_SITE = (
    "device",
    "What computes: the server's processor (cpu) or its graphics card, or your own browser where that is "
    "faster.",
)


def _readouts(words: dict[str, tuple[str, str]]) -> str:
    """Values with their names and explanations, which appear under the pointer and with the focus."""
    return "".join(
        f'<div tabindex="0"><dt class="{name}">{label}<span class="tip" role="tooltip">{sentence}</span></dt>'
        f'<dd data-readout="{name}">–</dd></div>'
        for name, (label, sentence) in words.items()
    )


def timeline(label: str) -> str:
    """Return the markup of a timeline, whose slider has this label."""
    return TIMELINE.format(step=label, legend=_readouts(LEGEND))


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
    <dl class="readouts legend">{legend}</dl>
  </div>
"""


def picture_markup(readouts: dict[str, tuple[str, str]] = READOUTS, *, site: str | None = None) -> str:
    """Return the markup of the panel, with these read-outs under the timeline.

    Parameters
    ----------
    site : str, optional
        See `create_picture_panel`.
    """
    return MARKUP.format(
        settings=",".join(SETTINGS),
        site="" if site is None else f' data-site="{site}"',
        timeline=timeline("Step"),
        readouts=_readouts(readouts),
    )


MARKUP = """
<section class="picture" aria-label="Samples" data-settings="{settings}"{site}>
  <div class="stage">
    <button type="button" class="full-screen" aria-label="Full screen" title="Full screen" hidden>
      <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4"/></svg>
    </button>
    <p class="caption" aria-hidden="true" hidden><b></b> · drawn by a neural network, from noise</p>
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
  {timeline}
  <dl class="readouts">{readouts}</dl>
  <p class="message" role="alert" hidden></p>
  <p class="status" role="status"></p>
</section>
"""


def create_picture_panel(preview: Callable, site: str | None = None) -> gr.HTML:
    """The component; it fires `input` with the query of the address when the visitor goes back or forward.

    Its value is {"run", "frames"}, {"run", "error"}, or {"run", "stopped"}, where "run" is an id: the page
    ignores what arrives late from a run older than the one on the screen. "frames" are the newest steps of
    the run (all of them at its end), by index. "link" becomes the page's address. The first value, of run 0,
    plays before any request; its "first" is the link of its picture.

    Parameters
    ----------
    preview : callable
        Makes the picture at a position of the ring; see `fgsd.app.serving.preview`.
    site : str, optional
        Address of the data with which the browser samples by itself, see `fgsd.app.site.served`.
    """
    readouts = READOUTS if site is None else READOUTS | {"device": DEVICE_WITH_SITE}
    return gr.HTML(
        {"run": 0, "frames": []},
        html_template=picture_markup(readouts, site=site),
        js_on_load=mount_script("picture"),
        server_functions=[preview],
        apply_default_css=False,
        elem_id="picture-panel",
    )
