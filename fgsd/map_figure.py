"""The feature map as a plotly figure, in 2D or 3D, and as a page of HTML that works offline."""

from __future__ import annotations

import base64
import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from fgsd.data import TextureFolder, to_images
from fgsd.sheets import grid_columns, image_grid

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from fgsd.feature_map import FeatureMap

MAX_POINTS = 2000  # crops that a figure shows; more of them turn slowly in three dimensions
THUMBNAIL, CROP = 48, 32  # sides of pictures of classes and of crops, in pixels
THIRD_AXES = ("projection", "sigma")
# shows the picture of the crop under the pointer, which plotly's own hover labels cannot
HOVER_SCRIPT = """
const plot = document.getElementById("{plot_id}"), { sheet, columns } = plot.layout.meta;
const picture = document.body.appendChild(document.createElement("div"));
Object.assign(picture.style, { position: "fixed", width: "96px", height: "96px", pointerEvents: "none",
  borderRadius: "6px", boxShadow: "0 2px 10px #0006", backgroundImage: `url(${sheet})`,
  backgroundSize: `${96 * columns}px auto`, display: "none", zIndex: 9 });
document.addEventListener("pointermove", ({ clientX, clientY }) => {
  picture.style.left = `${Math.min(clientX + 14, innerWidth - 104)}px`;
  picture.style.top = `${Math.min(clientY + 14, innerHeight - 104)}px`;
});
plot.on("plotly_hover", ({ points: [{ customdata }] }) => {
  const cell = Number(customdata);
  picture.style.display = cell >= 0 ? "block" : "none";
  const [row, column] = [Math.floor(cell / columns), cell % columns];
  picture.style.backgroundPosition = `${-96 * column}px ${-96 * row}px`;
});
plot.on("plotly_unhover", () => { picture.style.display = "none"; });
"""


def map_figure(
    feature_map: FeatureMap,
    projection: str = "pca",
    *,
    dims: int = 2,
    sigma: float | None = None,
    third_axis: str = "projection",
    data: TextureFolder | None = None,
) -> go.Figure:
    """Draw the classes of a map, and up to `MAX_POINTS` of its training crops, in the classes' mean colours.

    Hovering names the class. In 3D the axis to the right and the one upwards are those of the map, so that it
    is seen as in 2D from the front. With third_axis="sigma" the maps of all noise levels are stacked, with
    the lowest noise on top, and a line follows each class: classes come apart as noise falls, since each
    level is scaled so that crops lie equally close to their class (see `MapSpace.stacked`).

    Parameters
    ----------
    feature_map : FeatureMap
    projection : {"pca", "umap"}
        "umap" in 3D is fitted now, in some seconds; see `fgsd.map_space.MapSpace`.
    dims : {2, 3}
    sigma : float, optional
        The level of the map nearest to it, in log sigma, is shown; by default the map's start level. Not for
        third_axis="sigma", which shows all of them.
    third_axis : {"projection", "sigma"}
        What the third axis shows where dims=3.
    data : TextureFolder, optional
        The images that the map was fitted on, loaded with the checkpoint's `info.data`: adds the thumbnails
        of the classes in 2D. Pictures of the crops go to `layout.meta`, where `figure_html` finds them.

    Raises
    ------
    ValueError
        If an option is out of range, or the map does not have the projection.
    """
    import plotly.graph_objects as go

    _check(feature_map, projection, dims, sigma, third_axis)
    level = feature_map.start_level if sigma is None else nearest_level(feature_map, sigma)
    names = feature_map.table.classes
    stacked = dims == 3 and third_axis == "sigma"
    shown = _evenly_spaced(len(feature_map.labels), MAX_POINTS // (len(feature_map.sigmas) if stacked else 1))
    levels = range(len(feature_map.sigmas)) if stacked else [level]
    rows, where = feature_map.labels[shown], feature_map if dims == 2 else feature_map.space
    if stacked:
        where = feature_map

    def placed(points: np.ndarray, k: int) -> np.ndarray:
        if not stacked:
            return _axes(points)
        noise = float(feature_map.sigmas[k])
        right, down = feature_map.space.stacked(projection, points, noise)[:, :2].T
        return np.column_stack([right, 1 - down, np.full(len(points), noise)])

    crops = [placed(where.crops(projection, k)[shown], k) for k in levels]
    classes = [placed(where.classes(projection, k), k) for k in levels]
    # the picture of a class is that of its first crop
    cells = [int(found[0]) if len(found := np.flatnonzero(rows == k)) else -1 for k in range(len(names))]
    colours = [f"rgb({r},{g},{b})" for r, g, b in _colours(feature_map).tolist()]

    scatter = go.Scatter if dims == 2 else go.Scatter3d
    figure = go.Figure()
    if len(shown):
        figure.add_trace(
            scatter(
                **_coordinates(np.concatenate(crops)),
                mode="markers",
                name="training crops",
                text=[names[row] for row in rows] * len(crops),
                customdata=list(range(len(shown))) * len(crops),
                hovertemplate="%{text}<extra></extra>",
                marker={"size": 5 if dims == 2 else 3, "color": [colours[row] for row in rows] * len(crops)},
                opacity=0.7,
            )
        )
    if stacked:
        figure.add_trace(_class_lines(scatter, np.stack(classes), names, colours, cells))
    figure.add_trace(
        scatter(
            **_coordinates(classes[0]),
            mode="markers" if dims == 2 else "markers+text",
            name="textures",
            text=names,
            customdata=cells,
            hovertemplate="<b>%{text}</b><extra></extra>",
            textfont={"size": 9},
            marker={
                "size": 12 if dims == 2 else 6,
                "symbol": "square",
                "color": colours,
                "line": {"width": 1, "color": "white" if dims == 2 else "black"},
            },
        )
    )
    shown_sigma = float(feature_map.sigmas[level])
    noise = "by noise level" if stacked else f"at noise level σ = {shown_sigma:.3g}"
    figure.update_layout(
        title=f"{len(names)} textures by their features: {projection.upper()} {noise}",
        template="plotly_white",
        margin={"l": 10, "r": 10, "t": 50, "b": 10},
        legend={"orientation": "h", "y": 0, "itemsizing": "constant"},
        hovermode="closest",
    )
    _set_axes(figure, dims, stacked)
    if data is not None:
        _add_pictures(figure, feature_map, data, shown, classes[0], dims)
    return figure


def figure_html(figure: go.Figure, title: str) -> str:
    """Return a figure as a page that needs no internet: plotly's script is in it (5 MB).

    For a `map_figure` with `data`, the page shows the picture of the crop under the pointer.
    """
    html = figure.to_html(
        include_plotlyjs=True,
        post_script=HOVER_SCRIPT if figure.layout.meta else None,
        config={"responsive": True, "displaylogo": False},
        default_height="96vh",
    )
    head = f'<head><title>{title}</title><meta name="viewport" content="width=device-width">'
    return html.replace("<head>", head, 1)


def nearest_level(feature_map: FeatureMap, sigma: float) -> int:
    """Return the index of the noise level that is nearest to sigma on a logarithmic scale."""
    return int((feature_map.sigmas.double().log() - math.log(sigma)).abs().argmin())


def crop_picture(feature_map: FeatureMap, data: TextureFolder, index: int) -> Image.Image | None:
    """Return the picture of a training crop; None if the folder does not hold the crop's image."""
    name = feature_map.table.classes[int(feature_map.labels[index])]
    if name not in data.classes:
        return None
    regions, image = data.regions(name), int(feature_map.images[index])
    left, top = (int(v) for v in feature_map.corners[index])
    side = data.config.patch_size
    if image >= len(regions):
        return None
    crop = regions[image][:, top : top + side, left : left + side]
    return to_images(crop[None])[0] if crop.shape[1:] == (side, side) else None


def _check(feature_map: FeatureMap, projection: str, dims: int, sigma: float | None, third_axis: str) -> None:
    feature_map._check_projection(projection)
    if dims not in (2, 3):
        raise ValueError(f"dims={dims!r} must be 2 or 3")
    if third_axis not in THIRD_AXES:
        raise ValueError(f"third_axis={third_axis!r} must be one of {', '.join(THIRD_AXES)}")
    if third_axis == "sigma" and dims == 2:
        raise ValueError("third_axis='sigma' needs dims=3")
    if sigma is None:
        return
    if third_axis == "sigma":
        raise ValueError(
            f"sigma={sigma} and third_axis='sigma' exclude each other: all noise levels are shown"
        )
    low, high = (float(feature_map.sigmas[k]) for k in (0, -1))
    if not low * 0.999 <= sigma <= high * 1.001:
        raise ValueError(f"sigma={sigma} must be from {low:.3g} to {high:.3g}, the noise levels of the map")


def _evenly_spaced(count: int, most: int) -> np.ndarray:
    """Return at most `most` indices, evenly spread over `count`."""
    return (
        np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)) if count else np.arange(0)
    )


def _axes(points: np.ndarray) -> np.ndarray:
    """Return positions of the map in the axes of the figure: right, up; or right, back, up."""
    right, down = points[:, 0], points[:, 1]
    if points.shape[1] == 2:
        return np.column_stack([right, 1 - down])
    return np.column_stack([right, points[:, 2], 1 - down])


def _coordinates(points: np.ndarray) -> dict[str, list[float]]:
    rounded = np.asarray(points, dtype=np.float64).round(4)
    return {axis: rounded[:, k].tolist() for k, axis in enumerate("xyz"[: points.shape[1]])}


def _colours(feature_map: FeatureMap) -> np.ndarray:
    """Return the mean colours (C, 3) of the classes, darkened where they would vanish on white."""
    colours = (feature_map.table.colours.clamp(-1, 1).double() + 1) / 2
    luminance = colours @ torch.tensor([0.21, 0.72, 0.07], dtype=torch.float64)
    return (255 * colours * (0.75 / luminance.clamp(min=0.75))[:, None]).round().int().numpy()


def _class_lines(
    scatter: Any, classes: np.ndarray, names: list[str], colours: list[str], cells: list[int]
) -> Any:
    """Return one trace of a line for each class through its positions (S, C, 3)."""
    levels, count = classes.shape[:2]
    gaps = np.full((1, count, 3), np.nan)
    points = np.concatenate([classes, gaps]).transpose(1, 0, 2).reshape(-1, 3)
    rounded = [[None if math.isnan(v) else round(float(v), 4) for v in column] for column in points.T]
    return scatter(
        **dict(zip("xyz", rounded, strict=True)),
        mode="lines",
        name="textures through the noise",
        showlegend=False,  # one entry cannot have all colours
        text=[name for name in names for _ in range(levels + 1)],
        customdata=[cell for cell in cells for _ in range(levels + 1)],
        hovertemplate="%{text}, σ = %{z:.3g}<extra></extra>",
        line={"width": 3, "color": [colour for colour in colours for _ in range(levels + 1)]},
    )


def _set_axes(figure: go.Figure, dims: int, stacked: bool) -> None:
    plain = {"showticklabels": False, "zeroline": False, "title": ""}
    if dims == 2:
        figure.update_xaxes(**plain)
        figure.update_yaxes(**plain, scaleanchor="x", scaleratio=1 / 1.2)  # as wide as on the page
        return
    z = plain
    if stacked:
        z = {"type": "log", "autorange": "reversed", "title": "noise level σ", "dtick": 1}  # in decades
    eye = {"x": 1.1, "y": -1.3, "z": 0.35} if stacked else {"x": 0.4, "y": -1.5, "z": 0.3}
    figure.update_scenes(
        xaxis=plain,
        yaxis=plain,
        zaxis=z,
        aspectmode="manual",
        aspectratio={"x": 1.2, "y": 1.0, "z": 1.0},
        camera={"eye": eye, "projection": {"type": "perspective"}},
    )


def _add_pictures(
    figure: go.Figure,
    feature_map: FeatureMap,
    data: TextureFolder,
    shown: np.ndarray,
    positions: np.ndarray,
    dims: int,
) -> None:
    """Add thumbnails of the classes in 2D, and the sheet of the pictures of all shown crops."""
    side = float(np.clip(0.24 / np.sqrt(max(1, len(positions))), 0.012, 0.08))  # crops stay visible
    names = [name for name in feature_map.table.classes if name in data.classes]
    if dims == 2:
        rows = {name: row for row, name in enumerate(feature_map.table.classes)}
        figure.update_layout(
            images=[
                {
                    "source": _uri(_square(data.image(name), THUMBNAIL)),
                    "xref": "x",
                    "yref": "y",
                    "x": float(positions[rows[name], 0]),
                    "y": float(positions[rows[name], 1]),
                    "sizex": side,
                    "sizey": side * 1.2,
                    "xanchor": "center",
                    "yanchor": "middle",
                    "layer": "above",
                }
                for name in names
            ]
        )
    pictures = [crop_picture(feature_map, data, int(index)) for index in shown]
    if any(pictures):
        blank = Image.new("RGB", (CROP, CROP), "white")
        cells = [blank if picture is None else _square(picture, CROP) for picture in pictures]
        sheet = image_grid(cells, gap=0, background="white")
        meta = {"sheet": _uri(sheet), "columns": grid_columns(len(cells))}
        figure.update_layout(meta=meta)


def _square(image: Image.Image, side: int) -> Image.Image:
    edge = min(image.size)
    return image.crop((0, 0, edge, edge)).resize((side, side), Image.Resampling.LANCZOS)


def _uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=82)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
