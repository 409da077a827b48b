"""The command `extend`: classes are added to a checkpoint."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fgsd.cli.options import DEFAULT_DATA, load_pipeline, load_textures, one_line_errors
from fgsd.cli.outputs import advice_after_errors, check_training_folders
from fgsd.cli.train import EXPORT_AGAIN, TRAIN_AGAIN, attribution_of, show_progress
from fgsd.families import load_families
from fgsd.image_files import find_images
from fgsd.shipped import resolve_shipped

if TYPE_CHECKING:
    from fgsd.checkpoint import CheckpointInfo
    from fgsd.data import TextureFolder

# half of the crops are of known classes. Rates are far below those of a training from the start, since the
# known classes should stay as they are
SETTINGS: dict[str, Any] = {
    "given_centroids": True,
    "focus_share": 0.5,
    "groups": 24,
    "muon_lr": 0.003,
    "adam_lr": 0.0005,
    "crop_sizes": ((0.0, 1.0),),
}
SHIPPED_DATA = (DEFAULT_DATA, "assets/world")


@one_line_errors
def extend(
    checkpoint: Annotated[str, typer.Argument(help="Checkpoint: a folder or a Hugging Face hub id.")],
    add: Annotated[
        Path,
        typer.Option(help="Folder of images of the new classes, with an image or a subfolder per class."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the checkpoint.")],
    minutes: Annotated[float, typer.Option(help="Time of the training in minutes.")] = 20.0,
    images: Annotated[
        int | None, typer.Option(help="Number of training crops in place of a time.", min=1)
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            "-d",
            help="Images that the checkpoint was trained on; classes without any are rehearsed with samples "
            "[default: images shipped with fgsd, if they have all classes].",
        ),
    ] = None,
    run: Annotated[Path, typer.Option(help="Folder of the run; give the same one to resume.")] = Path(
        "runs/extend"
    ),
    map_crops: Annotated[
        int, typer.Option(help="Crops per class on the feature map; 0 for no map.", min=0)
    ] = 24,
    seed: Annotated[int, typer.Option(help="Seed of crops and noise.", min=0)] = 0,
    cpu: Annotated[bool, typer.Option("--cpu", help="Do not use an accelerator.")] = False,
) -> None:
    """Add classes to a checkpoint: learn their centroids, then train on their images and on known ones.

    Training moves the weights with all centroids fixed. With the folder of an earlier run and the same
    options, it resumes.
    """
    check_training_folders(("--run", run), ("--out", out))
    if add.is_dir():
        find_images(add)  # refuses names that no checkpoint can hold, before torch is imported
    from tqdm import tqdm

    from fgsd.training.config import TrainingConfig
    from fgsd.training.export import check_export, export
    from fgsd.training.extension import known_images, learned_table
    from fgsd.training.loop import train
    from fgsd.training.run_folder import RunFolder

    pipe = load_pipeline(checkpoint)
    network, info = pipe.network.config, pipe.info
    if network.labels or network.target_embedding:
        raise ValueError(
            f"checkpoint={checkpoint!r}: a network with labels or a target embedding has a fixed number of "
            "classes"
        )
    new = load_textures(add, info.data)
    if shared := [name for name in new.classes if name in pipe.classes]:
        raise ValueError(f"--add {add}: the checkpoint has classes named {', '.join(shared)}; rename them")
    config = TrainingConfig(
        network=network,
        data=info.data,
        images=images,
        hours=None if images else minutes / 60,
        focus=tuple(new.classes),
        sigma_max=info.sigma_max,
        seed=seed,
        **SETTINGS,
    )
    attribution = "\n\n".join(filter(None, (info.attribution, attribution_of(add))))
    families = {**pipe.families, **load_families(add)}
    names = sorted([*pipe.classes, *new.classes])
    check_export(names, config, attribution=attribution, license=info.license)
    RunFolder(run, config, names).check_state()
    at_hand = _images_of(pipe.classes, data, info)
    bar = functools.partial(tqdm, file=sys.stderr)
    with advice_after_errors(TRAIN_AGAIN):
        table = learned_table(pipe, new, run / "textures", seed=seed, progress=bar)
        known = known_images(pipe, at_hand, run / "samples", bar)
        folder = known.joined(new)
        typer.echo(f"{add}: {', '.join(new.classes)} added to {len(known.classes)} classes")
        device = "cpu" if cpu else None
        records = train(folder, run, config, init_from=pipe.network, centroids=table, device=device)
        show_progress(records, visible=True)
    with advice_after_errors(EXPORT_AGAIN):
        export(
            run,
            folder,
            config,
            out,
            centroids=table,
            map_crops=map_crops,
            attribution=attribution,
            license=info.license,
            families=families,
            begun_from=info,
            progress=bar,
        )
    typer.echo(f"checkpoint written to {out}")


def _images_of(classes: list[str], data: Path | None, info: CheckpointInfo) -> TextureFolder | None:
    """Return the images that a checkpoint was trained on; None if they are not at hand."""
    if data is None:
        folders = [Path(resolve_shipped(folder)) for folder in SHIPPED_DATA]
        named = [folder for folder in folders if folder.is_dir() and set(classes) <= _names_in(folder)]
        data = named[0] if named else None
    return None if data is None else load_textures(data, info.data, quiet=True)


def _names_in(folder: Path) -> set[str]:
    return {name for _, name in find_images(folder).files}
