"""Learn score and features together, from the denoising loss alone.

Every crop of a batch has a class and a noise level of its own, and is matched to the centroid of its class
at that level, a running mean of what the network has seen (see `fgsd.training.running_centroids`): so the
network learns to
denoise an image by the features of its class. Or, as the authors have it, a batch holds groups of crops of
one class at one noise level, and each crop is matched to the mean of the *other* crops of its group. A share
of the crops or groups goes unmatched, so the unguided score is learned too. A network with labels, the
baseline, is told the class of each crop instead, and it too goes without in a share of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from fgsd.data import DataConfig, TextureFolder, scale_pixels
from fgsd.gaussians import GaussianSource
from fgsd.model.conditioning import Labels
from fgsd.model.matching import CentroidMatching, PeerMatching, leave_one_out
from fgsd.model.network import Denoiser, NetworkConfig
from fgsd.training.optimizer import build_optimizers, cosine
from fgsd.training.run_folder import RunFolder
from fgsd.training.running_centroids import LEVELS, RunningCentroids
from fgsd.training.validation import Validation, validate

LOOK_AHEAD_EVERY = 25  # steps after which what a network with foresight is told is measured anew


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the weights, besides the images."""

    network: NetworkConfig = field(default_factory=lambda: NetworkConfig(standards=LEVELS))
    data: DataConfig = field(default_factory=DataConfig)
    images: int | None = 1_000_000  # budget in training crops over all processes
    hours: float | None = None  # budget in hours of training; set one of the two, the other None
    # groups in a batch, each of one class at one noise level, per process. At equal batches many classes and
    # noise levels teach faster than many crops of one
    groups: int = 36
    # crops in a group; they are matched to each other, and those that are alone to the running centroid of
    # their class
    group_size: int = 1
    guided_share: float = 0.9  # share of groups that are matched or labelled; the rest is left unguided
    # share of the budget from which running centroids stand still. While they follow, every step moves the
    # targets of the next, which no gradient knows of: errors remain that more training does not remove. The
    # price: features go on to change, and their means are no longer quite the centroids
    settle: float = 1.0
    # (share of the budget from which it holds, side of the crops as a share of data.patch_size): small crops
    # first, since many cheap steps teach colours and edges sooner
    crop_sizes: tuple[tuple[float, float], ...] = ((0.0, 0.5), (0.2, 0.75), (0.6, 1.0))
    tileable: bool = False  # whether the crops themselves wrap round at their edges
    sigma_log_mean: float = 0.2  # noise levels are log-normal: mean of log(sigma)
    sigma_log_std: float = 1.3  # and its standard deviation; most of the work is where structure is learned
    sigma_min: float = 0.015  # noise levels are clipped to [sigma_min, sigma_max]
    # sampling begins here, so the noise has to drown the coarsest waves of a crop too: their amplitudes (of
    # an orthonormal transform) reach 13 in the pack, and begun at 4 samples had two thirds of the contrast
    sigma_max: float = 20.0
    muon_lr: float = 0.02  # learning rate of the kernels at its peak
    adam_lr: float = 0.0015  # learning rate of all else at its peak
    warmup: int = 100  # steps over which both rise
    # largest norm of a gradient; typical ones are 1 to 2, and one outlier would steer Muon for many steps
    clip: float = 3.0
    ema: float = 0.999  # decay of the average of the weights, per step
    seed: int = 0
    precision: str = "auto"  # "float32", "bfloat16", or "auto": bfloat16 where the hardware computes in it
    compile: bool = False  # torch.compile: pays on GPUs and on CPUs with bfloat16
    save_every: int = 250  # steps between saved states
    validate_every: int = 1500  # steps between validations

    def __post_init__(self) -> None:
        if (self.images is None) == (self.hours is None):
            raise ValueError(f"images={self.images} and hours={self.hours}: set exactly one of the two")
        if not (self.images or self.hours or 0) > 0:
            raise ValueError(f"the budget must be positive, got images={self.images}, hours={self.hours}")
        if self.groups < 1 or self.group_size < 1:
            raise ValueError(f"groups={self.groups} and group_size={self.group_size} must be at least 1")
        if not self.clip > 0:
            raise ValueError(f"clip={self.clip} must be positive")
        if not 0 <= self.guided_share <= 1:
            raise ValueError(f"guided_share={self.guided_share} must be between 0 and 1")
        if not 0 < self.sigma_min < self.sigma_max:
            raise ValueError(
                f"sigma_min={self.sigma_min} must be positive and below sigma_max={self.sigma_max}"
            )
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"precision={self.precision!r} must be auto, float32 or bfloat16")
        shares = [share for share, _ in self.crop_sizes]
        if shares != sorted(shares) or shares[:1] != [0.0] or not all(0 < k <= 1 for _, k in self.crop_sizes):
            raise ValueError(
                f"crop_sizes={self.crop_sizes} must begin at 0.0, rise, and hold sizes above 0 and up to 1"
            )
        if not 0 < self.settle <= 1 or (self.settle < 1 and not self.network.foresight):
            raise ValueError(
                f"settle={self.settle} must be above 0 and at most 1, and below 1 needs network.foresight: "
                "without it, a run is exported with other centroids than it was trained with"
            )
        if self.network.foresight and not self.running:
            raise ValueError(
                f"network.foresight={self.network.foresight} needs running centroids: set group_size=1 and "
                f"guided_share above 0; got {self.group_size} and {self.guided_share}"
            )
        if self.seed < 0:
            raise ValueError(f"seed={self.seed} must not be negative")

    @property
    def running(self) -> bool:
        """Whether crops are matched to running centroids."""
        return self.group_size == 1 and not self.network.labels and self.guided_share > 0

    def crop_size(self, progress: float) -> int:
        """Side of the training crops, in pixels, when a share `progress` of the budget is used up."""
        share = [size for start, size in self.crop_sizes if start <= progress][-1]
        multiple = self.network.multiple
        return max(multiple, round(share * self.data.patch_size / multiple) * multiple)


@dataclass(frozen=True)
class TrainingStep:
    """One optimisation step, as the generator yields it."""

    step: int  # steps done
    images: int  # crops seen, over all processes
    loss: float  # of this batch, mean over pixels of the squared error, preconditioned (EDM, equation 8)
    progress: float  # share of the budget that is used up, 0 to 1
    seconds: float  # of training so far, over all sittings
    validation: Validation | None = None  # on steps that validate


def train(
    folder: str | Path | GaussianSource,
    run: str | Path,
    config: TrainingConfig | None = None,
    *,
    init_from: Denoiser | None = None,
    device: str | None = None,
) -> Iterator[TrainingStep]:
    """Train in the folder `run`, or resume what was begun there; yields every step.

    All randomness of a step follows from (seed, step, group), so a run that was killed goes on exactly
    where its last saved state left it.

    Parameters
    ----------
    folder : str or Path, or GaussianSource
        Images, see `TextureFolder`; or classes whose density is known.
    run : str or Path
        Where `state.safetensors` (rewritten atomically), `config.json` and `log.jsonl` are kept.
    config : TrainingConfig
        A run can only be resumed with the configuration that it was begun with.
    init_from : Denoiser
        Weights to begin with, when the run is new; its config must be that of `config.network`.
    device : str
        "cpu" to keep off the accelerator; by default the best device there is.

    Raises
    ------
    ValueError
        If the run was begun with another configuration or other classes, or `network.labels` is not their
        number.
    """
    config = config or TrainingConfig()
    accelerator = Accelerator(cpu=device == "cpu", mixed_precision="no")
    data = folder if isinstance(folder, GaussianSource) else TextureFolder(folder, config.data)
    if config.network.labels not in (0, len(data.classes)):
        raise ValueError(
            f"network.labels={config.network.labels} must be 0 or the number of classes, {len(data.classes)}"
        )
    if config.network.foresight not in (0, len(data.classes)):
        raise ValueError(
            f"network.foresight={config.network.foresight} must be 0 or the number of classes, "
            f"{len(data.classes)}"
        )
    place = RunFolder(run, config, data.classes)
    with torch.random.fork_rng():  # the caller's own random numbers go on as they were
        torch.manual_seed(config.seed)
        model = Denoiser(config.network)
    if init_from is not None:
        model.load_state_dict(init_from.state_dict())
    model.to(accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(model, multi_avg_fn=_ema(config.ema), use_buffers=True)
    optimizers = build_optimizers(model, muon_lr=config.muon_lr, adam_lr=config.adam_lr)
    running = None
    if config.running:
        running = running_centroids(config, len(data.classes), device=accelerator.device)
    step, seconds, more = place.load(model, average, optimizers)
    if running is not None:
        running.restore(more)
    if accelerator.is_main_process:
        place.begin(step)
    accelerator.wait_for_everyone()
    wrapped = accelerator.prepare_model(model)
    if config.compile:
        wrapped = torch.compile(wrapped)
    dtype = autocast_dtype(config.precision, accelerator.device.type)
    per_step = config.groups * config.group_size * accelerator.num_processes
    began = time.monotonic() - seconds
    first, total = accelerator.process_index * config.groups, config.groups * accelerator.num_processes

    def prepared(step: int, progress: float) -> Batch:
        size = config.crop_size(progress)
        return make_batch(
            data,
            config,
            step,
            size,
            first=first,
            total_groups=total,
            device=accelerator.device,
        )

    batch = None
    while (progress := _progress(config, step * per_step, seconds)) < 1:
        factor = cosine(progress) * min(1.0, (step + 1) / config.warmup)
        for optimizer, rate in zip(optimizers, (config.muon_lr, config.adam_lr), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
        batch = batch or prepared(step, progress)
        if running is not None:
            batch = replace(batch, condition=running.matching(batch.rows, batch.sigma, batch.told))
        with torch.autocast(accelerator.device.type, dtype=dtype, enabled=dtype != torch.float32):
            loss, phi = loss_and_features(wrapped, batch, config.network.sigma_data, tileable=config.tileable)
        if running is not None and progress < config.settle:
            news = running.news(batch.rows, batch.sigma, batch.told, phi)
            running.add(*(accelerator.reduce(part, "sum") for part in news))
            if model.standards is not None:
                model.standards.follow(running.sigmas, *running.standards())
            if model.foresight is not None and step % LOOK_AHEAD_EVERY == 0:
                running.look_ahead()
        accelerator.backward(loss)
        # an accelerator still computes while the next batch is cut
        batch = prepared(step + 1, _progress(config, (step + 1) * per_step, time.monotonic() - began))
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        average.update_parameters(model)
        step += 1
        seconds = time.monotonic() - began
        if config.hours is not None:  # the processes agree on which step is the last
            seconds = accelerator.reduce(torch.tensor(seconds, device=accelerator.device), "mean").item()
        shared_loss = accelerator.reduce(loss.detach(), "mean").item()
        if not math.isfinite(shared_loss):
            raise FloatingPointError(
                f"the loss became {shared_loss} at step {step}: lower muon_lr={config.muon_lr} or "
                f"adam_lr={config.adam_lr}; the run's last saved state is still good"
            )
        progress = _progress(config, step * per_step, seconds)
        report = None
        if accelerator.is_main_process:
            if step % config.validate_every == 0 or progress >= 1:
                report = validate(
                    cast(Denoiser, average.module),
                    data,
                    running=running if model.foresight is not None else None,
                    seed=config.seed,
                    tileable=config.tileable,
                )
            record = TrainingStep(step, step * per_step, shared_loss, progress, seconds, report)
            place.log(record)
            if step % config.save_every == 0 or progress >= 1:
                place.save(model, average, optimizers, step, seconds, running.state() if running else None)
        else:
            record = TrainingStep(step, step * per_step, shared_loss, progress, seconds)
        yield record
    accelerator.wait_for_everyone()


def running_centroids(
    config: TrainingConfig, classes: int, *, device: torch.device | str = "cpu"
) -> RunningCentroids:
    """Those of a run of so many classes, before its first step."""
    return RunningCentroids(
        classes,
        config.network.dimension,
        sigma_min=config.sigma_min,
        sigma_max=config.sigma_max,
        levels=config.network.standards or LEVELS,
        foresight=config.network.foresight > 0,
        device=device,
    )


@dataclass(frozen=True)
class Batch:
    """x0 and x of shape (B, 3, H, W), sigma of shape (B,), and what the network is told of each crop."""

    x0: Tensor
    x: Tensor
    sigma: Tensor
    condition: PeerMatching | CentroidMatching | Labels | None
    rows: Tensor  # (B,) numbers of the classes
    told: Tensor  # (B,) whether the network is told anything of the class


def make_batch(
    data: TextureFolder | GaussianSource,
    config: TrainingConfig,
    step: int,
    size: int | None = None,
    *,
    first: int = 0,
    total_groups: int | None = None,
    device: torch.device | str = "cpu",
) -> Batch:
    """The groups `first` to `first + config.groups` of the `total_groups` of a step, with crops of `size`
    pixels (by default `data.config.patch_size`). Classes, crops and noise levels are the same on any
    machine; the noise is drawn on the device, so it is the same on devices of one kind. Crops that are alone
    in their group are told nothing yet, unless by a label."""
    groups, total, n = config.groups, total_groups or config.groups, config.group_size
    plan = torch.Generator().manual_seed(seed_of(config.seed, step))
    rounds = math.ceil(total / len(data.classes))
    classes = torch.cat([torch.randperm(len(data.classes), generator=plan) for _ in range(rounds)])
    # one noise level from each of `total` equal shares of the distribution: batches vary less
    quantiles = (torch.randperm(total, generator=plan) + torch.rand(total, generator=plan)) / total
    normal = torch.special.ndtri(quantiles.double().clamp(1e-6, 1 - 1e-6))
    sigmas = (config.sigma_log_mean + config.sigma_log_std * normal).exp()
    sigmas = sigmas.clamp(config.sigma_min, config.sigma_max).float()
    guided = torch.rand(total, generator=plan) < config.guided_share
    crops, noise = [], []
    for g in range(first, first + groups):
        where = torch.Generator().manual_seed(seed_of(config.seed, step, g, 0))
        crops.append(data.pixels(data.classes[int(classes[g])], n, where, size=size))
        generator = torch.Generator(device).manual_seed(seed_of(config.seed, step, g, 1))
        noise.append(torch.randn(crops[-1].shape, generator=generator, device=device))
    x0 = scale_pixels(torch.cat(crops).to(device))
    mine = slice(first, first + groups)
    sigma = sigmas[mine].repeat_interleave(n).to(device)
    x = x0 + sigma[:, None, None, None] * torch.cat(noise)
    rows, told = (values[mine].repeat_interleave(n).to(device) for values in (classes, guided))
    condition: PeerMatching | Labels | None
    if config.network.labels:
        condition = Labels.of(rows, config.network.labels, told)
    elif n == 1:
        condition = None
    else:
        condition = PeerMatching(leave_one_out(groups, n, guided[mine]).to(device))
    return Batch(x0, x, sigma, condition, rows, told)


def denoising_loss(denoiser, batch: Batch, sigma_data: float, *, tileable: bool = False) -> Tensor:
    """Mean squared error of the denoised image, weighted by 1 / c_out^2 (EDM, table 1)."""
    return loss_and_features(denoiser, batch, sigma_data, tileable=tileable)[0]


def loss_and_features(
    denoiser, batch: Batch, sigma_data: float, *, tileable: bool = False
) -> tuple[Tensor, Tensor]:
    """The `denoising_loss`, and the feature vectors (B, F) that were met on the way."""
    denoised, phi = denoiser(batch.x, batch.sigma, batch.condition, tileable=tileable, features=True)
    weight = (batch.sigma**2 + sigma_data**2) / (batch.sigma * sigma_data) ** 2
    return (weight[:, None, None, None] * (denoised.float() - batch.x0) ** 2).mean(), phi


def seed_of(*numbers: int) -> int:
    """A 63-bit seed from some non-negative integers, unrelated for different integers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def autocast_dtype(precision: str, device_type: str) -> torch.dtype:
    """The dtype of convolutions: what was asked for, or for "auto" bfloat16 where the hardware has it."""
    if precision != "auto":
        return torch.bfloat16 if precision == "bfloat16" else torch.float32
    if device_type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        features = torch.cpu.get_capabilities() if device_type == "cpu" else {}
        native = bool(features.get("amx_bf16") or features.get("avx512_bf16"))
    return torch.bfloat16 if native else torch.float32


def _progress(config: TrainingConfig, images: int, seconds: float) -> float:
    if config.hours is not None:
        return min(1.0, seconds / 3600 / config.hours)
    return min(1.0, images / cast(int, config.images))  # exactly one of the two is set


def _ema(decay: float):
    @torch.no_grad()
    def update(averages, currents, count) -> None:
        now = min(decay, (1 + float(count)) / (10 + float(count)))  # short memory at first
        torch._foreach_lerp_(averages, currents, 1 - now)

    return update
