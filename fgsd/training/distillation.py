"""Distillation: train a student that samples in two evaluations what its teacher samples in many.

The teacher samples random targets, classes and mixtures, from random noise, by the default sampler. The
student begins with the weights of the teacher, and its two evaluations are trained as one: from the same
noise they should lead to the same picture, as in progressive distillation (Salimans and Ho 2022), with a
distance that sees texture besides pixels. The centroids are those of the teacher, and do not change.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from fgsd.atomic import write_atomically
from fgsd.levels import interpolate
from fgsd.model.matching import CentroidMatching
from fgsd.model.network import PASS_PIXELS, Denoiser, preconditioning
from fgsd.pipeline import Pipeline
from fgsd.sampling import ImageNoise, karras_schedule
from fgsd.student import Student
from fgsd.training.batch import seed_of
from fgsd.training.loop import autocast_dtype, ema
from fgsd.training.optimizer import build_optimizers, cosine
from fgsd.training.run_folder import RunFolder

# a target is one class, or a mixture of two or three with weights drawn uniformly
CLASS_COUNT_SHARES = (0.4, 0.4, 0.2)
CHUNK = 480  # pictures in a file
# noise level at which the features of pictures are compared: they are sharp, and no network saw them so
FEATURE_SIGMA = 0.15


@dataclass(frozen=True)
class DistillationConfig:
    """Everything that determines the student, besides its teacher."""

    pictures: int = 15_360  # of the teacher, a multiple of `CHUNK`
    minutes: float = 60.0  # budget of the training, without the sampling of the pictures
    steps: int = 16  # of the teacher's sampler
    size: int = 64  # side of the pictures in pixels
    # noise level of the first evaluation: above it only colours form
    sigma: float = 4.0
    middle: int = 8  # step of the teacher before which its noise level is that of the second evaluation
    batch: int = 16  # pictures in a step
    muon_lr: float = 0.008  # peak learning rate of the convolution kernels
    adam_lr: float = 0.0008  # peak learning rate of all other parameters
    warmup: int = 50  # steps over which both rise
    clip: float = 3.0  # largest norm of a gradient
    ema: float = 0.997  # decay of the average of the weights, per step
    # weights of the squared errors of pixels, of the image between the evaluations, and of features
    pixel_weight: float = 4.0
    middle_weight: float = 0.8
    feature_weight: float = 0.5
    seed: int = 0
    precision: str = "auto"  # "float32", "bfloat16", or "auto": bfloat16 where the hardware supports it
    save_every: int = 100  # steps between saved states

    def __post_init__(self) -> None:
        if self.pictures < CHUNK or self.pictures % CHUNK:
            raise ValueError(f"pictures={self.pictures} must be a multiple of {CHUNK}")
        if not 0 < self.minutes < math.inf:
            raise ValueError(f"minutes={self.minutes} must be positive")
        if not 0 < self.middle < self.steps:
            raise ValueError(f"middle={self.middle} must be above 0 and below steps={self.steps}")
        if self.batch < 1:
            raise ValueError(f"batch={self.batch} must be at least 1")


@dataclass(frozen=True)
class DistillationStep:
    """One optimisation step, as the generator yields it."""

    step: int  # steps so far
    images: int  # pictures so far
    loss: float  # weighted sum of the errors below
    pixels: float  # mean squared error of pixels in [-1, 1]
    features: float  # that of features, in their variances, summed over two layers
    progress: float  # fraction of the budget that is used up, 0 to 1
    seconds: float  # of training so far, over all sittings
    validation: None = None  # what the progress bar of a training may show
    unseen: None = None


def distill(
    pipe: Pipeline,
    run: str | Path,
    config: DistillationConfig | None = None,
    *,
    progress: Callable[..., Any] | None = None,
) -> Iterator[DistillationStep]:
    """Distill the network of a pipeline in the folder `run`, or resume the run in it; yields every step.

    Parameters
    ----------
    pipe : Pipeline
        The teacher. If it has a student with the same noise levels, training begins with that one.
    run : str or Path
        Folder of the pictures of the teacher, and of `state.safetensors`, `config.json` and `log.jsonl`.
    config : DistillationConfig
        A run can only be resumed with the configuration that it was started with.
    progress : callable, optional
        Wraps an iterable, called as `tqdm` is, while the teacher samples.

    Raises
    ------
    ValueError
        If the run was started with another configuration or other classes, or the network has labels or a
        target embedding.
    FloatingPointError
        If the loss is not finite any more.
    """
    config = config or DistillationConfig()
    if pipe.network.config.labels or pipe.network.config.target_embedding:
        raise ValueError("a network with labels or a target embedding cannot be distilled")
    folder = RunFolder(run, config, pipe.classes)
    folder.check_state()
    folder.folder.mkdir(parents=True, exist_ok=True)
    teacher, device = pipe.network, pipe.device
    sigmas = _levels(pipe, config)
    model = Denoiser(teacher.config)
    known = pipe.student is not None and pipe.student.sigmas == sigmas
    model.load_state_dict((pipe.student if known and pipe.student else pipe).network.state_dict())
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(model, multi_avg_fn=ema(config.ema), use_buffers=True)
    optimizers = build_optimizers(model, muon_lr=config.muon_lr, adam_lr=config.adam_lr)
    step, seconds, _ = folder.load(model, average, optimizers)
    folder.begin(step)
    pictures = teacher_pictures(pipe, folder.folder / "pictures", config, progress=progress)
    dtype = autocast_dtype(config.precision, device.type)
    started = time.monotonic() - seconds
    while (share := min(1.0, seconds / 60 / config.minutes)) < 1:
        factor = cosine(share) * min(1.0, (step + 1) / config.warmup)
        for optimizer, rate in zip(optimizers, (config.muon_lr, config.adam_lr), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
        generator = torch.Generator().manual_seed(seed_of(config.seed, 2, step))
        chosen = torch.randint(config.pictures, (config.batch,), generator=generator)
        batch = {name: values[chosen] for name, values in pictures.items()}
        noise = ImageNoise(batch["seeds"].tolist(), (3, config.size, config.size), device)()
        weights = batch["weights"].to(device)
        x0 = batch["finals"].to(device).float() / 127.5 - 1
        middle = batch["middles"].to(device).float()
        fine = FEATURE_SIGMA * torch.randn(x0.shape, generator=generator).to(device)
        with torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
            between, sample = _sample(model, pipe, sigmas, noise, weights)
            found, wanted = (_first_layers(teacher, x + fine) for x in (sample, x0))
        pixels = (sample - x0).square().mean()
        features = sum((_relative_error(*pair) for pair in zip(found, wanted, strict=True)), torch.zeros(()))
        loss = (
            config.pixel_weight * pixels
            + config.middle_weight * (between - middle).square().mean()
            + config.feature_weight * features
        )
        if not math.isfinite(loss.item()):
            raise FloatingPointError(
                f"the loss became {loss.item()} at step {step + 1}: lower muon_lr={config.muon_lr} or "
                f"adam_lr={config.adam_lr}; the run's last saved state is still good"
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        average.update_parameters(model)
        step, seconds = step + 1, time.monotonic() - started
        record = DistillationStep(
            step,
            step * config.batch,
            loss.item(),
            pixels.item(),
            features.item(),
            min(1.0, seconds / 60 / config.minutes),
            seconds,
        )
        folder.log(record)
        if step % config.save_every == 0 or record.progress >= 1:
            folder.save(model, average, optimizers, step, seconds)
        yield record


def student_of_run(pipe: Pipeline, run: str | Path, config: DistillationConfig) -> Student:
    """Return the student with the averaged weights of the last saved state of a run.

    Raises
    ------
    FileNotFoundError
        If the run has no saved state.
    ValueError
        If the run was begun with another configuration or other classes, or the state is damaged.
    """
    network = Denoiser(pipe.network.config)
    RunFolder(run, config, pipe.classes).load_average(network)
    return Student(network.eval().requires_grad_(False), _levels(pipe, config))


def teacher_pictures(
    pipe: Pipeline,
    folder: Path,
    config: DistillationConfig,
    *,
    progress: Callable[..., Any] | None = None,
) -> dict[str, Tensor]:
    """Sample pictures by the teacher, or load those of an earlier sitting.

    Parameters
    ----------
    folder : Path
        Of one file for each `CHUNK` pictures. Those that are there are not sampled again.

    Returns
    -------
    dict of Tensors
        `seeds` (N,), `weights` (N, classes) of the targets, `middles` (N, 3, size, size), float16: the noisy
        images before step `config.middle`, and `finals` of the same shape, uint8.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chunks = range(config.pictures // CHUNK)
    found = []
    for chunk in progress(chunks, desc="pictures of the teacher") if progress else chunks:
        path = folder / f"{chunk:04}.safetensors"
        if not path.exists():
            tensors = _sampled_chunk(pipe, config, chunk)
            write_atomically(path, partial(save_file, tensors))
        found.append(load_file(path))
    return {name: torch.cat([tensors[name] for tensors in found]) for name in found[0]}


def _sampled_chunk(pipe: Pipeline, config: DistillationConfig, chunk: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed_of(config.seed, 0, chunk))
    weights = torch.stack([_random_weights(len(pipe.classes), generator) for _ in range(CHUNK)])
    seeds = [seed_of(config.seed, 1, chunk * CHUNK + k) for k in range(CHUNK)]
    targets = [
        pipe.table.mixture({pipe.classes[c]: row[c].item() for c in row.nonzero()[:, 0].tolist()})
        for row in weights
    ]
    size = max(1, PASS_PIXELS // config.size**2)
    middles, finals = [], []
    dtype = autocast_dtype(config.precision, pipe.device.type)
    for k in range(0, CHUNK, size):
        part = slice(k, k + size)
        options: dict[str, Any] = {"steps": config.steps, "size": config.size, "seed": seeds[part]}
        with torch.autocast(pipe.device.type, dtype=dtype, enabled=dtype != torch.float32):
            for one in pipe.stream(targets[part], n=len(seeds[part]), **options):
                if one.index == config.middle + 1:
                    middles.append(one.step.noisy.half().cpu())
        finals.append(((one.step.x.float().clamp(-1, 1) + 1) * 127.5).round().byte().cpu())
    return {
        "seeds": torch.tensor(seeds),
        "weights": weights,
        "middles": torch.cat(middles),
        "finals": torch.cat(finals),
    }


def _random_weights(classes: int, generator: torch.Generator) -> Tensor:
    """Draw the weights of a target: (classes,), of which few are above 0."""
    shares = torch.tensor(CLASS_COUNT_SHARES[:classes])
    count = 1 + int(torch.multinomial(shares, 1, generator=generator))
    drawn = -torch.rand(count, generator=generator).clamp(min=1e-6).log()  # uniform once they sum to 1
    weights = torch.zeros(classes)
    weights[torch.randperm(classes, generator=generator)[:count]] = drawn / drawn.sum()
    return weights


def _levels(pipe: Pipeline, config: DistillationConfig) -> tuple[float, float]:
    """Return the noise levels of the two evaluations."""
    info = pipe.info
    levels = karras_schedule(config.steps, sigma_min=info.sigma_min, sigma_max=info.sigma_max)
    return config.sigma, levels[config.middle].item()


def _sample(
    model: Denoiser, pipe: Pipeline, sigmas: tuple[float, float], noise: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the images (B, 3, H, W) between the two evaluations, and after them."""
    table = pipe.table
    x = (weights @ table.colours.to(weights))[:, :, None, None] + sigmas[0] * noise
    for sigma, following in zip(sigmas, (sigmas[1], 0.0), strict=True):
        centroids = weights @ interpolate(table.sigmas, table.values, sigma).to(weights)
        denoised = model(x, x.new_full((len(x),), sigma), CentroidMatching(centroids)).float()
        between, x = x, denoised + following / sigma * (x - denoised)
    return between, x


def _first_layers(teacher: Denoiser, x: Tensor) -> list[Tensor]:
    """Return the activations of the first two levels of the network, unguided."""
    log_sigma = x.new_full((len(x),), math.log(FEATURE_SIGMA))
    c_in = preconditioning(x.new_tensor(FEATURE_SIGMA), teacher.config.sigma_data)[2]
    stats = None if teacher.normalization is None else teacher.normalization(log_sigma)
    context = teacher.embed(log_sigma, 0.0)
    x = (c_in * x).contiguous(memory_format=torch.channels_last)
    h, found = teacher.stem(F.pixel_unshuffle(x, 2), False), []
    phi: list[Tensor] = []
    for k in range(2):
        h, context = teacher.down[k](
            h if k == 0 else teacher.shrink[k - 1](h), context, None, stats, phi, False
        )
        found.append(h)
    return found


def _relative_error(found: Tensor, wanted: Tensor) -> Tensor:
    """Return the squared error of activations (B, C, H, W), in the variances of their channels."""
    found, wanted = found.float(), wanted.float()
    errors = (found - wanted).square().mean(dim=(0, 2, 3))
    return (errors / (wanted.var(dim=(0, 2, 3)) + 1e-3)).mean()
