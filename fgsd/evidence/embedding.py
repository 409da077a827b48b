"""Do centroids embed the class densities? Distances between centroids against divergences of densities."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from fgsd.centroids import CentroidTable
from fgsd.evaluation.checks import check
from fgsd.evaluation.context import real_crops
from fgsd.evidence import embedding_figures as drawn
from fgsd.evidence.agreement import correlation, follows, intervals, nearest_agree, ranks
from fgsd.evidence.clusters import clusters, dimensions, fresh_network, separation
from fgsd.evidence.divergence import divergence_rates, integrated, of_pairs, symmetrised
from fgsd.evidence.methods import Exact, Method, Trained
from fgsd.evidence.report_context import Workbench
from fgsd.evidence.study import GAUSSIAN_SOURCE
from fgsd.gaussians import GaussianClasses, gaussian_divergence
from fgsd.levels import interpolate, noise_levels

LEVELS = 10  # noise levels of the integral
EACH, GAUSSIAN_EACH = 2, 16  # images of each class at each of them
CROPS = 12  # of each class, whose features make a cluster
LEAST = 0.5  # rank correlation of distances and divergences
ERROR = 0.05  # of the estimate from exact denoisers, relative


def embedding(bench: Workbench) -> dict:
    """What the report says of the geometry of centroids."""
    ours, told = (
        Trained("features", bench.checkpoint("features")),
        Trained("label", bench.checkpoint("labels")),
    )
    table = ours.checkpoint.table
    sigmas = noise_levels(ours.sigma_min, ours.sigma_max, LEVELS)
    divergences, rates = {}, {}
    for method in (ours, told):
        rates[method.name] = texture_rates(bench, method, sigmas)
        divergences[method.name] = symmetrised(integrated(rates[method.name], sigmas.tolist()))
    groups = cluster_units(bench, sigmas)
    distances = {
        drawn.CENTROIDS: squared_distances(table.values).mean(dim=2),
        "in units of the spread within a class": squared_distances(table.values / table.scales).mean(dim=2),
        "of the network before training": torch.tensor(groups["before, guided"]["distances"]),
        "of label embeddings, not centroids": squared_distances(told.checkpoint.network.label.weight.T.cpu()),
        "of mean colours, not centroids": squared_distances(table.colours),
    }
    found = {name: compared(d, divergences, seed=bench.seed) for name, d in distances.items()}
    levels = by_level(table, rates["features"], sigmas)
    filled = dimensions(interpolate(table.sigmas, table.values, sigmas))
    exact = gaussian_truth(bench)
    values = 3 * bench.data.config.patch_size**2  # of an image
    main, closed = found[drawn.CENTROIDS]["features"], exact["found"][drawn.GAUSSIAN_CENTROIDS]
    two_networks = follows(*(of_pairs(divergences[m.name]).numpy() for m in (ours, told)))["spearman"]
    return {
        "title": "Centroids as an embedding of the class densities",
        "question": "Do squared distances between centroids follow a distance between the class densities?",
        "answer": drawn.answer(found, closed, groups, sigmas.tolist()),
        "checks": [
            check(
                "rank correlation of squared centroid distance and divergence, textures",
                main["spearman"],
                at_least=LEAST,
                interval=main.get("intervals", {}).get("spearman"),
            ),
            check("the same against exact divergences, Gaussian classes", closed["spearman"], at_least=LEAST),
            check(
                "estimated / exact divergence with exact denoisers, worst pair's error",
                max(exact["errors"]["exact denoisers"]),
                at_most=ERROR,
            ),
        ],
        "tables": [
            drawn.distance_table(found, two_networks),
            drawn.gaussian_table(exact),
            drawn.cluster_table(groups, filled, sigmas.tolist()),
        ],
        "plots": [
            drawn.distance_plot(
                distances[drawn.CENTROIDS], divergences["features"], main, table.classes, values=values
            ),
            drawn.rate_plot(
                {name: symmetric_rates(r) for name, r in rates.items()}, sigmas.tolist(), values=values
            ),
            drawn.level_plot(levels, sigmas.tolist()),
            drawn.cluster_plot(groups, sigmas.tolist()),
            drawn.dimension_plot(filled, sigmas.tolist()),
            *drawn.gaussian_plots(exact),
        ],
        "pictures": [],
        "figures": {
            "sigmas": sigmas.tolist(),
            "classes": table.classes,
            "nats_per_image": {name: rounded(of_pairs(d)) for name, d in divergences.items()},
            "squared_distances": {name: rounded(of_pairs(d)) for name, d in distances.items()},
            "found": found,
            "spearman_of_two_networks": two_networks,
            "spearman_by_level": levels,
            "clusters": {
                name: {k: v for k, v in g.items() if k != "distances"} for name, g in groups.items()
            },
            "dimensions": filled,
            "gaussians": exact,
        },
    }


def squared_distances(points: Tensor) -> Tensor:
    """Squared Euclidean distances between all pairs of points (C, F) or (C, S, F): (C, C) or (C, C, S)."""
    points = points.double()
    return torch.stack([(points - one).square().sum(dim=-1) for one in points])


def compared(distances: Tensor, divergences: dict[str, Tensor], *, seed: int) -> dict[str, dict]:
    """`follows`, its intervals and the nearest classes, for divergences (C, C) of each name."""
    found = {}
    for name, divergence in divergences.items():
        d, kl = distances.double().numpy(), divergence.numpy()
        found[name] = follows(of_pairs(distances.double()).numpy(), of_pairs(divergence).numpy()) | {
            "intervals": intervals(d, kl, seed=seed),
            "nearest": nearest_agree(d, kl),
        }
    return found


def all_rates(
    method: Method,
    classes: Sequence[str],
    images_of: Callable[[int], Tensor],
    sigmas: Tensor,
    *,
    each: int,
    keep: Callable[[str, Callable[[], dict]], dict],
    seed: int,
    tileable: bool = False,
) -> Tensor:
    """`divergence_rates` of every class (C, L, C), each kept as soon as it is measured.

    Parameters
    ----------
    images_of : callable
        Clean images (L * each, 3, H, W) of the class of a row.
    keep : callable
        `keep(class, measure)` as `Units.get`.
    """
    denoise = method.denoiser(torch.eye(len(classes)).repeat_interleave(each, dim=0), tileable=tileable)

    def measure(row: int) -> dict:
        images = images_of(row).to(method.device).unflatten(0, (len(sigmas), each))
        rates = divergence_rates(denoise, row, images, sigmas.tolist(), classes=len(classes), seed=seed + row)
        return {"rates": [rounded(level) for level in rates]}

    kept = [keep(name, lambda row=row: measure(row))["rates"] for row, name in enumerate(classes)]
    return torch.tensor(kept, dtype=torch.float64)


def texture_rates(bench: Workbench, method: Trained, sigmas: Tensor) -> Tensor:
    """`all_rates` over training crops, which are what the network knows best."""
    each, data, classes = bench.some(EACH, 1), bench.data, method.checkpoint.table.classes

    def images_of(row: int) -> Tensor:
        return real_crops(data, [classes[row]], len(sigmas) * each, split="train", seed=bench.seed)[0]

    def keep(name: str, measure: Callable[[], dict]) -> dict:
        return bench.units.get(f"embedding: divergence from {name}, {method.name}", measure)

    return all_rates(method, classes, images_of, sigmas, each=each, keep=keep, seed=bench.seed)


def cluster_units(bench: Workbench, sigmas: Tensor) -> dict[str, dict]:
    """Separation of the clusters before and after training, and squared distances of the centroids."""
    trained, table = bench.checkpoint("features").network, bench.checkpoint("features").table
    n, read = bench.some(CROPS), trained.reading(sigmas, interpolate(table.sigmas, table.values, sigmas))

    def measure(network, guided: bool) -> dict:
        told, crops = read if network is trained else None, bench.training(n)
        means, spreads = clusters(network, crops, sigmas, guided=guided, read=told, seed=bench.seed)
        apart = squared_distances(means).mean(dim=2)
        return separation(means, spreads, n) | {"distances": [rounded(row) for row in apart]}

    found = {}
    for name, network in (
        ("before", fresh_network(trained.config, trained, seed=bench.seed)),
        ("after", trained),
    ):
        for guided in (False, True):
            key = name + (", guided" if guided else "")
            found[key] = bench.units.get(
                f"embedding: clusters {key}", lambda network=network, guided=guided: measure(network, guided)
            )
    return found


def symmetric_rates(rates: Tensor) -> Tensor:
    """Of both directions (L, P) for each pair of classes, of rates (C, L, C)."""
    return torch.stack([of_pairs(symmetrised(level)) for level in rates.transpose(0, 1)])


def by_level(table: CentroidTable, rates: Tensor, sigmas: Tensor) -> list[float]:
    """Rank correlation of squared centroid distances and rates (C, L, C), at each noise level by itself."""
    at = squared_distances(interpolate(table.sigmas, table.values, sigmas))  # (C, C, L)
    levels = zip(at.unbind(dim=2), symmetric_rates(rates), strict=True)
    return [follows(of_pairs(d).numpy(), rate.numpy())["spearman"] for d, rate in levels]


def gaussian_truth(bench: Workbench) -> dict:
    """Estimates of divergences, and centroids, against the closed form, over pairs of Gaussian classes."""
    gaussians = GAUSSIAN_SOURCE.gaussians
    guided, told = bench.checkpoint("gaussians-features"), bench.checkpoint("gaussians-labels")
    each = bench.some(GAUSSIAN_EACH, 4)
    sigmas = noise_levels(guided.info.sigma_min, guided.info.sigma_max, LEVELS)
    truth, colour = (
        of_pairs(symmetrised(noisy_divergences(gaussians, sigmas[0].item(), colour=alone)))
        for alone in (False, True)
    )
    columns, errors = {}, {}
    for name, method in (
        ("exact denoisers", Exact("exact", gaussians)),
        ("guided denoisers", Trained("features", guided)),
        ("denoisers with labels", Trained("label", told)),
    ):
        rates = all_rates(
            method,
            gaussians.classes,
            lambda row: gaussians.sample(
                gaussians.classes[row], LEVELS * each, torch.Generator().manual_seed(bench.seed + row)
            ),
            sigmas,
            each=each,
            keep=lambda c, measure, name=name: bench.units.get(f"embedding: {c}, {name}", measure),
            seed=bench.seed,
            tileable=True,
        )
        estimate = of_pairs(symmetrised(integrated(rates, sigmas.tolist())))
        columns[f"estimate, {name}"] = rounded(estimate)
        errors[name] = rounded((estimate / truth - 1).abs())
    apart = squared_distances(guided.table.values).mean(dim=2)
    columns[drawn.GAUSSIAN_CENTROIDS] = rounded(of_pairs(apart))
    found = {}
    for name, values in columns.items():
        by_colour = correlation(ranks(np.array(values)), ranks(colour.numpy()))
        found[name] = follows(np.array(values), truth.numpy()) | {"spearman_colour": by_colour}
    exact = {"exact": rounded(truth), "exact_colour": rounded(colour)}
    return {**exact, **columns, "errors": errors, "found": found}


def noisy_divergences(gaussians: GaussianClasses, sigma: float, *, colour: bool = False) -> Tensor:
    """Exact KL divergences (C, C), row from column, of the classes with noise added, in nats an image; or of
    their mean `colour` alone."""
    means, power = gaussians.means, gaussians.power + sigma**2
    if colour:  # the coefficients at frequency 0, which are sqrt(pixels) times the mean colour
        means, power = means * math.prod(gaussians.size) ** 0.5, power[..., :1, :1]
    stated = list(zip(means, power, strict=True))
    rows = [[gaussian_divergence(*one, *other) for other in stated] for one in stated]
    return torch.tensor(rows, dtype=torch.float64)


def rounded(values: Tensor) -> list[float]:
    """To 5 significant digits: figures are kept as text."""
    return [float(f"{v:.5g}") for v in values.tolist()]
