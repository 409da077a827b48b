"""Between two classes, where there is no training data: interpolated centroids, labels and pixels."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fgsd.data import to_images
from fgsd.evaluation.checks import bootstrap_interval, check
from fgsd.evaluation.paths import MAX_NOISE, TARGET, positions_on_line, random_pairs, unguided_features
from fgsd.evidence.figures import PartFigures, Picture, Plot, Table, plot, series, table
from fgsd.evidence.methods import Trained, to_8_bits
from fgsd.evidence.path_metrics import (
    distance_to_nearest,
    monotonicity,
    paired_verdict,
    pixel_blends,
    position_tracking,
    positions_between,
    relative_contrast,
)
from fgsd.evidence.reference_metrics import flattened
from fgsd.evidence.report_context import ReportContext
from fgsd.sheets import captioned_rows

PART = "between"  # name of the part in report.json, on the command line, and in the names of its files
PAIRS, POINTS, EACH, STEPS = 50, 7, 2, 16
CROPS = 24  # of each class of a pair, whose mean features are the ends of the line
PAIRS_IN_PICTURE = 4
OURS, LABELS, PIXELS = "features (ours)", "label embedding", "blend of pixels"
PATHS = (OURS, LABELS, PIXELS)


@dataclass(frozen=True)
class Metric:
    """A column of the table."""

    title: str
    best: str = ""  # "high", "low", or "" if neither is better
    phrase: str = ""  # what is better if the metric is, for a sentence


METRICS = {
    "correlation": Metric("position on the line, correlation with weight", "high", "following the weight"),
    "uneven": Metric("deviation from even steps", "low", "evenness"),
    "largest_step": Metric("largest step"),  # smallest for images that never change
    "beside": Metric("distance from the line", "low", "staying on the line"),
    "outside_correlation": Metric(
        "correlation by EfficientNet", "high", "following the weight in EfficientNet features"
    ),
    "outside_uneven": Metric(
        "deviation from even steps, by EfficientNet", "low", "evenness in EfficientNet features"
    ),
    "onward": Metric("steps not back, by the classifier", "high", "not stepping back"),
    "spearman": Metric("rank correlation, by the classifier", "high", "order by the classifier"),
    "nearest_middle": Metric("distance from real crops, middle", "low", "closeness to real textures"),
    "contrast_error": Metric("error of contrast, middle", "low", "contrast"),
}
CURVES = ("places", "shares", "nearest", "contrast")


def interpolation(context: ReportContext) -> PartFigures:
    """The part of the report on images between two classes."""
    weights = np.linspace(0, 1, POINTS)
    pairs = random_pairs(context.classes, context.scaled(PAIRS), seed=context.seed)
    if not pairs:
        raise ValueError(f"classes={context.classes}: interpolating needs at least 2 classes")
    held_out = context.cache.get(f"{PART}: held-out crops", lambda: {"nearest": held_out_distance(context)})
    by_path: dict[str, list[dict]] = {name: [] for name in PATHS}
    for k, pair in enumerate(context.progress(pairs, desc="between classes")):
        measured = context.cache.get(
            f"{PART}: {pair[0]} to {pair[1]}", functools.partial(pair_figures, context, pair, k, weights)
        )
        for name, one in measured.items():
            relative = [d / held_out["nearest"] for d in one["nearest"]]
            by_path[name].append(one | {"nearest": relative, "nearest_middle": relative[POINTS // 2]})
    means = {
        key: {
            name: mean_over_pairs([one[key] for one in many], seed=context.seed)
            for name, many in by_path.items()
        }
        for key in METRICS
    }
    verdicts = {
        key: paired_verdict(
            [one[key] for one in by_path[OURS]],
            [one[key] for one in by_path[LABELS]],
            high=metric.best == "high",
            seed=context.seed,
        )
        for key, metric in METRICS.items()
        if metric.best
    }
    curves = {
        key: {name: curve([one[key] for one in many], seed=context.seed) for name, many in by_path.items()}
        for key in CURVES
    }
    mean, low, high = means["correlation"][OURS]
    return {
        "title": "Between two classes, where there is no training data",
        "question": "Do samples change gradually from one class to another, and stay like real textures?",
        "answer": summary(means, curves, verdicts, len(pairs)),
        "checks": [
            check(
                f"correlation of position on the line with weight, {len(pairs)} pairs",
                mean,
                at_least=TARGET,
                interval=(low, high),
            )
        ],
        "tables": [_table(means, len(pairs))],
        "plots": _plots(curves, weights),
        "pictures": [strips_picture(context, pairs[:PAIRS_IN_PICTURE], weights)],
        "figures": {
            "weights": weights.tolist(),
            "each": EACH,
            "held_out_distance": held_out["nearest"],
            "pairs": [f"{a} to {b}" for a, b in pairs],
            "ways": by_path,
            "means": means,
            "ours_against_label": verdicts,
        },
    }


def path_samples(
    method: Trained, pair: tuple[str, str], weights: np.ndarray, seeds: Sequence[int], *, size: int
) -> Tensor:
    """Samples (W, n, 3, size, size) of mixtures of two classes, with the same n seeds at each weight."""
    classes = method.checkpoint.table.classes
    rows = torch.zeros(len(weights), len(classes))
    rows[:, classes.index(pair[0])] = 1 - torch.from_numpy(weights).float()
    rows[:, classes.index(pair[1])] = torch.from_numpy(weights).float()
    mixtures = rows.repeat_interleave(len(seeds), dim=0)
    images = method.images(mixtures, [*seeds] * len(weights), size=size, steps=STEPS)
    return to_8_bits(images).unflatten(0, (len(weights), len(seeds)))


def path_images(
    context: ReportContext, pair: tuple[str, str], k: int, weights: np.ndarray
) -> dict[str, Tensor]:
    """Images (W, n, 3, H, W') of pair number `k` along each of `PATHS`; pixels blend the ends of ours."""
    size, seeds = context.data.config.patch_size, [context.seed + k * EACH + j for j in range(EACH)]
    ours = Trained(OURS, context.checkpoint("features"))
    labels = Trained(LABELS, context.checkpoint("labels"))
    images = {one.name: path_samples(one, pair, weights, seeds, size=size) for one in (ours, labels)}
    return images | {PIXELS: pixel_blends(images[OURS][0], images[OURS][-1], weights)}


def pair_figures(
    context: ReportContext, pair: tuple[str, str], k: int, weights: np.ndarray
) -> dict[str, dict]:
    """Metrics of a pair of classes, for each of `PATHS`.

    Features are measured anew on the finished images, by our network without guidance and by the independent
    one.
    """
    network, sigmas = context.checkpoint("features").network, context.checkpoint("features").table.sigmas
    sigmas = sigmas[sigmas <= MAX_NOISE][::2]
    ends, scale = class_means(context, pair, sigmas)
    judge = context.reference.judge
    one, other = (judge.classes.index(name) for name in pair)
    real = context.reference.scaled_features  # (C, n, F)
    figures = {}
    for name, images in path_images(context, pair, k, weights).items():
        shape = images.shape[:2]
        phi = unguided_features(network, images.flatten(0, 1), sigmas, seed=context.seed)
        positions, distances = positions_on_line(ends, scale, phi)
        features = context.reference.features_of(images)
        probabilities, scaled = judge.probabilities(features), judge.scaled(features)
        both = np.maximum(probabilities[..., one] + probabilities[..., other], 1e-12)
        shares = probabilities[..., other] / both
        outside = positions_between(scaled, real[one].mean(axis=0), real[other].mean(axis=0))
        outside_tracking = position_tracking(outside, weights)
        contrast = relative_contrast(images, weights)
        nearest = distance_to_nearest(flattened(scaled), flattened(real))
        figures[name] = {
            **position_tracking(positions.reshape(shape), weights),
            "beside": float(distances.mean()),
            "outside_correlation": outside_tracking["correlation"],
            "outside_uneven": outside_tracking["uneven"],
            **monotonicity(shares, weights),
            "shares": shares.mean(axis=1).tolist(),
            "nearest": nearest.reshape(shape).mean(axis=1).tolist(),
            "contrast": contrast.tolist(),
            "contrast_error": float(abs(contrast[len(weights) // 2] - 1)),
        }
    return figures


def class_means(
    context: ReportContext, pair: tuple[str, str], sigmas: Tensor
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Mean unguided features (L, F) at noise levels (L,) of training crops of two classes, and their standard
    deviation (L, F) within a class.

    They are measured without guidance, as the features of the samples are. Centroids would not do: they are
    measured under guidance, and frozen centroids are no longer exactly the mean features.
    """
    network, n = context.checkpoint("features").network, context.scaled(CROPS, at_least=4)
    one, other = (
        unguided_features(network, crops, sigmas, seed=context.seed)
        for crops in context.real_crops(n, split="train", classes=pair)
    )
    std = (0.5 * (one.var(dim=0) + other.var(dim=0))).sqrt().clamp(min=1e-6)
    return (one.mean(dim=0), other.mean(dim=0)), std


def held_out_distance(context: ReportContext) -> float:
    """Mean distance of held-out crops to the nearest training crop of any class, in independent features."""
    reference = context.reference
    crops = context.real_crops(context.scaled(8), split="test")
    held_out = reference.judge.scaled(reference.features_of(crops))
    return float(distance_to_nearest(flattened(held_out), flattened(reference.scaled_features)).mean())


def mean_over_pairs(values: Sequence[float] | np.ndarray, *, seed: int, draws: int = 2000) -> list[float]:
    """Mean over pairs of classes and its 95 % bootstrap interval: [value, low, high]."""
    array = np.asarray(values)
    return [
        float(array.mean()),
        *bootstrap_interval(lambda rows: array[rows].mean(), len(array), seed=seed, draws=draws),
    ]


def curve(values: Sequence[Sequence[float]], *, seed: int) -> list[list[float]]:
    """`mean_over_pairs` at each of the W weights, of values (pairs, W)."""
    return [mean_over_pairs(column, seed=seed, draws=500) for column in np.asarray(values).T]


def summary(means: dict, curves: dict, verdicts: dict[str, int], pairs: int) -> str:
    """The figures in a few sentences, those in which label embeddings are better included."""

    def compared(key: str) -> str:
        ours, labels, pixels = (means[key][name][0] for name in PATHS)
        return f"{ours:.2f} ({labels:.2f} with label embeddings, {pixels:.2f} with pixels)"

    contrast = "{:.2f} ({:.2f}, {:.2f})".format(*(curves["contrast"][n][POINTS // 2][0] for n in PATHS))
    phrases = {sign: [METRICS[k].phrase for k, v in verdicts.items() if v == sign] for sign in (1, -1)}
    return (
        f"Between {pairs} random pairs of classes the samples' own features follow the weight with a "
        f"correlation of {compared('correlation')}; half way they are {compared('nearest_middle')} times as "
        f"far from real crops as held-out crops are, with {contrast} of the contrast. Centroids are "
        f"significantly better than label embeddings in {', '.join(phrases[1]) or 'nothing'}, and label "
        f"embeddings are better in {', '.join(phrases[-1]) or 'nothing'}."
    )


def _table(means: dict, pairs: int) -> Table:
    rows = [[name, *(means[key][name] for key in METRICS)] for name in PATHS]
    return table(
        "Interpolated centroids, label embeddings and pixels",
        ["interpolated", *(metric.title for metric in METRICS.values())],
        rows,
        best={metric.title: metric.best for metric in METRICS.values() if metric.best},
        note=f"{pairs} random pairs, {POINTS} weights, {EACH} samples at each with the same seeds, {STEPS} "
        "steps; 95 % intervals over pairs. Line: through the mean features of "
        f"{CROPS} training crops of each class, in units of the standard deviation within a class; even "
        f"steps would be {1 / (POINTS - 1):.2f}. Features are measured anew on the images, by our network "
        "for all three; EfficientNet and the classifier on it are independent of both networks. Distance "
        "from real crops: to the nearest training crop of any class, over that of held-out crops.",
    )


def _plots(curves: dict, weights: np.ndarray) -> list[Plot]:
    titles = {
        "places": ("Position of the samples on the line between classes", "position on the line"),
        "shares": ("What the classifier sees", "probability of the second class over both"),
        "nearest": ("Distance from the nearest real crop", "distance / that of held-out crops"),
        "contrast": ("Contrast along the path", "contrast / interpolated contrast of the ends"),
    }
    ideal = {"places": ("even", [0, 1]), "shares": ("even", [0, 1]), "nearest": ("held-out crops", [1, 1])}
    plots = []
    for key in CURVES:
        title, y = titles[key]
        lines = []
        for name, points in curves[key].items():
            mean, low, high = zip(*points, strict=True)
            lines.append(series(name, weights, mean, low=low, high=high))
        if key in ideal:
            lines.append(series(ideal[key][0], [0, 1], ideal[key][1], style="dashes"))
        plots.append(
            plot(
                f"{PART}-{key}",
                title,
                lines,
                x="weight of the second class",
                y=y,
                note="Means over pairs of classes; bands: 95 %.",
            )
        )
    return plots


def strips_picture(context: ReportContext, pairs: Sequence[tuple[str, str]], weights: np.ndarray) -> Picture:
    """Strips from one class to another, one along each of `PATHS` for each pair."""
    rows = []
    for k, pair in enumerate(pairs):
        for name, images in path_images(context, pair, k, weights).items():
            strip = [image.resize((96, 96)) for image in to_images(images[:, 0])]
            rows.append((f"{pair[0]} to {pair[1]}: {name}", strip))
    return {
        "file": context.save_picture(f"{PART}-strips", captioned_rows(rows, gap=3)),
        "title": "From one class to another",
        "note": f"The first {len(pairs)} of the random pairs, one seed each, at {len(weights)} weights from "
        "0 to 1. Pixels are blended between the two ends of the first strip.",
    }
