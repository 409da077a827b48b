"""The last part of training: centroids in the place of peers, made anew in time, and resumed exactly."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fgsd.centroids import compute_table
from fgsd.finishing import CROPS, REFRESHES, Finishing
from fgsd.network import Denoiser
from fgsd.training import TrainingConfig, make_batch, train


@pytest.fixture
def config(tiny, data) -> TrainingConfig:
    """16 steps of 2 pairs; from the ninth on with centroids."""
    return TrainingConfig(
        tiny,
        data.config,
        images=64,
        groups=2,
        centroids_from=0.5,
        warmup=2,
        save_every=1,
        validate_every=1000,
    )


@pytest.fixture
def finishing(data) -> Finishing:
    return Finishing(data, begins=0.5, sigma_min=0.05, sigma_max=5.0, seed=3, tileable=False)


def test_it_holds_in_the_last_part_alone(data, finishing):
    assert [finishing.holds(p) for p in (0.0, 0.49, 0.5, 0.99)] == [False, False, True, True]
    never = Finishing(data, begins=None, sigma_min=0.05, sigma_max=5.0, seed=0, tileable=False)
    assert not never.holds(0.99) and never.state() == {}


def test_centroids_are_those_of_the_network_and_made_anew_in_time(lively, data, finishing):
    first, second = lively(seed=1), lively(seed=2)
    made = []
    for progress in (0.5, 0.6, 0.62, 0.63, 0.75, 0.99, 1.0):
        finishing.keep_fresh(first if progress < 0.63 else second, progress)
        made.append(finishing.made)
    assert made == [0, 0, 0, 1, 2, 3, 3] and max(made) == REFRESHES - 1
    table = compute_table(second, data, finishing.sigmas, crops=CROPS, seed=3)
    assert torch.equal(finishing.values, table.values)


def test_a_network_in_training_stays_in_training(tiny, finishing):
    network = Denoiser(tiny).train()
    finishing.keep_fresh(network, 0.5)
    assert network.training


def test_each_crop_is_matched_to_its_class_at_its_level_or_to_nothing(lively, data, finishing):
    finishing.keep_fresh(lively(), 0.5)
    rows, sigma = torch.tensor([2, 0, 1]), finishing.sigmas[[0, 4, 11]]
    matching = finishing.matching(rows, sigma, torch.tensor([True, True, False]))
    expected = finishing.values[rows, [0, 4, 11]]
    assert torch.allclose(matching.centroid, expected, atol=1e-5)
    assert matching.strength.tolist() == [[1.0], [1.0], [0.0]]


def test_crops_of_one_have_a_class_and_a_level_of_their_own(data, config):
    batch = make_batch(data, replace(config, groups=6), 0, alone=True)
    assert batch.condition is None and len(batch.x) == 12 == len(batch.sigma.unique())
    assert batch.rows.bincount().tolist() == [4, 4, 4]
    together = make_batch(data, replace(config, groups=6), 0)
    assert len(together.sigma.unique()) == 6
    pairs = together.rows.unflatten(0, (6, 2))
    assert torch.equal(pairs[:, 0], pairs[:, 1])


def test_processes_share_crops_of_one_too(data, config):
    config = replace(config, groups=2)
    whole = make_batch(data, replace(config, groups=4), 5, alone=True)
    halves = [make_batch(data, config, 5, first=2 * k, total_groups=4, alone=True) for k in range(2)]
    assert torch.equal(torch.cat([half.x for half in halves]), whole.x)


def test_a_run_matches_peers_first_and_then_centroids_and_resumes_to_the_bit(
    data, config, tmp_path, monkeypatch
):
    import fgsd.training as training

    seen, loss = [], training.denoising_loss
    monkeypatch.setattr(
        training,
        "denoising_loss",
        lambda d, batch, *a, **k: seen.append(type(batch.condition).__name__) or loss(d, batch, *a, **k),
    )
    whole = list(train(data.folder, tmp_path / "whole", config, device="cpu"))
    assert seen == ["PeerMatching"] * 8 + ["CentroidMatching"] * 8
    stop = 13  # in between two makings of centroids
    for record in train(data.folder, tmp_path / "left", config, device="cpu"):
        if record.step == stop:
            break
    rest = list(train(data.folder, tmp_path / "left", config, device="cpu"))
    assert [r.loss for r in rest] == [r.loss for r in whole[stop:]]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"centroids_from": 0.0}, "centroids_from=0.0 must be between 0 and 1"),
        ({"centroids_from": 1.0}, "centroids_from=1.0 must be between 0 and 1"),
        ({"guided_share": 0.0}, "must be None where nothing is matched"),
    ],
)
def test_bad_settings(config, options, message):
    with pytest.raises(ValueError, match=message):
        replace(config, **options)
