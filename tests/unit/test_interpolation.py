"""Interpolation between targets: path and grid weights, coarse/fine switches, pixel blends."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from fgsd.centroids import Centroid, coarse_fine
from fgsd.interpolation import (
    blend_images,
    grid_weights,
    path_weights,
    refining_order,
    switch_stops,
    valid_point_counts,
)


class TestPath:
    @pytest.mark.parametrize("targets", [2, 3, 5, 8])
    @pytest.mark.parametrize("points", [2, 7, 11])
    @pytest.mark.parametrize("closed", [False, True])
    def test_rows_sum_to_one_and_weight_at_most_two_neighbours(self, targets, points, closed):
        weights = path_weights(targets, points, closed=closed)
        assert weights.shape == (points, targets)
        assert torch.allclose(weights.sum(dim=1), torch.ones(points).double(), atol=1e-15, rtol=0)
        assert (weights >= 0).all()
        for row in weights:
            weighted = row.nonzero().flatten().tolist()
            gap = weighted[-1] - weighted[0]
            assert len(weighted) == 1 or gap == 1 or (closed and gap == targets - 1)

    def test_targets_are_exact_and_the_path_is_symmetric(self):
        weights = path_weights(3, 7)
        assert weights[0].tolist() == [1, 0, 0]
        assert weights[3].tolist() == [0, 1, 0]
        assert weights[6].tolist() == [0, 0, 1]
        assert torch.allclose(weights, weights.flip(0, 1), atol=1e-15)

    def test_a_path_between_two_targets_is_linear(self):
        assert torch.allclose(path_weights(2, 5)[:, 1], torch.linspace(0, 1, 5).double())

    def test_a_closed_path_returns_to_the_first_target(self):
        weights = path_weights(3, 12, closed=True)
        assert [weights[k].tolist() for k in (0, 4, 8)] == torch.eye(3).tolist()
        assert weights[10].tolist() == [0.5, 0, 0.5]  # between the last target and the first
        steps = torch.cat([weights, weights[:1]]).diff(dim=0).abs().sum(dim=1)
        assert torch.allclose(steps, steps[0].expand(12))  # all steps have one length, the last one too

    def test_a_closed_path_of_two_goes_there_and_back(self):
        weights = path_weights(2, 8, closed=True)
        assert torch.equal(weights[1:], weights[1:].flip(0))

    @pytest.mark.parametrize("values", [(1, 5), (0, 5), (2, 1)])
    def test_fewer_than_two_targets_or_points_are_refused(self, values):
        with pytest.raises(ValueError, match="at least 2"):
            path_weights(*values)

    @pytest.mark.parametrize(
        ("targets", "counts"),
        [(2, [5, 6, 7, 8, 9, 10, 11]), (3, [5, 7, 9, 11]), (4, [7, 10]), (5, [5, 9]), (8, [8])],
    )
    def test_point_counts_with_a_point_on_every_target(self, targets, counts):
        assert valid_point_counts(targets, 5, 11) == counts
        for n in counts:
            weights = path_weights(targets, n).tolist()
            assert all([float(k == j) for j in range(targets)] in weights for k in range(targets))


class TestGrid:
    def test_corners_are_exact_and_weights_sum_to_one(self):
        weights = grid_weights(5, 5)
        corners = [weights[r, c].tolist() for r in (0, 4) for c in (0, 4)]
        assert corners == torch.eye(4).tolist()
        assert torch.allclose(weights.sum(dim=-1), torch.ones(5, 5).double())
        assert weights[2, 2].tolist() == [0.25] * 4

    def test_the_grid_is_symmetric_and_its_sides_are_paths(self):
        weights = grid_weights(5, 5)
        assert torch.equal(weights.flip(0), weights[..., [2, 3, 0, 1]])
        assert torch.equal(weights.flip(1), weights[..., [1, 0, 3, 2]])
        assert torch.equal(weights.transpose(0, 1), weights[..., [0, 2, 1, 3]])
        assert torch.allclose(weights[0, :, :2], path_weights(2, 5))

    def test_the_grid_need_not_be_square(self):
        assert grid_weights(2, 3)[1, 1].tolist() == [0, 0, 0.5, 0.5]
        with pytest.raises(ValueError, match="at least 2"):
            grid_weights(1, 5)


@pytest.mark.parametrize(("points", "stride"), [(36, 12), (64, 8), (5, 1), (3, 8), (24, 12)])
def test_the_refining_order_has_each_point_once_and_every_stride_th_first(points, stride):
    order = refining_order(points, stride)
    assert sorted(order) == list(range(points))
    first = list(range(0, points, stride))
    assert order[: len(first)] == first
    half = len(range(0, points, max(1, stride // 2)))
    assert all(k % max(1, stride // 2) == 0 for k in order[:half])


def test_each_switch_stop_gives_a_different_result_and_no_result_is_missing():
    sigmas = torch.tensor([0.125, 0.5, 2.0])
    coarse = Centroid(sigmas, torch.full((3, 2), 1.0), torch.full((3,), 0.1))
    fine = Centroid(sigmas, torch.full((3, 2), 2.0), torch.full((3,), 0.2))
    stops = switch_stops(sigmas)
    assert stops == sorted(stops)
    values = [coarse_fine(coarse, fine, stop).values[:, 0].tolist() for stop in stops]
    assert values == [[1, 1, 1], [2, 1, 1], [2, 2, 1], [2, 2, 2]]
    assert len(switch_stops(torch.tensor([0.5]))) == 2


class TestBlend:
    def images(self) -> list[Image.Image]:
        rng = np.random.default_rng(0)
        return [Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)) for _ in range(3)]

    def test_a_blend_is_the_weighted_mean_of_the_pixel_values(self):
        a, b, c = (np.asarray(image, dtype=float) for image in self.images())
        mean = np.round(0.2 * a + 0.3 * b + 0.5 * c).astype(np.uint8)
        assert np.array_equal(np.asarray(blend_images(self.images(), [0.2, 0.3, 0.5])), mean)

    def test_a_weight_of_one_gives_the_image_itself(self):
        for k, row in enumerate(torch.eye(3)):
            assert np.array_equal(np.asarray(blend_images(self.images(), row)), np.asarray(self.images()[k]))

    def test_invalid_weights_are_refused(self):
        for weights in ([0.5, 0.5], [1, 1, 1]):
            with pytest.raises(ValueError, match="weights"):
                blend_images(self.images(), weights)
