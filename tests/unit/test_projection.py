"""The joint plane against closed forms, its projection at each noise level, and landmark interpolation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fgsd.centroids import CentroidTable
from fgsd.levels import interpolate
from fgsd.projection import LevelPlanes, align, fit_unit_box, interpolate_landmarks, joint_pca

SIGMAS = torch.tensor([0.05, 0.2, 1.0, 3.0])


def table_of(values: torch.Tensor) -> CentroidTable:
    names = [f"class-{k}" for k in range(len(values))]
    colours = torch.rand(len(names), 3, generator=torch.Generator().manual_seed(9)) - 0.5
    return CentroidTable(names, SIGMAS[: values.shape[1]], values, torch.ones_like(values[0]), colours)


@pytest.fixture
def table() -> CentroidTable:
    """Seven classes with twelve features; the noise levels are correlated and differ in scale and offset."""
    generator = torch.Generator().manual_seed(0)
    common, level = torch.randn(7, 1, 12, generator=generator), torch.randn(7, 4, 12, generator=generator)
    return table_of((common + 0.4 * level) * torch.tensor([1.0, 20.0, 0.3, 5.0])[:, None] + 3.0)


class TestJointPCA:
    def test_it_is_the_pca_of_the_concatenated_scaled_levels(self, table):
        from sklearn.decomposition import PCA

        values = table.values.double().numpy()
        blocks = []
        for s in range(4):
            block = values[:, s] - values[:, s].mean(axis=0)
            blocks.append(block / np.linalg.norm(block))
        expected = PCA(2, svd_solver="full").fit_transform(np.concatenate(blocks, axis=1))
        assert joint_pca(table).project(table.values).numpy() == pytest.approx(expected, abs=1e-9)

    def test_a_line_in_feature_space_is_a_line_in_the_plane(self):
        generator = torch.Generator().manual_seed(0)
        start, direction = torch.randn(2, 3, 5, generator=generator)
        shares = torch.tensor([0.0, 0.1, 0.5, 1.0])
        table = table_of(start + shares[:, None, None] * direction)
        positions = joint_pca(table).project(table.values).numpy()
        distance = positions[:, 0] - positions[0, 0]
        assert distance / distance[-1] == pytest.approx(shares.numpy(), abs=1e-4)
        assert positions[:, 1] == pytest.approx(np.zeros(4), abs=1e-4)

    def test_all_levels_have_the_same_weight(self, table):
        scaled = table_of(table.values * torch.tensor([1.0, 1000.0, 1.0, 1.0])[:, None])
        one, other = joint_pca(table), joint_pca(scaled)
        assert torch.allclose(one.project(table.values), other.project(scaled.values), atol=1e-5)

    @pytest.mark.parametrize(("count", "components"), [(1, 0), (2, 1), (3, 2)])
    def test_the_number_of_classes_limits_the_number_of_components(self, table, count, components):
        loadings = joint_pca(table_of(table.values[:count])).loadings
        sizes = loadings.square().sum(dim=(0, 1)).tolist()
        assert sizes == pytest.approx([1.0] * components + [0.0] * (2 - components))


class TestLevelPlanes:
    def test_the_joint_position_is_the_weighted_mean_of_the_positions_at_all_levels(self, table):
        """The weights are G_s, which sum to the identity."""
        pca, planes = joint_pca(table), LevelPlanes.of(table)
        positions = planes.project(table.values, SIGMAS)  # (C, S, 2) in the box
        gram = torch.einsum("sfk,sfl->skl", pca.loadings, pca.loadings)
        assert torch.allclose(gram.sum(dim=0), torch.eye(2, dtype=torch.float64), atol=1e-9)
        # joint distance per box width and per box height
        moved = pca.project(table.values.double() + planes.axes[:, 0]) - pca.project(table.values)
        down = pca.project(table.values.double() + planes.axes[:, 1]) - pca.project(table.values)
        unit = torch.stack([moved[0, 0], down[0, 1]])
        joint = pca.project(table.values)
        mean = torch.einsum("skl,csl->ck", gram, (positions - planes.origin) * unit)
        assert torch.allclose(mean, joint, atol=1e-8)

    def test_a_single_level_has_the_joint_position(self, table):
        single = table_of(table.values[:, :1])
        joint = joint_pca(single).project(single.values).numpy()
        found = LevelPlanes.of(single).project(single.values[:, 0], SIGMAS[:1].expand(7)).numpy()
        for axis, sign in ((0, 1), (1, -1)):  # y points down
            slope = np.polyfit(joint[:, axis], found[:, axis], 1)[0]
            assert np.sign(slope) == sign
            assert np.corrcoef(joint[:, axis], found[:, axis])[0, 1] == pytest.approx(sign, abs=1e-9)

    def test_the_classes_of_all_levels_together_fill_the_box(self, table):
        positions = LevelPlanes.of(table).project(table.values, SIGMAS).flatten(0, 1)
        assert positions.amin(dim=0).tolist() == pytest.approx([0.06, 0.06])
        assert positions.amax(dim=0).tolist() == pytest.approx([0.94, 0.94])

    @pytest.mark.parametrize("sigma", [0.05, 0.11, 0.7, 3.0, 50.0])
    def test_moves_are_exact_between_levels(self, table, sigma):
        planes, delta = LevelPlanes.of(table), torch.tensor([0.13, -0.4], dtype=torch.float64)
        phi = interpolate(SIGMAS, table.values, sigma).double()
        move = interpolate(SIGMAS, torch.einsum("skf,k->sf", planes.axes, delta), sigma)
        shift = planes.project(phi + move, sigma) - planes.project(phi, sigma)
        assert torch.allclose(shift, delta.expand(7, 2), atol=1e-9)

    def test_each_row_is_projected_at_its_own_level(self, table):
        planes, sigmas = LevelPlanes.of(table), torch.tensor([0.05, 0.3, 2.0])
        phi = table.values[:3, 2]
        rows = [planes.project(phi[k : k + 1], s)[0] for k, s in enumerate(sigmas.tolist())]
        assert torch.allclose(planes.project(phi, sigmas), torch.stack(rows), atol=1e-12)

    def test_a_level_without_differences_has_all_classes_at_the_origin(self, table):
        values = table.values.clone()
        values[:, 1] = 4.0
        planes = LevelPlanes.of(table_of(values))
        assert planes.project(values[:, 1], SIGMAS[1].item()).numpy() == pytest.approx(
            np.tile(planes.origin.numpy(), (7, 1)), abs=1e-9
        )
        assert not planes.axes[1].any()

    def test_two_classes_differ_in_x_only(self, table):
        positions = LevelPlanes.of(table_of(table.values[:2])).project(table.values[:2], SIGMAS)
        assert positions[..., 1].numpy() == pytest.approx(np.full((2, 4), 0.5), abs=1e-9)
        assert sorted(positions[:, 0, 0].tolist()) != [0.5, 0.5]

    def test_equal_classes_are_at_the_centre(self):
        positions = LevelPlanes.of(table_of(torch.ones(3, 2, 4))).project(torch.ones(3, 2, 4), SIGMAS[:2])
        assert positions.numpy() == pytest.approx(np.full((3, 2, 2), 0.5))


class TestAlign:
    def test_rotation_mirroring_scale_and_shift_are_undone(self):
        points = np.random.default_rng(0).normal(size=(20, 2))
        rotation = np.array([[0.6, 0.8], [0.8, -0.6]])  # and a reflection
        assert align(3 * points @ rotation + [5, 1], points) == pytest.approx(points, abs=1e-5)

    def test_the_result_has_the_size_of_the_target_even_if_the_shapes_differ(self):
        one, other = np.random.default_rng(0).normal(size=(2, 20, 2))
        found = align(one, other)
        assert np.linalg.norm(found - found.mean(axis=0)) == pytest.approx(
            np.linalg.norm(other - other.mean(axis=0)), rel=1e-5
        )


def test_the_unit_box_contains_all_but_outliers_and_keeps_angles():
    points = np.random.default_rng(0).random((3, 400, 2)) * [20, 10]
    points[0, 0] = 1e4  # one outlier does not change the scale
    found = fit_unit_box(points)
    assert np.ptp(found[1:, :, 0]) > 0.85
    assert np.mean((found > 0) & (found < 1)) > 0.98
    step, after = points[1, 1] - points[1, 0], found[1, 1] - found[1, 0]
    assert after[0] / after[1] == pytest.approx(-step[0] / step[1], rel=1e-3)  # y points down


class TestInterpolateLandmarks:
    @pytest.fixture
    def landmarks(self):
        generator = torch.Generator().manual_seed(0)
        return torch.randn(50, 3, generator=generator), torch.rand(50, 2, generator=generator)

    def test_a_point_on_a_landmark_has_its_position(self, landmarks):
        points, positions = landmarks
        assert torch.allclose(interpolate_landmarks(points, points, positions), positions, atol=1e-4)

    def test_positions_lie_within_those_of_the_landmarks(self, landmarks):
        points, positions = landmarks
        others = torch.randn(30, 3, generator=torch.Generator().manual_seed(1))
        found = interpolate_landmarks(others, points, positions)
        assert (found >= positions.amin(dim=0)).all() and (found <= positions.amax(dim=0)).all()

    def test_positions_are_continuous(self, landmarks):
        points, positions = landmarks
        shares = torch.linspace(0, 1, 4001)[:, None]
        found = interpolate_landmarks(points[0] + shares * (points[1] - points[0]), points, positions, k=5)
        assert found.diff(dim=0).norm(dim=1).max() < 0.01
        assert torch.allclose(found[[0, -1]], positions[:2], atol=1e-3)

    def test_a_point_halfway_between_two_landmarks(self):
        points = torch.tensor([[0.0], [2.0], [100.0], [101.0]])
        positions = torch.tensor([[0.0, 0.0], [1.0, 1.0], [5.0, 5.0], [6.0, 6.0]])
        (found,) = interpolate_landmarks(torch.tensor([[1.0]]), points, positions, k=2)
        assert found.tolist() == pytest.approx([0.5, 0.5])

    def test_a_single_landmark_gives_its_position(self):
        found = interpolate_landmarks(torch.randn(3, 2), torch.zeros(1, 2), torch.tensor([[0.3, 0.4]]))
        assert found.numpy() == pytest.approx(np.tile([0.3, 0.4], (3, 1)))
