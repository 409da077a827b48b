"""Plots as figures of plotly: everything that is in the data, and colours that the page can exchange."""

from __future__ import annotations

import json
import re

import pytest

from fgsd.evidence.drawing import DARK, draw_plot
from fgsd.evidence.figures import Plot, plot, series
from fgsd.palette import COLOURS, MARKS


def lines(n: int = 2, **options) -> Plot:
    all_series = [series(f"way {k}", [0.1, 1, 10], [1 + k, 2 + k, 3 + k]) for k in range(n)]
    return plot("some-lines", "Some <lines>", all_series, x="noise level σ", y="error", **options)


def drawn(one: Plot) -> dict:
    return json.loads(draw_plot(one).to_json())


def text_of(trace: dict, k: int) -> str:
    """What the pointer reads at point `k` of a trace."""
    text = trace["hovertemplate"]
    values = {"x": trace["x"][k], "y": trace["y"][k]}
    text = re.sub(r"%\{customdata\[(\d)\]\}", lambda m: trace["customdata"][k][int(m[1])], text)
    return re.sub(r"%\{(x|y)[^}]*\}", lambda m: str(values[m[1]]), text)


def test_the_axes_have_the_names_and_scales_of_the_plot():
    layout = drawn(lines(log_x=True))["layout"]
    assert layout["xaxis"]["title"]["text"] == "noise level σ" and layout["xaxis"]["type"] == "log"
    assert layout["yaxis"]["title"]["text"] == "error" and layout["yaxis"]["type"] == "linear"
    long = drawn(lines() | {"y": "divergence for each unit of the logarithm of sigma, in nats"})["layout"]
    assert max(map(len, long["yaxis"]["title"]["text"].split("<br>"))) <= 36


@pytest.mark.parametrize("n", [2, 7, 9])
def test_every_series_has_a_look_and_a_group_of_its_own(n):
    data = drawn(lines(n))["data"]
    looks = {(one["marker"]["color"], one["marker"]["symbol"]) for one in data}
    assert len(looks) == n == len({one["legendgroup"] for one in data})
    assert data[0]["marker"]["color"] == COLOURS[0] and data[0]["marker"]["symbol"] == MARKS[0]


def test_every_colour_has_one_for_the_dark_page():
    whole = plot(
        "p",
        "p",
        [
            series("a", [1, 2], [1, 2], low=[0.5, 1.5], high=[1.5, 2.5]),
            series("target", [1, 2], [1, 1], style="dashes"),
            series("true", [1, 2], [1, 1], style="outline"),
        ],
        x="x",
        y="y",
        labels=[(1, 1, "moss")],
    )
    figure = draw_plot(whole)
    figure.layout.template = None
    used = set(re.findall(r'"(#\w{6})"', figure.to_json()))
    assert used and used <= DARK.keys()
    assert len(set(DARK.values())) == len(DARK) and not set(DARK.values()) & DARK.keys()


def test_intervals_are_bands_of_lines_and_bars_of_points():
    values = {"low": [0.5, 1.5], "high": [1.5, 2.5]}
    line, points = (
        drawn(plot("p", "p", [series("a", [1, 2], [1, 2], style=style, **values)], x="x", y="y"))["data"]
        for style in ("line", "points")
    )
    band, middle = line
    assert band["fill"] == "toself" and band["legendgroup"] == middle["legendgroup"]
    assert band["x"] == [1, 2, 2, 1, 1] and band["y"] == [0.5, 1.5, 2.5, 1.5, 0.5]
    assert not band["showlegend"] and middle["showlegend"]
    [alone] = points
    assert alone["error_y"]["array"] == [0.5, 0.5] and "95 %: 0.5 to 1.5" in text_of(alone, 0)


def test_a_missing_figure_leaves_a_gap_in_the_line_and_in_its_band():
    one = series("a", [1, 2, 3], [1, 2, 3], low=[0, 1, 2], high=[2, 3, 4])
    gap = plot("p", "p", [one | {"y": [1, None, 3], "low": [0, None, 2]}], x="x", y="y")
    band, line = drawn(gap)["data"]
    assert line["y"] == [1, None, 3] and not line.get("connectgaps")
    assert band["x"] == [1, 1, 1, None, 3, 3, 3]
    assert len(drawn(gap | {"labels": [[1, None, "moss"]]})["data"]) == 2


def test_the_pointer_reads_the_name_of_a_point_and_its_values():
    pairs = series("pairs", [1, 2], [3, 4], style="points", points=["moss – slate", "a < b"])
    [trace] = drawn(plot("p", "p", [pairs], x="distance", y="nats"))["data"]
    assert text_of(trace, 0) == "<b>moss – slate</b><br>nats: 3.0<br>distance: 1.0<extra>pairs</extra>"
    assert "<b>a &lt; b</b>" in text_of(trace, 1)
    with pytest.raises(ValueError, match="points has 1 names for 2 points"):
        series("pairs", [1, 2], [3, 4], points=["moss"])
    with pytest.raises(ValueError, match="style='dots' must be one of line, points"):
        series("pairs", [1], [3], style="dots")


def test_a_label_goes_with_the_series_that_has_its_point():
    data = drawn(lines(labels=[(1, 3, "moss & co"), (10, 99, "alone")]))["data"]
    labels = [one for one in data if one["mode"] == "text"]
    assert [(one["text"], one["legendgroup"]) for one in labels] == [
        (["moss &amp; co"], "way 1"),
        (["alone"], ""),
    ]
    # within the axes: to the right on their left half, else to the left
    assert [one["textposition"] for one in labels] == ["top right", "top left"]


def test_bars_lie_beside_their_names_in_order():
    features = series(
        "features", [0, 1], [0.9, 0.6], low=[0.8, 0.5], high=[1, 0.7], style="bars", points=["b", "a"]
    )
    labels = series("labels", [0], [0.5], style="bars", points=["c"])
    target = series("target", [0, 1], [0.8, 0.8], style="dashes")
    figure = drawn(plot("p", "p", [features, labels, target], x="", y="share"))
    first, second, line = figure["data"]
    assert first["orientation"] == "h" and (first["x"], first["y"]) == ([0.9, 0.6], ["b", "a"])
    assert figure["layout"]["yaxis"]["categoryarray"] == ["b", "a", "c"]
    assert text_of(first, 0) == "<b>b</b><br>share: 0.9<br>95 %: 0.8 to 1<extra>features</extra>"
    assert second["marker"]["color"] != first["marker"]["color"]
    assert line["x"] == [0.8, 0.8] and line["y"] == ["b", "c"]


def test_panels_share_one_scale_and_one_legend():
    all_series = [
        series(name, [0, 1], [0, 2], style=style, panel=panel)
        for panel in ("exact", "ours")
        for name, style in (("true", "outline"), ("moss", "path"), ("moss", "points"))
    ]
    figure = drawn(plot("p", "p", all_series, x="", y=""))
    layout = figure["layout"]
    assert [one["text"] for one in layout["annotations"]] == ["exact", "ours"]
    assert layout["xaxis"]["range"] == layout["yaxis2"]["range"] == [-2.5, 2.5]
    assert [one.get("xaxis", "x") for one in figure["data"]] == ["x"] * 3 + ["x2"] * 3
    assert [one["legendgroup"] for one in figure["data"] if one["showlegend"]] == ["true", "moss"]
    moss = [one for one in figure["data"] if one["legendgroup"] == "moss"]
    assert len({(one.get("marker") or one["line"])["color"] for one in moss}) == 1


@pytest.mark.parametrize(
    ("values", "least", "most"), [([0.02, 20], 5, 9), ([0.8, 1.4], 6, 6), ([1e-4, 1e4], 8, 8)]
)
def test_logarithmic_axes_have_plain_numbers_that_do_not_touch(values, least, most):
    one = plot("p", "p", [series("a", [1, 2], values)], x="x", y="y", log_y=True)
    axis = drawn(one)["layout"]["yaxis"]
    assert axis["tickformat"] == "~g" and least <= axis["nticks"] <= most
