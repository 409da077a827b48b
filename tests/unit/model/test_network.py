"""The denoiser: sizes, preconditioning, features, and what must leave its output unchanged."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from fgsd.model.matching import CentroidMatching, PeerMatching
from fgsd.model.network import Denoiser, NetworkConfig, check_size, preconditioning


def images(batch: int, height: int = 16, width: int = 16, *, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


SIGMA = torch.tensor([0.05, 0.4, 3.0])


@pytest.fixture
def centroid():
    return torch.randn(32, generator=torch.Generator().manual_seed(5))


class TestConfig:
    def test_layers_and_dimension(self):
        config = NetworkConfig(
            widths=(8, 16, 24), blocks=(1, 1, 1), features=("down0", "down2", "up1", "up0")
        )
        assert config.layers() == ["down0", "down1", "down2", "up1", "up0"]
        assert config.feature_widths() == {"down0": 8, "down2": 24, "up1": 16, "up0": 8}
        assert (config.dimension, config.multiple) == (56, 8)

    @pytest.mark.parametrize(
        "options, named",
        [
            ({"widths": (8, 16), "blocks": (1,)}, "same length"),
            ({"widths": (8,), "blocks": (1,)}, "at least 2"),
            ({"widths": (8, 0), "blocks": (1, 1), "features": ("down0",)}, "at least 1"),
            ({"features": ("down0", "middle")}, "middle"),
            ({"features": ("down1", "down0")}, "order"),
            ({"features": ("down0", "down0")}, "distinct"),
            ({"gated": ("middle",)}, "gated=.*middle"),
            ({"features": ("down1",), "gated": ("up0", "down0")}, "gated=.*order"),
            ({"features": ("down1",), "gated": ("down0", "down1")}, r"gated=\['down1'\] are features"),
            ({"sigma_data": 0.0}, "sigma_data=0.0"),
            ({"sigma_data": float("nan")}, "sigma_data=nan"),
            ({"sigma_data": float("inf")}, "sigma_data=inf"),
        ],
    )
    def test_bad_settings(self, options, named):
        with pytest.raises(ValueError, match=named):
            NetworkConfig(**options)


class TestSizes:
    @pytest.mark.parametrize("height, width", [(4, 4), (4, 12), (20, 8), (16, 36)])
    @pytest.mark.parametrize("tileable", [False, True])
    def test_any_multiple_works(self, lively, height, width, tileable):
        denoised, phi = lively().denoise(images(2, height, width), 0.5, tileable=tileable)
        assert denoised.shape == (2, 3, height, width)
        assert phi.shape == (2, 8 + 16 + 8)
        assert denoised.isfinite().all()

    @pytest.mark.parametrize(
        "height, width, message",
        [
            (18, 16, "height=18 .* multiple of 4 .* nearest is (16|20)"),
            (16, 15, "width=15 .* nearest is 16"),
            (17, 16, "height=17 .* nearest is 16"),
            (2, 16, "height=2 .* nearest is 4"),
        ],
    )
    def test_others_are_refused_with_the_nearest(self, lively, height, width, message):
        with pytest.raises(ValueError, match=message):
            lively().denoise(images(1, height, width), 0.5)

    @pytest.mark.parametrize("value", [0, -8, 1])
    def test_the_nearest_is_never_nothing(self, value):
        with pytest.raises(ValueError, match="nearest is 8"):
            check_size(value, 8, 8)


class TestPreconditioning:
    def test_identities(self):
        sigma, data = torch.tensor([0.01, 0.5, 4.0], dtype=torch.float64), 0.5
        c_skip, c_out, c_in = preconditioning(sigma, data)
        one = torch.ones(3, dtype=torch.float64)
        # EDM, appendix B.6: the input has unit variance, and so has the target of the network
        assert torch.allclose(c_in**2 * (sigma**2 + data**2), one)
        assert torch.allclose(((1 - c_skip) ** 2 * data**2 + c_skip**2 * sigma**2) / c_out**2, one)

    def test_noise_free_and_noise_only(self):
        c_skip, c_out, _ = preconditioning(torch.tensor([1e-6, 1e6], dtype=torch.float64), 0.5)
        assert c_skip.tolist() == pytest.approx([1, 0], abs=1e-9)
        assert c_out.tolist() == pytest.approx([0, 0.5], abs=1e-5)

    def test_a_new_network_is_the_skip_alone(self, tiny):
        """Its last layer is zero, so D = c_skip x, the best linear denoiser of white data."""
        x = images(3)
        denoised = Denoiser(tiny)(x, SIGMA)
        c_skip = tiny.sigma_data**2 / (tiny.sigma_data**2 + SIGMA**2)
        assert torch.allclose(denoised, c_skip[:, None, None, None] * x, atol=1e-7)

    def test_the_network_sees_the_scaled_input(self, lively):
        """With sigma fixed, D - c_skip x depends on c_in x alone: undo both for another sigma_data."""
        network = lively()
        other = copy.deepcopy(network)
        other.config = dataclasses.replace(network.config, sigma_data=1.3)
        sigma, outputs = torch.tensor(0.7), []
        for one in (network, other):
            c_skip, c_out, c_in = preconditioning(sigma, one.config.sigma_data)
            x = images(2) / c_in
            outputs.append((one(x, sigma) - c_skip * x) / c_out)
        assert torch.allclose(*outputs, atol=1e-4)
        assert outputs[0].std() > 0.05


class TestInvariants:
    def test_images_of_a_batch_do_not_touch(self, lively):
        network, x = lively(), images(3)
        denoised, phi = network.denoise(x, SIGMA)
        for k in range(3):
            alone, phi_alone = network.denoise(x[k : k + 1], SIGMA[k])
            assert torch.allclose(alone[0], denoised[k], atol=1e-5)
            assert torch.allclose(phi_alone[0], phi[k], atol=1e-5)

    @pytest.mark.parametrize("shift", [(4, 0), (0, 8), (12, 4)])
    def test_tileable_output_moves_with_the_input(self, lively, shift):
        network, x = lively(), images(2, 16, 24)
        denoised, phi = network.denoise(x, 0.8, tileable=True)
        rolled, phi_rolled = network.denoise(x.roll(shift, dims=(2, 3)), 0.8, tileable=True)
        assert torch.allclose(rolled, denoised.roll(shift, dims=(2, 3)), atol=1e-4)
        assert torch.allclose(phi_rolled, phi, atol=1e-5)

    def test_without_tiling_the_border_shows(self, lively):
        network, x = lively(), images(1)
        assert not torch.allclose(network(x.roll(8, dims=3), 0.8), network(x, 0.8).roll(8, dims=3), atol=1e-3)

    def test_noise_is_a_number_or_one_for_each_image(self, lively):
        network, x = lively(), images(2)
        expected = network(x, torch.tensor([0.3, 0.3]))
        assert torch.equal(network(x, 0.3), expected)
        assert torch.equal(network(x, torch.tensor(0.3)), expected)
        assert not torch.allclose(network(x, 0.6), expected, atol=1e-3)

    def test_memory_format_does_not_matter(self, lively):
        network, x = lively(), images(2)
        last = copy.deepcopy(network).to(memory_format=torch.channels_last)
        assert torch.allclose(last(x.to(memory_format=torch.channels_last), 0.5), network(x, 0.5), atol=1e-5)

    def test_double_precision(self, lively):
        network = lively()
        double = copy.deepcopy(network).double()
        denoised, phi = double.denoise(images(2).double(), 0.5)
        assert denoised.dtype == phi.dtype == torch.float64
        assert torch.allclose(denoised.float(), network(images(2), 0.5), atol=1e-5)

    def test_features_are_float32_under_autocast(self, lively):
        network = lively()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            denoised, phi = network.denoise(images(2), 0.5)
        assert (denoised.dtype, phi.dtype) == (torch.float32, torch.float32)
        assert torch.allclose(denoised, network(images(2), 0.5), atol=0.1)

    def test_every_weight_learns(self, lively, tiny):
        """No layer is left out of the graph, so no process of a parallel run waits for it."""
        network = lively().requires_grad_(True)
        weights = PeerMatching(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
        network(images(2), torch.tensor([0.3, 1.0]), weights).square().mean().backward()
        assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


class TestMatching:
    def test_features_stand_in_the_order_of_the_layers(self, lively):
        """Each layer's slice of phi is the mean of that layer's activation, as a hook sees it."""
        network, seen = lively(), []
        layers = [network.down[0].matched, network.down[1].matched, network.up[0].matched]
        hooks = [m.register_forward_pre_hook(lambda _, args: seen.append(args[0])) for m in layers]
        _, phi = network.denoise(images(2), 0.5)
        for hook in hooks:
            hook.remove()
        assert [a.shape[1] for a in seen] == [8, 16, 8]
        expected = torch.cat([a.mean(dim=(2, 3)) for a in seen], dim=1)
        assert torch.allclose(phi, expected, atol=1e-6)

    def test_every_selected_layer_is_moved_to_its_part_of_the_centroid(self, lively, centroid):
        network, moved = lively(), []
        for level in (network.down[0], network.down[1], network.up[0]):
            torch.nn.init.zeros_(level.matched.gate.weight)
            torch.nn.init.zeros_(level.matched.gate.bias)
            level.matched.register_forward_hook(lambda m, args, out: moved.append(out[0].mean(dim=(2, 3))))
        network.denoise(images(2), 0.5, CentroidMatching(centroid))
        assert torch.allclose(torch.cat(moved, dim=1), centroid.expand(2, -1), atol=1e-4)

    def test_unguided_is_strength_zero_and_its_own_features(self, lively, centroid):
        network, x = lively(), images(3)
        denoised, phi = network.denoise(x, SIGMA)
        for matching in (
            CentroidMatching(centroid, 0.0),
            CentroidMatching(phi),
            PeerMatching(torch.eye(3)),
        ):
            assert torch.allclose(network(x, SIGMA, matching), denoised, atol=1e-5)

    def test_guidance_moves_the_output(self, lively, centroid):
        network, x = lively(), images(2)
        assert not torch.allclose(network(x, 0.5, CentroidMatching(centroid)), network(x, 0.5), atol=1e-2)

    def test_features_that_are_not_selected_are_not_measured(self, tiny):
        none = Denoiser(dataclasses.replace(tiny, features=()))
        assert none.denoise(images(2), 0.5)[1].shape == (2, 0)
        one = Denoiser(dataclasses.replace(tiny, features=("down1",)))
        assert one.denoise(images(2), 0.5)[1].shape == (2, 16)


class TestGatesAlone:
    @pytest.fixture
    def gated(self, tiny):
        return dataclasses.replace(tiny, features=("down1",), gated=("down0", "up0"))

    def test_they_read_their_own_means_and_are_no_features(self, lively, gated):
        network = lively(
            dataclasses.replace(gated, normalization_levels=3)
        )  # of which only features are normalised
        before, phi = network.denoise(images(2), 0.5)
        assert phi.shape == (2, 16) and network.config.dimension == 16
        network.up[0].matched.read.weight.zero_()
        assert not torch.allclose(network(images(2), 0.5), before, atol=1e-3)

    def test_unguided_they_do_as_those_of_features_do(self, lively, tiny, gated):
        """So a baseline with labels has the same gates, whether its layers are `features` or `gated`."""
        assert tiny.features == ("down0", "down1", "up0") and not tiny.normalization_levels
        assert torch.equal(lively(tiny)(images(2), SIGMA[:2]), lively(gated)(images(2), SIGMA[:2]))

    @pytest.mark.parametrize("matched", [False, True])
    def test_no_target_reaches_them(self, lively, tiny, gated, matched):
        network, x, met = lively(tiny if matched else gated), images(2), []
        network.down[0].register_forward_hook(lambda module, args, output: met.append(output[0]))
        target = torch.randn(network.config.dimension, generator=torch.Generator().manual_seed(1))
        for matching in (None, CentroidMatching(target)):
            network(x, 0.5, matching)
        assert torch.equal(met[0], met[1]) != matched
