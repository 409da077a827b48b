"""Ways between targets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from fgsd.centroids import Centroid, coarse_fine
from fgsd.interpolation import (
    blend_images,
    fitting_places,
    grid_weights,
    path_weights,
    refining_order,
    switch_stops,
    switched_centroid,
)


class TestPath:
    @pytest.mark.parametrize("targets", [2, 3, 5, 8])
    @pytest.mark.parametrize("places", [2, 7, 11])
    @pytest.mark.parametrize("closed", [False, True])
    def test_rows_sum_to_one_and_name_at_most_two_neighbours(self, targets, places, closed):
        weights = path_weights(targets, places, closed=closed)
        assert weights.shape == (places, targets)
        assert torch.allclose(weights.sum(dim=1), torch.ones(places).double(), atol=1e-15, rtol=0)
        assert (weights >= 0).all()
        for row in weights:
            there = row.nonzero().flatten().tolist()
            gap = there[-1] - there[0]
            assert len(there) == 1 or gap == 1 or (closed and gap == targets - 1)

    def test_the_ends_are_exact_and_it_reads_the_same_backwards(self):
        weights = path_weights(3, 7)
        assert weights[0].tolist() == [1, 0, 0]
        assert weights[3].tolist() == [0, 1, 0]
        assert weights[6].tolist() == [0, 0, 1]
        assert torch.allclose(weights, weights.flip(0, 1), atol=1e-15)

    def test_two_targets_are_a_straight_line(self):
        assert torch.allclose(path_weights(2, 5)[:, 1], torch.linspace(0, 1, 5).double())

    def test_a_closed_path_returns(self):
        weights = path_weights(3, 12, closed=True)
        assert [weights[k].tolist() for k in (0, 4, 8)] == torch.eye(3).tolist()
        assert weights[10].tolist() == [0.5, 0, 0.5]  # on the way back
        again = torch.cat([weights, weights[:1]]).diff(dim=0).abs().sum(dim=1)
        assert torch.allclose(again, again[0].expand(12))  # each step is as long, the last one too

    def test_a_closed_path_of_two_goes_there_and_back(self):
        weights = path_weights(2, 8, closed=True)
        assert torch.equal(weights[1:], weights[1:].flip(0))

    @pytest.mark.parametrize("values", [(1, 5), (0, 5), (2, 1)])
    def test_too_few_are_refused(self, values):
        with pytest.raises(ValueError, match="at least 2"):
            path_weights(*values)

    @pytest.mark.parametrize(
        ("targets", "fitting"),
        [(2, [5, 6, 7, 8, 9, 10, 11]), (3, [5, 7, 9, 11]), (4, [7, 10]), (5, [5, 9]), (8, [8])],
    )
    def test_places_that_meet_every_target(self, targets, fitting):
        assert fitting_places(targets, 5, 11) == fitting
        for n in fitting:
            weights = path_weights(targets, n).tolist()
            assert all([float(k == j) for j in range(targets)] in weights for k in range(targets))


class TestGrid:
    def test_the_corners_are_exact_and_the_sums_one(self):
        weights = grid_weights(5, 5)
        corners = [weights[r, c].tolist() for r in (0, 4) for c in (0, 4)]
        assert corners == torch.eye(4).tolist()
        assert torch.allclose(weights.sum(dim=-1), torch.ones(5, 5).double())
        assert weights[2, 2].tolist() == [0.25] * 4

    def test_it_is_symmetric_and_its_sides_are_paths(self):
        weights = grid_weights(5, 5)
        assert torch.equal(weights.flip(0), weights[..., [2, 3, 0, 1]])
        assert torch.equal(weights.flip(1), weights[..., [1, 0, 3, 2]])
        assert torch.equal(weights.transpose(0, 1), weights[..., [0, 2, 1, 3]])
        assert torch.allclose(weights[0, :, :2], path_weights(2, 5))

    def test_it_need_not_be_square(self):
        assert grid_weights(2, 3)[1, 1].tolist() == [0, 0, 0.5, 0.5]
        with pytest.raises(ValueError, match="at least 2"):
            grid_weights(1, 5)


@pytest.mark.parametrize(("places", "stride"), [(36, 12), (64, 8), (5, 1), (3, 8), (24, 12)])
def test_the_refining_order_has_each_place_once_and_the_targets_first(places, stride):
    order = refining_order(places, stride)
    assert sorted(order) == list(range(places))
    first = list(range(0, places, stride))
    assert order[: len(first)] == first
    half = len(range(0, places, max(1, stride // 2)))
    assert all(k % max(1, stride // 2) == 0 for k in order[:half])


class TestSwitch:
    def centroids(self) -> tuple[Centroid, Centroid]:
        sigmas = torch.tensor([0.125, 0.5, 2.0])
        return (
            Centroid(sigmas, torch.full((3, 2), 1.0), torch.full((3,), 0.1)),
            Centroid(sigmas, torch.full((3, 2), 2.0), torch.full((3,), 0.2)),
        )

    def test_above_the_switch_it_is_the_coarse_one(self):
        coarse, fine = self.centroids()
        mixed = switched_centroid(coarse, fine, 0.5)
        assert mixed.values[:, 0].tolist() == [2, 2, 1]  # at the switch itself it is fine
        assert torch.equal(mixed.colour, coarse.colour)
        assert torch.equal(switched_centroid(coarse, fine, 2.0).colour, fine.colour)

    def test_it_is_the_mixture_of_coarse_fine_to_the_bit(self, pipe):
        for switch in (0.01, 0.3, 100.0):
            one = switched_centroid(pipe.centroid("moss"), pipe.centroid("brick"), switch)
            other = pipe.centroid(coarse_fine({"moss": 1.0}, {"brick": 1.0}, switch))
            assert torch.equal(one.values, other.values)
            assert torch.equal(one.colour, other.colour)

    @pytest.mark.parametrize("switch", [0, -1, float("nan"), float("inf")])
    def test_no_noise_level(self, switch):
        with pytest.raises(ValueError, match="positive noise level"):
            switched_centroid(*self.centroids(), switch)

    def test_foreign_levels_are_refused(self):
        coarse, fine = self.centroids()
        with pytest.raises(ValueError, match="share"):
            switched_centroid(coarse, Centroid(2 * fine.sigmas, fine.values, fine.colour), 0.4)

    def test_each_stop_gives_another_result_and_all_are_there(self):
        coarse, fine = self.centroids()
        stops = switch_stops(coarse.sigmas)
        assert stops == sorted(stops)
        seen = [switched_centroid(coarse, fine, stop).values[:, 0].tolist() for stop in stops]
        assert seen == [[1, 1, 1], [2, 1, 1], [2, 2, 1], [2, 2, 2]]
        assert len(switch_stops(torch.tensor([0.5]))) == 2


class TestBlend:
    def images(self) -> list[Image.Image]:
        rng = np.random.default_rng(0)
        return [Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)) for _ in range(3)]

    def test_it_is_the_mean_of_the_values(self):
        a, b, c = (np.asarray(image, dtype=float) for image in self.images())
        mean = np.round(0.2 * a + 0.3 * b + 0.5 * c).astype(np.uint8)
        assert np.array_equal(np.asarray(blend_images(self.images(), [0.2, 0.3, 0.5])), mean)

    def test_the_ends_are_exact(self):
        for k, row in enumerate(torch.eye(3)):
            assert np.array_equal(np.asarray(blend_images(self.images(), row)), np.asarray(self.images()[k]))

    def test_other_weights_are_refused(self):
        for weights in ([0.5, 0.5], [1, 1, 1]):
            with pytest.raises(ValueError, match="weights"):
                blend_images(self.images(), weights)
