"""Textures: samples guided by features against those guided by labels, with and without CFG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    Contenders,
    Figures,
    Runs,
    best_on_curve,
    check_over_seeds,
    ratios,
    real_runs,
    relative_to_ceiling,
    sample_runs,
    seconds_per_image,
    shipped_runs,
)
from fgsd.evidence.comparison_sheet import texture_picture
from fgsd.evidence.figures import Cell, PartFigures, Plot, Table, mean_over_seeds, plot, series, table
from fgsd.evidence.report_context import CFG_WEIGHTS, ReportContext

LIKENESS = {  # by figure, the title of its column, and which values are the best
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
    "nearest": ("distance to nearest training crop / of held-out crops", ""),
    "copies": ("copies", ""),
}


def textures(context: ReportContext) -> PartFigures:
    """The part of the report on textures."""
    contenders = Contenders.of(context)
    runs: Runs = {}
    for one in context.progress(contenders.all, desc="samples of textures"):
        runs[one.name] = sample_runs(context, one, part="textures")
    for name, split in ((HELD_OUT, "test"), (TRAINING, "train")):
        runs[name] = real_runs(context, split=split, part="textures")
    runs = relative_to_ceiling(runs, runs[HELD_OUT])
    seconds = context.cache.get(
        "textures: seconds",
        lambda: seconds_per_image(
            contenders.all, size=context.reference.size, images=context.scaled(8), seed=context.seed
        ),
    )
    shipped = shipped_runs(context)
    ours, label = runs[contenders.ours[0].name], runs[contenders.labels[0].name]
    cfg = {key: at_equal_accuracy(runs, contenders, key) for key in ("coverage", "diversity")}
    in_picture = (contenders.ours[0], contenders.ours[-1], *contenders.labels, contenders.unguided)
    picture = texture_picture(context, [one.method for one in in_picture], steps=STEPS)
    note = context.conditioning_note()
    return {
        "title": "Textures: features against labels",
        "question": "Are samples of their class, like real crops, varied and new? How do labels compare?",
        "answer": _summary(runs, contenders, cfg, seconds),
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
                    [one[key] - other for one, other in zip(ours, cfg[key], strict=True)],
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
        "tables": [_likeness(runs, contenders, seconds, shipped, note), _within(runs, contenders, shipped)],
        "plots": [
            _against_accuracy(runs, contenders, "coverage", "Coverage of a class against accuracy"),
            _against_accuracy(runs, contenders, "diversity", "Distance within a class against accuracy"),
            _against_accuracy(runs, contenders, "frechet", "Fréchet distance against accuracy"),
        ],
        "pictures": [picture],
        "figures": {"runs": runs, "seconds": seconds, "cfg_at_equal_accuracy": cfg, "shipped": shipped},
    }


def at_equal_accuracy(runs: Runs, contenders: Contenders, key: str) -> list[float]:
    """For each seed, a figure of classifier-free guidance at our accuracy; see `best_on_curve`."""
    values = []
    for k, ours in enumerate(runs[contenders.ours[0].name]):
        curve = [(runs[one.name][k]["accuracy"], runs[one.name][k][key]) for one in contenders.labels]
        values.append(best_on_curve(curve, ours["accuracy"]))
    return values


def _mean(runs: Sequence[Figures], key: str) -> float:
    return float(np.mean([one[key] for one in runs]))


def _summary(
    runs: Runs, contenders: Contenders, cfg: dict[str, list[float]], seconds: dict[str, float]
) -> str:
    mean = {name: {key: _mean(many, key) for key in many[0]} for name, many in runs.items()}
    first, label, weighted = contenders.ours[0].name, contenders.labels[0].name, contenders.labels[1].name
    ours, theirs = mean[first], mean[label]
    ratio, *interval = mean_over_seeds(ratios(runs[first], runs[label], "accuracy"))
    level = interval and interval[0] <= 1 <= interval[1]
    relation = "level with" if level else "more than" if ratio > 1 else "fewer than"
    reached = max(mean[one.name]["accuracy"] for one in contenders.labels) >= ours["accuracy"]
    cfg_coverage, cfg_diversity = (float(np.mean(cfg[key])) for key in ("coverage", "diversity"))
    return (
        f"A judge of real crops gives {_percent(ours['accuracy'])} of the samples guided by features their "
        f"class, {relation} the {_percent(theirs['accuracy'])} by a label alone (held-out crops: "
        f"{_percent(mean[HELD_OUT]['accuracy'])}), at a Fréchet distance of {ours['frechet']:.0f} against "
        f"{theirs['frechet']:.0f}. "
        + ("At no less accuracy than ours" if reached else "Less accurate than ours at any weight")
        + ", labels with the best weight of classifier-free guidance cover "
        f"{_percent(cfg_coverage, 1)} of the real crops of a class, and their samples are "
        f"{_percent(cfg_diversity)} as far apart as real crops; ours cover {_percent(ours['coverage'], 1)} "
        f"and are {_percent(ours['diversity'])} as far apart. Classifier-free guidance takes "
        f"{seconds[weighted] / seconds[first]:.1f} times as long."
    )


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def _cells(runs: Sequence[Figures], columns: Iterable[str]) -> list[list[float]]:
    return [mean_over_seeds([one[key] for one in runs]) for key in columns]


def _likeness(
    runs: Runs, contenders: Contenders, seconds: dict[str, float], shipped: Runs, note: str
) -> Table:
    evaluations = {one.name: one.evaluations for one in contenders.all}
    rows: list[list[Cell]] = [
        [name, evaluations.get(name), *_cells(many, LIKENESS), seconds.get(name)]
        for name, many in (runs | shipped).items()
    ]
    few, ours = contenders.few_steps[0].name, contenders.ours[0].name
    return table(
        "Of their class, and like real crops",
        ["method", "evaluations", *(name for name, _ in LIKENESS.values()), "seconds an image"],
        rows,
        best={name: best for name, best in LIKENESS.values() if best},
        compared=range(len(contenders.guided)),
        note="DPM-Solver++ (2M). "
        + _interval_note()
        + f"Rows of {FEW_STEPS} steps give classifier-free guidance as many evaluations as ours; they take "
        f"{seconds[few] / seconds[ours]:.2f} of our time. Times are medians of rounds in which all methods "
        "take turns. The Fréchet distance is biased by the number of images, which is the same in all rows: "
        "the rows of real crops show the lowest values that one can expect." + note + _shipped_note(shipped),
    )


def _within(runs: Runs, contenders: Contenders, shipped: Runs) -> Table:
    rows: list[list[Cell]] = [
        [name, *_cells(many, WITHIN)]
        for name, many in (runs | shipped).items()
        if name != contenders.unguided.name  # its samples have no requested class
    ]
    return table(
        "Within each class: as varied as real crops, and no copies",
        ["method", *(name for name, _ in WITHIN.values())],
        rows,
        best={name: best for name, best in WITHIN.values() if best},
        compared=range(len(contenders.guided)),
        note=_interval_note() + "Each class is compared with its own real training crops. Precision and "
        "density reward samples in the middle of a class, recall and coverage samples all over it. Copies: "
        "share of samples whose distance to a training crop is below a quarter of that of held-out crops.",
    )


def _interval_note() -> str:
    return f"95 % intervals are over {SEEDS} seeds of sampling, not over trainings. "


def _shipped_note(shipped: Runs) -> str:
    if not shipped:
        return " The shipped network was not there to be measured."
    return (
        " The shipped network does not compete: it is larger, was trained far longer on larger crops, and is "
        f"measured against {SHIPPED_CROPS} crops of its own size of each class."
    )


def _against_accuracy(runs: Runs, contenders: Contenders, key: str, title: str) -> Plot:
    curves = []
    labels: list[tuple[float, float, str]] = []
    for name, part, texts in (
        ("features (ours), by strength", contenders.ours, [f"{s:g}" for s in (1, *STRENGTHS)]),
        ("label, by weight of CFG", contenders.labels, [f"{w:g}" for w in (1, *CFG_WEIGHTS)]),
        (f"the same in {FEW_STEPS} steps", contenders.few_steps, [f"{w:g}" for w in CFG_WEIGHTS]),
    ):
        x, y = ([_mean(runs[one.name], figure) for one in part] for figure in ("accuracy", key))
        curves.append(series(name, x, y, points=[one.name for one in part]))
        labels += zip(x, y, texts, strict=True)
    for name in (HELD_OUT, TRAINING):
        x, y = ([_mean(runs[name], figure)] for figure in ("accuracy", key))
        curves.append(series(name, x, y, style="points", points=[name]))
    good = {
        "coverage": "Further right and up",
        "diversity": "Further right and closer to 1",
        "frechet": "Further right and down",
    }[key]
    return plot(
        f"textures-{key}",
        title,
        curves,
        x="class accuracy",
        y=(LIKENESS | WITHIN)[key][0],
        labels=labels,
        note=f"All samples take {STEPS} steps, except those of {FEW_STEPS}, which cost as many evaluations "
        f"as ours. {good} is better; numbers are strengths and weights. Intervals are in the tables.",
    )
