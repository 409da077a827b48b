"""The page: its panels, and the events that connect them."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from fgsd.app.api.endpoints import create_api
from fgsd.app.api.files import SWEEP
from fgsd.app.http.gradio_internals import Blocks, event_data
from fgsd.app.panels.controls import create_controls_panel, create_view
from fgsd.app.panels.evidence import create_evidence
from fgsd.app.panels.header import create_title, create_tools
from fgsd.app.panels.interpolation import (
    InterpolationPanel,
    create_interpolation_panel,
    create_modes,
    is_interpolation,
    wire_interpolation,
)
from fgsd.app.panels.map import create_map_panel
from fgsd.app.panels.picture import create_picture_panel
from fgsd.app.panels.save import create_save_panel, python_lines, wire_save
from fgsd.app.panels.user_textures import create_user_textures_panel, wire_user_textures
from fgsd.app.render.frames import frames, to_send
from fgsd.app.render.map_data import MapData
from fgsd.app.render.thumbnails import thumbnails, training_images
from fgsd.app.render.user_textures import UserTextureStore, centroids
from fgsd.app.requests.link import from_link, to_link
from fgsd.app.requests.request import RequestError, parse_request
from fgsd.app.serving.admission import Admission
from fgsd.app.serving.preview import preview_function
from fgsd.app.serving.request_sequence import RequestSequence
from fgsd.app.serving.scheduler import Scheduler
from fgsd.app.web_files import ANNOUNCE_SETTINGS, NUMBER_REQUEST, PRESS_SAMPLE, SAMPLE_ADDRESS
from fgsd.pipeline import Pipeline

log = logging.getLogger(__name__)

FIRST_CHOICES = ("lava", "magma", "coral")  # what the first screen shows, if the checkpoint knows one
READING = {"concurrency_limit": 1, "concurrency_id": "own"}  # shared with the room of own textures


def build_page(
    pipe: Pipeline,
    data_folder: str | Path | None,
    *,
    checkpoint: str = "checkpoints/textures",
    evidence: bool = False,
    share: bool = True,
) -> gr.Blocks:
    """Assemble the page for a checkpoint.

    Parameters
    ----------
    pipe : Pipeline
    data_folder : str, Path or None
        The images that the checkpoint was trained on, for thumbnails; None shows grey ones.
    checkpoint : str
        What the lines of Python that a visitor takes home load.
    evidence : bool
        Whether there is a report to open; see `fgsd.app.server.launch`.
    share : bool
        Whether requests of several visitors share a batch; see `fgsd.app.serving.scheduler`.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is a folder name, but no such folder or no usable image in it.
    """
    multiple = pipe.network.config.multiple
    target = [{"name": first_choice(pipe.classes), "weight": 50}]
    newest, store = RequestSequence(), UserTextureStore()
    admission = Admission(Scheduler(pipe, share=share))
    sampled = admission.loop(frames)
    sampling = {"concurrency_limit": admission.at_once, "concurrency_id": "sampling"}

    with Blocks(title="fgsd", analytics_enabled=False, fill_width=True, delete_cache=SWEEP) as page:
        with gr.Row(elem_id="top") as top:
            create_title()
            user_textures_panel = create_user_textures_panel(pipe.info)
        with gr.Row(elem_id="panels", equal_height=False):
            with gr.Column(elem_id="left", min_width=320):
                images = training_images(data_folder, pipe.info)
                map_panel = create_map_panel(
                    MapData(pipe, images, store), thumbnails(images, pipe.classes, pipe.info), target
                )
            with gr.Column(elem_id="right", min_width=320):
                with gr.Row(elem_id="picture-bar"):
                    modes = create_modes()
                    save_panel = create_save_panel(python_lines(pipe, checkpoint))
                view = create_view()
                picture_panel = create_picture_panel(preview_function(admission, store, multiple=multiple))
                interpolation = InterpolationPanel(modes, create_interpolation_panel(admission, store))
                controls = create_controls_panel(multiple, view)

        settings = {**controls.settings(), "interpolation": modes}
        # made here, by the same code as every other picture, so that it is there when the page is
        first = {name: component.value for name, component in settings.items()}
        request = parse_request(target, classes=pipe.classes, multiple=multiple, **first)
        pipe.sample(request.label, steps=1, size=request.size)  # the first one is slow: its time is not shown
        welcome = [one for several in frames(pipe, request) for one in several]
        picture_panel.value = {"run": 0, "frames": welcome, "first": to_link(request)}
        with top:
            if evidence:
                create_evidence()
            create_tools(to_link(request))

        def known(visitor: gr.Request) -> list[str]:
            return [*pipe.classes, *store.of(visitor.session_hash)]

        def run(visitor: gr.Request, chosen, *values) -> Iterator[Any]:
            *values, client_seq = values
            # it is the other room's, or has been overtaken
            if (
                is_interpolation(values[-1])
                or (run_id := newest.renew(visitor.session_hash, client_seq)) is None
            ):
                yield gr.skip()  # without a yield, Gradio would empty the room
                return
            yield {"run": run_id, "frames": []}
            try:
                asked = dict(zip(settings, values, strict=True))
                request = parse_request(chosen, classes=known(visitor), multiple=multiple, **asked)
                link, own = to_link(request), centroids(store.of(visitor.session_hash))
                wanted = functools.partial(newest.holds, visitor.session_hash, run_id)
                made: dict[str, dict] = {}
                for several in sampled(visitor.session_hash, request, own=own, wanted=wanted):
                    made |= {str(frame["index"]): frame for frame in several}
                    last = several[-1]["last"]
                    yield {"run": run_id, "frames": to_send(made, last=last), "link": link}
            except RequestError as error:
                yield {"run": run_id, "error": str(error)}
            except Exception:
                log.exception("sampling failed")
                sentence = "Sampling failed on the server; try fewer or smaller images."
                yield {"run": run_id, "error": sentence}

        def stop(visitor: gr.Request, client_seq: float | None) -> Any:
            run_id = newest.renew(visitor.session_hash, client_seq)
            return gr.skip() if run_id is None else {"run": run_id, "stopped": True}

        def cancel_previous(visitor: gr.Request, client_seq: float | None) -> None:
            newest.renew(visitor.session_hash, client_seq)

        def leave(visitor: gr.Request) -> None:
            newest.renew(visitor.session_hash)  # which ends what still runs
            store.forget(visitor.session_hash)

        def opened(query: object, visitor: gr.Request) -> tuple:
            found = from_link(query)
            if found is None:
                return (gr.skip(),) * (2 + len(settings))
            target, values = found
            values.setdefault("interpolation", {"mode": "sample"})
            try:
                parse_request(target, classes=known(visitor), multiple=multiple, **values)
                controls.check_choices(values)
            except RequestError as error:
                run = newest.current(visitor.session_hash)
                said = {"run": run, "error": f"This link cannot be opened. {error}", "link": ""}
                return said, *(gr.skip(),) * (1 + len(settings))
            return gr.skip(), target, *(values.get(name, gr.skip()) for name in settings)

        def open_address(visitor: gr.Request) -> tuple:
            return opened(dict(visitor.query_params), visitor)

        def go_back(visitor: gr.Request, event: gr.EventData) -> tuple:
            return opened(event_data(event).get("query"), visitor)

        inputs = [map_panel, *settings.values()]
        client_seq = gr.Number(None, visible=False)  # the browser fills it in: see `NUMBER_REQUEST`
        # what else a visitor sets presses the button by itself: see header.js
        triggers = [
            controls.sample.click,
            map_panel.release,
            modes.release,
            controls.size.input,
            controls.sampler.input,
        ]
        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        # past the queue, and first: a run under way would else hold the place that the new one waits for
        ways = [*triggers, map_panel.select, modes.select]
        counted = {"js": NUMBER_REQUEST, "trigger_mode": "multiple", **quiet}
        gr.on(ways, cancel_previous, client_seq, None, queue=False, **counted)
        gr.on(triggers, run, [*inputs, client_seq], picture_panel, **sampling, **counted)
        controls.another.click(
            None, None, controls.seed, js="() => Math.floor(1e6 * Math.random())", **quiet
        ).then(None, js=PRESS_SAMPLE, **quiet)
        # the address holds what is on the screen: a link opens it, and Back and Forward undo and redo
        everything = [picture_panel, *inputs]
        for event, function in ((page.load, open_address), (picture_panel.input, go_back)):
            opens = event(function, None, everything, trigger_mode="multiple", **quiet)
            opens.then(None, js=SAMPLE_ADDRESS, **quiet)
        wire_interpolation(
            admission,
            interpolation,
            newest=newest,
            client_seq=client_seq,
            store=store,
            map_panel=map_panel,
            controls=controls,
            triggers=triggers,
        )
        wire_user_textures(user_textures_panel, store, map_panel, controls, modes, pipe)
        page.unload(leave)
        create_api(admission, sampling=sampling, reading=READING)
        # the browser keeps the settings at hand for the picture that follows the pin
        changes = [page.load, *(c.change for c in controls.settings().values())]
        gr.on(changes, None, list(controls.settings().values()), None, js=ANNOUNCE_SETTINGS, **quiet)
        wire_save(save_panel, admission, newest, lambda visitor: centroids(store.of(visitor.session_hash)))
        # a run ends itself: if Gradio cancelled it, slowly, it might meet the one that has been started since
        controls.stop.click(stop, client_seq, picture_panel, queue=False, **counted)
    return page


def first_choice(classes: Sequence[str]) -> str:
    """The class that the first screen shows."""
    return next((name for name in FIRST_CHOICES if name in classes), classes[0])
