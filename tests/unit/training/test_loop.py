"""Runs that learn, repeat, resume to the bit, and end well."""

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
from fgsd.training.batch import Batch, denoising_loss
from fgsd.training.config import TrainingConfig
from fgsd.training.loop import autocast_dtype, train
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
        batch = Batch(x, x, sigma, None, torch.zeros(2), torch.ones(2))
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
        average, expected = AveragedModel(model, multi_avg_fn=training.ema(0.9)), 0.0
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

    @pytest.mark.parametrize("name", ["labels", "target_embedding"])
    def test_a_network_of_another_number_of_classes_is_refused(self, data, tmp_path, tiny, name):
        network = dataclasses.replace(tiny, normalization_levels=4, **{name: 5})
        config = TrainingConfig(network, data.config, images=10)
        with pytest.raises(ValueError, match=rf"network\.{name}=5 must be 0 or the number of classes, 3"):
            next(train(data.folder, tmp_path / "run", config, device="cpu"))

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
