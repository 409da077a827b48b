"""Feature maps: 2D and 3D positions of classes, training crops and samples at every noise level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from fgsd.centroids import Centroid, CentroidTable
from fgsd.data import TextureFolder
from fgsd.levels import interpolate
from fgsd.map_space import MapSpace
from fgsd.model.network import Denoiser
from fgsd.projection import LevelPlanes, fit_unit_box, interpolate_landmarks, umap_by_level

if TYPE_CHECKING:
    import plotly.graph_objects as go

PROJECTIONS = ("pca", "umap")
Landmarks = Callable[[int], tuple[Tensor, Tensor]]  # level to scores (M, K) and positions (M, D)
COMPONENTS = 48  # stored principal components of the crops' features, at each noise level


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """2D positions of classes, training crops and feature vectors at every noise level of a table.

    Positions are in a unit box, x to the right and y downwards; outliers may lie outside it. All noise levels
    of a projection share the box. "pca" is one plane for all noise levels (see `LevelPlanes`); "umap" is an
    embedding of the crops at each noise level.

    The features of crops are measured without guidance: classes that share features at high noise overlap
    there. They are stored in units of the spread within a class, as principal components about the mean of
    all centroids, quantised to 8 bits. For the shipped checkpoint this keeps 92 to 97 % of the variance, and
    positions in the plane are accurate to about 0.01 of the box.

    Parameters
    ----------
    table : CentroidTable
    start_level : int
        Index of the noise level that is displayed first: the one at which most crops are nearest to the
        centroid of their own class.
    labels : array of int, shape (N,)
        Row of each crop's class in the table. Every class has crops, or the map has none (N = 0).
    images : array of int, shape (N,)
        Index of the crop's image within its class.
    corners : array of int, shape (N, 2)
        Left and top edge of the crop in that image, in pixels of the scaled image.
    scores : Tensor of shape (S, N, K), int8
        Coordinates of the crops on the principal components, in units of `steps`.
    steps : Tensor of shape (S, K), float32
        Quantisation step of each component.
    bases : Tensor of shape (S, F, K), float16
        Principal components: the features of crops are bases @ (steps * scores).
    kept : Tensor of shape (S,), float32
        Share of the crops' variance that the stored components explain.
    embedding : Tensor of shape (S, N, 2), float32, or None
        UMAP positions of the crops.

    Raises
    ------
    ValueError
        If shapes do not match, or indices are out of range.
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
            raise ValueError(f"labels must name every row of the table, 0 to {len(self.table.classes) - 1}")
        if n and min(self.images.min(), self.corners.min()) < 0:
            raise ValueError("images and corners must not be negative")

    @classmethod
    def of_table(cls, table: CentroidTable) -> FeatureMap:
        """Make a map without crops, which needs no images.

        It starts at the noise level at which the classes differ most, in units of the spread within a class.
        """
        levels = len(table.sigmas)
        variance = ((table.values - table.values.mean(dim=0)) / table.scales).square().mean(dim=(0, 2))
        none = np.zeros(0, dtype=np.int64)
        return cls(
            table,
            int(variance.argmax()),
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
        """Noise levels (S,) of the table, increasing."""
        return self.table.sigmas

    @property
    def projections(self) -> tuple[str, ...]:
        """Names of the available projections, a part of `PROJECTIONS`."""
        return PROJECTIONS if self.embedding is not None else PROJECTIONS[:1]

    @cached_property
    def space(self) -> MapSpace:
        """The same map in 3D; what it needs is fitted when it is first asked for, and kept in memory."""
        return MapSpace(self)

    def figure(self, projection: str = "pca", **options: Any) -> go.Figure:
        """Return the map as a plotly figure; options and errors are those of `fgsd.map_figure.map_figure`."""
        from fgsd.map_figure import map_figure

        return map_figure(self, projection, **options)

    def crops(self, projection: str, level: int) -> np.ndarray:
        """Return the positions of the training crops at a noise level: (N, 2), float32."""
        return self._positions(projection)[0][level]

    def classes(self, projection: str, level: int) -> np.ndarray:
        """Return the positions of the classes at a noise level: (C, 2), float32.

        With "umap", the position of a class is the median of its crops in each coordinate. This is steadier
        than the interpolated position of its centroid, and unlike a mean it ignores a few crops that lie in
        another cluster.
        """
        return self._positions(projection)[1][level]

    def project(self, projection: str, phi: Tensor, sigma: float | Tensor) -> np.ndarray:
        """Return the positions of feature vectors, each at its own noise level: (B, 2), float32.

        "umap" interpolates between the crops and centroids nearest in feature space (see
        `interpolate_landmarks`), and between the positions at neighbouring noise levels of the table.

        Parameters
        ----------
        projection : {"pca", "umap"}
        phi : Tensor of shape (B, F)
        sigma : float or Tensor of shape (B,)

        Raises
        ------
        ValueError
            If the map does not have the projection.
        """
        self._check_projection(projection)
        if projection == "pca":
            return self.planes.project(phi, sigma).float().numpy()
        return self._interpolated(phi, sigma, self._landmarks.__getitem__)

    def project_centroid(self, projection: str, centroid: Centroid) -> np.ndarray:
        """Return the positions of a centroid at every noise level: (S, 2), float32."""
        self._check_levels(centroid)
        return self.project(projection, centroid.values, self.sigmas)

    def moved(self, centroid: Centroid, dx: float, dy: float) -> Centroid:
        """Return a centroid moved in the "pca" plane: `dx` box widths to the right, `dy` box heights down.

        The position moves by exactly this at every noise level, and the components outside the plane stay. An
        axis along which no class varies moves nothing. The colour follows by linear regression on the
        positions of the classes and is clipped to [-1, 1]: with the old colour, the network would return to
        the old target at the highest noise levels.

        Raises
        ------
        ValueError
            If `dx` or `dy` is not finite, or the centroid has other noise levels than the map.
        """
        self._check_levels(centroid)
        delta = torch.tensor([dx, dy], dtype=torch.float64)
        if not bool(delta.isfinite().all()):
            raise ValueError(f"dx={dx} and dy={dy} must be finite numbers")
        values = centroid.values + torch.einsum("skf,k->sf", self.planes.axes, delta).to(centroid.values)
        colour = centroid.colour + (delta @ self.colour_slope).to(centroid.colour)
        return replace(centroid, values=values, colour=colour.clamp(-1, 1))

    def feature(self, index: int, level: int) -> np.ndarray:
        """Return feature `index` of each crop at a noise level, from the stored components: (N,), float32."""
        z = self._scores[level] @ self._bases[level][index]
        return (self._mean[level, index] + self._scale[level, index] * z).numpy()

    def nearest(self, level: int, n: int = 3) -> tuple[np.ndarray, np.ndarray]:
        """Return the classes nearest to each crop at a noise level, and their distances.

        Returns
        -------
        rows : array of int, shape (N, n)
            Rows of the classes in the table, nearest first.
        distances : array of shape (N, n), float32
            Root mean square over features, in units of the spread within a class, from the stored components.
        """
        distance = torch.cdist(self._scores[level], self._centroids[level]) / self.table.dimension**0.5
        nearest = distance.topk(min(n, len(self.table.classes)), largest=False)
        return nearest.indices.numpy(), nearest.values.numpy()

    def _check_projection(self, projection: str) -> None:
        if projection not in self.projections:
            raise ValueError(f"projection={projection!r} must be one of {', '.join(self.projections)}")

    def _check_levels(self, centroid: Centroid) -> None:
        if not torch.equal(centroid.sigmas.cpu(), self.sigmas.cpu()):
            raise ValueError("the centroid must have the noise levels of the map's table")

    def _interpolated(self, phi: Tensor, sigma: float | Tensor, landmarks: Landmarks) -> np.ndarray:
        """Return the positions (B, D) of feature vectors between the landmarks of each noise level."""
        phi = phi.detach().float().cpu()
        sigma = torch.as_tensor(sigma, dtype=torch.float64).cpu().expand(len(phi))
        mean, scale = (interpolate(self.sigmas, part, sigma) for part in (self._mean, self._scale))
        z = (phi - mean) / scale
        # weights of the levels in an interpolation at sigma, for features and positions alike
        weights = interpolate(self.sigmas, torch.eye(len(self.sigmas)), sigma)  # (B, S)
        result = torch.zeros(0)
        for level in weights.sum(dim=0).nonzero()[:, 0].tolist():
            rows = weights[:, level] > 0
            points, positions = landmarks(level)
            at_level = interpolate_landmarks(z[rows] @ self._bases[level], points, positions)
            if not len(result):
                result = torch.zeros(len(phi), positions.shape[1])
            result[rows] += weights[rows, level, None] * at_level
        return result.numpy()

    def _positions(self, projection: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of crops (S, N, 2) and of classes (S, C, 2)."""
        self._check_projection(projection)
        return self._pca_positions if projection == "pca" else self._umap_positions

    @cached_property
    def _pca_positions(self) -> tuple[np.ndarray, np.ndarray]:
        z = self._scores @ self._bases.transpose(1, 2)  # (S, N, F)
        phi = self._mean[:, None] + self._scale[:, None] * z
        pairs = zip(phi, self.sigmas.tolist(), strict=True)
        crops = [self.planes.project(level_phi, sigma) for level_phi, sigma in pairs]
        classes = self.planes.project(self.table.values, self.sigmas).transpose(0, 1)
        return torch.stack(crops).float().numpy(), classes.float().numpy()

    @cached_property
    def _umap_positions(self) -> tuple[np.ndarray, np.ndarray]:
        assert self.embedding is not None  # `_check_projection` refuses "umap" without an embedding
        crops = self.embedding.numpy()
        rows = range(len(self.table.classes))
        return crops, np.stack([np.median(crops[:, self.labels == row], axis=1) for row in rows], axis=1)

    @cached_property
    def planes(self) -> LevelPlanes:
        """The plane of "pca" at each noise level."""
        return LevelPlanes.of(self.table)

    @cached_property
    def colour_slope(self) -> Tensor:
        """Change of the mean colour along the axes of the box, by linear regression: (2, 3), float64."""
        positions = torch.from_numpy(self._pca_positions[1]).double().mean(dim=0)  # (C, 2)
        colours = self.table.colours.double()
        inverse = torch.linalg.pinv(positions - positions.mean(dim=0), rtol=1e-6)
        return inverse @ (colours - colours.mean(dim=0))

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
        """Scores of the class centroids: (S, C, K)."""
        z = (self.table.values - self._mean) / self._scale  # (C, S, F)
        return z.transpose(0, 1) @ self._bases

    @cached_property
    def _landmarks(self) -> list[tuple[Tensor, Tensor]]:
        """Scores and positions of crops and class centroids at each level; a centroid has the position of its
        class."""
        crops, classes = (torch.from_numpy(part) for part in self._umap_positions)
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
    """Fit the feature map of a network to training crops of each class.

    Crops are measured one by one, without guidance. Matched to their class, as for centroids, they would be
    separated at every noise level, because the matching itself passes the class to later layers.

    UMAP is fitted to the stored principal components of the features, in units of the spread within a class:
    the distances of `CentroidTable.nearest`. Unscaled, the features of the largest range would dominate. The
    stored components are used because later points are positioned by them.

    Parameters
    ----------
    crops : int
        Crops per class, at least 1.
    seed : int
        Seed of the crops, of the noise and of UMAP.
    progress : callable, optional
        Wraps the list of classes, then the noise levels, called as `tqdm` is: `progress(items, desc=...)`.

    Raises
    ------
    ValueError
        If `crops` is below 1, or a class of the table has no images in `data`.
    """
    if crops < 1:
        raise ValueError(f"crops={crops} must be at least 1")
    if missing := [name for name in table.classes if name not in data.classes]:
        raise ValueError(f"the data has no images of {', '.join(missing[:3])}, which the table names")
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    phis, origins = [], []
    for name in progress(table.classes, desc="map: crops") if progress else table.classes:
        x0, class_origins = data.crops_with_origins(name, crops, generator)
        eps = torch.randn(x0.shape, generator=generator)  # the same at each level: features vary smoothly
        x0, eps = x0.to(device), eps.to(device)
        phis.append(torch.stack([network.denoise(x0 + s * eps, s)[1] for s in table.sigmas.tolist()]).cpu())
        origins.append(class_origins)
    z = torch.cat(phis, dim=1).float() - table.values.mean(dim=0)[:, None]  # (S, N, F)
    z = z / table.scales[:, None]
    labels = np.repeat(np.arange(len(table.classes)), crops)
    centroids = (table.values - table.values.mean(dim=0)).transpose(0, 1) / table.scales[:, None]
    correct = torch.cdist(z, centroids).argmin(dim=2) == torch.from_numpy(labels)  # (S, N)
    bases = _principal_components(z, min(COMPONENTS, *z.shape[1:])).half()
    exact = z @ bases.float()
    steps = (exact.abs().amax(dim=1) / 127).clamp(min=1e-12)
    scores = (exact / steps[:, None]).round().to(torch.int8)
    images_and_corners = np.concatenate(origins)
    feature_map = FeatureMap(
        table,
        int(correct.float().mean(dim=1).argmax()),
        labels,
        images_and_corners[:, 0].copy(),
        images_and_corners[:, 1:].copy(),
        scores,
        steps,
        bases,
        kept=_explained_share(z, (scores * steps[:, None]) @ bases.float().transpose(1, 2)),
    )
    if len(labels) < 4:  # too few points for UMAP
        return feature_map
    embedding = fit_unit_box(umap_by_level(list(feature_map._scores.numpy()), seed=seed, progress=progress))
    return replace(feature_map, embedding=torch.from_numpy(embedding))


def _principal_components(z: Tensor, k: int) -> Tensor:
    """Return the first k principal components (S, F, K) of features (S, N, F), about zero."""
    return torch.linalg.eigh(z.double().transpose(1, 2) @ z.double()).eigenvectors.flip(2)[:, :, :k]


def _explained_share(z: Tensor, approximation: Tensor) -> Tensor:
    """Return the share of the variance of features (S, N, F) that an approximation explains: (S,)."""
    residual = (z - approximation).square().sum(dim=(1, 2))
    return 1 - residual / z.square().sum(dim=(1, 2)).clamp(min=1e-12)
