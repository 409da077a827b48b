"""Random transforms of training crops.

All crops of a group get one transform, so that they still are crops of one texture: a texture that training
has not seen. With many of them the network cannot know its classes by heart, and learns to use the features.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

KINDS = ("scales", "turns", "colours")


@dataclass(frozen=True)
class Augmentation:
    """Which random transforms a group of crops gets.

    Raises
    ------
    ValueError
        If a share is not between 0 and 1, if the scales are not positive and in order, or if a standard
        deviation is negative.
    """

    share: float = 0.75  # fraction of the groups that are transformed; the others stay as they are
    scales: tuple[float, float] = (0.75, 1.5)  # range of a magnification, uniform in its logarithm
    symmetries: bool = True  # mirror, and turn by multiples of 90 degrees
    # fraction of all groups whose colours c (values in [-1, 1]) become M c + b, where M is the identity plus
    # noise, and b is noise. With 0.35, samples of unseen textures had 9 % too much fine chroma; after further
    # training with 0.2, 3 %
    colour_share: float = 0.2
    matrix_std: float = 0.1  # standard deviation of the noise of M
    offset_std: float = 0.1  # standard deviation of b

    def __post_init__(self) -> None:
        for name in ("share", "colour_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)} must be between 0 and 1")
        if not 0 < self.scales[0] <= self.scales[1]:
            raise ValueError(f"scales={self.scales} must be positive, the smaller one first")
        for name in ("matrix_std", "offset_std"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}={getattr(self, name)} must not be negative")

    @classmethod
    def of(cls, kinds: Collection[str]) -> Augmentation:
        """Return the transforms of some kinds alone, out of `KINDS`; the others are left out.

        Raises
        ------
        ValueError
            If a kind is none of them.
        """
        if unknown := sorted(set(kinds) - set(KINDS)):
            raise ValueError(f"kinds={unknown} must be some of {', '.join(KINDS)}")
        everything = cls()
        return cls(
            scales=everything.scales if "scales" in kinds else (1.0, 1.0),
            symmetries="turns" in kinds,
            colour_share=everything.colour_share if "colours" in kinds else 0.0,
        )

    def draw(self, generator: torch.Generator) -> Transform:
        """Draw a transform; the same state of the generator gives the same one."""
        transformed, coloured, position = torch.rand(3, generator=generator).tolist()
        symmetry = int(torch.randint(8, (1,), generator=generator))
        noise = torch.randn(3, 4, generator=generator)
        low, high = map(math.log, self.scales)
        return Transform(
            scale=math.exp(low + (high - low) * position) if transformed < self.share else 1.0,
            symmetry=symmetry if self.symmetries and transformed < self.share else 0,
            matrix=torch.eye(3) + self.matrix_std * noise[:, :3] if coloured < self.colour_share else None,
            offset=self.offset_std * noise[:, 3],
        )

    def largest_crop(self, size: int) -> int:
        """Return the side, in pixels, of the largest crop that becomes one of `size`."""
        return max(size, math.ceil(size / self.scales[0]))


@dataclass(frozen=True)
class Transform:
    """One transform of crops.

    Parameters
    ----------
    scale : float
        Magnification: above 1, the texture becomes coarser.
    symmetry : int
        Below 8: twice the number of quarter turns, plus 1 to mirror.
    matrix : Tensor of shape (3, 3) or None
        Of the colours; None leaves them.
    offset : Tensor of shape (3,)
        Added to the colours that a matrix has changed.
    """

    scale: float
    symmetry: int
    matrix: Tensor | None
    offset: Tensor

    def source_size(self, size: int) -> int:
        """Return the side, in pixels, of the crops that become crops of `size`."""
        return max(1, round(size / self.scale))

    def apply(self, crops: Tensor, size: int) -> Tensor:
        """Transform crops (B, 3, H, H) in [-1, 1] into crops (B, 3, size, size) in [-1, 1]."""
        if self.symmetry % 2:
            crops = crops.flip(3)
        crops = crops.rot90(self.symmetry // 2, (2, 3))
        if crops.shape[-1] != size:
            crops = interpolate(crops, size=(size, size), mode="bicubic", antialias=True)
        if self.matrix is not None:
            matrix, offset = self.matrix.to(crops), self.offset.to(crops)
            crops = torch.einsum("ij,bjhw->bihw", matrix, crops) + offset[:, None, None]
        return crops.clamp(-1, 1)
