"""The page: its panels, and the events that connect them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from fgsd.app.api.endpoints import create_api
from fgsd.app.gradio_internals import Blocks
from fgsd.app.limits import FILE_SWEEP_S
from fgsd.app.panels.address import wire_address
from fgsd.app.panels.controls import create_controls_panel, create_view
from fgsd.app.panels.evidence import create_evidence
from fgsd.app.panels.header import create_title, create_toolbar
from fgsd.app.panels.interpolation import create_interpolation_panel, create_modes, wire_interpolation
from fgsd.app.panels.learning import wire_learning
from fgsd.app.panels.map import create_map_panel
from fgsd.app.panels.paint import create_paint_button, create_paint_panel, wire_paint
from fgsd.app.panels.picture import create_picture_panel
from fgsd.app.panels.runs import wire_runs
from fgsd.app.panels.save import create_save_panel, python_lines, wire_save
from fgsd.app.panels.state import IMAGE_QUEUE, PRIVATE, Components, ServerState
from fgsd.app.panels.user_textures import create_user_textures_panel, wire_user_textures
from fgsd.app.render.frames import frames
from fgsd.app.render.map_data import MapData
from fgsd.app.render.thumbnails import thumbnails, training_images
from fgsd.app.requests.link import to_link
from fgsd.app.requests.request import SampleRequest, parse_request
from fgsd.app.serving.admission import Admission
from fgsd.app.serving.learning import LearningQueue
from fgsd.app.serving.picture_sizes import first_size
from fgsd.app.serving.preview import preview_function
from fgsd.app.serving.scheduler import Scheduler
from fgsd.app.web_files import ANNOUNCE_SETTINGS, PRESS_SAMPLE
from fgsd.pipeline import Pipeline

FIRST_CLASSES = ("lava", "magma", "coral")  # the first of them that the checkpoint knows is shown first


def build_page(
    pipe: Pipeline,
    data_folder: str | Path | None,
    *,
    checkpoint: str = "checkpoints/textures",
    evidence: bool = False,
    share: bool = True,
    auto_learn: bool = True,
    first: tuple[int, int] | None = None,
    site: str | None = None,
) -> gr.Blocks:
    """Assemble the page for a checkpoint.

    Parameters
    ----------
    pipe : Pipeline
    data_folder : str, Path or None
        The images that the checkpoint was trained on, for thumbnails; with None they are grey.
    checkpoint : str
        What the Python code that visitors copy loads.
    evidence : bool
        Whether there is a report to open; see `fgsd.app.server.launch`.
    share : bool
        Whether requests of several visitors share a batch; see `fgsd.app.serving.scheduler`.
    auto_learn : bool
        Whether the page learns an image of a visitor at once; see `fgsd.app.server.launch`.
    first : (images, side in pixels), optional
        Of a new visit; by default one, as large as this device samples in `fgsd.app.limits.MAX_FIRST_S`.
    site : str, optional
        See `create_picture_panel`.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder does not exist or holds no usable image.
    """
    admission = Admission(Scheduler(pipe, share=share))
    state = ServerState(admission, LearningQueue(admission), auto_learn)
    store, multiple = state.store, state.multiple
    pipe.engines.start()  # while the map is drawn; then the device is measured
    pipe.preview_engines.start(preview=True)
    target: list[dict[str, Any]] = [{"name": first_class(pipe.classes), "weight": 50}]

    with Blocks(title="fgsd", analytics_enabled=False, fill_width=True, delete_cache=FILE_SWEEP_S) as page:
        with gr.Row(elem_id="top") as top:
            create_title()
            user_textures_panel = create_user_textures_panel(pipe, store)
        with gr.Row(elem_id="panels", equal_height=False):
            with gr.Column(elem_id="left", min_width=320):
                images = training_images(data_folder, pipe.info)
                map_panel = create_map_panel(
                    MapData(pipe, images, store), thumbnails(images, pipe.classes, pipe.info), target
                )
            n, size = first or (1, first_size(state.seconds_per_pixel, multiple))
            with gr.Column(elem_id="right", min_width=320):
                with gr.Row(elem_id="picture-bar"):
                    modes = create_modes()
                    save_panel = create_save_panel(python_lines(pipe, checkpoint))
                view = create_view()
                picture = create_picture_panel(
                    preview_function(
                        admission,
                        store,
                        multiple=multiple,
                        seconds_per_pixel=state.preview_seconds_per_pixel,
                        nearest=True,
                    ),
                    site,
                )
                interpolation = create_interpolation_panel(admission, store)
                paint = create_paint_panel(state)
                controls = create_controls_panel(multiple, view, n=n, size=size)
        components = Components(map_panel, modes, picture, interpolation, controls)

        settings = {name: component.value for name, component in components.settings().items()}
        request = parse_request(target, classes=pipe.classes, multiple=multiple, **settings)
        picture.value = {"run": 0, "frames": first_frames(pipe, request), "first": to_link(request)}
        with top:
            create_paint_button()
            if evidence:
                create_evidence()
            create_toolbar(to_link(request), pipe.table.dimension)

        # other settings press the Sample button from the browser, see `web/header`
        run_triggers = [
            controls.sample.click,
            map_panel.release,
            modes.release,
            controls.size.input,
            controls.sampler.input,
        ]
        sampling_queue = {"concurrency_limit": admission.concurrency_limit, "concurrency_id": "sampling"}
        wire_runs(
            state,
            components,
            run_triggers=run_triggers,
            cancel_triggers=[map_panel.select, modes.select],
            sampling_queue=sampling_queue,
        )
        wire_address(state, components, page)
        wire_interpolation(state, components)
        wire_user_textures(user_textures_panel, state, components)
        wire_learning(user_textures_panel, state)
        wire_save(save_panel, state)
        wire_paint(paint, state, sampling_queue=sampling_queue)
        create_api(admission, state.learning, sampling_queue=sampling_queue, image_queue=IMAGE_QUEUE)

        new_seed = "() => Math.floor(1e6 * Math.random())"
        controls.another.click(None, None, controls.seed, js=new_seed, **PRIVATE).then(
            None, js=PRESS_SAMPLE, **PRIVATE
        )
        # the browser keeps a copy of the settings, which it sends with each preview
        inputs = list(controls.settings().values())
        changes = [page.load, *(component.change for component in inputs)]
        gr.on(changes, None, inputs, None, js=ANNOUNCE_SETTINGS, **PRIVATE)

        def leave(visitor: gr.Request) -> None:
            state.sequence.start(visitor.session_hash)  # which cancels the run that is under way
            store.forget(visitor.session_hash)

        page.unload(leave)
    return page


def first_frames(pipe: Pipeline, request: SampleRequest) -> list[dict[str, Any]]:
    """Return all frames of the first picture, so that the page shows one when it opens."""
    pipe.sample(
        request.label, steps=1, size=request.size
    )  # warm up: the first call is slow, and frames have times
    return [frame for new in frames(pipe, request) for frame in new]


def first_class(classes: Sequence[str]) -> str:
    """Return the class of the first picture."""
    return next((name for name in FIRST_CLASSES if name in classes), classes[0])
