"""Are tileable samples continuous across the border?

A network with circular padding treats all positions alike (up to its coarsest grid). The jump from the last
column to the first then has the same distribution as the jumps inside: for an ideal tile, its ratio to the
median inner jump scatters around 1, and half of the tiles are at or below 1. The check therefore uses the
median ratio over many tiles and passes unless the whole 95 % interval is above 1. A sample that does not tile
has a ratio of several times 1.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from fgsd.evaluation.checks import bootstrap_interval, check

TARGET = 1.0


def seam_ratios(x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Ratio of the jump across the border to the median jump between inner neighbours.

    A jump is the mean absolute difference of two neighbouring rows or columns.

    Parameters
    ----------
    x : Tensor of shape (N, 3, H, W), H and W at least 3

    Returns
    -------
    rows, columns : arrays of shape (N,)
        Ratios of the jump from the last row to the first, and from the last column to the first.

    Raises
    ------
    ValueError
        If the images are smaller than 3 x 3 pixels.
    """
    if min(x.shape[-2:]) < 3:
        raise ValueError(f"images of {tuple(x.shape[-2:])} pixels have no inner neighbours; at least 3 x 3")
    return _ratio(x), _ratio(x.transpose(2, 3))


def _ratio(x: Tensor) -> np.ndarray:
    inner = (x[:, :, 1:] - x[:, :, :-1]).abs().mean(dim=(1, 3)).numpy()  # (N, H - 1)
    border = (x[:, :, 0] - x[:, :, -1]).abs().mean(dim=(1, 2)).numpy()  # (N,)
    tiny = 1e-6  # gives a flat image, which has no jumps, the ratio 1
    return (border + tiny) / (np.median(inner, axis=1) + tiny)


def measure_seams(tiles: Tensor, *, seed: int = 0) -> dict:
    """Measure border jumps of tileable samples (N, 3, H, W); `seed` is that of the bootstrap."""
    both = np.stack(seam_ratios(tiles), axis=1)  # (N, 2)
    low, high = bootstrap_interval(lambda rows: np.median(both[rows]), len(both), seed=seed)
    median = float(np.median(both))
    figure = check(
        "border jump / median inner jump, to sampling error", median, at_most=TARGET, interval=(low, high)
    )
    figure["passed"] = bool(low <= TARGET)
    return {
        "tiles": len(both),
        "rows": float(np.median(both[:, 0])),
        "columns": float(np.median(both[:, 1])),
        "largest": float(both.max()),
        "share_at_or_below": float((both <= TARGET).mean()),  # an ideal tile: 0.5
        "checks": [figure],
    }
