"""The `fgsd site` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fgsd.cli.options import DEFAULT_CHECKPOINT, DEFAULT_DATA, Data, load_pipeline, one_line_errors
from fgsd.cli.outputs import check_site_folder
from fgsd.shipped import resolve_shipped


@one_line_errors
def site(
    checkpoint: Annotated[
        str, typer.Argument(help="Checkpoint: a folder or a Hugging Face hub id.")
    ] = DEFAULT_CHECKPOINT,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the site.")] = Path("site"),
    data: Data = DEFAULT_DATA,
    runtime: Annotated[
        Path | None,
        typer.Option(
            help="The package onnxruntime-web as `npm pack` fetches it; by default it is fetched and kept.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Write the page as a static folder: it samples in the browsers of its visitors, without a server."""
    check_site_folder("--output", output)
    pipe = load_pipeline(checkpoint, device="cpu")
    from fgsd.app.site.build import build_site

    # visitors see the name of the checkpoint, not its path on this machine
    name = "/".join(Path(checkpoint).parts[-2:])
    written = build_site(pipe, resolve_shipped(data), output, checkpoint=name, runtime=runtime)
    megabytes = sum(written.values()) / 1e6
    typer.echo(f"{output}: {len(written)} files, {megabytes:.1f} MB")
    typer.echo(f"try it: python -m http.server --directory {output}")
