"""The header: the title on the left; on the right undo and redo, favourites, dark and light, help."""

from __future__ import annotations

import html
from collections.abc import Sequence

import gradio as gr

from fgsd.app.web_files import mount_script

TITLE = """
<header class="title">
  <h1>fgsd</h1>
  <p>Drag the ring over this map of textures: a neural network draws what is there, from noise.</p>
</header>
"""
TOOLBAR = """
<nav class="toolbar" aria-label="Tools" data-first="{first}">
  <button type="button" class="undo" disabled aria-label="Undo" title="Undo (Ctrl+Z)">↶</button>
  <button type="button" class="redo" disabled aria-label="Redo" title="Redo (Ctrl+Shift+Z)">↷</button>
  <button type="button" class="star" aria-pressed="false" aria-label="Keep as a favourite"
    title="Keep this picture as a favourite, in this browser">☆</button>
  <button type="button" class="favourites-toggle" hidden aria-expanded="false"
    aria-controls="favourites"></button>
  <button type="button" class="theme" aria-label="Switch between dark and light">◐</button>
  <button type="button" class="help" aria-haspopup="dialog" aria-label="How it works, and keys"
    title="How it works, and keys (?)">?</button>
  <div class="favourites" id="favourites" role="group" aria-label="Favourites" hidden></div>
  <p class="status" role="status"></p>
  <p class="offline" role="status" hidden></p>
  <aside class="tour" aria-label="First steps" hidden>
    <p class="text" aria-live="polite"></p>
    <div><span class="count"></span><button type="button" class="skip">No hints</button
      ><button type="button" class="next">Next</button></div>
  </aside>
  <dialog class="help-dialog" aria-label="How it works, and keys">
    <h2>How it works</h2>
    <ol>
      <li>A picture begins as noise. A small network removes the noise, step by step.</li>
      <li>Meanwhile the network describes the picture to itself, by the means of its channels: {dimension}
        numbers, the <i>features</i>.</li>
      <li>Each texture on the map stands for the mean features of its crops, its <i>centroid</i>.</li>
      <li>At every step, the features of the noisy picture are pushed to the centroid that you chose. Nothing
        else tells the network what to draw.</li>
      <li>Between the textures the ring mixes their centroids, so there is a picture at every position.</li>
    </ol>
    <h2>Keys</h2>
    <dl>{keys}</dl>
    <form method="dialog"><button>Close</button></form>
  </dialog>
</nav>
"""
KEYS = (
    ("Arrows", "move the ring (Shift: less); Enter samples there"),
    ("Shift and a click", "mixes one more texture, or takes it out"),
    ("Alt and arrows", "move a texture on the map of PCA"),
    ("L", "lasso"),
    ("+ − 0", "zoom; Space and a drag move the map"),
    ("Ctrl Z, Ctrl Shift Z", "undo, redo"),
    ("Arrows, Space, [ ]", "in Paint: move the brush, paint, change its size"),
    ("Alt and a click", "in Paint: take the texture under the brush"),
)


def create_title() -> gr.HTML:
    """The title, and one sentence on what to do."""
    return gr.HTML(TITLE, apply_default_css=False, elem_id="title", js_on_load=None)


def create_toolbar(first: str, dimension: int) -> gr.HTML:
    """The buttons, which work without the server.

    Parameters
    ----------
    first : str
        Link of the picture of the first screen, whose address holds none.
    dimension : int
        Number of features.
    """
    return gr.HTML(
        toolbar_markup(first, dimension),
        js_on_load=mount_script("header"),
        apply_default_css=False,
        elem_id="toolbar",
    )


def toolbar_markup(first: str, dimension: int, *, keys: Sequence[tuple[str, str]] = KEYS) -> str:
    """Return the markup of the buttons and of what they open; `keys` are explained in the help."""
    words = "".join(f"<dt>{html.escape(key)}</dt><dd>{html.escape(does)}</dd>" for key, does in keys)
    return TOOLBAR.format(first=html.escape(first, quote=True), dimension=dimension, keys=words)
