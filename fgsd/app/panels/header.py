"""The header: the title on the left; on the right undo and redo, favourites, dark and light."""

from __future__ import annotations

import html

import gradio as gr

from fgsd.app.web_files import mount_script

TITLE = """
<header class="title">
  <h1>fgsd</h1>
  <p>Drag the ring between textures: what you see follows. Let go, and it condenses out of noise.</p>
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
  <div class="favourites" id="favourites" role="group" aria-label="Favourites" hidden></div>
  <p class="status" role="status"></p>
  <p class="offline" role="status" hidden></p>
</nav>
"""


def create_title() -> gr.HTML:
    """The title, and one sentence on what to do."""
    return gr.HTML(TITLE, apply_default_css=False, elem_id="title", js_on_load=None)


def create_toolbar(first: str) -> gr.HTML:
    """The buttons, which work without the server.

    Parameters
    ----------
    first : str
        Link of the picture of the first screen, whose address holds none.
    """
    markup = TOOLBAR.format(first=html.escape(first, quote=True))
    return gr.HTML(markup, js_on_load=mount_script("header"), apply_default_css=False, elem_id="toolbar")
