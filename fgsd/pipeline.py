"""The library's front door: load a checkpoint, sample from it, save it, share it."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from fgsd.card import model_card
from fgsd.centroids import Centroid, CentroidTable, Weights, features_by_level
from fgsd.checkpoint import Checkpoint, CheckpointError, CheckpointInfo, load_checkpoint, save_checkpoint
from fgsd.data import ImageError, load_image, to_images, to_tensor
from fgsd.device import best_device
from fgsd.feature_map import FeatureMap
from fgsd.guidance import PASS_PIXELS, Evaluate, GuidedDenoiser
from fgsd.levels import interpolate
from fgsd.model.network import Denoiser, check_size
from fgsd.sampling import SAMPLERS, ImageNoise, SamplingStep, karras_schedule
from fgsd.shipped import found

Target = str | Weights | Centroid | None

MAX_SIDE = 2048  # pixels; a larger image is refused rather than exhausting the memory


@dataclass(frozen=True)
class PipelineStep:
    """One step of diffusion, as `Pipeline.stream` yields it."""

    step: SamplingStep  # tensors, see `SamplingStep`
    distance: Tensor | None  # (B,): of phi to the target, in spreads within a class; None if unguided

    @property
    def index(self) -> int:
        """1 for the first step."""
        return self.step.index

    @property
    def steps(self) -> int:
        """How many steps there will be."""
        return self.step.steps

    @property
    def sigma(self) -> float:
        """The noise level of the step, in [-1, 1] units."""
        return self.step.sigma

    @property
    def noisy(self) -> list[Image.Image]:
        """The images before the step, as they look with their noise."""
        return to_images(self.step.noisy)

    @property
    def denoised(self) -> list[Image.Image]:
        """What the network takes the images to be."""
        return to_images(self.step.denoised)

    @property
    def images(self) -> list[Image.Image]:
        """The images after the step; after the last step, the samples."""
        return to_images(self.step.x)


class Pipeline:
    """A trained network with its classes.

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
    ) -> None:
        self.device = torch.device(device or best_device())
        network = network.eval().requires_grad_(False)
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.table, self.info = table, info
        self.map = map or FeatureMap.of_table(table)  # without crops where the checkpoint has none
        self._evaluate: Evaluate | None = None

    @property
    def classes(self) -> list[str]:
        """Names of the classes it was trained on."""
        return self.table.classes

    @classmethod
    def from_pretrained(cls, source: str | Path, *, device: str | None = None) -> Pipeline:
        """Load a checkpoint from a folder or from the Hugging Face hub.

        Parameters
        ----------
        source : str or Path
            A folder; if there is none of that name, the one that comes with fgsd, "checkpoints/textures",
            or else a hub id such as "owner/name".
        device : str, optional
            "cpu", "cuda", "mps"; by default the best there is.

        Raises
        ------
        CheckpointError
            If there is no such checkpoint, or it is damaged or foreign. Nothing in it is executed.
        """
        folder = Path(found(source))
        if not folder.is_dir():
            folder = _download(str(source))
        checkpoint = load_checkpoint(folder)
        return cls(checkpoint.network, checkpoint.table, checkpoint.info, device, map=checkpoint.map)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the checkpoint to a folder, with a model card."""
        checkpoint = Checkpoint(self.network, self.table, self.info, self.map)
        save_checkpoint(checkpoint, folder, card=model_card(checkpoint))

    def push_to_hub(self, repo_id: str, *, private: bool = False, token: str | None = None, api=None) -> str:
        """Upload the checkpoint to the Hugging Face hub; returns the address of the commit.

        Parameters
        ----------
        repo_id : str
            "owner/name"; it is created if it does not exist.
        api : huggingface_hub.HfApi, optional
        """
        from huggingface_hub import HfApi

        api = api or HfApi(token=token)
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            api.create_repo(repo_id, private=private, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repo_id, folder_path=folder, commit_message="Upload fgsd checkpoint"
            )
        return str(commit)

    def through(self, evaluate: Evaluate) -> Pipeline:
        """The same pipeline, but its samplers ask `evaluate` instead of the network; see
        `fgsd.app.serving.scheduler`."""
        other = copy.copy(self)
        other._evaluate = evaluate
        return other

    def centroid(self, target: Target) -> Centroid | None:
        """What to sample, as a centroid: a class name, weights of classes, a centroid, or None (unguided)."""
        if target is None or isinstance(target, Centroid):
            return target
        if isinstance(target, str):
            return self.table.of(target)
        if isinstance(target, Mapping) or callable(target):
            return self.table.mixture(target)
        raise TypeError(
            f"target={target!r} must be a class name, a mapping of class names to weights, a centroid or None"
        )

    def centroid_of(
        self,
        images: Image.Image | str | Path | Sequence[Image.Image | str | Path],
        *,
        crops: int = 48,
        seed: int = 0,
    ) -> Centroid:
        """The centroid of a texture that may never have been seen in training, from its own crops.

        Parameters
        ----------
        images : image or path, or several of one texture
            Each is scaled so that its shorter side is that of the training images.
        crops : int
            How many crops are averaged, at least 1.
        seed : int
            Of the crops' positions and noise.

        Raises
        ------
        ImageError
            If an image cannot be read, or is smaller than a training crop.
        """
        if crops < 1:
            raise ValueError(f"crops={crops} must be at least 1")
        several = [images] if isinstance(images, (Image.Image, str, Path)) else list(images)
        if not several:
            raise ValueError("images is empty; give at least one image")
        tensors = [self._scaled(image) for image in several]
        generator = torch.Generator().manual_seed(seed)
        size, cut = self.info.patch_size, []
        for k in range(crops):
            pixels = tensors[k % len(tensors)]
            top = int(torch.randint(pixels.shape[1] - size + 1, (1,), generator=generator))
            left = int(torch.randint(pixels.shape[2] - size + 1, (1,), generator=generator))
            cut.append(pixels[:, top : top + size, left : left + size])
        x0 = torch.stack(cut)
        means, _ = features_by_level(self.network, x0, self.table.sigmas, seed=seed)
        return Centroid(self.table.sigmas, means, x0.mean(dim=(0, 2, 3)))

    def nearest(self, target: Target | Image.Image | Path, n: int = 5) -> list[tuple[str, float]]:
        """The `n` classes nearest to an image or target, with distances in spreads within a class."""
        if isinstance(target, (Image.Image, Path)):
            target = self.centroid_of(target)
        centroid = self.centroid(target)
        if centroid is None:
            raise ValueError("target=None has no place in feature space; give an image, class or mixture")
        return self.table.nearest(centroid, n)

    def stream(
        self,
        target: Target | Sequence[Target],
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
        sampler_options: Mapping[str, float] | None = None,
    ) -> Iterator[PipelineStep]:
        """Sample a batch, yielding each step of diffusion; arguments are checked before the first.

        Parameters
        ----------
        target : class name, weights, Centroid or None, or a list of one for each image
            None samples unguided.
        n : int
            Number of images, all in one batch.
        steps : int
            Steps of the sampler; "ascent" ignores it and stops by itself.
        size : int or (height, width)
            In pixels; multiples of `network.config.multiple`, at most `MAX_SIDE`.
        seed : int or sequence of int
            Image k is the picture of seed + k (or of the k-th seed), whatever the batch.
        strength : float
            Of the guidance: 0 unguided, 1 all the way to the centroid, up to 2 beyond.
        sampler : {"dpm2m", "heun", "ancestral", "ascent"}
        tileable : bool
            The image continues from right to left and from bottom to top.
        start : Tensor of shape (n, 3, height, width), optional
            Clean image in [-1, 1] to which noise is added instead of to the target's mean colour; with a
            low `sigma_max` the sample keeps its coarse structure.
        sigma_max : float, optional
            Noise level to begin at; by default that of the checkpoint.
        sampler_options : mapping, optional
            Further arguments of the sampler by name: `h` and `beta` of the ascent.

        Raises
        ------
        KeyError, TypeError, ValueError
            For an argument that is out of range; the message names it and what would be right.
        """
        height, width = _height_width(size)
        check_size(height, width, self.network.config.multiple)
        if max(height, width) > MAX_SIDE:
            raise ValueError(f"size={size} is above {MAX_SIDE} pixels a side")
        seeds = _seeds(seed, n)
        if sampler not in SAMPLERS:
            raise ValueError(f"sampler={sampler!r} must be one of {', '.join(SAMPLERS)}")
        centroid: Centroid | list[Centroid] | None
        if isinstance(target, (list, tuple)):
            if len(target) != n:
                raise ValueError(f"target has {len(target)} entries for n={n} images")
            many = [given for one in target if (given := self.centroid(one)) is not None]
            if len(many) < n:
                raise ValueError("target: None (unguided) cannot be one of several; sample it on its own")
            centroid = many
        else:
            centroid = self.centroid(target)  # type: ignore[arg-type]  # which refuses other sequences
        guided = GuidedDenoiser(
            self.network, centroid, strength=strength, tileable=tileable, evaluate=self._evaluate
        )
        sigma_max = self.info.sigma_max if sigma_max is None else sigma_max
        sigmas = karras_schedule(steps, sigma_min=self.info.sigma_min, sigma_max=sigma_max)
        if start is not None and tuple(start.shape) != (n, 3, height, width):
            raise ValueError(f"start has shape {tuple(start.shape)}, expected {(n, 3, height, width)}")
        start = self._colour(centroid, strength) if start is None else start
        run = partial(SAMPLERS[sampler], **(sampler_options or {}))
        return self._run(guided, run, sigmas, seeds, (3, height, width), start)

    def _colour(self, centroid: Centroid | list[Centroid] | None, strength: float) -> Tensor:
        """Mean colour (1 or n, 3, 1, 1) to begin at: that of all classes, moved to the target's."""
        colour = self.table.colours.mean(dim=0, keepdim=True)
        if centroid is not None:
            many = [centroid] if isinstance(centroid, Centroid) else centroid
            colour = torch.lerp(colour, torch.stack([c.colour for c in many]), strength)
        return colour[:, :, None, None]

    def _run(self, guided, sampler, sigmas, seeds, shape, start) -> Iterator[PipelineStep]:
        noise = ImageNoise(seeds, shape, self.device)
        x = sigmas[0].item() * noise()
        x = x + start.to(x)
        spreads = self.table.scales.to(self.device)
        for step in sampler(guided, x, sigmas, noise=noise):
            distance = None
            if (centre := guided.target(step.sigma)) is not None:
                scale = interpolate(self.table.sigmas, spreads, step.sigma)
                distance = ((step.phi - centre) / scale).square().mean(dim=1).sqrt()
            yield PipelineStep(step, distance)

    def sample(
        self, target: Target | Sequence[Target], *, n: int = 1, seed: int | Sequence[int] = 0, **options
    ) -> list[Image.Image]:
        """Sample `n` images; the parameters are those of `stream`, any `n` works.

        Returns
        -------
        list of n RGB images
        """
        seeds, (height, width) = _seeds(seed, n), _height_width(options.get("size", 64))
        if isinstance(target, (list, tuple)) and len(target) != n:
            raise ValueError(f"target has {len(target)} entries for n={n} images")
        if (start := options.pop("start", None)) is not None and len(start) != n:
            raise ValueError(f"start has {len(start)} images, expected n={n}")
        batch = max(1, PASS_PIXELS // max(1, height * width))
        images: list[Image.Image] = []
        for k in range(0, n, batch):
            now = seeds[k : k + batch]
            part = target[k : k + batch] if isinstance(target, (list, tuple)) else target
            begin = None if start is None else start[k : k + batch]
            for step in self.stream(part, n=len(now), seed=now, start=begin, **options):
                last = step
            images += last.images
        return images

    def _scaled(self, source: Image.Image | str | Path) -> Tensor:
        image, size = load_image(source), self.info.patch_size
        if self.info.image_size is not None and min(image.size) > self.info.image_size:
            scale = self.info.image_size / min(image.size)
            image = image.resize(
                (round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS
            )
        if min(image.size) < size:
            name = "the image" if isinstance(source, Image.Image) else str(source)
            raise ImageError(
                f"{name}: {image.width} x {image.height} pixels; at least {size} x {size} are needed"
            )
        return to_tensor(image)


def _height_width(size: int | tuple[int, int]) -> tuple[int, int]:
    pair = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, (tuple, list)) else ()
    if len(pair) != 2 or not all(isinstance(k, int) and not isinstance(k, bool) for k in pair):
        raise ValueError(f"size={size!r} must be a number of pixels or a pair (height, width)")
    return pair


def _seeds(seed: int | Sequence[int], n: int) -> list[int]:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"n={n!r} must be a whole number, at least 1")
    if not isinstance(seed, (int, Sequence)):
        raise ValueError(f"seed={seed!r} must be a whole number or a list of them")
    seeds = [seed + k for k in range(n)] if isinstance(seed, int) else list(seed)
    if len(seeds) != n:
        raise ValueError(f"seed has {len(seeds)} entries for n={n} images")
    for one in seeds:
        if isinstance(one, bool) or not isinstance(one, int) or not 0 <= one < 2**63:
            raise ValueError(f"seed={one!r} must be a whole number from 0 to 2^63 - 1")
    return seeds


def _download(repo_id: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    patterns = ["config.json", "model.safetensors", "centroids.safetensors", "map.safetensors", "README.md"]
    try:
        return Path(snapshot_download(repo_id, allow_patterns=patterns))
    except HFValidationError:
        raise CheckpointError(f"{repo_id!r} is neither a folder nor a hub id such as owner/name") from None
    except Exception as error:  # the hub's errors, and those of the network below it
        raise CheckpointError(
            f"{repo_id!r} is no folder, and the hub did not give it: {type(error).__name__}: {error}"
        ) from None
