"""The training loop: learn score and features together, from the denoising loss alone.

Crops are matched to running centroids of their classes, means of the features that the network has computed
so far (see `fgsd.training.running_centroids`): so the network learns to denoise an image by the features of
its class. `fgsd.training.batch` describes the other ways.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from fgsd.centroids import CentroidTable
from fgsd.data import TextureFolder
from fgsd.device import has_bfloat16
from fgsd.gaussians import GaussianSource
from fgsd.model.network import Denoiser
from fgsd.training.batch import Batch, loss_and_features, make_batch
from fgsd.training.config import TrainingConfig
from fgsd.training.given_centroids import GivenCentroids
from fgsd.training.optimizer import build_optimizers, cosine
from fgsd.training.run_folder import RunFolder
from fgsd.training.running_centroids import LEVELS, RunningCentroids
from fgsd.training.validation import Validation, validate

UNSEEN_PEERS = 7  # crops that the crops of an unseen class are matched to in validation
REFRESH_EVERY = 25  # steps after which the coordinates of the running centroids are computed again


@dataclass(frozen=True)
class TrainingStep:
    """One optimisation step, as the generator yields it."""

    step: int  # steps so far
    images: int  # crops so far, over all processes
    loss: float  # of this batch, mean over pixels of the squared error, preconditioned (EDM, equation 8)
    progress: float  # fraction of the budget that is used up, 0 to 1
    seconds: float  # of training so far, over all sittings
    validation: Validation | None = None  # on steps that validate
    unseen: Validation | None = None  # the same on classes that are not trained on


def train(
    folder: str | Path | TextureFolder | GaussianSource,
    run: str | Path,
    config: TrainingConfig | None = None,
    *,
    init_from: Denoiser | None = None,
    unseen: TextureFolder | None = None,
    centroids: CentroidTable | None = None,
    device: str | None = None,
) -> Iterator[TrainingStep]:
    """Train in the folder `run`, or resume the run in it; yields every step.

    All randomness of a step follows from (seed, step, group), so a run that was killed continues exactly from
    its last saved state.

    Parameters
    ----------
    folder : str or Path, TextureFolder or GaussianSource
        Images; or classes with known densities. A `TextureFolder` must have been made with `config.data`.
    run : str or Path
        Folder of `state.safetensors` (rewritten atomically), `config.json` and `log.jsonl`.
    config : TrainingConfig
        A run can only be resumed with the configuration that it was started with.
    init_from : Denoiser
        Initial weights of a new run; its config must be that of `config.network`.
    unseen : TextureFolder, optional
        Classes that are not trained on, to validate with: their crops are matched to each other, which needs
        a network without labels and target embedding.
    centroids : CentroidTable, optional
        For `config.given_centroids`: of the classes of the data, in their order.
    device : str
        "cpu" to avoid the accelerator; by default the best device there is.

    Raises
    ------
    ValueError
        If the run was started with another configuration or other classes, `network.labels` or
        `network.target_embedding` is not the number of classes, or `centroids` do not fit.
    FloatingPointError
        If the loss is not finite any more.
    """
    config = config or TrainingConfig()
    accelerator = Accelerator(cpu=device == "cpu", mixed_precision="no")
    data = (
        TextureFolder(folder, config.data, max_crop=config.max_crop)
        if isinstance(folder, str | Path)
        else folder
    )
    config.check_classes(data.classes)
    if unseen is not None and (config.network.labels or config.network.target_embedding):
        raise ValueError("unseen: a network with labels or target embedding has no target for new classes")
    if config.given_centroids != (centroids is not None):
        found = "a table" if centroids is not None else None
        raise ValueError(f"given_centroids={config.given_centroids} and centroids={found} do not fit")
    if centroids is not None and centroids.classes != data.classes:
        raise ValueError(f"centroids: their classes must be those of the data, {', '.join(data.classes)}")
    run_folder = RunFolder(run, config, data.classes)
    model = _initial_network(config, init_from)
    model.to(accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(model, multi_avg_fn=ema(config.ema), use_buffers=True)
    optimizers = build_optimizers(model, muon_lr=config.muon_lr, adam_lr=config.adam_lr)
    given = None
    if centroids is not None:
        given = GivenCentroids(centroids, accelerator.device, learned=config.centroid_lr > 0)
    moves = None if given is None else given.moves
    if moves is not None:
        optimizers.append(torch.optim.Adam([moves], lr=config.centroid_lr, betas=(0.9, 0.99)))
    running = None
    if config.uses_running_centroids:
        running = new_running_centroids(config, len(data.classes), device=accelerator.device)
    step, seconds, extra = run_folder.load(model, average, optimizers)
    targets = given or running
    if targets is not None:
        targets.restore(extra)
    if accelerator.is_main_process:
        run_folder.begin(step)
    accelerator.wait_for_everyone()
    wrapped = accelerator.prepare_model(model)
    if config.compile:
        wrapped = torch.compile(wrapped)
    dtype = autocast_dtype(config.precision, accelerator.device.type)
    per_step = config.groups * config.group_size * accelerator.num_processes
    started = time.monotonic() - seconds

    def next_batch(step: int, progress: float) -> Batch:
        """Return this process's part of the batch."""
        of_step = config.of_step(step)
        return make_batch(
            data,
            of_step,
            step,
            config.crop_size(progress),
            first=accelerator.process_index * of_step.groups,
            total_groups=accelerator.num_processes * of_step.groups,
            device=accelerator.device,
        )

    batch = None
    while (progress := _progress(config, step * per_step, seconds)) < 1:
        _set_learning_rates(optimizers, config, step, progress)
        batch = batch or next_batch(step, progress)
        if targets is not None and batch.condition is None:
            batch = replace(batch, condition=targets.matching(batch.rows, batch.sigma, batch.guided))
        with torch.autocast(accelerator.device.type, dtype=dtype, enabled=dtype != torch.float32):
            loss, phi = loss_and_features(wrapped, batch, config.network.sigma_data, tileable=config.tileable)
        if running is not None and progress < config.freeze_centroids_at:
            _update_centroids(running, model, batch, phi, step, accelerator)
        accelerator.backward(loss)
        # cut the next batch while an accelerator still computes
        batch = next_batch(step + 1, _progress(config, (step + 1) * per_step, time.monotonic() - started))
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        if moves is not None and moves.grad is not None:
            moves.grad = accelerator.reduce(moves.grad, "mean")
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        average.update_parameters(model)
        if given is not None:
            given.update_average(1 - ema_decay(config.ema, step))
        step += 1
        seconds = time.monotonic() - started
        if config.hours is not None:  # all processes must stop at the same step
            seconds = accelerator.reduce(torch.tensor(seconds, device=accelerator.device), "mean").item()
        shared_loss = accelerator.reduce(loss.detach(), "mean").item()
        if not math.isfinite(shared_loss):
            raise FloatingPointError(
                f"the loss became {shared_loss} at step {step}: lower muon_lr={config.muon_lr} or "
                f"adam_lr={config.adam_lr}; the run's last saved state is still good"
            )
        progress = _progress(config, step * per_step, seconds)
        record = TrainingStep(step, step * per_step, shared_loss, progress, seconds)
        if accelerator.is_main_process:
            if step % config.validate_every == 0 or progress >= 1:
                known: RunningCentroids | GivenCentroids | None = (
                    running if model.target_embedding is not None else None
                )
                if given is not None:
                    known = GivenCentroids(given.averaged(), accelerator.device)
                report = validate(
                    cast(Denoiser, average.module),
                    data,
                    centroids=known,
                    seed=config.seed,
                    tileable=config.tileable,
                )
                record = replace(record, validation=report)
                if unseen is not None:
                    report = validate(
                        cast(Denoiser, average.module), unseen, peers=UNSEEN_PEERS, seed=config.seed
                    )
                    record = replace(record, unseen=report)
            run_folder.log(record)
            if step % config.save_every == 0 or progress >= 1:
                state = targets.state() if targets else None
                run_folder.save(model, average, optimizers, step, seconds, state)
        yield record
    accelerator.wait_for_everyone()


def new_running_centroids(
    config: TrainingConfig, classes: int, *, device: torch.device | str = "cpu"
) -> RunningCentroids:
    """Return the empty running centroids of a new run."""
    return RunningCentroids(
        classes,
        config.network.dimension,
        sigma_min=config.sigma_min,
        sigma_max=config.sigma_max,
        levels=config.network.normalization_levels or LEVELS,
        target_embedding=config.network.target_embedding > 0,
        device=device,
    )


def autocast_dtype(precision: str, device_type: str) -> torch.dtype:
    """Return the dtype of convolutions: as set, or for "auto" bfloat16 where the hardware supports it."""
    if precision != "auto":
        return torch.bfloat16 if precision == "bfloat16" else torch.float32
    return torch.bfloat16 if has_bfloat16(device_type) else torch.float32


def _initial_network(config: TrainingConfig, init_from: Denoiser | None) -> Denoiser:
    """Return a network with weights drawn from the seed, or copied; the global random state is restored."""
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        model = Denoiser(config.network)
    if init_from is not None:
        model.load_state_dict(init_from.state_dict())
    return model


def _set_learning_rates(
    optimizers: list[torch.optim.Optimizer], config: TrainingConfig, step: int, progress: float
) -> None:
    """Set the rates of a step: a linear warm-up, and a cosine over the budget."""
    factor = cosine(progress) * min(1.0, (step + 1) / config.warmup)
    rates = (config.muon_lr, config.adam_lr, *([config.centroid_lr] if config.centroid_lr else []))
    for optimizer, rate in zip(optimizers, rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate * factor


def _update_centroids(
    running: RunningCentroids, model: Denoiser, batch: Batch, phi: Tensor, step: int, accelerator: Accelerator
) -> None:
    """Add the features (B, F) of the batches of all processes, and pass the statistics to the network."""
    sums, counts = running.batch_sums(batch.rows, batch.sigma, batch.guided, phi)
    running.update(accelerator.reduce(sums, "sum"), accelerator.reduce(counts, "sum"))
    if model.normalization is not None:
        model.normalization.set_stats(running.sigmas, *running.statistics())
    if model.target_embedding is not None and step % REFRESH_EVERY == 0:
        running.refresh_coordinates()


def _progress(config: TrainingConfig, images: int, seconds: float) -> float:
    """Return the fraction of the budget that is used up, 0 to 1."""
    if config.hours is not None:
        return min(1.0, seconds / 3600 / config.hours)
    return min(1.0, images / cast(int, config.images))  # exactly one of the two is set


def ema_decay(decay: float, count: float) -> float:
    """Return the decay of the average after `count` steps: it is small at first."""
    return min(decay, (1 + count) / (10 + count))


def ema(decay: float):
    """Return the update of `AveragedModel`: an exponential moving average with a short memory at first."""

    @torch.no_grad()
    def update(averages, currents, count) -> None:
        torch._foreach_lerp_(averages, currents, 1 - ema_decay(decay, float(count)))

    return update
