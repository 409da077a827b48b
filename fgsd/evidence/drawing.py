"""Plots of the report as SVG, with colours for colour-blind readers and a different mark for each series.

The same plot always gives the same text, so measuring again changes only the files whose figures change.
"""

from __future__ import annotations

import io
import re
from itertools import cycle
from textwrap import fill
from typing import Any

import numpy as np

from fgsd.evidence.figures import Plot, Series

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito
INK, QUIET, RULE, PAPER = "#1d1c1a", "#6a6762", "#dedbd5", "#fffefc"
MARKS: tuple[str, ...] = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[str | tuple, ...] = ("-", (0, (5, 1.5)), (0, (2, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
SIZE = (6.2, 4.3)  # inches
STYLE = {
    "svg.fonttype": "none",  # text, not paths: it can be searched and read aloud, at a quarter of the size
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Helvetica", "Arial", "sans-serif"],
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "mathtext.fontset": "dejavusans",
}


def draw_plot(plot: Plot) -> str:
    """The text of an SVG file.

    Intervals are bands around lines and bars at points; a value of None leaves a gap.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # the salt makes ids inside a file reproducible, and different from those of other plots on the page
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": plot["name"]}):
        figure = Figure(figsize=SIZE, facecolor=PAPER, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot(facecolor="none")
        axes.set_axisbelow(True)
        looks = zip(cycle((*COLOURS, INK)), cycle(MARKS), cycle(DASHES), strict=False)
        for one, look in zip(plot["series"], looks, strict=False):
            _draw_series(axes, one, *look)
        for x, y, text in plot["labels"]:
            if x is None or y is None:
                continue
            axes.annotate(str(text), (x, y), (4, 4), textcoords="offset points", fontsize=8, color=INK)
        axes.set(xlabel=fill(plot["x"], 60), ylabel=fill(plot["y"], 44))  # wrapped to the axes' lengths
        for name, logarithmic in (("x", plot["log_x"]), ("y", plot["log_y"])):
            if logarithmic:
                _set_log_scale(axes, name)
        if len(plot["series"]) > 1:
            figure.legend(loc="outside lower center", ncols=_columns(plot["series"]), fontsize=9)
        buffer = io.StringIO()
        no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=no_metadata)
    return buffer.getvalue()


def inline_svg(svg: str, title: str) -> str:
    """A drawing as an element of the page, with the page's colour variables; `title` is its label for screen
    readers."""
    from html import escape

    svg = svg[svg.index("<svg") :]  # HTML allows no XML declaration
    # a style element would apply to the whole page
    svg = re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", svg, flags=re.DOTALL)
    # matplotlib numbers its groups from 1 in each drawing, so ids would clash; nothing refers to them
    svg = re.sub(r'<g id="[\w.]+_\d+">', "<g>", svg)
    names = {INK: "ink", QUIET: "quiet", RULE: "line", PAPER: "raised", COLOURS[0].lower(): "blue"}
    for colour, variable in names.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(title, quote=True)}" ', 1)


def _draw_series(axes: Any, one: Series, colour: str, mark: str, dashes: str | tuple) -> None:
    x, y = _with_gaps(one["x"]), _with_gaps(one["y"])
    if one["style"] == "dashes":  # a reference line
        axes.plot(x, y, color=QUIET, linestyle=(0, (3, 2)), linewidth=1.3, label=one["name"])
        return
    line = one["style"] == "line"
    axes.plot(
        x,
        y,
        color=colour,
        marker=mark,
        linestyle=dashes if line else "none",
        linewidth=1.6,
        markersize=5,
        alpha=1 if line or len(x) < 100 else 0.6,  # many points would hide each other
        label=one["name"],
    )
    if "low" not in one or "high" not in one:
        return
    low, high = _with_gaps(one["low"]), _with_gaps(one["high"])
    if line:
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    else:
        bars = np.stack([y - low, high - y]).clip(min=0)
        axes.errorbar(x, y, yerr=bars, fmt="none", ecolor=colour, elinewidth=1.2, capsize=3)


def _with_gaps(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def _set_log_scale(axes: Any, name: str) -> None:
    """Make an axis logarithmic, with plain numbers at its ticks and enough of them to estimate values."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    getattr(axes, f"set_{name}scale")("log")
    axis = getattr(axes, f"{name}axis")
    low, high = sorted(axis.get_view_interval())
    decades = np.log10(high / low) if low > 0 else 9
    if decades < 0.7:
        axis.set_major_locator(MaxNLocator(6))
    else:
        axis.set_major_locator(
            LogLocator(subs=(1,) if decades > 3.5 else (1, 3) if decades > 1.5 else (1, 2, 5))
        )
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _columns(all_series: list[Series]) -> int:
    """Number of columns of the legend that the longest name leaves room for."""
    longest = max(len(one["name"]) for one in all_series)
    return max(1, min(len(all_series), 4, 82 // (longest + 8)))
