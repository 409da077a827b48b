"""Validation denoises held-out crops only, guided to the right class and to a wrong one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from fgsd.data import DataConfig, TextureFolder
from fgsd.model.network import Denoiser, NetworkConfig
from fgsd.training.running_centroids import RunningCentroids
from fgsd.training.validation import SIGMAS, validate


class Stub(nn.Module):
    """A denoiser in place of the network: `denoise(x, sigma, matching)`."""

    def __init__(self, denoise) -> None:
        super().__init__()
        self.denoise, self.anchor = denoise, nn.Parameter(torch.zeros(1))  # which has a device
        self.config, self.tileable = NetworkConfig(), None

    def forward(self, x, sigma, matching=None, *, tileable=False):
        self.tileable = tileable
        return self.denoise(x, sigma, matching)


def plain_images(folder, n: int) -> TextureFolder:
    """Classes 0 to n - 1 of one grey each, 10 k in training; the held-out strip is white."""
    folder.mkdir(exist_ok=True)
    for k in range(n):
        image = np.full((24, 12, 3), 10 * k, dtype=np.uint8)
        image[16:] = 255
        Image.fromarray(image).save(folder / f"class{k:02d}.png")
    return TextureFolder(folder, DataConfig(image_size=None, patch_size=8, test_share=1 / 3))


def greys(n: int) -> np.ndarray:
    return 10 * np.arange(n) / 127.5 - 1


def test_the_error_is_that_of_held_out_crops(tmp_path):
    """Black for strips that are white: an error of 2 squared, at every level and with any guidance."""
    found = validate(Stub(lambda x, sigma, matching: torch.full_like(x, -1)), plain_images(tmp_path, 3))
    assert found.sigmas == SIGMAS
    assert found.guided == found.unguided == found.wrong == pytest.approx((4.0,) * 4)


@pytest.mark.parametrize("tileable", [False, True])
def test_crops_that_wrap_round_are_denoised_as_tileable(data, tileable):
    stub = Stub(lambda x, sigma, matching: x)
    validate(stub, data, tileable=tileable)
    assert stub.tileable is tileable


def test_an_identity_leaves_the_noise(data):
    found = validate(Stub(lambda x, sigma, matching: x), data)
    for sigma, error in zip(SIGMAS, found.unguided, strict=True):
        assert error == pytest.approx(sigma**2, rel=5 * (2 / (3 * 3 * 16 * 16)) ** 0.5)


@pytest.mark.parametrize("n", [2, 3, 8, 9, 12, 17])
def test_right_and_wrong_classes(tmp_path, n):
    """Denoised to the mean of its peers, a crop gets the grey of the class that it is guided to."""
    guided = {"right": [], "wrong": []}

    def denoise(x, sigma, matching):
        if matching is None:
            return torch.zeros_like(x)
        mean = matching.weights @ x.mean(dim=(1, 2, 3))
        if sigma == SIGMAS[0]:
            name = "right" if len(guided["right"]) <= len(guided["wrong"]) else "wrong"
            guided[name] += mean[::4].tolist()
        return mean[:, None, None, None].expand_as(x)

    data = plain_images(tmp_path, n)
    found = validate(Stub(denoise), data)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    expected = greys(n)[order.numpy()]
    right, wrong = (np.array(guided[name]) for name in ("right", "wrong"))
    assert np.abs(right - expected).max() < 0.03  # noise of 0.1, averaged over 192 numbers of 3 crops
    assert np.abs(wrong - expected).min() > 0.04  # the next grey is 0.08 away
    assert found.guided[0] == pytest.approx(((1 - right) ** 2).mean(), abs=1e-4)
    assert found.wrong[0] == pytest.approx(((1 - wrong) ** 2).mean(), abs=1e-4)
    assert found.unguided == pytest.approx((1.0,) * 4)


def test_running_centroids_take_the_place_of_peers(tmp_path):
    """Each class is guided to its own, then to that of the next class in the order."""
    data, seen = plain_images(tmp_path, 3), []
    running = RunningCentroids(3, 1, sigma_min=0.05, sigma_max=5.0)
    running.values.copy_(torch.arange(3.0)[:, None, None].expand_as(running.values))
    running.counts.fill_(1)
    validate(Stub(lambda x, sigma, matching: seen.append(matching) or x), data, centroids=running)
    order = torch.randperm(3, generator=torch.Generator().manual_seed(0)).float()
    for _ in SIGMAS:
        right, unguided, wrong = seen[:3]
        del seen[:3]
        assert unguided is None and right.guided.all() and wrong.guided.all()
        assert torch.equal(right.centroid[::4, 0], order)
        assert torch.equal(wrong.centroid[::4, 0], order.roll(-1))
    assert not seen


def test_it_is_repeatable_and_leaves_the_network_as_it_was(lively, data):
    network = lively()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    first, second, other = (validate(network, data, seed=seed) for seed in (1, 1, 2))
    assert first == second != other
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_a_new_network_knows_no_class(tiny, data):
    found = validate(Denoiser(tiny), data)
    assert found.guided == found.unguided == found.wrong


def test_without_held_out_strips_training_crops_stand_in(texture_folder, tiny):
    data = TextureFolder(texture_folder, DataConfig(image_size=None, patch_size=16, test_share=0))
    assert np.isfinite(validate(Denoiser(tiny), data).guided).all()
