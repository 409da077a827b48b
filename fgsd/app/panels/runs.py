"""Runs: what the Sample button and the Stop button do, in every mode."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from fgsd.app.panels.interpolation import is_interpolation
from fgsd.app.panels.state import PRIVATE, Components, ServerState
from fgsd.app.render.frames import frames, frames_to_send
from fgsd.app.render.interpolations import interpolation_frames, missing_textures
from fgsd.app.requests.errors import errors_as_sentences
from fgsd.app.requests.link import to_link
from fgsd.app.web_files import NUMBER_REQUEST, NUMBER_RUN

FAILURE = "Sampling failed on the server; try fewer or smaller images."


def _error_of_run(sentence: str, run_id: int, *arguments: Any) -> dict[str, Any]:
    return {"run": run_id, "error": sentence}


def wire_runs(
    state: ServerState,
    components: Components,
    *,
    run_triggers: Sequence[Any],
    cancel_triggers: Sequence[Any],
    sampling_queue: dict[str, Any],
) -> None:
    """Run the request when a trigger fires, and stop it when the Stop button is pressed.

    The outputs are the picture panel and the interpolation panel; a run changes the one of its mode, and the
    other one skips. A value is {"run"} with "frames" and "link", "frame" and "link", "need", "error" or
    "stopped"; or with "browser", the link of a run that the browser makes itself.

    Parameters
    ----------
    run_triggers, cancel_triggers : sequence of event listeners
        Those that start a run, and those that only cancel the run before.
    sampling_queue : dict
        Gradio's `concurrency_id` and `concurrency_limit` for events that sample.
    """
    names = list(components.settings())
    sample, interpolate = state.admission.stream(frames), state.admission.stream(interpolation_frames)

    @errors_as_sentences(_error_of_run, failure=FAILURE)
    def run_sample(
        run_id: int, visitor: gr.Request, target: Any, settings: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        yield {"run": run_id, "frames": []}
        request = state.parse(visitor, target, settings)
        link, made = to_link(request), dict[str, dict[str, Any]]()
        for new in sample(visitor.session_hash, request, **options(run_id, visitor)):
            made |= {str(frame["index"]): frame for frame in new}
            yield {"run": run_id, "frames": frames_to_send(made, last=new[-1]["last"]), "link": link}

    @errors_as_sentences(_error_of_run, failure=FAILURE)
    def leave_to_browser(
        run_id: int, visitor: gr.Request, target: Any, settings: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """Only number and check the run: no turn is needed for that, however busy the server is."""
        yield {"run": run_id, "frames": [], "browser": to_link(state.parse(visitor, target, settings))}

    @errors_as_sentences(_error_of_run, failure=FAILURE)
    def run_interpolation(
        run_id: int, visitor: gr.Request, target: Any, settings: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        yield {"run": run_id}
        request = state.parse(visitor, target, settings)
        link = to_link(request)
        if missing := missing_textures(request, state.pipe.classes):
            need = {"mode": request.mode, "sentence": missing.sentence, "button": missing.button}
            yield {"run": run_id, "need": need, "link": link}
            return
        for frame in interpolate(visitor.session_hash, request, **options(run_id, visitor)):
            yield {"run": run_id, "frame": frame, "link": link}

    def options(run_id: int, visitor: gr.Request) -> dict[str, Any]:
        is_current = functools.partial(state.sequence.is_current, visitor.session_hash, run_id)
        return {"user_centroids": state.centroids(visitor), "is_cancelled": lambda: not is_current()}

    def run(visitor: gr.Request, target: Any, *values: Any) -> Iterator[tuple[Any, Any]]:
        *values_of_settings, client_seq, by_browser = values
        run_id = state.sequence.start(visitor.session_hash, client_seq)
        if run_id is None:  # a newer request has arrived already
            yield gr.skip(), gr.skip()  # without a yield, Gradio would empty both panels
            return
        settings = dict(zip(names, values_of_settings, strict=True))
        if by_browser:
            for value in leave_to_browser(run_id, visitor, target, settings):
                yield value, gr.skip()
        elif is_interpolation(settings["interpolation"]):
            for value in run_interpolation(run_id, visitor, target, settings):
                yield gr.skip(), value
        else:
            for value in run_sample(run_id, visitor, target, settings):
                yield value, gr.skip()

    def cancel_previous(visitor: gr.Request, client_seq: float | None) -> None:
        state.sequence.start(visitor.session_hash, client_seq)

    def stop(visitor: gr.Request, client_seq: float | None) -> tuple[Any, Any]:
        run_id = state.sequence.start(visitor.session_hash, client_seq)
        if run_id is None:
            return gr.skip(), gr.skip()
        return ({"run": run_id, "stopped": True},) * 2

    outputs = [components.picture, components.interpolation]
    client_seq = gr.Number(None, visible=False)  # the browser sets it, see `NUMBER_REQUEST`
    by_browser = gr.Checkbox(False, visible=False)  # and this one: whether it makes the run itself
    numbered: dict[str, Any] = {"js": NUMBER_REQUEST, "trigger_mode": "multiple", **PRIVATE}
    # outside of the queue, and first: the run before would otherwise hold the turn that the new one waits for
    gr.on([*run_triggers, *cancel_triggers], cancel_previous, client_seq, None, queue=False, **numbered)
    inputs = [*components.inputs(), client_seq, by_browser]
    gr.on(list(run_triggers), run, inputs, outputs, **sampling_queue, **(numbered | {"js": NUMBER_RUN}))
    # A run ends itself. Gradio's own `cancels` is slow, and could meet the run that was started since.
    components.controls.stop.click(stop, client_seq, outputs, queue=False, **numbered)
