"""The map in 3D against scikit-learn, the map in the plane and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from map_help import scattered_map

from fgsd.centroids import CentroidTable
from fgsd.feature_map import FeatureMap
from fgsd.pipeline import Pipeline
from fgsd.projection import joint_pca

COUNT = 90


def random_table(classes: int, sigmas: torch.Tensor, features: int = 10) -> CentroidTable:
    values = torch.randn(classes, len(sigmas), features, generator=torch.Generator().manual_seed(3))
    names = [f"class-{k}" for k in range(classes)]
    return CentroidTable(names, sigmas, values, torch.ones_like(values[0]), torch.zeros(classes, 3))


@pytest.fixture(scope="module")
def mapped(pipe) -> FeatureMap:
    return scattered_map(pipe, COUNT, image=48)


def test_three_components_are_those_of_scikit_learn():
    from sklearn.decomposition import PCA

    table = random_table(9, torch.tensor([0.1, 1.0, 5.0]))
    values = table.values.double().numpy()
    centred = values - values.mean(axis=0)
    blocks = centred / np.linalg.norm(centred, axis=(0, 2))[:, None]
    expected = PCA(3, svd_solver="full").fit_transform(blocks.reshape(9, -1))
    assert joint_pca(table, 3).project(table.values).numpy() == pytest.approx(expected, abs=1e-9)
    assert joint_pca(table, 3).project(table.values)[:, :2].numpy() == pytest.approx(
        joint_pca(table).project(table.values).numpy(), abs=1e-12
    )


def test_at_one_noise_level_distances_along_the_third_axis_are_those_of_pca():
    from sklearn.decomposition import PCA

    table = random_table(9, torch.tensor([1.0]))
    positions = FeatureMap.of_table(table).space.classes("pca", 0)
    expected = PCA(3, svd_solver="full").fit_transform(table.values[:, 0].double().numpy())[:, 2]
    scale = np.ptp(positions[:, 2]) / np.ptp(expected)
    assert positions[:, 2] - positions[0, 2] == pytest.approx(scale * (expected - expected[0]), abs=1e-5)
    assert positions[:, 2].min() == pytest.approx(0.06, abs=1e-5)
    assert positions[:, 2].max() == pytest.approx(0.94, abs=1e-5)


def test_pca_is_in_step_with_the_plane_at_every_level(mapped, pipe):
    for level, sigma in enumerate(mapped.sigmas.tolist()):
        assert np.array_equal(mapped.space.crops("pca", level)[:, :2], mapped.crops("pca", level))
        classes = mapped.space.classes("pca", level)
        assert np.array_equal(classes[:, :2], mapped.classes("pca", level))
        found = mapped.space.project("pca", pipe.table.values[:, level], sigma)
        assert found == pytest.approx(classes, abs=1e-4)


def test_two_classes_have_no_third_component():
    positions = FeatureMap.of_table(random_table(2, torch.tensor([0.1, 1.0]))).space.classes("pca", 1)
    assert positions[:, 2] == pytest.approx([0.5, 0.5])


def test_umap_resembles_the_plane_from_the_front_and_comes_out_the_same_again(mapped, pipe):
    space, again = mapped.space, scattered_map(pipe, COUNT, image=48).space
    assert not space.is_fitted("umap", float(mapped.sigmas[2])) and space.is_fitted("pca", 1.0)
    crops = space.crops("umap", 2)
    assert crops.shape == (COUNT, 3) and crops.dtype == np.float32
    assert np.array_equal(crops, again.crops("umap", 2))
    assert space.is_fitted("umap", float(mapped.sigmas[2]))
    assert not space.is_fitted("umap", float(mapped.sigmas[2] * mapped.sigmas[3]) ** 0.5)
    for axis in range(2):
        assert np.corrcoef(crops[:, axis], mapped.crops("umap", 2)[:, axis])[0, 1] > 0.9
    assert crops[:, 2].std() > 0.02
    classes = space.classes("umap", 2)
    assert classes[1] == pytest.approx(np.median(crops[mapped.labels == 1], axis=0))
    # a centroid has the position of its class
    found = space.project("umap", pipe.table.values[:, 2], float(mapped.sigmas[2]))
    assert found == pytest.approx(classes, abs=1e-3)


def test_the_height_is_linear_in_log_sigma_with_the_lowest_noise_on_top(mapped):
    low, high = float(mapped.sigmas[0]), float(mapped.sigmas[-1])
    heights = mapped.space.heights(torch.tensor([high, (low * high) ** 0.5, low]))
    assert heights == pytest.approx([0.06, 0.5, 0.94], abs=1e-6)


@pytest.mark.parametrize("projection", ["pca", "umap"])
def test_stacked_crops_lie_equally_close_to_their_class_at_every_level(mapped, projection):
    spreads = []
    for level, sigma in enumerate(mapped.sigmas.tolist()):
        flat = mapped.crops(projection, level)
        stacked = mapped.space.stacked(projection, flat, sigma)
        assert stacked[:, 2] == pytest.approx(float(mapped.space.heights(sigma)))
        medians = np.stack([np.median(stacked[mapped.labels == k, :2], axis=0) for k in range(3)])
        spreads.append(np.sqrt(np.square(stacked[:, :2] - medians[mapped.labels]).sum(axis=1).mean()))
    assert spreads == pytest.approx([spreads[0]] * len(spreads), rel=1e-4)
    assert max(mapped.space.level_scales(projection)) == pytest.approx(1)


def test_what_a_map_lacks_is_refused(pipe):
    with pytest.raises(ValueError, match="projection='umap' must be one of pca"):
        Pipeline(pipe.network, pipe.table, pipe.info, "cpu").map.space.crops("umap", 0)
