"""Tables, plots and summary of the part of the report on the embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from fgsd.evidence.agreement import Agreement
from fgsd.evidence.clusters import Separation
from fgsd.evidence.divergence import pair_values
from fgsd.evidence.figures import Cell, Plot, Series, Table, plot, series, table

CENTROIDS, COLOURS = "of centroids (ours)", "of mean colours, not centroids"
GAUSSIAN_CENTROIDS = "squared distance of centroids"
ESTIMATE = "estimate, "  # before the name of the denoisers, in names of columns


class ClassAgreement(Agreement):
    """Agreement over textures."""

    intervals: dict[str, tuple[float, float]]  # of `pearson` and `spearman`; empty for few classes
    nearest: float  # see `nearest_agreement`


class GaussianAgreement(Agreement):
    """Agreement with exact divergences."""

    spearman_colour: float  # rank correlation with the divergences of the mean colour alone


class ClusterFigures(Separation):
    """Separation by noise level, and squared distances of the centroids."""

    distances: list[list[float]]


@dataclass(frozen=True)
class GaussianFigures:
    """Figures over P pairs of Gaussian classes."""

    exact: list[float]  # divergences
    exact_colour: list[float]  # divergences of the mean colour alone
    columns: dict[str, list[float]]  # estimated divergences, and squared distances of centroids
    errors: dict[str, list[float]]  # relative, of the estimates by each kind of denoisers
    agreement: dict[str, GaussianAgreement]  # of each column with the exact divergences

    def to_json(self) -> dict[str, Any]:
        """The figures under their names in report.json."""
        exact = {"exact": self.exact, "exact_colour": self.exact_colour}
        return {**exact, **self.columns, "errors": self.errors, "found": self.agreement}


def summary(
    by_distance: Mapping[str, Mapping[str, Agreement]],
    closed: GaussianAgreement,
    groups: Mapping[str, ClusterFigures],
    sigmas: Sequence[float],
) -> str:
    """The figures in a few sentences."""
    main, other = by_distance[CENTROIDS]["features"], by_distance[CENTROIDS]["label"]
    colours = by_distance[COLOURS]["features"]
    adverbs = {0.8: "closely", 0.5: "loosely", -1.0: "hardly"}
    adverb = next(word for least, word in adverbs.items() if main["spearman"] >= least)
    after, before = groups["after"]["fisher"], groups["before"]["fisher"]
    k = max(range(len(sigmas)), key=lambda k: after[k])
    change = "raises" if after[k] > before[k] else "lowers"
    return (
        f"Squared distances between centroids {adverb} follow the symmetrised divergence of the densities: "
        f"rank correlation {main['spearman']:.2f} ({other['spearman']:.2f} with divergences by a network "
        f"with labels), where distances of mean colours alone reach {colours['spearman']:.2f}; for "
        f"95 % of the pairs divergence over squared distance lies within a factor of {main['ratio_95']:.1f}. "
        f"For Gaussian classes it is {closed['spearman']:.2f} with the exact divergences and "
        f"{closed['spearman_colour']:.2f} with those of their mean colours alone. "
        f"Training {change} the ratio of variance between classes to variance within them: at "
        f"σ = {sigmas[k]:.2g}, where it is highest, from {before[k]:.2g} to {after[k]:.2g}."
    )


def distance_table(by_distance: Mapping[str, Mapping[str, ClassAgreement]], two_networks: float) -> Table:
    """Every distance against the divergences by both networks."""
    rows: list[list[Cell]] = []
    for name, by_network in by_distance.items():
        one, other = by_network["features"], by_network["label"]
        rows.append(
            [
                name,
                _with_interval(one["pearson"], one, "pearson"),
                _with_interval(one["spearman"], one, "spearman"),
                one["slope"],
                one["ratio_95"],
                one["ratio"],
                one["nearest"],
                _with_interval(other["spearman"], other, "spearman"),
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
    best = dict.fromkeys((columns[1], columns[2], columns[6], columns[7]), "high")
    return table(
        "Squared distances between classes against the divergence of their densities",
        columns,
        rows,
        best=best | {columns[4]: "low", columns[5]: "low"},
        note="Distances of centroids are means over noise levels, evenly in log σ. Divergence: KL(a || b) + "
        "KL(b || a) at the lowest noise level, by the guided denoisers of the same network, or by those of "
        "the network with labels, which is independent of our features; the rank correlation of the two is "
        f"{two_networks:.2f}. Denoisers are evaluated on images of other classes too, on which they were not "
        "trained, so divergences of distant pairs are less certain. c and C: best constants in "
        "c d² ≤ divergence ≤ C d². Nearest: how often a class's nearest class by distance is among its three "
        "nearest by divergence. Intervals: 95 %, over classes.",
    )


def gaussian_table(gaussian: GaussianFigures) -> Table:
    """The estimates, and the centroids, against the closed form."""
    rows: list[list[Cell]] = []
    for name, one in gaussian.agreement.items():
        errors = gaussian.errors.get(name.removeprefix(ESTIMATE))
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
        note=f"{len(gaussian.exact)} pairs of classes; KL(a || b) + KL(b || a) of the densities with the "
        "noise at which sampling ends. The error with exact denoisers is that of the estimator itself. "
        "Classes come in pairs that share a mean colour and differ in structure only: figures that follow "
        "the divergence of the mean colour, but not the whole one, show guidance that ignores structure.",
    )


def cluster_table(
    groups: Mapping[str, ClusterFigures], spanned: dict[str, list[float]], sigmas: Sequence[float]
) -> Table:
    """Separation of clusters and dimensions of the centroids, by noise level."""
    names = list(groups)
    columns = ["σ", *(f"between / within, {name}" for name in names), "participation ratio", "axes for 90 %"]
    rows: list[list[Cell]] = [
        [
            f"{sigma:.2g}",
            *(groups[name]["fisher"][k] for name in names),
            spanned["participation"][k],
            spanned["components"][k],
        ]
        for k, sigma in enumerate(sigmas)
    ]
    return table(
        "Clusters of features, and the dimensions that centroids span, by noise level",
        columns,
        rows,
        note="Variance of the centroids between classes over that of features within a class. Guided: each "
        "layer is matched to its class before the next is measured, as in sampling, which by itself tightens "
        "the clusters; the other columns are features without guidance. Before: the same network, freshly "
        "initialised. The last two columns are of the trained network's centroids.",
    )


def distance_plot(
    distances: Tensor, divergences: Tensor, fit: Agreement, classes: Sequence[str], *, values: int
) -> Plot:
    """Divergence against squared centroid distance, all pairs; an image has `values` numbers."""
    x, y = pair_values(distances).numpy(), pair_values(divergences).numpy() / values
    names = pair_names(classes)
    order = np.argsort(y)
    labelled = [int(k) for k in (order[0], order[-1], np.argmin(y / x), np.argmax(y / x))]
    labels = {names[k]: (float(x[k]), float(y[k]), names[k]) for k in labelled}
    return plot(
        "embedding-distances",
        "Divergence of class densities against squared distance of centroids",
        [
            series(f"{len(x)} pairs of textures", x, y, style="points", points=names),
            *_bounds(x, fit, values),
        ],
        x="squared distance of centroids, mean over noise levels",
        y="KL(a || b) + KL(b || a), nats a dimension",
        log_x=True,
        log_y=True,
        labels=list(labels.values()),
    )


def rate_plot(rates: dict[str, Tensor], sigmas: Sequence[float], *, values: int) -> Plot:
    """Which noise levels the divergence comes from; rates are (L, P) by network."""
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


def level_plot(levels: Sequence[float], sigmas: Sequence[float]) -> Plot:
    """Rank correlation at every noise level separately."""
    return plot(
        "embedding-levels",
        "Centroid distance against divergence, at each noise level separately",
        [series("rank correlation over pairs of textures", sigmas, levels)],
        x="noise level σ",
        y="rank correlation",
        log_x=True,
    )


def cluster_plot(groups: Mapping[str, ClusterFigures], sigmas: Sequence[float]) -> Plot:
    """Separation before and after training."""
    lines = [
        series(f"{_swapped(name)} training", sigmas, _positive(group["fisher"]))
        for name, group in groups.items()
    ]
    return plot(
        "embedding-clusters",
        "Distance between classes relative to their width",
        lines,
        x="noise level σ",
        y="variance between classes / within",
        log_x=True,
        log_y=True,
    )


def dimension_plot(spanned: dict[str, list[float]], sigmas: Sequence[float]) -> Plot:
    """How many dimensions the centroids span."""
    return plot(
        "embedding-dimensions",
        "Dimensions that the centroids span",
        [
            series("participation ratio", sigmas, spanned["participation"]),
            series("axes that hold 90 % of the variance", sigmas, spanned["components"]),
        ],
        x="noise level σ",
        y="dimensions",
        log_x=True,
    )


def pair_names(classes: Sequence[str]) -> list[str]:
    """Names of all pairs of classes, in the order of `pair_values`."""
    return [f"{a} – {b}" for k, a in enumerate(classes) for b in classes[k + 1 :]]


def gaussian_plots(gaussian: GaussianFigures, classes: Sequence[str]) -> list[Plot]:
    """Estimates and centroids against the exact divergences."""
    exact = np.array(gaussian.exact)
    pairs, ends = pair_names(classes), [exact.min(), exact.max()]
    distance = np.array(gaussian.columns[GAUSSIAN_CENTROIDS])
    estimates = {name: column for name, column in gaussian.columns.items() if name.startswith(ESTIMATE)}
    divergence = "exact KL(a || b) + KL(b || a), nats an image"
    return [
        plot(
            "embedding-gaussians",
            "Gaussian classes: estimated divergence against the exact one",
            [
                *(
                    series(name, exact, column, style="points", points=pairs)
                    for name, column in estimates.items()
                ),
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
                series(f"{len(exact)} pairs of classes", distance, exact, style="points", points=pairs),
                *_bounds(distance, gaussian.agreement[GAUSSIAN_CENTROIDS], 1),
            ],
            x="squared distance of centroids, mean over noise levels",
            y=divergence,
            log_x=True,
            log_y=True,
        ),
    ]


def _bounds(x: np.ndarray, fit: Agreement, divisor: float) -> list[Series]:
    """The lines c d^2 and C d^2 over the range of squared distances."""
    ends = np.array([x.min(), x.max()])
    constants = (("c d²", fit["low"]), ("C d²", fit["high"]))
    return [series(name, ends, constant * ends / divisor, style="dashes") for name, constant in constants]


def _with_interval(value: float, one: ClassAgreement, key: str) -> list[float]:
    return [value, *one["intervals"].get(key, ())]


def _positive(values: Sequence[float]) -> list[float]:
    """Values for a logarithmic axis: those below a thousandth are drawn there."""
    return [max(v, 1e-3) for v in values]


def _swapped(name: str) -> str:
    """`before, guided` as `guided, before`, for a legend entry that ends in `training`."""
    return ", ".join(reversed(name.split(", ")))
