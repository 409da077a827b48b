"""The page's API for programs: four functions, by name, over HTTP, `gradio_client` and MCP.

Nothing is kept between calls. Gradio makes the schemas out of the signatures and docstrings below, which are
therefore written in its form, and reads the annotations themselves: no `annotations` from the future here.
"""

import functools
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import gradio as gr
from gradio import FileData
from PIL import Image

from fgsd.app.api.arguments import image_call, sample_call, strip_call
from fgsd.app.api.files import picture_file
from fgsd.app.render.frames import file_name
from fgsd.app.render.interpolations import weights_of
from fgsd.app.render.user_textures import make_texture
from fgsd.app.requests.link import to_link
from fgsd.app.requests.request import RequestError, SampleRequest
from fgsd.app.requests.target import target_centroid
from fgsd.app.serving.admission import Admission, program
from fgsd.centroids import Centroid
from fgsd.pipeline import Pipeline
from fgsd.sheets import image_grid

log = logging.getLogger(__name__)

Sampler = Literal["dpm2m", "ancestral", "heun"]


def create_api(admission: Admission, *, sampling: Mapping[str, Any], reading: Mapping[str, Any]) -> None:
    """Register the endpoints with the blocks that are being built.

    Parameters
    ----------
    sampling, reading : mapping
        Whose places in the queue they share: `concurrency_id` and `concurrency_limit`, of those who sample
        and of those who read an image.
    """
    pipe = admission.scheduler.pipe
    known = {"classes": pipe.classes, "multiple": pipe.network.config.multiple}
    sampled, stripped = admission.call(samples), admission.call(strip)
    folder = Path(gr.utils.get_upload_folder())

    def sample(
        target: str | dict[str, float],
        n: int = 1,
        steps: int = 16,
        size: int = 64,
        seed: int = 0,
        strength: float = 1.0,
        sampler: Sampler = "dpm2m",
        tileable: bool = False,
    ) -> tuple[list[FileData], str]:
        """Sample images of a texture, or of a mixture of textures. The same call gives the same pixels.

        Parameters:
            target: A class (see classes), or weights that sum to 1 by class: {"lava": 0.5, "grass": 0.5}.
            n: Number of images, 1 to 16. Image k is the picture of seed + k.
            steps: Steps of diffusion, 1 to 100.
            size: Side of an image in pixels, at most 256; a multiple of 8 for the shipped network.
            seed: Of the noise that sampling begins with: 0 (the default) to 2147483647.
            strength: Of the guidance: 0 none, 1 all the way to the texture, up to 2 beyond.
            sampler: dpm2m (fast), ancestral (fresh noise in each step) or heun (two passes a step).
            tileable: Whether the image continues from right to left and from bottom to top; false by default.
        Returns:
            the images as PNG files, and the query that shows them when it is added to the page's address.
        """
        request = sample_call(
            target,
            **known,
            n=n,
            steps=steps,
            size=size,
            seed=seed,
            strength=strength,
            sampler=sampler,
            tileable=tileable,
        )
        name = file_name(request)
        images = _waited_for(sampled(program(), request))
        files = [picture_file(image, f"{name}-{k}", folder) for k, image in enumerate(images)]
        return files, to_link(request)

    def interpolate(
        a: str,
        b: str,
        points: int = 7,
        steps: int = 16,
        size: int = 64,
        seed: int = 0,
        strength: float = 1.0,
        sampler: Sampler = "dpm2m",
        tileable: bool = False,
    ) -> tuple[FileData, str]:
        """Sample a strip that leads from one texture to another in even steps, all from the same noise.

        Parameters:
            a: Name of the class at the left end; see classes.
            b: Name of the class at the right end.
            points: Number of images, 5 to 11, the two ends included.
            steps: Steps of diffusion, 1 to 100.
            size: Side of an image in pixels, at most 256; a multiple of 8 for the shipped network.
            seed: Of the noise that sampling begins with: 0 (the default) to 2147483647.
            strength: Of the guidance: 0 none, 1 all the way to the texture, up to 2 beyond.
            sampler: dpm2m (fast), ancestral (fresh noise in each step) or heun (two passes a step).
            tileable: Whether the image continues from right to left and from bottom to top; false by default.
        Returns:
            the strip as one PNG, a at its left, and the query that shows it when added to the page's address.
        """
        request = strip_call(
            a,
            b,
            points,
            **known,
            steps=steps,
            size=size,
            seed=seed,
            strength=strength,
            sampler=sampler,
            tileable=tileable,
        )
        images = _waited_for(stripped(program(), request))
        row = image_grid(images, columns=len(images), gap=0)
        return picture_file(row, f"{file_name(request)}-strip", folder), to_link(request)

    def embed(image: str | dict) -> dict:
        """Find the three classes whose textures are nearest to that of an image, and its place on the map.

        Distances are in spreads within a class: a crop of the class itself is at about 1. Places are (x, y)
        in the unit box of the map, by projection, at the noise level sigma.

        Parameters:
            image: A PNG, JPEG or WebP as a data URI (data:image/png;base64,...) or as an uploaded file.
        Returns:
            {"nearest": [{"class", "distance"}, ...], "place": {"pca": [x, y], ...}, "sigma": level}
        """
        texture = make_texture(pipe, image_call(image, folder), None, [])
        level = pipe.map.start_level
        places = {"pca": texture.pca, "umap": texture.umap}
        return {
            "nearest": [{"class": name, "distance": round(d, 4)} for name, d in texture.near],
            "place": {name: every[level] for name, every in places.items() if every is not None},
            "sigma": round(float(pipe.map.sigmas[level]), 4),
        }

    def classes() -> list[str]:
        """List the names of the classes: the textures that the network was trained on.

        Returns:
            the names, in alphabetical order.
        """
        return pipe.classes

    for function, share in ((sample, sampling), (interpolate, sampling), (embed, reading)):
        gr.api(_in_a_sentence(function), api_name=function.__name__, **share)
    gr.api(classes, api_name="classes", queue=False)


def samples(
    pipe: Pipeline, request: SampleRequest, *, own: Mapping[str, Centroid] | None = None
) -> list[Image.Image]:
    """The images of a request, those of `Pipeline.sample` to the bit."""
    return pipe.sample(target_centroid(pipe, request, own), **request.options())


def strip(
    pipe: Pipeline, request: SampleRequest, *, own: Mapping[str, Centroid] | None = None
) -> list[Image.Image]:
    """The images of a strip between the ends of a request, all from the noise of its seed."""
    centroids = [target_centroid(pipe, request, own, weights=weights) for weights in weights_of(request)]
    n = len(centroids)
    return pipe.sample(centroids, **request.options() | {"n": n, "seed": [request.seed] * n})


def _waited_for(images: list[Image.Image] | None) -> list[Image.Image]:
    if images is None:  # nobody will read this
        raise RequestError("The call was cancelled.")
    return images


def _in_a_sentence(function: Callable) -> Callable:
    """The same function, but what goes wrong is said in a sentence, and never with a traceback."""

    @functools.wraps(function)
    def guarded(*values: Any) -> Any:
        try:
            return function(*values)
        except RequestError as error:
            raise gr.Error(str(error), print_exception=False) from None
        except Exception:
            log.exception("a call of %s failed", function.__name__)
            sentence = "This failed on the server; try fewer or smaller images."
            raise gr.Error(sentence, print_exception=False) from None

    return guarded
