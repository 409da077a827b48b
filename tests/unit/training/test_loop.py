"""Batches, the loss, and runs: that learn, repeat, resume to the bit, and split over processes."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from torch.optim.swa_utils import AveragedModel
from training_processes import log, run_all, same, state

from fgsd.data import DataConfig, TextureFolder
from fgsd.gaussians import GaussianSource, some_gaussians
from fgsd.model.network import Denoiser
from fgsd.training import loop as training
from fgsd.training.loop import (
    Batch,
    TrainingConfig,
    autocast_dtype,
    denoising_loss,
    make_batch,
    seed_of,
    train,
)
from fgsd.training.optimizer import cosine


@pytest.fixture
def config(tiny, data_config) -> TrainingConfig:
    """Batches of 2 groups of 3 crops; 8 steps."""
    return TrainingConfig(
        network=tiny,
        data=data_config,
        images=48,
        groups=2,
        group_size=3,
        warmup=2,
        precision="float32",
        save_every=1,
        validate_every=100,
    )


class TestConfig:
    @pytest.mark.parametrize(
        "options, named",
        [
            ({"images": None}, "images=None and hours=None"),
            ({"hours": 1.0}, "hours=1.0"),
            ({"images": 0}, "images=0"),
            ({"images": None, "hours": -1.0}, "hours=-1.0"),
            ({"groups": 0}, "groups=0"),
            ({"group_size": 0}, "group_size=0"),
            ({"guided_share": 1.1}, "guided_share=1.1"),
            ({"sigma_min": 0.0}, "sigma_min=0.0"),
            ({"sigma_min": 21.0}, "sigma_max=20.0"),
            ({"precision": "float16"}, "precision='float16'"),
            ({"crop_sizes": ()}, "crop_sizes="),
            ({"crop_sizes": ((0.5, 1.0),)}, "crop_sizes="),
            ({"crop_sizes": ((0.0, 1.0), (0.5, 2.0))}, "crop_sizes="),
            ({"crop_sizes": ((0.0, 1.0), (0.5, 0.0))}, "crop_sizes="),
            ({"seed": -1}, "seed=-1"),
        ],
    )
    def test_bad_settings(self, options, named):
        with pytest.raises(ValueError, match=named):
            TrainingConfig(**options)

    def test_crops_grow_with_the_budget(self, tiny):
        data = DataConfig(image_size=None, patch_size=24)
        config = TrainingConfig(network=tiny, data=data, crop_sizes=((0.0, 0.1), (0.3, 0.6), (0.7, 1.0)))
        sizes = [config.crop_size(p) for p in (0, 0.29, 0.3, 0.69, 0.7, 1.0)]
        assert sizes == [4, 4, 16, 16, 24, 24]  # to the next multiple of the network, 4, and never less


class TestBatch:
    def test_groups_are_of_one_class_at_one_level(self, data, config):
        """Classes are told by their mean colour, which is far apart in the synthetic textures."""
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

    def test_noise_is_white_and_of_the_level_that_is_told(self, data, config):
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
        weights = torch.stack([make_batch(data, config, step, 4).condition.weights for step in range(4)])
        unguided = weights.diagonal(dim1=1, dim2=2)
        assert set(unguided.unique().tolist()) <= {0.0, 1.0}
        assert 1 - unguided.mean().item() == pytest.approx(
            share, abs=5 * math.sqrt(share * (1 - share) / 200)
        )
        assert torch.allclose(weights.sum(dim=2), torch.ones(()))

    @pytest.mark.parametrize("processes", [2, 3])
    def test_data_do_not_depend_on_the_split_over_processes(self, data, config, processes):
        whole = make_batch(data, dataclasses.replace(config, groups=6), 7)
        share = 6 // processes
        parts = [
            make_batch(data, dataclasses.replace(config, groups=share), 7, first=p * share, total_groups=6)
            for p in range(processes)
        ]
        for name in ("x0", "x", "sigma"):
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


class TestRuns:
    def test_the_loss_falls(self, texture_folder, tmp_path, config):
        config = dataclasses.replace(config, groups=4, images=12 * 40, warmup=5, save_every=1000)
        losses = [record.loss for record in run_all(texture_folder, tmp_path / "run", config)]
        assert losses[0] > 0.5
        assert np.mean(losses[-10:]) < 0.85 * np.mean(losses[:5])

    def test_classes_whose_density_is_known_are_learned_as_wrapping_images(self, tiny, tmp_path):
        source = GaussianSource(some_gaussians(2, size=8))
        config = TrainingConfig(
            network=tiny,
            data=source.config,
            images=12 * 40,
            groups=4,
            group_size=3,
            warmup=5,
            crop_sizes=((0.0, 1.0),),
            tileable=True,
            precision="float32",
        )
        losses = [record.loss for record in train(source, tmp_path / "run", config, device="cpu")]
        assert np.mean(losses[-10:]) < 0.85 * np.mean(losses[:5])
        x, sigma = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.ones(2)
        batch = Batch(x, x, sigma, torch.zeros(2, 2), torch.zeros(2), torch.ones(2))
        seen = []
        denoising_loss(
            lambda x, s, matching, tileable, **_: (seen.append(tileable) or x, None),
            batch,
            0.5,
            tileable=True,
        )
        assert seen == [True]

    def test_records_and_files(self, texture_folder, tmp_path, config):
        config = dataclasses.replace(config, validate_every=5)
        records = run_all(texture_folder, tmp_path / "run", config)
        assert [r.step for r in records] == list(range(1, 9))
        assert [r.images for r in records] == list(range(6, 49, 6))
        assert [r.progress for r in records] == pytest.approx([k / 8 for k in range(1, 9)])
        assert [r.step for r in records if r.validation] == [5, 8]
        assert all(a.seconds < b.seconds for a, b in pairwise(records))
        assert [r["loss"] for r in log(tmp_path / "run")] == [r.loss for r in records]
        assert log(tmp_path / "run")[7]["validation"]["guided"] == list(records[7].validation.guided)
        assert {p.name for p in (tmp_path / "run").iterdir()} == {
            "config.json",
            "log.jsonl",
            "state.safetensors",
        }

    def test_same_seed_same_weights(self, texture_folder, tmp_path, config):
        for name, seed in (("a", 0), ("b", 0), ("c", 1)):
            run_all(texture_folder, tmp_path / name, dataclasses.replace(config, images=18, seed=seed))
        assert same(state(tmp_path / "a"), state(tmp_path / "b"))
        assert not same(state(tmp_path / "a"), state(tmp_path / "c"))

    def test_a_run_that_was_left_goes_on(self, texture_folder, tmp_path, config):
        run_all(texture_folder, tmp_path / "whole", config)
        for stop in (3, 6):
            for record in train(texture_folder, tmp_path / "parts", config, device="cpu"):
                if record.step == stop:
                    break
        assert [r.step for r in run_all(texture_folder, tmp_path / "parts", config)] == [7, 8]
        assert same(state(tmp_path / "whole"), state(tmp_path / "parts"))
        assert log(tmp_path / "whole") == log(tmp_path / "parts")

    def test_a_run_that_has_ended_has_no_more_steps(self, texture_folder, tmp_path, config):
        config = dataclasses.replace(config, images=6)
        run_all(texture_folder, tmp_path, config)
        before = state(tmp_path)
        assert run_all(texture_folder, tmp_path, config) == []
        assert same(state(tmp_path), before)
        assert len(log(tmp_path)) == 1

    def test_a_budget_in_hours(self, texture_folder, tmp_path, config):
        config = dataclasses.replace(config, images=None, hours=0.2 / 3600, save_every=1000)
        *_, last = run_all(texture_folder, tmp_path, config)
        assert last.progress == 1
        assert last.seconds >= 0.2
        assert last.validation is not None
        assert state(tmp_path)["average/n_averaged"] == last.step

    def test_rates_warm_up_and_fall_as_a_cosine(self, texture_folder, tmp_path, config, monkeypatch):
        built, build = [], training.build_optimizers
        monkeypatch.setattr(
            training, "build_optimizers", lambda *args, **rates: built.extend(build(*args, **rates)) or built
        )
        for k, _ in enumerate(train(texture_folder, tmp_path, config, device="cpu")):
            factor = cosine(k / 8) * min(1, (k + 1) / 2)
            assert built[0].param_groups[0]["lr"] == pytest.approx(config.muon_lr * factor)
            assert built[1].param_groups[0]["lr"] == pytest.approx(config.adam_lr * factor)

    def test_the_average_of_the_weights(self, texture_folder, tmp_path, config):
        """Weights 1 at first, then decays (1 + k) / (10 + k) up to `ema`, here 0.25."""
        config, average = dataclasses.replace(config, ema=0.25, images=24), None
        for k, _ in enumerate(train(texture_folder, tmp_path, config, device="cpu")):
            now = state(tmp_path)
            current = now["model/down.0.blocks.0.conv_in.weight"]
            decay = 0 if k == 0 else min(0.25, (1 + k) / (10 + k))
            average = current if k == 0 else decay * average + (1 - decay) * current
            stored = now["average/module.down.0.blocks.0.conv_in.weight"]
            assert torch.allclose(stored, average, atol=1e-6)
        assert not torch.allclose(current, average, atol=1e-5)

    def test_a_long_average_has_a_short_memory_at_first(self):
        model = torch.nn.Linear(1, 1, bias=False)
        average, expected = AveragedModel(model, multi_avg_fn=training._ema(0.9)), 0.0
        for k in range(200):
            torch.nn.init.constant_(model.weight, float(k))
            average.update_parameters(model)
            expected = expected + (1 - min(0.9, (1 + k) / (10 + k))) * (k - expected) if k else 0.0
        assert average.module.weight.item() == pytest.approx(expected, rel=1e-5)
        assert expected == pytest.approx(199 - 9, abs=1e-3)  # in the end nine steps behind: 0.9 / (1 - 0.9)

    def test_given_weights_to_begin_with(self, texture_folder, tmp_path, config, lively):
        config, network = dataclasses.replace(config, images=6, adam_lr=1e-9, muon_lr=1e-9), lively()
        list(train(texture_folder, tmp_path, config, init_from=network, device="cpu"))
        for name, value in network.state_dict().items():
            assert torch.allclose(state(tmp_path)[f"model/{name}"], value, atol=1e-6)

    def test_a_loss_that_is_no_number_ends_the_run_but_not_its_state(self, texture_folder, tmp_path, config):
        config = dataclasses.replace(config, adam_lr=1e25, clip=1e9)
        with pytest.raises(FloatingPointError, match=r"adam_lr=1e\+25"):
            run_all(texture_folder, tmp_path, config)
        saved = state(tmp_path)
        assert all(value.isfinite().all() for value in saved.values())
        assert all(math.isfinite(line["loss"]) for line in log(tmp_path))

    @pytest.mark.parametrize(
        "change, field",
        [
            ({"seed": 1}, r"config\.seed=0, not 1"),
            ({"muon_lr": 0.5}, r"config\.muon_lr=0\.02, not 0\.5"),
            ({"images": 480}, r"config\.images=48, not 480"),
            ({"data": DataConfig(image_size=None, patch_size=12)}, r"config\.data\.patch_size=16, not 12"),
        ],
    )
    def test_another_configuration_is_refused_by_name(self, texture_folder, tmp_path, config, change, field):
        next(train(texture_folder, tmp_path, config, device="cpu"))
        with pytest.raises(ValueError, match=field):
            next(train(texture_folder, tmp_path, dataclasses.replace(config, **change), device="cpu"))

    def test_other_images_are_refused(self, texture_folder, tmp_path, config):
        next(train(texture_folder, tmp_path / "run", config, device="cpu"))
        (tmp_path / "other").mkdir()
        Image.new("RGB", (48, 48)).save(tmp_path / "other" / "black.png")
        with pytest.raises(ValueError, match=r"classes=\['brick', 'moss', 'slate'\], not \['black'\]"):
            next(train(tmp_path / "other", tmp_path / "run", config, device="cpu"))

    def test_a_bad_file_does_not_end_a_run(self, texture_folder, tmp_path, config):
        for path in texture_folder.iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / "bad.png").write_bytes((tmp_path / "moss.png").read_bytes()[:300])
        assert len(TextureFolder(tmp_path, config.data).skipped) == 1
        records = run_all(tmp_path, tmp_path / "run", dataclasses.replace(config, images=6))
        assert [r.step for r in records] == [1]

    def test_bfloat16_learns_the_same_first_steps_roughly(self, texture_folder, tmp_path, config):
        losses = {}
        for precision in ("float32", "bfloat16"):
            changed = dataclasses.replace(config, precision=precision, images=24)
            losses[precision] = [r.loss for r in run_all(texture_folder, tmp_path / precision, changed)]
        assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.02)
        assert losses["bfloat16"] != losses["float32"]


def test_precision():
    assert autocast_dtype("float32", "cpu") == autocast_dtype("float32", "cuda") == torch.float32
    assert autocast_dtype("bfloat16", "cpu") == torch.bfloat16
    assert autocast_dtype("auto", "cpu") in (torch.float32, torch.bfloat16)


def test_a_new_network_is_drawn_from_the_seed(tiny, texture_folder, tmp_path, config):
    config = dataclasses.replace(config, images=6, adam_lr=1e-9, muon_lr=1e-9, seed=5)
    run_all(texture_folder, tmp_path, config)
    torch.manual_seed(5)
    for name, value in Denoiser(tiny).state_dict().items():
        assert torch.allclose(state(tmp_path)[f"model/{name}"], value, atol=1e-6)
