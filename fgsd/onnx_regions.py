"""The guided network with regions as an ONNX graph: another target in each region of an image, for a browser.

The context, the means and all that follows from them are rows, one for each region of each image. They meet
the pixels in two places: the means of a region are weighted by its mask, and what a layer does at a pixel is
blended by the masks.
"""

from __future__ import annotations

import numpy as np
import torch

from fgsd.model.matching import MAX_RAISED, MIN_RAISED
from fgsd.model.network import Denoiser
from fgsd.onnx_graph import Graph, check_network

TINY = 1e-6  # as in `fgsd.model.matching`


def has_regions(network: Denoiser) -> bool:
    """Whether regions of an image can have targets of their own, see `Denoiser.denoise`."""
    return bool(network.config.features) and not network.config.gated


def regions_graph(
    network: Denoiser, dtype: torch.dtype, *, tileable: bool = False, wraps: bool = True
) -> bytes:
    """Return `denoised, phi` as a function of `x`, `sigma`, `centroid`, `strength` and `masks`.

    It is `Denoiser.denoise` with a `RegionMatching`, for any batch, size and number R of regions: `x`
    (B, 3, H, W), `sigma` (B,), `centroid` (B, R, F), `strength` (B, 1), `masks` (1 or B, R, H, W), whose sum
    over the regions is 1 at each pixel; `denoised` (B, 3, H, W), `phi` (B, R, F), all float32. Its weights
    are those of `network_graph`.

    Parameters
    ----------
    network, dtype, tileable, wraps :
        See `network_graph`.

    Raises
    ------
    ValueError
        If the network has other conditions than its target, see `check_network`, or no regions.
    """
    check_network(network)
    if not has_regions(network):
        config = network.config
        raise ValueError(
            f"gated={config.gated}, features={config.features}: regions need a network with features and "
            "without further gates"
        )
    return _RegionsGraph(network, dtype, tileable=tileable, wraps=wraps).model()


class _RegionsGraph(Graph):
    """Rows are those of the regions, B R of them, one image after the other."""

    def __init__(self, network: Denoiser, dtype: torch.dtype, *, tileable: bool, wraps: bool) -> None:
        super().__init__(network, dtype, tileable=tileable, wraps=wraps)
        self.pooled: dict[int, tuple[str, str]] = {}  # by factor, see `_masks`
        self.shape = self.add("Shape", ["centroid"], start=0, end=2)  # B, R
        self.targets = (
            self.add("Reshape", ["centroid", self._sides(-1, network.config.dimension)]),
            self.rows("strength", 1),
        )

    def shapes(self) -> tuple[dict[str, list], dict[str, list]]:
        inputs, outputs = super().shapes()
        several = ["B", "R", self.network.config.dimension]
        inputs |= {"centroid": several, "masks": ["M", "R", "H", "W"]}
        return inputs, outputs | {"phi": several}

    def _sides(self, *sides: int) -> str:
        """A shape for Reshape, where 0 is a side as it was."""
        return self.constant(sides, np.int64)

    def _of_images(self, rows: str) -> str:
        """(B, R, C) of rows (B R, C)."""
        return self.add("Reshape", [rows, self.add("Concat", [self.shape, self._sides(-1)], axis=0)])

    # ---- the masks ----

    def _masks(self) -> tuple[str, str]:
        """Masks (1 or B, R, h w) at the resolution of the level, and the shape of an activation there."""
        if self.factor not in self.pooled:
            pooled = self._pooled(self.factor)
            shape = self.add("Concat", [self._sides(0, 0), self.add("Shape", [pooled], start=2)], axis=0)
            self.pooled[self.factor] = self.add("Reshape", [pooled, self._sides(0, 0, -1)]), shape
        return self.pooled[self.factor]

    def _pooled(self, factor: int) -> str:
        """As `pooled_masks` of `fgsd.model.matching`, where no region may be small too."""
        pixels, regions, zero = self._sides(2, 3), self._sides(1), self.constant(0.0)
        pooled = self.add("AveragePool", ["masks"], kernel_shape=[factor] * 2, strides=[factor] * 2)
        peak = self.add("ReduceMax", ["masks", pixels], keepdims=1)
        highest = self.add("ReduceMax", [pooled, pixels], keepdims=1)
        gain = self.op("Div", peak, self.add("Max", [highest, self.constant(TINY)]))
        gain = self.add("Min", [gain, self.constant(MAX_RAISED)])
        is_small = self.add("Greater", [gain, self.constant(MIN_RAISED)])
        small = self.add("Where", [is_small, self.op("Mul", pooled, gain), zero])
        total = self.add("ReduceSum", [small, regions], keepdims=1)
        small = self.op("Div", small, self.add("Max", [total, self.constant(1.0)]))
        others = self.add("Where", [is_small, zero, pooled])
        total = self.add("ReduceSum", [others, regions], keepdims=1)
        others = self.op("Div", others, self.add("Max", [total, self.constant(TINY)]))
        rest = self.op("Sub", self.constant(1.0), self.add("ReduceSum", [small, regions], keepdims=1))
        return self.op("Add", small, self.op("Mul", others, rest))

    # ---- what differs from the graph of one target ----

    def target(self) -> tuple[str, str]:
        return self.targets

    def rows(self, value: str, width: int) -> str:
        whole = self.add("Concat", [self.shape, self._sides(width)], axis=0)
        expanded = self.add("Expand", [self.add("Unsqueeze", [value, self._sides(1)]), whole])
        return self.add("Reshape", [expanded, self._sides(-1, width)])

    def means(self, a: str) -> str:
        """As `region_means` of `fgsd.model.matching`."""
        masks, _ = self._masks()
        pixels = self.add("Transpose", [self.add("Reshape", [a, self._sides(0, 0, -1)])], perm=[0, 2, 1])
        sizes = self.add("ReduceSum", [masks, self._sides(2)], keepdims=1)
        weighted = self.add("MatMul", [masks, pixels])
        means = self.op("Div", weighted, self.add("Max", [sizes, self.constant(TINY)]))
        whole = self.add("ReduceMean", [pixels, self._sides(1)], keepdims=1)
        has_pixels = self.add("Greater", [sizes, self.constant(TINY)])
        means = self.add("Where", [has_pixels, means, whole])
        return self.add("Flatten", [means], axis=2)

    def over_pixels(self, value: str) -> str:
        masks, shape = self._masks()
        channels = self.add("Transpose", [self._of_images(value)], perm=[0, 2, 1])
        return self.add("Reshape", [self.add("MatMul", [channels, masks]), shape])

    def all_means(self, phi: list[str]) -> str:
        return self.add("Identity", [self._of_images(self.add("Concat", phi, axis=1))], "phi")
