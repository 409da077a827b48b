"""Learn the centroid of a texture: optimise it for the denoising loss on crops, with the network frozen.

Textual inversion (Gal et al. 2022) finds the embedding of a new concept in this way. The averaged features of
a texture that the network was not trained on often sample a class that it was trained on; the learned
centroid is the point of feature space from which the network denoises the texture best. No weight changes, so
nothing is forgotten, and the result is a centroid like any other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from threading import Barrier

import torch
from torch import Tensor

from fgsd.centroids import Centroid
from fgsd.device import has_bfloat16
from fgsd.levels import interpolate, log_normal_levels
from fgsd.model.matching import CentroidMatching
from fgsd.model.network import Denoiser, weighted_error
from fgsd.photographs import Photograph, random_crops

BATCH = 12  # crops in a step, each at a noise level of its own
# peak learning rate of Adam, in spreads of a feature within a class; 0.3 to 1 give about the same error, and
# with 0.4 in place of 1 fewer samples are recognised (docs/results.md)
RATE = 1.0
WARMUP = 5  # steps over which the rate rises; it then falls to zero as half a cosine
# standard deviation, in noise levels of the table, over which a step at one level moves the others too
SMOOTHING = 1.0
# noise levels are log-normal; guidance matters most at high noise, so their mean is above that of training
SIGMA_LOG_MEAN, SIGMA_LOG_STD = 0.9, 1.3

Gradient = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]  # see `centroid_gradient`


@dataclass(frozen=True)
class LearningStep:
    """One step of `learn_centroid`."""

    index: int  # 1 for the first step
    steps: int  # number of steps
    loss: float  # denoising loss of the step's crops before the step, as in training
    seconds: float  # since the first step began
    centroid: Centroid  # after the step


def learn_centroid(
    network: Denoiser,
    images: Sequence[Photograph],
    start: Centroid,
    scales: Tensor,
    *,
    steps: int = 60,
    seed: int = 0,
    gradient: Gradient | None = None,
) -> Iterator[LearningStep]:
    """Optimise a centroid for the denoising loss on random crops of images; the network does not change.

    Parameters
    ----------
    network : Denoiser
        Without labels and target embedding.
    images : sequence of Photographs
        Of one texture.
    start : Centroid
        Such as the mean features of crops.
    scales : Tensor of shape (S, F)
        Spread of each feature within a class, the unit of the learning rate; see `CentroidTable`.
    steps : int
        At least 1. The learning rate falls to zero at the last step.
    seed : int
        Of crops, noise levels and noise.
    gradient : callable, optional
        Of (x0, x, sigma, centroid), as `centroid_gradient` of the network, which is the default.

    Raises
    ------
    FloatingPointError
        If the loss is not finite.
    """
    gradient = gradient or partial(centroid_gradient, network)
    device = next(network.parameters()).device
    sigma_min, sigma_max = start.sigmas[0].item(), start.sigmas[-1].item()
    first, units = start.values.to(device), scales.to(device)
    mixing = level_mixing(len(start.sigmas)).to(device)
    moves = torch.zeros_like(first, requires_grad=True)  # (S, F), in `units` after mixing
    adam = Adam(moves)
    generator = torch.Generator().manual_seed(seed)
    began = time.monotonic()
    for index in range(1, steps + 1):
        x0 = random_crops(images, BATCH, generator)
        sigma = log_normal_levels(BATCH, SIGMA_LOG_MEAN, SIGMA_LOG_STD, generator).clamp(sigma_min, sigma_max)
        x = x0 + sigma[:, None, None, None] * torch.randn(x0.shape, generator=generator)
        with torch.enable_grad():
            centroids = interpolate(start.sigmas, first + units * (mixing @ moves), sigma)
            loss, slopes = gradient(x0.to(device), x.to(device), sigma.to(device), centroids.detach())
            if not math.isfinite(loss.item()):
                raise FloatingPointError(f"the loss of step {index} is {loss.item()}")
            (gradients,) = torch.autograd.grad(centroids, moves, slopes)
        adam.step(gradients, RATE * _schedule(index - 1, steps))
        learned = (first + units * (mixing @ moves.detach())).cpu()
        centroid = Centroid(start.sigmas, learned, start.colour)
        yield LearningStep(index, steps, loss.item(), time.monotonic() - began, centroid)


def centroid_gradient(
    network: Denoiser, x0: Tensor, x: Tensor, sigma: Tensor, centroid: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the denoising loss of noisy crops, and its gradient with respect to the centroids.

    On a CPU the threads of PyTorch share the crops, in place of each convolution: they need not wait for each
    other in each layer, and 12 crops take 0.14 s where they took 0.17. Convolutions are computed in bfloat16
    where the device has instructions for it, as in training: the direction of the gradient is the same to a
    part in a thousand, far below what differs from crop to crop.

    Parameters
    ----------
    x0, x : Tensor of shape (B, 3, H, W), in [-1, 1]
        Crops, and the same with noise.
    sigma : Tensor of shape (B,)
        Noise levels.
    centroid : Tensor of shape (B, F)
        The target of each crop.

    Returns
    -------
    loss : Tensor of shape ()
    gradient : Tensor of shape (B, F)
    """
    threads = torch.get_num_threads() if x.device.type == "cpu" else 1
    parts = list(zip(*(value.chunk(threads) for value in (x0, x, sigma, centroid)), strict=True))
    if len(parts) == 1:
        return _gradient(network, *parts[0])
    workers = _workers(len(parts), threads // len(parts), threads)
    return join_gradients(list(workers.map(partial(_gradient, network), *zip(*parts, strict=True))))


def join_gradients(parts: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return the loss and the gradient of a batch, from those of its parts."""
    count = sum(len(gradient) for _, gradient in parts)
    shares = [len(gradient) / count for _, gradient in parts]
    loss = torch.stack([share * loss for share, (loss, _) in zip(shares, parts, strict=True)]).sum()
    return loss, torch.cat([share * gradient for share, (_, gradient) in zip(shares, parts, strict=True)])


def _gradient(
    network: Denoiser, x0: Tensor, x: Tensor, sigma: Tensor, centroid: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what `centroid_gradient` does, by the threads that this thread has."""
    device, target = x.device.type, centroid.detach().requires_grad_()
    with torch.enable_grad():
        with torch.autocast(device, torch.bfloat16, enabled=has_bfloat16(device)):
            denoised, _ = network.denoise(x, sigma, CentroidMatching(target))
        loss = weighted_error(denoised, x0, sigma, network.config.sigma_data)
        (gradient,) = torch.autograd.grad(loss, target)
    return loss.detach(), gradient


@cache
def _workers(count: int, threads: int, all_threads: int) -> ThreadPoolExecutor:
    """Return `count` workers that compute with `threads` each, where PyTorch has `all_threads` elsewhere."""
    workers, begun = ThreadPoolExecutor(count, "fgsd-gradient"), Barrier(count)

    def begin(_: int) -> None:
        torch.set_num_threads(threads)  # of this thread, and of threads that begin later
        begun.wait()

    list(workers.map(begin, range(count)))
    torch.set_num_threads(all_threads)
    return workers


class Adam:
    """The optimizer of Kingma and Ba (2015), for one tensor.

    `torch.optim` gives the same, but its first use imports the compiler of torch: 0.8 s and 70 MB, in a
    server that answers others meanwhile.
    """

    BETAS, EPS = (0.9, 0.999), 1e-8

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self.mean, self.square = torch.zeros_like(values), torch.zeros_like(values)  # of the gradients
        self.steps = 0

    @torch.no_grad()
    def step(self, gradients: Tensor, rate: float) -> None:
        """Change the values by one step."""
        self.steps += 1
        first, second = self.BETAS
        self.mean.lerp_(gradients, 1 - first)
        self.square.lerp_(gradients.square(), 1 - second)
        scale = (self.square / (1 - second**self.steps)).sqrt() + self.EPS
        self.values -= rate * self.mean / (1 - first**self.steps) / scale


def _schedule(step: int, steps: int) -> float:
    """Return the learning rate of a step, counted from 0, as a fraction of its peak."""
    return min((step + 1) / WARMUP, 1) * (1 + math.cos(math.pi * step / steps)) / 2


def level_mixing(levels: int) -> Tensor:
    """Return a matrix (S, S) that spreads moves over neighbouring noise levels; rows have norm 1."""
    position = torch.arange(float(levels))
    weights = torch.exp(-((position[:, None] - position) ** 2) / (2 * SMOOTHING**2))
    return weights / weights.norm(dim=1, keepdim=True)
