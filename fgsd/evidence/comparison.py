"""The methods of sampling textures that are compared, and the figures of their samples for each seed."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch

from fgsd.data import TextureFolder
from fgsd.evaluation.checks import check
from fgsd.evidence.figures import mean_over_seeds
from fgsd.evidence.methods import Trained
from fgsd.evidence.reference_metrics import ReferenceMetrics
from fgsd.evidence.report_context import ReportContext

SEEDS, EACH, STEPS, FEW_STEPS = 3, 4, 16, 8  # EACH samples of every class, for each seed
STRENGTHS = (1.25, 1.5)  # of feature matching beyond the centroid: like a CFG weight, at no extra evaluation
SHIPPED_CROPS = 24  # reference crops of each class, for the shipped network
HELD_OUT, TRAINING = "held-out crops", "other training crops"
SHIPPED = "shipped network"  # before the size of its crops, in names of rows
Figures = dict[str, float]
Runs = dict[str, list[Figures]]  # by row of the table, the figures of each seed


@dataclass(frozen=True)
class Contender:
    """A method with its number of steps: a row of the tables."""

    name: str
    method: Trained
    steps: int = STEPS

    @property
    def evaluations(self) -> int:
        """Network evaluations for each image."""
        return self.steps * self.method.evaluations


@dataclass(frozen=True)
class Contenders:
    """All methods that are compared."""

    ours: list[Contender]  # by strength; the first has strength 1
    labels: list[Contender]  # by weight of classifier-free guidance; the first has weight 1
    few_steps: list[Contender]  # classifier-free guidance by weight, with as many evaluations as ours
    unguided: Contender
    variants: list[Contender]  # of ours, see `ReportContext.variants`

    @classmethod
    def of(cls, context: ReportContext) -> Contenders:
        features, *labels = context.methods()
        stronger = [replace(features, name=f"features, strength {s:g}", strength=s) for s in STRENGTHS]
        unguided = Trained("unguided", context.checkpoint("unconditional"), unguided=True)
        return cls(
            [Contender(m.name, m) for m in (features, *stronger)],
            [Contender(m.name, m) for m in labels],
            [Contender(f"{m.name}, {FEW_STEPS} steps", m, FEW_STEPS) for m in labels[1:]],
            Contender("unguided", unguided),
            [Contender(m.name, m) for m in context.variants()],
        )

    @property
    def guided(self) -> list[Contender]:
        """Those that compete for the best figures."""
        return [*self.ours, *self.labels, *self.few_steps]

    @property
    def all(self) -> list[Contender]:
        return [*self.guided, *self.variants, self.unguided]


def first_seeds(first: int, images: int) -> range:
    """The first seed of each of `SEEDS` runs of `images` images, so that no two images share a seed."""
    return range(first, first + SEEDS * images, images)


def sample_runs(context: ReportContext, contender: Contender, *, part: str) -> list[Figures]:
    """Figures of samples for each of `SEEDS` seeds; see `ReferenceMetrics.figures`."""
    eye, each = torch.eye(len(context.classes)), context.scaled(EACH)

    def measure(seed: int) -> Figures:
        size = context.reference.size
        x = contender.method.sample(eye, each, size=size, steps=contender.steps, seed=seed)
        return context.reference.figures(x)

    return [
        context.cache.get(f"{part}: {contender.name}, {seed}", functools.partial(measure, seed))
        for seed in first_seeds(context.seed, len(eye) * each)
    ]


def real_runs(context: ReportContext, *, split: str, part: str) -> list[Figures]:
    """Figures of as many real crops: from "test", which no network saw, or other ones from "train"."""

    def measure(seed: int) -> Figures:
        crops = context.reference.real_crops(context.scaled(EACH), split=split, seed=seed)
        return context.reference.figures(crops)

    seeds = range(context.seed + 1, context.seed + 1 + SEEDS)  # not the seed of the reference crops
    return [
        context.cache.get(f"{part}: real, {split}, {seed}", functools.partial(measure, seed))
        for seed in seeds
    ]


def shipped_runs(context: ReportContext) -> Runs:
    """Figures of the shipped network for one seed, against reference crops of its own size."""
    checkpoint = context.shipped_checkpoint()
    if checkpoint is None:
        return {}
    each, size = context.scaled(EACH), checkpoint.info.patch_size

    def measure() -> dict[str, Figures]:
        data = TextureFolder(context.textures, checkpoint.info.data)
        classes, crops = checkpoint.table.classes, context.scaled(SHIPPED_CROPS, at_least=8)
        reference = ReferenceMetrics(
            data, classes, context.features, crops_per_class=crops, seed=context.seed
        )
        x = Trained("", checkpoint).sample(
            torch.eye(len(classes)), each, size=size, steps=STEPS, seed=context.seed
        )
        real = reference.real_crops(each, split="test", seed=context.seed + 1)
        return {"samples": reference.figures(x), "real": reference.figures(real)}

    figures = context.cache.get("textures: shipped network", measure)
    runs = {
        f"{SHIPPED}, {size} px": [figures["samples"]],
        f"{HELD_OUT}, {size} px": [figures["real"]],
    }
    return relative_to_ceiling(runs, [figures["real"]])


def relative_to_ceiling(runs: Runs, ceiling: Sequence[Figures]) -> Runs:
    """The runs with `of_ceiling` added: accuracy over the mean accuracy of held-out crops."""
    highest = max(float(np.mean([one["accuracy"] for one in ceiling])), 1e-9)
    return {
        name: [one | {"of_ceiling": one["accuracy"] / highest} for one in many] for name, many in runs.items()
    }


def seconds_per_image(
    contenders: Sequence[Contender], *, size: int, images: int, seed: int, rounds: int = 5
) -> dict[str, float]:
    """Median time over `rounds`, after one round of warm-up.

    In a round every method samples one batch, so that other load on the machine affects all methods alike.
    """
    times: dict[str, list[float]] = {one.name: [] for one in contenders}
    for _ in range(rounds + 1):
        for one in contenders:
            classes = len(one.method.checkpoint.table.classes)
            mixtures = torch.eye(classes)[torch.arange(images) % classes]
            began = time.perf_counter()
            one.method.sample(mixtures, 1, size=size, steps=one.steps, seed=seed)
            times[one.name].append((time.perf_counter() - began) / images)
    return {name: float(np.median(seconds[1:])) for name, seconds in times.items()}


def best_on_curve(curve: Sequence[tuple[float, float]], accuracy: float) -> float:
    """The largest value on a curve among its points of at least the given accuracy.

    Parameters
    ----------
    curve : sequence of (accuracy, value)
        Joined by straight lines.
    accuracy : float
        If the curve never reaches it, the value of its most accurate point is returned.
    """
    reached = [value for at, value in curve if at >= accuracy]
    if not reached:
        return max(curve)[1]
    for (a, value_a), (b, value_b) in pairwise(curve):
        if min(a, b) < accuracy < max(a, b):
            reached.append(value_a + (accuracy - a) / (b - a) * (value_b - value_a))
    return max(reached)


def ratios(ours: Sequence[Figures], theirs: Sequence[Figures], key: str) -> list[float]:
    """Our figure over theirs, for each seed."""
    return [one[key] / max(other[key], 1e-9) for one, other in zip(ours, theirs, strict=True)]


def check_over_seeds(
    name: str, values: Sequence[float], *, at_least: float | None = None, at_most: float | None = None
) -> dict:
    """A `check` of the mean of `values`, with its interval over seeds."""
    value, *bounds = mean_over_seeds(values)
    interval = (bounds[0], bounds[1]) if bounds else None
    return check(name, value, at_least=at_least, at_most=at_most, interval=interval)
