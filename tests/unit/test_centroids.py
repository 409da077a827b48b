"""Centroids: interpolation over noise levels, mixtures, distances, and measurement from crops."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from fgsd.centroids import (
    Centroid,
    CentroidTable,
    coarse_fine,
    compute_table,
    features_by_level,
    mean_centroid,
    measure_normalization,
)
from fgsd.levels import interpolate, noise_levels
from fgsd.model.matching import CentroidMatching

SIGMAS = torch.tensor([0.05, 0.2, 1.0, 3.0])
NAMES = ["grass", "lava", "river-pebbles"]


@pytest.fixture
def table() -> CentroidTable:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(3, 4, 5, generator=generator)
    scales = 0.5 + torch.rand(4, 5, generator=generator)
    return CentroidTable(NAMES, SIGMAS, values, scales, torch.rand(3, 3, generator=generator))


class TestNames:
    @pytest.mark.parametrize("stored", ["Caf\u00e9", "Cafe\u0301"])
    def test_a_class_is_found_by_both_unicode_forms(self, table, stored):
        named = replace(table, classes=["grass", stored, "a=b, c"])
        assert named.classes == ["grass", "Caf\u00e9", "a=b, c"]
        for asked in ("Caf\u00e9", "Cafe\u0301"):
            assert named.index(asked) == 1
            assert torch.equal(named.of(asked).values, table.of("lava").values)
            mixed = named.mixture({asked: 0.5, "a=b, c": 0.5})
            assert torch.equal(mixed.values, table.mixture({"lava": 0.5, "river-pebbles": 0.5}).values)
        with pytest.raises(KeyError, match="did you mean Caf\u00e9"):
            named.index("Cafe")

    def test_two_unicode_forms_of_one_name_are_not_distinct(self, table):
        with pytest.raises(ValueError, match="distinct"):
            replace(table, classes=["grass", "Caf\u00e9", "Cafe\u0301"])


class TestMeanCentroid:
    def test_the_mean_of_class_centroids_equals_their_mixture_to_the_bit(self, table):
        mean = mean_centroid([(table.of("lava"), 0.3), (table.of("grass"), 0.7)])
        mixture = table.mixture({"lava": 0.3, "grass": 0.7})
        assert torch.equal(mean.values, mixture.values)
        assert torch.equal(mean.colour, mixture.colour)

    def test_empty_parts_and_different_noise_levels_are_refused(self, table):
        with pytest.raises(ValueError, match="parts is empty"):
            mean_centroid([])
        other = Centroid(SIGMAS * 2, table.values[0], table.colours[0])
        with pytest.raises(ValueError, match="same noise levels"):
            mean_centroid([(table.of("lava"), 0.5), (other, 0.5)])


class TestInterpolation:
    def test_values_are_exact_at_the_levels_of_the_table(self, table):
        for s, sigma in enumerate(SIGMAS.tolist()):
            assert torch.equal(table.of("lava").at(sigma), table.values[1, s])

    @pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
    @pytest.mark.parametrize("s", [0, 1, 2])
    def test_values_are_linear_in_log_sigma_between_levels(self, table, s, share):
        low, high = SIGMAS[s].item(), SIGMAS[s + 1].item()
        expected = (1 - share) * table.values[0, s] + share * table.values[0, s + 1]
        values = table.of("grass").at(low ** (1 - share) * high**share)
        assert torch.allclose(values, expected, atol=1e-6)

    def test_values_are_constant_beyond_the_ends(self, table):
        assert torch.equal(table.of("lava").at(1e-5), table.values[1, 0])
        assert torch.equal(table.of("lava").at(100.0), table.values[1, -1])

    def test_a_batch_of_levels(self, table):
        levels = torch.tensor([0.05, 0.3, 7.0])
        values = table.of("lava").at(levels)
        assert values.shape == (3, 5)
        for row, sigma in zip(values, levels.tolist(), strict=True):
            assert torch.allclose(row, table.of("lava").at(sigma), atol=1e-6)

    def test_all_classes_at_once(self, table):
        values = interpolate(SIGMAS, table.values, 0.4)
        assert torch.equal(values, torch.stack([table.of(name).at(0.4) for name in NAMES]))

    def test_a_single_level(self):
        centroid = Centroid(torch.tensor([0.5]), torch.tensor([[1.0, 2.0]]), torch.zeros(3))
        assert centroid.at(0.1).tolist() == [1.0, 2.0]
        assert centroid.at(torch.tensor([0.1, 3.0])).tolist() == [[1.0, 2.0], [1.0, 2.0]]

    @pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf])
    def test_invalid_noise_levels(self, table, sigma):
        with pytest.raises(ValueError, match="sigma="):
            table.of("lava").at(sigma)


class TestMixtures:
    def test_a_mixture_of_one_class_is_its_centroid(self, table):
        assert torch.equal(table.mixture({"lava": 1.0}).values, table.of("lava").values)
        assert torch.equal(table.mixture({"lava": 1.0, "grass": 0.0}).values, table.of("lava").values)

    @pytest.mark.parametrize("weights", [(0.5, 0.5, 0.0), (0.2, 0.3, 0.5), (1.5, -0.25, -0.25)])
    def test_mixtures_are_linear_in_the_weights(self, table, weights):
        mixture = table.mixture(dict(zip(NAMES, weights, strict=True)))
        expected = torch.einsum("c,csf->sf", torch.tensor(weights), table.values)
        assert torch.allclose(mixture.values, expected, atol=1e-6)
        assert torch.equal(mixture.sigmas, SIGMAS)

    def test_rounded_weights_are_scaled_to_one(self, table):
        rounded = table.mixture({"lava": 0.3335, "grass": 0.6670})
        assert torch.allclose(
            rounded.values, table.mixture({"lava": 1 / 3, "grass": 2 / 3}).values, atol=1e-6
        )

    def test_weights_can_depend_on_the_noise_level(self, table):
        mixture = table.mixture(lambda sigma: {"lava": sigma / 3, "grass": 1 - sigma / 3})
        for s, sigma in enumerate(SIGMAS.tolist()):
            expected = sigma / 3 * table.values[1, s] + (1 - sigma / 3) * table.values[0, s]
            assert torch.allclose(mixture.values[s], expected, atol=1e-6)
        assert torch.allclose(mixture.colour, table.colours[1], atol=1e-6)  # of the highest noise level

    def test_colours_are_mixed_with_the_same_weights(self, table):
        assert torch.equal(table.of("lava").colour, table.colours[1])
        mixture = table.mixture({"lava": 0.25, "grass": 0.75})
        expected = 0.25 * table.colours[1] + 0.75 * table.colours[0]
        assert torch.allclose(mixture.colour, expected, atol=1e-6)

    @pytest.mark.parametrize(
        "weights, message",
        [
            ({}, "empty"),
            ({"lava": math.nan}, "'lava' is nan"),
            ({"lava": math.inf, "grass": -math.inf}, "'lava' is inf"),
            ({"lava": 0.5}, "sum to 0.5"),
            ({"lava": 0.7, "grass": 0.7}, "sum to 1.4"),
            ({"lava": 1e308, "grass": 1e308}, "sum to inf"),
            ({"lava": 0.0}, "sum to 0"),
        ],
    )
    def test_invalid_weights(self, table, weights, message):
        with pytest.raises(ValueError, match=message):
            table.mixture(weights)
        with pytest.raises(ValueError, match=message):
            table.mixture(lambda sigma: weights)

    def test_an_unknown_class_gets_suggestions(self, table):
        with pytest.raises(KeyError, match="'lavaa' is unknown; did you mean lava"):
            table.mixture({"lavaa": 1.0})
        with pytest.raises(KeyError, match="did you mean river-pebbles"):
            table.of("pebbles")
        with pytest.raises(KeyError, match="there are 3 classes"):
            table.of("xyz")


class TestCoarseFine:
    def centroids(self) -> tuple[Centroid, Centroid]:
        sigmas = torch.tensor([0.125, 0.5, 2.0])
        return (
            Centroid(sigmas, torch.full((3, 2), 1.0), torch.full((3,), 0.1)),
            Centroid(sigmas, torch.full((3, 2), 2.0), torch.full((3,), 0.2)),
        )

    def test_mixtures_are_coarse_above_the_switch_and_fine_at_and_below_it(self, table):
        mixture = table.mixture(coarse_fine({"lava": 1.0}, {"grass": 1.0}, 1.0))
        assert torch.equal(mixture.values[3], table.values[1, 3])
        assert torch.equal(mixture.values[:3], table.values[0, :3])

    def test_centroids_are_coarse_above_the_switch_and_fine_at_and_below_it(self):
        coarse, fine = self.centroids()
        mixed = coarse_fine(coarse, fine, 0.5)
        assert mixed.values[:, 0].tolist() == [2, 2, 1]
        assert torch.equal(mixed.sigmas, coarse.sigmas)

    def test_the_colour_is_that_of_the_highest_noise_level(self):
        coarse, fine = self.centroids()
        assert torch.equal(coarse_fine(coarse, fine, 0.5).colour, coarse.colour)
        assert torch.equal(coarse_fine(coarse, fine, 2.0).colour, fine.colour)

    def test_mixtures_and_centroids_give_the_same_bits(self, pipe):
        for switch in (0.01, 0.3, 100.0):
            from_centroids = coarse_fine(pipe.centroid("moss"), pipe.centroid("brick"), switch)
            from_weights = pipe.centroid(coarse_fine({"moss": 1.0}, {"brick": 1.0}, switch))
            assert torch.equal(from_centroids.values, from_weights.values)
            assert torch.equal(from_centroids.colour, from_weights.colour)

    @pytest.mark.parametrize("switch", [0, 0.0, -1.0, math.nan, math.inf])
    def test_invalid_switches_are_refused(self, switch):
        with pytest.raises(ValueError, match=r"switch=.* must be a positive noise level"):
            coarse_fine({"lava": 1.0}, {"grass": 1.0}, switch)
        with pytest.raises(ValueError, match=r"switch=.* must be a positive noise level"):
            coarse_fine(*self.centroids(), switch)

    def test_centroids_of_different_noise_levels_are_refused(self):
        coarse, fine = self.centroids()
        with pytest.raises(ValueError, match="same noise levels"):
            coarse_fine(coarse, Centroid(2 * fine.sigmas, fine.values, fine.colour), 0.4)

    def test_a_mixture_with_a_centroid_is_refused(self):
        coarse, fine = self.centroids()
        for pair in ((coarse, {"lava": 1.0}), ({"lava": 1.0}, fine)):
            with pytest.raises(TypeError, match="both"):
                coarse_fine(*pair, 0.4)


class TestDistances:
    def test_the_class_nearest_to_a_centroid_is_its_own(self, table):
        for name in NAMES:
            (first, distance), *others = table.nearest(table.of(name), n=3)
            assert (first, distance) == (name, 0.0)
            assert len(others) == 2
            assert 0 < others[0][1] <= others[1][1]

    def test_distances_are_in_spreads_within_a_class(self):
        scales = torch.tensor([3.0, 4.0, 5.0])[:, None].expand(3, 4)
        table = CentroidTable(["a", "b"], SIGMAS[:3], torch.zeros(2, 3, 4), scales, torch.zeros(2, 3))
        assert table.distances(2 * scales).tolist() == pytest.approx([2, 2])

    def test_distances_are_finite_if_a_feature_is_constant(self, table):
        constant = CentroidTable(NAMES, SIGMAS, table.values, torch.zeros_like(table.scales), table.colours)
        assert constant.nearest(table.of("lava"))[0] == ("lava", 0.0)
        assert constant.distances(table.values[1]).isfinite().all()


class TestTableChecks:
    @pytest.mark.parametrize(
        "change, message",
        [
            ({"classes": ["grass", "lava"]}, r"expected \(2, 4, 'F'\)"),
            ({"classes": ["grass", "lava", "lava"]}, "distinct"),
            ({"sigmas": SIGMAS.flip(0)}, "increas"),
            ({"sigmas": SIGMAS - 0.05}, "positive"),
            ({"sigmas": torch.tensor(1.0)}, "sigmas"),
            ({"values": torch.zeros(3, 4)}, "values"),
            ({"scales": torch.zeros(4, 6)}, "scales"),
            ({"colours": torch.zeros(2, 3)}, "colours"),
        ],
    )
    def test_inconsistent_parts_are_refused(self, table, change, message):
        parts = {k: getattr(table, k) for k in ("classes", "sigmas", "values", "scales", "colours")}
        with pytest.raises(ValueError, match=message):
            CentroidTable(**{**parts, **change})


def test_noise_levels():
    levels = noise_levels(0.02, 4.0, 7)
    assert levels[0].item() == pytest.approx(0.02)
    assert levels[-1].item() == pytest.approx(4.0)
    ratios = levels[1:] / levels[:-1]
    assert torch.allclose(ratios, ratios[0].expand(6))


class TestFeatures:
    @pytest.fixture
    def crops(self, data):
        return data.crops("moss", 6, torch.Generator().manual_seed(0))

    def test_the_features_of_a_single_crop_are_unguided(self, lively, crops):
        network, sigmas = lively(), [0.1, 1.0]
        means, spreads = features_by_level(network, crops[None, :1], sigmas, seed=3)
        eps = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(3))
        for s, sigma in enumerate(sigmas):
            _, phi = network.denoise(crops[:1] + sigma * eps, sigma)
            assert torch.allclose(means[0, s], phi[0], atol=1e-5)
        assert not spreads.any()

    @pytest.mark.parametrize("antithetic", [True, False])
    def test_features_of_crops_matched_to_their_centroid_average_to_it(self, lively, crops, antithetic):
        """The centroid is a fixed point in every layer, and the spreads are those of the matched crops."""
        network, sigma = lively(), 0.5
        means, spreads = features_by_level(network, crops[None], [sigma], seed=1, antithetic=antithetic)
        noise = torch.randn(3 if antithetic else 6, 3, 16, 16, generator=torch.Generator().manual_seed(1))
        eps = torch.cat([noise, -noise])[:6]
        _, phi = network.denoise(crops + sigma * eps, sigma, CentroidMatching(means[0, 0]))
        assert torch.allclose(phi.mean(dim=0), means[0, 0], atol=1e-4)
        assert torch.allclose(phi.std(dim=0), spreads[0, 0], atol=1e-4)

    def test_the_table_of_a_folder(self, lively, data):
        network, names = lively(), []
        levels = noise_levels(0.05, 2.0, 3)
        table = compute_table(network, data, levels, crops=4, seed=5, progress=lambda c: names.extend(c) or c)
        assert names == table.classes == ["brick", "moss", "slate"]
        crops = [data.crops(name, 4, torch.Generator().manual_seed(5)) for name in names]
        means, spreads = zip(
            *(features_by_level(network, x0[None], levels, seed=5) for x0 in crops), strict=True
        )
        torch.testing.assert_close(table.values, torch.cat(means))
        torch.testing.assert_close(table.scales, torch.cat(spreads).square().mean(dim=0).sqrt())
        torch.testing.assert_close(table.colours, torch.stack([x0.mean(dim=(0, 2, 3)) for x0 in crops]))


class TestFeatureNormalization:
    def test_it_has_the_statistics_of_the_class_centroids(self, lively, tiny, data):
        """Compared in the first matched layer, whose features do not depend on the normalisation."""
        network = lively(replace(tiny, normalization_levels=3))
        sigmas = torch.tensor([0.1, 0.5, 2.5])
        network.normalization.log_sigmas.copy_(sigmas.log())
        measure_normalization(network, data, crops=4, seed=1)
        values = compute_table(network, data, sigmas, crops=4, seed=1).values
        first = slice(0, next(iter(network.config.feature_widths().values())))
        mean, spread = network.normalization(sigmas.log())
        assert torch.allclose(mean[:, first], values.mean(dim=0)[:, first], atol=1e-4)
        assert torch.allclose(spread[:, first], values.std(dim=0, correction=0)[:, first], atol=1e-3)

    def test_a_network_without_it_is_left_unchanged(self, lively, data):
        network = lively()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        measure_normalization(network, data)
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
