"""Paint: another target in each region of an image, in one pass of the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from fgsd.centroids import Centroid
from fgsd.masks import Mask
from fgsd.regions import FEATHER, Regions, region_masks
from fgsd.steps import PipelineStep

if TYPE_CHECKING:
    from collections.abc import Callable

    from fgsd.pipeline import Target

RegionTargets = Mapping[str, Mask | None] | Sequence[tuple["Target", Mask | None]]


class Painting:
    """The part of `Pipeline` that paints."""

    if TYPE_CHECKING:  # what `Pipeline` has
        centroid: Callable[[Target], Centroid | None]
        stream: Callable[..., Iterator[PipelineStep]]
        sample: Callable[..., list[Image.Image]]

    def regions(
        self,
        regions: RegionTargets,
        *,
        size: tuple[int, int] | None = None,
        feather: float = FEATHER,
        tileable: bool = False,
    ) -> Regions:
        """Make a target of regions for `Pipeline.stream` and `Pipeline.sample`.

        Parameters
        ----------
        regions : mapping of class name to mask, or sequence of (target, mask)
            `Pipeline.centroid` documents targets, of which none may be None; `fgsd.regions.region_masks`
            documents masks, of which one may be None: it takes the pixels that no other covers.
        size : (height, width), optional
            In pixels; by default that of the masks.
        feather : float
            Standard deviation, in pixels, of the Gaussian that softens the edges of the regions.
        tileable : bool
            Whether they are softened across the edge of the image.

        Raises
        ------
        KeyError, TypeError, ValueError
            If a target is unknown or None, or masks are empty, of other sizes, or leave pixels without any.
        """
        pairs = list(regions.items()) if isinstance(regions, Mapping) else list(regions)
        centroids: list[Centroid] = []
        for target, _ in pairs:
            centroid = self.centroid(target)
            if centroid is None:
                raise ValueError("regions: a region needs a target; None (unguided) is none")
            centroids.append(centroid)
        masks = region_masks([mask for _, mask in pairs], size=size, feather=feather, tileable=tileable)
        return Regions(masks, tuple(centroids))

    def paint_stream(
        self,
        regions: RegionTargets,
        *,
        size: tuple[int, int] | None = None,
        feather: float = FEATHER,
        tileable: bool = False,
        **options: Any,
    ) -> Iterator[PipelineStep]:
        """Paint, and yield each step, with the distance of each region to its own target.

        `regions` documents the first parameters, and `Pipeline.stream` the options and the records.
        """
        target = self.regions(regions, size=size, feather=feather, tileable=tileable)
        return self.stream(target, size=target.size, tileable=tileable, **options)

    def paint(
        self,
        regions: RegionTargets,
        *,
        size: tuple[int, int] | None = None,
        feather: float = FEATHER,
        tileable: bool = False,
        **options: Any,
    ) -> list[Image.Image]:
        """Paint images that have another target in each region.

        `regions` documents the first parameters, and `Pipeline.sample` the options. With one region these
        are the images of `sample`.

        Examples
        --------
        >>> import numpy as np
        >>> from fgsd import Pipeline
        >>> from fgsd.regions import linear_gradient
        >>> pipe = Pipeline.from_pretrained("checkpoints/textures")
        >>> lake = np.hypot(*np.mgrid[-32:32, -32:32]) < 20
        >>> [image] = pipe.paint({"deep-water": lake, "grass": None}, seed=0)
        >>> masks = linear_gradient(2, (64, 128))
        >>> [image] = pipe.paint(list(zip(["cobblestone", "lava"], masks)), feather=0, steps=8)
        """
        target = self.regions(regions, size=size, feather=feather, tileable=tileable)
        return self.sample(target, size=target.size, tileable=tileable, **options)
