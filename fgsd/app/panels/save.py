"""The bar over the picture: the tile preview, and the menu that saves the picture."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import gradio as gr

from fgsd.app.gradio_internals import event_data
from fgsd.app.limits import MAX_FILE_RUNS
from fgsd.app.panels.state import PRIVATE, ServerState
from fgsd.app.render.encode import file_uri
from fgsd.app.render.exports import FORMATS, ExportedFile, export
from fgsd.app.requests.errors import errors_as_sentences
from fgsd.app.requests.link import from_link
from fgsd.app.requests.paint import PaintRequest
from fgsd.app.requests.python_code import to_python
from fgsd.app.requests.request import VIEWS, RequestError, SampleRequest, parse_request
from fgsd.app.serving.painting import painting_lines
from fgsd.app.serving.request_sequence import RequestSequence
from fgsd.app.web_files import mount_script
from fgsd.centroids import Centroid
from fgsd.pipeline import Pipeline

# what the menu saves: (kind, name, words, whether it is hidden until there is such a thing)
KINDS = (
    ("png", "PNG", "the picture, pixel for pixel", False),
    ("sheet", "Contact sheet", "all steps in one PNG", False),
    ("gif", "GIF", "the steps, moving", False),
    ("mp4", "MP4", "the steps as a film", False),
    ("film", "Drag", "or stroke: the last one, as a video", True),
    ("plan", "Plan", "as a PNG; its command is copied", True),
    ("python", "Python", "lines that make the same pixels", False),
    ("link", "Link", "an address that gives this picture", False),
    (
        "recipe",
        "File",
        "your own texture does not fit into a link: this file opens the same picture",
        True,
    ),
)
ITEM = """
    <li role="none" {hidden}><button type="button" role="menuitem" data-save="{kind}">
      {name} <small>{words}</small></button></li>"""
MARKUP = """
<div class="save">
  <button type="button" class="tile" aria-pressed="false" hidden
    title="Show each image 3 times 3 times: there is no seam">Tile 3 × 3</button>
  <button type="button" class="open" aria-haspopup="menu" aria-expanded="false">Save</button>
  <ul role="menu" aria-label="Save" hidden>{items}
  </ul>
  <p class="status" role="status"></p>
  <dialog aria-label="Lines of Python">
    <pre tabindex="0"></pre>
    <form method="dialog"><button type="button" class="copy">Copy</button><button>Close</button></form>
  </dialog>
</div>
"""


def save_markup(kinds: Collection[str] | None = None) -> str:
    """Return the markup of the panel, with a menu of these kinds, by default of all."""
    items = [
        ITEM.format(kind=kind, name=name, words=words, hidden="hidden" if is_hidden else "")
        for kind, name, words, is_hidden in KINDS
        if kinds is None or kind in kinds
    ]
    return MARKUP.format(items="".join(items))


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
        html_template=save_markup(),
        js_on_load=mount_script("save"),
        server_functions=[lines],
        apply_default_css=False,
        elem_id="save-panel",
        min_width=160,
    )


def request_of_link(
    query: Any, view: Any, *, pipe: Pipeline, user_centroids: Mapping[str, Centroid]
) -> SampleRequest:
    """Return the request of a link, shown in a view; raise `RequestError` if there is none."""
    linked = from_link(query)
    if linked is None:
        raise RequestError("There is no picture to save yet.")
    target, settings = linked
    settings["view"] = view
    classes, multiple = [*pipe.classes, *user_centroids], pipe.network.config.multiple
    return parse_request(target, classes=classes, multiple=multiple, **settings)


def python_lines(pipe: Pipeline, checkpoint: str) -> Callable[[Any], dict[str, Any]]:
    """Make a function for the page to call: it returns {"lines"} for the link of a picture, or the query of a
    painting with the "colours" of its plan; or {"error"}."""

    @errors_as_sentences()
    def lines(query: Any) -> dict[str, Any]:
        if isinstance(query, Mapping):
            return {"lines": painting_lines(pipe, query, checkpoint)}
        target, _ = from_link(query) or ([], {})
        if any(entry["name"] not in pipe.classes for entry in target):
            raise RequestError(
                "The lines know the checkpoint's textures only: save the File of this picture instead."
            )
        request = request_of_link(query, next(iter(VIEWS.values())), pipe=pipe, user_centroids={})
        return {"lines": to_python(request, checkpoint)}

    return lines


def wire_save(panel: gr.HTML, state: ServerState) -> None:
    """Make the files that a visitor asks for; a newer request or run of the visitor cancels it.

    The value of the panel becomes {"client_seq", "share"} while the file is made, then {"client_seq", "file":
    {"name", "url"}}; or {"client_seq", "error"}, or {"client_seq", "ended"} if the request is cancelled.
    """
    file_requests = RequestSequence()

    def client_seq_of(query: Mapping[str, Any]) -> int:
        client_seq = query.get("client_seq")
        return client_seq if isinstance(client_seq, int) else 0

    def cancel_previous(visitor: gr.Request, event: gr.EventData) -> None:
        file_requests.start(visitor.session_hash, client_seq_of(event_data(event)))

    def error_of_file(
        sentence: str, visitor: gr.Request, query: Mapping[str, Any], *arguments: Any
    ) -> dict[str, Any]:
        return {"client_seq": client_seq_of(query), "error": sentence}

    @errors_as_sentences(error_of_file, failure="The file could not be made; try fewer or smaller images.")
    def make_file(
        visitor: gr.Request, query: Mapping[str, Any], is_cancelled: Callable[[], bool]
    ) -> Iterator[dict[str, Any]]:
        client_seq, kind = client_seq_of(query), query.get("kind")
        if not isinstance(kind, str) or kind not in FORMATS:
            raise RequestError("There is no such kind of file.")
        textures, asked, view = state.centroids(visitor), query.get("query"), query.get("view")
        request: SampleRequest | PaintRequest
        if isinstance(asked, Mapping) and "plan" in asked:
            request = state.painter.request({**asked, "view": view}, visitor.session_hash)
        else:
            request = request_of_link(asked, view, pipe=state.pipe, user_centroids=textures)
        made: float | ExportedFile | None = None
        with state.admission.admit(visitor.session_hash, is_cancelled=is_cancelled) as pipe:
            for made in export(pipe, request, kind, user_centroids=textures, is_cancelled=is_cancelled):
                if isinstance(made, ExportedFile):
                    url = file_uri(made.data, made.media_type)
                    yield {"client_seq": client_seq, "file": {"name": made.name, "url": url}}
                else:
                    yield {"client_seq": client_seq, "share": round(made, 3)}
        if not isinstance(made, ExportedFile):
            yield {"client_seq": client_seq, "ended": True}

    def save(visitor: gr.Request, event: gr.EventData) -> Iterator[dict[str, Any]]:
        query, session = event_data(event), visitor.session_hash
        client_seq = client_seq_of(query)
        file_id, run_id = file_requests.start(session, client_seq), state.sequence.current(session)
        if file_id is None:
            yield {"client_seq": client_seq, "ended": True}
            return

        def is_cancelled() -> bool:
            file_is_current = file_requests.is_current(session, file_id)
            return not (file_is_current and state.sequence.is_current(session, run_id))

        yield from make_file(visitor, query, is_cancelled)

    panel.submit(cancel_previous, None, None, queue=False, trigger_mode="multiple", **PRIVATE)
    panel.submit(save, None, panel, concurrency_limit=MAX_FILE_RUNS, trigger_mode="multiple", **PRIVATE)
