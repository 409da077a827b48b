"""The `fgsd` command: `app`, `sample`, `classes`, and the assembly of all commands."""

from __future__ import annotations

import errno
import gc
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fgsd.cli import calibrate, distill, extend, learn, measure, paint, plot, report, site, train
from fgsd.cli.mix import class_argument, parse_mix
from fgsd.cli.options import (
    DEFAULT_CHECKPOINT,
    DEFAULT_DATA,
    DEFAULT_REPORT,
    Checkpoint,
    Data,
    InputError,
    load_pipeline,
    one_line_errors,
)
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
from fgsd.shipped import resolve_shipped

if TYPE_CHECKING:
    from fgsd.pipeline import Target

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
        bool, typer.Option(help="Batch the requests of several visitors where that is faster.")
    ] = True,
    auto_learn: Annotated[bool, typer.Option(help="Learn an image of a visitor without being asked.")] = True,
    site: Annotated[
        Path | None,
        typer.Option(
            help="Folder that `fgsd site` has written: browsers make previews where they are faster."
        ),
    ] = None,
) -> None:
    """Serve the web page for a checkpoint."""
    from fgsd.app.http.address import AddressError, check_address

    try:
        check_address(host, port)
    except AddressError as error:
        other = f"--port, such as {port + 1}, or 0 for the first free one from 7860"
        if error.errno == errno.EADDRNOTAVAIL:
            other = "--host, such as 127.0.0.1"
        raise ValueError(f"{error.strerror}; choose another {other}") from None
    gc.disable()  # collections take a fifth of the time of the imports and free nothing
    from fgsd.app.server import launch

    gc.freeze()  # later collections skip the imported objects
    gc.enable()
    launch(
        str(resolve_shipped(checkpoint)),
        str(resolve_shipped(data)),
        host=host,
        port=port,
        evidence=resolve_shipped(DEFAULT_REPORT),
        open_browser=browser,
        share=share,
        auto_learn=auto_learn,
        site=site,
    )


@app.command()
@one_line_errors
def sample(
    name: Annotated[str | None, typer.Option("--class", help="Class to sample.")] = None,
    mix: Annotated[
        str | None,
        typer.Option(help=r"Class weights, such as lava=0.5,glacier=0.5; write a comma in a name as \,."),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(help="Image of a texture, which may be of no known class, or file of `fgsd learn`."),
    ] = None,
    number: Number = 16,
    steps: Steps = 16,
    size: Annotated[int, typer.Option(help="Side of the images in pixels.", min=1)] = 64,
    seed: Seed = 0,
    strength: Strength = 1.0,
    sampler: Sampler = "dpm2m",
    tileable: Tileable = False,
    steps_gif: StepsGif = None,
    output: Output = Path("samples.png"),
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
) -> None:
    """Sample a class, a mixture or the texture of an image.

    Without --class, --mix and --like, sampling is unguided.
    """
    from fgsd.texture import Texture, is_texture_file

    check_pictures(output, steps_gif, number, (size, size))
    if sum(option is not None for option in (name, mix, like)) > 1:
        raise ValueError("give only one of --class, --mix and --like")
    pipe = load_pipeline(checkpoint)
    target: Target = None if name is None else class_argument(name)
    if mix is not None:
        target = parse_mix(mix)
    if like is not None:
        target = Texture.load(like) if is_texture_file(like) else pipe.centroid_of(like)
    images = save_pictures(
        pipe.sample,
        pipe.stream,
        target,
        output,
        steps_gif,
        n=number,
        seed=seed,
        steps=steps,
        size=size,
        strength=strength,
        sampler=sampler,
        tileable=tileable,
    )
    typer.echo(f"{output}: {len(images)} image{'s' if len(images) > 1 else ''} of {size} x {size} pixels")


@app.command()
@one_line_errors
def classes(checkpoint: Checkpoint = DEFAULT_CHECKPOINT) -> None:
    """List the classes of a checkpoint."""
    from fgsd.checkpoint import load_checkpoint

    folder = Path(resolve_shipped(checkpoint))
    names = load_checkpoint(folder).table.classes if folder.is_dir() else load_pipeline(checkpoint).classes
    for name in names:
        typer.echo(name)


app.command()(paint.paint)
app.command()(learn.learn)
app.command()(site.site)
app.command()(train.train)
app.command()(extend.extend)
app.command()(calibrate.calibrate)
app.command()(distill.distill)
app.command("map")(train.store_map)
app.command()(train.distinct)
app.command()(measure.evaluate)
app.command()(measure.sheet)
app.command()(measure.bench)
app.command()(measure.film)
app.add_typer(plot.plot, name="plot")
app.command()(report.study)
app.command()(report.report)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console command; invalid input prints one line and exits with code 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # escape names that the locale cannot encode
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(arguments or ["--help"], prog_name="fgsd", standalone_mode=False)
    except (InputError, typer.TyperException) as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        typer.echo("Error: " + " ".join(message.split()), err=True)
        code = 2
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("Stopped.", err=True)
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
