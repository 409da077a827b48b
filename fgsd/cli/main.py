"""The command line: `fgsd app`, `fgsd sample`, `fgsd classes`; what trains and measures stands beside."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Annotated

import typer

from fgsd.cli import measure as cli_measure
from fgsd.cli import report as cli_report
from fgsd.cli import train as cli_train
from fgsd.cli.options import (
    DEFAULT_CHECKPOINT,
    DEFAULT_DATA,
    DEFAULT_REPORT,
    BadInput,
    Checkpoint,
    Data,
    one_line_errors,
    pipeline,
)
from fgsd.shipped import resolve_shipped

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Feature-guided score diffusion: sample texture classes, mix them, train on your own images.",
)


@app.command("app")
@one_line_errors
def open_app(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    data: Data = DEFAULT_DATA,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 7860,
    browser: Annotated[bool, typer.Option(help="Open the page in the web browser.")] = True,
    share: Annotated[
        bool, typer.Option(help="Evaluate requests of several visitors together where that is faster.")
    ] = True,
) -> None:
    """Open the web page on a checkpoint."""
    gc.disable()  # searching for garbage takes a fifth of the imports' time, and finds none
    from fgsd.app.server import launch

    gc.freeze()  # nor is there any later among what was imported
    gc.enable()
    launch(
        str(resolve_shipped(checkpoint)),
        str(resolve_shipped(data)),
        host=host,
        port=port,
        evidence=resolve_shipped(DEFAULT_REPORT),
        open_browser=browser,
        share=share,
    )


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
    from fgsd.sheets import ANIMATION_FORMATS, check_suffix, image_grid, save_animation, save_image

    check_suffix(output)
    if steps_gif is not None:
        check_suffix(steps_gif, ANIMATION_FORMATS)
    if sum(option is not None for option in (name, mix, like)) > 1:
        raise ValueError("give only one of --class, --mix and --like")
    pipe = pipeline(checkpoint)
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
        save_animation(frames, steps_gif)
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

    folder = Path(resolve_shipped(checkpoint))
    names = load_checkpoint(folder).table.classes if folder.is_dir() else pipeline(checkpoint).classes
    for name in names:
        typer.echo(name)


app.command()(cli_train.train)
app.command("map")(cli_train.fit_map_of)
app.command()(cli_measure.evaluate)
app.command()(cli_measure.sheet)
app.command()(cli_measure.bench)
app.command()(cli_report.study)
app.command()(cli_report.report)


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
