"""What a part of the report hands on: tables, plots and pictures, as plain data for JSON.

The page, the README and the plots are all drawn from this data alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Cell = str | int | float | Sequence[float] | None  # text, a number, (value, low, high), or nothing


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    note: str = "",
    best: dict[str, str] | None = None,
    compared: Sequence[int] | None = None,
) -> dict:
    """A table; the first column names the rows.

    Parameters
    ----------
    rows : sequence of rows
        A cell (value, low, high) is a figure with its 95 % interval.
    best : dict, optional
        Of column name to "high" or "low": which figures of the column are the best.
    compared : sequence of int, optional
        Numbers of the rows that compete for the best; by default all.
    """
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"row {list(row)} has {len(row)} cells, there are {len(columns)} columns")
    cells = [[list(c) if isinstance(c, (tuple, list)) else c for c in row] for row in rows]
    return {
        "title": title,
        "note": note,
        "columns": list(columns),
        "rows": cells,
        "best": best or {},
        "compared": list(range(len(rows)) if compared is None else compared),
    }


def series(
    name: str,
    x: Sequence[float],
    y: Sequence[float],
    *,
    low: Sequence[float] | None = None,
    high: Sequence[float] | None = None,
    style: str = "line",
) -> dict:
    """One series of a plot: "line" (with a mark at each point), "points" or "dashes"."""
    found = {"name": name, "style": style, "x": [float(v) for v in x], "y": [float(v) for v in y]}
    if low is not None and high is not None:
        found |= {"low": [float(v) for v in low], "high": [float(v) for v in high]}
    return found


def plot(
    name: str,
    title: str,
    all_series: Sequence[dict],
    *,
    x: str,
    y: str,
    log_x: bool = False,
    log_y: bool = False,
    note: str = "",
    labels: Sequence[tuple[float, float, str]] = (),
) -> dict:
    """A plot of some `series`, drawn to `name`.svg; `labels` are words at places (x, y)."""
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


def over_seeds(values: Sequence[float]) -> list[float]:
    """Mean and its 95 % interval over independent seeds, by Student's t: [value, low, high].

    One value has no interval: it is given alone, as [value].
    """
    from scipy.stats import t

    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    if len(values) < 2:
        return [mean]
    half = float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    return [mean, mean - half, mean + half]
