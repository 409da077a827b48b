"""Textures that are no classes of a checkpoint: their centroids, measured or learned from images."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial

import torch

from fgsd.calibration import Calibration
from fgsd.centroids import Centroid, CentroidTable, features_by_level
from fgsd.checkpoint import CheckpointInfo
from fgsd.data import to_images
from fgsd.learning import Gradient, learn_centroid
from fgsd.model.network import Denoiser
from fgsd.photograph_scale import load_at_scale
from fgsd.photographs import Images, Masks, Photograph, random_crops
from fgsd.steps import TextureStep
from fgsd.texture import Texture, check_texture_name, tensors_digest, thumbnail_of

CROPS = 16  # whose features make a centroid


class NewTextures:
    """The part of `Pipeline` that makes centroids of images."""

    network: Denoiser
    table: CentroidTable
    info: CheckpointInfo
    calibration: Calibration | None
    _gradient: Gradient | None

    @cached_property
    def network_digest(self) -> str:
        """Digits by which texture files name this network."""
        return tensors_digest(self.network)

    def centroid_of(
        self,
        images: Images,
        *,
        crops: int = CROPS,
        scale: float | None = None,
        masks: Masks = None,
        seed: int = 0,
        calibrated: bool = True,
    ) -> Centroid:
        """Measure the centroid of a texture, which need not be a class; `learn` finds a better one for those.

        `crops` is the number of random crops whose features are averaged, at least 1. With `calibrated`, and
        where the checkpoint has a calibration, they are corrected by it, see `fgsd.calibration`. `learn`
        documents the other parameters and the errors.
        """
        if crops < 1:
            raise ValueError(f"crops={crops} must be at least 1")
        return self._centroid(self._load(images, scale, masks, seed), crops, seed, calibrated=calibrated)

    def learn(
        self,
        images: Images,
        *,
        name: str = "texture",
        steps: int = 60,
        scale: float | None = None,
        masks: Masks = None,
        start: Centroid | None = None,
        seed: int = 0,
    ) -> Iterator[TextureStep]:
        """Learn a texture from its images, and yield what is learned after each step.

        The centroid is optimised for the denoising loss, see `fgsd.learning`; the network does not change. A
        caller may stop after any step and keep its texture, though the last steps are worth the most.

        Parameters
        ----------
        images : image or path, or a sequence of them
            Images of one texture.
        name : str
        steps : int
            At least 1.
        scale : float, optional
            The shorter side of an image is scaled to `scale` times that of the training images, so that a
            larger scale makes the structure coarser. Images are not enlarged. By default it is chosen, see
            `fgsd.photograph_scale`.
        masks : image, path or array, or a sequence with one or None per image, optional
            Which part of an image is the texture; see `fgsd.photographs.load_photographs`.
        start : Centroid, optional
            Where to begin; by default at what `centroid_of` gives.
        seed : int
            Of crops and noise.

        Raises
        ------
        ImageError
            If an image cannot be loaded, or is smaller than a training crop once it is scaled.
        ValueError
            If another argument is out of range, or the network has labels or a target embedding.
        FloatingPointError
            If the loss is not finite.

        Examples
        --------
        >>> pipe = Pipeline.from_pretrained("checkpoints/textures")
        >>> photograph = pipe.sample("lava", size=96)[0]  # or the path of a file
        >>> for step in pipe.learn(photograph, name="my lava", steps=2):
        ...     texture = step.texture
        >>> texture.save("my-lava.fgsd.safetensors")
        >>> images = pipe.sample(texture, n=2, steps=2)
        """
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ValueError(f"steps={steps!r} must be a whole number, at least 1")
        if self.network.config.labels or self.network.config.target_embedding:
            raise ValueError("a network with labels or a target embedding has no target for a new texture")
        name, photographs = check_texture_name(name), self._load(images, scale, masks, seed)
        picture = thumbnail_of(to_images(photographs[0].middle()[None])[0])
        start, digest = start or self._centroid(photographs, CROPS, seed), self.network_digest
        learning = partial(learn_centroid, self.network, gradient=self._gradient)
        return (
            TextureStep(one.index, steps, one.loss, one.seconds, Texture(name, one.centroid, picture, digest))
            for one in learning(photographs, start, self.table.scales, steps=steps, seed=seed)
        )

    def _load(self, images: Images, scale: float | None, masks: Masks, seed: int) -> list[Photograph]:
        network, table, config = self.network, self.table, self.info.data
        return load_at_scale(network, table, images, config, scale=scale, masks=masks, seed=seed)

    def _centroid(
        self, images: list[Photograph], crops: int, seed: int, *, calibrated: bool = True
    ) -> Centroid:
        """Average the features of random crops, and correct them."""
        x0 = random_crops(images, crops, torch.Generator().manual_seed(seed))
        means, _ = features_by_level(self.network, x0[None], self.table.sigmas, seed=seed)
        averaged = Centroid(self.table.sigmas, means[0], x0.mean(dim=(0, 2, 3)))
        if self.calibration is None or not calibrated:
            return averaged
        return self.calibration(averaged, self.table.scales)
