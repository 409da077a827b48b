"""A picture for the eye: Gaussian classes seen in the plane of mean colours, where their density is 2-D."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from fgsd.evidence.methods import Method
from fgsd.evidence.report_context import Workbench
from fgsd.gaussians import GaussianClasses

SAMPLES, PATHS, STEPS = 48, 3, 32  # of each class
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito


class ColourPlane:
    """The plane through the classes' mean colours that holds most of their variance.

    The mean colour of an image is a linear function of it, so in this plane every class is Gaussian, and so
    is its noisy density: with power P(0) at frequency 0 and N pixels the covariance of the mean colour is
    diag(P(0) + sigma^2) / N.
    """

    def __init__(self, gaussians: GaussianClasses) -> None:
        self.gaussians = gaussians
        self.centre = gaussians.means.mean(dim=0)
        _, _, rows = torch.linalg.svd(gaussians.means - self.centre, full_matrices=False)
        self.axes = rows[:2]  # (2, 3)

    def of(self, images: Tensor) -> Tensor:
        """Places (N, 2) of images (N, 3, H, W)."""
        return (images.double().mean(dim=(2, 3)).cpu() - self.centre) @ self.axes.T

    def places(self) -> Tensor:
        """Where the classes' means lie (C, 2)."""
        return (self.gaussians.means - self.centre) @ self.axes.T

    def covariance(self, row: int) -> Tensor:
        """Of the clean images of a class, (2, 2)."""
        height, width = self.gaussians.size
        return self.axes @ torch.diag(self.gaussians.power[row][:, 0, 0] / (height * width)) @ self.axes.T

    def density(self, points: Tensor) -> Tensor:
        """Of the mixture of all classes at points (..., 2)."""
        total = torch.zeros(points.shape[:-1], dtype=torch.float64)
        for row, place in enumerate(self.places()):
            normal = torch.distributions.MultivariateNormal(place, self.covariance(row))
            total = total + normal.log_prob(points).exp() / len(self.gaussians.classes)
        return total


@torch.no_grad()
def paths_in_plane(plane: ColourPlane, method: Method, *, n: int, seed: int = 0) -> Tensor:
    """Places (C, n, steps + 1, 2) of the noisy images on their way to samples of every class."""
    eye, found = torch.eye(len(plane.gaussians.classes)), []
    for k, row in enumerate(eye):
        seeds = list(range(seed + k * n, seed + (k + 1) * n))
        size = plane.gaussians.size[0]
        run = list(method.steps(row.expand(n, -1), seeds, size=size, steps=STEPS, tileable=True))
        found.append(torch.stack([plane.of(x) for x in (run[0].noisy, *(s.x for s in run))], dim=1))
    return torch.stack(found)


def plane_picture(bench: Workbench, gaussians: GaussianClasses, methods: Sequence[Method]) -> dict:
    """One panel for each method: the true density, samples, and the way of some of them."""
    plane, n = ColourPlane(gaussians), bench.some(SAMPLES, PATHS)
    paths = {
        m.name: bench.units.get(
            f"truth: plane of {m.name}",
            lambda m=m: {"paths": paths_in_plane(plane, m, n=n, seed=bench.seed).float().tolist()},
        )["paths"]
        for m in methods
    }
    image = draw_plane(plane, {name: torch.tensor(p, dtype=torch.float64) for name, p in paths.items()})
    return {
        "file": bench.picture("truth-plane", image),
        "title": "The classes in the plane of their mean colours",
        "note": "Grey: the true density, a mixture of Gaussians; classes come in pairs that share a colour. "
        f"Dots: {n} samples of each class; lines: the way of some, from noise. Classifier-free guidance "
        "pushes samples away from the other classes, out of their own, also where its denoisers are exact.",
    }


def draw_plane(plane: ColourPlane, paths: dict[str, Tensor]):
    """The panels as an image; `paths` are those of `paths_in_plane` by name of the method."""
    from io import BytesIO

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    places = plane.places()
    reach = 1.6 * places.abs().max().item()
    line = torch.linspace(-reach, reach, 160, dtype=torch.float64)
    across, up = torch.meshgrid(line, line, indexing="xy")
    grey = plane.density(torch.stack([across, up], dim=-1)).sqrt()
    columns = 4
    rows = math.ceil(len(paths) / columns)
    figure = Figure(figsize=(3 * columns, 3.2 * rows), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for k, (name, found) in enumerate(paths.items()):
        axes = figure.add_subplot(rows, columns, k + 1)
        axes.imshow(
            grey.numpy(),
            extent=(-reach, reach, -reach, reach),
            origin="lower",
            cmap="Greys",
            vmax=1.6 * grey.max().item(),
        )
        for row, of_class in enumerate(found):
            colour = COLOURS[row % len(COLOURS)]
            axes.plot(*of_class[:PATHS].permute(2, 1, 0).numpy(), color=colour, linewidth=0.8, alpha=0.8)
            marker = "o" if row % 2 == 0 else "^"
            axes.scatter(
                *of_class[:, -1].T.numpy(), s=9, color=colour, marker=marker, linewidths=0, alpha=0.9
            )
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[])
        axes.set_title(name, fontsize=11)
    canvas.draw()
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    buffer.seek(0)
    return Image.open(buffer).convert("RGB")
