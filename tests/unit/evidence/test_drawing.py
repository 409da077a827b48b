"""Plots as SVG: the same text each time, with everything that is in the figures."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from fgsd.evidence.drawing import INK, draw_plot, inline_svg
from fgsd.evidence.figures import Plot, plot, series

SVG = "{http://www.w3.org/2000/svg}"


def lines(n: int = 2, **options) -> Plot:
    all_series = [series(f"way {k}", [0.1, 1, 10], [1 + k, 2 + k, 3 + k]) for k in range(n)]
    return plot("some-lines", "Some <lines>", all_series, x="noise level σ", y="error", **options)


def texts(svg: str) -> list[str]:
    return [one.text for one in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def colours(svg: str) -> set[str]:
    """Colours of lines of width 1.6, which are those of series."""
    return set(re.findall(r"stroke: (#\w+); stroke-width: 1\.6", svg))


def test_a_plot_always_gives_the_same_text_and_no_date():
    one = lines()
    assert draw_plot(one) == draw_plot(one)
    assert draw_plot(one) != draw_plot(one | {"x": "something else"})
    assert "date" not in draw_plot(one).lower()


def test_axes_names_and_labels_are_text():
    found = texts(draw_plot(lines(labels=[(1, 2, "moss & co")])))
    for text in ("noise level σ", "error", "way 0", "way 1", "moss & co"):
        assert text in found


def test_a_long_name_of_an_axis_takes_several_lines():
    found = texts(draw_plot(lines() | {"y": "divergence for each unit of the logarithm of sigma, in nats"}))
    assert max(len(one) for one in found) <= 44


@pytest.mark.parametrize("n", [2, 7])
def test_every_series_has_a_colour_and_a_mark_of_its_own(n):
    svg = draw_plot(lines(n))
    assert len(colours(svg)) == n
    # each mark is a shape that is defined once and used at the three points and in the legend
    uses = re.findall(r'<use xlink:href="#(\w+)" [^>]*style="fill: #(?!6a6762)', svg)
    assert len(set(uses)) == n and len(uses) == 4 * n


def test_more_series_than_colours_differ_in_their_marks():
    svg = draw_plot(lines(9))
    uses = set(re.findall(r'<use xlink:href="#(\w+)" [^>]*style="fill: #(?!6a6762)', svg))
    assert len(uses) == 9


def test_intervals_are_bands_of_lines_and_bars_of_points():
    values = {"low": [0.5, 1.5], "high": [1.5, 2.5]}
    line, points = (
        draw_plot(plot("p", "p", [series("a", [1, 2], [1, 2], style=style, **values)], x="x", y="y"))
        for style in ("line", "points")
    )
    assert "FillBetweenPolyCollection" in line and "LineCollection" not in line
    assert "LineCollection" in points and "FillBetweenPolyCollection" not in points


def test_a_missing_figure_leaves_a_gap():
    whole = plot("p", "p", [series("a", [1, 2, 3], [1, 2, 3])], x="x", y="y")
    gap = plot("p", "p", [series("a", [1, 2, 3], [1, 2, 3]) | {"y": [1, None, 3]}], x="x", y="y")
    marks = [
        len(re.findall(r'<use xlink:href="#\w+" [^>]*style="fill: #0072b2', draw_plot(p)))
        for p in (whole, gap)
    ]
    assert marks == [3, 2]
    assert "moss" not in draw_plot(whole | {"labels": [[1, None, "moss"]]})


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.02, 0.1, 20], {"0.1", "1", "10"}),
        ([0.8, 1.0, 1.4], {"0.9", "1.2"}),
        ([1e-4, 1, 1e4], {"0.01", "1", "100"}),
    ],
)
def test_logarithmic_axes_have_plain_numbers(values, ticks):
    one = plot("p", "p", [series("a", [1, 2, 3], values)], x="x", y="y", log_y=True)
    found = texts(draw_plot(one))
    assert ticks <= set(found)
    assert len(found) >= 6


def test_inside_a_page_the_plot_uses_the_colours_of_the_page():
    svg = inline_svg(draw_plot(lines()), 'Some <lines> & "marks"')
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img" and root.get("aria-label") == 'Some <lines> & "marks"'
    assert INK not in svg and "var(--ink)" in svg
    assert not root.findall(f".//{SVG}style") and not root.findall(f".//{SVG}metadata")


def test_plots_of_one_page_share_no_id():
    first, second = (inline_svg(draw_plot(lines() | {"name": name}), name) for name in ("one", "two"))
    names = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (first, second)]
    assert names[0] and names[1] and not names[0] & names[1]
    for svg, known in zip((first, second), names, strict=True):
        used = set(re.findall(r'"#([^"]+)"|url\(#([^)]+)\)', svg))
        assert {a or b for a, b in used} <= known
