"""The report as text: for a terminal, and for docs/results.md in Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from fgsd.evaluation.report import check_lines
from fgsd.evidence.figures import Cell, ReportResults, Table

MAIN_PART = "textures"  # docs/results.md shows its first table
NO_VALUE = "–"


def format_number(value: float | None) -> str:
    """A number as tables show it, with two or three significant digits."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NO_VALUE
    if isinstance(value, int) or value == 0:
        return f"{int(value):,}"
    size = abs(value)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3 if size >= 0.01 else 4
    return f"{value:.1e}" if 0 < size < 0.001 else f"{value:,.{decimals}f}"


def cell_text(cell: Cell) -> tuple[str, str]:
    """The text of a table cell, and its interval or an empty string."""
    if isinstance(cell, str):
        return cell, ""
    if cell is None or isinstance(cell, (int, float)):
        return format_number(cell), ""
    has_interval = len(cell) == 3 and cell[1] is not None
    interval = f"{format_number(cell[1])} to {format_number(cell[2])}" if has_interval else ""
    return format_number(cell[0]), interval


def best_cells(table: Table) -> set[tuple[int, int]]:
    """(row, column) of the best figures of a table, ties as printed included.

    A column in which all figures print alike has no best one.
    """
    found: set[tuple[int, int]] = set()
    for name, direction in table["best"].items():
        column = table["columns"].index(name)
        values: dict[int, float] = {}
        for row in table["compared"]:
            cell = table["rows"][row][column]
            value = cell[0] if isinstance(cell, list) else cell
            if isinstance(value, (int, float)):
                values[row] = value
        if len({format_number(value) for value in values.values()}) > 1:
            best = format_number((max if direction == "high" else min)(values.values()))
            found |= {(row, column) for row, value in values.items() if format_number(value) == best}
    return found


def check_text(one: dict[str, Any]) -> tuple[str, str, str, str]:
    """Figure, interval, target and verdict of a check."""
    unit = f" {one['unit']}" if one["unit"] else ""
    interval = "" if one["interval"] is None else "{} to {}".format(*map(format_number, one["interval"]))
    target = f"{one['relation']} {format_number(one['target'])}{unit}"
    value = NO_VALUE if one["value"] is None else format_number(one["value"]) + unit
    return value, interval, target, "pass" if one["passed"] else "short"


def markdown_table(table: Table) -> str:
    """A table in Markdown: the best figures in bold, intervals in brackets."""
    best = best_cells(table)
    lines = [_row(table["columns"]), _row(["---", *("--:" for _ in table["columns"][1:])])]
    for r, row in enumerate(table["rows"]):
        cells = []
        for c, cell in enumerate(row):
            value, interval = cell_text(cell)
            value = f"**{value}**" if (r, c) in best else value
            cells.append(f"{value} ({interval})" if interval else value)
        lines.append(_row(cells))
    return "\n".join(lines)


def readme_section(results: ReportResults, *, folder: str = "assets/evidence") -> str:
    """The section on the report in docs/results.md: answers, the main table, names of plots, and all checks.

    Parameters
    ----------
    results : ReportResults
        With at least one part.
    folder : str
        Folder of the report, as the section links to it.
    """
    parts = results["parts"]
    main = parts.get(MAIN_PART) or next(iter(parts.values()))
    sections = ["\n".join(f"- **{one['question']}** {one['answer']}" for one in parts.values())]
    for table in main["tables"][:1]:
        sections += [f"**{table['title']}**", markdown_table(table)]
        if table["note"]:
            sections.append(f"*{table['note']}*")
    plots = [one["title"] for part in parts.values() for one in part["plots"]]
    if plots:
        sections.append(f"*Plots, in [the report]({folder}/report.html): {'; '.join(plots)}.*")
    rows = [_row(["checked", "figure", "95 %", "target", ""]), _row(["---", "--:", "--:", "--:", "---"])]
    for one in (one for part in parts.values() for one in part["checks"]):
        rows.append(_row([one["name"], *check_text(one)]))
    return "\n\n".join([*sections, "\n".join(rows)]) + "\n"


def report_text(results: ReportResults) -> str:
    """Answers, and every checked figure beside its target, for a terminal."""
    machine = results["machine"]
    lines = [f"seed {results['seed']}, size {results['size']:g}, {machine['cpu']}, {machine['device']}"]
    for one in results["parts"].values():
        lines += ["", f"{one['title']}. {one['question']}", f"  {one['answer']}"]
    checks = check_lines({name: {"checks": part["checks"]} for name, part in results["parts"].items()})
    return "\n".join([*lines, "", *checks]) + "\n"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
