"""Foresight: the place of a target among the classes, known before the first block; the same in training and
in sampling."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fgsd.centroids import Centroid, compute_table, features_by_level, measure_normalization
from fgsd.guidance import GuidedDenoiser
from fgsd.model.matching import FARTHEST, CentroidMatching, Standards
from fgsd.model.network import NetworkConfig
from fgsd.model.target_embedding import Foresight, coordinates
from fgsd.training.running_centroids import RunningCentroids

CLASSES, FEATURES, SIGMAS = 5, 40, torch.tensor([0.1, 1.0, 10.0])
ROWS = torch.eye(CLASSES) - 1 / CLASSES


@pytest.fixture
def centroids() -> torch.Tensor:
    """(C, S, F): two of the five are nearly the same."""
    found = torch.randn(CLASSES, len(SIGMAS), FEATURES, generator=torch.Generator().manual_seed(0))
    found[1] = found[0] + 0.3 * found[1]
    return found


def among(centroids) -> tuple[Standards, Foresight]:
    standards, foresight = Standards(FEATURES, len(SIGMAS)), Foresight(CLASSES, FEATURES, len(SIGMAS))
    known = torch.ones(len(SIGMAS), dtype=torch.bool)
    standards.follow(SIGMAS, centroids.mean(dim=0), centroids.std(dim=0, correction=0), known)
    foresight.follow(standards, centroids)
    return standards, foresight


def test_a_class_is_at_its_row_of_the_identity_however_near_another_is(centroids):
    """Less what all have in common."""
    standards, foresight = among(centroids)
    own = coordinates(standards.units(centroids).transpose(0, 1)).transpose(0, 1)  # (C, S, C)
    assert torch.allclose(own, ROWS[:, None].expand_as(own), atol=0.01)
    assert torch.allclose(foresight(standards, centroids), own, atol=1e-4)


def test_classes_of_the_same_centroid_cannot_be_told_apart(centroids):
    """A label could: features alone are read."""
    centroids[1] = centroids[0]
    standards, foresight = among(centroids)
    read = foresight(standards, centroids)
    assert torch.allclose(read[0], read[1], atol=1e-3)
    assert torch.allclose(read[0], (ROWS[0] + ROWS[1]).expand(3, -1) / 2, atol=0.02)


def test_a_mixture_is_at_its_weights(centroids):
    standards, foresight = among(centroids)
    weights = torch.tensor([0.3, 0.5, 0, 0.2, 0])
    mixed = foresight(standards, torch.einsum("c,csf->sf", weights, centroids)[None])
    assert torch.allclose(mixed[0], (weights @ ROWS).expand(3, -1), atol=0.02)


def test_it_is_ridge_regression(centroids):
    """As scikit-learn has it, of a target that is no mixture."""
    from sklearn.linear_model import Ridge

    from fgsd.model.target_embedding import RIDGE

    standards, foresight = among(centroids)
    target = torch.randn(1, len(SIGMAS), FEATURES, generator=torch.Generator().manual_seed(1))
    found, z = foresight(standards, target), standards.units(centroids).double()
    for level in range(len(SIGMAS)):
        ridge = RIDGE * z[:, level].square().sum(dim=1).mean()
        fit = Ridge(alpha=ridge.item(), fit_intercept=False, solver="cholesky")
        fit.fit(z[:, level].T.numpy(), standards.units(target)[0, level].double().numpy())
        assert torch.allclose(found[0, level].double(), torch.from_numpy(fit.coef_), atol=1e-3)


def test_coordinates_stay_while_the_features_turn(centroids):
    turn, _ = torch.linalg.qr(torch.randn(FEATURES, FEATURES, generator=torch.Generator().manual_seed(1)))
    z = (centroids - centroids.mean(dim=0)).transpose(0, 1)
    assert torch.allclose(coordinates(z @ turn), coordinates(z), atol=1e-3)


def test_what_is_far_is_limited_and_no_difference_breaks_nothing(centroids):
    standards, foresight = among(centroids)
    assert foresight(standards, 1e6 * centroids).abs().max() <= FARTHEST
    standards, foresight = among(torch.ones(CLASSES, 3, FEATURES))
    assert not foresight(standards, torch.ones(1, 3, FEATURES)).any()


def test_a_run_reads_what_its_network_will(centroids):
    """Between levels, too, and nothing where too few classes are known to tell."""
    running = RunningCentroids(CLASSES, FEATURES, sigma_min=0.1, sigma_max=10.0, levels=3, foresight=True)
    running.values.copy_(centroids)
    running.counts.fill_(1)
    running.look_ahead()
    rows, sigma = torch.tensor([0, 3, 4]), torch.tensor([0.1, 1.0, 10**0.5])
    matching = running.matching(rows, sigma, torch.tensor([True, True, True]))
    standards, foresight = among(centroids)
    read = foresight(standards, centroids)
    expected = torch.stack([read[0, 0], read[3, 1], (read[4, 1] + read[4, 2]) / 2])
    assert torch.allclose(matching.read, expected, atol=0.02)
    running.counts[:, 1] = torch.tensor([1.0, 0, 0, 0, 0])
    running.look_ahead()
    assert not running.read[:, 1].any() and running.read[:, 0].any()


@pytest.fixture
def network(tiny, lively, data):
    """That knows the data's classes."""
    network = lively(replace(tiny, standards=4, foresight=3))
    network.standards.logs.copy_(torch.linspace(-3, 3, 4))
    network.eval().requires_grad_(False)
    measure_normalization(network, data, crops=8)
    sigmas = network.standards.logs.exp()
    nothing = torch.zeros(3, 4, 3)
    network.foresight.follow(
        network.standards, compute_table(network, data, sigmas, coordinates=nothing).values
    )
    return network


@pytest.fixture
def table(network, data):
    sigmas = network.standards.logs.exp()
    return compute_table(network, data, sigmas, coordinates=torch.zeros(3, 4, 3))


def first_layer(network, phi):
    return phi[:, : network.config.feature_widths()[network.config.features[0]]]


def test_a_network_knows_its_target_before_the_first_layer(network, table):
    """Then its very first features depend on the target; without foresight no target changes them."""
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    both = [GuidedDenoiser(network, table.of(c)) for c in table.classes[:2]]
    one, other = (first_layer(network, guided(x, 1.0)[1]) for guided in both)
    assert not torch.allclose(one, other, atol=1e-4)
    network.foresight.weights.zero_()
    both = [GuidedDenoiser(network, table.of(c)) for c in table.classes[:2]]
    one, other = (first_layer(network, guided(x, 1.0)[1]) for guided in both)
    assert torch.equal(one, other)


def test_none_of_the_way_is_unguided(network, table):
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    still = GuidedDenoiser(network, table.of("moss"), strength=0.0)(x, 1.0)[0]
    assert torch.equal(still, network(x, 1.0))


def test_a_batch_of_targets_is_that_of_each_alone(network, table):
    x = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    targets = [table.of(c) for c in table.classes]
    sigma = torch.tensor([0.2, 1.0, 3.0])
    together = GuidedDenoiser(network, targets)(x, sigma)[0]
    for k, target in enumerate(targets):
        alone = GuidedDenoiser(network, target)(x[k : k + 1], sigma[k].item())[0]
        assert torch.allclose(together[k : k + 1], alone, atol=1e-5)


def test_other_noise_levels_read_what_lies_between(network, table):
    """A table need not be on the levels of the network."""
    finer = torch.linspace(-3, 3, 13).exp()
    between = torch.stack([table.of(c).at(finer) for c in table.classes])
    own = network.reading(table.sigmas, table.values)
    assert own.shape == (3, 4, 3)
    same = network.reading(finer, between)
    for row in range(3):
        expected = Centroid(table.sigmas, own[row], torch.zeros(3)).at(finer)
        assert torch.allclose(same[row], expected, atol=1e-4)


def test_an_image_that_is_no_class_is_read_by_its_own_features(network, data):
    x0 = data.crops(data.classes[0], 4, torch.Generator().manual_seed(0))
    sigmas = network.standards.logs.exp()
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    alone = torch.stack([network.denoise(x0 + s * eps, s)[1].mean(dim=0) for s in sigmas.tolist()])
    own, _ = features_by_level(network, x0, sigmas)
    same, _ = features_by_level(network, x0, sigmas, coordinates=network.reading(sigmas, alone[None])[0])
    nothing, _ = features_by_level(network, x0, sigmas, coordinates=torch.zeros(4, 3))
    assert torch.allclose(own, same, atol=1e-5) and not torch.allclose(own, nothing, atol=1e-3)


def test_a_network_without_foresight_reads_nothing(lively, tiny):
    network, values = lively(tiny), torch.randn(1, 3, tiny.dimension)
    assert network.reading(SIGMAS, values) is None
    x, matching = torch.randn(1, 3, 8, 8), CentroidMatching(values[:, 0])
    assert torch.equal(network(x, 1.0, matching), network(x, 1.0, replace(matching, read=torch.ones(1, 5))))


def test_bad_numbers_of_classes_are_refused():
    with pytest.raises(ValueError, match=r"foresight=3 .* needs features=.* and standards=0"):
        NetworkConfig(foresight=3)
    with pytest.raises(ValueError, match="foresight=-1"):
        NetworkConfig(foresight=-1, standards=12)
    with pytest.raises(ValueError, match="labels=3 and foresight=3: set one of the two"):
        NetworkConfig(foresight=3, standards=12, labels=3)
