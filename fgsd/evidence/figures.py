"""Tables, plots and pictures of the report as plain data for JSON.

The page and the README are made from this data alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NotRequired, TypedDict

import numpy as np

Cell = str | int | float | Sequence[float] | None  # text, a number, [value, low, high], or no value
Values = Sequence[float] | np.ndarray


class Table(TypedDict):
    """See `table`."""

    title: str
    note: str
    columns: list[str]
    rows: list[list[Cell]]
    best: dict[str, str]
    compared: list[int]


class Series(TypedDict):
    """See `series`. A coordinate that is not finite becomes None in JSON."""

    name: str
    style: str
    x: list[float | None]
    y: list[float | None]
    low: NotRequired[list[float | None]]
    high: NotRequired[list[float | None]]
    points: NotRequired[list[str]]  # what each point stands for, such as a pair of classes
    panel: NotRequired[str]


class Plot(TypedDict):
    """See `plot`."""

    name: str
    title: str
    note: str
    x: str
    y: str
    log_x: bool
    log_y: bool
    series: list[Series]
    labels: list[list[float | str | None]]  # x, y, text


class Picture(TypedDict):
    """An image file beside the report."""

    file: str
    title: str
    note: str


class PartFigures(TypedDict):
    """What a part of the report measures and shows."""

    title: str
    question: str
    answer: str  # one paragraph, made from the figures
    checks: list[dict[str, Any]]  # see `fgsd.evaluation.checks.check`
    tables: list[Table]
    plots: list[Plot]
    pictures: list[Picture]
    figures: dict[str, Any]  # every number, for readers of the JSON


class PartResults(PartFigures):
    """A part as the report stores it."""

    networks: list[str]
    seconds: float  # of this run
    resumed: bool  # whether an earlier, interrupted run had measured some of it
    threads: int
    load: float | None


class ReportResults(TypedDict):
    """The whole report, as in report.json."""

    seed: int
    size: float
    machine: dict[str, Any]
    versions: dict[str, str]
    textures: dict[str, str]
    shipped: dict[str, Any] | None
    networks: dict[str, dict[str, Any]]
    parts: dict[str, PartResults]
    skipped: dict[str, list[str]]  # by part, the networks that are missing
    passed: bool


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    note: str = "",
    best: dict[str, str] | None = None,
    compared: Iterable[int] | None = None,
) -> Table:
    """A table; the first column names the rows.

    Parameters
    ----------
    rows : sequence of rows
        A cell (value, low, high) is a figure with its 95 % interval.
    best : dict, optional
        By column name, "high" or "low": which figures of the column are the best.
    compared : iterable of int, optional
        Numbers of the rows that compete for the best; by default all.

    Raises
    ------
    ValueError
        If a row does not have one cell for each column.
    """
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"row {list(row)} has {len(row)} cells; there are {len(columns)} columns")
    cells = [[list(c) if isinstance(c, (tuple, list)) else c for c in row] for row in rows]
    return {
        "title": title,
        "note": note,
        "columns": list(columns),
        "rows": cells,
        "best": best or {},
        "compared": list(range(len(rows)) if compared is None else compared),
    }


STYLES = ("line", "points", "dashes", "bars", "path", "outline")


def series(
    name: str,
    x: Values,
    y: Values,
    *,
    low: Values | None = None,
    high: Values | None = None,
    style: str = "line",
    points: Sequence[str] | None = None,
    panel: str = "",
) -> Series:
    """One series of a plot; series of the same name share a colour and an entry of the legend.

    Parameters
    ----------
    low, high : sequence of float, optional
        95 % intervals of `y`.
    style : {"line", "points", "dashes", "bars", "path", "outline"}
        "line" has a mark at each point; "dashes" is a line of reference; "bars" lie on their side, one for
        each of `points`, with their lengths in `y`; "path" is a thin line without marks; "outline" is a
        closed grey line around what is true. A coordinate that is not finite interrupts a line.
    points : sequence of str, optional
        What each point stands for, shown when it is hovered.
    panel : str, optional
        Title of the panel of the plot that it belongs to.

    Raises
    ------
    ValueError
        If the style is unknown, or not every point has a name.
    """
    if style not in STYLES:
        raise ValueError(f"style={style!r} must be one of {', '.join(STYLES)}")
    if points is not None and len(points) != len(x):
        raise ValueError(f"points has {len(points)} names for {len(x)} points")
    one: Series = {"name": name, "style": style, "x": [float(v) for v in x], "y": [float(v) for v in y]}
    if low is not None and high is not None:
        one |= {"low": [float(v) for v in low], "high": [float(v) for v in high]}
    if points is not None:
        one["points"] = list(points)
    if panel:
        one["panel"] = panel
    return one


def plot(
    name: str,
    title: str,
    all_series: Sequence[Series],
    *,
    x: str,
    y: str,
    log_x: bool = False,
    log_y: bool = False,
    note: str = "",
    labels: Sequence[tuple[float, float, str]] = (),
) -> Plot:
    """A plot of several `series`; `name` is its id on the page, and `labels` are texts at points (x, y)."""
    return {
        "name": name,
        "title": title,
        "note": note,
        "x": x,
        "y": y,
        "log_x": log_x,
        "log_y": log_y,
        "series": list(all_series),
        "labels": [list(label) for label in labels],
    }


def mean_over_seeds(values: Sequence[float]) -> list[float]:
    """Mean and its 95 % interval over independent seeds, by Student's t: [value, low, high].

    A single value has no interval: the result is [value].
    """
    from scipy.stats import t

    array = np.asarray(values, dtype=float)
    mean = float(array.mean())
    if len(array) < 2:
        return [mean]
    half = float(t.ppf(0.975, len(array) - 1) * array.std(ddof=1) / math.sqrt(len(array)))
    return [mean, mean - half, mean + half]
