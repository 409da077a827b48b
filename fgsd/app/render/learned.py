"""Learning a texture of a visitor: the request, and the run that yields its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from PIL import Image

from fgsd.app.requests.paint import PaintRequest
from fgsd.app.requests.request import RequestError, SampleRequest
from fgsd.centroids import Centroid
from fgsd.pipeline import Pipeline
from fgsd.steps import TextureStep


@dataclass(frozen=True)
class LearnRequest:
    """A texture that is to be learned."""

    name: str
    image: Image.Image
    start: Centroid | None  # that of the image; with None it is measured
    steps: int
    seed: int = 0


RunRequest = SampleRequest | LearnRequest | PaintRequest


def learning_steps(
    pipe: Pipeline,
    request: LearnRequest,
    *,
    user_centroids: Mapping[str, Centroid] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Iterator[TextureStep]:
    """Learn a texture step by step, until `is_cancelled` returns True; `user_centroids` are not used.

    Raises
    ------
    RequestError
        If the image is too small, or the network cannot learn a texture.
    """
    count, start, seed = request.steps, request.start, request.seed
    try:
        # the visitor chooses the scale, by cropping
        steps = pipe.learn(request.image, name=request.name, steps=count, scale=1.0, start=start, seed=seed)
    except ValueError as error:
        raise RequestError(f"This image cannot be learned: {error}.") from None
    for step in steps:
        if is_cancelled is not None and is_cancelled():
            return
        yield step
