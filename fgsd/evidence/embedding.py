"""Do centroids embed the class densities? Distances between centroids against divergences of densities."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from fgsd.centroids import CentroidTable
from fgsd.checkpoint import Checkpoint
from fgsd.evaluation.checks import check
from fgsd.evidence import embedding_figures as show
from fgsd.evidence.agreement import (
    agreement,
    correlation,
    correlation_intervals,
    nearest_agreement,
    ranks,
)
from fgsd.evidence.clusters import class_clusters, separation, spanned_dimensions, untrained_network
from fgsd.evidence.divergence import divergence_rates, integrate_rates, pair_values, symmetrise
from fgsd.evidence.embedding_figures import ClassAgreement, ClusterFigures, GaussianFigures
from fgsd.evidence.figures import PartFigures
from fgsd.evidence.methods import Exact, Method, Trained
from fgsd.evidence.report_context import ReportContext
from fgsd.evidence.study import GAUSSIAN_SOURCE
from fgsd.gaussians import GaussianClasses, gaussian_divergence
from fgsd.levels import interpolate, noise_levels
from fgsd.model.network import Denoiser

LEVELS = 10  # noise levels of the integral
EACH, GAUSSIAN_EACH = 2, 16  # images of each class at each noise level
CROPS = 12  # of each class, for the clusters of features
MIN_CORRELATION = 0.5  # rank correlation of distances and divergences
MAX_ERROR = 0.05  # of the estimate from exact denoisers, relative

Rates = dict[str, list[list[float]]]  # {"rates": L lists of C numbers}, as JSON stores them
Cached = Callable[[str, Callable[[], Rates]], Rates]  # `cached(key, measure)`, as `ResultCache.get`


def embedding(context: ReportContext) -> PartFigures:
    """The part of the report on the geometry of centroids."""
    ours = Trained("features", context.checkpoint("features"))
    labels = Trained("label", context.checkpoint("labels"))
    table = ours.checkpoint.table
    sigmas = noise_levels(ours.sigma_min, ours.sigma_max, LEVELS)
    levels = sigmas.tolist()
    rates = {method.name: texture_rates(context, method, sigmas) for method in (ours, labels)}
    divergences = {name: symmetrise(integrate_rates(r, levels)) for name, r in rates.items()}
    groups = cluster_figures(context, sigmas)
    distances = {
        show.CENTROIDS: squared_distances(table.values).mean(dim=2),
        "in units of the spread within a class": squared_distances(table.values / table.scales).mean(dim=2),
        "of the network before training": torch.tensor(groups["before, guided"]["distances"]),
        "of label embeddings, not centroids": squared_distances(label_embeddings(labels.checkpoint)),
        show.COLOURS: squared_distances(table.colours),
    }
    by_distance = {name: class_agreement(d, divergences, seed=context.seed) for name, d in distances.items()}
    by_level = correlation_by_level(table, rates["features"], sigmas)
    spanned = spanned_dimensions(interpolate(table.sigmas, table.values, sigmas))
    gaussian = gaussian_figures(context)
    values = 3 * context.data.config.patch_size**2  # numbers in an image
    main, closed = by_distance[show.CENTROIDS]["features"], gaussian.agreement[show.GAUSSIAN_CENTROIDS]
    pairs = {name: pair_values(d).numpy() for name, d in divergences.items()}
    two_networks = agreement(pairs["features"], pairs["label"])["spearman"]
    return {
        "title": "Centroids as an embedding of the class densities",
        "question": "Do squared distances between centroids follow a distance between the class densities?",
        "answer": show.summary(by_distance, closed, groups, levels),
        "checks": [
            check(
                "rank correlation of squared centroid distance and divergence, textures",
                main["spearman"],
                at_least=MIN_CORRELATION,
                interval=main["intervals"].get("spearman"),
            ),
            check(
                "the same against exact divergences, Gaussian classes",
                closed["spearman"],
                at_least=MIN_CORRELATION,
            ),
            check(
                "estimated / exact divergence with exact denoisers, worst pair's error",
                max(gaussian.errors["exact denoisers"]),
                at_most=MAX_ERROR,
            ),
        ],
        "tables": [
            show.distance_table(by_distance, two_networks),
            show.gaussian_table(gaussian),
            show.cluster_table(groups, spanned, levels),
        ],
        "plots": [
            show.distance_plot(
                distances[show.CENTROIDS], divergences["features"], main, table.classes, values=values
            ),
            show.rate_plot({name: symmetric_rates(r) for name, r in rates.items()}, levels, values=values),
            show.level_plot(by_level, levels),
            show.cluster_plot(groups, levels),
            show.dimension_plot(spanned, levels),
            *show.gaussian_plots(gaussian, GAUSSIAN_SOURCE.classes),
        ],
        "pictures": [],
        "figures": {
            "sigmas": levels,
            "classes": table.classes,
            "nats_per_image": {name: rounded(pair_values(d)) for name, d in divergences.items()},
            "squared_distances": {name: rounded(pair_values(d)) for name, d in distances.items()},
            "found": by_distance,
            "spearman_of_two_networks": two_networks,
            "spearman_by_level": by_level,
            "clusters": {
                name: {k: v for k, v in group.items() if k != "distances"} for name, group in groups.items()
            },
            "dimensions": spanned,
            "gaussians": gaussian.to_json(),
        },
    }


def squared_distances(points: Tensor) -> Tensor:
    """Squared Euclidean distances between all pairs of points (C, F) or (C, S, F): (C, C) or (C, C, S)."""
    points = points.double()
    return torch.stack([(points - one).square().sum(dim=-1) for one in points])


def label_embeddings(checkpoint: Checkpoint) -> Tensor:
    """The embeddings (C, E) of the labels of a network."""
    layer = checkpoint.network.label
    if layer is None:
        raise ValueError("the network has labels=0: there are no label embeddings")
    return layer.weight.T.cpu()


def class_agreement(
    distances: Tensor, divergences: dict[str, Tensor], *, seed: int
) -> dict[str, ClassAgreement]:
    """How well distances (C, C) predict the divergences (C, C) under each name."""
    found: dict[str, ClassAgreement] = {}
    for name, divergence in divergences.items():
        d, kl = distances.double().numpy(), divergence.numpy()
        pairs = pair_values(distances.double()).numpy(), pair_values(divergence).numpy()
        found[name] = {
            **agreement(*pairs),
            "intervals": correlation_intervals(d, kl, seed=seed),
            "nearest": nearest_agreement(d, kl),
        }
    return found


def all_rates(
    method: Method,
    classes: Sequence[str],
    images_of: Callable[[int], Tensor],
    sigmas: Tensor,
    *,
    each: int,
    cached: Cached,
    seed: int,
    tileable: bool = False,
) -> Tensor:
    """`divergence_rates` of every class (C, L, C), each stored as soon as it is measured.

    Parameters
    ----------
    images_of : callable
        Returns clean images (L * each, 3, H, W) of the class of a row.
    cached : callable
        `cached(class, measure)`, as `ResultCache.get`.
    """
    denoise = method.denoiser(torch.eye(len(classes)).repeat_interleave(each, dim=0), tileable=tileable)

    def measure(row: int) -> Rates:
        images = images_of(row).to(method.device).unflatten(0, (len(sigmas), each))
        rates = divergence_rates(denoise, row, images, sigmas.tolist(), classes=len(classes), seed=seed + row)
        return {"rates": [rounded(level) for level in rates]}

    rates = [cached(name, functools.partial(measure, row))["rates"] for row, name in enumerate(classes)]
    return torch.tensor(rates, dtype=torch.float64)


def texture_rates(context: ReportContext, method: Trained, sigmas: Tensor) -> Tensor:
    """`all_rates` over training crops, on which the network is most accurate."""
    each, classes = context.scaled(EACH, at_least=1), method.checkpoint.table.classes

    def images_of(row: int) -> Tensor:
        return context.real_crops(len(sigmas) * each, split="train", classes=[classes[row]])[0]

    def cached(name: str, measure: Callable[[], Rates]) -> Rates:
        return context.cache.get(f"embedding: divergence from {name}, {method.name}", measure)

    return all_rates(method, classes, images_of, sigmas, each=each, cached=cached, seed=context.seed)


def cluster_figures(context: ReportContext, sigmas: Tensor) -> dict[str, ClusterFigures]:
    """Separation of the clusters before and after training, and squared distances of the centroids."""
    trained, table = context.checkpoint("features").network, context.checkpoint("features").table
    n = context.scaled(CROPS)
    coordinates = trained.target_coordinates(sigmas, interpolate(table.sigmas, table.values, sigmas))

    def measure(network: Denoiser, guided: bool) -> ClusterFigures:
        means, stds = class_clusters(
            network,
            context.real_crops(n, split="train"),
            sigmas,
            guided=guided,
            coordinates=coordinates if network is trained else None,
            seed=context.seed,
        )
        distances = squared_distances(means).mean(dim=2)
        return {**separation(means, stds, n), "distances": [rounded(row) for row in distances]}

    groups = {}
    untrained = untrained_network(trained.config, trained, seed=context.seed)
    for name, network in (("before", untrained), ("after", trained)):
        for guided in (False, True):
            key = name + (", guided" if guided else "")
            groups[key] = context.cache.get(
                f"embedding: clusters {key}", functools.partial(measure, network, guided)
            )
    return groups


def symmetric_rates(rates: Tensor) -> Tensor:
    """Rates of both directions together (L, P) for each pair of classes, from rates (C, L, C)."""
    return torch.stack([pair_values(symmetrise(level)) for level in rates.transpose(0, 1)])


def correlation_by_level(table: CentroidTable, rates: Tensor, sigmas: Tensor) -> list[float]:
    """Rank correlation of squared centroid distances and rates (C, L, C), at each noise level separately."""
    distances = squared_distances(interpolate(table.sigmas, table.values, sigmas))  # (C, C, L)
    levels = zip(distances.unbind(dim=2), symmetric_rates(rates), strict=True)
    return [agreement(pair_values(d).numpy(), rate.numpy())["spearman"] for d, rate in levels]


def gaussian_figures(context: ReportContext) -> GaussianFigures:
    """Estimated divergences, and centroids, against the closed form, over pairs of Gaussian classes."""
    gaussians = GAUSSIAN_SOURCE.gaussians
    ours, labels = context.checkpoint("gaussians-features"), context.checkpoint("gaussians-labels")
    each = context.scaled(GAUSSIAN_EACH, at_least=4)
    sigmas = noise_levels(ours.info.sigma_min, ours.info.sigma_max, LEVELS)
    exact, exact_colour = (
        pair_values(symmetrise(noisy_divergences(gaussians, sigmas[0].item(), colour=colour)))
        for colour in (False, True)
    )

    def images_of(row: int) -> Tensor:
        generator = torch.Generator().manual_seed(context.seed + row)
        return gaussians.sample(gaussians.classes[row], LEVELS * each, generator)

    columns, errors = {}, {}
    methods: dict[str, Method] = {
        "exact denoisers": Exact("exact", gaussians),
        "guided denoisers": Trained("features", ours),
        "denoisers with labels": Trained("label", labels),
    }
    for name, method in methods.items():

        def cached(class_name: str, measure: Callable[[], Rates], name: str = name) -> Rates:
            return context.cache.get(f"embedding: {class_name}, {name}", measure)

        rates = all_rates(
            method,
            gaussians.classes,
            images_of,
            sigmas,
            each=each,
            cached=cached,
            seed=context.seed,
            tileable=True,
        )
        estimate = pair_values(symmetrise(integrate_rates(rates, sigmas.tolist())))
        columns[show.ESTIMATE + name] = rounded(estimate)
        errors[name] = rounded((estimate / exact - 1).abs())
    distances = squared_distances(ours.table.values).mean(dim=2)
    columns[show.GAUSSIAN_CENTROIDS] = rounded(pair_values(distances))
    colour_ranks = ranks(exact_colour.numpy())
    return GaussianFigures(
        exact=rounded(exact),
        exact_colour=rounded(exact_colour),
        columns=columns,
        errors=errors,
        agreement={
            name: {
                **agreement(np.array(column), exact.numpy()),
                "spearman_colour": correlation(ranks(np.array(column)), colour_ranks),
            }
            for name, column in columns.items()
        },
    )


def noisy_divergences(gaussians: GaussianClasses, sigma: float, *, colour: bool = False) -> Tensor:
    """Exact KL divergences (C, C), row from column, of the classes with added noise, in nats an image.

    With `colour`, of the densities of the mean colour alone.
    """
    means, power = gaussians.means, gaussians.power + sigma**2
    if colour:  # the coefficients at frequency 0 are sqrt(pixels) times the mean colour
        means, power = means * math.prod(gaussians.size) ** 0.5, power[..., :1, :1]
    densities = list(zip(means, power, strict=True))
    rows = [[gaussian_divergence(*one, *other) for other in densities] for one in densities]
    return torch.tensor(rows, dtype=torch.float64)


def rounded(values: Tensor) -> list[float]:
    """The values with 5 significant digits, which keeps the JSON small."""
    return [float(f"{v:.5g}") for v in values.tolist()]
