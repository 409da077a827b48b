"""The joint plane against its closed forms, each level's view of it, and places between landmarks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fgsd.centroids import CentroidTable
from fgsd.levels import interpolate
from fgsd.projection import LevelPlanes, aligned, among, boxed, joint_pca

SIGMAS = torch.tensor([0.05, 0.2, 1.0, 3.0])


def table_of(values: torch.Tensor) -> CentroidTable:
    names = [f"class-{k}" for k in range(len(values))]
    colours = torch.rand(len(names), 3, generator=torch.Generator().manual_seed(9)) - 0.5
    return CentroidTable(names, SIGMAS[: values.shape[1]], values, torch.ones_like(values), colours)


@pytest.fixture
def table() -> CentroidTable:
    """Seven classes with twelve features; the levels differ in size and offset, and are related."""
    generator = torch.Generator().manual_seed(0)
    common, own = torch.randn(7, 1, 12, generator=generator), torch.randn(7, 4, 12, generator=generator)
    return table_of((common + 0.4 * own) * torch.tensor([1.0, 20.0, 0.3, 5.0])[:, None] + 3.0)


class TestJointPCA:
    def test_it_is_the_pca_of_the_scaled_levels_side_by_side(self, table):
        from sklearn.decomposition import PCA

        values = table.values.double().numpy()
        blocks = []
        for s in range(4):
            block = values[:, s] - values[:, s].mean(axis=0)
            blocks.append(block / np.linalg.norm(block))
        expected = PCA(2, svd_solver="full").fit_transform(np.concatenate(blocks, axis=1))
        assert joint_pca(table).joint(table.values).numpy() == pytest.approx(expected, abs=1e-9)

    def test_points_on_a_line_in_feature_space_lie_on_a_line_in_the_same_order(self):
        generator = torch.Generator().manual_seed(0)
        start, way = torch.randn(2, 3, 5, generator=generator)
        places = torch.tensor([0.0, 0.1, 0.5, 1.0])
        table = table_of(start + places[:, None, None] * way)
        plane = joint_pca(table).joint(table.values).numpy()
        along = plane[:, 0] - plane[0, 0]
        assert along / along[-1] == pytest.approx(places.numpy(), abs=1e-4)
        assert plane[:, 1] == pytest.approx(np.zeros(4), abs=1e-4)

    def test_every_level_counts_alike(self, table):
        scaled = table_of(table.values * torch.tensor([1.0, 1000.0, 1.0, 1.0])[:, None])
        one, other = joint_pca(table), joint_pca(scaled)
        assert torch.allclose(one.joint(table.values), other.joint(scaled.values), atol=1e-5)

    @pytest.mark.parametrize(("count", "components"), [(1, 0), (2, 1), (3, 2)])
    def test_as_many_components_as_the_classes_allow(self, table, count, components):
        loadings = joint_pca(table_of(table.values[:count])).loadings
        sizes = loadings.square().sum(dim=(0, 1)).tolist()
        assert sizes == pytest.approx([1.0] * components + [0.0] * (2 - components))


class TestLevelPlanes:
    def test_the_joint_position_is_the_weighted_mean_of_the_levels_views(self, table):
        """Weights G_s, which sum to the identity."""
        pca, planes = joint_pca(table), LevelPlanes.of(table)
        views = planes.place(table.values, SIGMAS)  # (C, S, 2) in the box
        gram = torch.einsum("sfk,sfl->skl", pca.loadings, pca.loadings)
        assert torch.allclose(gram.sum(dim=0), torch.eye(2, dtype=torch.float64), atol=1e-9)
        # the box's axes are the plane's, stretched; one whole width is `unit` of them
        moved = pca.joint(table.values.double() + planes.moves[:, 0]) - pca.joint(table.values)
        down = pca.joint(table.values.double() + planes.moves[:, 1]) - pca.joint(table.values)
        unit = torch.stack([moved[0, 0], down[0, 1]])
        joint = pca.joint(table.values)
        mean = torch.einsum("skl,csl->ck", gram, (views - planes.origin) * unit)
        assert torch.allclose(mean, joint, atol=1e-8)

    def test_one_level_alone_is_its_joint_position(self, table):
        single = table_of(table.values[:, :1])
        joint = joint_pca(single).joint(single.values).numpy()
        found = LevelPlanes.of(single).place(single.values[:, 0], SIGMAS[:1].expand(7)).numpy()
        for axis, sign in ((0, 1), (1, -1)):  # y points down
            slope = np.polyfit(joint[:, axis], found[:, axis], 1)[0]
            assert np.sign(slope) == sign
            assert np.corrcoef(joint[:, axis], found[:, axis])[0, 1] == pytest.approx(sign, abs=1e-9)

    def test_the_classes_fill_the_box_at_all_levels_together(self, table):
        places = LevelPlanes.of(table).place(table.values, SIGMAS).flatten(0, 1)
        assert places.amin(dim=0).tolist() == pytest.approx([0.06, 0.06])
        assert places.amax(dim=0).tolist() == pytest.approx([0.94, 0.94])

    @pytest.mark.parametrize("sigma", [0.05, 0.11, 0.7, 3.0, 50.0])
    def test_a_move_is_exact_between_levels_too(self, table, sigma):
        planes, delta = LevelPlanes.of(table), torch.tensor([0.13, -0.4], dtype=torch.float64)
        phi = interpolate(SIGMAS, table.values, sigma).double()
        move = interpolate(SIGMAS, torch.einsum("skf,k->sf", planes.moves, delta), sigma)
        found = planes.place(phi + move, sigma) - planes.place(phi, sigma)
        assert torch.allclose(found, delta.expand(7, 2), atol=1e-9)

    def test_each_row_is_seen_at_its_own_level(self, table):
        planes, sigmas = LevelPlanes.of(table), torch.tensor([0.05, 0.3, 2.0])
        phi = table.values[:3, 2]
        rows = [planes.place(phi[k : k + 1], s)[0] for k, s in enumerate(sigmas.tolist())]
        assert torch.allclose(planes.place(phi, sigmas), torch.stack(rows), atol=1e-12)

    def test_a_level_without_differences_shows_all_in_the_middle(self, table):
        values = table.values.clone()
        values[:, 1] = 4.0
        planes = LevelPlanes.of(table_of(values))
        assert planes.place(values[:, 1], SIGMAS[1].item()).numpy() == pytest.approx(
            np.tile(planes.origin.numpy(), (7, 1)), abs=1e-9
        )
        assert not planes.moves[1].any()

    def test_two_classes_differ_in_x_only(self, table):
        places = LevelPlanes.of(table_of(table.values[:2])).place(table.values[:2], SIGMAS)
        assert places[..., 1].numpy() == pytest.approx(np.full((2, 4), 0.5), abs=1e-9)
        assert sorted(places[:, 0, 0].tolist()) != [0.5, 0.5]

    def test_equal_classes_lie_in_the_middle(self):
        places = LevelPlanes.of(table_of(torch.ones(3, 2, 4))).place(torch.ones(3, 2, 4), SIGMAS[:2])
        assert places.numpy() == pytest.approx(np.full((3, 2, 2), 0.5))


class TestAligned:
    def test_turned_mirrored_scaled_and_shifted_points_come_back(self):
        points = np.random.default_rng(0).normal(size=(20, 2))
        turn = np.array([[0.6, 0.8], [0.8, -0.6]])  # with a mirror
        assert aligned(3 * points @ turn + [5, 1], points) == pytest.approx(points, abs=1e-5)

    def test_the_size_is_kept_even_of_what_is_unlike(self):
        one, other = np.random.default_rng(0).normal(size=(2, 20, 2))
        found = aligned(one, other)
        assert np.linalg.norm(found - found.mean(axis=0)) == pytest.approx(
            np.linalg.norm(other - other.mean(axis=0)), rel=1e-5
        )


def test_the_box_holds_all_but_outliers_and_keeps_angles():
    points = np.random.default_rng(0).random((3, 400, 2)) * [20, 10]
    points[0, 0] = 1e4  # one outlier squeezes nothing
    found = boxed(points)
    assert np.ptp(found[1:, :, 0]) > 0.85
    assert np.mean((found > 0) & (found < 1)) > 0.98
    step, after = points[1, 1] - points[1, 0], found[1, 1] - found[1, 0]
    assert after[0] / after[1] == pytest.approx(-step[0] / step[1], rel=1e-3)  # y points down


class TestAmong:
    @pytest.fixture
    def landmarks(self):
        generator = torch.Generator().manual_seed(0)
        return torch.randn(50, 3, generator=generator), torch.rand(50, 2, generator=generator)

    def test_a_landmark_is_at_its_place(self, landmarks):
        points, places = landmarks
        assert torch.allclose(among(points, points, places), places, atol=1e-4)

    def test_it_lies_inside_of_what_is_near(self, landmarks):
        points, places = landmarks
        found = among(torch.randn(30, 3, generator=torch.Generator().manual_seed(1)), points, places)
        assert (found >= places.amin(dim=0)).all() and (found <= places.amax(dim=0)).all()

    def test_nothing_jumps_on_the_way(self, landmarks):
        points, places = landmarks
        way = torch.linspace(0, 1, 4001)[:, None]
        found = among(points[0] + way * (points[1] - points[0]), points, places, k=5)
        assert found.diff(dim=0).norm(dim=1).max() < 0.01
        assert torch.allclose(found[[0, -1]], places[:2], atol=1e-3)

    def test_halfway_between_two_that_lie_alone(self):
        points = torch.tensor([[0.0], [2.0], [100.0], [101.0]])
        places = torch.tensor([[0.0, 0.0], [1.0, 1.0], [5.0, 5.0], [6.0, 6.0]])
        assert among(torch.tensor([[1.0]]), points, places, k=2)[0].tolist() == pytest.approx([0.5, 0.5])

    def test_a_single_landmark_draws_all(self):
        found = among(torch.randn(3, 2), torch.zeros(1, 2), torch.tensor([[0.3, 0.4]]))
        assert found.numpy() == pytest.approx(np.tile([0.3, 0.4], (3, 1)))
