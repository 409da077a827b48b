"""Plots of the report as plotly figures, with colours for colour-blind readers and a mark for each series.

Colours are those of the light page; `DARK` has the dark page's in their place, which `page.js` exchanges.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import cycle
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from fgsd.evidence.figures import Plot, Series
from fgsd.palette import COLOURS, MARKS

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

INK, QUIET, RULE = "#1d1c1a", "#6a6762", "#dedbd5"
DARK = {  # the first three lightened: as they are, they are too dark on black
    **dict(zip(COLOURS, ("#3d9be0", "#f58a3c", "#1fbf8f", "#dd93bb", "#f0b429", "#7cc8f5"), strict=True)),
    INK: "#eeece6",
    QUIET: "#a09c94",
    RULE: "#34332f",
}
DASHES = ("solid", "dash", "dot", "dashdot")
COLUMNS = 4  # panels side by side
WIDTHS = {"x": 42, "y": 36}  # characters of the title of an axis, after which a line begins
FONT = "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def draw_plot(plot: Plot) -> Figure:
    """A plot as a figure, with one legend group for each name of a series.

    Intervals are bands around lines and bars at points; a value of None leaves a gap.
    """
    from plotly.graph_objects import Figure

    panels = list(dict.fromkeys(one.get("panel", "") for one in plot["series"])) or [""]
    figure = Figure(layout=_layout(plot, panels))
    looks = _looks(plot["series"])
    seen: set[str] = set()
    for one in plot["series"]:
        colour, mark, dash = looks[one["name"]]
        axis = panels.index(one.get("panel", "")) + 1
        shown = one["style"] != "path" and one["name"] not in seen  # the legend has the points of a path
        if shown:
            seen.add(one["name"])
        group = {"name": _escaped(one["name"]), "legendgroup": one["name"], "showlegend": shown}
        if axis > 1:
            group |= {"xaxis": f"x{axis}", "yaxis": f"y{axis}"}
        for trace in _traces(one, plot, colour, mark, dash):
            figure.add_trace({**group, **trace})
    for x, y, text in plot["labels"]:
        if x is not None and y is not None:
            figure.add_trace(_label(plot, float(x), float(y), str(text)))
    return figure


def _looks(all_series: Sequence[Series]) -> dict[str, tuple[str, str, str]]:
    """Colour, mark and dashes of each name; lines of reference and outlines are grey."""
    names = dict.fromkeys(one["name"] for one in all_series if one["style"] not in ("dashes", "outline"))
    looks = dict(
        zip(names, zip(cycle((*COLOURS, INK)), cycle(MARKS), cycle(DASHES), strict=False), strict=False)
    )
    grey = {one["name"]: (QUIET, "circle", "dash") for one in all_series if one["name"] not in looks}
    return looks | grey


def _traces(one: Series, plot: Plot, colour: str, mark: str, dash: str) -> Iterator[dict[str, Any]]:
    """The traces of a series, the band of its interval first, so that it lies under the line."""
    style = one["style"]
    if style == "bars":
        yield _bars(one, plot, colour)
    elif style == "dashes":
        names = _bar_names(plot)
        across = len(names) > 0  # bars lie on their side: lengths go across
        yield {
            "mode": "lines",
            "x": one["y"] if across else one["x"],
            "y": [names[0], names[-1]] if across else one["y"],
            "line": {"color": QUIET, "dash": "4px,3px", "width": 1.5},
            "hoverinfo": "name",
        }
    elif style == "outline":
        line = {"color": QUIET, "width": 1}
        yield {"mode": "lines", "x": one["x"], "y": one["y"], "line": line, "hoverinfo": "skip"}
    elif style == "path":
        line = {"color": colour, "width": 1}
        yield {"mode": "lines", "x": one["x"], "y": one["y"], "line": line, "hoverinfo": "skip"}
    else:
        line_style = style == "line"
        if line_style and "low" in one and "high" in one:
            yield _band(one, colour)
        trace: dict[str, Any] = {
            "mode": "lines+markers" if line_style else "markers",
            "x": one["x"],
            "y": one["y"],
            "marker": {
                "color": colour,
                "symbol": mark,
                "size": 7 if len(one["x"]) < 40 else 4,
                "opacity": 1 if line_style or len(one["x"]) < 100 else 0.6,  # many points hide each other
            },
            **_hover(one, plot),
        }
        if line_style:
            trace["line"] = {"color": colour, "dash": dash, "width": 1.8}
        elif "low" in one and "high" in one:
            trace["error_y"] = _error_bars(one, colour)
        yield trace


def _bars(one: Series, plot: Plot, colour: str) -> dict[str, Any]:
    names = [_escaped(name) for name in one.get("points", [])]
    trace: dict[str, Any] = {
        "type": "bar",
        "orientation": "h",
        "x": one["y"],
        "y": names,
        "marker": {"color": colour},
        **_hover(one, plot),
    }
    if "low" in one and "high" in one:
        trace["error_x"] = _error_bars(one, INK)
    return trace


def _bar_names(plot: Plot) -> list[str]:
    """Names of all bars, in the order in which they first occur."""
    series_of_bars = (one for one in plot["series"] if one["style"] == "bars")
    return list(dict.fromkeys(_escaped(name) for one in series_of_bars for name in one.get("points", [])))


def _error_bars(one: Series, colour: str) -> dict[str, Any]:
    up = [_difference(high, y) for high, y in zip(one["high"], one["y"], strict=True)]
    down = [_difference(y, low) for low, y in zip(one["low"], one["y"], strict=True)]
    return {"type": "data", "array": up, "arrayminus": down, "color": colour, "thickness": 1.3, "width": 3}


def _difference(a: float | None, b: float | None) -> float:
    return 0.0 if a is None or b is None else max(0.0, a - b)


def _band(one: Series, colour: str) -> dict[str, Any]:
    """A polygon around each stretch without gaps."""
    x: list[float | None] = []
    y: list[float | None] = []
    stretch: list[tuple[float, float, float]] = []
    for point in [*zip(one["x"], one["low"], one["high"], strict=True), (None, None, None)]:
        if None not in point:
            stretch.append(point)  # type: ignore[arg-type]
            continue
        if stretch:
            edge = [(at, low) for at, low, _ in stretch] + [(at, high) for at, _, high in reversed(stretch)]
            x += [*(at for at, _ in edge), edge[0][0], None]
            y += [*(value for _, value in edge), edge[0][1], None]
            stretch = []
    return {
        "mode": "lines",
        "x": x[:-1],
        "y": y[:-1],
        "fill": "toself",
        "fillcolor": colour,
        "opacity": 0.18,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
        "meta": "band",
    }


def _hover(one: Series, plot: Plot) -> dict[str, Any]:
    """What the pointer reads: the point's name, both values with their names, and the interval."""
    lying = one["style"] == "bars"
    n = len(one["x"])
    points = [""] * n if lying else [_escaped(p) for p in one.get("points", [""] * n)]
    lows, highs = one.get("low", [None] * n), one.get("high", [None] * n)
    intervals = [
        "" if low is None or high is None else f"<br>95 %: {low:.3g} to {high:.3g}"
        for low, high in zip(lows, highs, strict=True)
    ]
    names = [f"<b>{point}</b><br>" if point else "" for point in points]
    x, y = _escaped(plot["x"]), _escaped(plot["y"])
    if lying:
        text = f"<b>%{{y}}</b><br>{y}: %{{x:.3~g}}"
    elif x:
        text = f"%{{customdata[0]}}{y}: %{{y:.3~g}}<br>{x}: %{{x:.3~g}}"
    else:
        text = "%{customdata[0]}"
    return {
        "customdata": [list(pair) for pair in zip(names, intervals, strict=True)],
        "hovertemplate": f"{text}%{{customdata[1]}}<extra>{_escaped(one['name'])}</extra>",
    }


def _label(plot: Plot, x: float, y: float, text: str) -> dict[str, Any]:
    """A text at a point, in the legend group of the series that has the point."""
    owner = next((one for one in plot["series"] if (x, y) in zip(one["x"], one["y"], strict=True)), None)
    every_x = [v for one in plot["series"] for v in one["x"] if v is not None]
    middle = (min(every_x) + max(every_x)) / 2
    if plot["log_x"] and min(every_x) > 0:
        middle = math.sqrt(min(every_x) * max(every_x))
    return {
        "mode": "text",
        "x": [x],
        "y": [y],
        "text": [_escaped(text)],
        "textposition": "top right" if x < middle else "top left",  # within the axes
        "textfont": {"size": 11, "color": INK},
        "cliponaxis": False,
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": owner["name"] if owner else "",
        "meta": "label",
    }


def _layout(plot: Plot, panels: list[str]) -> dict[str, Any]:
    lying = any(one["style"] == "bars" for one in plot["series"])
    axis = {
        "gridcolor": RULE,
        "linecolor": QUIET,
        "tickcolor": QUIET,
        "showline": True,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "automargin": True,
    }
    x, y = (axis | _scale(plot, name) for name in ("x", "y"))
    layout: dict[str, Any] = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12.5, "color": INK},
        "margin": {"l": 8, "r": 16, "t": 8, "b": 8},
        "hovermode": "closest",
        "hoverlabel": {"font": {"family": FONT, "size": 12.5}, "align": "left"},
        "showlegend": len({one["name"] for one in plot["series"]}) > 1,
        "legend": {"orientation": "h", "y": -0.25, "itemsizing": "constant"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": QUIET, "activecolor": INK},
        "xaxis": x,
        "yaxis": y,
    }
    if lying:
        layout["yaxis"] = axis | {
            "categoryorder": "array",
            "categoryarray": _bar_names(plot),
            "autorange": "reversed",
            "showgrid": False,
            "ticks": "",
        }
        layout |= {"barmode": "overlay", "bargap": 0.3}  # each bar has a row of its own
        layout["xaxis"] |= {"rangemode": "tozero", "title": None}  # the caption says what they are
    if len(panels) > 1:
        layout |= _panels(plot, panels)
    return layout


def _scale(plot: Plot, name: str) -> dict[str, Any]:
    """Title and ticks of an axis, "x" or "y": plain numbers, few enough on a logarithmic one not to touch."""
    logarithmic = plot["log_x"] if name == "x" else plot["log_y"]
    scale: dict[str, Any] = {
        "title": {
            "text": _wrapped(plot["x"] if name == "x" else plot["y"], WIDTHS[name]),
            "font": {"size": 13},
        },
        "type": "log" if logarithmic else "linear",
        "tickformat": "~g",
        "hoverformat": ".3~g",
    }
    keys = ("x",) if name == "x" else ("y", "low", "high")
    values = [v for one in plot["series"] for key in keys for v in one.get(key, [])]  # type: ignore[attr-defined]
    positive = [v for v in values if v is not None and v > 0]
    if logarithmic and positive:
        decades = math.log10(max(positive) / min(positive))
        scale["nticks"] = min(8, max(3, int(decades / 0.31))) if decades >= 1 else 6  # 0.31: plotly's 1, 2, 5
    return scale


def _panels(plot: Plot, panels: list[str]) -> dict[str, Any]:
    """Axes of panels with one scale for all, equal in both directions, without ticks; and their titles."""
    ends = [v for one in plot["series"] if one["style"] == "outline" for v in (*one["x"], *one["y"])]
    reach = 1.25 * max((abs(v) for v in ends if v is not None), default=1.0)
    rows, gap, head = math.ceil(len(panels) / COLUMNS), 0.015, 0.06
    width, height = (1 + gap) / COLUMNS, 1 / rows
    layout: dict[str, Any] = {"annotations": []}
    for k, name in enumerate(panels):
        row, column = divmod(k, COLUMNS)
        left, top = column * width, 1 - row * height
        number = "" if k == 0 else str(k + 1)
        axis = {
            "range": [-reach, reach],
            "showticklabels": False,
            "showgrid": False,
            "zeroline": False,
            "mirror": True,
            "showline": True,
            "linecolor": RULE,
            "ticks": "",
        }
        matched = {"matches": "x"} if k else {}
        layout[f"xaxis{number}"] = (
            axis | matched | {"domain": [left, left + width - gap], "anchor": f"y{number}"}
        )
        layout[f"yaxis{number}"] = axis | {
            "domain": [top - height + gap, top - head],
            "anchor": f"x{number}",
            "scaleanchor": f"x{number}",
        }
        layout["annotations"].append(
            {
                "text": _escaped(name),
                "x": left + (width - gap) / 2,
                "y": top - head,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "center",
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"size": 13, "color": INK},
            }
        )
    return layout


def _wrapped(text: str, width: int) -> str:
    return "<br>".join(_escaped(line) for line in wrap(text, width))


def _escaped(text: str) -> str:
    """Text without markup of its own: plotly takes some for HTML."""
    return escape(text, quote=False)
