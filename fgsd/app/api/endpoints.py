"""The page's API for programs: six functions, by name, over HTTP, `gradio_client` and MCP.

Nothing is kept between calls. Gradio makes the schemas from the signatures and docstrings below, which
therefore have its form, and reads the annotations as objects: no `annotations` from `__future__` here.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NoReturn

import gradio as gr
from gradio import FileData
from PIL import Image

from fgsd.app.api.arguments import (
    check_new_name,
    image_call,
    learn_call,
    paint_call,
    sample_call,
    strip_call,
    texture_call,
)
from fgsd.app.api.files import png_file, stored_file
from fgsd.app.gradio_internals import upload_folder
from fgsd.app.limits import LEARNING_INTERVAL_S, MAX_IMAGES
from fgsd.app.render.frames import file_name
from fgsd.app.render.interpolations import mixtures
from fgsd.app.render.user_textures import make_texture, read_image, read_texture
from fgsd.app.requests.errors import errors_as_sentences
from fgsd.app.requests.link import to_link
from fgsd.app.requests.paint import PaintRequest
from fgsd.app.requests.request import RequestError, SampleRequest, parse_request, whole
from fgsd.app.requests.target import target_centroid
from fgsd.app.serving.admission import Admission, program_visitor
from fgsd.app.serving.learning import LearningQueue, Waiting
from fgsd.centroids import Centroid
from fgsd.pipeline import Pipeline
from fgsd.regions import FEATHER
from fgsd.sheets import image_grid
from fgsd.steps import TextureStep
from fgsd.texture import SUFFIX

TEXTURE_TYPE = "application/octet-stream"
Sampler = Literal["dpm2m", "ancestral", "heun"]


def create_api(
    admission: Admission,
    learning: LearningQueue,
    *,
    sampling_queue: Mapping[str, Any],
    image_queue: Mapping[str, Any],
) -> None:
    """Register the endpoints with the blocks that are being built.

    Parameters
    ----------
    sampling_queue, image_queue : mapping
        Gradio's `concurrency_id` and `concurrency_limit` for events that sample and for events that read an
        image.
    """
    pipe = admission.scheduler.pipe
    rules: dict[str, Any] = {"classes": pipe.classes, "multiple": pipe.network.config.multiple}
    run_samples, run_strip, run_painting = (admission.call(run) for run in (samples, strip, painting))
    folder = upload_folder()

    def sample(
        target: str | dict[str, float],
        n: int = 1,
        steps: int = 16,
        size: int = 64,
        seed: int = 0,
        strength: float = 1.0,
        sampler: Sampler = "dpm2m",
        tileable: bool = False,
        texture: str | dict | None = None,
    ) -> tuple[list[FileData], str]:
        """Sample images of a texture, or of a mixture of textures. The same call gives the same pixels.

        Parameters:
            target: A class (see classes), or weights that sum to 1 by class: {"lava": 0.5, "grass": 0.5}.
            n: Number of images, 1 to 16. Image k has the noise of seed + k.
            steps: Steps of diffusion, 1 to 100.
            size: Side of an image in pixels, at most 256; a multiple of 8 for the shipped network.
            seed: Seed of the noise that sampling starts from: 0 (the default) to 2147483647.
            strength: Guidance strength: 0 none, 1 all the way to the texture, up to 2 beyond.
            sampler: dpm2m (fast), ancestral (fresh noise in each step) or heun (two passes a step).
            tileable: Whether the image continues from right to left and from bottom to top; false by default.
            texture: A texture file, as learn returns it: uploaded, or a data URI. Its name is then a class.
        Returns:
            the images as PNG files, and the query that shows them when it is added to the page's address.
        """
        own: dict[str, Centroid] = {}
        if texture is not None:
            read = read_texture(pipe, texture_call(texture, folder))
            own = {check_new_name(read.name, "texture", pipe.classes): read.centroid}
        request = sample_call(
            target,
            **rules | {"classes": [*pipe.classes, *own]},
            n=n,
            steps=steps,
            size=size,
            seed=seed,
            strength=strength,
            sampler=sampler,
            tileable=tileable,
        )
        name = file_name(request)
        images = _completed(run_samples(program_visitor(), request, user_centroids=own))
        files = [png_file(image, f"{name}-{k}", folder) for k, image in enumerate(images)]
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
            seed: Seed of the noise that sampling starts from: 0 (the default) to 2147483647.
            strength: Guidance strength: 0 none, 1 all the way to the texture, up to 2 beyond.
            sampler: dpm2m (fast), ancestral (fresh noise in each step) or heun (two passes a step).
            tileable: Whether the image continues from right to left and from bottom to top; false by default.
        Returns:
            the strip as one PNG, a at its left, and the query that shows it when added to the page's address.
        """
        request = strip_call(
            a,
            b,
            points,
            **rules,
            steps=steps,
            size=size,
            seed=seed,
            strength=strength,
            sampler=sampler,
            tileable=tileable,
        )
        images = _completed(run_strip(program_visitor(), request))
        row = image_grid(images, columns=len(images), gap=0)
        return png_file(row, f"{file_name(request)}-strip", folder), to_link(request)

    def paint(
        plan: str | dict | None = None,
        legend: dict | None = None,
        gradient: list | None = None,
        angle: float = 0.0,
        height: int = 128,
        width: int = 256,
        feather: float = FEATHER,
        n: int = 1,
        steps: int = 16,
        seed: int = 0,
        strength: float = 1.0,
        sampler: Sampler = "dpm2m",
        tileable: bool = False,
    ) -> list[FileData]:
        """Paint images with another texture in each region: those of a plan, or textures that fade into each
        other. The borders are sampled too, so that they look grown.

        Parameters:
            plan: An image in the colours of the legend, as an uploaded file or a data URI, without smoothed
                edges. Its sides are multiples of 8 pixels, and it has at most 131,072 pixels.
            legend: What each colour of the plan stands for, a class or weights by class that sum to 1:
                {"#0000ff": "deep-water", "#ffff00": {"sand": 0.5, "grass": 0.5}}. At most 8 regions.
            gradient: In place of a plan: 2 to 8 classes, or weights by class, that fade into each other.
            angle: Direction of the gradient in degrees: 0 from left to right, 90 downwards.
            height: Of a gradient in pixels, a multiple of 8.
            width: Of a gradient in pixels, a multiple of 8.
            feather: Pixels over which the edges of the regions of a plan are softened, 0 to 256.
            n: Number of images, 1 to 16. Image k has the noise of seed + k.
            steps: Steps of diffusion, 1 to 100.
            seed: Seed of the noise that sampling starts from: 0 (the default) to 2147483647.
            strength: Guidance strength: 0 none, 1 all the way to the texture, up to 2 beyond.
            sampler: dpm2m (fast), ancestral (fresh noise in each step) or heun (two passes a step).
            tileable: Whether the image continues from right to left and from bottom to top; false by default.
        Returns:
            the images as PNG files.
        """
        image = None if plan is None else read_image(image_call(plan, folder, "plan"))
        request = paint_call(
            image,
            legend,
            gradient,
            **rules,
            angle=angle,
            height=height,
            width=width,
            feather=0.0 if gradient is not None else feather,
            n=n,
            steps=steps,
            seed=seed,
            strength=strength,
            sampler=sampler,
            tileable=tileable,
        )
        images = _completed(run_painting(program_visitor(), request))
        return [png_file(one, f"{file_name(request)}-{k}", folder) for k, one in enumerate(images)]

    def learn(  # type: ignore[misc]  # Gradio makes the schema from the type of what is yielded
        image: str | dict, name: str = "my texture", steps: int = 60, n: int = 4, seed: int = 0
    ) -> tuple[dict, FileData | None, list[FileData]]:
        """Learn the texture of an image: the features from which the network samples it best.

        The network does not change. One texture is learned at a time; the progress of one that waits is
        its {"position"} in line. The image must be as for embed.

        Parameters:
            image: An uploaded file, or a data URI (data:image/png;base64,...).
            name: Name of the texture, 1 to 100 characters, not that of a class.
            steps: Steps of learning, 1 to 400; 20 give most of the gain, 60 nearly all.
            n: Number of samples of the learned texture, 1 to 16.
            seed: Seed of learning, and of the noise of the samples.
        Returns:
            the progress {"step", "steps", "loss", "seconds"}, and at the end the texture file, which sample
            takes, and samples of 64 x 64 pixels as PNG files.
        """
        source = read_image(image_call(image, folder))
        request = learn_call(source, name, steps, seed, classes=pipe.classes)
        number, visitor = whole(n, "n", 1, MAX_IMAGES), program_visitor()
        told, step = -math.inf, None
        for step in learning.learn(visitor, request, is_cancelled=lambda: False):
            if isinstance(step, Waiting):
                yield {"position": step.position}, None, []
            elif step.seconds >= told + LEARNING_INTERVAL_S:
                told = step.seconds
                yield _progress(step), None, []
        if not isinstance(step, TextureStep):
            raise RequestError("The call was cancelled.")  # nobody will read this
        texture = step.texture
        names = [*pipe.classes, texture.name]
        sampled = parse_request(
            [{"name": texture.name, "weight": 1}], **rules | {"classes": names}, n=number, seed=seed
        )
        images = _completed(run_samples(visitor, sampled, user_centroids={texture.name: texture.centroid}))
        file = stored_file(texture.to_bytes(), f"{file_name(sampled)}{SUFFIX}", TEXTURE_TYPE, folder)
        pngs = [png_file(image, f"{file_name(sampled)}-{k}", folder) for k, image in enumerate(images)]
        yield _progress(step), file, pngs

    def embed(image: str | dict) -> dict:
        """Find the three classes whose textures are nearest to that of an image, and its position on the map.

        Distances are in spreads within a class: a crop of the class itself is at about 1. Positions are
        (x, y) in the unit box of the map, by projection, at the noise level sigma.

        The image must be a PNG, JPEG, WebP, AVIF or GIF of at most 64 megapixels: a file of at most 25 MB, or
        a data URI of at most 3,000,000 characters.

        Parameters:
            image: An uploaded file, or a data URI (data:image/png;base64,...).
        Returns:
            {"nearest": [{"class", "distance"}, ...], "place": {"pca": [x, y], ...}, "sigma": level}
        """
        texture = make_texture(pipe, image_call(image, folder), None, [])
        level = pipe.map.start_level
        positions = {"pca": texture.pca, "umap": texture.umap}
        return {
            "nearest": [{"class": name, "distance": round(d, 4)} for name, d in texture.near],
            "place": {name: levels[level] for name, levels in positions.items() if levels is not None},
            "sigma": round(float(pipe.map.sigmas[level]), 4),
        }

    def classes() -> list[str]:
        """List the names of the classes: the textures that the network was trained on.

        Returns:
            the names, in alphabetical order.
        """
        return pipe.classes

    guard = errors_as_sentences(_raise, failure="This failed on the server; try fewer or smaller images.")
    endpoints: tuple[tuple[Callable[..., Any], Mapping[str, Any]], ...] = (
        (sample, sampling_queue),
        (interpolate, sampling_queue),
        (paint, sampling_queue),
        (embed, image_queue),
        (learn, {"concurrency_limit": None, "concurrency_id": "learning"}),
    )
    for function, queue in endpoints:
        gr.api(guard(function), api_name=function.__name__, **queue)
    gr.api(classes, api_name="classes", queue=False)


def samples(
    pipe: Pipeline, request: SampleRequest, *, user_centroids: Mapping[str, Centroid] | None = None
) -> list[Image.Image]:
    """Return the images of a request, equal to those of `Pipeline.sample` to the bit."""
    return pipe.sample(target_centroid(pipe, request, user_centroids), **request.options())


def strip(
    pipe: Pipeline, request: SampleRequest, *, user_centroids: Mapping[str, Centroid] | None = None
) -> list[Image.Image]:
    """Return the images of a strip between the ends of a request, all from the noise of its seed."""
    targets = [
        target_centroid(pipe, request, user_centroids, weights=weights) for weights in mixtures(request)
    ]
    n = len(targets)
    return pipe.sample(targets, **request.options() | {"n": n, "seed": [request.seed] * n})


def painting(
    pipe: Pipeline, request: PaintRequest, *, user_centroids: Mapping[str, Centroid] | None = None
) -> list[Image.Image]:
    """Return the images of a request, equal to those of `Pipeline.paint` to the bit."""
    return pipe.paint(list(zip(request.targets, request.masks, strict=True)), **request.options())


def _progress(step: TextureStep) -> dict[str, Any]:
    values = {"step": step.index, "steps": step.steps}
    return {**values, "loss": round(step.loss, 5), "seconds": round(step.seconds, 2)}


def _completed(images: list[Image.Image] | None) -> list[Image.Image]:
    if images is None:
        raise RequestError("The call was cancelled.")  # nobody will read this
    return images


def _raise(sentence: str, *arguments: Any) -> NoReturn:
    raise gr.Error(sentence, print_exception=False)
