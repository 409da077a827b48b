"""From a run to a checkpoint."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from fgsd.centroids import compute_table
from fgsd.guidance import GuidedDenoiser
from fgsd.model.network import Denoiser
from fgsd.pipeline import Pipeline
from fgsd.training.config import TrainingConfig
from fgsd.training.export import export
from fgsd.training.loop import new_running_centroids, train
from fgsd.training.run_folder import RunFolder


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


def test_a_network_with_target_embedding_is_exported_as_it_was_trained(
    texture_folder, data, config, tiny, lively, tmp_path
):
    """The checkpoint denoises as the averaged weights do when they are guided as in training."""
    network = dataclasses.replace(tiny, normalization_levels=4, target_embedding=3, film=True)
    config = dataclasses.replace(config, network=network, images=360, groups=6, group_size=1)
    awake = lively(network)  # 60 steps alone would teach it too little
    list(train(texture_folder, tmp_path / "run", config, init_from=awake, device="cpu"))
    export(tmp_path / "run", data, config, tmp_path / "out", crops=4, map_crops=0)
    trained = Denoiser(network)
    state = RunFolder(tmp_path / "run", config, data.classes).load_average(trained)[2]
    running = new_running_centroids(config, 3)
    running.restore(state)
    # coordinates were refreshed some steps ago, and the statistics of averaged weights lag behind
    running.refresh_coordinates()
    trained.normalization.set_stats(running.sigmas, *running.statistics())
    assert (running.counts > 0).all()
    pipe = Pipeline.from_pretrained(tmp_path / "out", device="cpu")
    assert torch.equal(pipe.table.values, running.values)
    x, guided = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([True])
    for row, name in enumerate(pipe.classes):
        for sigma in (0.05, 0.4, 2.0):
            matching = running.matching(torch.tensor([row]), torch.tensor([sigma]), guided)
            expected = trained(x, sigma, matching)
            found = GuidedDenoiser(pipe.network, pipe.table.of(name))(x, sigma)[0]
            assert (found - expected).square().mean() < 1e-5 * expected.square().mean()
            without = trained(x, sigma, dataclasses.replace(matching, coordinates=None))
            assert (without - expected).square().mean() > 10 * (found - expected).square().mean()
