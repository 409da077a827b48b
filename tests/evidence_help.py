"""A small report for tests: parts with known figures, on untrained networks."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fgsd.evaluation.checks import check
from fgsd.evidence.figures import PartFigures, plot, series, table
from fgsd.evidence.parts import Part
from fgsd.evidence.report import report
from fgsd.evidence.report_context import ReportContext

QUESTION = "Which is the larger, one < or two?"


def colours_and_grain(x: torch.Tensor) -> np.ndarray:
    """Features (N, 9) without any network: mean, deviation and roughness of each channel."""
    rough = (x[..., 1:] - x[..., :-1]).abs().mean(dim=(2, 3))
    return torch.cat([x.mean(dim=(2, 3)), x.std(dim=(2, 3)), rough], dim=1).numpy()


def counted(context: ReportContext) -> PartFigures:
    """A part: one cached result, a table, two plots and a picture."""
    found = context.cache.get("counted: dimension", lambda: _measured(context))
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
                [series("classes", [1, 2, 3], [1, 4, 2], style="points", points=["ore", "moss", "<slate>"])],
                x="distance",
                y="divergence",
                labels=[(2, 4, "moss")],
            ),
        ],
        "pictures": [
            {
                "file": context.save_picture("counted-picture", Image.fromarray(gradient)),
                "title": "A gradient",
                "note": "From black to white.",
            }
        ],
        "figures": {"dimension": found["dimension"]},
    }


def _measured(context: ReportContext) -> dict:
    return {"dimension": context.checkpoint("features").table.dimension}


def plain_part(name: str, value: float = 1.0) -> PartFigures:
    """A part that shows one checked figure only."""
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
    """Two parts: "counted", which needs "features", and "other", which needs "labels"."""
    return {
        "counted": Part(counted, ("features",)),
        "other": Part(lambda context: plain_part("other"), ("labels",)),
    }


def copies(checkpoint: Path, folder: Path) -> Path:
    """A folder of the networks that the parts need, all of them copies of one checkpoint."""
    for name in ("features", "labels"):
        shutil.copytree(checkpoint, folder / name)
    return folder


def reported(networks: Path, folder: Path, chosen=None, **options) -> dict:
    """The last results of a report; its pictures and intermediate results go to `folder`."""
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
