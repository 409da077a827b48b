"""The command `distill`: a student for a checkpoint, which samples in two evaluations."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Annotated

import typer

from fgsd.cli.options import load_pipeline, one_line_errors
from fgsd.cli.outputs import advice_after_errors, check_training_folders
from fgsd.cli.train import EXPORT_AGAIN, TRAIN_AGAIN, show_progress


@one_line_errors
def distill(
    checkpoint: Annotated[str, typer.Argument(help="Checkpoint: a folder or a Hugging Face hub id.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the checkpoint with its student.")],
    minutes: Annotated[
        float, typer.Option(help="Time of the training, after the pictures of the teacher are sampled.")
    ] = 60.0,
    pictures: Annotated[
        int, typer.Option(help="Pictures that the teacher samples first, a multiple of 480.", min=1)
    ] = 15_360,
    rate: Annotated[float, typer.Option(help="Factor on the learning rates.")] = 1.0,
    run: Annotated[Path, typer.Option(help="Folder of the run; give the same one to resume.")] = Path(
        "runs/distill"
    ),
    seed: Annotated[int, typer.Option(help="Seed of targets, noise and batches.", min=0)] = 0,
    cpu: Annotated[bool, typer.Option("--cpu", help="Do not use an accelerator.")] = False,
) -> None:
    """Distill a checkpoint: train a student that samples in two evaluations what it samples in sixteen.

    Previews of the page, and the sampler "distilled", use the student. Training begins with the student of
    the checkpoint if it has one. With the folder of an earlier run and the same options, it resumes.
    """
    check_training_folders(("--run", run), ("--out", out))
    from tqdm import tqdm

    from fgsd.training.distillation import DistillationConfig, distill, student_of_run

    pipe = load_pipeline(checkpoint, device="cpu" if cpu else None)
    if not 0 < rate <= 100:
        raise ValueError(f"rate={rate} must be above 0 and at most 100")
    standard = DistillationConfig()
    config = DistillationConfig(
        pictures=pictures,
        minutes=minutes,
        muon_lr=rate * standard.muon_lr,
        adam_lr=rate * standard.adam_lr,
        seed=seed,
    )
    with advice_after_errors(TRAIN_AGAIN):
        records = distill(pipe, run, config, progress=functools.partial(tqdm, file=sys.stderr))
        show_progress(records, visible=True)
    with advice_after_errors(EXPORT_AGAIN):
        pipe.student = student_of_run(pipe, run, config)
        pipe.save_pretrained(out)
    typer.echo(f"checkpoint written to {out}")
