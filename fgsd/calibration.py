"""Calibration: from the mean features of an image to the centroid that learning would find, without learning.

Mean features of a texture that the network was not trained on lie beside its learned centroid, and in part
always to the same side. Ridge regression over many textures, for which both are known, predicts the rest of
the way: one product of matrices in place of seconds of optimisation, and a better start for these.
`fgsd.training.calibration` measures the pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from fgsd.centroids import Centroid

RANK = 64  # directions of the features that are kept
RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # relative to the mean square of the inputs
FOLDS = 10  # of the cross-validation that chooses among them
MIN_PAIRS = 20


@dataclass(frozen=True)
class Calibration:
    """A linear map of centroids, of low rank: features at all noise levels together.

    Parameters
    ----------
    centre : Tensor of shape (S, F)
        Mean of the averaged centroids that it was fitted to; like all that follows in spreads of a feature
        within a class, see `CentroidTable`.
    shift : Tensor of shape (S, F)
        Mean of the way from averaged to learned centroids.
    inputs : Tensor of shape (R, S, F)
        Directions, of length 1, along which centroids are measured.
    outputs : Tensor of shape (R, S, F)
        Ways that a unit along each direction adds.
    bounds : Tensor of shape (2, R)
        Least and largest place along each direction among those that it was fitted to. Others are limited to
        them: a line says nothing about what is far from its data.

    Raises
    ------
    ValueError
        If shapes do not match.
    """

    centre: Tensor
    shift: Tensor
    inputs: Tensor
    outputs: Tensor
    bounds: Tensor

    def __post_init__(self) -> None:
        levels, rank = tuple(self.centre.shape), len(self.inputs)
        expected = {
            "shift": levels,
            "inputs": (rank, *levels),
            "outputs": (rank, *levels),
            "bounds": (2, rank),
        }
        for name, shape in expected.items():
            if tuple(found := getattr(self, name).shape) != shape:
                raise ValueError(f"{name} has shape {tuple(found)}, expected {shape}")

    def __call__(self, averaged: Centroid, scales: Tensor) -> Centroid:
        """Return the centroid that learning is expected to find.

        Parameters
        ----------
        averaged : Centroid
            Mean features of crops, at the noise levels of the centroids that it was fitted to.
        scales : Tensor of shape (S, F)
            Those of the `CentroidTable`.
        """
        values = averaged.values.to(self.centre)
        places = torch.einsum("sf,rsf->r", values / scales - self.centre, self.inputs)
        places = places.clamp(*self.bounds)
        way = self.shift + torch.einsum("r,rsf->sf", places, self.outputs)
        return replace(averaged, values=(values + scales * way).to(averaged.values))

    def tensors(self) -> dict[str, Tensor]:
        """Return what is stored."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Calibration:
        """Build a calibration from its stored tensors."""
        return cls(**{field.name: tensors[field.name] for field in fields(cls)})


def check_count(textures: int) -> None:
    """Raise `ValueError` if there are fewer textures than a calibration needs, `MIN_PAIRS`."""
    if textures < MIN_PAIRS:
        raise ValueError(f"{textures} textures: a calibration needs at least {MIN_PAIRS}")


def fit_calibration(
    averaged: Tensor, learned: Tensor, scales: Tensor, *, seed: int = 0
) -> tuple[Calibration, float]:
    """Fit a calibration to textures whose averaged and learned centroids are known.

    Parameters
    ----------
    averaged, learned : Tensor of shape (N, S, F)
        Of N textures, at least `MIN_PAIRS`.
    scales : Tensor of shape (S, F)
        Those of the `CentroidTable`.
    seed : int
        Of the parts of the cross-validation that chooses the ridge.

    Returns
    -------
    calibration : Calibration
    explained : float
        Share of the squared way from averaged to learned centroids that it predicts for textures that it was
        not fitted to: 1 is all, 0 is none; below 0 it is better not used.

    Raises
    ------
    ValueError
        If there are too few textures.
    """
    check_count(count := len(averaged))
    x, way = (averaged / scales).double(), ((learned - averaged) / scales).double()
    parts = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).chunk(FOLDS)
    explained = {ridge: _explained(x.flatten(1), way.flatten(1), parts, ridge) for ridge in RIDGES}
    ridge = max(explained, key=lambda key: explained[key])
    centre, shift = x.mean(dim=0), way.mean(dim=0)
    inputs, outputs = _regression(x.flatten(1), way.flatten(1), ridge)
    places = (x - centre).flatten(1) @ inputs.T
    bounds = torch.stack([places.amin(dim=0), places.amax(dim=0)])
    shape = (len(inputs), *centre.shape)
    fitted = (centre, shift, inputs.view(shape), outputs.view(shape), bounds)
    return Calibration(*(tensor.float() for tensor in fitted)), explained[ridge]


def _regression(x: Tensor, way: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Return directions (R, D) of length 1 and ways (R, D): ridge regression of rank R of rows (N, D)."""
    centred = x - x.mean(dim=0)
    gram = centred @ centred.T  # (N, N), much smaller than (D, D)
    unit = gram.diagonal().mean().clamp(min=1e-12)
    eye = torch.eye(len(gram), dtype=gram.dtype)
    dual = torch.linalg.solve(gram / unit + ridge * eye, way - way.mean(dim=0)) / unit  # (N, D)
    # the principal directions of the fitted ways; rows are fewer than columns
    fitted = gram @ dual
    squares, vectors = torch.linalg.eigh(fitted @ fitted.T)  # rising
    kept = squares > 1e-9 * squares[-1]
    kept[:-RANK] = False
    directions = (vectors[:, kept] / squares[kept].sqrt()).T @ fitted  # (R, D)
    inputs = (dual @ directions.T).T @ centred  # (R, D)
    lengths = inputs.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return inputs / lengths, directions * lengths


def _explained(x: Tensor, way: Tensor, parts: tuple[Tensor, ...], ridge: float) -> float:
    """Return the share of the squared ways that is predicted for rows left out, a part at a time."""
    left, total = 0.0, 0.0
    for part in parts:
        kept = torch.ones(len(x), dtype=torch.bool)
        kept[part] = False
        inputs, outputs = _regression(x[kept], way[kept], ridge)
        places = (x[part] - x[kept].mean(dim=0)) @ inputs.T
        predicted = way[kept].mean(dim=0) + places @ outputs
        left += (way[part] - predicted).square().sum().item()
        total += way[part].square().sum().item()
    return 1 - left / max(total, 1e-12)
