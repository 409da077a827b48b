"""From a run to a checkpoint."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from fgsd.centroids import compute_table
from fgsd.export import export
from fgsd.pipeline import Pipeline
from fgsd.run_state import RunFolder
from fgsd.training import TrainingConfig, train


@pytest.fixture(scope="module")
def config(tiny, data_config) -> TrainingConfig:
    """Three steps of 2 groups of 3 crops."""
    return TrainingConfig(
        network=tiny, data=data_config, images=18, groups=2, group_size=3, precision="float32", sigma_max=3.0
    )


@pytest.fixture(scope="module")
def run(texture_folder, config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    for _ in train(texture_folder, folder, config, device="cpu"):
        pass
    return folder


def test_a_run_becomes_a_checkpoint(run, data, config, tmp_path):
    seen = []
    made = export(
        run,
        data,
        config,
        tmp_path / "out",
        noise_level_count=5,
        crops=6,
        attribution="Photographs by nobody.",
        license="cc-by-sa-3.0",
        map_crops=1,  # too few for UMAP, which would be compiled
        progress=lambda items, desc: seen.append((desc, list(items))) or items,
    )
    names = ["brick", "moss", "slate"]
    assert seen == [("centroids", names), ("map: crops", names)]
    pipe = Pipeline.from_pretrained(tmp_path / "out", device="cpu")
    assert pipe.classes == names
    assert pipe.map.labels.tolist() == [0, 1, 2]
    assert (pipe.info.images, pipe.info.patch_size, pipe.info.image_size) == (18, 16, None)
    assert (pipe.info.sigma_min, pipe.info.sigma_max) == (0.02, 3.0)
    assert pipe.info.data == config.data
    levels = pipe.table.sigmas
    assert (len(levels), levels[0].item(), levels[-1].item()) == (5, pytest.approx(0.02), pytest.approx(3.0))
    assert torch.allclose(pipe.table.values, made.table.values, atol=1e-6)
    assert len(pipe.sample("moss", n=2, steps=2, size=16)) == 2
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlicense: cc-by-sa-3.0\n")
    assert "Photographs by nobody." in card


def test_weights_are_the_averaged_ones(run, data, config, tmp_path, tiny):
    from safetensors.torch import load_file

    made = export(run, data, config, tmp_path / "out", noise_level_count=2, crops=2, map_crops=0)
    state = load_file(run / "state.safetensors")
    for name, value in made.network.state_dict().items():
        assert torch.equal(value.cpu(), state[f"average/module.{name}"])
    moved = [n for n, v in made.network.state_dict().items() if not torch.equal(v.cpu(), state[f"model/{n}"])]
    assert moved  # the average is not the last step


def test_centroids_are_those_of_the_network_that_is_stored(run, data, config, tmp_path):
    export(run, data, config, tmp_path / "out", noise_level_count=3, crops=6, map_crops=0)
    pipe = Pipeline.from_pretrained(tmp_path / "out", device="cpu")
    table = compute_table(pipe.network, data, pipe.table.sigmas, crops=6, seed=config.seed)
    assert torch.allclose(pipe.table.values, table.values, atol=5e-3)  # weights are stored as float16


def test_a_run_without_a_state(data, config, tmp_path):
    with pytest.raises(FileNotFoundError, match="train first"):
        export(tmp_path / "none", data, config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_configuration(run, data, config, tmp_path):
    RunFolder(run, config, data.classes)  # the right one is taken
    with pytest.raises(ValueError, match=r"config\.seed=0, not 3"):
        export(run, data, dataclasses.replace(config, seed=3), tmp_path / "out")
