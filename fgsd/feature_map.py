"""The map of features: classes, training crops and samples on their way, on a plane, at every noise level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from fgsd.centroids import Centroid, CentroidTable
from fgsd.data import TextureFolder
from fgsd.levels import interpolate
from fgsd.model.network import Denoiser
from fgsd.projection import LevelPlanes, among, boxed, umap_by_level

PROJECTIONS = ("pca", "umap")
COMPONENTS = 48  # principal components of the crops' features that are kept, at each noise level


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """Where classes, training crops and feature vectors lie on a plane, at every noise level of a table.

    All positions are in a unit box, x to the right and y downwards, the same box for all noise levels of a
    projection; what is far out may lie outside of it. "pca" is one plane for all levels (see `LevelPlanes`),
    "umap" an embedding of the crops for each of them.

    Features of crops are kept in units of the spread within a class, as their first principal components
    (about zero: the mean of all centroids), quantised to 8 bits; of the shipped ones 92 to 97 % of the
    variance, and places in the plane to about 0.01 of the box. They are measured without guidance, so what
    classes have in common at high noise is shown in common.

    Parameters
    ----------
    table : CentroidTable
    start_level : int
        Index of the noise level at which the nearest centroid tells the classes of crops best.
    labels : array of int, shape (N,)
        Row in the table of each crop's class; N is 0 for a map without crops, else every class has some.
    images : array of int, shape (N,)
        Number of the image within the class that the crop is from.
    corners : array of int, shape (N, 2)
        Left and top edge of the crop in that image, in pixels at training scale.
    scores : Tensor of shape (S, N, K), int8
    steps : Tensor of shape (S, K), float32
        What 1 stands for in each column of `scores`.
    bases : Tensor of shape (S, F, K), float16
        Principal components; features are bases @ (steps * scores).
    kept : Tensor of shape (S,), float32
        Share of the crops' variance that the components keep.
    embedding : Tensor of shape (S, N, 2), float32, or None
        UMAP of the crops, in the unit box.
    """

    table: CentroidTable
    start_level: int
    labels: np.ndarray
    images: np.ndarray
    corners: np.ndarray
    scores: Tensor
    steps: Tensor
    bases: Tensor
    kept: Tensor
    embedding: Tensor | None = None

    def __post_init__(self) -> None:
        levels, n = len(self.table.sigmas), len(self.labels)
        k = self.scores.shape[-1] if self.scores.ndim else 0
        expected = {
            "labels": (n,),
            "images": (n,),
            "corners": (n, 2),
            "scores": (levels, n, k),
            "steps": (levels, k),
            "bases": (levels, self.table.dimension, k),
            "kept": (levels,),
            "embedding": (levels, n, 2),
        }
        for name, shape in expected.items():
            value = getattr(self, name)
            if value is not None and tuple(value.shape) != shape:
                raise ValueError(f"{name} has shape {tuple(value.shape)}, expected {shape}")
        if not 0 <= self.start_level < levels:
            raise ValueError(f"start_level={self.start_level} must be from 0 to {levels - 1}")
        if n and set(self.labels.tolist()) != set(range(len(self.table.classes))):
            raise ValueError(f"labels must name each of the {len(self.table.classes)} classes' rows")
        if n and min(self.images.min(), self.corners.min()) < 0:
            raise ValueError("images and corners must not be negative")

    @classmethod
    def of_table(cls, table: CentroidTable) -> FeatureMap:
        """A map of the centroids alone, which needs no images; it begins where the classes are furthest
        apart, in units of the spread within a class."""
        levels = len(table.sigmas)
        apart = ((table.values - table.values.mean(dim=0)) / table.scales).square().mean(dim=(0, 2))
        none = np.zeros(0, dtype=np.int64)
        return cls(
            table,
            int(apart.argmax()),
            none,
            none,
            none.reshape(0, 2),
            torch.zeros(levels, 0, 0, dtype=torch.int8),
            torch.zeros(levels, 0),
            torch.zeros(levels, table.dimension, 0, dtype=torch.float16),
            torch.ones(levels),
        )

    @property
    def sigmas(self) -> Tensor:
        """Noise levels (S,) in [-1, 1] units, increasing: those of the table."""
        return self.table.sigmas

    @property
    def projections(self) -> tuple[str, ...]:
        """Which of `PROJECTIONS` there are."""
        return PROJECTIONS if self.embedding is not None else PROJECTIONS[:1]

    def crops(self, projection: str, level: int) -> np.ndarray:
        """Where the training crops lie at a noise level: (N, 2), float32."""
        return self._places(projection)[0][level]

    def classes(self, projection: str, level: int) -> np.ndarray:
        """Where the classes lie at a noise level: (C, 2), float32.

        With "umap" a class lies at the median of its own crops, each coordinate by itself: steadier than
        the place of its centroid between the crops nearest to that, and a few crops that went to another
        cluster do not draw it away, as they would a mean.
        """
        return self._places(projection)[1][level]

    def place(self, projection: str, phi: Tensor, sigma: float | Tensor) -> np.ndarray:
        """Where feature vectors lie, each seen at its own noise level: (B, 2), float32.

        With "umap" that is between the crops and centroids nearest in feature space, see `among`; between
        two noise levels of the table it is between the places at either.

        Parameters
        ----------
        phi : Tensor of shape (B, F)
        sigma : float or Tensor of shape (B,)
        """
        self._check(projection)
        if projection == "pca":
            return self._planes.place(phi, sigma).float().numpy()
        phi = phi.detach().float().cpu()
        sigma = torch.as_tensor(sigma, dtype=torch.float64).cpu().expand(len(phi))
        mean, scale = (interpolate(self.sigmas, part, sigma) for part in (self._mean, self._scale))
        z = (phi - mean) / scale
        # the share of each level in what is interpolated at sigma, and so in the place
        shares = interpolate(self.sigmas, torch.eye(len(self.sigmas)), sigma)  # (B, S)
        found = torch.zeros(len(phi), 2)
        for level in shares.sum(dim=0).nonzero()[:, 0].tolist():
            rows = shares[:, level] > 0
            there = among(z[rows] @ self._bases[level], *self._landmarks[level])
            found[rows] += shares[rows, level, None] * there
        return found.numpy()

    def place_centroid(self, projection: str, centroid: Centroid) -> np.ndarray:
        """Where a centroid lies at every noise level: (S, 2), float32."""
        self._check_levels(centroid)
        return self.place(projection, centroid.values, self.sigmas)

    def moved(self, centroid: Centroid, dx: float, dy: float) -> Centroid:
        """The centroid that lies further right by `dx` and further down by `dy` in the box of "pca".

        It moves within the plane by as much at every noise level, exactly; what it has beyond the plane
        stays. Along an axis that no class varies along nothing moves. The colour, at which sampling begins,
        goes along by its linear regression on the classes' places and is clipped to [-1, 1]: left behind,
        it would tell the network at the highest noise levels that it is still where it was.
        """
        self._check_levels(centroid)
        step = torch.tensor([dx, dy], dtype=torch.float64)
        if not bool(step.isfinite().all()):
            raise ValueError(f"dx={dx} and dy={dy} must be finite numbers")
        values = centroid.values + torch.einsum("skf,k->sf", self._planes.moves, step).to(centroid.values)
        colour = centroid.colour + (step @ self._colours).to(centroid.colour)
        return replace(centroid, values=values, colour=colour.clamp(-1, 1))

    def feature(self, index: int, level: int) -> np.ndarray:
        """One feature of each crop at a noise level, as far as the kept components tell it: (N,) float32."""
        z = self._scores[level] @ self._bases[level][index]
        return (self._mean[level, index] + self._scale[level, index] * z).numpy()

    def nearest(self, level: int, n: int = 3) -> tuple[np.ndarray, np.ndarray]:
        """The classes whose centroids are nearest to each crop at a noise level, and how far they are.

        Returns
        -------
        rows : array of int, shape (N, n), nearest first
        distances : array of shape (N, n), float32
            Root mean square over features in units of the spread within a class, within the components
            that are kept.
        """
        distance = torch.cdist(self._scores[level], self._centroids[level]) / self.table.dimension**0.5
        found = distance.topk(min(n, len(self.table.classes)), largest=False)
        return found.indices.numpy(), found.values.numpy()

    def _check(self, projection: str) -> None:
        if projection not in self.projections:
            raise ValueError(f"projection={projection!r} must be one of {', '.join(self.projections)}")

    def _check_levels(self, centroid: Centroid) -> None:
        if not torch.equal(centroid.sigmas.cpu(), self.sigmas.cpu()):
            raise ValueError("the centroid's noise levels are not those of the map's table")

    def _places(self, projection: str) -> tuple[np.ndarray, np.ndarray]:
        self._check(projection)
        return self._by_pca if projection == "pca" else self._by_umap

    @cached_property
    def _by_pca(self) -> tuple[np.ndarray, np.ndarray]:
        """Places (S, N, 2) of crops and (S, C, 2) of classes."""
        z = self._scores @ self._bases.transpose(1, 2)  # (S, N, F)
        phi = self._mean[:, None] + self._scale[:, None] * z
        crops = [self._planes.place(row, sigma) for row, sigma in zip(phi, self.sigmas.tolist(), strict=True)]
        classes = self._planes.place(self.table.values, self.sigmas).transpose(0, 1)
        return torch.stack(crops).float().numpy(), classes.float().numpy()

    @cached_property
    def _by_umap(self) -> tuple[np.ndarray, np.ndarray]:
        assert self.embedding is not None  # without one, `_check` has refused "umap"
        crops = self.embedding.numpy()
        rows = range(len(self.table.classes))
        return crops, np.stack([np.median(crops[:, self.labels == row], axis=1) for row in rows], axis=1)

    @cached_property
    def _planes(self) -> LevelPlanes:
        return LevelPlanes.of(self.table)

    @cached_property
    def _colours(self) -> Tensor:
        """How the colour changes along the axes of the box: (2, 3), float64."""
        places = torch.from_numpy(self._by_pca[1]).double().mean(dim=0)  # (C, 2)
        colours = self.table.colours.double()
        slope = torch.linalg.pinv(places - places.mean(dim=0), rtol=1e-6)
        return slope @ (colours - colours.mean(dim=0))

    @cached_property
    def _mean(self) -> Tensor:
        return self.table.values.mean(dim=0)  # (S, F)

    @cached_property
    def _scale(self) -> Tensor:
        return self.table.scales  # (S, F)

    @cached_property
    def _bases(self) -> Tensor:
        return self.bases.float()

    @cached_property
    def _scores(self) -> Tensor:
        return self.scores.float() * self.steps[:, None]

    @cached_property
    def _centroids(self) -> Tensor:
        """Scores of the classes' centroids: (S, C, K)."""
        z = (self.table.values - self._mean) / self._scale  # (C, S, F)
        return z.transpose(0, 1) @ self._bases

    @cached_property
    def _landmarks(self) -> list[tuple[Tensor, Tensor]]:
        """For each level scores and places of all that is known: a centroid lies where its class does."""
        crops, classes = (torch.from_numpy(part) for part in self._by_umap)
        scores = torch.cat([self._scores, self._centroids], dim=1)
        return list(zip(scores, torch.cat([crops, classes], dim=1), strict=True))


@torch.no_grad()
def fit_map(
    network: Denoiser,
    table: CentroidTable,
    data: TextureFolder,
    *,
    crops: int = 24,
    seed: int = 0,
    progress: Callable | None = None,
) -> FeatureMap:
    """The map of a network's features, from `crops` training crops of each class.

    Crops are measured one by one, without guidance: matched to their class, as centroids are, they would
    lie apart at any noise level, because the matching itself tells the later layers the class.

    UMAP is fitted to the kept principal components of the features in units of their spread within a
    class, the distance by which `CentroidTable.nearest` tells classes: raw, the features of largest range
    would decide; and what is kept is what later points are placed by.

    Parameters
    ----------
    crops : int
        At least 1.
    seed : int
        Of the crops' positions, the noise, and UMAP.
    progress : callable, optional
        Wraps the list of classes, then the noise levels, called as `tqdm` is: `progress(items, desc=...)`.

    Raises
    ------
    ValueError
        If a class of the table has no images.
    """
    if crops < 1:
        raise ValueError(f"crops={crops} must be at least 1")
    if missing := [name for name in table.classes if name not in data.classes]:
        raise ValueError(f"the data has no images of {', '.join(missing[:3])}, which the table names")
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    phis, places = [], []
    for name in progress(table.classes, desc="map: crops") if progress else table.classes:
        x0, place = data.placed_crops(name, crops, generator)
        eps = torch.randn(x0.shape, generator=generator)  # the same at each level: features change smoothly
        x0, eps = x0.to(device), eps.to(device)
        phis.append(torch.stack([network.denoise(x0 + s * eps, s)[1] for s in table.sigmas.tolist()]).cpu())
        places.append(place)
    z = torch.cat(phis, dim=1).float() - table.values.mean(dim=0)[:, None]  # (S, N, F)
    z = z / table.scales[:, None]
    labels = np.repeat(np.arange(len(table.classes)), crops)
    centres = (table.values - table.values.mean(dim=0)).transpose(0, 1) / table.scales[:, None]
    told = torch.cdist(z, centres).argmin(dim=2) == torch.from_numpy(labels)
    bases = _principal(z, min(COMPONENTS, *z.shape[1:])).half()
    exact = z @ bases.float()
    steps = (exact.abs().amax(dim=1) / 127).clamp(min=1e-12)
    scores = (exact / steps[:, None]).round().to(torch.int8)
    made = FeatureMap(
        table,
        int(told.float().mean(dim=1).argmax()),
        labels,
        *_image_and_corner(np.concatenate(places)),
        scores,
        steps,
        bases,
        kept=_kept(z, (scores * steps[:, None]) @ bases.float().transpose(1, 2)),
    )
    if len(labels) < 4:  # UMAP needs a few
        return made
    embedding = boxed(umap_by_level(list(made._scores.numpy()), seed=seed, progress=progress))
    return replace(made, embedding=torch.from_numpy(embedding))


def _principal(z: Tensor, k: int) -> Tensor:
    """The first principal components (S, F, K) of features (S, N, F), about zero."""
    return torch.linalg.eigh(z.double().transpose(1, 2) @ z.double()).eigenvectors.flip(2)[:, :, :k]


def _kept(z: Tensor, approximation: Tensor) -> Tensor:
    missed = (z - approximation).square().sum(dim=(1, 2))
    return 1 - missed / z.square().sum(dim=(1, 2)).clamp(min=1e-12)


def _image_and_corner(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return places[:, 0].copy(), places[:, 1:].copy()
