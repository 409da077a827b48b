"""Are samples copies? Distance to the nearest training crop, over every position in the training images.

The distance is the pixel RMSE. It is 0 for a copy; held-out real crops give the distance that occurs by
chance. A smooth image is nearer to all others than a sharp one, so a ratio slightly below 1 need not mean
copying. A ratio near 0 does, so the lowest one is reported with its class and sample number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fgsd.data import TextureFolder
from fgsd.evaluation.checks import bootstrap_interval, check

TARGET = 0.8  # share of the distance of held-out real crops
COPY = 0.25  # a sample with a ratio below this counts as a copy


def nearest_distances(x: Tensor, regions: Sequence[Tensor]) -> Tensor:
    """Pixel RMSE between images and the nearest crop of their size at any position of any region.

    Uses |a - b|^2 = |a|^2 - 2 a.b + |b|^2, where a.b over all positions is a correlation, computed by FFT.

    Parameters
    ----------
    x : Tensor of shape (N, 3, h, w)
    regions : Tensors of shape (3, H, W)
        Regions smaller than h x w are skipped.

    Returns
    -------
    Tensor of shape (N,), float64

    Raises
    ------
    ValueError
        If every region is too small.
    """
    height, width = x.shape[-2:]
    large = [r.double() for r in regions if r.shape[1] >= height and r.shape[2] >= width]
    if not large:
        raise ValueError(f"no region holds a crop of {height} x {width} pixels")
    x = x.double()
    norms, count = x.square().sum(dim=(1, 2, 3)), x[0].numel()
    best = torch.full((len(x),), torch.inf, dtype=torch.float64)
    for region in large:
        rows, columns = region.shape[1:]
        powers = F.avg_pool2d(region.square().sum(0)[None, None], (height, width), stride=1)[0, 0]
        spectrum = torch.fft.rfft2(region)
        for part in torch.arange(len(x)).split(16):
            cross = (torch.fft.rfft2(x[part], s=(rows, columns)).conj() * spectrum).sum(dim=1)
            dots = torch.fft.irfft2(cross, s=(rows, columns))
            # The FFT correlates circularly; positions where the crop fits do not wrap round.
            dots = dots[:, : rows - height + 1, : columns - width + 1]
            squared = norms[part, None, None] - 2 * dots + powers * (height * width)
            best[part] = torch.minimum(best[part], squared.amin(dim=(1, 2)))
    return (best.clamp(min=0) / count).sqrt()


def measure_memorisation(
    data: TextureFolder,
    classes: Sequence[str],
    samples: Tensor,
    held_out: Tensor,
    *,
    seed: int = 0,
    progress=None,
) -> dict:
    """Distance of samples to the nearest training crop, relative to that of held-out real crops.

    Parameters
    ----------
    samples, held_out : Tensors of shape (C, n, 3, H, W)
    seed : int
        Seed of the bootstrap.
    progress : callable, optional
        Wraps the loop over classes; called like `tqdm`: `progress(items, desc=...)`.
    """
    ratios, distances, real = [], [], []
    numbers = range(len(classes))
    for c in progress(numbers, desc="distances to training crops") if progress else numbers:
        regions = data.regions(classes[c], "train")
        of_real = nearest_distances(held_out[c], regions)
        of_samples = nearest_distances(samples[c], regions)
        typical = float(np.median(of_real.numpy()))
        ratios.append(of_samples.numpy() / max(typical, 1e-9))
        distances.append(float(np.median(of_samples.numpy())))
        real.append(typical)
    table = np.stack(ratios)  # (C, n)
    row, column = (int(k) for k in np.unravel_index(table.argmin(), table.shape))
    return {
        "distance": float(np.median(distances)),
        "distance_held_out": float(np.median(real)),
        "per_class": {c: float(np.median(r)) for c, r in zip(classes, ratios, strict=True)},
        "copies": float((table < COPY).mean()),  # share of the samples
        "lowest": {"class": classes[row], "sample": column, "ratio": float(table[row, column])},
        "checks": [
            check(
                "distance to nearest training crop / of held-out crops",
                float(np.median(table)),
                at_least=TARGET,
                interval=bootstrap_interval(lambda rows: np.median(table[rows]), len(table), seed=seed),
            )
        ],
    }
