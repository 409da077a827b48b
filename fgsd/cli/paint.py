"""The command `fgsd paint`: another texture in each region of an image."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fgsd.cli.mix import class_argument, parse_mix, split_list
from fgsd.cli.options import DEFAULT_CHECKPOINT, Checkpoint, load_pipeline, one_line_errors

if TYPE_CHECKING:
    from fgsd.pipeline import Target


@one_line_errors
def paint(
    labels: Annotated[
        Path | None, typer.Option(help="Plan: an image in which each colour stands for a texture.")
    ] = None,
    colour: Annotated[
        list[str] | None,
        typer.Option(
            help="What a colour of the plan stands for, such as '#0000ff=deep-water': a class, a mixture as "
            "of `fgsd sample --mix`, or a file of `fgsd learn`. One option for each colour."
        ),
    ] = None,
    gradient: Annotated[
        str | None,
        typer.Option(help="Textures that fade into each other, such as cobblestone,red-flagstones."),
    ] = None,
    angle: Annotated[
        float, typer.Option(help="Direction of the gradient in degrees: 0 left to right, 90 downwards.")
    ] = 0.0,
    size: Annotated[
        str | None,
        typer.Option(help="HEIGHTxWIDTH of a gradient in pixels [default: 128x512]. A plan has its own."),
    ] = None,
    feather: Annotated[
        float | None,
        typer.Option(help="Pixels over which the edges of regions are softened [default: 6]."),
    ] = None,
    number: Annotated[int, typer.Option("--number", "-n", help="Number of images.", min=1)] = 1,
    steps: Annotated[int, typer.Option(help="Sampling steps.", min=1)] = 16,
    seed: Annotated[int, typer.Option(help="Seed of the first image; image k has seed + k.", min=0)] = 0,
    strength: Annotated[float, typer.Option(help="Guidance strength: 0 is none, 1 is full.")] = 1.0,
    sampler: Annotated[str, typer.Option(help="Sampler: dpm2m, heun, ancestral or ascent.")] = "dpm2m",
    tileable: Annotated[bool, typer.Option("--tileable", help="Paint seamless tiles.")] = False,
    steps_gif: Annotated[Path | None, typer.Option(help="Also save the steps as an animation.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="File for a grid of all images.")] = Path(
        "painting.png"
    ),
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
) -> None:
    """Paint with textures: another one for each colour of a plan, or several that fade into each other."""
    from fgsd.cli.outputs import check_file
    from fgsd.regions import FEATHER, check_side, linear_gradient, plan_masks
    from fgsd.sheets import ANIMATION_FORMATS, check_size, grid_size, image_grid, save_animation, save_image

    if (labels is None) == (gradient is None):
        raise ValueError("give one of --labels and --gradient")
    if labels is not None:
        if size is not None:
            raise ValueError(f"--size {size}: a picture of --labels has the size of the plan")
        plan = plan_masks(labels, _legend(colour or []))
        height, width = plan[0][1].shape
        softness = FEATHER if feather is None else feather
    else:
        if colour:
            raise ValueError(f"--colour {colour[0]}: belongs to --labels")
        names = split_list(gradient or "")
        height, width = check_side(_height_width(size or "128x512"))
        plan = list(zip(names, linear_gradient(len(names), (height, width), angle=angle), strict=True))
        softness = 0.0 if feather is None else feather
    grid = grid_size(number, (width, height))
    check_size(output, grid)
    check_file("--output", output)
    if steps_gif is not None:
        check_size(steps_gif, grid, ANIMATION_FORMATS)
        check_file("--steps-gif", steps_gif)
        if steps_gif.resolve() == output.resolve():
            raise ValueError(f"--steps-gif {steps_gif}: this is the file of --output; name another")
    pipe = load_pipeline(checkpoint)
    regions = [(_target(text), mask) for text, mask in plan]
    options: dict[str, Any] = dict(
        feather=softness, steps=steps, seed=seed, strength=strength, sampler=sampler, tileable=tileable
    )
    if steps_gif is None:
        images = pipe.paint(regions, n=number, **options)
    else:
        frames = []
        for step in pipe.paint_stream(regions, n=number, **options):
            frames.append(image_grid(step.noisy))
            images = step.images
        frames.append(image_grid(images))
        save_animation(frames, steps_gif)
        typer.echo(f"{steps_gif}: {len(frames)} frames")
    save_image(image_grid(images), output)
    count = f"{len(images)} image{'s' if len(images) > 1 else ''}"
    typer.echo(f"{output}: {count} of {height} x {width} pixels, {len(regions)} regions")


def _legend(options: list[str]) -> dict[str, str]:
    """Return the texture of each colour: "#0000ff=deep-water" becomes {"#0000ff": "deep-water"}."""
    legend: dict[str, str] = {}
    for option in options:
        colour, equals, text = option.partition("=")
        if not equals or not text.strip():
            raise ValueError(f"--colour {option}: should look like '#0000ff=deep-water'")
        if colour.lower() in legend:
            raise ValueError(f"--colour {option}: {colour} appears twice")
        legend[colour.lower()] = text.strip()
    return legend


def _height_width(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if not found:
        raise ValueError(f"--size {text}: should look like 128x512, height and width in pixels")
    return int(found[1]), int(found[2])


def _target(text: str) -> Target:
    """Return the class, mixture or texture file that an argument names."""
    from fgsd.texture import Texture, is_texture_file

    if is_texture_file(text):
        return Texture.load(text)
    return parse_mix(text) if "=" in text else class_argument(text)
