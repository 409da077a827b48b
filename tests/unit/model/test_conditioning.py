"""Conditioning: labels, and the embedding of a whole target by its coordinates among the class centroids."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fgsd.centroids import Centroid, compute_table, features_by_level, measure_normalization
from fgsd.guidance import GuidedDenoiser
from fgsd.model.conditioning import (
    MAX_COORDINATE,
    RIDGE,
    LabelEmbedding,
    Labels,
    TargetEmbedding,
    coordinates_of,
)
from fgsd.model.matching import CentroidMatching, FeatureNormalization, PeerMatching
from fgsd.model.network import Denoiser, NetworkConfig
from fgsd.training.running_centroids import RunningCentroids

CLASSES, FEATURES, SIGMAS = 5, 40, torch.tensor([0.1, 1.0, 10.0])
ROWS = torch.eye(CLASSES) - 1 / CLASSES  # coordinates of the classes, up to the ridge
MASK = torch.tensor([True, False, True])


def images(batch: int) -> torch.Tensor:
    return torch.randn(batch, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class TestLabels:
    def test_rows_of_the_identity_name_classes(self):
        labels = Labels.of(torch.tensor([2, 0, 1]), 3, MASK)
        assert labels.weights.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
        assert torch.equal(labels.guided, MASK)

    def test_the_embedding_is_linear_and_zero_where_unguided(self):
        embedding = LabelEmbedding(3, 8)
        each = embedding(Labels(torch.eye(3)))
        masked = embedding(Labels(torch.eye(3), MASK))
        assert torch.equal(masked, each * MASK[:, None]) and not masked[1].any()
        assert torch.allclose(embedding(Labels(torch.tensor([[0.5, 0.5, 0]]))), each[:2].mean(dim=0))

    def test_those_of_another_number_of_classes_are_refused(self, lively, tiny):
        with pytest.raises(ValueError, match=r"labels of 4 classes.*labels=3"):
            lively(replace(tiny, labels=3))(images(1), 0.5, Labels(torch.eye(4)[:1]))
        with pytest.raises(ValueError, match="labels=0"):
            Denoiser(tiny)(images(3), 0.5, Labels(torch.eye(3)))


@pytest.mark.parametrize("kind", ["labels", "centroid", "peers"])
def test_images_that_the_mask_leaves_out_are_unguided(lively, tiny, kind):
    """None and the mask are the same, and the others do not notice."""
    options = {"labels": 3} if kind == "labels" else {"normalization_levels": 3, "target_embedding": 3}
    network, x = lively(replace(tiny, **options)), images(3)
    centroid = torch.randn(3, tiny.dimension, generator=torch.Generator().manual_seed(1))
    condition = {
        "labels": Labels(torch.eye(3)),
        "centroid": CentroidMatching(centroid, 0.8, torch.eye(3)),
        "peers": PeerMatching(torch.full((3, 3), 1 / 3), torch.eye(3)),
    }[kind]
    unguided, every = network(x, 0.5), network(x, 0.5, condition)
    if kind == "peers":  # whose features depend on the unguided images too
        every = network(x, 0.5, replace(condition, guided=torch.ones(3, dtype=torch.bool)))
        assert torch.equal(every, network(x, 0.5, condition))
    some = network(x, 0.5, replace(condition, guided=MASK))
    assert torch.allclose(some[1], unguided[1], atol=1e-6)
    assert not torch.allclose(every[1], unguided[1], atol=1e-3)
    if kind != "peers":
        assert torch.allclose(some[MASK], every[MASK], atol=1e-6)
    none = network(x, 0.5, replace(condition, guided=torch.zeros(3, dtype=torch.bool)))
    assert torch.equal(none, unguided)


@pytest.fixture
def centroids() -> torch.Tensor:
    """(C, S, F): two of the five are nearly the same."""
    found = torch.randn(CLASSES, len(SIGMAS), FEATURES, generator=torch.Generator().manual_seed(0))
    found[1] = found[0] + 0.3 * found[1]
    return found


def embedding_of(centroids) -> tuple[FeatureNormalization, TargetEmbedding]:
    normalization = FeatureNormalization(FEATURES, len(SIGMAS))
    embedding = TargetEmbedding(CLASSES, FEATURES, len(SIGMAS), 16)
    known = torch.ones(len(SIGMAS), dtype=torch.bool)
    normalization.set_stats(SIGMAS, centroids.mean(dim=0), centroids.std(dim=0, correction=0), known)
    embedding.set_centroids(normalization, centroids)
    return normalization, embedding


class TestCoordinates:
    def test_those_of_a_class_are_its_row_of_the_identity_however_near_another_is(self, centroids):
        """Less the mean over classes."""
        normalization, embedding = embedding_of(centroids)
        among = coordinates_of(normalization.normalized(centroids).transpose(0, 1)).transpose(0, 1)
        assert torch.allclose(among, ROWS[:, None].expand_as(among), atol=0.01)  # (C, S, C)
        assert torch.allclose(embedding.coordinates(normalization, centroids), among, atol=1e-4)

    def test_classes_with_the_same_centroid_have_the_same(self, centroids):
        """A label would separate them; features do not."""
        centroids[1] = centroids[0]
        normalization, embedding = embedding_of(centroids)
        coordinates = embedding.coordinates(normalization, centroids)
        assert torch.allclose(coordinates[0], coordinates[1], atol=1e-3)
        assert torch.allclose(coordinates[0], (ROWS[0] + ROWS[1]).expand(3, -1) / 2, atol=0.02)

    def test_those_of_a_mixture_are_its_weights(self, centroids):
        normalization, embedding = embedding_of(centroids)
        weights = torch.tensor([0.3, 0.5, 0, 0.2, 0])
        mixed = torch.einsum("c,csf->sf", weights, centroids)[None]
        coordinates = embedding.coordinates(normalization, mixed)
        assert torch.allclose(coordinates[0], (weights @ ROWS).expand(3, -1), atol=0.02)

    def test_they_are_ridge_regression(self, centroids):
        """As in scikit-learn, for a target that is no mixture."""
        from sklearn.linear_model import Ridge

        normalization, embedding = embedding_of(centroids)
        target = torch.randn(1, len(SIGMAS), FEATURES, generator=torch.Generator().manual_seed(1))
        found = embedding.coordinates(normalization, target)
        z = normalization.normalized(centroids).double()
        for level in range(len(SIGMAS)):
            ridge = RIDGE * z[:, level].square().sum(dim=1).mean()
            fit = Ridge(alpha=ridge.item(), fit_intercept=False, solver="cholesky")
            fit.fit(z[:, level].T.numpy(), normalization.normalized(target)[0, level].double().numpy())
            assert torch.allclose(found[0, level].double(), torch.from_numpy(fit.coef_), atol=1e-3)

    def test_they_stay_while_the_features_rotate(self, centroids):
        noise = torch.randn(FEATURES, FEATURES, generator=torch.Generator().manual_seed(1))
        rotation, _ = torch.linalg.qr(noise)
        z = (centroids - centroids.mean(dim=0)).transpose(0, 1)
        assert torch.allclose(coordinates_of(z @ rotation), coordinates_of(z), atol=1e-3)

    def test_they_are_limited_and_equal_centroids_break_nothing(self, centroids):
        normalization, embedding = embedding_of(centroids)
        assert embedding.coordinates(normalization, 1e6 * centroids).abs().max() <= MAX_COORDINATE
        normalization, embedding = embedding_of(torch.ones(CLASSES, 3, FEATURES))
        assert not embedding.coordinates(normalization, torch.ones(1, 3, FEATURES)).any()

    def test_a_run_has_those_that_its_network_will_have(self, centroids):
        """Between levels, too, and none where too few classes are known."""
        running = RunningCentroids(
            CLASSES, FEATURES, sigma_min=0.1, sigma_max=10.0, levels=3, target_embedding=True
        )
        running.values.copy_(centroids)
        running.counts.fill_(1)
        running.refresh_coordinates()
        rows, sigma = torch.tensor([0, 3, 4]), torch.tensor([0.1, 1.0, 10**0.5])
        matching = running.matching(rows, sigma, torch.tensor([True, True, True]))
        normalization, embedding = embedding_of(centroids)
        of_classes = embedding.coordinates(normalization, centroids)
        between = (of_classes[4, 1] + of_classes[4, 2]) / 2
        expected = torch.stack([of_classes[0, 0], of_classes[3, 1], between])
        assert torch.allclose(matching.coordinates, expected, atol=0.02)
        running.counts[:, 1] = torch.tensor([1.0, 0, 0, 0, 0])
        running.refresh_coordinates()
        assert not running.coordinates[:, 1].any() and running.coordinates[:, 0].any()


class TestNetworkWithTargetEmbedding:
    @pytest.fixture
    def network(self, tiny, lively, data):
        """One that knows the classes of the data."""
        network = lively(replace(tiny, normalization_levels=4, target_embedding=3))
        network.normalization.log_sigmas.copy_(torch.linspace(-3, 3, 4))
        network.eval().requires_grad_(False)
        measure_normalization(network, data, crops=8)
        sigmas, none = network.normalization.sigmas, torch.zeros(3, 4, 3)
        centroids = compute_table(network, data, sigmas, coordinates=none).values
        network.target_embedding.set_centroids(network.normalization, centroids)
        return network

    @pytest.fixture
    def table(self, network, data):
        return compute_table(network, data, network.normalization.sigmas, coordinates=torch.zeros(3, 4, 3))

    def test_it_knows_its_target_before_the_first_layer(self, network, table):
        """Then its first features depend on the target; without coordinates, no target changes them."""

        def first_features(name: str) -> torch.Tensor:
            phi = GuidedDenoiser(network, table.of(name))(images(2), 1.0)[1]
            return phi[:, : network.config.feature_widths()[network.config.features[0]]]

        one, other = map(first_features, table.classes[:2])
        assert not torch.allclose(one, other, atol=1e-4)
        network.target_embedding.weights.zero_()
        one, other = map(first_features, table.classes[:2])
        assert torch.equal(one, other)

    def test_zero_strength_is_unguided(self, network, table):
        zero = GuidedDenoiser(network, table.of("moss"), strength=0.0)(images(2), 1.0)[0]
        assert torch.equal(zero, network(images(2), 1.0))
        condition = CentroidMatching(table.of("moss").at(1.0), 0.0, torch.ones(3))
        assert torch.equal(zero, network(images(2), 1.0, condition))

    def test_a_batch_of_targets_is_that_of_each_alone(self, network, table):
        targets, sigma = [table.of(c) for c in table.classes], torch.tensor([0.2, 1.0, 3.0])
        together = GuidedDenoiser(network, targets)(images(3), sigma)[0]
        for k, target in enumerate(targets):
            alone = GuidedDenoiser(network, target)(images(3)[k : k + 1], sigma[k].item())[0]
            assert torch.allclose(together[k : k + 1], alone, atol=1e-5)

    def test_other_noise_levels_are_interpolated(self, network, table):
        """A table need not have the levels of the network."""
        finer = torch.linspace(-3, 3, 13).exp()
        interpolated = torch.stack([table.of(c).at(finer) for c in table.classes])
        of_classes = network.target_coordinates(table.sigmas, table.values)
        assert of_classes.shape == (3, 4, 3)
        found = network.target_coordinates(finer, interpolated)
        for row in range(3):
            expected = Centroid(table.sigmas, of_classes[row], torch.zeros(3)).at(finer)
            assert torch.allclose(found[row], expected, atol=1e-4)

    def test_an_image_of_no_class_has_the_coordinates_of_its_own_features(self, network, data):
        x0 = data.crops(data.classes[0], 4, torch.Generator().manual_seed(0))
        sigmas = network.normalization.sigmas
        noise = torch.randn(2, *x0.shape[1:], generator=torch.Generator().manual_seed(0))
        eps = torch.cat([noise, -noise])
        alone = torch.stack([network.denoise(x0 + s * eps, s)[1].mean(dim=0) for s in sigmas.tolist()])
        coordinates = network.target_coordinates(sigmas, alone[None])
        default, _ = features_by_level(network, x0[None], sigmas)
        same, _ = features_by_level(network, x0[None], sigmas, coordinates=coordinates)
        without, _ = features_by_level(network, x0[None], sigmas, coordinates=torch.zeros(1, 4, 3))
        assert torch.allclose(default, same, atol=1e-5) and not torch.allclose(default, without, atol=1e-3)


def test_a_network_without_target_embedding_ignores_coordinates(lively, tiny):
    network, values = lively(tiny), torch.randn(1, 3, tiny.dimension)
    assert network.target_coordinates(SIGMAS, values) is None
    x, matching = torch.randn(1, 3, 8, 8), CentroidMatching(values[:, 0])
    with_coordinates = replace(matching, coordinates=torch.ones(1, 5))
    assert torch.equal(network(x, 1.0, matching), network(x, 1.0, with_coordinates))


def test_bad_numbers_of_classes_are_refused():
    with pytest.raises(ValueError, match=r"target_embedding=3 .* needs features=.* normalization_levels=0"):
        NetworkConfig(target_embedding=3)
    with pytest.raises(ValueError, match="target_embedding=-1"):
        NetworkConfig(target_embedding=-1, normalization_levels=12)
    with pytest.raises(ValueError, match="labels=3 and target_embedding=3: set one of the two"):
        NetworkConfig(target_embedding=3, normalization_levels=12, labels=3)
