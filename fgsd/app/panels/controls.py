"""The controls under the picture; those that few visitors need are folded away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from fgsd.app.limits import MAX_SEED, MAX_STEPS, MAX_STRENGTH
from fgsd.app.requests.request import (
    PAGE_SAMPLERS,
    SETTINGS,
    VIEWS,
    RequestError,
    sizes,
)


@dataclass(frozen=True)
class Controls:
    """The components that the page's events take as input or change."""

    n: gr.Radio
    size: gr.Dropdown
    seed: gr.Number
    steps: gr.Slider
    strength: gr.Slider
    sampler: gr.Dropdown
    view: gr.Radio
    tileable: gr.Checkbox
    sample: gr.Button
    stop: gr.Button
    another: gr.Button

    def settings(self) -> dict[str, gr.components.Component]:
        """The settings by name, in the order of `SETTINGS`."""
        return {name: getattr(self, name) for name in SETTINGS}

    def check_choices(self, settings: Mapping[str, Any]) -> None:
        """`RequestError` if a setting is valid, but not among the choices of its control."""
        for name, control in self.settings().items():
            offered = [value for _, value in getattr(control, "choices", ())]
            if name in settings and offered and settings[name] not in offered:
                words = ", ".join(str(value) for value in offered)
                raise RequestError(f"{control.label} must be one of {words}; {settings[name]} came.")


def create_view() -> gr.Radio:
    """The choice of what to show of each step; it lies over the picture."""
    return gr.Radio(
        list(VIEWS.items()), value="noise", label="Watch", elem_id="view", min_width=200, container=False
    )


def create_controls_panel(multiple: int, view: gr.Radio, *, n: int, size: int) -> Controls:
    """Build the controls under the picture.

    Parameters
    ----------
    multiple : int
        Sides of images are multiples of this number of pixels.
    view : gr.Radio
        See `create_view`.
    n, size : int
        Of a new visit: pictures, and their side in pixels.
    """
    offered = sorted({*sizes(multiple), size})
    with gr.Column(elem_id="controls"):
        with gr.Row(elem_id="settings"):
            count = gr.Radio([1, 4, 9, 16], value=n, label="Images", elem_id="count", min_width=180, scale=3)
            side = gr.Dropdown(
                [(f"{pixels} px", pixels) for pixels in offered],
                value=size,
                label="Size",
                elem_id="size",
                filterable=False,
                min_width=90,
                scale=1,
            )
            seed = gr.Number(
                0,
                label="Seed",
                precision=0,
                minimum=0,
                maximum=MAX_SEED,
                elem_id="seed",
                min_width=90,
                scale=1,
            )
        with gr.Row(elem_id="buttons"):
            sample = gr.Button("Sample", variant="primary", elem_id="sample", scale=3, min_width=120)
            another = gr.Button("New seed", elem_id="another", scale=1, min_width=96)
            stop = gr.Button("Stop", variant="stop", interactive=False, elem_id="stop", scale=1, min_width=80)
        with gr.Accordion("More", open=False, elem_id="more"):
            with gr.Row():
                steps = gr.Slider(
                    1, MAX_STEPS, value=16, step=1, label="Steps", elem_id="steps", min_width=200, buttons=[]
                )
                strength = gr.Slider(
                    0,
                    MAX_STRENGTH,
                    value=1,
                    step=0.05,
                    label="Guidance strength",
                    elem_id="strength",
                    min_width=200,
                    buttons=[],
                )
            with gr.Row():
                samplers = list(PAGE_SAMPLERS.items())
                sampler = gr.Dropdown(
                    samplers,
                    value="dpm2m",
                    label="Sampler",
                    elem_id="sampler",
                    filterable=False,
                    min_width=170,
                )
                tileable = gr.Checkbox(False, label="Seamless tile", elem_id="tileable", min_width=120)
    return Controls(count, side, seed, steps, strength, sampler, view, tileable, sample, stop, another)
