"""Commands that create a checkpoint: `fgsd train`, `fgsd map`, and `fgsd distinct`, which chooses classes."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fgsd.cli.options import (
    DEFAULT_CHECKPOINT,
    DEFAULT_DATA,
    Data,
    load_pipeline,
    load_textures,
    one_line_errors,
    read_names,
    utf8_text,
)
from fgsd.cli.outputs import advice_after_errors, check_file, check_folder, check_training_folders
from fgsd.families import load_families
from fgsd.image_files import find_images
from fgsd.shipped import resolve_shipped

if TYPE_CHECKING:
    from fgsd.data import TextureFolder
    from fgsd.training.validation import Validation

ImageSize = Annotated[int, typer.Option(help="Shorter side of the scaled images in pixels.")]
PatchSize = Annotated[int, typer.Option(help="Side of the training crops in pixels.")]
TestShare = Annotated[float, typer.Option(help="Share of each image's rows held out for testing.")]
TRAIN_AGAIN = "The run continues from its last saved state when the command is repeated."
EXPORT_AGAIN = (
    "The training is complete: repeat the command, also with another --out, to write the checkpoint."
)


@one_line_errors
def train(
    data: Annotated[Path, typer.Argument(help="Folder with an image or a subfolder per class.")],
    run: Annotated[Path, typer.Option(help="Folder of the run; give the same one to resume.")] = Path(
        "runs/latest"
    ),
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the checkpoint.")] = Path(
        "checkpoints/latest"
    ),
    images: Annotated[
        int | None, typer.Option(help="Budget in training crops [default: 1000000].", min=1)
    ] = None,
    hours: Annotated[float | None, typer.Option(help="Budget in hours instead of crops.")] = None,
    image_size: ImageSize = 192,
    patch_size: PatchSize = 64,
    test_share: TestShare = 1 / 3,
    unseen: Annotated[
        Path | None, typer.Option(help="Text file of classes not to train on, one a line; for validation.")
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            help="Text file of the classes of the checkpoint, one a line [default: all trained on]."
        ),
    ] = None,
    augment: Annotated[
        bool, typer.Option("--augment", help="Train on random scales, turns and colours of the classes too.")
    ] = False,
    transform: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these transforms of --augment: scales, turns or colours; repeat for several."
        ),
    ] = None,
    groups: Annotated[int, typer.Option(help="Groups per batch; a group has crops of one class.")] = 36,
    group_size: Annotated[
        int, typer.Option(help="Crops per group; 1 matches them to running centroids, not to each other.")
    ] = 1,
    muon_lr: Annotated[float, typer.Option(help="Learning rate of the kernels (Muon).")] = 0.02,
    adam_lr: Annotated[float, typer.Option(help="Learning rate of all other parameters (Adam).")] = 0.0015,
    sigma_log_mean: Annotated[
        float,
        typer.Option(
            help="Mean of the logarithm of the noise levels. Guidance matters most at high noise: 0.9 "
            "teaches more about classes, and less about fine detail."
        ),
    ] = 0.2,
    seed: Annotated[int, typer.Option(help="Seed of weights, crops and noise.", min=0)] = 0,
    precision: Annotated[str, typer.Option(help="Precision: auto, float32 or bfloat16.")] = "auto",
    compile: Annotated[bool, typer.Option("--compile", help="Use torch.compile.")] = False,
    init_from: Annotated[
        str | None,
        typer.Option(
            help="Checkpoint with the initial weights; crops then have their full size from the start."
        ),
    ] = None,
    given_centroids: Annotated[
        bool,
        typer.Option(
            "--given-centroids",
            help="Match crops to the centroids of --init-from, in place of running ones, and train on its "
            "classes. With --group-size above 1, in every second step only.",
        ),
    ] = False,
    learn_centroids: Annotated[
        int,
        typer.Option(
            help="Steps in which the given centroids are learned before; 0 takes them as they are.", min=0
        ),
    ] = 0,
    centroid_lr: Annotated[
        float,
        typer.Option(
            help="Rate at which given centroids are learned along with the weights, in spreads of a feature "
            "within a class; 0 leaves them as they are."
        ),
    ] = 0.0,
    license: Annotated[
        str,
        typer.Option(
            help="License of the weights, for the model card beside LICENSE.md of the data.",
            callback=utf8_text,
        ),
    ] = "other",
    map_crops: Annotated[
        int, typer.Option(help="Crops per class on the feature map; 0 for no map.", min=0)
    ] = 24,
    cpu: Annotated[bool, typer.Option("--cpu", help="Do not use an accelerator.")] = False,
) -> None:
    """Train on a folder of images and write a checkpoint.

    With the folder of an earlier run and the same options, training resumes.
    """
    main = _is_main_process()
    if main:  # before torch is imported, which takes seconds
        check_training_folders(("--run", run), ("--out", out))
        if data.is_dir():
            find_images(data)  # refuses names that no checkpoint can hold
    from tqdm import tqdm

    from fgsd.augmentation import KINDS, Augmentation
    from fgsd.data import DataConfig
    from fgsd.training.config import TrainingConfig
    from fgsd.training.export import check_export, export
    from fgsd.training.extension import learned_table
    from fgsd.training.loop import train as steps
    from fgsd.training.run_folder import RunFolder

    if images is None and hours is None:
        images = 1_000_000
    initial = None if init_from is None else load_pipeline(init_from)
    centroids = initial.table if initial is not None and given_centroids else None
    if given_centroids and centroids is None:
        raise ValueError("--given-centroids: needs --init-from, the checkpoint that has them")
    if learn_centroids and centroids is None:
        raise ValueError("--learn-centroids: needs --given-centroids, without which they are measured anew")
    if transform and not augment:
        raise ValueError(f"--transform {transform[0]}: needs --augment, of whose transforms it keeps some")
    if unknown := set(transform or ()) - set(KINDS):
        raise ValueError(f"--transform {unknown.pop()}: must be one of {', '.join(KINDS)}")
    settings: dict[str, Any] = dict(
        data=DataConfig(image_size=image_size, patch_size=patch_size, test_share=test_share),
        augmentation=Augmentation.of(transform or KINDS) if augment else None,
        images=images,
        hours=hours,
        groups=groups,
        group_size=group_size,
        given_centroids=given_centroids,
        centroid_lr=centroid_lr,
        muon_lr=muon_lr,
        adam_lr=adam_lr,
        sigma_log_mean=sigma_log_mean,
        seed=seed,
        precision=precision,
        compile=compile,
    )
    network = None if initial is None else initial.network
    if network is not None:
        # small crops first would teach it anew what it knows, colours and edges
        settings |= {"network": network.config, "crop_sizes": ((0.0, 1.0),)}
    config = TrainingConfig(**settings)
    folder = load_textures(data, config.data, max_crop=config.max_crop, quiet=not main)
    folder, held_out = split_unseen(folder, unseen)
    if centroids is not None:
        if classes is not None:
            raise ValueError(f"--classes {classes}: with --given-centroids, those of --init-from are kept")
        folder = folder.only(centroids.classes)
    exported = None if classes is None else read_names("--classes", classes, folder)
    device, attribution, families = "cpu" if cpu else None, attribution_of(data), load_families(data)
    check_export(folder.classes, config, attribution=attribution, license=license)
    RunFolder(run, config, folder.classes).check_state()
    bar = functools.partial(tqdm, file=sys.stderr)
    if main:
        typer.echo(f"{len(folder.classes)} classes from {data}")
    with advice_after_errors(TRAIN_AGAIN):
        if learn_centroids and initial is not None:
            centroids = learned_table(
                initial,
                folder,
                run / "textures",
                steps=learn_centroids,
                seed=seed,
                progress=bar if main else None,
            )
        records = steps(
            folder, run, config, init_from=network, unseen=held_out, centroids=centroids, device=device
        )
        show_progress(records, visible=main)
    if main:
        with advice_after_errors(EXPORT_AGAIN):
            export(
                run,
                folder,
                config,
                out,
                classes=exported,
                centroids=centroids,
                map_crops=map_crops,
                progress=bar,
                attribution=attribution,
                license=license,
                families=families,
                begun_from=None if initial is None else initial.info,
            )
        typer.echo(f"checkpoint written to {out}")


def split_unseen(data: TextureFolder, names_file: Path | None) -> tuple[TextureFolder, TextureFolder | None]:
    """Take the classes that a file names, one a line, out of a folder; return the rest and these.

    Raises
    ------
    ValueError
        What `read_names` raises, or if no class is left.
    """
    if names_file is None:
        return data, None
    names = read_names("--unseen", names_file, data)
    return data.without(names), data.only(names)


def attribution_of(data: Path) -> str:
    """Text of LICENSE.md in a folder of images, for the model card; empty if there is none.

    A file that is not UTF-8 is decoded as Latin-1.
    """
    terms = data / "LICENSE.md"
    if not terms.is_file():
        return ""
    content = terms.read_bytes()
    try:
        return content.decode("utf-8").strip()
    except UnicodeError:
        return content.decode("latin-1").strip()


def show_progress(records, *, visible: bool) -> None:
    """Progress bar with the mean loss of the last steps, images per second and the time left."""
    from tqdm import tqdm

    with tqdm(total=1.0, disable=not visible, bar_format="{percentage:5.1f}%|{bar}| {desc}") as bar:
        loss, first = None, None
        for record in records:
            loss = record.loss if loss is None else 0.98 * loss + 0.02 * record.loss
            first = first or record
            seconds = record.seconds - first.seconds
            rate = (record.images - first.images) / seconds if seconds > 0 else 0.0
            done = record.progress - first.progress
            left = seconds * (1 - record.progress) / done if done > 0 else 0.0
            bar.set_description_str(
                f"step {record.step}, loss {loss:.4f}, {rate:.0f} images/s, {left / 60:.0f} min left"
            )
            bar.update(record.progress - bar.n)
            if visible and record.validation is not None:
                tqdm.write(validation_text(record.step, record.validation), file=sys.stderr)
            if visible and record.unseen is not None:
                tqdm.write(validation_text(record.step, record.unseen, unseen=True), file=sys.stderr)


@one_line_errors
def store_map(
    checkpoint: Annotated[Path, typer.Option("--checkpoint", "-c", help="Folder of the checkpoint.")] = Path(
        DEFAULT_CHECKPOINT
    ),
    data: Data = DEFAULT_DATA,
    crops: Annotated[int, typer.Option(help="Training crops per class.", min=1)] = 24,
    seed: Annotated[int, typer.Option(help="Seed of crops, noise and UMAP.", min=0)] = 0,
) -> None:
    """Fit the map of a checkpoint to training crops.

    The map is stored in the folder of the checkpoint.
    """
    from tqdm import tqdm

    from fgsd.feature_map import fit_map

    target = Path(resolve_shipped(checkpoint))
    if not target.is_dir():
        raise ValueError(f"checkpoint={str(checkpoint)!r} must be a folder: the map is written into it")
    check_folder("--checkpoint", target)
    pipe = load_pipeline(str(target))
    folder = load_textures(resolve_shipped(data), pipe.info.data)
    fitted = fit_map(pipe.network, pipe.table, folder, crops=crops, seed=seed, progress=tqdm)
    pipe.map = fitted
    pipe.save_pretrained(target)  # the model card lists the new file
    kept, sigmas = 100 * fitted.kept, pipe.table.sigmas.tolist()
    typer.echo(
        f"{target / 'map.safetensors'}: {len(fitted.labels)} crops at {len(sigmas)} noise levels; the "
        f"components keep {kept.min():.0f} to {kept.max():.0f} % of the variance and separate classes "
        f"best at sigma {sigmas[fitted.start_level]:.2f}"
    )


def validation_text(step: int, validation: Validation, *, unseen: bool = False) -> str:
    """Table of the squared error by noise level: guided, unguided and with a wrong centroid."""
    kind = "crops of unseen classes" if unseen else "held-out crops"
    lines = [f"step {step}: squared error on {kind} by noise level"]
    lines.append("  sigma     " + "".join(f"{s:>9.2f}" for s in validation.sigmas))
    for name in ("guided", "unguided", "wrong"):
        lines.append(f"  {name:<10}" + "".join(f"{v:>9.4f}" for v in getattr(validation, name)))
    return "\n".join(lines)


def _is_main_process() -> bool:
    import os

    return int(os.environ.get("RANK", "0")) == 0


@one_line_errors
def distinct(
    data: Annotated[Path, typer.Argument(help="Folder with an image or a subfolder per class.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Text file for the names, one a line.")],
    unseen: Annotated[
        Path | None, typer.Option(help="Text file of classes that are left out, one a line.")
    ] = None,
    image_size: ImageSize = 192,
    patch_size: PatchSize = 64,
    test_share: TestShare = 1 / 3,
    at_least: Annotated[
        float, typer.Option(help="Share of its held-out crops by which a class is recognised.", min=0, max=1)
    ] = 0.9,
    keep: Annotated[
        str | None, typer.Option(help="Checkpoint whose classes stay: its links name them.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the crops.", min=0)] = 0,
) -> None:
    """Find the classes that a classifier tells apart, for `fgsd train --classes`.

    Of classes that it takes for each other, one remains.
    """
    from tqdm import tqdm

    from fgsd.atomic import write_atomically
    from fgsd.data import DataConfig
    from fgsd.evaluation.distinct import find_distinct
    from fgsd.evaluation.features import EfficientNetFeatures

    check_file("--output", output)
    kept = [] if keep is None else load_pipeline(keep).classes
    config = DataConfig(image_size=image_size, patch_size=patch_size, test_share=test_share)
    folder, _ = split_unseen(load_textures(data, config), unseen)
    names, accuracies = find_distinct(
        folder, EfficientNetFeatures(), at_least=at_least, keep=kept, seed=seed, progress=tqdm
    )
    poor = [f"{name} {accuracies[name]:.2f}" for name in names if accuracies[name] < at_least]
    text = "\n".join(names) + "\n"
    write_atomically(output, lambda path: path.write_text(text, encoding="utf-8"))
    mean = sum(accuracies.values()) / len(accuracies)
    typer.echo(
        f"{output}: {len(names)} of {len(folder.classes)} classes, recognised with {mean:.3f} on average"
    )
    if poor:
        typer.echo(f"kept below {at_least}: {', '.join(poor)}")
