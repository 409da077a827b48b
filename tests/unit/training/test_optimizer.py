"""Muon against torch's own, and what its orthogonalisation promises."""

from __future__ import annotations

import pytest
import torch

from fgsd.model.network import Denoiser
from fgsd.training.optimizer import Muon, build_optimizers, cosine, orthogonalised


def matrix(rows: int, columns: int, seed: int = 0, *, dtype=torch.float32) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("shape", [(24, 24), (12, 40), (40, 12)])
def test_it_takes_the_steps_of_torch_muon(shape):
    ours, theirs = (torch.nn.Parameter(matrix(*shape)) for _ in range(2))
    options = {"lr": 0.1, "momentum": 0.9}
    muon = Muon([ours], **options)
    reference = torch.optim.Muon([theirs], weight_decay=0.0, adjust_lr_fn="original", **options)
    for k in range(5):
        before = ours.detach().clone()
        for p in (ours, theirs):
            p.grad = matrix(*shape, seed=k + 1)
        muon.step()
        reference.step()
        # theirs rounds to bfloat16 on the way, 8 bits; an entry of an update is about 0.1 / sqrt(24)
        assert (ours - theirs).norm() < 0.03 * (k + 1) * (ours - before).norm()


@pytest.mark.parametrize("shape", [(16, 16), (16, 64), (64, 16), (1, 9), (9, 1)])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_singular_values_come_near_one_and_vectors_stay(shape, scale):
    given = scale * matrix(*shape, dtype=torch.float64)
    u, values, v = torch.linalg.svd(given, full_matrices=False)
    kept = values > 0.03 * values.max()  # five iterations do not lift what is all but zero
    inner = u.T @ orthogonalised(given) @ v.T
    assert inner.diagonal()[kept].min() > 0.5
    assert inner.diagonal().max() < 1.3
    assert (inner - inner.diagonal().diag()).abs().max() < 1e-9


def test_a_zero_gradient_moves_nothing():
    p = torch.nn.Parameter(torch.ones(3, 4))
    p.grad = torch.zeros(3, 4)
    Muon([p], lr=1.0).step()
    assert torch.equal(p, torch.ones(3, 4))


def test_a_kernel_moves_as_its_matrix():
    kernel = torch.nn.Parameter(torch.zeros(6, 5, 3, 3))
    flat = torch.nn.Parameter(torch.zeros(6, 45))
    gradient = matrix(6, 45)
    kernel.grad, flat.grad = gradient.view(6, 5, 3, 3), gradient
    Muon([kernel, flat], lr=0.1).step()
    assert torch.equal(kernel.flatten(1), flat)
    assert flat.abs().max() > 0.01


def test_a_kernel_in_channels_last_moves_the_same():
    plain = torch.nn.Parameter(torch.zeros(6, 5, 3, 3))
    last = torch.nn.Parameter(torch.zeros(6, 5, 3, 3).to(memory_format=torch.channels_last))
    gradient = matrix(6, 45).view(6, 5, 3, 3)
    plain.grad, last.grad = gradient, gradient.to(memory_format=torch.channels_last)
    Muon([plain, last], lr=0.1).step()
    assert torch.allclose(plain, last, atol=1e-7)


def test_each_parameter_has_one_optimiser(tiny):
    network = Denoiser(tiny)
    muon, adam = build_optimizers(network, muon_lr=0.02, adam_lr=0.002)
    names = {id(p): name for name, p in network.named_parameters()}
    kernels, rest = ({names[id(p)] for p in o.param_groups[0]["params"]} for o in (muon, adam))
    assert kernels | rest == set(names.values())
    assert not kernels & rest
    assert {"down.0.blocks.0.conv_in.weight", "shrink.0.weight", "unfold.weight"} <= kernels
    assert {"stem.weight", "head_out.weight", "down.0.matched.gate.weight", "embed.hidden.weight"} <= rest
    assert not any(name.endswith("bias") for name in kernels)


def test_cosine():
    assert [cosine(p) for p in (0, 0.5, 1)] == pytest.approx([1, 0.5, 0])
    assert cosine(1 / 3) == pytest.approx(0.75)
    assert (cosine(-1), cosine(2)) == (1, 0)
