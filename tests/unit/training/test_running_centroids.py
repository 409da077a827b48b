"""Running centroids: means of features by class and noise level; runs that match to them and resume."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fgsd.model.network import Denoiser
from fgsd.training import loop as training
from fgsd.training.config import TrainingConfig
from fgsd.training.loop import train
from fgsd.training.run_folder import RunFolder
from fgsd.training.running_centroids import LEVELS, WINDOW_CROPS, WINDOW_SHARE, RunningCentroids

YES = torch.tensor([True])


@pytest.fixture
def running() -> RunningCentroids:
    return RunningCentroids(3, 4, sigma_min=0.05, sigma_max=5.0, target_embedding=True)


def update(running, rows, sigma, phi, guided=None) -> None:
    rows = torch.as_tensor(rows)
    guided = torch.ones(len(rows), dtype=torch.bool) if guided is None else torch.tensor(guided)
    running.update(*running.batch_sums(rows, torch.as_tensor(sigma), guided, torch.as_tensor(phi)))


def test_the_first_crops_are_averaged_as_they_are(running):
    level = running.sigmas[3].item()
    phis = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    for phi in phis:
        update(running, [1], [level], phi[None])
    assert torch.allclose(running.values[1, 3], phis.mean(dim=0), atol=1e-4)
    assert running.counts[1, 3].item() == pytest.approx(5, abs=1e-3)
    assert running.counts[[0, 2]].sum() == 0


def test_later_ones_replace_what_is_old(running):
    """Each crop leaves 1 - 1 / window of the mean; the window is a share of all crops once that is more."""
    level = running.sigmas[3].item()
    for _ in range(20):
        update(running, [1], [level], torch.full((1, 4), 8.0))
    kept = torch.tensor(1.0)
    for seen in range(21, 201):
        update(running, [1], [level], torch.full((1, 4), -2.0))
        kept *= 1 - 1 / max(WINDOW_CROPS, WINDOW_SHARE * seen)
        if seen in (40, 200):
            assert torch.allclose((running.values[1, 3] + 2) / 10, kept, atol=1e-3)
    assert kept < 1e-3


def test_a_crop_between_two_levels_is_shared_by_them(running):
    a, b = running.sigmas[4:6].log()
    update(running, [0], [(0.75 * a + 0.25 * b).exp().item()], torch.ones(1, 4))
    assert running.counts[0, 4].item() == pytest.approx(0.75, abs=1e-4)
    assert running.counts[0, 5].item() == pytest.approx(0.25, abs=1e-4)
    update(running, [2, 2], [1e-3, 1e3], torch.ones(2, 4))  # beyond the ends, at the ends
    assert running.counts[2, [0, LEVELS - 1]].tolist() == pytest.approx([1, 1])


def test_a_crop_is_matched_to_its_class_at_its_level_or_unguided(running):
    generator = torch.Generator().manual_seed(0)
    running.values.normal_(generator=generator)
    running.counts.fill_(1)
    running.counts[2] = 0  # a class that was never seen
    rows, levels = torch.tensor([1, 0, 1, 2]), torch.tensor([0, 4, 11, 5])
    matching = running.matching(rows, running.sigmas[levels], torch.tensor([True, True, False, True]))
    assert torch.allclose(matching.centroid[:3], running.values[rows, levels][:3], atol=1e-4)
    assert matching.guided.tolist() == [True, True, False, False] and matching.strength == 1
    middle = (running.sigmas[4] * running.sigmas[5]).sqrt()[None]
    between = running.matching(rows[:1], middle, YES).centroid
    assert torch.allclose(between[0], running.values[1, 4:6].mean(dim=0), atol=1e-4)
    running.counts[1, 4] = 0  # then only the other level counts
    assert torch.allclose(
        running.matching(rows[:1], middle, YES).centroid[0], running.values[1, 5], atol=1e-4
    )


def test_unguided_crops_are_not_counted(running):
    update(running, [0, 1], [1.0, 1.0], torch.ones(2, 4), guided=[False, True])
    assert running.counts[0].sum() == 0 and running.counts[1].sum() == pytest.approx(1)


def test_where_a_class_was_never_seen_it_has_the_centroid_of_its_nearest_level(running):
    running.values.normal_(generator=torch.Generator().manual_seed(0))
    running.counts[:, 3], running.counts[:2, 7] = 1, 1
    known = running.known()
    assert torch.equal(known[0, :6], running.values[0, 3].expand(6, -1))
    assert torch.equal(known[1, 6:], running.values[1, 7].expand(LEVELS - 6, -1))
    assert torch.equal(known[2], running.values[2, 3].expand(LEVELS, -1))
    running.counts[1] = 0
    with pytest.raises(ValueError, match=r"rows \[1\] yet"):
        running.known()


def test_the_sums_of_two_processes_add_up(running):
    rows, sigma = torch.tensor([0, 1, 1, 2]), torch.tensor([0.1, 0.7, 0.8, 3.0])
    guided, phi = torch.tensor([True, True, False, True]), torch.randn(4, 4)
    halves = [running.batch_sums(rows[k], sigma[k], guided[k], phi[k]) for k in (slice(0, 2), slice(2, 4))]
    whole = running.batch_sums(rows, sigma, guided, phi)
    for both, one in zip(zip(*halves, strict=True), whole, strict=True):
        assert torch.allclose(sum(both), one, atol=1e-6)


def test_statistics_are_those_of_the_classes_that_were_seen(running):
    running.values.normal_(generator=torch.Generator().manual_seed(0))
    running.counts[:2, 3] = 1
    running.counts[0, 4] = 1
    mean, spread, known = running.statistics()
    assert known.tolist() == [k == 3 for k in range(LEVELS)]  # one class of three is too few
    assert torch.allclose(mean[3], running.values[:2, 3].mean(dim=0), atol=1e-6)
    assert torch.allclose(spread[3], running.values[:2, 3].std(dim=0, correction=0), atol=1e-6)


@pytest.fixture
def config(tiny, data) -> TrainingConfig:
    """16 steps of 4 crops."""
    return TrainingConfig(
        replace(tiny, normalization_levels=LEVELS, target_embedding=3),
        data.config,
        images=64,
        groups=4,
        warmup=2,
        save_every=1,
        validate_every=1000,
    )


def test_a_run_matches_to_what_it_has_seen_and_resumes_to_the_bit(data, config, tmp_path, monkeypatch):
    seen, loss = [], training.loss_and_features
    monkeypatch.setattr(training, "REFRESH_EVERY", 3)
    monkeypatch.setattr(
        training,
        "loss_and_features",
        lambda d, batch, *a, **k: seen.append(batch.condition) or loss(d, batch, *a, **k),
    )
    whole = list(train(data.folder, tmp_path / "whole", config, device="cpu"))
    assert len(seen) == 16 and not seen[0].guided.any()  # no centroid is known yet
    assert sum(one.guided.sum() for one in seen[8:]) > 20  # nine in ten of 32, but for new levels
    assert not seen[0].coordinates.any() and seen[15].coordinates.any()
    for record in train(data.folder, tmp_path / "left", config, device="cpu"):
        if record.step == 7:
            break
    rest = list(train(data.folder, tmp_path / "left", config, device="cpu"))
    assert [r.loss for r in rest] == [r.loss for r in whole[7:]]


def test_centroids_are_frozen_where_the_configuration_says(data, config, tmp_path):
    config, known, losses = replace(config, freeze_centroids_at=0.5), {}, []
    for record in train(data.folder, tmp_path, config, device="cpu"):
        if record.step in (7, 8, 16):
            run_folder = RunFolder(tmp_path, config, data.classes)
            known[record.step] = run_folder.load_average(Denoiser(config.network))[2]
        losses.append(record.loss)
    for key in ("values", "counts", "coordinates"):
        assert torch.equal(known[8][key], known[16][key])
    assert not torch.equal(known[7]["values"], known[8]["values"])
    assert len(set(losses)) == 16  # the weights go on


@pytest.mark.parametrize("levels", [3, LEVELS])
def test_the_network_is_normalized_by_the_statistics_of_its_run(data, config, tmp_path, levels):
    config = replace(config, network=replace(config.network, normalization_levels=levels))
    list(train(data.folder, tmp_path / "run", config, device="cpu"))
    run_folder, network = RunFolder(tmp_path / "run", config, data.classes), Denoiser(config.network)
    run_folder.load_average(network)
    known = (network.normalization.spread != 1).any(dim=1)
    assert known.sum() >= levels / 3 and network.normalization.mean[known].abs().sum() > 0
