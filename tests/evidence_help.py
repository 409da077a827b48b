"""A small report for tests: parts whose figures are known, on networks that were never trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from fgsd.evaluation.checks import check
from fgsd.evidence.figures import plot, series, table
from fgsd.evidence.parts import Part
from fgsd.evidence.report import report
from fgsd.evidence.report_context import Workbench

QUESTION = "Which is the larger, one < or two?"


def counted(bench: Workbench) -> dict:
    """A part: one unit of measuring, a table, two plots and a picture."""
    found = bench.units.get("counted: dimension", lambda: _measured(bench))
    gradient = np.linspace(0, 255, 40 * 60 * 3).reshape(40, 60, 3).astype(np.uint8)
    return {
        "title": "Counting",
        "question": QUESTION,
        "answer": f"There are {found['dimension']} features.",
        "checks": [
            check("features", found["dimension"], at_least=1),
            check("seconds of nothing", 2.5, at_most=1.0, interval=(2.25, 2.75), unit="s"),
        ],
        "tables": [
            table(
                "Methods & figures",
                ["method", "evaluations", "accuracy", "error"],
                [
                    ["ours", 16, [0.912, 0.9, 0.93], 0.25],
                    ["theirs", 32, [0.874, 0.85, 0.9], 0.125],
                    ["real", None, [0.999], 0.0],
                ],
                best={"accuracy": "high", "error": "low"},
                compared=[0, 1],
                note="Over <seeds>.",
            )
        ],
        "plots": [
            plot(
                "counted-lines",
                "Lines & marks",
                [
                    series("ours", [0.1, 1, 10], [0.1, 0.2, 0.3], low=[0.05, 0.1, 0.2], high=[0.2, 0.3, 0.4]),
                    series("theirs", [0.1, 1, 10], [0.2, 0.3, float("nan")]),
                    series("target", [0.1, 10], [0.15, 0.15], style="dashes"),
                ],
                x="noise level σ",
                y="error",
                log_x=True,
                log_y=True,
                note="Lower is better.",
            ),
            plot(
                "counted-points",
                "Points",
                [series("classes", [1, 2, 3], [1, 4, 2], style="points")],
                x="distance",
                y="divergence",
                labels=[(2, 4, "moss")],
            ),
        ],
        "pictures": [
            {
                "file": bench.picture("counted-picture", Image.fromarray(gradient)),
                "title": "A gradient",
                "note": "From black to white.",
            }
        ],
        "figures": {"dimension": found["dimension"]},
    }


def _measured(bench: Workbench) -> dict:
    return {"dimension": bench.checkpoint("features").table.dimension}


def plain_part(name: str, value: float = 1.0) -> dict:
    """A part that shows nothing but one checked figure."""
    return {
        "title": name,
        "question": f"What of {name}?",
        "answer": f"{name} is {value}.",
        "checks": [check(name, value, at_least=0.5)],
        "tables": [],
        "plots": [],
        "pictures": [],
        "figures": {"value": value},
    }


def some_parts() -> dict[str, Part]:
    return {
        "counted": Part(counted, ("features",)),
        "other": Part(lambda bench: plain_part("other"), ("labels",)),
    }


def copies(checkpoint: Path, folder: Path) -> Path:
    """A folder of networks in which every one that the parts need is a copy of a checkpoint."""
    for name in ("features", "labels"):
        shutil.copytree(checkpoint, folder / name)
    return folder


def reported(networks: Path, folder: Path, chosen=None, **options) -> dict:
    """The last results of a report; `folder` gets its pictures, and beside them what is kept on the way."""
    *_, results = report(
        chosen,
        **{
            "networks": networks,
            "textures": networks / "no-images",
            "shipped": networks / "not-shipped",
            "out": folder,
            "scratch": folder / "scratch",
            "parts": some_parts(),
            **options,
        },
    )
    return results
