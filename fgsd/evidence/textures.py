"""Textures: samples guided by features against those of labels, with and without classifier-free guidance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fgsd.evaluation import diversity, memorisation
from fgsd.evidence.comparison import (
    FEW_STEPS,
    HELD_OUT,
    SEEDS,
    SHIPPED_CROPS,
    STEPS,
    STRENGTHS,
    TRAINING,
    Lines,
    Runs,
    best_on_curve,
    check_over_seeds,
    ratios,
    real_runs,
    related,
    sample_runs,
    seconds_an_image,
    shipped_runs,
)
from fgsd.evidence.comparison_sheet import texture_picture
from fgsd.evidence.figures import over_seeds, plot, series, table
from fgsd.evidence.report_context import WEIGHTS, Workbench

LIKENESS = {  # column, and which figures are the best
    "accuracy": ("class accuracy", "high"),
    "of_ceiling": ("of that of held-out crops", "high"),
    "frechet": ("Fréchet distance", "low"),
    "kernel": ("kernel distance", "low"),
    "statistics": ("distance of texture statistics", "low"),
}
WITHIN = {
    "precision": ("precision", ""),
    "recall": ("recall", "high"),
    "density": ("density", ""),
    "coverage": ("coverage", "high"),
    "diversity": ("distance within a class / of real crops", ""),
    "nearest": ("distance to nearest training crop / usual", ""),
    "copies": ("copies", ""),
}


def textures(bench: Workbench) -> dict:
    """What the report says of textures."""
    lines = Lines.of(bench)
    runs: Runs = {}
    for line in bench.progress(lines.all, desc="samples of textures"):
        runs[line.name] = sample_runs(bench, line, part="textures")
    for name, split in ((HELD_OUT, "test"), (TRAINING, "train")):
        runs[name] = real_runs(bench, split=split, part="textures")
    runs = related(runs, runs[HELD_OUT])
    seconds = bench.units.get(
        "textures: seconds",
        lambda: seconds_an_image(lines.all, size=bench.yardstick.size, images=bench.some(8), seed=bench.seed),
    )
    shipped = shipped_runs(bench)
    ours, label = runs[lines.ours[0].name], runs[lines.labels[0].name]
    rival = {key: at_equal_accuracy(runs, lines, key) for key in ("coverage", "diversity")}
    shown = [line.method for line in (lines.ours[0], lines.ours[-1], *lines.labels, lines.unguided)]
    picture = texture_picture(bench, shown, steps=STEPS)
    return {
        "title": "Textures: features against labels",
        "question": "Are samples of their class, like real crops, varied and new? How do labels compare?",
        "answer": _answer(runs, lines, rival, seconds),
        "checks": [
            check_over_seeds(
                "accuracy guided by features / by a label", ratios(ours, label, "accuracy"), at_least=1
            ),
            check_over_seeds(
                "Fréchet distance by features / by a label", ratios(ours, label, "frechet"), at_most=1
            ),
            *(
                check_over_seeds(
                    f"{name} by features less that of CFG at no less accuracy",
                    [one[key] - other for one, other in zip(ours, rival[key], strict=True)],
                    at_least=0,
                )
                for key, name in (("coverage", "coverage"), ("diversity", "distance within a class"))
            ),
            check_over_seeds(
                "distance within a class / of real crops",
                [one["diversity"] for one in ours],
                at_least=diversity.TARGET,
            ),
            check_over_seeds(
                "distance to nearest training crop / of held-out crops",
                [one["nearest"] for one in ours],
                at_least=memorisation.TARGET,
            ),
        ],
        "tables": [_likeness(runs, lines, seconds, shipped, bench.telling()), _within(runs, lines, shipped)],
        "plots": [
            _against_accuracy(runs, lines, "coverage", "Coverage of a class against accuracy"),
            _against_accuracy(runs, lines, "diversity", "Distance within a class against accuracy"),
            _against_accuracy(runs, lines, "frechet", "Fréchet distance against accuracy"),
        ],
        "pictures": [picture],
        "figures": {"runs": runs, "seconds": seconds, "cfg_at_equal_accuracy": rival, "shipped": shipped},
    }


def at_equal_accuracy(runs: Runs, lines: Lines, key: str) -> list[float]:
    """For each seed, a figure that classifier-free guidance has at our accuracy; see `best_on_curve`."""
    found = []
    for k, ours in enumerate(runs[lines.ours[0].name]):
        curve = [(runs[line.name][k]["accuracy"], runs[line.name][k][key]) for line in lines.labels]
        found.append(best_on_curve(curve, ours["accuracy"]))
    return found


def _mean(runs: Sequence[dict], key: str) -> float:
    return float(np.mean([one[key] for one in runs]))


def _answer(runs: Runs, lines: Lines, rival: dict[str, list[float]], seconds: dict[str, float]) -> str:
    mean = {name: {key: _mean(many, key) for key in many[0]} for name, many in runs.items()}
    first, label, cfg = lines.ours[0].name, lines.labels[0].name, lines.labels[1].name
    ours, theirs = mean[first], mean[label]
    ratio, *interval = over_seeds(ratios(runs[first], runs[label], "accuracy"))
    level = interval and interval[0] <= 1 <= interval[1]
    word = "level with" if level else "more than" if ratio > 1 else "fewer than"
    reached = max(mean[line.name]["accuracy"] for line in lines.labels) >= ours["accuracy"]
    return (
        f"A judge of real crops gives {_percent(ours['accuracy'])} of the samples guided by features their "
        f"class, {word} the {_percent(theirs['accuracy'])} by a label alone (held-out crops: "
        f"{_percent(mean[HELD_OUT]['accuracy'])}), at a Fréchet distance of {ours['frechet']:.0f} against "
        f"{theirs['frechet']:.0f}. "
        + ("At no less accuracy than ours" if reached else "Less accurate than ours at any weight")
        + ", labels with the best weight of classifier-free guidance cover "
        f"{_percent(np.mean(rival['coverage']), 1)} of the real crops of a class and differ by "
        f"{_percent(np.mean(rival['diversity']))} of what these do; we cover {_percent(ours['coverage'], 1)} "
        f"and differ by {_percent(ours['diversity'])}. Such guidance takes "
        f"{seconds[cfg] / seconds[first]:.1f} times as long."
    )


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def _cells(runs: Sequence[dict], columns: Sequence[str]) -> list[list[float]]:
    return [over_seeds([one[key] for one in runs]) for key in columns]


def _likeness(runs: Runs, lines: Lines, seconds: dict[str, float], shipped: Runs, telling: str) -> dict:
    known = {line.name: line.evaluations for line in lines.all}
    rows = [
        [name, known.get(name), *_cells(many, LIKENESS), seconds.get(name)]
        for name, many in (runs | shipped).items()
    ]
    few, ours = lines.few[0].name, lines.ours[0].name
    return table(
        "Of their class, and like real crops",
        ["method", "evaluations", *(name for name, _ in LIKENESS.values()), "seconds an image"],
        rows,
        best={name: best for name, best in LIKENESS.values() if best},
        compared=range(len(lines.guided)),
        note="DPM-Solver++ (2M). "
        + _intervals()
        + f"Rows of {FEW_STEPS} steps give classifier-free guidance our number of evaluations; by the clock "
        f"they take {seconds[few] / seconds[ours]:.2f} of our time. Times are medians of rounds in which all "
        "methods take turns. The Fréchet distance is biased by the number of images, which is the same in "
        "all rows: the rows of real crops show how near one can come." + telling + _of_shipped(shipped),
    )


def _within(runs: Runs, lines: Lines, shipped: Runs) -> dict:
    rows = [
        [name, *_cells(many, WITHIN)]
        for name, many in (runs | shipped).items()
        if name != lines.unguided.name  # it draws from all classes, and is within none
    ]
    return table(
        "Within each class: as varied as real crops, and no copies",
        ["method", *(name for name, _ in WITHIN.values())],
        rows,
        best={name: best for name, best in WITHIN.values() if best},
        compared=range(len(lines.guided)),
        note=_intervals() + "Each class by itself, among its real training crops. Precision and density "
        "reward samples in the middle of a class, recall and coverage samples all over it. Copies: share of "
        "samples that are nearer to a training crop than a quarter of what is usual.",
    )


def _intervals() -> str:
    return f"95 % intervals are over {SEEDS} seeds of sampling, not over trainings. "


def _of_shipped(shipped: Runs) -> str:
    if not shipped:
        return " The shipped network was not there to be measured."
    return (
        " The shipped network does not compete: it is larger, was trained far longer on larger crops, and is "
        f"measured against {SHIPPED_CROPS} crops of its own size of each class."
    )


def _against_accuracy(runs: Runs, lines: Lines, key: str, title: str) -> dict:
    curves, labels = [], []
    for name, part, words in (
        ("features (ours), by strength", lines.ours, [f"{s:g}" for s in (1, *STRENGTHS)]),
        ("label, by weight of CFG", lines.labels, [f"{w:g}" for w in (1, *WEIGHTS)]),
        (f"the same in {FEW_STEPS} steps", lines.few, [f"{w:g}" for w in WEIGHTS]),
    ):
        x, y = ([_mean(runs[line.name], one) for line in part] for one in ("accuracy", key))
        curves.append(series(name, x, y))
        labels += zip(x, y, words, strict=True)
    for name in (HELD_OUT, TRAINING):
        curves.append(series(name, [_mean(runs[name], "accuracy")], [_mean(runs[name], key)], style="points"))
    good = {
        "coverage": "Further right and up",
        "diversity": "Further right and nearer to 1",
        "frechet": "Further right and down",
    }[key]
    return plot(
        f"textures-{key}",
        title,
        curves,
        x="class accuracy",
        y=(LIKENESS | WITHIN)[key][0],
        labels=labels,
        note=f"Every sample takes {STEPS} steps but for those of {FEW_STEPS}, which cost as many evaluations "
        f"as ours. {good} is better; numbers are strengths and weights. Intervals are in the tables.",
    )
