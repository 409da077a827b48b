"""The page: its rooms, and what happens between them."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import gradio as gr

from fgsd.app.class_map import class_map
from fgsd.app.controls_room import create_controls_room
from fgsd.app.frames import frames
from fgsd.app.header_room import create_title, create_tools
from fgsd.app.link import from_link, to_link
from fgsd.app.newest import Newest
from fgsd.app.own import centroids
from fgsd.app.own_room import create_own_room, wire_own
from fgsd.app.picture_room import create_picture_room
from fgsd.app.request import RequestError, parse_request
from fgsd.app.target_room import create_target_room
from fgsd.app.thumbnails import thumbnails
from fgsd.pipeline import Pipeline

log = logging.getLogger(__name__)

FIRST_CHOICES = ("lava", "magma", "coral")  # what the first screen shows, if the checkpoint knows one
LIVE_STEPS = 6  # of the picture that follows the pin: with the same seed and noise, it changes smoothly
RUNS_AT_ONCE = 2  # of all visitors together; the others wait in line


def build_page(pipe: Pipeline, data_folder: str | Path | None) -> gr.Blocks:
    """Assemble the page for a checkpoint.

    Parameters
    ----------
    pipe : Pipeline
    data_folder : str, Path or None
        The images that the checkpoint was trained on, for thumbnails; None shows grey ones.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is a folder name, but no such folder or no usable image in it.
    """
    multiple = pipe.network.config.multiple
    target = [{"name": first_choice(pipe.classes), "weight": 50}]
    newest = Newest()

    with gr.Blocks(title="fgsd", analytics_enabled=False, fill_width=True) as page:
        with gr.Row(elem_id="top") as top:
            create_title()
            own_room = create_own_room(pipe.info)
        own = gr.State({})  # the visitor's own textures by name
        with gr.Row(elem_id="rooms", equal_height=False):
            with gr.Column(elem_id="left", min_width=320):
                target_room = create_target_room(
                    class_map(pipe.table), thumbnails(data_folder, pipe.classes, pipe.info), target
                )
            with gr.Column(elem_id="right", min_width=320):
                picture_room = create_picture_room([])
                controls = create_controls_room(multiple)

        names, smallest = list(controls.settings()), controls.size.value
        # made here, by the same code as every other picture, so that it is there when the page is
        first = dict(zip(names, (c.value for c in controls.settings().values()), strict=True))
        request = parse_request(target, classes=pipe.classes, multiple=multiple, **first)
        welcome, link = list(frames(pipe, request, interval=0)), to_link(request)
        picture_room.value = {"run": 0, "frames": welcome, "first": link}
        with top:
            create_tools(link)

        def known(mine) -> list[str]:
            return [*pipe.classes, *mine]

        def run(visitor: gr.Request, chosen, mine, *values) -> Iterator[tuple]:
            ticket = newest.renew(visitor.session_hash)
            yield {"run": ticket, "frames": []}, gr.update(interactive=True)
            try:
                asked = dict(zip(names, values, strict=True))
                request = parse_request(chosen, classes=known(mine), multiple=multiple, **asked)
                link = to_link(request)
                wanted = functools.partial(newest.holds, visitor.session_hash, ticket)
                for frame in frames(pipe, request, own=centroids(mine), wanted=wanted):
                    shown = {"run": ticket, "frames": [frame], "link": link}
                    yield shown, gr.update(interactive=not frame["last"])
            except RequestError as error:
                yield {"run": ticket, "error": str(error)}, gr.update(interactive=False)
            except Exception:
                log.exception("sampling failed")
                sentence = "Sampling failed on the server; try fewer or smaller images."
                yield {"run": ticket, "error": sentence}, gr.update(interactive=False)

        def follow(visitor: gr.Request, chosen, mine, *values) -> dict:
            ticket = newest.current(visitor.session_hash)
            try:
                asked = dict(zip(names, values, strict=True))
                asked |= {
                    "n": 1,
                    "size": smallest,
                    "steps": LIVE_STEPS,
                    "sampler": "dpm2m",
                }
                request = parse_request(chosen, classes=known(mine), multiple=multiple, **asked)
            except RequestError as error:
                return {"run": ticket, "live": True, "error": str(error)}
            *_, last = frames(pipe, request, own=centroids(mine), interval=math.inf)
            return {"run": ticket, "live": True, "frames": [last]}

        def stop(visitor: gr.Request) -> tuple:
            ticket = newest.renew(visitor.session_hash)
            return {"run": ticket, "stopped": True}, gr.update(interactive=False)

        def make_way(visitor: gr.Request) -> None:
            newest.renew(visitor.session_hash)

        def opened(query: object, mine, visitor: gr.Request) -> tuple:
            found = from_link(query)
            if found is None:
                return (gr.skip(),) * (2 + len(names))
            target, settings = found
            try:
                parse_request(target, classes=known(mine), multiple=multiple, **settings)
                controls.check_choices(settings)
            except RequestError as error:
                run = newest.current(visitor.session_hash)
                said = {"run": run, "error": f"This link cannot be opened. {error}", "link": ""}
                return said, *(gr.skip(),) * (1 + len(names))
            return gr.skip(), target, *(settings.get(name, gr.skip()) for name in names)

        def open_address(mine, visitor: gr.Request) -> tuple:
            return opened(dict(visitor.query_params), mine, visitor)

        def go_back(mine, visitor: gr.Request, event: gr.EventData) -> tuple:
            query = event._data.get("query") if isinstance(event._data, dict) else None
            return opened(query, mine, visitor)

        inputs = [target_room, own, *controls.settings().values()]
        outputs = [picture_room, controls.stop]
        # what else a visitor sets presses the button by itself: see header.js
        triggers = [controls.sample.click, target_room.release, controls.size.input, controls.sampler.input]
        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        # past the queue, and first: a run under way would else hold the place that the new one waits for
        ways = [*triggers, target_room.select]
        gr.on(ways, make_way, None, None, queue=False, trigger_mode="multiple", **quiet)
        # while one position is sampled, only the newest of those that follow is kept
        target_room.input(
            follow, inputs, picture_room, trigger_mode="always_last", concurrency_limit=RUNS_AT_ONCE, **quiet
        )
        started = gr.on(
            triggers, run, inputs, outputs, trigger_mode="multiple", concurrency_limit=RUNS_AT_ONCE, **quiet
        )
        controls.another.click(
            None, None, controls.seed, js="() => Math.floor(1e6 * Math.random())", **quiet
        ).then(None, js="() => document.querySelector('#sample').click()", **quiet)
        # the address holds what is on the screen: a link opens it, and Back and Forward undo and redo
        everything = [picture_room, target_room, *controls.settings().values()]
        again = "() => location.search.includes('mix=') && document.querySelector('#sample').click()"
        for event, function in ((page.load, open_address), (picture_room.input, go_back)):
            opens = event(function, own, everything, trigger_mode="multiple", **quiet)
            opens.then(None, js=again, **quiet)
        wire_own(own_room, own, target_room, controls, pipe)
        controls.stop.click(stop, None, outputs, queue=False, cancels=[started], **quiet)
    return page


def first_choice(classes: Sequence[str]) -> str:
    """The class that the first screen shows."""
    return next((name for name in FIRST_CHOICES if name in classes), classes[0])
