"""The report of `fgsd report`, shown over the page; the browser requests it when a visitor opens it."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from starlette.responses import FileResponse
from starlette.routing import Route

from fgsd.app.web_files import mount_script

ADDRESS = "evidence.html"
TEMPLATE = f"""
<div class="evidence" data-address="{ADDRESS}">
  <button type="button" class="open" aria-haspopup="dialog"
    title="Is it any good? Figures, plots, and how to repeat them">Evidence</button>
  <dialog aria-label="Evidence">
    <button type="button" class="close" aria-label="Close the evidence" title="Close (Esc)">×</button>
  </dialog>
</div>
"""


def create_evidence() -> gr.HTML:
    """The button in the header, and the dialog that holds the report."""
    return gr.HTML(TEMPLATE, js_on_load=mount_script("evidence"), apply_default_css=False, elem_id="evidence")


def evidence_route(report: Path) -> Route:
    """A route that serves this one file."""
    return Route(f"/{ADDRESS}", lambda request: FileResponse(report, media_type="text/html"))
