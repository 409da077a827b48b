"""Centroids that are learned from images, with the network frozen."""

from __future__ import annotations

import subprocess
import sys
import threading
from itertools import islice

import pytest
import torch
from PIL import Image

from fgsd import Pipeline
from fgsd.data import to_tensor
from fgsd.images import ImageError
from fgsd.learning import WARMUP, Adam, _schedule, centroid_gradient, learn_centroid, level_mixing
from fgsd.levels import interpolate
from fgsd.model.matching import CentroidMatching
from fgsd.model.network import weighted_error
from fgsd.photographs import Photograph, random_crops
from fgsd.texture import tensors_digest


@pytest.fixture(scope="module")
def picture(texture_folder) -> Image.Image:
    """A texture that is no class: one of them, turned, with its channels exchanged."""
    image = Image.open(texture_folder / "slate.png").convert("RGB")
    return Image.merge("RGB", image.split()[::-1]).rotate(90)


def error(pipe, centroid, image) -> float:
    """Denoising error of other crops than those that are learned from, at all noise levels."""
    generator = torch.Generator().manual_seed(99)
    x0 = random_crops([Photograph(to_tensor(image), 16)], 48, generator)
    sigma = centroid.sigmas.repeat(8)
    x = x0 + sigma[:, None, None, None] * torch.randn(x0.shape, generator=generator)
    matching = CentroidMatching(interpolate(centroid.sigmas, centroid.values, sigma))
    with torch.no_grad():
        denoised, _ = pipe.network.denoise(x, sigma, matching)
    return weighted_error(denoised, x0, sigma, pipe.network.config.sigma_data).item()


def test_learning_lowers_the_error_of_other_crops_and_moves_no_weight(pipe, picture):
    before, digest = pipe.centroid_of(picture), tensors_digest(pipe.network)
    steps = list(pipe.learn(picture, name="turned", steps=30))
    assert [step.index for step in steps] == list(range(1, 31)) and {step.steps for step in steps} == {30}
    assert steps[0].seconds < steps[-1].seconds
    assert error(pipe, steps[-1].texture.centroid, picture) < 0.97 * error(pipe, before, picture)
    assert tensors_digest(pipe.network) == digest
    assert all(p.grad is None for p in pipe.network.parameters())


def test_the_same_seed_learns_the_same_centroid_and_another_one_another(pipe, picture):
    first, again, other = (
        [*pipe.learn(picture, steps=3, seed=seed)][-1].texture.centroid for seed in (1, 1, 2)
    )
    assert torch.equal(first.values, again.values) and not torch.equal(first.values, other.values)
    assert torch.equal(first.sigmas, pipe.table.sigmas)


def test_a_caller_may_stop_and_learn_without_gradients_of_its_own(pipe, picture):
    with torch.no_grad():
        [one] = islice(pipe.learn(picture, steps=50), 1)
        assert not torch.is_grad_enabled()
    assert not one.texture.centroid.values.requires_grad
    assert len(pipe.sample(one.texture, n=2, steps=2, size=16)) == 2


def test_the_first_step_moves_every_level_by_at_most_the_rate(pipe, picture):
    start = pipe.centroid_of(picture)
    photographs = [Photograph(to_tensor(picture), 16)]
    step = next(iter(learn_centroid(pipe.network, photographs, start, pipe.table.scales)))
    moved = (step.centroid.values - start.values) / pipe.table.scales
    # the first step of Adam moves each coordinate by the rate, here 1 / WARMUP
    largest = level_mixing(len(start.sigmas)).sum(dim=1)[:, None] / WARMUP
    assert (moved.abs() <= 1.001 * largest).all() and moved.abs().max() > 0.5 / WARMUP


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_share_the_crops(pipe, monkeypatch, threads):
    monkeypatch.setattr("fgsd.learning.has_bfloat16", lambda device: False)
    generator = torch.Generator().manual_seed(0)
    x0, noise = (torch.randn(5, 3, 16, 16, generator=generator) for _ in range(2))
    sigma = torch.tensor([0.2, 0.5, 1.0, 2.0, 4.0])
    batch = x0, x0 + sigma[:, None, None, None] * noise, sigma, pipe.table.of("moss").at(1.0).repeat(5, 1)
    loss, gradient = centroid_gradient(pipe.network, *batch)
    torch.set_num_threads(threads)
    shared_loss, shared = centroid_gradient(pipe.network, *batch)
    assert torch.get_num_threads() == threads
    torch.testing.assert_close(shared_loss, loss)
    torch.testing.assert_close(shared, gradient, rtol=1e-3, atol=1e-7)
    counts = []
    later = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert counts == [threads]  # of threads that begin later


def test_gradients_in_bfloat16_have_the_direction_of_those_in_float32(monkeypatch):
    pipe, generator = Pipeline.from_pretrained("checkpoints/textures"), torch.Generator().manual_seed(0)
    sigma = torch.tensor([0.3, 1.0, 4.0])
    x0 = 2 * torch.rand(3, 3, 32, 32, generator=generator) - 1
    x = x0 + sigma[:, None, None, None] * torch.randn(x0.shape, generator=generator)
    centroids = torch.stack([pipe.table.of("lava").at(float(level)) for level in sigma])
    gradients = []
    for has_bfloat16 in (False, True):
        monkeypatch.setattr("fgsd.learning.has_bfloat16", lambda device, found=has_bfloat16: found)
        gradients.append(centroid_gradient(pipe.network, x0, x, sigma, centroids)[1])
    assert all(gradient.dtype == torch.float32 for gradient in gradients)
    assert not torch.equal(*gradients)
    assert (torch.cosine_similarity(*gradients) > 0.998).all()


def test_adam_is_that_of_torch():
    generator = torch.Generator().manual_seed(0)
    values, same = torch.zeros(4, 5), torch.zeros(4, 5, requires_grad=True)
    ours, other = Adam(values), torch.optim.Adam([same], lr=1.0)
    for rate in (0.2, 1.0, 0.5, 0.0, 0.7):
        same.grad = torch.randn(4, 5, generator=generator)
        other.param_groups[0]["lr"] = rate
        other.step()
        ours.step(same.grad, rate)
    assert torch.allclose(values, same.detach(), atol=1e-6) and values.abs().max() > 1


def test_learning_does_not_import_the_compiler():
    script = (
        "import sys, torch; from fgsd.learning import Adam;"
        "Adam(torch.zeros(2, requires_grad=True)).step(torch.ones(2), 1.0);"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_moves_are_shared_between_neighbouring_levels():
    mixing = level_mixing(5)
    assert torch.allclose(mixing.norm(dim=1), torch.ones(5))
    assert torch.allclose(mixing, mixing.flip(0, 1))
    assert (mixing[2].diff()[:2] > 0).all() and (mixing[2].diff()[2:] < 0).all()


def test_the_rate_rises_then_falls_to_zero():
    rates = [_schedule(step, 60) for step in range(61)]
    assert rates[0] == 1 / WARMUP and max(rates) > 0.98 and rates[-1] == 0
    assert rates.index(max(rates)) == WARMUP - 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps=0 must be a whole number, at least 1"),
        ({"steps": True}, "steps=True must be a whole number"),
        ({"steps": 2.5}, "steps=2.5 must be a whole number"),
        ({"scale": 0.0}, "scale=0.0 must be a positive number"),
        ({"scale": float("nan")}, "scale=nan must be a positive number"),
        ({"name": ""}, "name='' must have 1 to 100 printable characters"),
        ({"name": "a\nb"}, "printable"),
    ],
)
def test_bad_arguments_are_refused_before_the_first_step(pipe, picture, options, message):
    with pytest.raises(ValueError, match=message):
        pipe.learn(picture, **options)


def test_images_are_checked_before_the_first_step(pipe, picture):
    with pytest.raises(ValueError, match="images is empty"):
        pipe.learn([])
    with pytest.raises(ImageError, match="at least 16 x 16 are needed"):
        pipe.learn(picture, scale=0.2)


def test_a_network_with_labels_has_nothing_to_learn(pipe, picture, lively, tiny):
    from dataclasses import replace

    from fgsd.pipeline import Pipeline

    other = Pipeline(lively(replace(tiny, labels=3)), pipe.table, pipe.info, "cpu")
    with pytest.raises(ValueError, match="labels"):
        other.learn(picture)


def test_a_loss_that_is_not_finite_is_an_error(pipe, picture):
    start = pipe.centroid_of(picture)
    broken = type(start)(start.sigmas, torch.full_like(start.values, float("nan")), start.colour)
    steps = learn_centroid(pipe.network, [Photograph(to_tensor(picture), 16)], broken, pipe.table.scales)
    with pytest.raises(FloatingPointError, match="the loss of step 1 is nan"):
        next(steps)
