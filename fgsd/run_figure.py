"""Figures for notebooks: of a run, and of a mixture of two targets, with small pictures of the samples."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fgsd.centroids import Centroid, mean_centroid
from fgsd.data import to_images
from fgsd.guidance import GuidedDenoiser
from fgsd.levels import interpolate
from fgsd.palette import COLOURS, MARKS
from fgsd.pipeline import Pipeline, Target
from fgsd.steps import PipelineStep
from fgsd.texture import Texture

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SIGMA = 0.1  # noise at which finished pictures are measured: fine structure counts, single pixels do not
PICTURES = 8  # in the row above a chart
TOP = 0.8  # of the chart; pictures are above it
GREY = "#8a857d"
DISTANCE = "distance to {}, in spreads of a class"


def figure_of_run(
    steps: Iterable[PipelineStep],
    *,
    pipe: Pipeline | None = None,
    target: Target = None,
    projection: str = "pca",
) -> Figure:
    """Draw how the distance to the target changes while noise falls, and the path of the samples on the map.

    With `pipe` and `target`, the chart shows how far the estimate of the finished picture is from the target
    at each step. All estimates are measured at one noise level, `SIGMA`: this falls as the picture gets its
    structure. Without them it shows `PipelineStep.distance`, of features at the noise level of the step, in
    units of the spread within a class at that level. Since the spread narrows as noise falls, this may rise
    though the samples come closer. With a target, its name in the legend shows it too.

    Parameters
    ----------
    steps : iterable of PipelineStep
        From `Pipeline.stream`.
    pipe : Pipeline, optional
        The pipeline of the run; it adds the path on its map.
    target : target, optional
        That of the run, see `Pipeline.centroid`. It costs an evaluation of the network at each step.
    projection : {"pca", "umap"}
        Of the map.

    Returns
    -------
    plotly.graph_objects.Figure
        Pictures above the chart are estimates of the first image.

    Raises
    ------
    ValueError
        If there are no steps, nothing can be measured because the run is unguided and there is no `pipe`, or
        `target` has no `pipe`; and if the map does not have the projection.

    Examples
    --------
    >>> pipe = Pipeline.from_pretrained("checkpoints/textures")
    >>> steps = list(pipe.stream("lava", n=2, steps=4, seed=0))
    >>> figure_of_run(steps, pipe=pipe, target="lava").write_html("run.html")
    """
    from plotly.graph_objects import Figure

    steps = list(steps)
    if not steps:
        raise ValueError("steps is empty; give those that Pipeline.stream yields")
    if target is not None and pipe is None:
        raise ValueError("target needs the pipeline of the run: give pipe too")
    guided = all(step.distance is not None for step in steps)
    if not guided and pipe is None:
        raise ValueError("the run is unguided and has no distances; give pipe for its path on the map")
    figure, note = Figure(), ""
    sigmas = [step.sigma for step in steps]
    width = 0.55 if pipe is not None else 1.0
    if pipe is not None and (centroid := pipe.centroid(target)) is not None:
        estimates = [distances(pipe, step.step.denoised, centroid) for step in steps]
        words = f"estimate of the picture, measured at σ = {SIGMA:g}"
        _add_lines(figure, sigmas, np.array(estimates).T, words, dash="solid", visible=True)
    if guided:
        own = np.array([step.distance.tolist() for step in steps]).T  # type: ignore[union-attr]
        shown = "legendonly" if figure.data else True
        if shown is True:
            note = "<br><sub>in spreads at the noise of each step; they narrow, so lines may rise</sub>"
        _add_lines(figure, sigmas, own, "features at the noise of the step", dash="dot", visible=shown)
    figure.update_layout(
        **_layout("noise level σ (sampling goes to the right)", DISTANCE.format("the target"), width),
        title={"text": f"Distance to the target, while noise falls{note}"},
    )
    figure.update_xaxes(type="log", autorange="reversed", tickformat="~g", selector={"anchor": "y"})
    places, pictures = [math.log10(sigma) for sigma in sigmas], [step.denoised[0] for step in steps]
    _add_pictures(figure, places, pictures, at_most=PICTURES if pipe is None else PICTURES - 3)
    if pipe is not None:
        _add_path(figure, pipe, steps, projection)
    return figure


def figure_of_mixture(
    pipe: Pipeline,
    first: Target,
    second: Target,
    *,
    points: int = 7,
    n: int = 2,
    steps: int = 16,
    size: int | tuple[int, int] = 64,
    seed: int | Sequence[int] = 0,
) -> Figure:
    """Sample mixtures of two targets, and draw the distance of the samples to both against the weight.

    Features of the finished samples are measured anew, without guidance, at the noise level `SIGMA`.

    Parameters
    ----------
    pipe : Pipeline
    first, second : targets
        See `Pipeline.centroid`; None is not one of them.
    points : int
        Weights of the second target, evenly from 0 to 1; at least 2.
    n, steps, size, seed
        Of the samples at each weight, as in `Pipeline.stream`; every weight has the same seeds.

    Returns
    -------
    plotly.graph_objects.Figure
        Marks are samples, lines their means; pictures above the chart are the first sample at each weight.

    Raises
    ------
    KeyError, TypeError, ValueError
        If an argument is out of range, as `Pipeline.stream` says.

    Examples
    --------
    >>> pipe = Pipeline.from_pretrained("checkpoints/textures")
    >>> figure_of_mixture(pipe, "lava", "glacier", points=3, n=1, steps=4).write_html("mixture.html")
    """
    from plotly.graph_objects import Figure

    if points < 2:
        raise ValueError(f"points={points} must be at least 2")
    centroids = []
    for name, target in (("first", first), ("second", second)):
        centroid = pipe.centroid(target)
        if centroid is None:
            raise ValueError(f"{name}=None (unguided) has no centroid; give a class, a mixture or a texture")
        centroids.append(centroid)
    names = [_name(first, "the first target"), _name(second, "the second target")]
    weights = np.linspace(0, 1, points)
    ends: list[list[list[float]]] = [[], []]  # by target, of each weight, of each sample
    pictures = []
    for weight in weights.tolist():
        mixed = mean_centroid([(centroids[0], 1 - weight), (centroids[1], weight)])
        *_, last = pipe.stream(mixed, n=n, steps=steps, size=size, seed=seed)
        for of_target, centroid in zip(ends, centroids, strict=True):
            of_target.append(distances(pipe, last.step.x, centroid))
        pictures.append(to_images(last.step.x[:1])[0])
    figure = Figure()
    looks = zip(names, ends, COLOURS, MARKS, strict=False)
    for k, (name, of_target, colour, mark) in enumerate(looks):
        values = np.array(of_target)  # (W, n)
        hover = f"{_escaped(name)}: %{{y:.3~g}}<br>weight of {_escaped(names[1])}: %{{x:.3~g}}<extra></extra>"
        group = {"legendgroup": str(k), "hovertemplate": hover, "name": f"to {_escaped(name)}"}
        figure.add_scatter(x=weights, y=values.mean(axis=1), mode="lines", line={"color": colour}, **group)
        figure.add_scatter(
            x=np.repeat(weights, n),
            y=values.ravel(),
            mode="markers",
            marker={"color": colour, "symbol": mark, "size": 8},
            showlegend=False,
            **group,
        )
    figure.update_layout(
        **_layout(f"weight of {_escaped(names[1])}", DISTANCE.format("a target"), 1.0),
        title={"text": f"Mixtures of {_escaped(names[0])} and {_escaped(names[1])}"},
    )
    _add_pictures(figure, weights.tolist(), pictures)
    return figure


@torch.no_grad()
def distances(pipe: Pipeline, x0: Tensor, centroid: Centroid, *, sigma: float = SIGMA) -> list[float]:
    """Measure how far finished pictures are from a centroid: for each the distance at one noise level.

    Parameters
    ----------
    x0 : Tensor of shape (B, 3, H, W)
        Clean images in [-1, 1]. All get the same noise.

    Returns
    -------
    list of B float
        Root mean square over features, in units of the spread within a class; a crop of it has about 1.
    """
    noise = torch.randn(x0.shape[1:], generator=torch.Generator().manual_seed(0)).to(x0)
    _, phi = GuidedDenoiser(pipe.network, None)(x0 + sigma * noise, sigma)
    scale = interpolate(pipe.table.sigmas, pipe.table.scales, sigma).to(phi)
    return ((phi - centroid.at(sigma).to(phi)) / scale).square().mean(dim=-1).sqrt().tolist()


def _add_lines(
    figure: Figure, sigmas: list[float], values: np.ndarray, words: str, *, dash: str, visible: bool | str
) -> None:
    """Add a line for each image, of values (images, steps); all of them are switched together."""
    number = [[k + 1] for k in range(len(sigmas))]
    for k, (line, colour, mark) in enumerate(zip(values, cycle(COLOURS), cycle(MARKS), strict=False)):
        figure.add_scatter(
            x=sigmas,
            y=line,
            customdata=number,
            mode="lines+markers",
            line={"color": colour, "dash": dash},
            marker={"color": colour, "symbol": mark, "size": 6},
            name=words,
            legendgroup=words,
            showlegend=k == 0,
            visible=visible,
            hovertemplate=f"image {k + 1}, step %{{customdata[0]}}<br>distance: %{{y:.3~g}}"
            f"<br>σ: %{{x:.3~g}}<extra>{words}</extra>",
        )


def _add_path(figure: Figure, pipe: Pipeline, steps: Sequence[PipelineStep], projection: str) -> None:
    """Add the map with its classes at the last noise level, and the path of each image."""
    level = int((pipe.map.sigmas - steps[-1].sigma).abs().argmin())
    classes = pipe.map.classes(projection, level)
    on_map = {"xaxis": "x2", "yaxis": "y2", "showlegend": False}
    figure.add_scatter(
        x=classes[:, 0],
        y=classes[:, 1],
        text=pipe.classes,
        mode="markers",
        marker={"color": GREY, "size": 5, "opacity": 0.6},
        hovertemplate="%{text}<extra>class</extra>",
        **on_map,
    )
    path = np.stack([pipe.map.project(projection, step.step.phi, step.sigma) for step in steps])  # (S, B, 2)
    sizes = np.linspace(4, 9, len(steps))
    sigmas = [[step.index, step.sigma] for step in steps]
    for k, (colour, mark) in enumerate(zip(cycle(COLOURS), cycle(MARKS), strict=False)):
        if k == path.shape[1]:
            break
        figure.add_scatter(
            x=path[:, k, 0],
            y=path[:, k, 1],
            customdata=sigmas,
            mode="lines+markers",
            line={"color": colour, "width": 1.5},
            marker={"color": colour, "symbol": mark, "size": sizes},
            hovertemplate=f"image {k + 1}, step %{{customdata[0]}}"
            "<br>σ: %{customdata[1]:.3~g}<extra></extra>",
            **on_map,
        )
    bare = {"showticklabels": False, "showgrid": False, "zeroline": False, "ticks": ""}
    figure.update_layout(
        xaxis2=bare
        | {"domain": [0.63, 1], "anchor": "y2", "title": {"text": f"the map, by {projection.upper()}"}},
        yaxis2=bare | {"anchor": "x2", "autorange": "reversed"},  # as on the page: y grows downwards
    )


def _add_pictures(
    figure: Figure, at: Sequence[float], images: Sequence[Image.Image], *, at_most: int = PICTURES
) -> None:
    """Add a row of pictures above the chart, at coordinates of its axis."""
    wanted = np.linspace(at[0], at[-1], min(at_most, len(at)))
    chosen = sorted({int(np.abs(np.array(at) - place).argmin()) for place in wanted})
    reach = abs(at[-1] - at[0]) or 1.0
    for k in chosen:
        figure.add_layout_image(
            source=_data_uri(images[k]),
            xref="x",
            yref="paper",
            x=at[k],
            y=1,
            xanchor="center",
            yanchor="top",
            sizex=0.95 * reach / max(1, at_most - 1),
            sizey=0.95 * (1 - TOP),
        )


def _layout(x: str, y: str, width: float) -> dict[str, Any]:
    return {
        "xaxis": {"title": {"text": x}, "domain": [0, width], "anchor": "y"},
        "yaxis": {"title": {"text": y}, "domain": [0, TOP - 0.02], "rangemode": "tozero"},
        "legend": {"orientation": "h", "y": -0.2},
        "height": 480,
    }


def _name(target: Target, otherwise: str) -> str:
    if isinstance(target, str):
        return target
    if isinstance(target, Texture):
        return target.name
    if isinstance(target, Mapping):
        return " + ".join(f"{weight:g} {name}" for name, weight in target.items())
    return otherwise


def _data_uri(image: Image.Image) -> str:
    small = image.copy()
    small.thumbnail((96, 96), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
