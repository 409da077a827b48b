"""The command `fgsd learn`: learn a texture from images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fgsd.cli.options import DEFAULT_CHECKPOINT, Checkpoint, load_pipeline, one_line_errors, utf8_text
from fgsd.names import printable

if TYPE_CHECKING:
    from fgsd.pipeline import Target

SHEET_COLUMNS = 6  # images in a row of the sheet


@one_line_errors
def learn(
    images: Annotated[list[Path], typer.Argument(help="One or several images of a texture.")],
    name: Annotated[
        str | None,
        typer.Option(help="Name of the texture [default: that of the first image].", callback=utf8_text),
    ] = None,
    steps: Annotated[int, typer.Option(help="Steps of learning.", min=1)] = 60,
    scale: Annotated[
        float | None,
        typer.Option(
            help="Magnification of the images: above 1, the texture becomes coarser "
            "[default: 1, or less where their structure is larger than a crop]."
        ),
    ] = None,
    mask: Annotated[
        list[Path] | None,
        typer.Option(help="Image that is white where the texture is; one for each image, in their order."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of crops and noise.", min=0)] = 0,
    sheet: Annotated[
        Path | None,
        typer.Option(help="Also save an image: crops, samples before learning, samples after it."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Texture file.")] = Path(
        "texture.fgsd.safetensors"
    ),
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
) -> None:
    """Learn a texture from images, in seconds; `fgsd sample --like` samples the file.

    The network stays as it is. The file fits the checkpoint that it was made with, and no other.
    """
    import torch
    from tqdm import tqdm

    from fgsd.cli.outputs import check_file
    from fgsd.data import to_images
    from fgsd.photograph_scale import load_at_scale
    from fgsd.photographs import random_crops
    from fgsd.sheets import captioned_rows, check_suffix, save_image
    from fgsd.texture import MAX_NAME_CHARACTERS, check_texture_suffix

    check_texture_suffix(output)
    check_file("--output", output)
    if sheet is not None:
        check_suffix(sheet)
        check_file("--sheet", sheet)
    pipe = load_pipeline(checkpoint)
    name = printable(images[0].stem)[:MAX_NAME_CHARACTERS] if name is None else name
    options: dict[str, Any] = {"scale": scale, "masks": mask, "seed": seed}
    records = pipe.learn(images, name=name, steps=steps, **options)
    with tqdm(records, total=steps, unit="step") as bar:
        for record in bar:
            bar.set_postfix(loss=f"{record.loss:.4f}")
    texture = record.texture
    texture.save(output)
    near = ", ".join(f"{other} {distance:.2f}" for other, distance in pipe.nearest(texture, 3))
    typer.echo(f"{output}: {texture.name}, learned in {record.seconds:.1f} s; nearest classes: {near}")
    if sheet is not None:
        averaged = pipe.centroid_of(images, calibrated=False, **options)
        targets: dict[str, Target] = {"mean features": averaged}
        if pipe.calibration is not None:
            targets["calibrated"] = pipe.calibration(averaged, pipe.table.scales)
        targets["learned"] = texture
        generator = torch.Generator().manual_seed(seed)
        photographs = load_at_scale(pipe.network, pipe.table, images, pipe.info.data, **options)
        crops = random_crops(photographs, SHEET_COLUMNS, generator)
        sampling: dict[str, Any] = {"n": SHEET_COLUMNS, "size": pipe.info.patch_size, "seed": seed}
        rows = [("crops", to_images(crops))]
        rows += [(label, pipe.sample(target, **sampling)) for label, target in targets.items()]
        save_image(captioned_rows(rows), sheet)
        typer.echo(f"{sheet}: {len(rows)} rows of {SHEET_COLUMNS} images")
