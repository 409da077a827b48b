"""A network and a target as one denoiser: guided by a centroid, or by labels without a classifier."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from fgsd.centroids import Centroid
from fgsd.guidance import GuidedDenoiser, LabelGuidedDenoiser
from fgsd.model.matching import CentroidMatching
from fgsd.model.network import Denoiser

SIGMAS = torch.tensor([0.1, 0.5, 2.0])


def centroid(seed: int, features: int = 32) -> Centroid:
    return Centroid(
        SIGMAS, torch.randn(3, features, generator=torch.Generator().manual_seed(seed)), torch.zeros(3)
    )


@pytest.fixture
def x():
    return torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(9))


@pytest.mark.parametrize("sigma", [0.1, 0.7, torch.tensor([0.2, 0.5, 1.5])])
@pytest.mark.parametrize("strength", [0.6, 1.0])
def test_it_is_the_network_matched_to_the_centroid_of_the_level(lively, x, sigma, strength):
    network, target = lively(), centroid(0)
    found = GuidedDenoiser(network, target, strength=strength)(x, sigma)
    expected = network.denoise(x, sigma, CentroidMatching(target.at(sigma), strength))
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


@pytest.mark.parametrize("sigma", [0.7, torch.tensor([0.2, 0.5, 1.5])])
def test_a_centroid_for_each_image(lively, x, sigma):
    network, targets = lively(), [centroid(k) for k in range(3)]
    guided = GuidedDenoiser(network, targets)
    denoised, _ = guided(x, sigma)
    for k in range(3):
        level = sigma if isinstance(sigma, float) else sigma[k].item()
        alone, _ = GuidedDenoiser(network, targets[k])(x[k : k + 1], level)
        assert torch.allclose(denoised[k], alone[0], atol=1e-5)
        assert torch.allclose(guided.target(sigma)[k], targets[k].at(level), atol=1e-6)


def test_unguided_and_strength_zero(lively, x):
    network = lively()
    unguided = GuidedDenoiser(network, None)
    assert unguided.target(0.5) is None
    assert torch.equal(unguided(x, 0.5)[0], network(x, 0.5))
    zero = GuidedDenoiser(network, centroid(0), strength=0.0)
    assert torch.equal(zero(x, 0.5)[0], network(x, 0.5))
    assert torch.equal(zero.target(0.5), centroid(0).at(0.5))  # distances to it are still measured
    limit = network(x, 0.5, CentroidMatching(centroid(0).at(0.5), 0.0))
    assert torch.allclose(limit, network(x, 0.5), atol=1e-5)
    assert not torch.allclose(GuidedDenoiser(network, centroid(0))(x, 0.5)[0], network(x, 0.5), atol=1e-2)


def test_tileable_is_passed_on(lively, x):
    network = lively()
    found = GuidedDenoiser(network, None, tileable=True)(x, 0.5)[0]
    assert torch.equal(found, network(x, 0.5, tileable=True))
    assert not torch.allclose(found, network(x, 0.5), atol=1e-3)


def test_no_graph_is_kept(lively, x):
    network = lively().requires_grad_(True)
    denoised, phi = GuidedDenoiser(network, centroid(0))(x, 0.5)
    assert not denoised.requires_grad and not phi.requires_grad


def test_bad_arguments(lively):
    network = lively()
    with pytest.raises(ValueError, match="31 features, the network 32"):
        GuidedDenoiser(network, centroid(0, features=31))
    other_levels = Centroid(2 * SIGMAS, centroid(0).values, torch.zeros(3))
    with pytest.raises(ValueError, match="share their noise levels"):
        GuidedDenoiser(network, [centroid(0), other_levels])
    for strength in (math.nan, math.inf):
        with pytest.raises(ValueError, match=f"strength={strength}"):
            GuidedDenoiser(network, centroid(0), strength=strength)


class TestLabels:
    @pytest.fixture
    def network(self, tiny) -> Denoiser:
        """A network with three labels, in which no layer is left at its initial zero."""
        torch.manual_seed(0)
        network = Denoiser(replace(tiny, labels=3))
        for p in network.parameters():
            torch.nn.init.normal_(p, std=0.2)
        return network.requires_grad_(False)

    def test_each_image_is_denoised_by_its_own_label(self, network, x):
        together = LabelGuidedDenoiser(network, torch.eye(3))(x, 0.5)[0]
        for k in range(3):
            alone = LabelGuidedDenoiser(network, torch.eye(3)[k])(x[k : k + 1], 0.5)[0]
            assert torch.allclose(together[k : k + 1], alone, atol=1e-6)
        other = LabelGuidedDenoiser(network, torch.eye(3).roll(1, 0))(x, 0.5)[0]
        assert (together - other).abs().max() > 1e-3

    def test_weights_of_zero_are_the_limit_of_no_label(self, network, x):
        zero = LabelGuidedDenoiser(network, torch.zeros(3))(x, 0.5)[0]
        assert torch.equal(zero, network(x, 0.5, None))

    def test_a_weight_goes_along_the_line_from_no_label_to_the_label(self, network, x):
        label = torch.eye(3)[1]
        labelled, unguided = LabelGuidedDenoiser(network, label)(x, 0.5)[0], network(x, 0.5)
        guided = LabelGuidedDenoiser(network, label, weight=2.5)
        assert torch.allclose(guided(x, 0.5)[0], unguided + 2.5 * (labelled - unguided), atol=1e-6)
        assert guided.evaluations == 2 and LabelGuidedDenoiser(network, label).evaluations == 1

    def test_labels_of_another_number_of_classes_are_refused(self, network, x):
        with pytest.raises(ValueError, match=r"labels of 4 classes.*labels=3"):
            LabelGuidedDenoiser(network, torch.eye(4)[0])(x, 0.5)
