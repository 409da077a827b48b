"""The pipeline: load a checkpoint, sample from it, save it, upload it."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from fgsd.calibration import Calibration
from fgsd.card import model_card
from fgsd.centroids import Centroid, CentroidTable, Weights
from fgsd.checkpoint import Checkpoint, CheckpointInfo, load_checkpoint, save_checkpoint
from fgsd.class_spacing import class_spacing
from fgsd.device import best_device
from fgsd.engines import Engines
from fgsd.feature_map import FeatureMap
from fgsd.guidance import Evaluate, GuidedDenoiser
from fgsd.hub import download_checkpoint, upload_checkpoint
from fgsd.learning import Gradient
from fgsd.levels import interpolate
from fgsd.model.network import PASS_PIXELS, Denoiser, check_size
from fgsd.new_textures import NewTextures
from fgsd.painting import Painting
from fgsd.regions import Regions, check_side
from fgsd.sampling import (
    SAMPLERS,
    ImageNoise,
    centre_corner,
    check_seeds,
    height_width,
    karras_schedule,
)
from fgsd.shipped import resolve_shipped
from fgsd.steps import PipelineStep
from fgsd.student import SAMPLER as DISTILLED
from fgsd.student import Student
from fgsd.texture import Texture

Target = str | Weights | Centroid | Texture | None


class Pipeline(NewTextures, Painting):
    """A trained denoiser with the centroids of its classes.

    Parameters
    ----------
    network : Denoiser
    table : CentroidTable
        Measured with this network.
    info : CheckpointInfo
    device : str, optional
        "cpu", "cuda" or "mps"; by default the best available, see `fgsd.device.best_device`.
    map : FeatureMap, optional
        By default the map of the table, without crops.
    student : Student, optional
        A network distilled from this one; the sampler "distilled" needs it.
    families : mapping of str to str, optional
        The family of each class that has one, such as {"lava": "lava", "cobblestone": "paving and tiles"}.

    calibration : Calibration, optional
        What `centroid_of` adds to mean features; without it, nothing.

    Examples
    --------
    >>> pipe = Pipeline.from_pretrained("checkpoints/textures")
    >>> images = pipe.sample("lava", n=4, steps=16, size=64, seed=0)
    >>> images = pipe.sample({"lava": 0.5, "glacier": 0.5}, n=4, seed=0)
    >>> for step in pipe.stream("lava", n=4, steps=16, seed=0):
    ...     step.denoised[0].save(f"{step.index}.png")
    """

    def __init__(
        self,
        network: Denoiser,
        table: CentroidTable,
        info: CheckpointInfo,
        device: str | None = None,
        *,
        map: FeatureMap | None = None,
        student: Student | None = None,
        families: Mapping[str, str] | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self.device = torch.device(device or best_device())
        network = network.eval().requires_grad_(False)
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.table, self.info = table, info
        self.map = map or FeatureMap.of_table(table)
        self.engines = Engines(self.network)
        self.student, self.student_engines = student, None
        if student is not None:
            student.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.student_engines = Engines(student.network)
        self._spacing = class_spacing(table)  # (S, 1)
        self.families, self.calibration = dict(families or {}), calibration
        self._evaluate: Evaluate | None = None
        self._gradient: Gradient | None = None

    @property
    def preview_engines(self) -> Engines:
        """What evaluates previews at full strength: the engines of the student, if there is one."""
        return self.student_engines or self.engines

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return self.table.classes

    @classmethod
    def from_pretrained(cls, source: str | Path, *, device: str | None = None) -> Pipeline:
        """Load a checkpoint from a folder or from the Hugging Face hub. No code in it is executed.

        Parameters
        ----------
        source : str or Path
            A folder; else a folder shipped with fgsd ("checkpoints/textures"); else a hub id such as
            "owner/name".
        device : str, optional
            "cpu", "cuda" or "mps"; by default the best available.

        Raises
        ------
        CheckpointError
            If there is no such checkpoint, or its files are damaged or of another format.
        """
        if not (folder := Path(resolve_shipped(source))).is_dir():
            folder = download_checkpoint(str(source))
        checkpoint = load_checkpoint(folder)
        return cls(
            checkpoint.network,
            checkpoint.table,
            checkpoint.info,
            device,
            map=checkpoint.map,
            student=checkpoint.student,
            families=checkpoint.families,
            calibration=checkpoint.calibration,
        )

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the checkpoint and its model card to a folder."""
        parts = (self.network, self.table, self.info, self.map, self.student, self.families, self.calibration)
        checkpoint = Checkpoint(*parts)
        save_checkpoint(checkpoint, folder, card=model_card(checkpoint))

    def push_to_hub(self, repo_id: str, *, private: bool = False, token: str | None = None, api=None) -> str:
        """Upload the checkpoint to the Hugging Face hub and return the URL of the commit.

        Parameters
        ----------
        repo_id : str
            "owner/name"; the repository is created if it does not exist.
        private : bool
            Whether a new repository is private.
        token : str, optional
            Access token; by default the stored one.
        api : huggingface_hub.HfApi, optional
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return upload_checkpoint(folder, repo_id, private=private, token=token, api=api)

    def with_calls(self, evaluate: Evaluate, gradient: Gradient) -> Pipeline:
        """Return a copy that calls `evaluate` and `gradient` in place of the network.

        `fgsd.app.serving.scheduler` takes turns with the calls of several visitors in this way.
        """
        other = copy.copy(self)
        other._evaluate, other._gradient = evaluate, gradient
        return other

    def centroid(self, target: Target) -> Centroid | None:
        """Convert a target to a centroid; None (unguided) stays None.

        Parameters
        ----------
        target : class name, mapping of class names to weights, function of sigma, Centroid, Texture or None
            `CentroidTable.mixture` documents mappings and functions.

        Raises
        ------
        KeyError, TypeError, ValueError
            If a class is unknown, the target has another type, weights do not sum to 1, or a texture was made
            with another network.
        """
        if target is None or isinstance(target, Centroid):
            return target
        if isinstance(target, Texture):
            return target.centroid_for(self.network_digest, self.table)
        if isinstance(target, str):
            return self.table.of(target)
        if isinstance(target, Mapping) or callable(target):
            return self.table.mixture(target)
        raise TypeError(
            f"target={target!r} must be a class name, a mapping of class names to weights, a texture, a "
            "centroid or None"
        )

    def nearest(self, target: Target | Image.Image | Path, n: int = 5) -> list[tuple[str, float]]:
        """Return the `n` classes nearest to an image or target, nearest first.

        Parameters
        ----------
        target : image, path of an image, or target
            A string is a class name; a path must be a `Path`.

        Returns
        -------
        list of (class name, distance)
            Distances are in spreads within a class, see `CentroidTable.distances`.
        """
        if isinstance(target, (Image.Image, Path)):
            target = self.centroid_of(target)
        centroid = self.centroid(target)
        if centroid is None:
            raise ValueError("target=None (unguided) has no centroid; give an image, a class or a mixture")
        return self.table.nearest(centroid, n)

    def stream(
        self,
        target: Target | Regions | Sequence[Target],
        *,
        n: int = 1,
        steps: int = 16,
        size: int | tuple[int, int] = 64,
        seed: int | Sequence[int] = 0,
        strength: float = 1.0,
        sampler: str = "dpm2m",
        tileable: bool = False,
        start: Tensor | None = None,
        sigma_max: float | None = None,
        noise_size: int | tuple[int, int] | None = None,
        sampler_options: Mapping[str, float] | None = None,
    ) -> Iterator[PipelineStep]:
        """Sample a batch of images and yield each step. Arguments are checked before the first step.

        Parameters
        ----------
        target : class name, weights, Centroid or None, or a list with one of these per image, or Regions
            See `centroid`. None samples without guidance, and cannot be part of a list. For regions see
            `paint`, which makes them.
        n : int
            Number of images, all in one batch.
        steps : int
            Number of steps; the sampler "ascent" ignores it, see `fgsd.sampling.stochastic_ascent`.
        size : int or (height, width)
            In pixels: multiples of `network.config.multiple`, at most `fgsd.regions.MAX_SIDE`.
        seed : int or sequence of int
            Image k is drawn from seed + k (or from the k-th seed), independently of the rest of the batch.
        strength : float
            Of the guidance: 0 is unguided, 1 moves features to the centroid, up to 2 moves them beyond it.
        sampler : {"dpm2m", "heun", "ancestral", "ascent", "distilled"}
            "distilled" evaluates the student of the checkpoint twice, at noise levels of its own; it ignores
            `steps` and `sigma_max`.
        tileable : bool
            Whether images wrap round at their edges.
        start : Tensor of shape (n, 3, height, width), optional
            Clean images in [-1, 1] to which the initial noise is added; by default the target's mean colour.
            With a low `sigma_max` the samples keep the coarse structure of `start`.
        sigma_max : float, optional
            Initial noise level; by default that of the checkpoint.
        noise_size : int or (height, width), optional
            Of the image from whose noise the centre is taken; by default `size`. The samples resemble the
            centres of those of that size, and cost less: previews are made in this way.
        sampler_options : mapping, optional
            Further keyword arguments of the sampler, such as `h` and `beta` of "ascent".

        Raises
        ------
        KeyError, TypeError, ValueError
            If an argument is out of range; the message names the argument, its value and valid values.
        """
        height, width = height_width(size)
        check_size(height, width, self.network.config.multiple)
        check_side((height, width), size)
        seeds = check_seeds(seed, n)
        samplers = SAMPLERS if self.student is None else {**SAMPLERS, DISTILLED: SAMPLERS["dpm2m"]}
        if sampler not in samplers:
            raise ValueError(f"sampler={sampler!r} must be one of {', '.join(samplers)}")
        centroid: Centroid | list[Centroid] | Regions | None
        if isinstance(target, Regions):
            if target.size != (height, width):
                raise ValueError(f"size={(height, width)}, but the masks have {target.size} pixels")
            centroid = target
        elif isinstance(target, (list, tuple)):
            if len(target) != n:
                raise ValueError(f"target has {len(target)} entries for n={n} images")
            centroid = [found for one in target if (found := self.centroid(one)) is not None]
            if len(centroid) < n:
                raise ValueError("target: None (unguided) cannot be part of a list; sample it separately")
        else:
            centroid = self.centroid(target)  # type: ignore[arg-type]  # `centroid` refuses other sequences
        evaluate: Evaluate
        if sampler == DISTILLED and self.student is not None and self.student_engines is not None:
            network, sigmas = self.student.network, self.student.schedule()
            evaluate = self.student_engines.exact
            if self._evaluate is not None:
                evaluate = partial(self._evaluate, student=True)
        else:
            network, evaluate = self.network, self._evaluate or self.engines.exact
            sigma_max = self.info.sigma_max if sigma_max is None else sigma_max
            sigmas = karras_schedule(steps, sigma_min=self.info.sigma_min, sigma_max=sigma_max)
        guided = GuidedDenoiser(network, centroid, strength=strength, tileable=tileable, evaluate=evaluate)
        if start is not None and tuple(start.shape) != (n, 3, height, width):
            raise ValueError(f"start has shape {tuple(start.shape)}, expected {(n, 3, height, width)}")
        start = self._start_colour(centroid, strength) if start is None else start
        run = partial(samplers[sampler], **(sampler_options or {}))
        drawn = height_width(size if noise_size is None else noise_size)
        check_side(drawn, drawn)
        corner = centre_corner(drawn, (height, width), multiple=self.network.config.multiple)
        noise = ImageNoise(seeds, (3, height, width), self.device, drawn=drawn, corner=corner)
        return self._run(guided, run, sigmas, noise, start)

    def _start_colour(self, centroid: Centroid | list[Centroid] | Regions | None, strength: float) -> Tensor:
        """Return the mean colour of all classes, moved to the targets' by `strength`.

        It has the shape (1 or n, 3, 1, 1), and of regions (1, 3, height, width).
        """
        colour = self.table.colours.mean(dim=0, keepdim=True)
        if isinstance(centroid, Regions):
            return centroid.blended([torch.lerp(colour[0], c.colour, strength) for c in centroid.centroids])
        if centroid is not None:
            centroids = [centroid] if isinstance(centroid, Centroid) else centroid
            colour = torch.lerp(colour, torch.stack([c.colour for c in centroids]), strength)
        return colour[:, :, None, None]

    def _run(self, guided, sampler, sigmas, noise, start) -> Iterator[PipelineStep]:
        x = sigmas[0].item() * noise()
        x = x + start.to(x)
        spreads = self.table.scales.to(self.device)
        for step in sampler(guided, x, sigmas, noise=noise):
            distance = relative = None
            if (target := guided.target(step.sigma)) is not None:
                scale = interpolate(self.table.sigmas, spreads, step.sigma)
                distance = ((step.phi - target) / scale).square().mean(dim=-1).sqrt()
                spacing = float(interpolate(self.table.sigmas, self._spacing, step.sigma))
                relative = distance / spacing if spacing > 0 else None
            yield PipelineStep(step, distance, relative)

    def sample(
        self,
        target: Target | Regions | Sequence[Target],
        *,
        n: int = 1,
        seed: int | Sequence[int] = 0,
        **options,
    ) -> list[Image.Image]:
        """Sample `n` images; `stream` documents the parameters. A large `n` is split into several batches.

        Returns
        -------
        list of n RGB images
        """
        seeds, (height, width) = check_seeds(seed, n), height_width(options.get("size", 64))
        if isinstance(target, (list, tuple)) and len(target) != n:
            raise ValueError(f"target has {len(target)} entries for n={n} images")
        if (start := options.pop("start", None)) is not None and len(start) != n:
            raise ValueError(f"start has {len(start)} images, expected n={n}")
        batch = max(1, PASS_PIXELS // max(1, height * width))
        images: list[Image.Image] = []
        for k in range(0, n, batch):
            part = slice(k, k + batch)
            targets = target[part] if isinstance(target, (list, tuple)) else target
            starts = None if start is None else start[part]
            for step in self.stream(targets, n=len(seeds[part]), seed=seeds[part], start=starts, **options):
                last = step
            images += last.images
        return images
