"""Soft edges of regions: masks are blurred, small spots less than wide areas, which they would vanish in."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

# standard deviation of the blur at most, as a share of the radius of the largest disc in a spot. Blurred over
# 6 pixels, the mask of a disc of radius 6 would be 0.4 at its middle, and it would be sampled as a mixture
FEATHER_SHARE = 0.15
# pixels: connected areas without a disc of this radius are no spots but dots of a stippled gradient, whose
# blur is what makes it fade
SPOT_RADIUS = 2.0
# spots whose radii differ by less than this factor are blurred together, so that hundreds cost what few do
SPOT_RATIO = math.sqrt(2)


def softened(masks: Tensor, feather: float, *, wraps: bool) -> Tensor:
    """Blur masks, and lay spots over wide areas.

    Parameters
    ----------
    masks : Tensor of shape (R, H, W)
        Not negative; their sum over the regions is 1 at each pixel.
    feather : float
        Standard deviation of the Gaussian in pixels, above 0. A connected area of a mask in which the largest
        disc has a radius below `feather / FEATHER_SHARE` has `FEATHER_SHARE` of that radius, if no pixels are
        shared.
    wraps : bool
        Whether masks continue at the opposite edge; if not, they go on as they are at the edge.

    Returns
    -------
    Tensor of shape (R, H, W), whose sum over the regions is 1 up to rounding
    """
    wide = masks
    spots: list[tuple[float, int, Tensor]] = []
    if not bool(((masks > 0) & (masks < 1)).any()):
        wide, spots = _areas(masks, feather, wraps)
    blurred = _blurred(wide, feather, wraps)
    soft = blurred / blurred.sum(dim=0).clamp(min=1e-6)
    for limit, region, spot in sorted(spots, key=lambda found: -found[0]):
        over = _blurred(spot[None], limit, wraps)[0]
        soft *= 1 - over
        soft[region] += over
    return soft


def _areas(masks: Tensor, feather: float, wraps: bool) -> tuple[Tensor, list[tuple[float, int, Tensor]]]:
    """Divide masks (R, H, W) of 0 and 1 into wide areas (R, H, W) and spots.

    A spot is (standard deviation of its blur, region, mask (H, W)). At least one region has a wide area.
    """
    margin = math.ceil(feather / FEATHER_SHARE) if wraps else 0
    radii = np.stack([_inner_radii(mask.numpy() > 0.5, margin) for mask in masks])  # (R, H, W)
    largest = radii.max(axis=(1, 2))
    # dots of a region that has spots only are blurred as its largest spot
    radii = np.where((radii > 0) & (radii < SPOT_RADIUS), largest[:, None, None], radii)
    is_spot = (radii > 0) & (FEATHER_SHARE * radii < feather)
    if not (masks.bool().numpy() & ~is_spot).any():
        is_spot[largest.argmax()] = False
    spots = []
    for region, (mask, found) in enumerate(zip(is_spot, radii, strict=True)):
        remaining = np.where(mask, found, 0.0)
        while (radius := remaining.max()) > 0:
            together = remaining > radius / SPOT_RATIO
            spots.append((FEATHER_SHARE * float(radius), region, torch.from_numpy(together).to(masks)))
            remaining[together] = 0
    return masks * torch.from_numpy(~is_spot).to(masks), spots


def _inner_radii(inside: np.ndarray, margin: int) -> np.ndarray:
    """Return the radius of the largest disc in the connected area of each pixel of a mask (H, W), in pixels.

    It is 0 outside of the mask. Beyond the edge the mask wraps round within `margin` pixels, and then it goes
    on as it is there.
    """
    from scipy.ndimage import distance_transform_edt, label, maximum

    if inside.all():
        return np.full(inside.shape, math.inf)
    height, width = inside.shape
    inside = np.pad(inside, margin, mode="wrap")
    areas, count = label(inside, structure=np.ones((3, 3)))
    distance = distance_transform_edt(inside)
    radii = np.concatenate([[0.0], np.atleast_1d(maximum(distance, areas, np.arange(1, count + 1)))])
    return radii[areas][margin : margin + height, margin : margin + width]


def _blurred(masks: Tensor, std: float, wraps: bool) -> Tensor:
    """Blur masks (R, H, W) by a Gaussian; beyond the edge they continue as they are there, or wrap round."""
    radius = max(1, math.ceil(3 * std))
    kernel = torch.exp(-(torch.arange(-radius, radius + 1.0) ** 2) / (2 * std**2))
    kernel = (kernel / kernel.sum())[None, None]
    for _ in range(2):  # rows, then columns
        rows, (height, width) = masks.flatten(0, 1)[:, None], masks.shape[-2:]
        if wraps:
            index = torch.arange(-radius, width + radius) % width
            padded = rows[..., index]
        else:
            padded = pad(rows, (radius, radius), mode="replicate")
        masks = conv1d(padded, kernel).reshape(len(masks), height, width).transpose(1, 2)
    return masks.contiguous()
