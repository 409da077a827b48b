"""Painting: are regions their texture, do borders look grown, do gradients follow, what do regions cost?"""

from __future__ import annotations

import math
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgsd.data import to_tensor
from fgsd.evaluation.checks import bootstrap_interval, check
from fgsd.evaluation.context import EvaluationContext
from fgsd.evaluation.paths import MAX_NOISE, positions_on_line, random_pairs, unguided_features
from fgsd.guidance import GuidedDenoiser
from fgsd.pipeline import Pipeline, Target
from fgsd.regions import FEATHER, MAX_SIDE, Regions, linear_gradient, region_masks

BAND = 8  # pixels on each side of a border, in which gradients are measured
REGION_TARGET = 0.97  # accuracy of crops of regions / of crops of whole samples
CORRELATION_TARGET = 0.9  # of the position on the line between two centroids with the weight in a gradient
POINTS = 9  # crops along a gradient
RADII = (4, 8, 16, 32)  # of discs, in pixels
CORE = 0.7  # part of a disc's radius within which its colour is measured
DISC_TARGET = 0.8
ELSEWHERE = 48  # pixels from a region, beyond which a change of its texture should change little
ELSEWHERE_TARGET = 3.0  # grey levels
COST_TARGETS = {2: 1.15, 4: 1.3, 8: 1.6}  # time of an evaluation with so many regions / with one
COST_SIDES = (64, 128, 256)  # pixels
STATM = Path("/proc/self/statm")  # memory of this process, in pages; on Linux
POLL_S = 0.02  # seconds between two readings of the memory of this process


def measure_painting(
    context: EvaluationContext,
    *,
    pairs: int = 100,
    gradients: int = 20,
    cost_pairs: int = 30,
    largest: int = MAX_SIDE,
) -> dict:
    """Paint two half planes, and gradients, of random pairs of classes.

    Parameters
    ----------
    pairs : int
        Pairs of half planes.
    gradients : int
        Pairs of classes of which one fades into the other; as many have a disc of one in the other.
    cost_pairs : int
        Evaluations of each number of regions and each size, in turns with those of one region.
    largest : int
        Side in pixels of the picture whose memory is measured.
    """
    chosen = random_pairs(context.classes, pairs, seed=context.seed)
    if not chosen:
        return {"note": "there is only one class, so no border between two", "checks": []}
    halves = _half_planes(context, chosen)
    follow = _gradients(context, random_pairs(context.classes, gradients, seed=context.seed + 1))
    discs = _discs(context, random_pairs(context.classes, gradients, seed=context.seed + 2))
    cost = region_costs(context.pipe, pairs=cost_pairs, sides=COST_SIDES)
    change = _change_elsewhere(context, random_pairs(context.classes, gradients, seed=context.seed + 3))
    checks = [*halves.pop("checks"), *follow.pop("checks"), *discs.pop("checks"), *change.pop("checks")]
    for regions, most in COST_TARGETS.items():
        worst = max(cost[str(side)][str(regions)] for side in COST_SIDES)
        checks.append(check(f"evaluation with {regions} regions / with one", worst, at_most=most))
    memory = {"side": largest, "regions": 2, "gigabytes": peak_memory(context.pipe, largest)}
    return {
        "half_planes": halves,
        "gradients": follow,
        "discs": discs,
        "change": change,
        "cost": cost,
        "memory": memory,
        "checks": checks,
    }


def half_planes(
    pipe: Pipeline, names: tuple[str, str], size: tuple[int, int], **options: Any
) -> tuple[tuple[Tensor, Tensor], dict[str, Tensor]]:
    """Join two classes at a vertical border in three ways.

    Parameters
    ----------
    size : (height, width) in pixels
    options
        Of `Pipeline.sample`, for all pictures.

    Returns
    -------
    samples : two Tensors of shape (3, H, W), in [-1, 1]
        Of each class alone.
    images : dict of Tensors of the same shape
        "painted" as regions; "blended": the samples mixed by the same soft mask; "pasted": side by side.
    """
    left = torch.zeros(size)
    left[:, : size[1] // 2] = 1
    soft = region_masks([left, None], feather=FEATHER)[0]
    first, second = (to_tensor(pipe.sample(name, size=size, **options)[0]) for name in names)
    regions = Regions(torch.stack([soft, 1 - soft]), (pipe.table.of(names[0]), pipe.table.of(names[1])))
    images = {
        "painted": to_tensor(pipe.sample(regions, size=size, **options)[0]),
        "blended": soft * first + (1 - soft) * second,
        "pasted": left * first + (1 - left) * second,
    }
    return (first, second), images


def _half_planes(context: EvaluationContext, chosen: list[tuple[str, str]]) -> dict:
    """Compare half planes of two classes with samples of both, blended or pasted in pixels."""
    side = context.size
    kinds = ("painted", "blended", "pasted")
    borders: dict[str, list[np.ndarray]] = {kind: [] for kind in kinds}
    gradients: dict[str, list[float]] = {kind: [] for kind in kinds}
    distances: dict[str, list[float]] = {kind: [] for kind in (*kinds, "inside")}
    inside, whole = [], []  # features (2, F) of crops inside the two half planes, and of the whole samples
    for k, (a, b) in enumerate(context.progress(chosen, desc="painting half planes")):
        options = {"seed": context.seed + k, "steps": context.steps}
        (first, second), images = half_planes(context.pipe, (a, b), (2 * side, 4 * side), **options)
        usual = (_steepness(first, side // 2) + _steepness(second, 7 * side // 2)) / 2
        for kind, image in images.items():
            features = context.features(_three_crops(image, side))
            gradients[kind].append(float(np.log(_steepness(image, 2 * side) / usual)))
            distances[kind].append(_distance(context, features))
            borders[kind].append(features[1])
            if kind == "painted":
                inside.append(features[[0, 2]])
        both = [context.features(_three_crops(image, side)) for image in (first, second)]
        whole.append(np.stack([both[0][0], both[1][2]]))
        distances["inside"].append(float(np.mean([_distance(context, features) for features in both])))
    names = np.array(chosen)
    hits = {
        kind: (context.judge.names(np.stack(features)) == names).mean(axis=1)
        for kind, features in (("regions", inside), ("whole", whole))
    }
    usual_distance = float(np.mean(distances["inside"]))
    off = {kind: float(np.mean(np.abs(gradients[kind]))) for kind in kinds}
    far = {kind: float(np.mean(distances[kind])) / usual_distance for kind in kinds}

    def ratio(rows: np.ndarray) -> float:
        return float(hits["regions"][rows].mean() / max(hits["whole"][rows].mean(), 1e-9))

    return {
        "pairs": len(chosen),
        "accuracy": {kind: float(values.mean()) for kind, values in hits.items()},
        "gradient": {kind: float(np.exp(np.mean(gradients[kind]))) for kind in kinds},
        "gradient_off": off,
        "distance": far,
        "checks": [
            check(
                "accuracy of crops of regions / of whole samples",
                ratio(np.arange(len(chosen))),
                at_least=REGION_TARGET,
                interval=bootstrap_interval(ratio, len(chosen), seed=context.seed),
            ),
            check(
                "borders: gradient and distance of crops / of the better of pixel blend and paste, the worse",
                max(
                    values["painted"] / max(min(values["blended"], values["pasted"]), 1e-9)
                    for values in (off, far)
                ),
                at_most=1.0,
            ),
        ],
    }


def _three_crops(image: Tensor, side: int) -> Tensor:
    """Return crops (3, 3, side, side) inside the left half, on the border, and inside the right half."""
    top, lefts = side // 2, (side // 2, 3 * side // 2, 5 * side // 2)
    return torch.stack([image[:, top : top + side, x : x + side] for x in lefts])


def _steepness(image: Tensor, column: int) -> float:
    """Return the mean difference of neighbouring pixels of a row, within `BAND` of a column."""
    band = image[:, :, column - BAND : column + BAND + 1]
    return max(band.diff(dim=2).abs().mean().item(), 1e-6)


def _distance(context: EvaluationContext, features: np.ndarray) -> float:
    """Return the mean distance of the features of the middle crop from those of the two others."""
    scaled = context.judge.scaled(features)
    return float(np.linalg.norm(scaled[[0, 2]] - scaled[1], axis=1).mean())


def _gradients(context: EvaluationContext, chosen: list[tuple[str, str]]) -> dict:
    """Let one class fade into another, and find the crops along it on the line between their centroids."""
    pipe, table, side = context.pipe, context.pipe.table, context.size
    low = (table.sigmas <= MAX_NOISE).nonzero()[:, 0]
    levels = low[::2] if len(low) else torch.zeros(1, dtype=torch.long)
    size = (side, 6 * side)
    masks = linear_gradient(2, size)
    lefts = np.linspace(0, size[1] - side, POINTS).astype(int).tolist()
    weights = [float(masks[1][:, x : x + side].mean()) for x in lefts]
    correlations, positions = {}, []
    for k, (a, b) in enumerate(context.progress(chosen, desc="painting gradients")):
        pairs = list(zip((a, b), masks, strict=True))
        [image] = pipe.paint(pairs, feather=0, seed=context.seed + k, steps=context.steps)
        pixels = to_tensor(image)
        crops = torch.stack([pixels[:, :, x : x + side] for x in lefts])
        phi = unguided_features(pipe.network, crops, table.sigmas[levels], seed=context.seed)
        ends = (table.of(a).values[levels], table.of(b).values[levels])
        found, _ = positions_on_line(ends, table.scales[levels], phi)
        correlations[f"{a} to {b}"] = float(np.corrcoef(found, weights)[0, 1])
        positions.append(found)
    values = np.array(list(correlations.values()))
    worst = min(correlations, key=lambda name: correlations[name])
    return {
        "weights": weights,
        "places": np.mean(positions, axis=0).tolist(),
        "pairs": correlations,
        "worst": {"pair": worst, "correlation": correlations[worst]},
        "checks": [
            check(
                f"correlation of crops along a gradient with its weight, {len(values)} pairs",
                float(values.mean()),
                at_least=CORRELATION_TARGET,
                interval=bootstrap_interval(lambda rows: values[rows].mean(), len(values), seed=context.seed),
            )
        ],
    }


def _discs(context: EvaluationContext, chosen: list[tuple[str, str]]) -> dict:
    """Paint discs of one class in another, and find whether they have the colour of their own class.

    Where the mean colour of a disc lies is measured on the line between those of the two whole samples: 0 is
    the surroundings, 1 the class of the disc.
    """
    size = (2 * context.size, 2 * context.size)
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    distance = np.hypot(x - size[1] / 2, y - size[0] / 2)
    found: dict[int, list[float]] = {radius: [] for radius in RADII if radius < context.size}
    for k, (outer, inner) in enumerate(context.progress(chosen, desc="painting discs")):
        options: dict[str, Any] = {"seed": context.seed + k, "steps": context.steps}
        around, own = (
            to_tensor(context.pipe.sample(name, size=size, **options)[0]).mean(dim=(1, 2))
            for name in (outer, inner)
        )
        for radius, places in found.items():
            regions: list[tuple[Target, np.ndarray | None]] = [(inner, distance < radius), (outer, None)]
            painted = to_tensor(context.pipe.paint(regions, **options)[0])
            colour = painted[:, torch.from_numpy(distance < CORE * radius)].mean(dim=1)
            way = own - around
            places.append(float((colour - around) @ way / (way @ way).clamp(min=1e-12)))
    colours = {str(radius): float(np.median(places)) for radius, places in found.items()}
    checks = [
        check(
            f"colour of discs of radius {radius} px, from 0 (surroundings) to 1", value, at_least=DISC_TARGET
        )
        for radius, value in colours.items()
    ]
    return {"pairs": len(chosen), "colour": colours, "checks": checks}


def _change_elsewhere(context: EvaluationContext, chosen: list[tuple[str, str]]) -> dict:
    """Change the texture of a region, and find how much the picture changes far from it.

    The region, on the left, has one class of the pair and then the other; the rest has the class of the next
    pair.
    """
    multiple = context.pipe.network.config.multiple
    size = (2 * context.size, 2 * context.size + math.ceil(ELSEWHERE / multiple) * multiple)
    region = np.zeros(size, dtype=bool)
    region[:, : context.size] = True
    inside, far = [], []
    for k, names in enumerate(context.progress(chosen, desc="painting changes")):
        rest = chosen[(k + 1) % len(chosen)][0]
        options: dict[str, Any] = {"seed": context.seed + k, "steps": context.steps}
        pictures = [
            np.asarray(context.pipe.paint([(name, region), (rest, None)], **options)[0], dtype=float)
            for name in names
        ]
        change = np.abs(pictures[0] - pictures[1]).mean(axis=(0, 2))  # of each column, in grey levels
        inside.append(change[: context.size].mean())
        far.append(change[context.size + ELSEWHERE :].mean())
    grey, name = float(np.mean(far)), f"change more than {ELSEWHERE} px from a region whose texture changes"
    checks = [check(name, grey, at_most=ELSEWHERE_TARGET, unit="grey levels")]
    return {"pairs": len(chosen), "inside": float(np.mean(inside)), "elsewhere": grey, "checks": checks}


def region_costs(pipe: Pipeline, *, pairs: int, sides: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """Return the time of an evaluation with several regions over that with one, by side and number.

    Evaluations are timed in turns; the figures are medians. An evaluation before them warms up.
    """
    names = [pipe.classes[k % len(pipe.classes)] for k in range(max(COST_TARGETS))]
    centroids = [pipe.table.of(name) for name in names]
    found: dict[str, dict[str, float]] = {}
    for side in sides:
        x = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(pipe.device)
        seconds: dict[int, list[float]] = {}
        denoisers = {1: GuidedDenoiser(pipe.network, centroids[0])}
        for count in COST_TARGETS:
            masks = torch.from_numpy(np.stack(linear_gradient(count, (side, side)))).float()
            denoisers[count] = GuidedDenoiser(pipe.network, Regions(masks, tuple(centroids[:count])))
        for pair in range(pairs + 1):
            order = list(denoisers)[:: 1 if pair % 2 else -1]
            for count in order:
                began = time.perf_counter()
                denoisers[count](x, 1.0)
                if pipe.device.type == "cuda":
                    torch.cuda.synchronize(pipe.device)
                if pair:
                    seconds.setdefault(count, []).append(time.perf_counter() - began)
        medians = {count: float(np.median(values)) for count, values in seconds.items()}
        found[str(side)] = {str(count): medians[count] / medians[1] for count in COST_TARGETS}
        found[str(side)]["milliseconds"] = 1000 * medians[1]
    return found


def peak_memory(pipe: Pipeline, side: int) -> float | None:
    """Return the memory that an evaluation of a picture with two regions takes at most, besides the network.

    In gigabytes (10^9 bytes): of the GPU, or else of this process, read every `POLL_S` seconds; None where
    the system does not tell it.
    """
    masks = torch.from_numpy(np.stack(linear_gradient(2, (side, side)))).float()
    centroids = tuple(pipe.table.of(pipe.classes[k % len(pipe.classes)]) for k in range(2))
    denoiser = GuidedDenoiser(pipe.network, Regions(masks, centroids), evaluate=pipe.engines.exact)
    x = torch.zeros(1, 3, side, side, device=pipe.device)
    if pipe.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(pipe.device)
        before = torch.cuda.memory_allocated(pipe.device)
        denoiser(x, 1.0)
        return (torch.cuda.max_memory_allocated(pipe.device) - before) / 1e9
    if not STATM.exists():
        return None
    before, readings, ended = _resident_bytes(), [], threading.Event()

    def poll() -> None:
        while not ended.wait(POLL_S):
            readings.append(_resident_bytes())

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        denoiser(x, 1.0)
    finally:
        ended.set()
        thread.join()
    return (max([*readings, _resident_bytes()]) - before) / 1e9


def _resident_bytes() -> int:
    return int(STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
