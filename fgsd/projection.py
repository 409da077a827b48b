"""From feature space to the plane: a joint PCA of centroids, and UMAP of crops at each noise level."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fgsd.centroids import CentroidTable
from fgsd.levels import interpolate

MARGIN = 0.06  # share of the unit box, on each side, that is kept free
SMALLEST = 1e-6  # a block of loadings whose singular values are below this share of the largest has no say


@dataclass(frozen=True)
class JointPCA:
    """One plane through the classes' centroids, fitted to all noise levels at once.

    With z_s = (values_s - mean_s) / scale_s at level s, where the number scale_s gives each level the same
    total variance, and L_s (F, 2) the level's block of loadings, the joint position is
    p = sum_s L_s^T z_s.

    Parameters
    ----------
    means : Tensor of shape (S, F), float64
    scales : Tensor of shape (S,), float64
    loadings : Tensor of shape (S, F, 2), float64
        Zero where there is no such component: one class has none, two classes have one.
    """

    means: Tensor
    scales: Tensor
    loadings: Tensor

    def joint(self, values: Tensor) -> Tensor:
        """Positions (..., 2) of feature vectors at all noise levels (..., S, F)."""
        z = (values.double() - self.means) / self.scales[:, None]
        return torch.einsum("...sf,sfk->...k", z, self.loadings)


def joint_pca(table: CentroidTable) -> JointPCA:
    """The first two principal components of all centroids, no level deciding alone; see `JointPCA`.

    Each points to where its largest loading is positive, as those of scikit-learn do; to import that would
    take a third of the page's start.
    """
    values = table.values.double()  # (C, S, F)
    means = values.mean(dim=0)
    scales = (values - means).square().sum(dim=(0, 2)).sqrt()
    scales = torch.where(scales > 1e-12, scales, torch.ones_like(scales))
    flat = ((values - means) / scales[:, None]).flatten(1).numpy()
    loadings = np.zeros((flat.shape[1], 2))
    kept = min(2, len(flat) - 1, flat.shape[1])
    if kept > 0 and np.ptp(flat) > 0:
        _, singular, components = np.linalg.svd(flat, full_matrices=False)  # flat is centred
        axes = components[:kept]
        largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1, keepdims=True), axis=1)
        real = singular[:kept] > SMALLEST * singular[0]
        loadings[:, :kept] = (axes * np.sign(largest)).T * real
    return JointPCA(means, scales, torch.from_numpy(loadings).unflatten(0, means.shape))


@dataclass(frozen=True)
class LevelPlanes:
    """The plane of a `JointPCA` as each noise level sees it, in coordinates of the unit box.

    The position of a feature vector is the least-squares one, p_s = G_s^+ L_s^T z_s with G_s = L_s^T L_s,
    so that moving a centroid by L_s d at every level moves it by exactly d in every level's view, and in
    the joint one too: that is the mean of the p_s with weights G_s, which sum to the identity.

    Parameters
    ----------
    sigmas : Tensor of shape (S,)
    means : Tensor of shape (S, F), float64
        Feature vectors that lie at `origin`.
    moves : Tensor of shape (S, 2, F), float64
        How a feature vector changes along the box's axes: a whole width to the right, a whole height down.
    origin : Tensor of shape (2,), float64
    """

    sigmas: Tensor
    means: Tensor
    moves: Tensor
    origin: Tensor

    @classmethod
    def of(cls, table: CentroidTable) -> LevelPlanes:
        """Planes in which all classes, at every level, fill the unit box up to `MARGIN`; y points down."""
        pca = joint_pca(table)
        moves = (pca.loadings * pca.scales[:, None, None]).transpose(1, 2)  # (S, 2, F)
        bare = cls(table.sigmas, pca.means, moves, torch.zeros(2, dtype=torch.float64))
        points = bare.place(table.values, table.sigmas).flatten(0, 1)
        low, high = points.amin(dim=0), points.amax(dim=0)
        flat = high - low < 1e-9
        stretch = torch.where(flat, 1.0, (1 - 2 * MARGIN) / torch.where(flat, 1.0, high - low))
        stretch = stretch * torch.tensor([1.0, -1.0])  # on screens, y points down
        origin = 0.5 - stretch * (low + high) / 2
        return cls(table.sigmas, pca.means, moves / stretch[:, None], origin)

    def place(self, phi: Tensor, sigma: float | Tensor) -> Tensor:
        """Positions (..., B, 2), float64, of feature vectors (..., B, F), each seen at its own noise level.

        Means and moves are interpolated as centroids are, so an exact move stays exact between levels.

        Parameters
        ----------
        sigma : float or Tensor of shape (B,)
        """
        centred = phi.double().cpu() - interpolate(self.sigmas, self.means, sigma)
        moves = interpolate(self.sigmas, self.moves.transpose(0, 1), sigma)  # (2, F) or (2, B, F)
        if moves.ndim == 2:
            moves = moves[:, None]
        gram = torch.einsum("kbf,lbf->bkl", moves, moves)
        inverse = torch.linalg.pinv(gram, hermitian=True, rtol=SMALLEST**2)
        along = torch.einsum("...bf,kbf->...bk", centred, moves)
        return self.origin + torch.einsum("bkl,...bl->...bk", inverse, along)


def umap_by_level(
    scores: Sequence[np.ndarray], *, seed: int = 0, progress: Callable | None = None
) -> list[np.ndarray]:
    """UMAP (McInnes et al. 2018) of the same points at several noise levels, aligned with each other.

    The first level begins at the points' first two principal components, every other at the embedding of
    the level before, and moves on from there in small steps. UMAP scales what it begins with to a size of
    its own, so each embedding is then turned, scaled and shifted onto the one before (Procrustes). The
    first level is treated so as well, after it was fitted: all levels are then equally dense.

    Tried on 24 crops of each of 64 classes: neighbours reach beyond a class's own crops, and little
    repulsion between points and much room for each keep classes from becoming 64 dots far apart. A point
    moves by 0.04 of the width from level to level, with full steps by 0.1.

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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # that Tensorflow, which is not used, is missing
        from umap import UMAP

    def fit(points: np.ndarray, **options) -> np.ndarray:
        neighbours = min(30, len(points) - 1)
        options |= {"n_neighbors": neighbours, "min_dist": 1.0, "repulsion_strength": 0.2}
        return UMAP(random_state=seed, n_jobs=1, **options).fit_transform(points)

    embedding = fit(scores[0], init="pca", n_epochs=500)
    found = []
    for points in progress(scores, desc="map: UMAP") if progress else scores:
        embedding = aligned(fit(points, init=embedding, n_epochs=100, learning_rate=0.1), embedding)
        found.append(embedding)
    return found


def aligned(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Points (N, 2) turned, mirrored, scaled and shifted to lie as near as can be to others (N, 2)."""
    from scipy.linalg import orthogonal_procrustes

    centre, target = points.mean(axis=0), onto.mean(axis=0)
    turn, _ = orthogonal_procrustes(points - centre, onto - target)
    # as large as the other, not the least-squares scale: that would shrink what is unlike, level by level
    scale = np.linalg.norm(onto - target) / max(float(np.linalg.norm(points - centre)), 1e-12)
    return ((points - centre) @ turn * scale + target).astype(np.float32)


def boxed(points: Sequence[np.ndarray]) -> np.ndarray:
    """Embeddings (S, N, 2) in one unit box, y downwards, by one similarity for all levels: all but the
    outermost hundredth on each side lie inside of `MARGIN`."""
    stacked = np.stack(points).astype(np.float64)
    low, high = np.quantile(stacked.reshape(-1, 2), (0.01, 0.99), axis=0)
    scale = (1 - 2 * MARGIN) / max(float((high - low).max()), 1e-9)
    return (0.5 + (stacked - (low + high) / 2) * scale * [1, -1]).astype(np.float32)


def among(scores: Tensor, landmarks: Tensor, places: Tensor, *, k: int = 15) -> Tensor:
    """Positions (B, 2) of points (B, K) between landmarks (M, K) that lie at places (M, 2).

    The weighted mean of the k nearest, with weights ((R - d) / (R d))^2 where R is the distance of the
    next nearest (Franke and Little, in Franke 1982): a point on a landmark lies at its place, and nothing
    jumps when another landmark comes into reach. UMAP's own `transform` begins like this; its refinement
    needs the fitted model, which is a pickle.
    """
    k = min(k, len(landmarks) - 1)
    if k < 1:
        return places[:1].expand(len(scores), 2)
    exact = "donot_use_mm_for_euclid_dist"
    distance, index = torch.cdist(scores, landmarks, compute_mode=exact).topk(k + 1, largest=False)
    # in units of R, which leaves the weights' ratios as they are
    share = distance[:, :k] / distance[:, k:].clamp(min=1e-12)
    weight = ((1 - share).clamp(min=1e-6) / share.clamp(min=1e-6)).square()
    return torch.einsum("bk,bkd->bd", weight / weight.sum(dim=1, keepdim=True), places[index[:, :k]])
