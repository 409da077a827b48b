"""Turn a training run into a checkpoint: averaged weights, the centroids of all classes, a model card."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fgsd.card import model_card
from fgsd.centroids import CentroidTable, compute_table, measure_normalization
from fgsd.checkpoint import Checkpoint, CheckpointInfo, save_checkpoint
from fgsd.data import TextureFolder
from fgsd.device import best_device
from fgsd.feature_map import fit_map
from fgsd.gaussians import GaussianSource
from fgsd.levels import noise_levels
from fgsd.model.network import Denoiser
from fgsd.training.loop import TrainingConfig, running_centroids
from fgsd.training.run_folder import RunFolder
from fgsd.training.running_centroids import RunningCentroids


def export(
    run: str | Path,
    data: TextureFolder | GaussianSource,
    config: TrainingConfig,
    out: str | Path,
    *,
    noise_level_count: int = 16,
    crops: int = 48,
    map_crops: int = 24,
    attribution: str = "",
    license: str = "other",
    begun_from: CheckpointInfo | None = None,
    progress=None,
) -> Checkpoint:
    """Write the checkpoint of the last saved state of a run.

    Parameters
    ----------
    noise_level_count : int
        Noise levels in the table of centroids; a network with foresight has those of its standards.
    crops : int
        Training crops averaged for each centroid.
    map_crops : int
        Training crops of each class on the map of features; with 0 none is made, nor of a `GaussianSource`.
    attribution, license : str
        Of the training images, for the model card; the license as the hub names it ("cc-by-sa-3.0").
    begun_from : CheckpointInfo, optional
        Of the checkpoint whose weights the run began with: its training counts too.
    progress : callable, optional
        Wraps what is iterated over, called as `tqdm` is: `progress(items, desc=...)`.

    Raises
    ------
    FileNotFoundError
        If the run has saved no state yet.
    """
    place = RunFolder(run, config, data.classes)
    network = Denoiser(config.network)
    step, seconds, more = place.load_average(network)
    network.eval().requires_grad_(False).to(best_device())
    info = CheckpointInfo(
        patch_size=config.data.patch_size,
        image_size=config.data.image_size,
        test_share=config.data.test_share,
        sigma_min=max(0.02, config.sigma_min),
        sigma_max=config.sigma_max,
        images=place.images_at(step) + (begun_from.images if begun_from else 0),
        hours=round(seconds / 3600 + (begun_from.hours if begun_from else 0.0), 2),
        attribution=attribution,
        license=license,
    )
    levels = noise_levels(info.sigma_min, info.sigma_max, noise_level_count)
    bar = partial(progress, desc="centroids") if progress else None
    same: dict[str, Any] = dict(seed=config.seed, tileable=config.tileable, progress=bar)
    if network.foresight is None:
        measure_normalization(network, data, **same)
        table = compute_table(network, data, levels, crops=crops, **same)
    else:
        running = running_centroids(config, len(data.classes))
        running.restore(more)
        table = _table_as_trained(network, data, running, crops=crops, **same)
    found = None
    if map_crops and isinstance(data, TextureFolder):
        found = fit_map(network, table, data, crops=map_crops, seed=config.seed, progress=progress)
    checkpoint = Checkpoint(network, table, info, found)
    save_checkpoint(checkpoint, out, card=model_card(checkpoint))
    return checkpoint


def _table_as_trained(
    network: Denoiser, data, running: RunningCentroids, *, crops: int, **same: Any
) -> CentroidTable:
    """The centroids and units that a network with foresight was guided to in training.

    Measured anew they differ by a little, of which a network that reads all differences makes much: the error
    of a small one rose by a tenth.
    """
    assert network.standards is not None and network.foresight is not None
    values, device = running.known(), network.standards.mean.device
    known = (part.to(device) for part in (running.sigmas, *running.standards()))
    network.standards.follow(*known)
    network.foresight.follow(network.standards, values.to(device))
    read = network.reading(running.sigmas, values)
    table = compute_table(network, data, running.sigmas, crops=crops, coordinates=read, **same)
    return replace(table, values=values)
