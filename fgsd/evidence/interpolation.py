"""Between classes, where nobody trained: centroids, label embeddings and pixels interpolated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fgsd.data import to_images, to_tensor
from fgsd.evaluation.checks import bootstrap_interval, check
from fgsd.evaluation.context import real_crops
from fgsd.evaluation.paths import MAX_NOISE, TARGET, positions_on_line, random_pairs, unguided_features
from fgsd.evidence.figures import plot, series, table
from fgsd.evidence.methods import Trained
from fgsd.evidence.path_metrics import better, blends, contrasts, following, going_on, nearest, place_between
from fgsd.evidence.report_context import Workbench
from fgsd.sheets import captioned_rows

PAIRS, POINTS, EACH, STEPS = 50, 7, 2, 16
CROPS = 24  # of each class of a pair, whose own features are the ends of the line
SHOWN = 4  # pairs in the picture
OURS, LABELS, PIXELS = "features (ours)", "label embedding", "blend of pixels"
# of figures: column of the table, which end is better, if any, and words for a sentence
FIGURES = {
    "correlation": ("place on the line, correlation with weight", "high", "following the weight"),
    "uneven": ("off even steps by", "low", "evenness"),
    "largest_step": ("largest step", None, ""),  # the least is that of images that never change
    "beside": ("beside the line", "low", "keeping to the line"),
    "outside_correlation": ("correlation by EfficientNet", "high", "following it in other features"),
    "outside_uneven": ("off even steps, by EfficientNet", "low", "evenness in other features"),
    "onward": ("steps not back, by the classifier", "high", "not going back"),
    "spearman": ("rank correlation, by the classifier", "high", "order by the classifier"),
    "nearest_middle": ("distance from real crops, middle", "low", "nearness to real textures"),
    "contrast_error": ("contrast off by, middle", "low", "contrast"),
}


def between(bench: Workbench) -> dict:
    """What the report says of the way from one class to another."""
    weights = np.linspace(0, 1, POINTS)
    pairs = random_pairs(bench.classes, bench.some(PAIRS), seed=bench.seed)
    if not pairs:
        raise ValueError(f"classes={bench.classes}: a way from one to another needs at least 2")
    usual = bench.units.get("between: held-out crops", lambda: {"nearest": held_out_distance(bench)})
    found: dict[str, list[dict]] = {OURS: [], LABELS: [], PIXELS: []}
    for k, pair in enumerate(bench.progress(pairs, desc="between classes")):
        kept = bench.units.get(
            f"between: {pair[0]} to {pair[1]}", lambda k=k, pair=pair: measure(bench, pair, k, weights)
        )
        for name, one in kept.items():
            relative = [d / usual["nearest"] for d in one["nearest"]]
            found[name].append(one | {"nearest": relative, "nearest_middle": relative[POINTS // 2]})
    columns = {
        key: {name: interval([one[key] for one in ways], seed=bench.seed) for name, ways in found.items()}
        for key in FIGURES
    }
    verdicts = {
        key: better(
            [one[key] for one in found[OURS]],
            [one[key] for one in found[LABELS]],
            high=direction == "high",
            seed=bench.seed,
        )
        for key, (_, direction, _) in FIGURES.items()
        if direction
    }
    curves = {
        key: {name: curve([one[key] for one in ways], seed=bench.seed) for name, ways in found.items()}
        for key in ("places", "shares", "nearest", "contrast")
    }
    mean, *bounds = columns["correlation"][OURS]
    return {
        "title": "Between classes, where nobody trained",
        "question": "Do samples change gradually from one class to another, and stay like real textures?",
        "answer": answer(columns, curves, verdicts, len(pairs)),
        "checks": [
            check(
                f"correlation of place on the line with weight, {len(pairs)} pairs",
                mean,
                at_least=TARGET,
                interval=tuple(bounds),
            )
        ],
        "tables": [_table(columns, len(pairs))],
        "plots": _plots(curves, weights),
        "pictures": [picture(bench, pairs[:SHOWN], weights)],
        "figures": {
            "weights": weights.tolist(),
            "each": EACH,
            "held_out_distance": usual["nearest"],
            "pairs": [f"{a} to {b}" for a, b in pairs],
            "ways": found,
            "means": columns,
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
    for step in method.steps(mixtures, [*seeds] * len(weights), size=size, steps=STEPS):
        last = step
    images = torch.stack([to_tensor(image) for image in to_images(last.x)])
    return images.unflatten(0, (len(weights), len(seeds)))


def all_ways(bench: Workbench, pair: tuple[str, str], k: int, weights: np.ndarray) -> dict[str, Tensor]:
    """Images (W, n, 3, H, W') of pair number `k` by each way; pixels are those of the ends of ours."""
    size, seeds = bench.data.config.patch_size, [bench.seed + k * EACH + j for j in range(EACH)]
    ours, told = Trained(OURS, bench.checkpoint("features")), Trained(LABELS, bench.checkpoint("labels"))
    found = {one.name: path_samples(one, pair, weights, seeds, size=size) for one in (ours, told)}
    return found | {PIXELS: blends(found[OURS][0], found[OURS][-1], weights)}


def measure(bench: Workbench, pair: tuple[str, str], k: int, weights: np.ndarray) -> dict[str, dict]:
    """Figures of a pair of classes, by each way.

    Features are measured anew on the finished images, without guidance, by our network for every way, and by
    EfficientNet, which has nothing to do with either.
    """
    network, sigmas = bench.checkpoint("features").network, bench.checkpoint("features").table.sigmas
    sigmas = sigmas[sigmas <= MAX_NOISE][::2]
    ends, scale = class_means(bench, pair, sigmas)
    one, other = (bench.judge.classes.index(name) for name in pair)
    real = bench.judge.scaled(bench.yardstick.training_features)  # (C, n, F)
    found = {}
    for name, images in all_ways(bench, pair, k, weights).items():
        grid = images.shape[:2]
        phi = unguided_features(network, images.flatten(0, 1), sigmas, seed=bench.seed)
        along, beside = positions_on_line(ends, scale, phi)
        features = bench.measured(images)
        chances, scaled = bench.judge.probabilities(features), bench.judge.scaled(features)
        shares = chances[..., other] / np.maximum(chances[..., one] + chances[..., other], 1e-12)
        outside = place_between(scaled, real[one].mean(axis=0), real[other].mean(axis=0))
        by_outside, contrast = following(outside, weights), contrasts(images, weights)
        away = nearest(scaled.reshape(-1, scaled.shape[-1]), real.reshape(-1, real.shape[-1]))
        found[name] = {
            **following(along.reshape(grid), weights),
            "beside": float(beside.mean()),
            "outside_correlation": by_outside["correlation"],
            "outside_uneven": by_outside["uneven"],
            **going_on(shares, weights),
            "shares": shares.mean(axis=1).tolist(),
            "nearest": away.reshape(grid).mean(axis=1).tolist(),
            "contrast": contrast.tolist(),
            "contrast_error": float(abs(contrast[len(weights) // 2] - 1)),
        }
    return found


def class_means(
    bench: Workbench, pair: tuple[str, str], sigmas: Tensor
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Mean own features (L, F) at noise levels (L,) of training crops of each of two classes, and their
    spread (L, F) within a class.

    Not the centroids that the network is guided to: those of one whose centroids settled are no longer quite
    its features' means, and they are met on the way of guidance, where own features are measured without.
    """
    network, n = bench.checkpoint("features").network, bench.some(CROPS, 4)
    one, other = (
        unguided_features(network, crops, sigmas, seed=bench.seed)
        for crops in real_crops(bench.data, pair, n, split="train", seed=bench.seed)
    )
    spread = (0.5 * (one.var(dim=0) + other.var(dim=0))).sqrt().clamp(min=1e-6)
    return (one.mean(dim=0), other.mean(dim=0)), spread


def held_out_distance(bench: Workbench) -> float:
    """Mean distance of held-out crops to the nearest training crop of any class, in independent features."""
    real = bench.judge.scaled(bench.yardstick.training_features)
    held_out = bench.judge.scaled(bench.measured(bench.held_out(bench.some(8))))
    return float(nearest(*(f.reshape(-1, f.shape[-1]) for f in (held_out, real))).mean())


def interval(values: Sequence[float], *, seed: int, draws: int = 2000) -> list[float]:
    """Mean over pairs and its 95 % interval when pairs are drawn anew: [value, low, high]."""
    values = np.asarray(values)
    return [
        float(values.mean()),
        *bootstrap_interval(lambda rows: values[rows].mean(), len(values), seed=seed, draws=draws),
    ]


def curve(values: Sequence[Sequence[float]], *, seed: int) -> list[list[float]]:
    """`interval` at each of the W weights, of values (pairs, W)."""
    return [interval(at, seed=seed, draws=500) for at in np.asarray(values).T]


def answer(columns: dict, curves: dict, verdicts: dict[str, int], pairs: int) -> str:
    """What the figures say, and where interpolated labels are better."""

    def three(key: str, digits: int = 2) -> str:
        return "{:.{d}f} ({:.{d}f} with label embeddings, {:.{d}f} with pixels)".format(
            *(columns[key][name][0] for name in (OURS, LABELS, PIXELS)), d=digits
        )

    contrast = "{:.2f} ({:.2f}, {:.2f})".format(
        *(curves["contrast"][name][POINTS // 2][0] for name in (OURS, LABELS, PIXELS))
    )
    words = {sign: [FIGURES[k][2] for k, v in verdicts.items() if v == sign] for sign in (1, -1)}
    return (
        f"Between {pairs} random pairs of classes the samples' own features follow the weight with a "
        f"correlation of {three('correlation')}; half way they are {three('nearest_middle')} times as far "
        f"from real crops as held-out crops are, with {contrast} of the contrast. Beyond chance, centroids "
        f"are better than label embeddings in {', '.join(words[1]) or 'nothing'}, and label embeddings are "
        f"better in {', '.join(words[-1]) or 'nothing'}."
    )


def _table(columns: dict, pairs: int) -> dict:
    rows = [[name, *(columns[key][name] for key in FIGURES)] for name in (OURS, LABELS, PIXELS)]
    return table(
        "Interpolated centroids, label embeddings and pixels",
        ["interpolated", *(words for words, _, _ in FIGURES.values())],
        rows,
        best={words: direction for words, direction, _ in FIGURES.values() if direction},
        note=f"{pairs} random pairs, {POINTS} weights, {EACH} samples at each with the same seeds, {STEPS} "
        f"steps; intervals: 95 %, over pairs. Line: between the mean features of {CROPS} training crops of "
        "each class, in units of the spread within a class; even steps would be "
        f"{1 / (POINTS - 1):.2f}. Features are measured anew on the images, by our network for all three; "
        "EfficientNet and the classifier on it know neither network. Distance: to "
        "the nearest training crop of any class, over that of held-out crops.",
    )


def _plots(curves: dict, weights: np.ndarray) -> list[dict]:
    titles = {
        "places": ("Place of the samples on the line between classes", "place on the line"),
        "shares": ("What the classifier says", "probability of the second class over both"),
        "nearest": ("Distance from the nearest real crop", "distance / that of held-out crops"),
        "contrast": ("Contrast along the way", "contrast / interpolated contrast of the ends"),
    }
    ideal = {"places": ("even", [0, 1]), "shares": ("even", [0, 1]), "nearest": ("held-out crops", [1, 1])}
    plots = []
    for key, (title, y) in titles.items():
        lines = []
        for name, points in curves[key].items():
            mean, low, high = zip(*points, strict=True)
            lines.append(series(name, weights, mean, low=low, high=high))
        if key in ideal:
            lines.append(series(ideal[key][0], [0, 1], ideal[key][1], style="dashes"))
        plots.append(
            plot(
                f"between-{key}",
                title,
                lines,
                x="weight of the second class",
                y=y,
                note="Means over pairs of classes, bands: 95 %.",
            )
        )
    return plots


def picture(bench: Workbench, pairs: Sequence[tuple[str, str]], weights: np.ndarray) -> dict:
    """Strips from one class to another, three for each pair."""
    rows = []
    for k, pair in enumerate(pairs):
        for name, images in all_ways(bench, pair, k, weights).items():
            strip = [image.resize((96, 96)) for image in to_images(images[:, 0])]
            rows.append((f"{pair[0]} to {pair[1]}: {name}", strip))
    return {
        "file": bench.picture("between-strips", captioned_rows(rows, gap=3)),
        "title": "From one class to another",
        "note": f"The first {len(pairs)} of the random pairs, one seed each, at {len(weights)} weights from "
        "0 to 1. Pixels are blended between the two ends of the first strip.",
    }
