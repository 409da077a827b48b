"""The networks that the report compares differ only in how they get the class."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
import torch

from fgsd.cli.main import main
from fgsd.evidence.study import GAUSSIAN_SOURCE, studies
from fgsd.model.network import Denoiser
from fgsd.pipeline import Pipeline


def differences(one, other) -> set[str]:
    """Settings in which two trainings differ; those of the network begin with "network."."""
    a, b = asdict(one.config), asdict(other.config)
    inner = {f"network.{k}" for k in a["network"] if a["network"][k] != b["network"][k]}
    return inner | {k for k in a if k != "network" and a[k] != b[k]}


def test_baselines_have_the_budget_seed_and_network_of_ours():
    all_of_them = studies(classes=5)
    ours, labels = all_of_them["features"], all_of_them["labels"]
    # these settings need matched layers
    matching = {"network.normalization_levels", "network.target_embedding", "freeze_centroids_at"}
    embedding = {"network.features", "network.target_embedding", "network.film", "freeze_centroids_at"}
    pairs = {"network.normalization_levels", "groups", "group_size"}
    assert differences(ours, all_of_them["unconditional"]) == {"guided_share", "network.film", *matching}
    assert differences(all_of_them["gaussians-layerwise"], all_of_them["gaussians-plain"]) == pairs
    for prefix, name in (("", "features"), ("gaussians-", "gaussians-five-layers")):
        assert differences(all_of_them[name], all_of_them[f"{prefix}labels"]) == {"network.labels", *matching}
        assert differences(all_of_them[name], all_of_them[f"{prefix}layerwise"]) == embedding
    deep, labelled = all_of_them["gaussians-features"], all_of_them["gaussians-labels"]
    layers = {"network.features", "network.gated"}
    assert differences(deep, all_of_them["gaussians-five-layers"]) == {*layers, "freeze_centroids_at"}
    assert differences(deep, labelled) == {"network.labels", *layers, *matching} - {"freeze_centroids_at"}
    two = all_of_them["two-layers"]
    assert differences(two, ours) == {*layers, "freeze_centroids_at"}
    gates = {*deep.config.network.features, *deep.config.network.gated}
    assert gates == set(labelled.config.network.features)
    for one in all_of_them.values():
        assert one.config.groups * one.config.group_size == 36
    assert labels.config.network.labels == 5
    sizes = [sum(p.numel() for p in Denoiser(s.config.network).parameters()) for s in (ours, labels)]
    assert sizes[1] / sizes[0] == pytest.approx(1, abs=0.02)


def test_networks_by_dimension_differ_in_their_features_alone():
    found = [one for name, one in studies().items() if name.startswith("dimension-")]
    assert len({one.config.network.dimension for one in found}) == len(found) == 7
    for one in found[1:]:
        assert differences(found[0], one) <= {"network.features", "network.feature_share"}


def test_a_given_budget_applies_to_all():
    assert {one.config.images for one in studies(images=123).values()} == {123}


def test_gaussian_crops_are_whole_images_of_their_class():
    generator = torch.Generator().manual_seed(0)
    crops = GAUSSIAN_SOURCE.crops("gaussian-02", 500, generator)
    gaussians = GAUSSIAN_SOURCE.gaussians
    assert crops.shape == (500, 3, *gaussians.size)
    assert torch.allclose(crops.mean(dim=(0, 2, 3)), gaussians.means[2].float(), atol=0.02)
    again = GAUSSIAN_SOURCE.pixels("gaussian-02", 500, torch.Generator().manual_seed(0))
    assert torch.allclose(again / 127.5 - 1, crops, atol=1e-5)


def test_the_command_trains_resumes_and_refuses_unknown_names(tmp_path, capsys, monkeypatch, tiny):
    one = studies()["gaussians-features"]
    network = replace(tiny, widths=(8, 16, 16), blocks=(1, 1, 1), normalization_levels=3, target_embedding=6)
    config = replace(one.config, network=network, images=72, save_every=1)
    small = {one.name: replace(one, config=config)}
    monkeypatch.setattr("fgsd.evidence.study.studies", lambda **options: small)
    arguments = ["study", "gaussians-features", "--runs", str(tmp_path / "runs"), "-o", str(tmp_path / "out")]
    for _ in range(2):  # the second time everything is trained
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 0
    pipe = Pipeline.from_pretrained(tmp_path / "out" / "gaussians-features")
    assert pipe.classes == GAUSSIAN_SOURCE.classes and pipe.info.images == 72
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "nonsense"])
    assert stopped.value.code == 2
    assert "names=['nonsense'] are unknown; there are gaussians-features" in capsys.readouterr().err
