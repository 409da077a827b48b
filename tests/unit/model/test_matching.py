"""Feature matching moves channel means to the target, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fgsd.model.matching import (
    MAX_NORMALIZED,
    MIN_SPREAD,
    CentroidMatching,
    FeatureNormalization,
    MatchedLayer,
    PeerMatching,
    leave_one_out,
    pooled_masks,
    spatial_mean,
)

CHANNELS, FEATURES = 6, slice(2, 8)


@pytest.fixture
def activation():
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(4, CHANNELS, 8, 5, generator=generator, dtype=torch.float64) + 1


@pytest.fixture
def embedding():
    return torch.randn(4, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def layer():
    torch.manual_seed(2)
    return MatchedLayer(CHANNELS, 7, FEATURES, 5).double().requires_grad_(False)


@pytest.fixture
def awake(layer):
    """The layer with a gate and an update of the context that do something."""
    generator = torch.Generator().manual_seed(3)
    for p in (*layer.gate.parameters(), *layer.tell.parameters()):
        p.normal_(generator=generator)
    return layer


def centroid(batch: int | None = None) -> torch.Tensor:
    shape = (10,) if batch is None else (batch, 10)
    return torch.randn(shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


class TestAtTheInitialGate:
    def test_unguided_is_the_identity(self, layer, activation, embedding):
        matched, context, phi = layer(activation, embedding, None)
        assert torch.equal(matched, activation)
        assert torch.equal(context, embedding)
        assert torch.equal(phi, activation.mean(dim=(2, 3)))

    def test_full_strength_sets_the_means_to_the_centroid(self, layer, activation, embedding):
        target = centroid()
        matched, _, phi = layer(activation, embedding, CentroidMatching(target))
        assert torch.allclose(spatial_mean(matched), target[FEATURES].expand(4, -1), atol=1e-12)
        assert torch.equal(phi, spatial_mean(activation))

    def test_only_the_means_move(self, layer, activation, embedding):
        matched, _, phi = layer(activation, embedding, CentroidMatching(centroid()))
        centred = activation - phi[..., None, None]
        assert torch.allclose(matched - spatial_mean(matched)[..., None, None], centred, atol=1e-12)

    @pytest.mark.parametrize("strength", [0.0, 0.5, 1.5])
    def test_strength_is_the_share_of_the_way(self, layer, activation, embedding, strength):
        target = centroid()
        matched, _, phi = layer(activation, embedding, CentroidMatching(target, strength))
        expected = (1 - strength) * phi + strength * target[FEATURES]
        assert torch.allclose(spatial_mean(matched), expected, atol=1e-12)

    def test_a_centroid_and_a_strength_for_each_image(self, layer, activation, embedding):
        target, strength = centroid(4), torch.tensor([[0.0], [0.3], [1.0], [2.0]], dtype=torch.float64)
        matched, _, phi = layer(activation, embedding, CentroidMatching(target, strength))
        expected = (1 - strength) * phi + strength * target[:, FEATURES]
        assert torch.allclose(spatial_mean(matched), expected, atol=1e-12)

    def test_peers_of_the_identity_leave_everything(self, layer, activation, embedding):
        matched, *_ = layer(activation, embedding, PeerMatching(torch.eye(4)))
        assert torch.equal(matched, activation)

    def test_images_that_are_not_guided_stay_as_they_are(self, layer, activation, embedding):
        guided = torch.tensor([True, False, False, True])
        for matching in (CentroidMatching(centroid(), 0.7), PeerMatching(leave_one_out(2, 2))):
            every = layer(activation, embedding, matching)[0]
            some = layer(activation, embedding, replace(matching, guided=guided))[0]
            assert torch.equal(some, torch.where(guided[:, None, None, None], every, activation))

    def test_peers_set_the_means_to_those_of_the_others(self, layer, activation, embedding):
        matching = PeerMatching(leave_one_out(2, 2), guided=torch.tensor([True, True, False, False]))
        matched, _, phi = layer(activation, embedding, matching)
        assert torch.allclose(spatial_mean(matched), phi[[1, 0, 2, 3]], atol=1e-12)


class TestAwakeGate:
    def test_strength_zero_and_own_means_and_no_guidance_agree(self, awake, activation, embedding):
        unguided, _, phi = awake(activation, embedding, None)
        assert not torch.allclose(unguided, activation, atol=0.1)
        zero = awake(activation, embedding, CentroidMatching(centroid(), 0.0))[0]
        assert torch.allclose(zero, unguided, atol=1e-12)
        target = torch.zeros(4, 10, dtype=torch.float64)
        target[:, FEATURES] = phi
        assert torch.allclose(awake(activation, embedding, CentroidMatching(target))[0], unguided, atol=1e-12)

    def test_at_full_strength_the_means_of_the_image_leave_no_trace(self, awake, activation, embedding):
        """With a learned gain they would, and guidance would fade in training."""
        matching = CentroidMatching(centroid())
        moved = activation + torch.arange(CHANNELS)[:, None, None]
        first, second = (awake(a, embedding, matching)[:2] for a in (activation, moved))
        for one, other in zip(first, second, strict=True):  # the activation and the context
            assert torch.allclose(one, other, atol=1e-10)

    def test_gain_and_bias_act_on_the_matched_activation(self, awake, activation, embedding):
        target = centroid()
        matched, context, phi = awake(activation, embedding, CentroidMatching(target))
        moved = activation + (target[FEATURES] - phi)[..., None, None]
        hidden = torch.nn.functional.silu(awake.read(target[FEATURES] - awake.offset(embedding)))
        gain, bias = awake.gate(hidden)[..., None, None].chunk(2, dim=1)
        assert torch.allclose(matched, moved * (1 + gain.tanh()) + bias, atol=1e-10)
        assert torch.allclose(context, embedding + awake.tell(hidden), atol=1e-10)

    def test_gains_stay_between_nothing_and_twofold(self, awake, activation, embedding):
        """However strong the gate: the spread of a channel over space is at most doubled."""
        for p in awake.gate.parameters():
            p.mul_(1e3)
        matched, *_ = awake(activation, embedding, CentroidMatching(centroid()))
        ratio = matched.std(dim=(2, 3)) / activation.std(dim=(2, 3))
        assert ratio.min() >= 0
        assert 1.9 < ratio.max() <= 2 + 1e-9


def test_a_layer_matched_in_part_moves_its_first_channels_alone(activation, embedding):
    layer = MatchedLayer(CHANNELS, embedding.shape[1], slice(0, 2), 4).double()
    target = torch.tensor([3.0, -2.0], dtype=torch.float64)
    matched, _, phi = layer(activation, embedding, CentroidMatching(target))
    assert phi.shape == (4, 2) and torch.allclose(phi, spatial_mean(activation[:, :2]))
    assert torch.allclose(spatial_mean(matched[:, :2]), target.expand(4, 2))
    assert torch.equal(matched[:, 2:], activation[:, 2:])


class TestFilm:
    """The context scales and shifts the hidden layer of the gate."""

    def layer_with_film(self, embedding, *, size: float) -> MatchedLayer:
        torch.manual_seed(5)
        layer = (
            MatchedLayer(CHANNELS, embedding.shape[1], FEATURES, 5, film=True).double().requires_grad_(False)
        )
        generator = torch.Generator().manual_seed(6)
        for p in (*layer.gate.parameters(), *layer.tell.parameters()):
            p.normal_(generator=generator)
        for p in layer.film.parameters():
            p.normal_(generator=generator).mul_(size)
        return layer

    def test_at_its_initial_weights_it_changes_nothing(self, activation, embedding):
        layer = self.layer_with_film(embedding, size=0.0)
        modulated = layer(activation, embedding, CentroidMatching(centroid()))
        layer.film = None
        plain = layer(activation, embedding, CentroidMatching(centroid()))
        assert all(torch.equal(one, other) for one, other in zip(modulated, plain, strict=True))

    def test_it_scales_and_shifts_before_the_nonlinearity(self, activation, embedding):
        layer, target = self.layer_with_film(embedding, size=1.0), CentroidMatching(centroid())
        gain, bias = layer.film(embedding).chunk(2, dim=1)
        linear = layer.read(centroid()[FEATURES].expand(4, -1) - layer.offset(embedding))
        hidden = torch.nn.functional.silu(linear * (1 + gain) + bias)
        _, context, _ = layer(activation, embedding, target)
        assert torch.allclose(context, embedding + layer.tell(hidden), atol=1e-12)


class TestNormalized:
    @pytest.fixture
    def normalized(self):
        torch.manual_seed(5)
        layer = MatchedLayer(CHANNELS, 7, FEATURES, 5, normalized=True).double().requires_grad_(False)
        for p in layer.parameters():
            p.normal_(generator=torch.Generator().manual_seed(6))
        return layer

    @pytest.fixture
    def stats(self):
        generator = torch.Generator().manual_seed(7)
        mean = torch.randn(4, 10, generator=generator, dtype=torch.float64)
        return mean, 0.1 + torch.rand(4, 10, generator=generator, dtype=torch.float64)

    def test_other_units_change_nothing(self, normalized, activation, embedding, stats):
        """Moved and scaled together, activation, target and statistics give the same context."""
        target, (mean, spread) = centroid(), stats
        context = normalized(activation, embedding, CentroidMatching(target), stats)[1]
        scaled = normalized(
            2 * activation + 3, embedding, CentroidMatching(2 * target + 3), (2 * mean + 3, 2 * spread)
        )[1]
        assert torch.allclose(context, scaled, atol=1e-10)

    def test_it_reads_the_means_of_the_image_too(self, normalized, activation, embedding, stats):
        first, second = (
            normalized(a, embedding, CentroidMatching(centroid()), stats)[1]
            for a in (activation, activation + 0.3)
        )
        assert not torch.allclose(first, second, atol=1e-3)

    def test_the_means_are_still_matched(self, activation, embedding, stats):
        fresh = MatchedLayer(CHANNELS, 7, FEATURES, 5, normalized=True).double()
        matched, _, _ = fresh(activation, embedding, CentroidMatching(centroid()), stats)
        assert torch.allclose(spatial_mean(matched), centroid()[FEATURES].expand(4, -1), atol=1e-12)

    def test_large_values_are_softly_limited(self, normalized, activation, embedding, stats):
        """Otherwise an image of no class would give the network inputs far from those of training."""
        far, farther = (
            normalized(activation, embedding, CentroidMatching(size * centroid(), 1.0), stats)
            for size in (1e5, 1e6)
        )
        assert torch.allclose(far[1], farther[1], atol=1e-6) and MAX_NORMALIZED < 10


class TestFeatureNormalization:
    def test_it_takes_known_levels_only_and_interpolates(self):
        normalization, sigmas = FeatureNormalization(2, 3), torch.tensor([0.1, 1.0, 10.0])
        mean, spread = torch.tensor([[1.0, 2], [3, 4], [5, 6]]), torch.tensor([[2.0, 2], [0, 3], [9, 9]])
        normalization.set_stats(sigmas, mean, spread, torch.tensor([True, True, False]))
        assert torch.allclose(normalization.sigmas, sigmas)
        found = normalization(torch.tensor([0.01, 0.1, 1.0, 10**-0.5, 100.0]).log())
        assert torch.allclose(found[0], torch.tensor([[1.0, 2], [1, 2], [3, 4], [2, 3], [0, 0]]), atol=1e-5)
        least = MIN_SPREAD
        expected = torch.tensor([[2.0, 2], [2, 2], [least, 3], [1 + least / 2, 2.5], [1, 1]])
        assert torch.allclose(found[1], expected, atol=1e-5)


class TestLeaveOneOut:
    def test_weights_of_two_groups_of_three(self):
        assert leave_one_out(2, 3).tolist() == [
            [0, 0.5, 0.5, 0, 0, 0],
            [0.5, 0, 0.5, 0, 0, 0],
            [0.5, 0.5, 0, 0, 0, 0],
            [0, 0, 0, 0, 0.5, 0.5],
            [0, 0, 0, 0.5, 0, 0.5],
            [0, 0, 0, 0.5, 0.5, 0],
        ]

    def test_rows_sum_to_one_and_no_image_is_its_own_peer(self):
        weights = leave_one_out(5, 4)
        assert torch.allclose(weights.sum(dim=1), torch.ones(20))
        assert not weights.diagonal().any()

    def test_a_group_of_one_is_refused(self):
        with pytest.raises(ValueError, match="size=1"):
            leave_one_out(3, 1)


class TestSpatialMean:
    @pytest.mark.parametrize(
        "stored, summed",
        [
            (torch.bfloat16, torch.float32),
            (torch.float16, torch.float32),
            (torch.float32, torch.float32),
            (torch.float64, torch.float64),
        ],
    )
    def test_dtype(self, stored, summed):
        mean = spatial_mean(torch.ones(2, 3, 4, 4, dtype=stored))
        assert mean.dtype == summed
        assert mean.shape == (2, 3)

    def test_half_precision_is_not_lost_in_the_sum(self):
        """Summed in bfloat16, 4096 ones stop at 256."""
        activation = torch.ones(1, 1, 64, 64, dtype=torch.bfloat16)
        activation[..., :32] = 1.0078125
        assert spatial_mean(activation).item() == pytest.approx(1.00390625, abs=1e-7)


def test_peer_targets_keep_float32_under_autocast():
    """Rounded to bfloat16, even weights of the identity would move the means."""
    phi = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        target = PeerMatching(torch.eye(4)).target(phi, slice(0, 5))
    assert torch.equal(target, phi)


class TestPooledMasks:
    def test_wide_regions_are_averaged(self):
        masks = torch.zeros(1, 2, 16, 16)
        masks[:, 0, :, :10], masks[:, 1, :, 10:] = 1, 1
        assert torch.equal(pooled_masks(masks, 4), torch.nn.functional.avg_pool2d(masks, 4))

    @pytest.mark.parametrize(("side", "expected"), [(4, 1.0), (2, 1.0), (1, 0.25)])
    def test_a_region_smaller_than_the_pixels_of_a_layer_is_raised(self, side, expected):
        masks = torch.zeros(1, 3, 16, 16)
        masks[:, 0, 4 : 4 + side, 8 : 8 + side] = 1
        masks[:, 1, :, :4] = 1
        masks[:, 2] = 1 - masks[:, :2].sum(dim=1)
        pooled = pooled_masks(masks, 4)
        assert torch.allclose(pooled.sum(dim=1), torch.ones(1, 4, 4))
        assert pooled[0, 0, 1, 2] == expected and pooled[0, 0].sum() == expected
        assert torch.equal(pooled[0, 1, :, 0], torch.ones(4))
