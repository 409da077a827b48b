"""Optimizers: Muon for convolution kernels, Adam for all other parameters; one cosine schedule for both."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Muon(torch.optim.Optimizer):
    """Momentum with orthogonalised updates (Muon, Jordan et al. 2024), for kernels of any shape.

    `torch.optim.Muon` takes matrices only, and always iterates in bfloat16, which a CPU without bfloat16
    instructions runs at a third of its float32 speed. This one flattens a kernel (out, in, h, w) to a
    matrix (out, in * h * w) and iterates in the dtype of the gradient. With the same dtype both agree.

    Parameters
    ----------
    lr : float
        Factor on updates, whose singular values are all near 1, besides sqrt(max(1, rows / columns)).
    momentum : float
        Nesterov momentum.
    steps : int
        Newton-Schulz iterations for each update.
    """

    COEFFICIENTS = (3.4445, -4.7750, 2.0315)

    def __init__(self, params, *, lr: float, momentum: float = 0.95, steps: int = 5) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum, steps=steps))

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            by_shape: dict[torch.Size, list] = {}  # kernels of one shape are orthogonalised together
            for p in group["params"]:
                if p.grad is not None:
                    by_shape.setdefault(p.shape, []).append(p)
            for shape, params in by_shape.items():
                directions = []
                for p in params:
                    if not self.state[p]:
                        self.state[p]["momentum"] = torch.zeros_like(p)
                    momentum = self.state[p]["momentum"]
                    momentum.lerp_(p.grad, 1 - group["momentum"])
                    directions.append(p.grad.lerp(momentum, group["momentum"]).flatten(1))
                updates = orthogonalised(torch.stack(directions), group["steps"])
                scale = math.sqrt(max(1, updates.shape[1] / updates.shape[2]))
                for p, update in zip(params, updates, strict=True):
                    p.add_(update.view(shape), alpha=-group["lr"] * scale)


def orthogonalised(matrices: Tensor, steps: int = 5) -> Tensor:
    """Return matrices (..., R, C) with the same singular vectors and singular values near 1.

    Newton-Schulz: each iteration multiplies by a polynomial of the Gram matrix X X^T. The polynomials
    commute, so their product is computed on the small square Gram matrix, and the wide X is multiplied once.
    """
    a, b, c = Muon.COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    wide = matrices.mT if tall else matrices
    wide = wide / wide.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    gram = wide @ wide.mT
    identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    total = identity
    for _ in range(steps):
        factor = a * identity + b * gram + c * (gram @ gram)
        total = total @ factor
        gram = factor @ gram @ factor
    wide = total @ wide
    return wide.mT if tall else wide


def build_optimizers(model: nn.Module, *, muon_lr: float, adam_lr: float) -> list[torch.optim.Optimizer]:
    """Return Muon for inner kernels, and Adam for the first and last kernel, linear layers and biases."""
    kernels: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, p in model.named_parameters():
        inner = p.ndim == 4 and not name.startswith(("stem", "head_out"))
        (kernels if inner else rest).append(p)
    return [Muon(kernels, lr=muon_lr), torch.optim.Adam(rest, lr=adam_lr, betas=(0.9, 0.99))]


def cosine(progress: float) -> float:
    """Return the factor on the learning rates: 1 at the start of the budget, 0 at its end."""
    return 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
