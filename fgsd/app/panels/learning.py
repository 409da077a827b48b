"""Learning of the visitor's textures: the events of the user textures panel that start it and stop it.

Every few steps, what is learned so far replaces the texture in the store: its point on the map moves, and the
page asks for a new picture. A visitor may drag, mix and sample it meanwhile, stop, or leave.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from fgsd.app.gradio_internals import event_data
from fgsd.app.limits import LEARNING_INTERVAL_S, LEARNING_STEPS, MAX_AUTO_LEARNING_S
from fgsd.app.panels.state import PRIVATE, ServerState
from fgsd.app.panels.user_textures import panel_value
from fgsd.app.render.learned import LearnRequest
from fgsd.app.render.user_textures import UserTexture, locate_texture
from fgsd.app.requests.errors import errors_as_sentences
from fgsd.app.serving.learning import Waiting

MEASURED_STEPS = 5  # after which the time of all is estimated
FAILURE = "Learning failed on the server; what was learned before stays."


def wire_learning(panel: gr.HTML, state: ServerState) -> None:
    """Learn a texture when the panel fires `play`, and stop when it fires `stop`."""

    def value_of(visitor: gr.Request, **more: Any) -> dict[str, Any]:
        return panel_value(state.textures(visitor), visitor=visitor.session_hash, **more)

    def found(visitor: gr.Request, event: gr.EventData) -> UserTexture | None:
        name = event_data(event).get("name")
        return state.textures(visitor).get(name) if isinstance(name, str) else None

    def respond(sentence: str, visitor: gr.Request, event: gr.EventData) -> dict[str, Any]:
        return value_of(visitor, ended=event_data(event).get("name"), error=sentence)

    @errors_as_sentences(respond, failure=FAILURE)
    def start_learning(visitor: gr.Request, event: gr.EventData) -> Iterator[dict[str, Any]]:
        texture, asked = found(visitor, event), event_data(event).get("asked") is True
        if texture is None or texture.image is None:
            yield value_of(visitor, ended=event_data(event).get("name"))
            return
        for value in learn_texture(state, visitor.session_hash, texture, asked=asked):
            yield value_of(visitor, **value)

    def stop_learning(visitor: gr.Request, event: gr.EventData) -> None:
        # learning ends once the texture in the store is another object
        while (texture := found(visitor, event)) is not None:
            if state.store.swap(visitor.session_hash, texture, replace(texture)):
                return

    limit = {"concurrency_limit": None, "concurrency_id": "learning"}  # `LearningQueue` keeps the line
    panel.play(start_learning, None, panel, trigger_mode="multiple", **limit, **PRIVATE)
    panel.stop(stop_learning, None, None, queue=False, trigger_mode="multiple", **PRIVATE)


def learn_texture(
    state: ServerState,
    visitor: str,
    texture: UserTexture,
    *,
    asked: bool,
) -> Iterator[dict[str, Any]]:
    """Learn a texture, keep what is learned in the store, and yield what changes in the panel's value.

    Learning ends early once the texture in the store is another object than this run has put there: the
    visitor has removed or replaced it, or has pressed Stop.

    Parameters
    ----------
    visitor : str
        The session.
    texture : UserTexture
        With an image; it is in the store.
    asked : bool
        Whether the visitor has asked for it. Otherwise it ends as soon as it is known to take longer than
        `MAX_AUTO_LEARNING_S`.
    """
    assert texture.image is not None
    name, newest = texture.name, texture
    request = LearnRequest(name, texture.image, texture.centroid, LEARNING_STEPS)

    def is_cancelled() -> bool:
        return state.store.of(visitor).get(name) is not newest

    sent, scheduler, begun = -math.inf, state.admission.scheduler, 0.0
    for step in state.learning.learn(visitor, request, is_cancelled=is_cancelled):
        if isinstance(step, Waiting):
            yield {"learning": {"name": name, "position": step.position}}
            continue
        left = (step.steps - step.index) * step.seconds / step.index
        if step.index == 1:
            begun = scheduler.gradient_s  # the first step warms up
        if step.index == MEASURED_STEPS and not asked:
            # only gradients count: the first picture of the texture is sampled meanwhile
            each = (scheduler.gradient_s - begun) / (MEASURED_STEPS - 1)
            alone = (step.steps - step.index) * each
            if alone > MAX_AUTO_LEARNING_S:
                yield {"ended": name, "offer": round(alone)}
                return
        finished = step.index == step.steps
        if not finished and step.seconds < sent + LEARNING_INTERVAL_S:
            continue
        sent = step.seconds
        learned = locate_texture(state.pipe, name, step.texture.centroid, texture.src)
        learned = learned if finished else replace(learned, image=texture.image)
        if not state.store.swap(visitor, newest, learned):
            break
        newest = learned
        progress = {"name": name, "step": step.index, "steps": step.steps, "seconds": round(left, 1)}
        yield {"learning": progress}
    yield {"ended": name}
