"""A picture of Gaussian classes in the plane of mean colours, where their density is two-dimensional."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from fgsd.evidence.drawing import COLOURS
from fgsd.evidence.figures import Picture
from fgsd.evidence.methods import Method
from fgsd.evidence.report_context import ReportContext
from fgsd.gaussians import GaussianClasses

SAMPLES, PATHS, STEPS = 48, 3, 32  # samples and drawn paths of each class
COLUMNS = 4  # panels side by side


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

    def density(self, points: Tensor) -> Tensor:
        """Density of the mixture of all classes at points (..., 2)."""
        total = torch.zeros(points.shape[:-1], dtype=torch.float64)
        for row, mean in enumerate(self.class_means()):
            normal = torch.distributions.MultivariateNormal(mean, self.covariance(row))
            total = total + normal.log_prob(points).exp() / len(self.gaussians.classes)
        return total


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


def colour_plane_picture(
    context: ReportContext, gaussians: GaussianClasses, methods: Sequence[Method], *, part: str
) -> Picture:
    """One panel for each method: the true density, samples, and the sampling paths of some of them.

    Parameters
    ----------
    part : str
        Name of the part of the report, for the file name.
    """
    plane, n = ColourPlane(gaussians), context.scaled(SAMPLES, at_least=PATHS)

    def measure(method: Method) -> dict[str, list]:
        return {"paths": sampling_paths(plane, method, n=n, seed=context.seed).float().tolist()}

    paths = {}
    for method in methods:
        key = f"{part}: colour plane, {method.name}"
        stored = context.cache.get(key, functools.partial(measure, method))
        paths[method.name] = torch.tensor(stored["paths"], dtype=torch.float64)
    return {
        "file": context.save_picture(f"{part}-plane", draw_panels(plane, paths)),
        "title": "The classes in the plane of their mean colours",
        "note": "Grey: the true density, a mixture of Gaussians; classes come in pairs that share a colour. "
        f"Dots: {n} samples of each class; lines: the paths of some of them from noise. Classifier-free "
        "guidance pushes samples away from other classes and out of their own, even with exact denoisers.",
    }


def draw_panels(plane: ColourPlane, paths: dict[str, Tensor]) -> Image.Image:
    """The panels as an image; `paths` are those of `sampling_paths` by name of the method."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    reach = 1.6 * plane.class_means().abs().max().item()
    line = torch.linspace(-reach, reach, 160, dtype=torch.float64)
    across, up = torch.meshgrid(line, line, indexing="xy")
    grey = plane.density(torch.stack([across, up], dim=-1)).sqrt()
    rows = math.ceil(len(paths) / COLUMNS)
    figure = Figure(figsize=(3 * COLUMNS, 3.2 * rows), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for k, (name, of_method) in enumerate(paths.items()):
        axes = figure.add_subplot(rows, COLUMNS, k + 1)
        axes.imshow(
            grey.numpy(),
            extent=(-reach, reach, -reach, reach),
            origin="lower",
            cmap="Greys",
            vmax=1.6 * grey.max().item(),
        )
        for row, of_class in enumerate(of_method):
            colour = COLOURS[row % len(COLOURS)]
            for x, y in of_class[:PATHS].transpose(1, 2):
                axes.plot(x.numpy(), y.numpy(), color=colour, linewidth=0.8, alpha=0.8)
            x, y = of_class[:, -1].T.numpy()
            marker = "o" if row % 2 == 0 else "^"
            axes.scatter(x, y, s=9, color=colour, marker=marker, linewidths=0, alpha=0.9)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[])
        axes.set_title(name, fontsize=11)
    canvas.draw()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    buffer.seek(0)
    return Image.open(buffer).convert("RGB")
