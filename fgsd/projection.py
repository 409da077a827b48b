"""Projections of feature space to 2D or 3D: joint PCA of centroids, UMAP of crops at each noise level."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fgsd.centroids import CentroidTable
from fgsd.levels import interpolate

MARGIN = 0.06  # of the unit box, on each side, that is left empty
RANK_TOLERANCE = 1e-6  # singular values below this share of the largest count as zero


@dataclass(frozen=True)
class JointPCA:
    """K axes (a plane, or a space) through the class centroids, fitted to all noise levels together.

    The joint position is p = sum_s L_s^T z_s with z_s = (values_s - means_s) / scales_s. The number scales_s
    gives every level s the same total variance, and L_s (F, K) is the level's block of loadings.

    Parameters
    ----------
    means : Tensor of shape (S, F), float64
    scales : Tensor of shape (S,), float64
    loadings : Tensor of shape (S, F, K), float64
        Zero for missing components: C classes have C - 1 at most.
    """

    means: Tensor
    scales: Tensor
    loadings: Tensor

    def project(self, values: Tensor) -> Tensor:
        """Return the joint positions (..., K) of feature vectors at all noise levels (..., S, F)."""
        z = (values.double() - self.means) / self.scales[:, None]
        return torch.einsum("...sf,sfk->...k", z, self.loadings)


def joint_pca(table: CentroidTable, components: int = 2) -> JointPCA:
    """Fit a `JointPCA` with K = `components` to all centroids; every noise level has the same weight.

    The largest loading of each component is positive, as in scikit-learn. The SVD is computed with NumPy,
    because importing scikit-learn takes a third of the page's start-up time.
    """
    values = table.values.double()  # (C, S, F)
    means = values.mean(dim=0)
    scales = (values - means).square().sum(dim=(0, 2)).sqrt()
    scales = torch.where(scales > 1e-12, scales, torch.ones_like(scales))
    flat = ((values - means) / scales[:, None]).flatten(1).numpy()
    loadings = np.zeros((flat.shape[1], components))
    count = min(components, len(flat) - 1, flat.shape[1])
    if count > 0 and np.ptp(flat) > 0:
        _, singular, directions = np.linalg.svd(flat, full_matrices=False)  # flat is centred
        axes = directions[:count]
        largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1, keepdims=True), axis=1)
        nonzero = singular[:count] > RANK_TOLERANCE * singular[0]
        loadings[:, :count] = (axes * np.sign(largest)).T * nonzero
    return JointPCA(means, scales, torch.from_numpy(loadings).unflatten(0, means.shape))


@dataclass(frozen=True)
class LevelPlanes:
    """The K axes of a `JointPCA` at each noise level, in coordinates of the unit box.

    The position of a feature vector at level s is the least-squares solution p_s = G_s^+ L_s^T z_s, with
    G_s = L_s^T L_s. Moving a centroid by L_s d at every level therefore moves its position by exactly d at
    every level. It also moves the joint position by d: that is the mean of all p_s with weights G_s, which
    sum to the identity. The first two coordinates for K = 3 are not those for K = 2, as the axes are not
    orthogonal at each level; `MapSpace` takes the third alone.

    Parameters
    ----------
    sigmas : Tensor of shape (S,)
    means : Tensor of shape (S, F), float64
        Feature vectors at the position `origin`.
    axes : Tensor of shape (S, K, F), float64
        Change of a feature vector per box width to the right, per box height downwards, and per box depth.
    origin : Tensor of shape (K,), float64
    """

    sigmas: Tensor
    means: Tensor
    axes: Tensor
    origin: Tensor

    @classmethod
    def of(cls, table: CentroidTable, components: int = 2) -> LevelPlanes:
        """Fit the planes, so that the classes at all levels together fill the unit box up to `MARGIN`."""
        pca = joint_pca(table, components)
        axes = (pca.loadings * pca.scales[:, None, None]).transpose(1, 2)  # (S, K, F)
        unscaled = cls(table.sigmas, pca.means, axes, torch.zeros(components, dtype=torch.float64))
        points = unscaled.project(table.values, table.sigmas).flatten(0, 1)
        low, high = points.amin(dim=0), points.amax(dim=0)
        flat = high - low < 1e-9
        stretch = torch.where(flat, 1.0, (1 - 2 * MARGIN) / torch.where(flat, 1.0, high - low))
        stretch = stretch * torch.tensor([1.0, -1.0, 1.0][:components])  # y points downwards, as on screens
        origin = 0.5 - stretch * (low + high) / 2
        return cls(table.sigmas, pca.means, axes / stretch[:, None], origin)

    def project(self, phi: Tensor, sigma: float | Tensor) -> Tensor:
        """Return positions (..., B, K), float64, of feature vectors (..., B, F), each at its own noise level.

        Means and axes are interpolated over noise levels as centroids are, so that moves along the axes are
        exact between the levels of the table too.

        Parameters
        ----------
        phi : Tensor of shape (..., B, F)
        sigma : float or Tensor of shape (B,)
        """
        centred = phi.double().cpu() - interpolate(self.sigmas, self.means, sigma)
        axes = interpolate(self.sigmas, self.axes.transpose(0, 1), sigma)  # (K, F) or (K, B, F)
        if axes.ndim == 2:
            axes = axes[:, None]
        gram = torch.einsum("kbf,lbf->bkl", axes, axes)
        inverse = torch.linalg.pinv(gram, hermitian=True, rtol=RANK_TOLERANCE**2)
        products = torch.einsum("...bf,kbf->...bk", centred, axes)
        return self.origin + torch.einsum("bkl,...bl->...bk", inverse, products)


def umap_by_level(
    scores: Sequence[np.ndarray], *, seed: int = 0, progress: Callable | None = None
) -> list[np.ndarray]:
    """Fit UMAP (McInnes et al. 2018) to the same points at several noise levels, aligned to each other.

    The first level starts from the first two principal components of the points, every further level from
    the embedding of the level before, with a low learning rate. UMAP rescales its initial embedding, so each
    result is rotated, scaled and shifted onto the embedding before it (Procrustes). The first level is fitted
    twice in this way, so that all levels have the same density.

    The parameters were chosen on 24 crops of each of 64 classes: more neighbours than a class has crops, weak
    repulsion and a large minimum distance keep classes from shrinking to 64 distant dots. From level to level
    a point moves by 0.04 of the width on average; at the default learning rate it moves by 0.1.

    Parameters
    ----------
    scores : S arrays of shape (N, K), N at least 4
    seed : int
        The same seed gives the same embeddings.
    progress : callable, optional
        Wraps the levels, called as `tqdm` is: `progress(items, desc=...)`.

    Returns
    -------
    list of S arrays of shape (N, 2), float32
    """
    embedding = _fit_umap(scores[0], seed=seed, init="pca", n_epochs=500)
    embeddings = []
    for points in progress(scores, desc="map: UMAP") if progress else scores:
        embedding = align(_refit_umap(points, embedding, seed=seed), embedding)
        embeddings.append(embedding)
    return embeddings


def umap_in_space(scores: np.ndarray, start: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Fit UMAP in 3D to points (N, K) from a start (N, 3), and lay it onto the start: (N, 3), float32.

    As for the further levels of `umap_by_level`, the low learning rate keeps the start's arrangement.
    """
    return align(_refit_umap(scores, start.astype(np.float32), seed=seed, n_components=3), start)


def _refit_umap(points: np.ndarray, start: np.ndarray, *, seed: int, **options) -> np.ndarray:
    return _fit_umap(points, seed=seed, init=start, n_epochs=100, learning_rate=0.1, **options)


def _fit_umap(points: np.ndarray, *, seed: int, **options) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # UMAP warns that Tensorflow is missing
        from umap import UMAP

    neighbours = min(30, len(points) - 1)
    options |= {"n_neighbors": neighbours, "min_dist": 1.0, "repulsion_strength": 0.2}
    return UMAP(random_state=seed, n_jobs=1, **options).fit_transform(points)


def align(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Rotate, mirror, scale and shift points (N, D) onto other points (N, D): Procrustes analysis.

    The result has the size of `onto`. The least-squares scale would be smaller the less the two are alike,
    and shrink embeddings from level to level.
    """
    from scipy.linalg import orthogonal_procrustes

    centre, target = points.mean(axis=0), onto.mean(axis=0)
    rotation, _ = orthogonal_procrustes(points - centre, onto - target)
    scale = np.linalg.norm(onto - target) / max(float(np.linalg.norm(points - centre)), 1e-12)
    return ((points - centre) @ rotation * scale + target).astype(np.float32)


def fit_unit_box(points: Sequence[np.ndarray]) -> np.ndarray:
    """Scale embeddings of all levels (S, N, 2) to the unit box, y downwards, with one similarity transform.

    All but the outermost hundredth of the points on each side lie inside the margins.
    """
    stacked = np.stack(points).astype(np.float64)
    low, high = np.quantile(stacked.reshape(-1, 2), (0.01, 0.99), axis=0)
    scale = (1 - 2 * MARGIN) / max(float((high - low).max()), 1e-9)
    return (0.5 + (stacked - (low + high) / 2) * scale * [1, -1]).astype(np.float32)


def interpolate_landmarks(points: Tensor, landmarks: Tensor, positions: Tensor, *, k: int = 15) -> Tensor:
    """Interpolate positions (B, D) of points (B, K) from the positions (M, D) of landmarks (M, K).

    The result is the weighted mean over the k nearest landmarks, with weights ((R - d) / (R d))^2, where d is
    the distance of the landmark and R that of landmark k + 1 (Franke and Little, in Franke 1982). A point on
    a landmark has the landmark's position, and the position is continuous where the set of the k nearest
    changes. UMAP's own `transform` starts with such a mean, but its refinement needs the fitted model, which
    is stored as a pickle.
    """
    k = min(k, len(landmarks) - 1)
    if k < 1:
        return positions[:1].expand(len(points), -1)
    exact = "donot_use_mm_for_euclid_dist"
    distance, index = torch.cdist(points, landmarks, compute_mode=exact).topk(k + 1, largest=False)
    # distances in units of R: the ratios of the weights stay the same
    share = distance[:, :k] / distance[:, k:].clamp(min=1e-12)
    weight = ((1 - share).clamp(min=1e-6) / share.clamp(min=1e-6)).square()
    return torch.einsum("bk,bkd->bd", weight / weight.sum(dim=1, keepdim=True), positions[index[:, :k]])
