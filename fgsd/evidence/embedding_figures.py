"""Tables, plots and words of the part of the report on the embedding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from fgsd.evidence.divergence import of_pairs
from fgsd.evidence.figures import plot, series, table

CENTROIDS = "of centroids (ours)"
GAUSSIAN_CENTROIDS = "squared distance of centroids"


def answer(found: dict, closed: dict, groups: dict, sigmas: Sequence[float]) -> str:
    """What the figures say, in a few sentences."""
    main, other = found[CENTROIDS]["features"], found[CENTROIDS]["label"]
    colours = found["of mean colours, not centroids"]["features"]
    words = {0.8: "closely", 0.5: "loosely", -1.0: "hardly"}
    how = next(word for least, word in words.items() if main["spearman"] >= least)
    after, before = groups["after"]["fisher"], groups["before"]["fisher"]
    k = max(range(len(sigmas)), key=lambda k: after[k])
    change = "raises" if after[k] > before[k] else "lowers"
    return (
        f"Squared distances between centroids {how} follow the symmetrised divergence of the densities: "
        f"rank correlation {main['spearman']:.2f} ({other['spearman']:.2f} with divergences by a network "
        f"that was told labels), where distances of mean colours alone reach {colours['spearman']:.2f}; for "
        f"95 % of the pairs divergence over squared distance lies within a factor of {main['ratio_95']:.1f}. "
        f"For Gaussian classes it is {closed['spearman']:.2f} with the exact divergences and "
        f"{closed['spearman_colour']:.2f} with those of their mean colours alone. "
        f"Training {change} the variance between classes over that within them, at σ = {sigmas[k]:.2g} where "
        f"it is highest, from {before[k]:.2g} to {after[k]:.2g}."
    )


def distance_table(found: dict, two_networks: float) -> dict:
    """Every distance against the divergences by both networks."""
    rows = []
    for name, by in found.items():
        one, other = by["features"], by["label"]
        rows.append(
            [
                name,
                *(_with_interval(one, key) for key in ("pearson", "spearman")),
                one["slope"],
                one["ratio_95"],
                one["ratio"],
                one["nearest"],
                _with_interval(other, "spearman"),
            ]
        )
    columns = [
        "squared distance",
        "correlation of logs",
        "rank correlation",
        "slope in logs (1: proportional)",
        "C / c, central 95 %",
        "C / c, all pairs",
        "nearest class agrees",
        "rank correlation, label network",
    ]
    high = dict.fromkeys((columns[1], columns[2], columns[6], columns[7]), "high")
    return table(
        "Squared distances between classes against the divergence of their densities",
        columns,
        rows,
        best=high | {columns[4]: "low", columns[5]: "low"},
        note="Distances of centroids are means over noise levels, evenly in log σ. Divergence: KL(a || b) + "
        "KL(b || a) at the lowest noise level, by the guided denoisers of the same network, or by those of "
        "the network with labels, which shares nothing with our features; the rank correlation of the two is "
        f"{two_networks:.2f}. A denoiser is asked about images of other classes too, which it was not "
        "trained on, so far pairs are the less certain. c and C: best constants in c d² ≤ divergence ≤ C d². "
        "Nearest: how often a class's nearest by distance is among its three nearest by divergence. "
        "Intervals: 95 %, over classes.",
    )


def gaussian_table(exact: dict) -> dict:
    """What the estimate is worth, and the centroids, against the closed form."""
    rows = []
    for name, one in exact["found"].items():
        errors = exact["errors"].get(name.removeprefix("estimate, "))
        rows.append(
            [
                name,
                one["pearson"],
                one["spearman"],
                one["spearman_colour"],
                one["slope"],
                one["ratio"],
                float(np.median(errors)) if errors else None,
                max(errors) if errors else None,
            ]
        )
    return table(
        "Gaussian classes, where the divergence is known",
        [
            "against the exact divergence",
            "correlation of logs",
            "rank correlation",
            "the same, mean colour alone",
            "slope in logs",
            "C / c, all pairs",
            "relative error, median",
            "worst",
        ],
        rows,
        note=f"{len(exact['exact'])} pairs of classes; KL(a || b) + KL(b || a) of the densities with the "
        "noise at which sampling ends. What the exact denoisers miss is the estimator's own error. Classes "
        "come in pairs that share a mean colour, and differ in structure only: figures that follow the mean "
        "colour alone and not the whole divergence come of a network whose guidance does not tell structure.",
    )


def cluster_table(groups: dict, filled: dict, sigmas: Sequence[float]) -> dict:
    """Clusters and dimensions by noise level."""
    names = list(groups)
    columns = ["σ", *(f"between / within, {name}" for name in names), "participation ratio", "axes for 90 %"]
    rows = [
        [
            f"{sigma:.2g}",
            *(groups[name]["fisher"][k] for name in names),
            filled["participation"][k],
            filled["components"][k],
        ]
        for k, sigma in enumerate(sigmas)
    ]
    return table(
        "Clusters of features, and the dimensions that centroids fill, by noise level",
        columns,
        rows,
        note="Variance of the centroids between classes over that of features within a class. Guided: each "
        "layer is matched to its class before the next is measured, as in sampling, which by itself draws a "
        "class together; the other columns are features that each crop has by itself. Before: the same "
        "network, freshly initialised. The last two columns are of the trained network's centroids.",
    )


def distance_plot(
    distances: Tensor, divergences: Tensor, found: dict, classes: Sequence[str], *, values: int
) -> dict:
    """Divergence against squared centroid distance, all pairs; an image is so many `values`."""
    x, y = of_pairs(distances).numpy(), of_pairs(divergences).numpy() / values
    names = [f"{a} – {b}" for k, a in enumerate(classes) for b in classes[k + 1 :]]
    order = np.argsort(y)
    named = [*order[:1], *order[-1:], np.argmin(y / x), np.argmax(y / x)]
    labels = {names[k]: (float(x[k]), float(y[k]), names[k]) for k in named}
    return plot(
        "embedding-distances",
        "Divergence of class densities against squared distance of centroids",
        [series(f"{len(x)} pairs of textures", x, y, style="points"), *_bounds(x, found, values)],
        x="squared distance of centroids, mean over noise levels",
        y="KL(a || b) + KL(b || a), nats a dimension",
        log_x=True,
        log_y=True,
        labels=list(labels.values()),
    )


def rate_plot(rates: dict[str, Tensor], sigmas: Sequence[float], *, values: int) -> dict:
    """Where in the noise levels the divergence comes from; rates are (L, P) by network."""
    lines = []
    for name, of_network in rates.items():
        low, middle, high = np.quantile(of_network.numpy() / values, (0.05, 0.5, 0.95), axis=1)
        lines.append(series(f"by the network with {name}", sigmas, middle, low=low, high=high))
    return plot(
        "embedding-rates",
        "Noise levels at which classes differ",
        lines,
        x="noise level σ",
        y="divergence for each unit of log σ, nats a dimension",
        log_x=True,
        log_y=True,
        note="Median over pairs of classes, and the range of 90 % of them.",
    )


def level_plot(levels: Sequence[float], sigmas: Sequence[float]) -> dict:
    """Rank correlation at every noise level by itself."""
    return plot(
        "embedding-levels",
        "Centroid distance against divergence, at each noise level by itself",
        [series("rank correlation over pairs of textures", sigmas, levels)],
        x="noise level σ",
        y="rank correlation",
        log_x=True,
    )


def cluster_plot(groups: dict, sigmas: Sequence[float]) -> dict:
    """Separation before and after training."""
    lines = [series(f"{name} training", sigmas, _positive(g["fisher"])) for name, g in _worded(groups)]
    return plot(
        "embedding-clusters",
        "How far classes are apart, against how wide they are",
        lines,
        x="noise level σ",
        y="variance between classes / within",
        log_x=True,
        log_y=True,
    )


def dimension_plot(filled: dict, sigmas: Sequence[float]) -> dict:
    """How many dimensions the centroids fill."""
    return plot(
        "embedding-dimensions",
        "Dimensions that the centroids fill",
        [
            series("participation ratio", sigmas, filled["participation"]),
            series("axes that hold 90 % of the variance", sigmas, filled["components"]),
        ],
        x="noise level σ",
        y="dimensions",
        log_x=True,
    )


def gaussian_plots(exact: dict) -> list[dict]:
    """Estimates and centroids against the exact divergences."""
    truth = np.array(exact["exact"])
    ends = [truth.min(), truth.max()]
    distance = np.array(exact[GAUSSIAN_CENTROIDS])
    divergence = "exact KL(a || b) + KL(b || a), nats an image"
    return [
        plot(
            "embedding-gaussians",
            "Gaussian classes: estimated divergence against the exact one",
            [
                *(series(n, truth, v, style="points") for n, v in exact.items() if n.startswith("estimate")),
                series("equal", ends, ends, style="dashes"),
            ],
            x=divergence,
            y="estimated, nats an image",
            log_x=True,
            log_y=True,
        ),
        plot(
            "embedding-gaussians-centroids",
            "Gaussian classes: exact divergence against squared distance of centroids",
            [
                series(f"{len(truth)} pairs of classes", distance, truth, style="points"),
                *_bounds(distance, exact["found"][GAUSSIAN_CENTROIDS], 1),
            ],
            x="squared distance of centroids, mean over noise levels",
            y=divergence,
            log_x=True,
            log_y=True,
        ),
    ]


def _bounds(x: np.ndarray, found: dict, divisor: float) -> list[dict]:
    """The lines c d^2 and C d^2 over the range of squared distances."""
    ends = np.array([x.min(), x.max()])
    pairs = (("c d²", found["low"]), ("C d²", found["high"]))
    return [series(name, ends, constant * ends / divisor, style="dashes") for name, constant in pairs]


def _with_interval(found: dict, key: str) -> list[float]:
    return [found[key], *found["intervals"].get(key, ())]


def _positive(values: Sequence[float]) -> list[float]:
    """For a logarithmic axis: what is below a thousandth is drawn there."""
    return [max(v, 1e-3) for v in values]


def _worded(groups: dict) -> list[tuple[str, dict]]:
    """`before, guided` as `guided, before`, for a legend that goes on with `training`."""
    return [(", ".join(reversed(name.split(", "))), group) for name, group in groups.items()]
