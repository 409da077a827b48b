"""Muon for the convolution kernels, Adam for everything else, one cosine schedule for both."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Muon(torch.optim.Optimizer):
    """Momentum whose updates are orthogonalised (Jordan et al. 2024), for kernels of any shape.

    `torch.optim.Muon` takes matrices only, and always iterates in bfloat16, which a CPU without bfloat16
    instructions runs at a third of its float32 speed. This one flattens a kernel (out, in, h, w) to a
    matrix (out, in * h * w) and iterates in the dtype of the gradient; with the same dtype both agree.

    Parameters
    ----------
    lr : float
        Size of an update, whose singular values are all near 1, times sqrt(max(1, rows / columns)).
    momentum : float
        Nesterov momentum.
    steps : int
        Newton-Schulz iterations.
    """

    COEFFICIENTS = (3.4445, -4.7750, 2.0315)

    def __init__(self, params, *, lr: float, momentum: float = 0.95, steps: int = 5) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum, steps=steps))

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(state["momentum"], group["momentum"]).flatten(1)
                rows, columns = update.shape
                scale = math.sqrt(max(1, rows / columns))
                update = orthogonalised(update, group["steps"])
                p.add_(update.view_as(p), alpha=-group["lr"] * scale)


def orthogonalised(matrix: Tensor, steps: int = 5) -> Tensor:
    """A matrix with the same singular vectors and singular values near 1, by Newton-Schulz iteration.

    Each iteration multiplies by a polynomial of the Gram matrix X X^T. These commute, so they are gathered
    on the small square Gram matrix first, and the wide X is multiplied once.
    """
    a, b, c = Muon.COEFFICIENTS
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    wide = wide / wide.norm().clamp(min=1e-7)
    gram = wide @ wide.T
    identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    total = identity
    for _ in range(steps):
        factor = a * identity + torch.addmm(gram, gram, gram, beta=b, alpha=c)
        total = total @ factor
        gram = factor @ gram @ factor
    wide = total @ wide
    return wide.T if matrix.shape[0] > matrix.shape[1] else wide


def build_optimizers(model: nn.Module, *, muon_lr: float, adam_lr: float) -> list[torch.optim.Optimizer]:
    """Muon for inner kernels; Adam for the first and last layer, the gates, the embedding, the biases."""
    kernels, rest = [], []
    for name, p in model.named_parameters():
        inner = p.ndim == 4 and not name.startswith(("stem", "head_out"))
        (kernels if inner else rest).append(p)
    return [Muon(kernels, lr=muon_lr), torch.optim.Adam(rest, lr=adam_lr, betas=(0.9, 0.99))]


def cosine(progress: float) -> float:
    """Factor on the learning rates: 1 at the start of the budget, 0 at its end."""
    return 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
