"""Commands of the evidence report: `fgsd study` trains the networks, `fgsd report` measures them."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Annotated

import typer

from fgsd.cli.options import (
    DEFAULT_CHECKPOINT,
    DEFAULT_DATA,
    DEFAULT_EVIDENCE,
    Data,
    load_textures,
    one_line_errors,
    utf8_text,
)
from fgsd.shipped import resolve_shipped

DEFAULT_STUDY = Path("checkpoints/study")


@one_line_errors
def study(
    names: Annotated[list[str] | None, typer.Argument(help="Networks to train [default: all].")] = None,
    runs: Annotated[Path, typer.Option(help="Folder of the runs; give the same one to resume.")] = Path(
        "runs/study"
    ),
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the checkpoints.")] = DEFAULT_STUDY,
    images: Annotated[
        int | None,
        typer.Option(help="Budget of every network in training crops, instead of its default.", min=1),
    ] = None,
    license: Annotated[
        str, typer.Option(help="License of the weights, for the model cards.", callback=utf8_text)
    ] = "cc-by-sa-3.0",
    data: Data = DEFAULT_DATA,
    cpu: Annotated[bool, typer.Option("--cpu", help="Do not use an accelerator.")] = False,
) -> None:
    """Train the networks that the report compares.

    Writes a checkpoint of each. With the folder of earlier runs, training resumes.
    """
    from tqdm import tqdm

    from fgsd.cli.outputs import advice_after_errors, check_training_folders
    from fgsd.cli.train import EXPORT_AGAIN, TRAIN_AGAIN, attribution_of, show_progress
    from fgsd.evidence.study import GAUSSIAN_SOURCE, TEXTURES, studies
    from fgsd.training.export import check_export, export
    from fgsd.training.run_folder import RunFolder

    for name in names or studies():
        check_training_folders(("--runs", runs / name), ("--out", out / name))
    folder = Path(resolve_shipped(data))
    classes = load_textures(folder, TEXTURES.data).classes
    known = studies(classes=len(classes), images=images)
    if unknown := [name for name in names or [] if name not in known]:
        raise ValueError(f"names={unknown} are unknown; there are {', '.join(known)}")
    texts = {name: "" if known[name].gaussian else attribution_of(folder) for name in names or known}
    for name, attribution in texts.items():
        trained_on = GAUSSIAN_SOURCE.classes if known[name].gaussian else classes
        check_export(trained_on, known[name].config, attribution=attribution, license=license)
        RunFolder(runs / name, known[name].config, trained_on).check_state()
    for name, attribution in texts.items():
        one = known[name]
        typer.echo(f"{name}: {one.config.images:,} training crops")
        with advice_after_errors(TRAIN_AGAIN):
            show_progress(one.train(folder, runs / name, device="cpu" if cpu else None), visible=True)
        with advice_after_errors(EXPORT_AGAIN):
            export(
                runs / name,
                one.data(folder),
                one.config,
                out / name,
                crops=one.crops,
                map_crops=0,
                progress=functools.partial(tqdm, file=sys.stderr),
                attribution=attribution,
                license=license,
            )
        typer.echo(f"checkpoint written to {out / name}")


@one_line_errors
def report(
    part: Annotated[
        list[str] | None,
        typer.Option(help="Part to measure; may be repeated [default: all]. Other parts stay."),
    ] = None,
    networks: Annotated[
        Path, typer.Option(help="Folder of the checkpoints from `fgsd study`.")
    ] = DEFAULT_STUDY,
    checkpoint: Annotated[
        str, typer.Option("--checkpoint", "-c", help="Folder of the page's checkpoint, to compare.")
    ] = DEFAULT_CHECKPOINT,
    data: Data = DEFAULT_DATA,
    seed: Annotated[int, typer.Option(help="Seed of samples and crops.", min=0)] = 0,
    size: Annotated[float, typer.Option(help="Share of the samples; below 1 for a quick trial.")] = 1.0,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the report.")] = DEFAULT_EVIDENCE,
    scratch: Annotated[
        Path, typer.Option(help="Folder for intermediate figures; give the same one to resume.")
    ] = Path("runs/report"),
) -> None:
    """Compare feature guidance with labels.

    Writes tables, plots and an HTML page.
    """
    from tqdm import tqdm

    from fgsd.cli.outputs import check_folder, check_report_folder
    from fgsd.evidence.files import PAGE, read_report, write_report
    from fgsd.evidence.parts import all_parts, choose
    from fgsd.evidence.report import missing_networks
    from fgsd.evidence.report import report as measure
    from fgsd.evidence.text import report_text

    check_report_folder("--out", out)
    check_folder("--scratch", scratch)
    networks, previous, results = Path(resolve_shipped(networks)), read_report(out), None
    for name, missing in missing_networks(choose(part, all_parts()), networks).items():
        typer.echo(f"{name} is skipped; it requires: fgsd study {' '.join(missing)}", err=True)
    for results in measure(
        part,
        networks=networks,
        textures=Path(resolve_shipped(data)),
        shipped=Path(resolve_shipped(checkpoint)),
        out=out,
        scratch=scratch,
        seed=seed,
        size=size,
        previous=previous,
        progress=functools.partial(tqdm, file=sys.stderr),
    ):
        write_report(results, out)
    if results is None:
        raise typer.Exit(1)
    typer.echo(report_text(results))
    if lost := set((previous or results)["parts"]) - set(results["parts"]):
        typer.echo(
            f"dropped, because they were measured with other settings: {', '.join(sorted(lost))}", err=True
        )
    typer.echo(f"report written to {out / PAGE}")
