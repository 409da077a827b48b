"""Class centroids in feature space at every noise level: tables, mixtures, nearest classes."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, overload

import torch
from torch import Tensor

from fgsd.levels import interpolate
from fgsd.model.matching import PeerMatching
from fgsd.model.network import PASS_PIXELS, Denoiser
from fgsd.names import normalize_name

if TYPE_CHECKING:
    from fgsd.data import TextureFolder
    from fgsd.gaussians import GaussianSource

MIN_SCALE = 1e-6  # of the spread within a class, for features that are the same in all crops


@dataclass(frozen=True)
class Centroid:
    """The target of guided sampling: one feature vector per noise level, and a mean colour.

    Parameters
    ----------
    sigmas : Tensor of shape (S,)
        Noise levels in the units of images in [-1, 1], increasing.
    values : Tensor of shape (S, F)
        Feature vector at each noise level.
    colour : Tensor of shape (3,)
        Mean colour of the clean images in [-1, 1]. Sampling starts from noise around this colour: at the
        highest noise level the network keeps the mean colour of its input, so a grey start stays grey.
    """

    sigmas: Tensor
    values: Tensor
    colour: Tensor

    def at(self, sigma: float | Tensor) -> Tensor:
        """Return the feature vector (F,) at one noise level, or (B, F) at levels (B,), by `interpolate`."""
        return interpolate(self.sigmas, self.values, sigma)


Weights = Mapping[str, float] | Callable[[float], Mapping[str, float]]


@dataclass(frozen=True)
class CentroidTable:
    """Centroids of all classes at all noise levels, and the spread of features within a class.

    Parameters
    ----------
    classes : list of str
        Names, stored in Unicode form NFC; methods that take a name accept any form.
    sigmas : Tensor of shape (S,)
        Noise levels in the units of images in [-1, 1], increasing.
    values : Tensor of shape (C, S, F), float32
        Mean feature vector of each class at each noise level.
    scales : Tensor of shape (S, F), float32
        Spread of each feature within a class: its standard deviation over the crops of a class, root mean
        square over classes. Values below `MIN_SCALE` are raised to it.
    colours : Tensor of shape (C, 3), float32
        Mean colour of each class in [-1, 1]; see `Centroid`.

    Raises
    ------
    ValueError
        If shapes do not match, noise levels are not positive and increasing, or class names repeat.
    """

    classes: list[str]
    sigmas: Tensor
    values: Tensor
    scales: Tensor
    colours: Tensor

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", [normalize_name(name) for name in self.classes])
        if not (self.sigmas.ndim == 1 and len(self.sigmas) > 0 and bool((self.sigmas.diff() > 0).all())):
            raise ValueError(f"sigmas={self.sigmas.tolist()} must be a list of increasing noise levels")
        if not self.sigmas[0] > 0:
            raise ValueError(f"sigmas={self.sigmas.tolist()} must be positive")
        expected = (len(self.classes), len(self.sigmas))
        shape = tuple(self.values.shape)
        if len(shape) != 3 or shape[:2] != expected:
            raise ValueError(f"values has shape {shape}, expected {(*expected, 'F')}")
        if self.scales.shape != self.values.shape[1:]:
            raise ValueError(f"scales has shape {tuple(self.scales.shape)}, expected {shape[1:]}")
        if tuple(self.colours.shape) != (len(self.classes), 3):
            raise ValueError(
                f"colours has shape {tuple(self.colours.shape)}, expected {(len(self.classes), 3)}"
            )
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes must be distinct")
        object.__setattr__(self, "scales", self.scales.clamp(min=MIN_SCALE))

    @property
    def dimension(self) -> int:
        """Length F of a feature vector."""
        return self.values.shape[2]

    def index(self, name: str) -> int:
        """Return the row of a class; raise `KeyError` with similar names if there is no such class."""
        normalized = normalize_name(str(name))
        if normalized in self.classes:
            return self.classes.index(normalized)
        close = difflib.get_close_matches(normalized, self.classes, n=3, cutoff=0.4)
        hint = f"; did you mean {', '.join(close)}?" if close else f"; there are {len(self.classes)} classes"
        raise KeyError(f"class {name!r} is unknown{hint}")

    def of(self, name: str) -> Centroid:
        """Return the centroid of one class."""
        row = self.index(name)
        return Centroid(self.sigmas, self.values[row], self.colours[row])

    def mixture(self, weights: Weights) -> Centroid:
        """Return the weighted mean of class centroids.

        Parameters
        ----------
        weights : mapping of class name to weight, or function of sigma that returns such a mapping
            At each noise level the weights must be finite and sum to 1 (to 1e-3; they are then scaled to sum
            to 1 exactly). Negative weights extrapolate. A function is called at each noise level of the
            table, and its weights at the highest level determine the colour.

        Raises
        ------
        KeyError
            If a class is unknown.
        ValueError
            If the weights are empty, not finite, or do not sum to 1.
        """
        rows = []
        for s, sigma in enumerate(self.sigmas.tolist()):
            level_weights = check_weights(weights(sigma) if callable(weights) else weights)
            rows.append(_sum(w * self.values[self.index(name), s] for name, w in level_weights.items()))
        colour = _sum(w * self.colours[self.index(name)] for name, w in level_weights.items())
        return Centroid(self.sigmas, torch.stack(rows), colour)

    def distances(self, values: Tensor) -> Tensor:
        """Return the distance of feature vectors from each class centroid, in spreads within a class.

        Each feature is divided by its standard deviation within classes (`scales`), then the root mean square
        is taken over noise levels and features: a typical crop has distance 1 from its own class.

        Parameters
        ----------
        values : Tensor of shape (S, F)
            At the noise levels of the table.

        Returns
        -------
        Tensor of shape (C,)
        """
        return ((self.values - values) / self.scales).square().mean(dim=(1, 2)).sqrt()

    def nearest(self, centroid: Centroid, n: int = 5) -> list[tuple[str, float]]:
        """Return the `n` classes nearest to a centroid and their `distances`, nearest first.

        The centroid must be at the noise levels of the table.
        """
        distances = self.distances(centroid.values)
        order = distances.argsort()[:n].tolist()
        return [(self.classes[k], distances[k].item()) for k in order]


def mean_centroid(parts: Sequence[tuple[Centroid, float]]) -> Centroid:
    """Return the weighted mean of centroids, which need not be in a table.

    Parameters
    ----------
    parts : sequence of (Centroid, weight)
        Weights are finite and sum to 1; they are not checked.

    Raises
    ------
    ValueError
        If there are no parts, or the centroids have different noise levels.
    """
    if not parts:
        raise ValueError("parts is empty; give at least one centroid")
    first = parts[0][0]
    if any(not torch.equal(c.sigmas, first.sigmas) for c, _ in parts):
        raise ValueError("parts: the centroids must have the same noise levels")
    return Centroid(first.sigmas, _sum(w * c.values for c, w in parts), _sum(w * c.colour for c, w in parts))


def _sum(tensors: Iterable[Tensor]) -> Tensor:
    return sum(tensors, start=torch.zeros(()))


@overload
def coarse_fine(coarse: Centroid, fine: Centroid, switch: float) -> Centroid: ...
@overload
def coarse_fine(
    coarse: Mapping[str, float], fine: Mapping[str, float], switch: float
) -> Callable[[float], Mapping[str, float]]: ...
def coarse_fine(coarse, fine, switch):
    """Take coarse structure from one target and fine detail from another.

    At noise levels above `switch` the result is `coarse`, at and below it `fine`.

    Parameters
    ----------
    coarse, fine : mappings of class name to weight, or Centroids
        Centroids need the same noise levels; the colour of the result is that at the highest level.
    switch : float
        Noise level in the units of images in [-1, 1].

    Returns
    -------
    function of sigma that returns weights, or Centroid
        A target for `Pipeline.sample`, like the arguments.

    Raises
    ------
    TypeError
        If one target is a mapping and the other a Centroid.
    ValueError
        If `switch` is not positive and finite, or the noise levels of the centroids differ.

    Examples
    --------
    >>> weights = coarse_fine({"cobblestone": 1.0}, {"lava": 1.0}, 0.5)
    >>> weights(2.0), weights(0.1)
    ({'cobblestone': 1.0}, {'lava': 1.0})
    """
    if not (switch > 0 and math.isfinite(switch)):
        raise ValueError(f"switch={switch} must be a positive noise level")

    def select(sigma: float):
        return coarse if sigma > switch else fine

    if not isinstance(coarse, Centroid) and not isinstance(fine, Centroid):
        return select
    if not (isinstance(coarse, Centroid) and isinstance(fine, Centroid)):
        raise TypeError("coarse and fine must both be mappings or both be Centroids")
    if not torch.equal(coarse.sigmas, fine.sigmas):
        raise ValueError("coarse and fine must have the same noise levels")
    selected = [select(sigma) for sigma in coarse.sigmas.tolist()]
    values = torch.stack([centroid.values[s] for s, centroid in enumerate(selected)])
    return Centroid(coarse.sigmas, values, selected[-1].colour)


def check_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Return weights scaled to sum to 1 exactly; raise `ValueError` if they are empty, not finite, or their
    sum differs from 1 by more than 1e-3."""
    if not weights:
        raise ValueError("weights is empty; name at least one class")
    values = {str(name): float(w) for name, w in weights.items()}
    for name, w in values.items():
        if not math.isfinite(w):
            raise ValueError(f"the weight of {name!r} is {w}; it must be a finite number")
    total = sum(values.values())
    if abs(total - 1) > 1e-3:
        raise ValueError(f"weights sum to {total:.4g}; they must sum to 1")
    return {name: w / total for name, w in values.items()}


@torch.no_grad()
def features_by_level(
    denoiser: Denoiser,
    x0: Tensor,
    sigmas: Sequence[float] | Tensor,
    *,
    seed: int = 0,
    antithetic: bool = True,
    tileable: bool = False,
    coordinates: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Measure mean and spread of the feature vectors of the crops of each class, at each noise level.

    In each layer the crops of a class are matched to their own mean, as samples are matched to the centroid.

    Parameters
    ----------
    x0 : Tensor of shape (C, N, 3, H, W)
        N clean crops of each of C classes, in [-1, 1].
    sigmas : S noise levels
    seed : int
        Seed of the noise. All classes and noise levels use the same noise, so that features vary smoothly
        between them.
    antithetic : bool
        Give the second half of the crops of a class the negative noise of the first half, so that little of
        it is left in their mean: 16 crops give centroids about as exact as 48 with independent noise.
    tileable : bool
        Whether crops wrap round at their edges.
    coordinates : Tensor of shape (C, S, K), optional
        Coordinates of each class among the K of training, for a network with a target embedding. By default
        those of the crops' mean features without guidance, which costs a second pass.

    Returns
    -------
    means, spreads : Tensors of shape (C, S, F)
        The spread of a single crop is zero.
    """
    device, (classes, crops) = next(denoiser.parameters()).device, x0.shape[:2]
    levels = torch.as_tensor(sigmas, dtype=torch.float32)
    independent = (crops + 1) // 2 if antithetic else crops
    noise = torch.randn(independent, *x0.shape[2:], generator=torch.Generator().manual_seed(seed))
    eps = torch.cat([noise, -noise])[:crops].to(device)
    x0 = x0.to(device)
    weights = torch.block_diag(*[torch.full((crops, crops), 1 / crops)] * classes).to(device)

    def features(level: int, *, guided: bool) -> Tensor:
        """Measure the features of all crops at a noise level: (C, N, F)."""
        condition = None
        if guided:
            embedded = None if coordinates is None else coordinates[:, level].repeat_interleave(crops, dim=0)
            condition = PeerMatching(weights, embedded)
        sigma = levels[level].item()
        phi = denoiser.denoise((x0 + sigma * eps).flatten(0, 1), sigma, condition, tileable=tileable)[1]
        return phi.unflatten(0, (classes, crops))

    if coordinates is None and denoiser.target_embedding is not None:
        unguided = [features(level, guided=False).mean(dim=1) for level in range(len(levels))]
        coordinates = denoiser.target_coordinates(levels, torch.stack(unguided, dim=1))
    means, spreads = [], []
    for level in range(len(levels)):
        phi = features(level, guided=True)
        means.append(phi.mean(dim=1))
        spreads.append(phi.std(dim=1, correction=min(1, crops - 1)))
    return torch.stack(means, dim=1).cpu(), torch.stack(spreads, dim=1).cpu()


def compute_table(
    denoiser: Denoiser,
    data: TextureFolder | GaussianSource,
    sigmas: Tensor,
    *,
    crops: int = 16,
    seed: int = 0,
    tileable: bool = False,
    coordinates: Tensor | None = None,
    progress=None,
) -> CentroidTable:
    """Measure the centroid table of all classes in `data`.

    Parameters
    ----------
    data : TextureFolder, or another source of crops with the same methods
    sigmas : Tensor of shape (S,)
        Noise levels, increasing.
    crops : int
        Training crops per class.
    seed : int
        Seed of the crops and of their noise.
    coordinates : Tensor of shape (C, S, K), optional
        Coordinates of each class for a network with a target embedding, see `features_by_level`.
    progress : callable, optional
        Wraps the list of classes, as `tqdm` does.
    """
    means: list[Tensor] = []
    squares: list[Tensor] = []
    colours: list[Tensor] = []
    at_once = max(1, PASS_PIXELS // (crops * data.config.patch_size**2))
    names = iter(progress(data.classes) if progress else data.classes)
    while part := list(islice(names, at_once)):
        rows = slice(len(colours), len(colours) + len(part))
        x0 = torch.stack([data.crops(name, crops, torch.Generator().manual_seed(seed)) for name in part])
        embedded = None if coordinates is None else coordinates[rows]
        mean, spread = features_by_level(
            denoiser, x0, sigmas, seed=seed, tileable=tileable, coordinates=embedded
        )
        means += mean
        squares += spread.square()
        colours += x0.mean(dim=(1, 3, 4))
    scales = torch.stack(squares).mean(dim=0).sqrt()
    return CentroidTable(list(data.classes), sigmas.clone(), torch.stack(means), scales, torch.stack(colours))


def measure_normalization(
    denoiser: Denoiser, data, *, crops: int = 12, seed: int = 0, tileable: bool = False, progress=None
) -> None:
    """Measure the feature normalisation of a network's current weights, and store it in the network.

    During training, the normalisation follows weights that change at every step. Exported weights are an
    average of those and have other feature statistics: with the statistics of training, the error of a small
    network was a sixth larger.

    `compute_table` documents the parameters. A network without feature normalisation is left unchanged.
    """
    if denoiser.normalization is None:
        return
    sigmas = denoiser.normalization.sigmas.cpu()
    table = compute_table(
        denoiser, data, sigmas, crops=crops, seed=seed, tileable=tileable, progress=progress
    )
    values = table.values.to(denoiser.normalization.mean.device)  # (C, S, F)
    known = torch.full((len(sigmas),), len(values) > 1, device=values.device)
    denoiser.normalization.set_stats(
        denoiser.normalization.sigmas, values.mean(dim=0), values.std(dim=0, correction=0), known
    )
