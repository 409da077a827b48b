"""Are samples copies? Distance to the nearest training crop, over every position in the training images.

The distance is the pixel RMSE. A copy is at 0; a held-out real crop shows how near one comes by chance. A
smooth image comes nearer to everything than a sharp one, so a ratio a little under 1 need not mean copying;
one near 0 does, which is why the lowest is reported with its class and number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fgsd.data import TextureFolder
from fgsd.evaluation.checks import bootstrap_interval, check

TARGET = 0.8  # of the distance of held-out real crops
COPY = 0.25  # a ratio below this is called a copy


def nearest_distances(x: Tensor, regions: Sequence[Tensor]) -> Tensor:
    """Pixel RMSE of images to the nearest crop of their size at any position of any region.

    |a - b|^2 = |a|^2 - 2 a.b + |b|^2, where a.b over all positions is a correlation, by FFT.

    Parameters
    ----------
    x : Tensor of shape (N, 3, h, w)
    regions : Tensors of shape (3, H, W)
        Regions smaller than a crop are passed over; at least one must not be.

    Returns
    -------
    Tensor of shape (N,), float64
    """
    height, width = x.shape[-2:]
    large = [r.double() for r in regions if r.shape[1] >= height and r.shape[2] >= width]
    if not large:
        raise ValueError(f"no region holds a crop of {height} x {width} pixels")
    x = x.double()
    own, count = x.square().sum(dim=(1, 2, 3)), x[0].numel()
    best = torch.full((len(x),), torch.inf, dtype=torch.float64)
    for region in large:
        rows, columns = region.shape[1:]
        powers = F.avg_pool2d(region.square().sum(0)[None, None], (height, width), stride=1)[0, 0]
        spectrum = torch.fft.rfft2(region)
        for part in torch.arange(len(x)).split(16):
            cross = (torch.fft.rfft2(x[part], s=(rows, columns)).conj() * spectrum).sum(dim=1)
            dots = torch.fft.irfft2(cross, s=(rows, columns))
            # the transform wraps round; positions at which the crop fits are free of that
            dots = dots[:, : rows - height + 1, : columns - width + 1]
            squared = own[part, None, None] - 2 * dots + powers * (height * width)
            best[part] = torch.minimum(best[part], squared.amin(dim=(1, 2)))
    return (best.clamp(min=0) / count).sqrt()


def copying(
    data: TextureFolder,
    classes: Sequence[str],
    samples: Tensor,
    held_out: Tensor,
    *,
    seed: int = 0,
    progress=None,
) -> dict:
    """Distance of samples to their nearest training crop, in units of that of held-out real crops.

    Parameters
    ----------
    samples, held_out : Tensors of shape (C, n, 3, H, W)
    progress : callable, optional
        Wraps the class numbers, called as `tqdm` is: `progress(items, desc=...)`.
    """
    ratios, mine, real = [], [], []
    numbers = range(len(classes))
    for c in progress(numbers, desc="distances to training crops") if progress else numbers:
        regions = data.regions(classes[c], "train")
        of_real = nearest_distances(held_out[c], regions)
        of_samples = nearest_distances(samples[c], regions)
        usual = float(np.median(of_real.numpy()))
        ratios.append(of_samples.numpy() / max(usual, 1e-9))
        mine.append(float(np.median(of_samples.numpy())))
        real.append(usual)
    table = np.stack(ratios)  # (C, n)
    row, column = (int(k) for k in np.unravel_index(table.argmin(), table.shape))
    return {
        "distance": float(np.median(mine)),
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
