"""The files of the report: JSON with every number, pictures, and the page."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import cast

from fgsd.atomic import Write, current_path, write_together
from fgsd.evidence.figures import ReportResults
from fgsd.evidence.page import report_page
from fgsd.evidence.report_context import PICTURES

JSON, PAGE = "report.json", "report.html"


def write_report(results: ReportResults, out: Path) -> None:
    """Replace the report with its pictures, all or none; those of the previous one are removed.

    A picture comes from the folder `PICTURES`, which is then removed, or else from the previous report.
    """
    names = asset_names(results)
    stale = asset_names(read_report(out)) - names
    new = {name: path for name in names if (path := out / PICTURES / name).exists()}
    paths = {name: new.get(name, current_path(out, name)) for name in names}
    page = report_page(results, lambda name: paths[name].read_bytes())
    texts = {JSON: json.dumps(results, indent=1, allow_nan=False) + "\n", PAGE: page}
    writes: dict[str, Write] = {name: partial(shutil.copyfile, path) for name, path in new.items()}
    writes |= {name: partial(_write_text, text) for name, text in texts.items()}
    write_together(out, writes, remove=stale)
    shutil.rmtree(out / PICTURES, ignore_errors=True)


def read_report(out: Path) -> ReportResults | None:
    """The results stored in a folder; None if there are none or the file is damaged."""
    try:
        results = json.loads(current_path(out, JSON).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(results, dict) or not isinstance(results.get("parts"), dict):
        return None
    return cast(ReportResults, results)


def asset_names(results: ReportResults | None) -> set[str]:
    """File names of the pictures of a report."""
    names: set[str] = set()
    for part in results["parts"].values() if results else ():
        names |= {Path(picture["file"]).name for picture in part["pictures"]}
    return names


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
