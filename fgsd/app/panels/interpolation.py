"""The interpolation panel, which takes the place of the picture, and the tabs of the modes above both."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from fgsd.app.http.gradio_internals import event_data
from fgsd.app.panels.controls import Controls
from fgsd.app.render.interpolations import filled, interpolation_frames, missing, switch_frame
from fgsd.app.render.user_textures import UserTextureStore, centroids
from fgsd.app.requests.link import to_link
from fgsd.app.requests.request import MODES, RequestError, SampleRequest, parse_request
from fgsd.app.serving.admission import Admission
from fgsd.app.serving.preview import preview_function
from fgsd.app.serving.request_sequence import RequestSequence
from fgsd.app.web_files import NUMBER_REQUEST, PRESS_SAMPLE, mount_script
from fgsd.interpolation import switch_stops

log = logging.getLogger(__name__)

MODES_MARKUP = """
<div class="modes" role="tablist" aria-label="What is made of the textures">
  {buttons}
</div>
"""

MARKUP = """
<section class="interpolation" data-stops="{stops}" aria-label="Between the textures">
  <div class="head">
    <p class="headline"></p>
    <label class="strip-size">places <select aria-label="Pictures in the strip"></select></label>
    <div class="exports"></div>
  </div>
  <div class="stage"></div>
  <div class="coarse-fine" hidden>
    <span class="end"></span>
    <button type="button" class="swap" title="Swap the two textures" aria-label="Swap the two textures"
      >⇄</button>
    <span class="end"></span>
    <input type="range" min="0" step="1" aria-label="Where coarse goes over to detail">
    <p><span>coarse, high noise</span><output></output><span>fine, low noise</span></p>
  </div>
  <div class="player" hidden>
    <button type="button" class="play" aria-label="Play" aria-pressed="true">❚❚</button>
    <input type="range" min="0" step="1" aria-label="Place in the loop">
  </div>
  <div class="missing" hidden><p></p><button type="button"></button></div>
  <div class="progress" role="progressbar" aria-label="Diffusion steps" aria-valuemin="0"><i></i></div>
  <p class="readout"></p>
  <p class="error" role="alert" hidden></p>
  <p class="status" role="status"></p>
</section>
"""


@dataclass(frozen=True)
class InterpolationPanel:
    """Its components. The value of `modes` is {"mode", "switch", "places"}, as `parse_request` takes it."""

    modes: gr.HTML
    picture: gr.HTML


def create_modes() -> gr.HTML:
    """The tabs of the modes.

    They fire `release` when the visitor has chosen a mode or let go of the slider of the interpolation panel,
    and `select` when the visitor grabs that slider.
    """
    buttons = "".join(
        f'<button type="button" role="tab" data-mode="{mode}" aria-selected="false">{label}</button>'
        for label, mode in MODES.items()
    )
    return gr.HTML(
        {"mode": "sample"},
        html_template=MODES_MARKUP.format(buttons=buttons),
        js_on_load=mount_script("interpolation", "modes.js"),
        apply_default_css=False,
        elem_id="modes",
    )


def create_interpolation_panel(admission: Admission, store: UserTextureStore) -> gr.HTML:
    """The component. Its value is {"run"} with "frame" (see `fgsd.app.render.interpolations`), "need",
    "error" or "stopped"; ids of runs are shared with the picture panel.

    It fires `select` with the weights of a picture that was clicked, `input` when missing textures are to be
    added, and `release` when the two textures are to be swapped.
    """
    pipe = admission.scheduler.pipe
    stops = json.dumps(switch_stops(pipe.table.sigmas))
    return gr.HTML(
        {"run": 0},
        html_template=MARKUP.format(stops=stops),
        js_on_load=mount_script("interpolation"),
        server_functions=[
            preview_function(admission, store, multiple=pipe.network.config.multiple, make=switch_frame)
        ],
        apply_default_css=False,
        elem_id="interpolation-panel",
    )


def is_interpolation(value: Any) -> bool:
    """Whether the switch stands on something else than "Sample"; what is forged counts as that."""
    mode = value.get("mode") if isinstance(value, Mapping) else None
    return isinstance(mode, str) and mode in MODES.values() and mode != "sample"


def wire_interpolation(
    admission: Admission,
    room: InterpolationPanel,
    *,
    newest: RequestSequence,
    client_seq: gr.Number,
    store: UserTextureStore,
    map_panel: gr.HTML,
    controls: Controls,
    triggers: Sequence[Callable],
) -> None:
    """Let the triggers run whatever the switch stands on; "Sample" is left to the page.

    `client_seq` is where the browser counts what its visitor save_sequence, see `NUMBER_REQUEST`.
    """
    pipe = admission.scheduler.pipe
    names = [*controls.settings(), "interpolation"]
    inputs = [map_panel, *controls.settings().values(), room.modes]
    multiple, sampled = pipe.network.config.multiple, admission.loop(interpolation_frames)
    quiet = {"show_progress": "hidden", "api_visibility": "private"}

    def known(visitor: gr.Request) -> list[str]:
        return [*pipe.classes, *store.of(visitor.session_hash)]

    def parsed(visitor: gr.Request, chosen: Any, values: Sequence[Any]) -> SampleRequest:
        asked = dict(zip(names, values, strict=True))
        return parse_request(chosen, classes=known(visitor), multiple=multiple, **asked)

    def run(visitor: gr.Request, chosen, *values) -> Iterator[Any]:
        *values, client_seq = values
        # it is the page's, or has been overtaken
        if (
            not is_interpolation(values[-1])
            or (run_id := newest.renew(visitor.session_hash, client_seq)) is None
        ):
            yield gr.skip()  # without a yield, Gradio would empty the room
            return
        yield {"run": run_id}
        try:
            request = parsed(visitor, chosen, values)
            link = to_link(request)
            if need := missing(request, pipe.classes):
                said = {"mode": request.mode, "sentence": need.sentence, "button": need.button}
                yield {"run": run_id, "need": said, "link": link}
                return
            wanted = lambda: newest.holds(visitor.session_hash, run_id)  # noqa: E731
            own = centroids(store.of(visitor.session_hash))
            for frame in sampled(visitor.session_hash, request, own=own, wanted=wanted):
                yield {"run": run_id, "frame": frame, "link": link}
        except RequestError as error:
            yield {"run": run_id, "error": str(error)}
        except Exception:
            log.exception("sampling between textures failed")
            sentence = "Sampling failed on the server; try a smaller size."
            yield {"run": run_id, "error": sentence}

    def take(visitor: gr.Request, event: gr.EventData, chosen) -> tuple:
        """The mixture of a picture becomes the target; all that was chosen stays chosen."""
        weights = event_data(event).get("weights")
        try:
            picked = [{"name": name, "weight": weight} for name, weight in dict(weights).items()]
            shares = parse_request(picked, classes=known(visitor), multiple=multiple).weights
            parse_request(chosen, classes=known(visitor), multiple=multiple)
        except (RequestError, TypeError, ValueError):
            return gr.skip(), gr.skip()
        target = [{**entry, "weight": 100 * shares.get(entry["name"], 0.0)} for entry in chosen]
        return target, {"mode": "sample"}

    def add(visitor: gr.Request, chosen, *values) -> Any:
        try:
            found = filled(pipe, parsed(visitor, chosen, values), centroids(store.of(visitor.session_hash)))
        except RequestError:
            return gr.skip()
        # as much of the mixture as the heaviest of those that are chosen
        weight = max(entry["weight"] for entry in chosen)
        return [*chosen, *({"name": name, "weight": weight} for name in found)]

    def swap(visitor: gr.Request, chosen, *values) -> Any:
        try:
            parsed(visitor, chosen, values)
        except RequestError:
            return gr.skip()
        return [*chosen[1::-1], *chosen[2:]]

    def stop(visitor: gr.Request) -> dict:
        return {"run": newest.current(visitor.session_hash), "stopped": True}

    gr.on(
        list(triggers),
        run,
        [*inputs, client_seq],
        room.picture,
        js=NUMBER_REQUEST,
        trigger_mode="multiple",
        concurrency_limit=admission.at_once,
        **quiet,
    )
    again = {"fn": None, "js": PRESS_SAMPLE, **quiet}
    room.picture.select(take, [map_panel], [map_panel, room.modes], **quiet).then(**again)
    room.picture.input(add, inputs, map_panel, **quiet).then(**again)
    room.picture.release(swap, inputs, map_panel, **quiet).then(**again)
    controls.stop.click(stop, None, room.picture, queue=False, **quiet)
