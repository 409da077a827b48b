"""The command `fgsd paint`: another texture in each region of an image."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fgsd.cli.mix import class_argument, parse_mix, split_list
from fgsd.cli.options import DEFAULT_CHECKPOINT, Checkpoint, load_pipeline, one_line_errors
from fgsd.cli.pictures import (
    Number,
    Output,
    Sampler,
    Seed,
    Steps,
    StepsGif,
    Strength,
    Tileable,
    check_pictures,
    save_pictures,
)

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
    number: Number = 1,
    steps: Steps = 16,
    seed: Seed = 0,
    strength: Strength = 1.0,
    sampler: Sampler = "dpm2m",
    tileable: Tileable = False,
    steps_gif: StepsGif = None,
    output: Output = Path("painting.png"),
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
) -> None:
    """Paint with textures: another one for each colour of a plan, or several that fade into each other."""
    from fgsd.regions import FEATHER, check_side, linear_gradient, plan_masks

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
    check_pictures(output, steps_gif, number, (width, height))
    pipe = load_pipeline(checkpoint)
    regions = [(_target(text), mask) for text, mask in plan]
    images = save_pictures(
        pipe.paint,
        pipe.paint_stream,
        regions,
        output,
        steps_gif,
        feather=softness,
        n=number,
        seed=seed,
        steps=steps,
        strength=strength,
        sampler=sampler,
        tileable=tileable,
    )
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
