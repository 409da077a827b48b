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
from fgsd.image_files import find_images
from fgsd.shipped import resolve_shipped

if TYPE_CHECKING:
    from fgsd.checkpoint import CheckpointInfo
    from fgsd.data import TextureFolder

# half of the crops are of the new classes. Crops of a group are matched to each other; rates are a fifth of
# those of a training from the start
SETTINGS: dict[str, Any] = {
    "focus_share": 0.5,
    "groups": 6,
    "group_size": 4,
    "muon_lr": 0.004,
    "adam_lr": 0.0004,
    "crop_sizes": ((0.0, 1.0),),
}


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
            "[default: assets/textures, if its classes are among them].",
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
    """Add classes to a checkpoint: train on their images, and on those of the known classes.

    With the folder of an earlier run and the same options, training resumes.
    """
    check_training_folders(("--run", run), ("--out", out))
    if add.is_dir():
        find_images(add)  # refuses names that no checkpoint can hold, before torch is imported
    from tqdm import tqdm

    from fgsd.training.config import TrainingConfig
    from fgsd.training.export import check_export, export
    from fgsd.training.loop import train
    from fgsd.training.rehearsal import known_images
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
    names = sorted([*pipe.classes, *new.classes])
    check_export(names, config, attribution=attribution, license=info.license)
    RunFolder(run, config, names).check_state()
    bar = functools.partial(tqdm, file=sys.stderr)
    with advice_after_errors(TRAIN_AGAIN):
        known = known_images(pipe, _images_of(pipe.classes, data, info), run / "samples", bar)
        folder = known.joined(new)
        typer.echo(f"{add}: {', '.join(new.classes)} added to {len(known.classes)} classes")
        device = "cpu" if cpu else None
        show_progress(train(folder, run, config, init_from=pipe.network, device=device), visible=True)
    options: dict[str, Any] = {"map_crops": map_crops, "attribution": attribution, "license": info.license}
    with advice_after_errors(EXPORT_AGAIN):
        export(run, folder, config, out, progress=bar, begun_from=info, **options)
    typer.echo(f"checkpoint written to {out}")


def _images_of(classes: list[str], data: Path | None, info: CheckpointInfo) -> TextureFolder | None:
    """Return the images that a checkpoint was trained on; None if they are not at hand."""
    if data is not None:
        return load_textures(data, info.data)
    shipped = Path(resolve_shipped(DEFAULT_DATA))
    if not shipped.is_dir() or not {name for _, name in find_images(shipped).files} & set(classes):
        return None
    return load_textures(shipped, info.data, quiet=True)
