"""Training with centroids that stay as they are."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from cli_help import run

from fgsd.pipeline import Pipeline
from fgsd.training.config import TrainingConfig
from fgsd.training.export import export
from fgsd.training.fixed_centroids import FixedCentroids
from fgsd.training.loop import train


@pytest.fixture
def config(pipe, data) -> TrainingConfig:
    return TrainingConfig(
        pipe.network.config,
        data.config,
        fixed_centroids=True,
        images=12,
        groups=4,
        sigma_max=pipe.info.sigma_max,
        crop_sizes=((0.0, 1.0),),
    )


def test_each_crop_is_matched_to_its_class_at_its_level(pipe):
    rows, sigma = torch.tensor([2, 0, 2, 1]), torch.tensor([0.05, 0.7, 3.0, 99.0])
    guided = torch.tensor([True, True, False, True])
    matching = FixedCentroids(pipe.table).matching(rows, sigma, guided)
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
        FixedCentroids, "matching", lambda self, rows, sigma, guided: seen.append((rows, sigma)) or None
    )
    steps = list(train(data, tmp_path, config, init_from=pipe.network, centroids=pipe.table, device="cpu"))
    assert len(steps) == 3 and len(seen) >= 3  # and more of the validation
    assert all(len(rows) == len(sigma) == 4 for rows, sigma in seen[:3])


@pytest.mark.parametrize("changes", [{"group_size": 2}, {"network": "labels"}])
def test_settings_without_use_for_them_are_refused(config, changes):
    if "network" in changes:
        changes = {"network": replace(config.network, labels=3)}
    with pytest.raises(ValueError, match="fixed_centroids=True needs group_size=1"):
        replace(config, **changes)


def test_centroids_and_settings_must_fit(pipe, data, config, tmp_path):
    with pytest.raises(ValueError, match="fixed_centroids=True and centroids=None do not fit"):
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
        arguments = [texture_folder, "--init-from", checkpoint_folder, "--fixed-centroids", *folders]
        code, _, err = run(capsys, "train", *arguments, *self.OPTIONS)
        assert code == 0, err
        found = Pipeline.from_pretrained(tmp_path / "out", device="cpu")
        assert torch.equal(found.table.values, pipe.table.values)
        assert found.network_digest != pipe.network_digest

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ([], "--fixed-centroids: needs --init-from"),
            (["--init-from", "CHECKPOINT", "--classes", "names.txt"], "those of --init-from are kept"),
            (["--init-from", "CHECKPOINT", "--group-size", 2], "fixed_centroids=True needs group_size=1"),
        ],
    )
    def test_bad_input_is_one_line(
        self, capsys, tmp_path, monkeypatch, checkpoint_folder, texture_folder, options, words
    ):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "names.txt").write_text("moss\nslate\n")
        given = [checkpoint_folder if one == "CHECKPOINT" else one for one in options]
        code, _, err = run(
            capsys, "train", texture_folder, "-o", "out", "--fixed-centroids", *given, *self.OPTIONS
        )
        assert code == 2 and words in err and err.count("\n") == 1
        assert [path.name for path in tmp_path.iterdir()] == ["names.txt"]
