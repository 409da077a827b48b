"""Options and outputs of the commands that sample pictures: `sample` and `paint`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fgsd.cli.outputs import check_file

if TYPE_CHECKING:
    from PIL import Image

    from fgsd.steps import PipelineStep

Number = Annotated[int, typer.Option("--number", "-n", help="Number of images.", min=1)]
Steps = Annotated[int, typer.Option(help="Sampling steps.", min=1)]
Seed = Annotated[int, typer.Option(help="Seed of the first image; image k has seed + k.", min=0)]
Strength = Annotated[float, typer.Option(help="Guidance strength: 0 is none, 1 is full.")]
Sampler = Annotated[str, typer.Option(help="Sampler: dpm2m, heun, ancestral or ascent.")]
Tileable = Annotated[bool, typer.Option("--tileable", help="Sample seamless tiles.")]
StepsGif = Annotated[Path | None, typer.Option(help="Also save the steps as an animation.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="File for a grid of all images.")]


def check_pictures(output: Path, steps_gif: Path | None, number: int, size: tuple[int, int]) -> None:
    """Raise `ValueError` unless a grid of `number` images of `size` (width, height) fits the files."""
    from fgsd.sheets import ANIMATION_FORMATS, check_size, grid_size

    grid = grid_size(number, size)
    check_size(output, grid)
    check_file("--output", output)
    if steps_gif is not None:
        check_size(steps_gif, grid, ANIMATION_FORMATS)
        check_file("--steps-gif", steps_gif)
        if steps_gif.resolve() == output.resolve():
            raise ValueError(f"--steps-gif {steps_gif}: this is the file of --output; name another")


def save_pictures(
    sample: Callable[..., list[Image.Image]],
    stream: Callable[..., Iterator[PipelineStep]],
    target: Any,
    output: Path,
    steps_gif: Path | None,
    **options: Any,
) -> list[Image.Image]:
    """Sample images and save a grid of them, and with `steps_gif` an animation of the steps; return them.

    Parameters
    ----------
    sample, stream : callables of (target, **options)
        `Pipeline.sample` and `stream`, or `paint` and `paint_stream`.
    """
    from fgsd.sheets import image_grid, save_animation, save_image

    if steps_gif is None:
        images = sample(target, **options)
    else:
        frames = []
        for step in stream(target, **options):
            frames.append(image_grid(step.noisy))
            images = step.images
        frames.append(image_grid(images))
        save_animation(frames, steps_gif)
        typer.echo(f"{steps_gif}: {len(frames)} frames")
    save_image(image_grid(images), output)
    return images
