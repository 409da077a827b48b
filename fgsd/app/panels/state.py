"""What the handlers of all panels share: the server's state, and the components of the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import gradio as gr

from fgsd.app.panels.controls import Controls
from fgsd.app.render.user_textures import UserTexture, UserTextureStore, centroids
from fgsd.app.requests.request import SampleRequest, parse_request
from fgsd.app.serving.admission import Admission
from fgsd.app.serving.learning import LearningQueue
from fgsd.app.serving.painting import Painter, measure_evaluation
from fgsd.app.serving.request_sequence import RequestSequence
from fgsd.centroids import Centroid
from fgsd.pipeline import Pipeline

# options of events that only the page's own scripts trigger
PRIVATE: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
# events that read an image, of visitors and programs, one at a time
IMAGE_QUEUE: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "images"}


@dataclass(frozen=True)
class ServerState:
    """What the server keeps for its visitors."""

    admission: Admission
    learning: LearningQueue
    auto_learn: bool = True  # whether an image is learned without being asked for
    store: UserTextureStore = field(default_factory=UserTextureStore)
    sequence: RequestSequence = field(default_factory=RequestSequence)

    @cached_property
    def seconds_per_pixel(self) -> float:
        """Of an evaluation of the network for a finished picture, measured once."""
        return measure_evaluation(self.pipe)

    @cached_property
    def preview_seconds_per_pixel(self) -> float:
        """The same for a preview."""
        return measure_evaluation(self.pipe, preview=True)

    @cached_property
    def painter(self) -> Painter:
        return Painter(self.admission, self.store, self.seconds_per_pixel)

    @property
    def pipe(self) -> Pipeline:
        return self.admission.scheduler.pipe

    @property
    def multiple(self) -> int:
        return self.pipe.network.config.multiple

    def textures(self, visitor: gr.Request) -> dict[str, UserTexture]:
        """Return the textures of a visitor, by name."""
        return self.store.of(visitor.session_hash)

    def centroids(self, visitor: gr.Request) -> dict[str, Centroid]:
        """Return the centroids of a visitor's textures, by name."""
        return centroids(self.textures(visitor))

    def parse(self, visitor: gr.Request, target: Any, settings: Mapping[str, Any]) -> SampleRequest:
        """Validate a request; its target may name classes and the visitor's textures."""
        names = [*self.pipe.classes, *self.textures(visitor)]
        return parse_request(target, classes=names, multiple=self.multiple, **settings)


@dataclass(frozen=True)
class Components:
    """The components whose values make a request, and those that show its result."""

    map_panel: gr.HTML  # its value is the target
    modes: gr.HTML  # its value is {"mode", "switch", "places"}
    picture: gr.HTML
    interpolation: gr.HTML
    controls: Controls

    def settings(self) -> dict[str, gr.components.Component]:
        """Return the components of the settings, by the names of `parse_request`."""
        return {**self.controls.settings(), "interpolation": self.modes}

    def inputs(self) -> list[gr.components.Component]:
        """Return the components of a request: the target, then the settings."""
        return [self.map_panel, *self.settings().values()]
