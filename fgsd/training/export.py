"""Export a training run as a checkpoint: averaged weights, the centroids of all classes, a model card."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from fgsd.card import model_card
from fgsd.centroids import CentroidTable, compute_table, measure_normalization
from fgsd.checkpoint import Checkpoint, CheckpointInfo, describe, save_checkpoint
from fgsd.data import TextureFolder
from fgsd.device import best_device
from fgsd.feature_map import fit_map
from fgsd.gaussians import GaussianSource
from fgsd.levels import noise_levels
from fgsd.model.network import Denoiser
from fgsd.training.config import TrainingConfig
from fgsd.training.given_centroids import GivenCentroids
from fgsd.training.loop import new_running_centroids
from fgsd.training.run_folder import RunFolder
from fgsd.training.running_centroids import RunningCentroids


def export(
    run: str | Path,
    data: TextureFolder | GaussianSource,
    config: TrainingConfig,
    out: str | Path,
    *,
    classes: Collection[str] | None = None,
    noise_level_count: int = 13,
    crops: int = 16,
    centroids: CentroidTable | None = None,
    map_crops: int = 24,
    attribution: str = "",
    license: str = "other",
    families: Mapping[str, str] | None = None,
    begun_from: CheckpointInfo | None = None,
    progress: Callable[..., Any] | None = None,
) -> Checkpoint:
    """Write the checkpoint of the last saved state of a run.

    Parameters
    ----------
    run : str or Path
    data : TextureFolder or GaussianSource
        What the run was trained on.
    config : TrainingConfig
        The configuration of the run.
    out : str or Path
        Folder of the checkpoint.
    classes : collection of str, optional
        Classes of the checkpoint; by default all that the run was trained on.
    noise_level_count : int
        Noise levels in the table of centroids; a network with target embedding has those of its
        normalisation instead.
    crops : int
        Training crops averaged for each centroid.
    centroids : CentroidTable, optional
        Of a run with `config.given_centroids`: they are kept, with what the run has learned of them; by
        default they are measured.
    map_crops : int
        Training crops of each class on the map of features; 0 makes no map, nor does a `GaussianSource`.
    attribution, license : str
        For the model card; the license as the Hugging Face hub names it ("cc-by-sa-3.0").
    families : mapping of str to str, optional
        The family of each class that has one; other classes in it are left out.
    begun_from : CheckpointInfo, optional
        Of the checkpoint whose weights the run began with; its crops and hours are added.
    progress : callable, optional
        Wraps an iterable, called as `tqdm` is: `progress(items, desc=...)`.

    Raises
    ------
    FileNotFoundError
        If the run has no saved state.
    ValueError
        If the run was begun with another configuration or other classes, or some of `classes` are left out of
        a network with target embedding.
    KeyError
        If it was not trained on one of `classes`.
    """
    run_folder = RunFolder(run, config, data.classes)
    if classes is not None and isinstance(data, TextureFolder):
        if config.network.target_embedding:
            raise ValueError("classes: a network with target embedding keeps all classes of its training")
        data = data.only(classes)
    network = Denoiser(config.network)
    step, seconds, extra = run_folder.load_average(network)
    network.eval().requires_grad_(False).to(best_device())
    info = replace(
        _info(config, attribution, license),
        images=run_folder.images_at(step) + (begun_from.images if begun_from else 0),
        hours=round(seconds / 3600 + (begun_from.hours if begun_from else 0.0), 2),
    )
    bar = partial(progress, desc="centroids") if progress else None
    options: dict[str, Any] = dict(seed=config.seed, tileable=config.tileable, progress=bar)
    if centroids is not None:
        table = _learned_in_run(centroids, extra)
    elif network.target_embedding is None:
        measure_normalization(network, data, **options)
        levels = noise_levels(info.sigma_min, info.sigma_max, noise_level_count)
        table = compute_table(network, data, levels, crops=crops, **options)
    else:
        running = new_running_centroids(config, len(data.classes))
        running.restore(extra)
        table = _table_of_training(network, data, running, crops=crops, **options)
    feature_map = None
    if map_crops and isinstance(data, TextureFolder):
        feature_map = fit_map(network, table, data, crops=map_crops, seed=config.seed, progress=progress)
    checkpoint = Checkpoint(network, table, info, feature_map, families=families or {})
    save_checkpoint(checkpoint, out, card=model_card(checkpoint))
    return checkpoint


def check_export(
    classes: list[str], config: TrainingConfig, *, attribution: str = "", license: str = "other"
) -> None:
    """Raise `ValueError` if the checkpoint of a run could not be loaded, before the run begins.

    Parameters
    ----------
    classes : list of str
        Of the data.
    config, attribution, license
        As for `export`.
    """
    describe(config.network, _info(config, attribution, license), classes)


def _info(config: TrainingConfig, attribution: str, license: str) -> CheckpointInfo:
    """Return the settings and terms of a checkpoint, without crops and hours."""
    return CheckpointInfo(
        patch_size=config.data.patch_size,
        image_size=config.data.image_size,
        test_share=config.data.test_share,
        sigma_min=max(0.02, config.sigma_min),
        sigma_max=config.sigma_max,
        attribution=attribution,
        license=license,
    )


def _learned_in_run(table: CentroidTable, extra: Mapping[str, Tensor]) -> CentroidTable:
    """Return given centroids with what a run has learned of them, if it has; `extra` is of its state."""
    given = GivenCentroids(table, learned=bool(extra))
    given.restore(extra)
    return given.averaged()


def _table_of_training(
    network: Denoiser,
    data: TextureFolder | GaussianSource,
    running: RunningCentroids,
    *,
    crops: int,
    **options: Any,
) -> CentroidTable:
    """Return the running centroids of a network with target embedding, and set its statistics to theirs.

    Centroids that are measured anew differ a little from those of training. Such a network amplifies the
    difference: the error of a small one rose by a tenth.
    """
    assert network.normalization is not None and network.target_embedding is not None
    centroids, device = running.known(), network.normalization.mean.device
    stats = (part.to(device) for part in (running.sigmas, *running.statistics()))
    network.normalization.set_stats(*stats)
    network.target_embedding.set_centroids(network.normalization, centroids.to(device))
    coordinates = network.target_coordinates(running.sigmas, centroids)
    table = compute_table(network, data, running.sigmas, crops=crops, coordinates=coordinates, **options)
    return replace(table, values=centroids)
