"""Training with centroids of a table, which stay as they are or are learned along with the weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from cli_help import run
from safetensors.torch import load

from fgsd.augmentation import Augmentation
from fgsd.model.matching import CentroidMatching, PeerMatching
from fgsd.pipeline import Pipeline
from fgsd.texture import Texture
from fgsd.training import loop
from fgsd.training.batch import denoising_loss, make_batch
from fgsd.training.config import TrainingConfig
from fgsd.training.export import export
from fgsd.training.given_centroids import GivenCentroids
from fgsd.training.loop import train


@pytest.fixture
def config(pipe, data) -> TrainingConfig:
    return TrainingConfig(
        pipe.network.config,
        data.config,
        given_centroids=True,
        images=12,
        groups=4,
        sigma_max=pipe.info.sigma_max,
        crop_sizes=((0.0, 1.0),),
    )


def test_each_crop_is_matched_to_its_class_at_its_level(pipe):
    rows, sigma = torch.tensor([2, 0, 2, 1]), torch.tensor([0.05, 0.7, 3.0, 99.0])
    guided = torch.tensor([True, True, False, True])
    matching = GivenCentroids(pipe.table).matching(rows, sigma, guided)
    for k, row in enumerate(rows.tolist()):
        expected = pipe.table.of(pipe.table.classes[row]).at(sigma[k].item())
        assert torch.allclose(matching.centroid[k], expected, atol=1e-6)
    assert torch.equal(matching.guided, guided)


def test_training_moves_the_weights_and_the_exported_centroids_are_those_given(pipe, data, config, tmp_path):
    table = pipe.table
    list(train(data, tmp_path / "run", config, init_from=pipe.network, centroids=table, device="cpu"))
    found = export(tmp_path / "run", data, config, tmp_path / "out", centroids=table, map_crops=0)
    assert torch.equal(found.table.values, table.values) and torch.equal(found.table.scales, table.scales)
    before, after = (dict(network.named_parameters()) for network in (pipe.network, found.network))
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_the_targets_of_training_are_those_centroids(pipe, data, config, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        GivenCentroids, "matching", lambda self, rows, sigma, guided: seen.append((rows, sigma)) or None
    )
    steps = list(train(data, tmp_path, config, init_from=pipe.network, centroids=pipe.table, device="cpu"))
    assert len(steps) == 3 and len(seen) >= 3  # and more of the validation
    assert all(len(rows) == len(sigma) == 4 for rows, sigma in seen[:3])


def test_with_groups_every_second_step_matches_crops_to_each_other(config, data):
    """Single crops are as they are; only those of groups are transformed."""
    config = replace(config, groups=2, group_size=4, augmentation=Augmentation())
    for step, (groups, size) in enumerate([(8, 1), (2, 4)] * 2):
        of_step = config.of_step(step)
        assert (of_step.groups, of_step.group_size) == (groups, size)
        batch = make_batch(data, of_step, step)
        assert len(batch.x) == 8 and (batch.condition is None) == (size == 1)
        plain = make_batch(data, replace(of_step, given_centroids=False, augmentation=None), step)
        assert torch.equal(batch.x0, plain.x0) == (size == 1)


def test_with_groups_only_single_crops_have_fixed_targets(pipe, data, config, tmp_path, monkeypatch):
    conditions, loss = [], loop.loss_and_features

    def record(network, batch, *arguments, **options):
        conditions.append(batch.condition)
        return loss(network, batch, *arguments, **options)

    monkeypatch.setattr(loop, "loss_and_features", record)
    config = replace(config, groups=2, group_size=2, images=16, augmentation=Augmentation())
    list(train(data, tmp_path, config, init_from=pipe.network, centroids=pipe.table, device="cpu"))
    assert [type(one) for one in conditions] == [CentroidMatching, PeerMatching] * 2


def test_they_can_be_learned_along_with_the_weights(pipe, data, config, tmp_path):
    """The centroids of the checkpoint are the averaged ones; those of classes without crops stay."""
    config = replace(config, centroid_lr=0.5, images=24, focus=("moss",), focus_share=0.999)
    table = pipe.table
    list(train(data, tmp_path / "run", config, init_from=pipe.network, centroids=table, device="cpu"))
    found = export(tmp_path / "run", data, config, tmp_path / "out", centroids=table, map_crops=0)
    moved = (found.table.values - table.values).abs().amax(dim=(1, 2))
    assert {name for name, far in zip(table.classes, moved, strict=True) if far > 0} == {"moss"}


def test_learned_centroids_resume_exactly(pipe, data, config, tmp_path):
    config = replace(config, centroid_lr=0.5, save_every=2, groups=2, group_size=2, images=16)
    arguments = {"init_from": pipe.network, "centroids": pipe.table, "device": "cpu"}
    list(train(data, tmp_path / "whole", config, **arguments))
    for _, _step in zip(range(2), train(data, tmp_path / "cut", config, **arguments), strict=False):
        pass
    list(train(data, tmp_path / "cut", config, **arguments))
    states = [(tmp_path / run / "state.safetensors").read_bytes() for run in ("whole", "cut")]
    assert load(states[0]).keys() == load(states[1]).keys()
    assert all(torch.equal(value, load(states[1])[key]) for key, value in load(states[0]).items())


def test_learning_the_centroids_lowers_the_loss(pipe, data, config, tmp_path):
    """With weights that hardly move: the loss of the same crops, with the centroids before and after."""
    config = replace(config, centroid_lr=0.3, images=400, muon_lr=1e-9, adam_lr=1e-9, ema=0.0)
    arguments = {"init_from": pipe.network, "centroids": pipe.table, "device": "cpu"}
    list(train(data, tmp_path / "run", config, **arguments))
    found = export(tmp_path / "run", data, config, tmp_path / "out", centroids=pipe.table, map_crops=0)
    losses = []
    for table in (pipe.table, found.table):
        batch = make_batch(data, replace(config, groups=240, guided_share=1.0), 10**6)
        matching = GivenCentroids(table).matching(batch.rows, batch.sigma, batch.guided)
        batch = replace(batch, condition=matching)
        losses.append(denoising_loss(pipe.network, batch, pipe.network.config.sigma_data).item())
    assert losses[1] < 0.99 * losses[0]


def test_settings_without_use_for_them_are_refused(config):
    with pytest.raises(ValueError, match="given_centroids=True needs a network without labels"):
        replace(config, network=replace(config.network, labels=3))
    with pytest.raises(ValueError, match="with augmentation needs group_size above 1, got 1"):
        replace(config, augmentation=Augmentation())
    with pytest.raises(ValueError, match=r"centroid_lr=0\.1 must be 0, or above 0 with given_centroids=True"):
        replace(config, given_centroids=False, centroid_lr=0.1)


def test_centroids_and_settings_must_fit(pipe, data, config, tmp_path):
    with pytest.raises(ValueError, match="given_centroids=True and centroids=None do not fit"):
        next(train(data, tmp_path, config, device="cpu"))
    other = replace(pipe.table, classes=[f"other {name}" for name in pipe.classes])
    with pytest.raises(ValueError, match="centroids: their classes must be those of the data"):
        next(train(data, tmp_path, config, centroids=other, device="cpu"))
    assert list(tmp_path.iterdir()) == []


class TestCommand:
    OPTIONS = (
        "--images",
        24,
        "--groups",
        4,
        "--patch-size",
        16,
        "--image-size",
        48,
        "--map-crops",
        0,
        "--cpu",
    )

    def test_the_checkpoint_keeps_its_centroids(
        self, capsys, tmp_path, pipe, checkpoint_folder, texture_folder
    ):
        folders = ["--run", tmp_path / "run", "-o", tmp_path / "out"]
        arguments = [texture_folder, "--init-from", checkpoint_folder, "--given-centroids", *folders]
        code, _, err = run(capsys, "train", *arguments, *self.OPTIONS)
        assert code == 0, err
        found = Pipeline.from_pretrained(tmp_path / "out", device="cpu")
        assert torch.equal(found.table.values, pipe.table.values)
        assert found.network_digest != pipe.network_digest

    def test_they_can_be_learned_before(self, capsys, tmp_path, pipe, checkpoint_folder, texture_folder):
        folders = ["--run", tmp_path / "run", "-o", tmp_path / "out"]
        options = ["--given-centroids", "--learn-centroids", 2, "--group-size", 2, "--augment", *self.OPTIONS]
        code, _, err = run(
            capsys, "train", texture_folder, "--init-from", checkpoint_folder, *folders, *options
        )
        assert code == 0, err
        found = Pipeline.from_pretrained(tmp_path / "out", device="cpu")
        for name in pipe.classes:
            learned = Texture.load(tmp_path / "run" / "textures" / f"{name}.fgsd.safetensors")
            assert torch.equal(found.table.of(name).values, learned.centroid.values)
            assert not torch.equal(found.table.of(name).values, pipe.table.of(name).values)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ([], "--given-centroids: needs --init-from"),
            (["--init-from", "CHECKPOINT", "--classes", "names.txt"], "those of --init-from are kept"),
            (["--init-from", "CHECKPOINT", "--augment"], "augmentation needs group_size above 1"),
            (["--learn-centroids", -1], "--learn-centroids"),
            (["--init-from", "CHECKPOINT", "--centroid-lr", -1], "centroid_lr=-1.0 must be 0, or above 0"),
        ],
    )
    def test_bad_input_is_one_line(
        self, capsys, tmp_path, monkeypatch, checkpoint_folder, texture_folder, options, words
    ):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "names.txt").write_text("moss\nslate\n")
        given = [checkpoint_folder if one == "CHECKPOINT" else one for one in options]
        code, _, err = run(
            capsys, "train", texture_folder, "-o", "out", "--given-centroids", *given, *self.OPTIONS
        )
        assert code == 2 and words in err and err.count("\n") == 1
        assert [path.name for path in tmp_path.iterdir()] == ["names.txt"]
