"""Methods of sampling textures, and the figures of their samples, seed by seed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch

from fgsd.data import TextureFolder
from fgsd.evaluation.checks import check
from fgsd.evidence.figures import over_seeds
from fgsd.evidence.methods import Trained
from fgsd.evidence.reference_metrics import Yardstick
from fgsd.evidence.report_context import Workbench

SEEDS, EACH, STEPS, FEW_STEPS = 3, 4, 16, 8  # samples are EACH of every class, for each seed
STRENGTHS = (1.25, 1.5)  # of matching beyond the centroid: our counterpart of a weight, at no cost
SHIPPED_CROPS = 24  # of each class, that the shipped network is held against
HELD_OUT, TRAINING = "held-out crops", "other training crops"
Runs = dict[str, list[dict[str, float]]]  # of each line, the figures of each seed


@dataclass(frozen=True)
class Line:
    """A method with its number of steps: a row of the tables."""

    name: str
    method: Trained
    steps: int = STEPS

    @property
    def evaluations(self) -> int:
        return self.steps * self.method.evaluations


@dataclass(frozen=True)
class Lines:
    """What is compared. The first of `ours` is the method as it is, the first of `labels` has weight 1."""

    ours: list[Line]  # by strength
    labels: list[Line]  # by weight
    few: list[Line]  # classifier-free guidance by weight, at our number of evaluations
    unguided: Line
    variants: list[Line]  # of ours, see `Workbench.variants`

    @classmethod
    def of(cls, bench: Workbench) -> Lines:
        features, *labels = bench.methods()
        stronger = [replace(features, name=f"features, strength {s:g}", strength=s) for s in STRENGTHS]
        unguided = Trained("unguided", bench.checkpoint("unconditional"), unguided=True)
        return cls(
            [Line(m.name, m) for m in (features, *stronger)],
            [Line(m.name, m) for m in labels],
            [Line(f"{m.name}, {FEW_STEPS} steps", m, FEW_STEPS) for m in labels[1:]],
            Line("unguided", unguided),
            [Line(m.name, m) for m in bench.variants()],
        )

    @property
    def guided(self) -> list[Line]:
        return [*self.ours, *self.labels, *self.few]

    @property
    def all(self) -> list[Line]:
        return [*self.guided, *self.variants, self.unguided]


def first_seeds(first: int, images: int) -> list[int]:
    """Of runs that share no image's seed."""
    return [first + k * images for k in range(SEEDS)]


def sample_runs(bench: Workbench, line: Line, *, part: str) -> list[dict[str, float]]:
    """Figures of samples for each of `SEEDS` seeds; see `Yardstick.figures`."""
    eye, each = torch.eye(len(bench.classes)), bench.some(EACH)

    def measure(seed: int) -> dict[str, float]:
        x = line.method.sample(eye, each, size=bench.yardstick.size, steps=line.steps, seed=seed)
        return bench.yardstick.figures(x)

    return [
        bench.units.get(f"{part}: {line.name}, {seed}", lambda seed=seed: measure(seed))
        for seed in first_seeds(bench.seed, len(eye) * each)
    ]


def real_runs(bench: Workbench, *, split: str, part: str) -> list[dict[str, float]]:
    """The same of as many real crops: of "test", which no network saw, or of other ones of "train"."""

    def measure(seed: int) -> dict[str, float]:
        return bench.yardstick.figures(bench.yardstick.real(bench.some(EACH), split=split, seed=seed))

    seeds = range(bench.seed + 1, bench.seed + 1 + SEEDS)  # not that of the yardstick's own crops
    return [
        bench.units.get(f"{part}: real, {split}, {seed}", lambda seed=seed: measure(seed)) for seed in seeds
    ]


def shipped_runs(bench: Workbench) -> Runs:
    """The same of the shipped network, by crops of its own size and a judge of these; of one seed."""
    checkpoint = bench.shipped_checkpoint()
    if checkpoint is None:
        return {}
    each, size = bench.some(EACH), checkpoint.info.patch_size

    def measure() -> dict[str, dict[str, float]]:
        data = TextureFolder(bench.textures, checkpoint.info.data)
        classes, crops = checkpoint.table.classes, bench.some(SHIPPED_CROPS, 8)
        yardstick = Yardstick(data, classes, bench.features, crops=crops, seed=bench.seed)
        x = Trained("", checkpoint).sample(
            torch.eye(len(classes)), each, size=size, steps=STEPS, seed=bench.seed
        )
        real = yardstick.real(each, split="test", seed=bench.seed + 1)
        return {"samples": yardstick.figures(x), "real": yardstick.figures(real)}

    found = bench.units.get("textures: shipped network", measure)
    runs = {
        f"shipped network, {size} px": [found["samples"]],
        f"{HELD_OUT}, {size} px": [found["real"]],
    }
    return related(runs, [found["real"]])


def related(runs: Runs, ceiling: Sequence[dict[str, float]]) -> Runs:
    """With `of_ceiling` in every run, its accuracy over that of held-out crops."""
    highest = max(float(np.mean([one["accuracy"] for one in ceiling])), 1e-9)
    return {
        name: [one | {"of_ceiling": one["accuracy"] / highest} for one in many] for name, many in runs.items()
    }


def seconds_an_image(
    lines: Sequence[Line], *, size: int, images: int, seed: int, rounds: int = 5
) -> dict[str, float]:
    """Median over rounds, in each of which every line samples one batch, so that whatever else the machine
    does meets all of them alike; one more round warms up."""
    spent: dict[str, list[float]] = {line.name: [] for line in lines}
    for _ in range(rounds + 1):
        for line in lines:
            classes = len(line.method.checkpoint.table.classes)
            asked = torch.eye(classes)[torch.arange(images) % classes]
            began = time.perf_counter()
            line.method.sample(asked, 1, size=size, steps=line.steps, seed=seed)
            spent[line.name].append((time.perf_counter() - began) / images)
    return {name: float(np.median(times[1:])) for name, times in spent.items()}


def best_on_curve(curve: Sequence[tuple[float, float]], accuracy: float) -> float:
    """The largest value on a curve where its accuracy is at least the one given.

    Parameters
    ----------
    curve : sequence of (accuracy, value)
        Joined by straight lines.
    accuracy : float
        If the curve never reaches it, its most accurate point counts.
    """
    reached = [value for at, value in curve if at >= accuracy]
    if not reached:
        return max(curve)[1]
    for (a, value_a), (b, value_b) in pairwise(curve):
        if min(a, b) < accuracy < max(a, b):
            reached.append(value_a + (accuracy - a) / (b - a) * (value_b - value_a))
    return max(reached)


def ratios(ours: Sequence[dict], theirs: Sequence[dict], key: str) -> list[float]:
    """Of a figure, seed by seed."""
    return [one[key] / max(other[key], 1e-9) for one, other in zip(ours, theirs, strict=True)]


def check_over_seeds(name: str, values: Sequence[float], **target: float) -> dict:
    """A `check` of the mean of `values` with its interval; `target` is its `at_least` or `at_most`."""
    value, *interval = over_seeds(values)
    return check(name, value, interval=tuple(interval) or None, **target)
