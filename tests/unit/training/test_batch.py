"""Batches: their classes, noise levels and conditions; and the loss."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from PIL import Image

from fgsd.data import TextureFolder
from fgsd.training.batch import Batch, denoising_loss, make_batch, seed_of
from fgsd.training.config import TrainingConfig


@pytest.fixture
def config(tiny, data_config) -> TrainingConfig:
    """Batches of 2 groups of 3 crops."""
    return TrainingConfig(network=tiny, data=data_config, groups=2, group_size=3)


class TestBatch:
    def test_groups_are_of_one_class_at_one_level(self, data, config):
        """Classes are recognised by their mean colours, which are far apart in the synthetic textures."""
        config = dataclasses.replace(config, groups=6, group_size=4)
        batch = make_batch(data, config, step=5)
        assert batch.x0.shape == batch.x.shape == (24, 3, 16, 16)
        colours = torch.stack([data.regions(name)[0].mean(dim=(1, 2)) for name in data.classes])
        found = torch.cdist(batch.x0.mean(dim=(2, 3)), colours).argmin(dim=1).view(6, 4)
        assert (found == found[:, :1]).all()
        assert (
            sorted(found[:3, 0].tolist()) == sorted(found[3:, 0].tolist()) == [0, 1, 2]
        )  # each comes in turn
        sigmas = batch.sigma.view(6, 4)
        assert (sigmas == sigmas[:, :1]).all()
        assert len(sigmas[:, 0].unique()) == 6

    def test_noise_is_white_and_of_the_given_level(self, data, config):
        batch = make_batch(data, dataclasses.replace(config, groups=12, group_size=8), step=0)
        eps = (batch.x - batch.x0) / batch.sigma[:, None, None, None]
        count = eps.numel()
        assert eps.mean().abs() < 5 / math.sqrt(count)
        assert abs(eps.var() - 1) < 5 * math.sqrt(2 / count) + 1e-3
        assert (eps[..., 1:] * eps[..., :-1]).mean().abs() < 5 / math.sqrt(count)
        assert (eps[1:] * eps[:-1]).mean().abs() < 5 / math.sqrt(count)

    def test_levels_are_stratified(self, data, config):
        """One level falls in each of as many equal shares of the log-normal as there are groups."""
        config = dataclasses.replace(config, groups=16, sigma_min=1e-9, sigma_max=1e9)
        for step in range(5):
            sigma = make_batch(data, config, step).sigma[:: config.group_size].double()
            normal = (sigma.log() - config.sigma_log_mean) / config.sigma_log_std
            shares = (torch.special.ndtr(normal) * 16).floor().long()
            assert shares.sort().values.tolist() == list(range(16))

    def test_levels_are_clipped(self, data, config):
        config = dataclasses.replace(config, groups=32, sigma_min=0.5, sigma_max=1.0)
        sigma = make_batch(data, config, 0).sigma
        assert (sigma.min().item(), sigma.max().item()) == (0.5, 1.0)

    @pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
    def test_a_share_of_groups_is_guided(self, data, config, share):
        config = dataclasses.replace(config, groups=50, guided_share=share)
        batches = [make_batch(data, config, step, 4) for step in range(4)]
        guided = torch.stack([batch.guided for batch in batches]).view(4, 50, 3)
        assert guided.dtype == torch.bool and (guided == guided[..., :1]).all()  # all of a group or none
        deviation = math.sqrt(share * (1 - share) / 200)
        assert guided.float().mean().item() == pytest.approx(share, abs=5 * deviation)
        for batch in batches:
            assert torch.equal(batch.condition.guided, batch.guided)
            assert torch.allclose(batch.condition.weights.sum(dim=1), torch.ones(150))

    @pytest.mark.parametrize("processes", [2, 3])
    def test_data_do_not_depend_on_the_split_over_processes(self, data, config, processes):
        whole = make_batch(data, dataclasses.replace(config, groups=6), 7)
        share = 6 // processes
        parts = [
            make_batch(data, dataclasses.replace(config, groups=share), 7, first=p * share, total_groups=6)
            for p in range(processes)
        ]
        for name in ("x0", "x", "sigma", "rows", "guided"):
            assert torch.equal(torch.cat([getattr(p, name) for p in parts]), getattr(whole, name))
        assert torch.equal(torch.block_diag(*[p.condition.weights for p in parts]), whole.condition.weights)

    def test_steps_seeds_and_sizes(self, data, config):
        first, again, step, seed, small = (
            make_batch(data, config, 3),
            make_batch(data, config, 3),
            make_batch(data, config, 4),
            make_batch(data, dataclasses.replace(config, seed=1), 3),
            make_batch(data, config, 3, 8),
        )
        assert torch.equal(first.x, again.x)
        assert not torch.equal(first.x0, step.x0)
        assert not torch.equal(first.x0, seed.x0)
        assert small.x.shape == (6, 3, 8, 8)

    def test_seeds_are_unrelated(self):
        seeds = {seed_of(a, b) for a in range(30) for b in range(30)}
        assert len(seeds) == 900
        assert seed_of(1, 2) == seed_of(1, 2) != seed_of(2, 1)
        assert all(0 <= seed < 2**63 for seed in seeds)


class TestLabels:
    @pytest.fixture
    def config(self, tiny, data_config) -> TrainingConfig:
        """Batches of 60 crops with labels."""
        return TrainingConfig(
            dataclasses.replace(tiny, labels=3), data_config, images=1000, groups=60, guided_share=0.7
        )

    def test_each_crop_has_that_of_its_class_and_some_are_unguided(self, data, config):
        batch = make_batch(data, config, 0)
        labels = batch.condition
        assert labels.weights.shape == (60, 3)
        assert torch.equal(labels.weights.argmax(dim=1), batch.rows)
        assert set(labels.weights.unique().tolist()) == {0.0, 1.0}
        assert torch.equal(labels.guided, batch.guided)
        assert 0.45 < labels.guided.float().mean() < 0.95
        assert labels.weights[labels.guided].sum(dim=0).min() > 5  # every class comes up

    def test_it_is_that_of_the_image_of_the_crop(self, config, tmp_path):
        for k, grey in enumerate((20, 120, 220)):
            Image.new("RGB", (48, 48), (grey,) * 3).save(tmp_path / f"grey{k}.png")
        config = dataclasses.replace(config, groups=12, guided_share=1.0)
        data = TextureFolder(tmp_path, config.data)
        batch = make_batch(data, config, 3)
        greys = batch.x0.mean(dim=(1, 2, 3))
        expected = torch.tensor([20.0, 120.0, 220.0]) / 127.5 - 1
        assert torch.allclose(greys, batch.condition.weights @ expected, atol=0.02)


def test_crops_that_are_alone_have_a_class_and_a_level_of_their_own(data, config):
    batch = make_batch(data, dataclasses.replace(config, groups=12, group_size=1), 0)
    assert batch.condition is None and len(batch.x) == 12 == len(batch.sigma.unique())
    assert batch.rows.bincount().tolist() == [4, 4, 4]


class TestLoss:
    @pytest.fixture
    def batch(self, data, config) -> Batch:
        return make_batch(data, config, 0)

    def test_a_perfect_denoiser_has_none(self, batch):
        assert denoising_loss(lambda x, sigma, matching, **_: (batch.x0, None), batch, 0.5) == 0

    def test_the_target_of_the_bare_network_weighs_the_same_at_all_levels(self, batch):
        """EDM, equation 8: in terms of F, the loss is |F - (x0 - c_skip x) / c_out|^2."""
        output = torch.randn(batch.x.shape, generator=torch.Generator().manual_seed(0))
        sigma = batch.sigma[:, None, None, None]
        c_skip, c_out = 0.25 / (sigma**2 + 0.25), sigma * 0.5 / (sigma**2 + 0.25).sqrt()
        found = denoising_loss(
            lambda x, sigma, matching, **_: (c_skip * x + c_out * output, None), batch, 0.5
        )
        expected = (output - (batch.x0 - c_skip * batch.x) / c_out).square().mean()
        assert found.item() == pytest.approx(expected.item(), rel=1e-4)

    def test_crops_are_matched_to_their_peers(self, batch):
        seen = []
        denoising_loss(lambda x, sigma, matching, **_: (seen.append(matching.weights) or x, None), batch, 0.5)
        assert torch.equal(seen[0], batch.condition.weights)
