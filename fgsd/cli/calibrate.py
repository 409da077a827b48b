"""The command `calibrate`: better centroids of new textures at once, without learning."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Annotated

import typer

from fgsd.cli.options import load_pipeline, load_textures, one_line_errors
from fgsd.cli.outputs import advice_after_errors, check_training_folders
from fgsd.cli.train import TRAIN_AGAIN, split_unseen


@one_line_errors
def calibrate(
    checkpoint: Annotated[str, typer.Argument(help="Checkpoint: a folder or a Hugging Face hub id.")],
    data: Annotated[
        Path,
        typer.Option("--data", "-d", help="Images of at least 20 textures, the classes among them or not."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the checkpoint with its calibration.")],
    unseen: Annotated[
        Path | None, typer.Option(help="Text file of textures to leave out, one a line, to measure it by.")
    ] = None,
    steps: Annotated[
        int, typer.Option(help="Steps in which the centroid of a texture is learned.", min=1)
    ] = 40,
    run: Annotated[Path, typer.Option(help="Folder of what is learned; give the same one to resume.")] = Path(
        "runs/calibration"
    ),
    seed: Annotated[int, typer.Option(help="Seed of crops and noise.", min=0)] = 0,
    cpu: Annotated[bool, typer.Option("--cpu", help="Do not use an accelerator.")] = False,
) -> None:
    """Fit a calibration: what an image's mean features lack of the centroid that learning would find.

    `fgsd sample --like IMAGE`, and the page when an image is dropped, use it at once; learning begins there.
    The centroids of textures that are no classes of the checkpoint are learned first, some ten seconds each.
    """
    check_training_folders(("--run", run), ("--out", out))
    from tqdm import tqdm

    from fgsd.training.calibration import calibrate

    pipe = load_pipeline(checkpoint, device="cpu" if cpu else None)
    textures, _ = split_unseen(load_textures(data, pipe.info.data), unseen)
    bar = functools.partial(tqdm, file=sys.stderr)
    with advice_after_errors(TRAIN_AGAIN):
        pipe.calibration, explained = calibrate(
            pipe, textures, run / "textures", steps=steps, seed=seed, progress=bar
        )
    if explained <= 0:
        raise ValueError(
            f"--data {data}: the mean features of {len(textures.classes)} textures do not tell where their "
            "learned centroids lie; give more textures"
        )
    pipe.save_pretrained(out)
    typer.echo(f"{explained:.0%} of the squared way from mean features to learned centroids is predicted")
    typer.echo(f"checkpoint written to {out}")
