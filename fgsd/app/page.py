"""The page: its rooms, and what happens between them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import gradio as gr

from fgsd.app.class_map import class_map
from fgsd.app.controls_room import create_controls_room, create_view
from fgsd.app.frames import frames, to_send
from fgsd.app.link import from_link, to_link
from fgsd.app.live import follower
from fgsd.app.newest import Newest
from fgsd.app.picture_room import create_picture_room
from fgsd.app.request import SETTINGS, RequestError, parse_request
from fgsd.app.save_room import create_save_room, python_lines, wire_save
from fgsd.app.target_room import create_target_room
from fgsd.app.thumbnails import thumbnails
from fgsd.pipeline import Pipeline

log = logging.getLogger(__name__)

FIRST_CHOICES = ("lava", "magma", "coral")  # what the first screen shows, if the checkpoint knows one
RUNS_AT_ONCE = 2  # of all visitors together; the others wait in line

HEADER = """
<header class="top">
  <h1>fgsd</h1>
  <p>Drag the ring between textures: what you see follows. Let go, and it condenses out of noise.</p>
  <button type="button" class="shade" aria-label="Switch between dark and light">◐</button>
</header>
"""
HEADER_SCRIPT = """
element.querySelector(".shade").addEventListener("click", () => document.body.classList.toggle("dark"));
"""
TELL_SETTINGS = """
(...values) => { document.dispatchEvent(new CustomEvent("fgsd:settings", { detail: values })); }
"""


def build_page(
    pipe: Pipeline, data_folder: str | Path | None, *, checkpoint: str = "checkpoints/textures"
) -> gr.Blocks:
    """Assemble the page for a checkpoint.

    Parameters
    ----------
    pipe : Pipeline
    data_folder : str, Path or None
        The images that the checkpoint was trained on, for thumbnails; None shows grey ones.
    checkpoint : str
        What the lines of Python that a visitor takes home load.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is a folder name, but no such folder or no usable image in it.
    """
    multiple = pipe.network.config.multiple
    target = [{"name": first_choice(pipe.classes), "weight": 50}]
    newest = Newest()

    with gr.Blocks(title="fgsd", analytics_enabled=False, fill_width=True) as page:
        gr.HTML(HEADER, js_on_load=HEADER_SCRIPT, apply_default_css=False, elem_id="header")
        with gr.Row(elem_id="rooms", equal_height=False):
            with gr.Column(elem_id="left", min_width=320):
                target_room = create_target_room(
                    class_map(pipe.table), thumbnails(data_folder, pipe.classes, pipe.info), target
                )
            with gr.Column(elem_id="right", min_width=320):
                with gr.Row(elem_id="picture-bar"):
                    view = create_view()
                    save_room = create_save_room(python_lines(pipe, checkpoint))
                picture_room = create_picture_room([], follower(pipe, multiple=multiple))
                controls = create_controls_room(multiple, view)

        # made here, by the same code as every other picture, so that it is there when the page is
        first = dict(zip(SETTINGS, (c.value for c in controls.settings().values()), strict=True))
        request = parse_request(target, classes=pipe.classes, multiple=multiple, **first)
        picture_room.value = {
            "run": 0,
            "frames": [one for several in frames(pipe, request) for one in several],
        }

        def run(visitor: gr.Request, chosen, *values) -> Iterator[tuple]:
            ticket = newest.renew(visitor.session_hash)
            yield {"run": ticket, "frames": []}, gr.update(interactive=True)
            try:
                asked = dict(zip(SETTINGS, values, strict=True))
                request = parse_request(chosen, classes=pipe.classes, multiple=multiple, **asked)
                link = to_link(request)
                made: dict[str, dict] = {}
                for several in frames(
                    pipe, request, wanted=lambda: newest.holds(visitor.session_hash, ticket)
                ):
                    made |= {str(frame["index"]): frame for frame in several}
                    last = several[-1]["last"]
                    shown = {"run": ticket, "frames": to_send(made, last=last), "link": link}
                    # a step that comes late must not enable the button again
                    yield shown, gr.update(interactive=False) if last else gr.skip()
            except RequestError as error:
                yield {"run": ticket, "error": str(error)}, gr.update(interactive=False)
            except Exception:
                log.exception("sampling failed")
                sentence = "Sampling failed on the server; try fewer or smaller images."
                yield {"run": ticket, "error": sentence}, gr.update(interactive=False)

        def stop(visitor: gr.Request) -> tuple:
            ticket = newest.renew(visitor.session_hash)
            return {"run": ticket, "stopped": True}, gr.update(interactive=False)

        def make_way(visitor: gr.Request) -> None:
            newest.renew(visitor.session_hash)

        def opened(query: object) -> tuple:
            found = from_link(query)
            if found is None:
                return (gr.skip(),) * (2 + len(SETTINGS))
            target, settings = found
            try:
                parse_request(target, classes=pipe.classes, multiple=multiple, **settings)
                controls.check_choices(settings)
            except RequestError as error:
                said = {"run": 0, "error": f"This link cannot be opened. {error}", "link": ""}
                return said, *(gr.skip(),) * (1 + len(SETTINGS))
            return gr.skip(), target, *(settings.get(name, gr.skip()) for name in SETTINGS)

        def open_address(visitor: gr.Request) -> tuple:
            return opened(dict(visitor.query_params))

        def go_back(event: gr.EventData) -> tuple:
            return opened(event._data.get("query") if isinstance(event._data, dict) else None)

        inputs = [target_room, *controls.settings().values()]
        outputs = [picture_room, controls.stop]
        triggers = [controls.sample.click, target_room.release, controls.seed.submit]
        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        # past the queue, and first: a run under way would else hold the place that the new one waits for
        ways = [*triggers, target_room.select]
        gr.on(ways, make_way, None, None, queue=False, trigger_mode="multiple", **quiet)
        started = gr.on(
            triggers, run, inputs, outputs, trigger_mode="multiple", concurrency_limit=RUNS_AT_ONCE, **quiet
        )
        controls.another.click(
            None, None, controls.seed, js="() => Math.floor(1e6 * Math.random())", **quiet
        ).then(None, js="() => document.querySelector('#sample').click()", **quiet)
        # the address holds what is on the screen: a link opens it, and Back and Forward undo and redo
        everything = [picture_room, *inputs]
        again = "() => location.search.includes('mix=') && document.querySelector('#sample').click()"
        for event, function in ((page.load, open_address), (picture_room.input, go_back)):
            event(function, None, everything, **quiet).then(None, js=again, **quiet)
        # the browser keeps the settings at hand for the picture that follows the pin
        changes = [page.load, *(c.change for c in controls.settings().values())]
        gr.on(changes, None, list(controls.settings().values()), None, js=TELL_SETTINGS, **quiet)
        wire_save(save_room, pipe, newest)
        controls.stop.click(stop, None, outputs, queue=False, cancels=[started], **quiet)
    return page


def first_choice(classes: Sequence[str]) -> str:
    """The class that the first screen shows."""
    return next((name for name in FIRST_CHOICES if name in classes), classes[0])
