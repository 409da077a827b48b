"""`fgsd plot`: figures of a checkpoint as pages of HTML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fgsd.cli.options import (
    DEFAULT_CHECKPOINT,
    DEFAULT_DATA,
    Checkpoint,
    Data,
    load_pipeline,
    load_textures,
    one_line_errors,
)
from fgsd.cli.outputs import check_file
from fgsd.shipped import resolve_shipped

plot = typer.Typer(help="Draw figures of a checkpoint that a browser opens, also without internet.")


@plot.callback()
def figures() -> None:
    """Draw figures of a checkpoint that a browser opens, also without internet."""


@plot.command("map")
@one_line_errors
def plot_map(
    output: Annotated[Path, typer.Option("--output", "-o", help="File of HTML to write.")] = Path("map.html"),
    projection: Annotated[str, typer.Option(help="pca or umap.")] = "pca",
    dims: Annotated[int, typer.Option(help="2 or 3.")] = 2,
    sigma: Annotated[
        float | None, typer.Option(help="Noise level; by default the one that separates the classes best.")
    ] = None,
    third_axis: Annotated[
        str, typer.Option(help="In 3D: projection, or sigma to stack the maps of all noise levels.")
    ] = "projection",
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    data: Data = DEFAULT_DATA,
) -> None:
    """Draw the map of textures, which a browser turns and zooms.

    Thumbnails and crops are shown for the textures that --data holds.
    """
    from fgsd.atomic import write_atomically
    from fgsd.map_figure import figure_html, map_figure

    if output.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"--output {output}: the figure is a page of HTML; name a file that ends in .html")
    check_file("--output", output)
    pipe = load_pipeline(checkpoint)
    folder = resolve_shipped(data)
    images = load_textures(folder, pipe.info.data, quiet=True)
    figure = map_figure(
        pipe.map,
        projection,
        dims=dims,
        sigma=sigma,
        third_axis=third_axis,
        data=images,
    )
    html = figure_html(figure, "Map of textures")
    write_atomically(output, lambda path: path.write_text(html, encoding="utf-8"))
    typer.echo(f"{output}: {len(pipe.classes)} textures in {dims} dimensions")
