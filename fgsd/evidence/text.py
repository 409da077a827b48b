"""The report in words and figures: for a terminal, and for the README in Markdown."""

from __future__ import annotations

import math

from fgsd.evaluation.report import check_lines
from fgsd.evidence.figures import Cell

MAIN = "textures"  # the part whose first table and plot the README shows
NOTHING = "–"


def shown(value: float | None) -> str:
    """A number as tables show it: two or three digits that count."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if isinstance(value, int) or value == 0:
        return f"{int(value):,}"
    size = abs(value)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3 if size >= 0.01 else 4
    return f"{value:.1e}" if 0 < size < 0.001 else f"{value:,.{decimals}f}"


def cell_text(cell: Cell) -> tuple[str, str]:
    """What a cell of a table shows: the figure or the words, and its interval or nothing."""
    if isinstance(cell, str):
        return cell, ""
    if not isinstance(cell, (list, tuple)):
        return shown(cell), ""
    interval = f"{shown(cell[1])} to {shown(cell[2])}" if len(cell) == 3 and cell[1] is not None else ""
    return shown(cell[0]), interval


def best_cells(table: dict) -> set[tuple[int, int]]:
    """(row, column) of the best figures of a table, with those that look the same; none if all do."""
    found = set()
    for name, direction in table["best"].items():
        column = table["columns"].index(name)
        cells = {row: table["rows"][row][column] for row in table["compared"]}
        values = {row: c[0] if isinstance(c, list) else c for row, c in cells.items()}
        values = {row: v for row, v in values.items() if isinstance(v, (int, float))}
        if len({shown(value) for value in values.values()}) > 1:
            best = (max if direction == "high" else min)(values.values())
            found |= {(row, column) for row, value in values.items() if shown(value) == shown(best)}
    return found


def check_text(one: dict) -> tuple[str, str, str, str]:
    """Of a check: the figure, its interval, the target and the verdict."""
    unit = f" {one['unit']}" if one["unit"] else ""
    interval = "" if one["interval"] is None else "{} to {}".format(*map(shown, one["interval"]))
    target = f"{one['relation']} {shown(one['target'])}{unit}"
    value = NOTHING if one["value"] is None else shown(one["value"]) + unit
    return value, interval, target, "pass" if one["passed"] else "short"


def markdown_table(table: dict) -> str:
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


def readme_section(results: dict, *, folder: str = "assets/evidence") -> str:
    """What the README says of the report, all of it: answers, the main table, one plot, targets.

    Parameters
    ----------
    results : dict
        Of the report, with at least one part.
    folder : str
        Where the report lies, as the README links to it.
    """
    parts = results["parts"]
    main = parts.get(MAIN) or next(iter(parts.values()))
    blocks = [f"- **{one['question']}** {one['answer']}" for one in parts.values()]
    found = ["\n".join(blocks)]
    for table in main["tables"][:1]:
        found += [f"**{table['title']}**", markdown_table(table)]
        if table["note"]:
            found.append(f"*{table['note']}*")
    for plot in main["plots"][:1]:
        found.append(f"![{plot['title']}]({folder}/{plot['name']}.svg)")
        found.append(f"*{plot['title']}. {plot['note']}".rstrip() + "*")
    rows = [_row(["checked", "figure", "95 %", "target", ""]), _row(["---", "--:", "--:", "--:", "---"])]
    for one in (one for part in parts.values() for one in part["checks"]):
        rows.append(_row([one["name"], *check_text(one)]))
    return "\n\n".join([*found, "\n".join(rows)]) + "\n"


def report_text(results: dict) -> str:
    """Answers, and every checked figure beside its target, for a terminal."""
    machine, lines = results["machine"], []
    lines.append(f"seed {results['seed']}, size {results['size']:g}, {machine['cpu']}, {machine['device']}")
    for one in results["parts"].values():
        lines += ["", f"{one['title']}. {one['question']}", f"  {one['answer']}"]
    return "\n".join([*lines, "", *check_lines(results["parts"])]) + "\n"


def _row(cells) -> str:
    return "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"
