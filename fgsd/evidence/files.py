"""The files of the report: JSON with every number, a drawing of every plot, and the page."""

from __future__ import annotations

import json
from pathlib import Path

from fgsd.atomic import write_atomically
from fgsd.evidence.drawing import draw
from fgsd.evidence.page import report_page

JSON, PAGE = "report.json", "report.html"


def write_report(results: dict, out: Path) -> None:
    """Write the report beside its pictures; drawings and pictures of the one before alone are removed."""
    left = files_of(read_report(out)) - files_of(results)
    drawings = {plot["name"]: draw(plot) for part in results["parts"].values() for plot in part["plots"]}
    for name, svg in drawings.items():
        _write(out / f"{name}.svg", svg)
    page = report_page(results, drawings, lambda name: (out / name).read_bytes())
    _write(out / JSON, json.dumps(results, indent=1, allow_nan=False) + "\n")
    _write(out / PAGE, page)
    for name in left:
        (out / name).unlink(missing_ok=True)


def read_report(out: Path) -> dict | None:
    """The results that lie in a folder; None if there are none, or what is there cannot be read."""
    try:
        results = json.loads((out / JSON).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return results if isinstance(results, dict) and isinstance(results.get("parts"), dict) else None


def files_of(results: dict | None) -> set[str]:
    """Names of drawings and pictures."""
    found: set[str] = set()
    for part in (results or {"parts": {}})["parts"].values():
        found |= {f"{plot['name']}.svg" for plot in part["plots"]}
        found |= {Path(picture["file"]).name for picture in part["pictures"]}
    return found


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda p: p.write_text(text, encoding="utf-8"))
