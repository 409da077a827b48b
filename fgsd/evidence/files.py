"""The files of the report: JSON with every number, an SVG file for each plot, and the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from fgsd.atomic import write_atomically
from fgsd.evidence.drawing import draw_plot
from fgsd.evidence.figures import ReportResults
from fgsd.evidence.page import report_page

JSON, PAGE = "report.json", "report.html"


def write_report(results: ReportResults, out: Path) -> None:
    """Write the report beside its pictures, and remove plots and pictures that only the previous one had."""
    stale = asset_names(read_report(out)) - asset_names(results)
    drawings = {plot["name"]: draw_plot(plot) for part in results["parts"].values() for plot in part["plots"]}
    for name, svg in drawings.items():
        _write(out / f"{name}.svg", svg)
    page = report_page(results, drawings, lambda name: (out / name).read_bytes())
    _write(out / JSON, json.dumps(results, indent=1, allow_nan=False) + "\n")
    _write(out / PAGE, page)
    for name in stale:
        (out / name).unlink(missing_ok=True)


def read_report(out: Path) -> ReportResults | None:
    """The results stored in a folder; None if there are none or the file is damaged."""
    try:
        results = json.loads((out / JSON).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(results, dict) or not isinstance(results.get("parts"), dict):
        return None
    return cast(ReportResults, results)


def asset_names(results: ReportResults | None) -> set[str]:
    """File names of the plots and pictures of a report."""
    names: set[str] = set()
    for part in results["parts"].values() if results else ():
        names |= {f"{plot['name']}.svg" for plot in part["plots"]}
        names |= {Path(picture["file"]).name for picture in part["pictures"]}
    return names


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda p: p.write_text(text, encoding="utf-8"))
