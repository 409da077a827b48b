"""The command line: `fgsd app`, `fgsd sample`, `fgsd classes`, `fgsd train`, `fgsd map`, `fgsd evaluate`."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Feature-guided score diffusion: sample texture classes, mix them, train on your own images.",
)

ROOT = Path(__file__).resolve().parent.parent
Checkpoint = Annotated[
    str, typer.Option("--checkpoint", "-c", help="Folder or Hugging Face hub id.", show_default=True)
]
Data = Annotated[
    Path, typer.Option("--data", "-d", help="Folder of images: one a class, or one folder a class.")
]
DEFAULT_CHECKPOINT, DEFAULT_DATA = "checkpoints/textures", Path("assets/textures")


class BadInput(Exception):
    """What the user gave cannot be used; `main` prints the message on one line and ends with code 2."""


def one_line_errors(command):
    """Errors of the library about its arguments become `BadInput`; others remain tracebacks."""

    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except (ValueError, KeyError, TypeError, FileNotFoundError, ImportError) as error:
            message = error.args[0] if isinstance(error, KeyError) and error.args else str(error)
            raise BadInput(message) from None

    return wrapped


def _found(path: str | Path) -> Path | str:
    """A default path as it is, or, when the command runs elsewhere, the one beside the installed package."""
    beside = ROOT / path
    return beside if not Path(path).exists() and beside.exists() else path


def _pipeline(checkpoint: str):
    from fgsd.pipeline import Pipeline

    return Pipeline.from_pretrained(str(_found(checkpoint)))


@app.command("app")
@one_line_errors
def open_app(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    data: Data = DEFAULT_DATA,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 7860,
    browser: Annotated[bool, typer.Option(help="Open the page in the web browser.")] = True,
) -> None:
    """Open the web page on a checkpoint."""
    from fgsd.app.server import launch

    launch(str(_found(checkpoint)), str(_found(data)), host=host, port=port, open_browser=browser)


@app.command()
@one_line_errors
def sample(
    name: Annotated[str | None, typer.Option("--class", help="A class to sample.")] = None,
    mix: Annotated[str | None, typer.Option(help="Weights of classes, such as lava=0.5,glacier=0.5.")] = None,
    like: Annotated[
        Path | None, typer.Option(help="An image of a texture; it need not have been seen.")
    ] = None,
    number: Annotated[int, typer.Option("--number", "-n", help="How many images.", min=1)] = 16,
    steps: Annotated[int, typer.Option(help="Steps of the sampler.", min=1)] = 16,
    size: Annotated[int, typer.Option(help="Side of an image, in pixels.", min=1)] = 64,
    seed: Annotated[int, typer.Option(help="Of the first image; the others count on from it.", min=0)] = 0,
    strength: Annotated[float, typer.Option(help="Of the guidance: 0 unguided, 1 full.")] = 1.0,
    sampler: Annotated[str, typer.Option(help="dpm2m, heun, ancestral or ascent.")] = "dpm2m",
    tileable: Annotated[bool, typer.Option("--tileable", help="Make seamless tiles.")] = False,
    steps_gif: Annotated[Path | None, typer.Option(help="Also save the steps as an animation.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="File for a sheet of all images.")] = Path(
        "samples.png"
    ),
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
) -> None:
    """Sample a class, a mixture, a texture like an image, or (with none of these) without guidance."""
    from fgsd.sheets import ANIMATIONS, check_suffix, image_grid, save_gif, save_image

    check_suffix(output)
    if steps_gif is not None:
        check_suffix(steps_gif, ANIMATIONS)
    if sum(option is not None for option in (name, mix, like)) > 1:
        raise ValueError("give only one of --class, --mix and --like")
    pipe = _pipeline(checkpoint)
    target = name if mix is None else parse_mix(mix)
    if like is not None:
        target = pipe.centroid_of(like)
    options = dict(steps=steps, size=size, strength=strength, sampler=sampler, tileable=tileable)
    if steps_gif is None:
        images = pipe.sample(target, n=number, seed=seed, **options)
    else:
        frames = []
        for step in pipe.stream(target, n=number, seed=seed, **options):
            frames.append(image_grid(step.noisy))
            images = step.images
        frames.append(image_grid(images))
        save_gif(frames, steps_gif)
        typer.echo(f"{steps_gif}: {len(frames)} frames")
    save_image(image_grid(images), output)
    typer.echo(f"{output}: {len(images)} image{'s' if len(images) > 1 else ''} of {size} x {size} pixels")


def parse_mix(text: str) -> dict[str, float]:
    """ "lava=0.5,glacier=0.5" as {"lava": 0.5, "glacier": 0.5}; `ValueError` says what is malformed."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        try:
            weight = float(value)
        except ValueError:
            weight = None
        if not name or not equals or weight is None:
            raise ValueError(f"mix={text!r}: {part.strip()!r} should look like lava=0.5")
        if name in weights:
            raise ValueError(f"mix={text!r}: {name!r} is named twice")
        weights[name] = weight
    return weights


@app.command()
@one_line_errors
def classes(checkpoint: Checkpoint = DEFAULT_CHECKPOINT) -> None:
    """List the classes of a checkpoint."""
    from fgsd.checkpoint import load_checkpoint

    folder = Path(_found(checkpoint))
    names = load_checkpoint(folder).table.classes if folder.is_dir() else _pipeline(checkpoint).classes
    for name in names:
        typer.echo(name)


@app.command()
@one_line_errors
def train(
    data: Annotated[Path, typer.Argument(help="Folder of images: one a class, or one folder a class.")],
    run: Annotated[Path, typer.Option(help="Folder of the run; name it again to resume.")] = Path(
        "runs/latest"
    ),
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the checkpoint.")] = Path(
        "checkpoints/latest"
    ),
    images: Annotated[
        int | None, typer.Option(help="Budget in training crops [default: 1000000].", min=1)
    ] = None,
    hours: Annotated[float | None, typer.Option(help="Budget in hours, instead of in crops.")] = None,
    image_size: Annotated[int, typer.Option(help="Shorter side images are scaled down to, in pixels.")] = 192,
    patch_size: Annotated[int, typer.Option(help="Side of the training crops, in pixels.")] = 64,
    test_share: Annotated[float, typer.Option(help="Share of each image's rows held out for testing.")] = 1
    / 3,
    groups: Annotated[int, typer.Option(help="Groups in a batch, each of one class.")] = 6,
    group_size: Annotated[int, typer.Option(help="Crops in a group.")] = 6,
    muon_lr: Annotated[float, typer.Option(help="Learning rate of the kernels (Muon).")] = 0.02,
    adam_lr: Annotated[float, typer.Option(help="Learning rate of all else (Adam).")] = 0.0015,
    seed: Annotated[int, typer.Option(help="Of weights, crops and noise.", min=0)] = 0,
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    compile: Annotated[bool, typer.Option("--compile", help="Use torch.compile.")] = False,
    init_from: Annotated[str | None, typer.Option(help="Checkpoint whose weights to begin with.")] = None,
    license: Annotated[
        str, typer.Option(help="Of the weights, for the model card; LICENSE.md of the data goes into it too.")
    ] = "other",
    map_crops: Annotated[
        int, typer.Option(help="Crops of each class on the map of features; 0 for no map.", min=0)
    ] = 24,
    cpu: Annotated[bool, typer.Option("--cpu", help="Keep off the accelerator.")] = False,
) -> None:
    """Train on a folder of images, or resume; writes a checkpoint at the end."""
    from tqdm import tqdm

    from fgsd.data import DataConfig, TextureFolder
    from fgsd.export import export
    from fgsd.training import TrainingConfig
    from fgsd.training import train as steps

    if images is None and hours is None:
        images = 1_000_000
    previous = None if init_from is None else _pipeline(init_from)
    settings = dict(
        data=DataConfig(image_size=image_size, patch_size=patch_size, test_share=test_share),
        images=images,
        hours=hours,
        groups=groups,
        group_size=group_size,
        muon_lr=muon_lr,
        adam_lr=adam_lr,
        seed=seed,
        precision=precision,
        compile=compile,
    )
    if previous is not None:
        settings["network"] = previous.network.config
    config = TrainingConfig(**settings)
    folder = TextureFolder(data, config.data)
    main = _is_main_process()
    if main:
        for line in folder.skipped:
            typer.echo(f"skipped {line}", err=True)
        typer.echo(f"{len(folder.classes)} classes from {data}")
    device = "cpu" if cpu else None
    _show_progress(
        steps(data, run, config, init_from=previous and previous.network, device=device), visible=main
    )
    if main:
        bar = functools.partial(tqdm, file=sys.stderr)
        terms = data / "LICENSE.md"
        attribution = terms.read_text(encoding="utf-8").strip() if terms.is_file() else ""
        export(
            run,
            folder,
            config,
            out,
            map_crops=map_crops,
            progress=bar,
            attribution=attribution,
            license=license,
            begun_from=previous and previous.info,
        )
        typer.echo(f"checkpoint written to {out}")


def _show_progress(records, *, visible: bool) -> None:
    """A bar with the mean loss of the last steps, images a second and the time left."""
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


@app.command("map")
@one_line_errors
def fit_map_of(
    checkpoint: Annotated[Path, typer.Option("--checkpoint", "-c", help="Folder.")] = Path(
        DEFAULT_CHECKPOINT
    ),
    data: Data = DEFAULT_DATA,
    crops: Annotated[int, typer.Option(help="Training crops of each class.", min=1)] = 24,
    seed: Annotated[int, typer.Option(help="Of crops, noise and UMAP.", min=0)] = 0,
) -> None:
    """Fit the map of a checkpoint's features to training crops, and store it with the checkpoint."""
    from tqdm import tqdm

    from fgsd.data import TextureFolder
    from fgsd.feature_map import fit_map

    place = Path(_found(checkpoint))
    if not place.is_dir():
        raise ValueError(f"checkpoint={str(checkpoint)!r} must be a folder: the map is written into it")
    pipe = _pipeline(str(place))
    folder = TextureFolder(_found(data), pipe.info.data)
    fitted = fit_map(pipe.network, pipe.table, folder, crops=crops, seed=seed, progress=tqdm)
    pipe.map = fitted
    pipe.save_pretrained(place)  # its card names the new file
    kept, sigmas = 100 * fitted.kept, pipe.table.sigmas.tolist()
    typer.echo(
        f"{place / 'map.safetensors'}: {len(fitted.labels)} crops at {len(sigmas)} noise levels; its "
        f"components keep {kept.min():.0f} to {kept.max():.0f} % of their variance; at sigma "
        f"{sigmas[fitted.start_level]:.2f} they tell classes best"
    )


@app.command()
@one_line_errors
def evaluate(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    data: Data = DEFAULT_DATA,
    part: Annotated[
        list[str] | None, typer.Option(help="Only this part; may be repeated [default: all].")
    ] = None,
    per_class: Annotated[int, typer.Option(help="Samples of each class.")] = 32,
    steps: Annotated[int, typer.Option(help="Steps of the default sampler.", min=1)] = 16,
    seed: Annotated[int, typer.Option(help="Of samples and crops.", min=0)] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write JSON; parts in it that are not measured now stay."),
    ] = None,
) -> None:
    """Measure a checkpoint: are samples of their class, new, diverse, seamless, and fast?"""
    import json

    from tqdm import tqdm

    from fgsd.data import TextureFolder
    from fgsd.evaluation import combine, report_text
    from fgsd.evaluation import evaluate as measure
    from fgsd.run_state import write_atomically

    pipe = _pipeline(checkpoint)
    folder = TextureFolder(_found(data), pipe.info.data)
    results = measure(pipe, folder, per_class=per_class, steps=steps, seed=seed, parts=part, progress=tqdm)
    if output is not None:
        results = json.loads(json.dumps(results))
        if output.exists():
            results = combine(json.loads(output.read_text(encoding="utf-8")), results)
        text = json.dumps(results, indent=2) + "\n"
        write_atomically(output, lambda p: p.write_text(text, encoding="utf-8"))
    typer.echo(report_text(results))


@app.command()
@one_line_errors
def sheet(
    samples: Annotated[int, typer.Option(help="Samples beside each real crop.", min=1)] = 4,
    steps: Annotated[int, typer.Option(help="Steps of the sampler.", min=1)] = 16,
    seed: Annotated[int, typer.Option(help="Of the first sample of each class.", min=0)] = 0,
    sampler: Annotated[str, typer.Option(help="dpm2m, heun, ancestral or ascent.")] = "dpm2m",
    output: Annotated[Path, typer.Option("--output", "-o", help="File for the sheet.")] = Path("sheet.webp"),
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    data: Data = DEFAULT_DATA,
) -> None:
    """For each class, a real held-out crop beside samples."""
    import torch
    from tqdm import tqdm

    from fgsd.data import TextureFolder, to_images
    from fgsd.sheets import check_suffix, class_sheet, save_image

    check_suffix(output)
    pipe = _pipeline(checkpoint)
    size = pipe.info.patch_size
    folder = TextureFolder(_found(data), pipe.info.data)
    rows = []
    for name in tqdm([c for c in pipe.classes if c in folder.classes], unit="class"):
        crop = folder.crops(name, 1, torch.Generator().manual_seed(seed), split="test")
        drawn = pipe.sample(name, n=samples, steps=steps, size=size, seed=seed, sampler=sampler)
        rows.append((name, to_images(crop)[0], drawn))
    save_image(class_sheet(rows), output)
    typer.echo(f"{output}: {len(rows)} classes, a real crop and {samples} samples each")


def validation_text(step: int, validation) -> str:
    """A small table: squared error by noise level, guided, unguided and with a wrong centroid."""
    lines = [f"step {step}: squared error on held-out crops by noise level"]
    lines.append("  sigma     " + "".join(f"{s:>9.2f}" for s in validation.sigmas))
    for name in ("guided", "unguided", "wrong"):
        lines.append(f"  {name:<10}" + "".join(f"{v:>9.4f}" for v in getattr(validation, name)))
    return "\n".join(lines)


def _is_main_process() -> bool:
    import os

    return int(os.environ.get("RANK", "0")) == 0


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console command: bad input ends with one line and exit code 2, no traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(arguments or ["--help"], prog_name="fgsd", standalone_mode=False)
    except (BadInput, typer.TyperException) as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        typer.echo("Error: " + " ".join(message.split()), err=True)
        code = 2
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("Stopped.", err=True)
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
