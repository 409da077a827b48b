"""The bar over the picture: the tile preview, and the menu that saves the picture."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gradio as gr

from fgsd.app.http.gradio_internals import event_data
from fgsd.app.render.exports import KINDS, ExportedFile, exported
from fgsd.app.requests.link import from_link
from fgsd.app.requests.python_code import to_python
from fgsd.app.requests.request import VIEWS, RequestError, SampleRequest, parse_request
from fgsd.app.serving.admission import Admission
from fgsd.app.serving.request_sequence import RequestSequence
from fgsd.app.web_files import mount_script
from fgsd.centroids import Centroid
from fgsd.pipeline import Pipeline

log = logging.getLogger(__name__)
AT_ONCE = 4  # files in the making: all steps of one take some 100 MB

MARKUP = """
<div class="save">
  <button type="button" class="tile" aria-pressed="false" hidden
    title="Show each image 3 times 3 times: there is no seam">Tile 3 × 3</button>
  <button type="button" class="open" aria-haspopup="menu" aria-expanded="false">Save</button>
  <ul role="menu" aria-label="Save" hidden>
    <li role="none"><button type="button" role="menuitem" data-save="png">
      PNG <small>the picture, pixel for pixel</small></button></li>
    <li role="none"><button type="button" role="menuitem" data-save="sheet">
      Contact sheet <small>all steps in one PNG</small></button></li>
    <li role="none"><button type="button" role="menuitem" data-save="gif">
      GIF <small>the steps, moving</small></button></li>
    <li role="none"><button type="button" role="menuitem" data-save="mp4">
      MP4 <small>the steps as a film</small></button></li>
    <li role="none"><button type="button" role="menuitem" data-save="python">
      Python <small>lines that make the same pixels</small></button></li>
    <li role="none"><button type="button" role="menuitem" data-save="link">
      Link <small>an address that gives this picture</small></button></li>
    <li role="none" hidden><button type="button" role="menuitem" data-save="recipe">
      File <small>your own texture does not fit into a link: this file opens the same picture</small>
      </button></li>
  </ul>
  <p class="status" role="status"></p>
  <dialog aria-label="Lines of Python">
    <pre tabindex="0"></pre>
    <form method="dialog"><button type="button" class="copy">Copy</button><button>Close</button></form>
  </dialog>
</div>
"""


def create_save_panel(lines: Callable[[Any], dict[str, str]]) -> gr.HTML:
    """The component, whose value `wire_save` describes. It fires `submit` with {"client_seq", "kind",
    "query", "view"} when the visitor requests a file that the server makes.

    Parameters
    ----------
    lines : callable
        See `python_lines`.
    """
    return gr.HTML(
        None,
        html_template=MARKUP,
        js_on_load=mount_script("save"),
        server_functions=[lines],
        apply_default_css=False,
        elem_id="save-panel",
        min_width=160,
    )


def request_of(query: Any, view: Any, *, pipe: Pipeline, own: Mapping[str, Centroid]) -> SampleRequest:
    """The request that a link stands for, watched as `view`; `RequestError` if it stands for none."""
    found = from_link(query)
    if found is None:
        raise RequestError("There is no picture to save yet.")
    target, settings = found
    settings["view"] = view
    classes, multiple = [*pipe.classes, *own], pipe.network.config.multiple
    return parse_request(target, classes=classes, multiple=multiple, **settings)


def python_lines(pipe: Pipeline, checkpoint: str) -> Callable[[Any], dict[str, str]]:
    """A function for the page to call: the link of a picture gives {"lines"}, or {"error"} in a sentence."""

    def lines(query: Any) -> dict[str, str]:
        target, _ = from_link(query) or ([], {})
        if any(entry["name"] not in pipe.classes for entry in target):
            words = "The lines know the checkpoint's textures only: save the File of this picture instead."
            return {"error": words}
        try:
            request = request_of(query, next(iter(VIEWS.values())), pipe=pipe, own={})
        except RequestError as error:
            return {"error": str(error)}
        return {"lines": to_python(request, checkpoint)}

    return lines


def wire_save(
    room: gr.HTML,
    admission: Admission,
    newest: RequestSequence,
    own_of: Callable[[gr.Request], Mapping[str, Centroid]] = lambda visitor: {},
) -> None:
    """Answer the menu's requests for files that are made here; a visitor's newest request cancels older ones.

    The room's value becomes {"client_seq", "share"} on the way, then {"client_seq", "file": {"name",
    "url"}}; or
    {"client_seq", "error"}, or {"client_seq", "ended"} if the visitor has started another run.

    Parameters
    ----------
    newest : RequestSequence
        Of the visitors' runs: a new run ends the making of a file.
    own_of : callable
        Textures of a visitor's own.
    """
    save_sequence, pipe = RequestSequence(), admission.scheduler.pipe

    def client_seq_of(asked: dict) -> int:
        return asked.get("client_seq") if isinstance(asked.get("client_seq"), int) else 0

    def cancel_previous(visitor: gr.Request, event: gr.EventData) -> None:
        save_sequence.renew(visitor.session_hash, client_seq_of(event_data(event)))

    def save(visitor: gr.Request, event: gr.EventData) -> Iterator[dict]:
        asked, who = event_data(event), visitor.session_hash
        client_seq = client_seq_of(asked)
        run_id, run = save_sequence.renew(who, client_seq), newest.current(who)
        if run_id is None:
            yield {"client_seq": client_seq, "ended": True}
            return
        try:
            if asked.get("kind") not in KINDS:
                raise RequestError("There is no such kind of file.")
            own = own_of(visitor)
            request = request_of(asked.get("query"), asked.get("view"), pipe=pipe, own=own)
            made = None
            wanted = lambda: save_sequence.holds(who, run_id) and newest.holds(who, run)  # noqa: E731
            with admission.place(who, wanted=wanted) as lent:
                for made in exported(lent, request, asked["kind"], own=own, wanted=wanted):
                    yield {"client_seq": client_seq, **_shown(made)}
            if not isinstance(made, ExportedFile):
                yield {"client_seq": client_seq, "ended": True}
        except RequestError as error:
            yield {"client_seq": client_seq, "error": str(error)}
        except Exception:
            log.exception("saving failed")
            yield {
                "client_seq": client_seq,
                "error": "The file could not be made; try fewer or smaller images.",
            }

    quiet = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}
    room.submit(cancel_previous, None, None, queue=False, **quiet)
    room.submit(save, None, room, concurrency_limit=AT_ONCE, **quiet)


def _shown(made: float | ExportedFile) -> dict:
    if not isinstance(made, ExportedFile):
        return {"share": round(made, 3)}
    body = base64.b64encode(made.data).decode()
    return {"file": {"name": made.name, "url": f"data:{made.media_type};base64,{body}"}}
