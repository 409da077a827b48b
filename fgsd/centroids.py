"""Centroids of classes in feature space, at every noise level; mixtures of them; nearest classes."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fgsd.levels import interpolate
from fgsd.model.matching import PeerMatching
from fgsd.model.network import Denoiser


@dataclass(frozen=True)
class Centroid:
    """A point of feature space at every noise level: what guided sampling steers to.

    Parameters
    ----------
    sigmas : Tensor of shape (S,)
        Noise levels in [-1, 1] units, increasing.
    values : Tensor of shape (S, F)
        Feature vector at each of them.
    colour : Tensor of shape (3,)
        Mean of the clean images in [-1, 1], at which sampling begins: the noisy images of the class are
        spread round it, and a network that is shown grey at the highest noise level believes it.
    """

    sigmas: Tensor
    values: Tensor
    colour: Tensor

    def at(self, sigma: float | Tensor) -> Tensor:
        """The feature vector (F,) at a noise level, or (B, F) at levels (B,); see `interpolate`."""
        return interpolate(self.sigmas, self.values, sigma)


Weights = Mapping[str, float] | Callable[[float], Mapping[str, float]]


@dataclass(frozen=True)
class CentroidTable:
    """Feature vectors of all classes at all noise levels.

    Parameters
    ----------
    classes : list of str
    sigmas : Tensor of shape (S,)
        Noise levels in [-1, 1] units, increasing.
    values : Tensor of shape (C, S, F), float32
        Mean feature vectors.
    spreads : Tensor of shape (C, S, F), float32
        Standard deviation, over single crops, of each feature within its class.
    colours : Tensor of shape (C, 3), float32
        Mean colour of each class in [-1, 1]; see `Centroid`.
    """

    classes: list[str]
    sigmas: Tensor
    values: Tensor
    spreads: Tensor
    colours: Tensor

    def __post_init__(self) -> None:
        if not (self.sigmas.ndim == 1 and len(self.sigmas) > 0 and bool((self.sigmas.diff() > 0).all())):
            raise ValueError(f"sigmas={self.sigmas.tolist()} must be a list of increasing noise levels")
        if not self.sigmas[0] > 0:
            raise ValueError(f"sigmas={self.sigmas.tolist()} must be positive")
        expected = (len(self.classes), len(self.sigmas))
        for name in ("values", "spreads"):
            shape = tuple(getattr(self, name).shape)
            if len(shape) != 3 or shape[:2] != expected:
                raise ValueError(f"{name} has shape {shape}, expected {(*expected, 'F')}")
        if self.spreads.shape != self.values.shape:
            raise ValueError(f"spreads has {self.spreads.shape[2]} features, values {self.values.shape[2]}")
        if tuple(self.colours.shape) != (len(self.classes), 3):
            raise ValueError(
                f"colours has shape {tuple(self.colours.shape)}, expected {(len(self.classes), 3)}"
            )
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes must be distinct")

    @property
    def dimension(self) -> int:
        """Length F of a feature vector."""
        return self.values.shape[2]

    @property
    def scales(self) -> Tensor:
        """Typical standard deviation of each feature within a class: (S, F), positive."""
        return self.spreads.square().mean(dim=0).sqrt().clamp(min=1e-6)

    def index(self, name: str) -> int:
        """Row of a class; `KeyError` names the closest classes if there is none of that name."""
        if name in self.classes:
            return self.classes.index(name)
        close = difflib.get_close_matches(str(name), self.classes, n=3, cutoff=0.4)
        hint = f"; did you mean {', '.join(close)}?" if close else f"; there are {len(self.classes)} classes"
        raise KeyError(f"class {name!r} is unknown{hint}")

    def of(self, name: str) -> Centroid:
        """The centroid of one class."""
        row = self.index(name)
        return Centroid(self.sigmas, self.values[row], self.colours[row])

    def mixture(self, weights: Weights) -> Centroid:
        """The weighted mean of class centroids.

        Parameters
        ----------
        weights : mapping of class name to weight, or a function of sigma that returns one
            The weights at each noise level must be finite and sum to 1 (to 1e-3; then they are scaled to 1
            exactly); negative ones extrapolate. A function is asked at each noise level of the table; the
            colour is that of the highest.

        Raises
        ------
        KeyError
            If a class is unknown.
        ValueError
            If weights are missing, not finite, or do not sum to 1.
        """
        rows = []
        for s, sigma in enumerate(self.sigmas.tolist()):
            now = checked_weights(weights(sigma) if callable(weights) else weights)
            rows.append(_sum(w * self.values[self.index(name), s] for name, w in now.items()))
        colour = _sum(w * self.colours[self.index(name)] for name, w in now.items())
        return Centroid(self.sigmas, torch.stack(rows), colour)

    def distances(self, values: Tensor) -> Tensor:
        """How far feature vectors are from every class, in units of the typical spread within a class.

        Each feature is divided by its standard deviation within classes; the result is the root mean
        square over noise levels and features, so that 1 is a typical crop of the class itself.

        Parameters
        ----------
        values : Tensor of shape (S, F)

        Returns
        -------
        Tensor of shape (C,)
        """
        return ((self.values - values) / self.scales).square().mean(dim=(1, 2)).sqrt()

    def nearest(self, centroid: Centroid, n: int = 5) -> list[tuple[str, float]]:
        """The `n` classes nearest to a centroid on the same noise levels, with distances, nearest first."""
        distances = self.distances(centroid.values)
        order = distances.argsort()[:n].tolist()
        return [(self.classes[k], distances[k].item()) for k in order]


def mean_centroid(parts: Sequence[tuple[Centroid, float]]) -> Centroid:
    """The weighted mean of centroids on the same noise levels, whether of classes or not.

    Parameters
    ----------
    parts : sequence of (Centroid, weight)
        The weights are finite and sum to 1.
    """
    if not parts:
        raise ValueError("parts is empty; give at least one centroid")
    first = parts[0][0]
    if any(not torch.equal(c.sigmas, first.sigmas) for c, _ in parts):
        raise ValueError("parts: the centroids must share their noise levels")
    return Centroid(first.sigmas, _sum(w * c.values for c, w in parts), _sum(w * c.colour for c, w in parts))


def _sum(tensors: Iterable[Tensor]) -> Tensor:
    return sum(tensors, start=torch.zeros(()))


def coarse_fine(coarse: Mapping[str, float], fine: Mapping[str, float], switch: float) -> Weights:
    """Weights that take coarse structure from one mixture and fine detail from another.

    At noise levels above `switch` (in [-1, 1] units) the weights are `coarse`, at and below it `fine`.
    """
    if not (switch > 0 and math.isfinite(switch)):
        raise ValueError(f"switch={switch} must be a positive noise level")
    return lambda sigma: coarse if sigma > switch else fine


def checked_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """The weights as floats that sum to 1 exactly; `ValueError` if they are empty, not finite or sum to
    something else."""
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
    batch: int = 64,
    tileable: bool = False,
    read: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean and spread of the feature vectors of crops of one class, at each noise level.

    The crops are matched, layer by layer, to their own mean, as a sample will be that is guided to it.

    Parameters
    ----------
    x0 : Tensor of shape (N, 3, H, W)
        Clean crops in [-1, 1].
    sigmas : S noise levels
    seed : int
        Of the noise; the same at each noise level, so that features change smoothly from one to the next.
    batch : int
        Crops in a pass. Should N be larger, each pass is matched to its own mean.
    tileable : bool
        Whether the crops wrap round at their edges.
    read : Tensor of shape (S, C), optional
        What a network with foresight reads of the class at each level; by default that of the crops' mean
        features without guidance, which takes a second pass.

    Returns
    -------
    means, spreads : Tensors of shape (S, F)
        The spread is zero for a single crop.
    """
    device = next(denoiser.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    eps = torch.randn(x0.shape, generator=generator).to(device)
    x0 = x0.to(device)
    levels = [float(s) for s in sigmas]

    def measured(level: int, *, guided: bool) -> Tensor:
        """Features (N, F) of all crops."""
        phis = []
        for x in (x0 + levels[level] * eps).split(batch):
            peers = None
            if guided:
                weights = torch.full((len(x), len(x)), 1 / len(x), device=device)
                peers = PeerMatching(weights, None if read is None else read[level : level + 1])
            phis.append(denoiser.denoise(x, levels[level], peers, tileable=tileable)[1])
        return torch.cat(phis)

    if read is None and denoiser.target_embedding is not None:
        alone = [measured(level, guided=False).mean(dim=0) for level in range(len(levels))]
        own = denoiser.target_coordinates(torch.tensor(levels), torch.stack(alone)[None])
        read = None if own is None else own[0]
    means, spreads = [], []
    for level in range(len(levels)):
        phi = measured(level, guided=True)
        means.append(phi.mean(dim=0))
        spreads.append(phi.std(dim=0, correction=min(1, len(phi) - 1)))
    return torch.stack(means).cpu(), torch.stack(spreads).cpu()


def compute_table(
    denoiser: Denoiser,
    data,
    sigmas: Tensor,
    *,
    crops: int = 48,
    seed: int = 0,
    tileable: bool = False,
    read: Tensor | None = None,
    progress=None,
) -> CentroidTable:
    """The table of all classes of a `TextureFolder`, from `crops` training crops each.

    Parameters
    ----------
    read : Tensor of shape (C, S, C), optional
        What a network with foresight reads of each class, see `features_by_level`.
    progress : callable, optional
        Wraps the list of classes, as `tqdm` does.
    """
    means, spreads, colours = [], [], []
    for row, name in enumerate(progress(data.classes) if progress else data.classes):
        x0 = data.crops(name, crops, torch.Generator().manual_seed(seed))
        told = None if read is None else read[row]
        mean, spread = features_by_level(denoiser, x0, sigmas, seed=seed, tileable=tileable, read=told)
        means.append(mean)
        spreads.append(spread)
        colours.append(x0.mean(dim=(0, 2, 3)))
    parts = (torch.stack(part) for part in (means, spreads, colours))
    return CentroidTable(list(data.classes), sigmas.clone(), *parts)


def measure_standards(
    denoiser: Denoiser, data, *, crops: int = 12, seed: int = 0, tileable: bool = False, progress=None
) -> None:
    """Give a network that reads means in units of the classes' spread the units of its weights as they are.

    In training they follow weights that change from step to step; an average of those weights has others, and
    in units that were not its own a small network was seen to err by a sixth more.
    The parameters are those of `compute_table`; a network without such units is left alone.
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
