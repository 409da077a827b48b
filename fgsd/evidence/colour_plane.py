"""A plot of Gaussian classes in the plane of mean colours, where their density is two-dimensional."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from fgsd.evidence.figures import Plot, plot, series
from fgsd.evidence.methods import Method
from fgsd.evidence.report_context import ReportContext
from fgsd.gaussians import GaussianClasses

SAMPLES, PATHS, STEPS = 48, 3, 32  # samples and drawn paths of each class
DEVIATIONS = (1, 2)  # standard deviations at which the ellipses of a class are drawn


class ColourPlane:
    """The plane through the classes' mean colours that holds most of their variance.

    The mean colour is a linear function of the image, so every class is Gaussian in this plane, with or
    without noise: with power P(0) at frequency 0 and N pixels, the covariance of the mean colour is
    diag(P(0) + sigma^2) / N.
    """

    def __init__(self, gaussians: GaussianClasses) -> None:
        self.gaussians = gaussians
        self.centre = gaussians.means.mean(dim=0)
        _, _, rows = torch.linalg.svd(gaussians.means - self.centre, full_matrices=False)
        self.axes = rows[:2]  # (2, 3)

    def project(self, images: Tensor) -> Tensor:
        """Coordinates (N, 2) of images (N, 3, H, W)."""
        return (images.double().mean(dim=(2, 3)).cpu() - self.centre) @ self.axes.T

    def class_means(self) -> Tensor:
        """Coordinates (C, 2) of the mean colours of the classes."""
        return (self.gaussians.means - self.centre) @ self.axes.T

    def covariance(self, row: int) -> Tensor:
        """Covariance (2, 2) of the clean images of a class."""
        height, width = self.gaussians.size
        return self.axes @ torch.diag(self.gaussians.power[row][:, 0, 0] / (height * width)) @ self.axes.T


@torch.no_grad()
def sampling_paths(plane: ColourPlane, method: Method, *, n: int, seed: int = 0) -> Tensor:
    """Coordinates (C, n, steps + 1, 2) of the noisy images on their way to samples of every class."""
    eye, paths = torch.eye(len(plane.gaussians.classes)), []
    for k, row in enumerate(eye):
        seeds = list(range(seed + k * n, seed + (k + 1) * n))
        size = plane.gaussians.size[0]
        steps = list(method.steps(row.expand(n, -1), seeds, size=size, steps=STEPS, tileable=True))
        images = (steps[0].noisy, *(step.x for step in steps))
        paths.append(torch.stack([plane.project(x) for x in images], dim=1))
    return torch.stack(paths)


def colour_plane_plot(
    context: ReportContext, gaussians: GaussianClasses, methods: Sequence[Method], *, part: str
) -> Plot:
    """One panel for each method: the true density, samples, and the sampling paths of some of them.

    Parameters
    ----------
    part : str
        Name of the part of the report, for the name of the plot.
    """
    plane, n = ColourPlane(gaussians), context.scaled(SAMPLES, at_least=PATHS)

    def measure(method: Method) -> dict[str, list]:
        return {"paths": sampling_paths(plane, method, n=n, seed=context.seed).float().tolist()}

    paths = {}
    for method in methods:
        key = f"{part}: colour plane, {method.name}"
        stored = context.cache.get(key, functools.partial(measure, method))
        paths[method.name] = torch.tensor(stored["paths"], dtype=torch.float64)
    return panels_plot(plane, paths, name=f"{part}-plane")


def panels_plot(plane: ColourPlane, paths: dict[str, Tensor], *, name: str) -> Plot:
    """The panels as a plot; `paths` are those of `sampling_paths` by name of the method."""
    outlines = [_interrupted([_ellipse(plane, row, k)]) for row in _rows(plane) for k in DEVIATIONS]
    all_series = []
    for panel, of_method in paths.items():
        for outline in outlines:
            all_series.append(series("true density", *outline, style="outline", panel=panel))
        for row, of_class in zip(_rows(plane), of_method, strict=True):
            title = plane.gaussians.classes[row]
            ways = _interrupted([path for path in of_class[:PATHS]])
            all_series.append(series(title, *ways, style="path", panel=panel))
            ends = of_class[:, -1]
            points = [f"{title}, sample {k + 1}" for k in range(len(ends))]
            x, y = _rounded(ends[:, 0]), _rounded(ends[:, 1])
            all_series.append(series(title, x, y, style="points", points=points, panel=panel))
    n = next(iter(paths.values())).shape[1]
    return plot(
        name,
        "The classes in the plane of their mean colours",
        all_series,
        x="",
        y="",
        note="Grey: ellipses at one and two standard deviations of the true density of each class; classes "
        f"come in pairs that share a colour. Marks: {n} samples of each class; lines: the paths of some of "
        "them from noise. Classifier-free guidance pushes samples away from other classes and out of their "
        "own, even with exact denoisers.",
    )


def _rows(plane: ColourPlane) -> range:
    return range(len(plane.gaussians.classes))


def _ellipse(plane: ColourPlane, row: int, deviations: float) -> Tensor:
    """Points (N, 2) of the closed curve at a number of standard deviations from the mean of a class."""
    angles = torch.linspace(0, 2 * math.pi, 49, dtype=torch.float64)
    circle = torch.stack([angles.cos(), angles.sin()], dim=1)
    half = torch.linalg.cholesky(plane.covariance(row))
    return plane.class_means()[row] + deviations * circle @ half.T


def _interrupted(lines: Sequence[Tensor]) -> tuple[list[float], list[float]]:
    """Coordinates of lines (N, 2) one after the other, with a gap between them."""
    x: list[float] = []
    y: list[float] = []
    for line in lines:
        gap = [math.nan] if x else []
        x += [*gap, *_rounded(line[:, 0])]
        y += [*gap, *_rounded(line[:, 1])]
    return x, y


def _rounded(values: Tensor) -> list[float]:
    """The values with 4 decimals, which keeps the JSON small: the plane is about 1 wide."""
    return [round(v, 4) for v in values.tolist()]
