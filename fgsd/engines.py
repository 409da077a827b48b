"""Engines: other ways to evaluate the network, with the arguments and the outputs of `Denoiser.denoise`.

PyTorch as it is stands for the reference. On a CPU, OpenVINO evaluates the network where it is installed
(`fgsd.openvino_engine`): finished pictures in float32, whose outputs agree to rounding, and previews in
bfloat16 where the CPU has instructions for it, in half of that time. Pixels of previews then differ by half a
grey level on average: good enough for pictures that are replaced at once.

Elsewhere, and until the graph of previews is compiled, a `PackedEngine` does. oneDNN computes the
convolutions of PyTorch, and reorders the weights to an order of its own in each call: 17 MB for the shipped
network, a fifth of the time of a small picture. A `PackedEngine` reorders them once.

It evaluates small batches by one thread where PyTorch would use two: half of the work is then shorter than
the wait for the other thread, most of all beside other work.

On an NVIDIA GPU the kernels of PyTorch are launched as CUDA graphs (`fgsd.cuda_graphs`). `fgsd bench engine`
measures all of them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fgsd.cuda_graphs import CudaGraphEngine
from fgsd.device import has_bfloat16
from fgsd.model.conditioning import Condition
from fgsd.model.layers import Conv3x3
from fgsd.model.network import Denoiser
from fgsd.openvino_engine import OpenVinoEngine, can_convert

if TYPE_CHECKING:
    from fgsd.guidance import Evaluate

# of a batch that one thread computes about as fast as two, which find each other asleep between evaluations:
# and the other core is free for the page
SMALL_PIXELS = {torch.float32: 64 * 64, torch.bfloat16: 128 * 128}


class PackedConv(nn.Module):
    """A convolution whose weights are in the order of oneDNN; for inference on a CPU.

    Parameters
    ----------
    conv : nn.Conv2d
        Without padding, groups or dilation. A `Conv3x3` keeps the size of the image.
    dtype : torch.dtype
        float32 or bfloat16.
    """

    def __init__(self, conv: nn.Conv2d, dtype: torch.dtype) -> None:
        super().__init__()
        self.keeps_size, self.stride = isinstance(conv, Conv3x3), list(conv.stride)
        self.dtype, weight = dtype, conv.weight.detach().to(dtype)
        # plain attributes: a packed tensor can neither be saved nor moved
        self.packed = torch.ops.mkldnn._reorder_convolution_weight(weight, [0, 0], self.stride, [1, 1], 1)
        self.bias = None if conv.bias is None else conv.bias.detach().to(dtype)

    def forward(self, x: Tensor, tileable: bool = False) -> Tensor:
        """Return the convolved images, in the dtype of the weights."""
        x = x.to(self.dtype)
        if self.keeps_size:
            x = Conv3x3.padded(x, tileable)
        return torch.ops.mkldnn._convolution_pointwise(
            x, self.packed, self.bias, [0, 0], self.stride, [1, 1], 1, "none", [], ""
        )


class PackedEngine:
    """`denoised, phi = engine(x, sigma, condition)`, as `Denoiser.denoise`; without gradients.

    Parameters
    ----------
    network : Denoiser
        On the CPU, in float32. If its weights change later, they are packed again.
    dtype : torch.dtype
        float32, whose outputs agree with those of the network to rounding, or bfloat16, the faster. Feature
        vectors, noise levels and tables stay in float32.

    Raises
    ------
    ValueError
        If `can_pack` is False for the network.
    """

    def __init__(self, network: Denoiser, *, dtype: torch.dtype = torch.float32) -> None:
        if not can_pack(network):
            raise ValueError("a packed engine needs a network in float32 on a CPU, and PyTorch with oneDNN")
        self.network, self.dtype = network, dtype
        self._lock = Lock()
        self._weights = list(network.parameters())
        self._versions: list[int] = []
        self._packed: Denoiser | None = None

    @torch.no_grad()
    def __call__(
        self, x: Tensor, sigma: float | Tensor, condition: Condition = None, *, tileable: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return `denoised` and `phi`; see `Denoiser.denoise`, which gets images of other dtypes."""
        if x.dtype != torch.float32:
            return self.network.denoise(x, sigma, condition, tileable=tileable)
        is_small = len(x) * x.shape[-2] * x.shape[-1] <= SMALL_PIXELS.get(self.dtype, 0)
        with _one_thread() if is_small else nullcontext():
            return self._current().denoise(x, sigma, condition, tileable=tileable)

    def _current(self) -> Denoiser:
        """Return the packed network, packed again if a weight has changed since."""
        versions = [weight._version for weight in self._weights]
        with self._lock:
            if self._packed is None or versions != self._versions:
                self._packed, self._versions = packed(self.network, self.dtype), versions
            return self._packed


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute with one thread instead of two; more than two help at any size."""
    if torch.get_num_threads() != 2:
        yield
        return
    torch.set_num_threads(1)  # of this thread
    try:
        yield
    finally:
        torch.set_num_threads(2)


def can_pack(network: Denoiser) -> bool:
    """Return whether `PackedEngine` can evaluate a network: on a CPU, in float32, by PyTorch with oneDNN."""
    operations = ("_reorder_convolution_weight", "_convolution_pointwise")
    return bool(
        all(p.device.type == "cpu" and p.dtype == torch.float32 for p in network.parameters())
        and torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
        and all(hasattr(torch.ops.mkldnn, name) for name in operations)
    )


def packed(network: Denoiser, dtype: torch.dtype) -> Denoiser:
    """Return a copy of a network for inference that shares all tensors but the weights of convolutions.

    In bfloat16 the weights of linear layers are copied too.
    """
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    copied = copy.deepcopy(network, shared)
    for module in list(copied.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d):
                setattr(module, name, PackedConv(child, dtype))
            elif isinstance(child, nn.Linear) and dtype != torch.float32:
                child.weight = nn.Parameter(child.weight.detach().to(dtype), requires_grad=False)
                if child.bias is not None:
                    child.bias = nn.Parameter(child.bias.detach().to(dtype), requires_grad=False)
    return copied


class Engines:
    """The engines of one network: `exact`, and `quick` for pictures that are replaced at once.

    Both are the same on a GPU, and `Denoiser.denoise` itself where nothing else can evaluate the network.

    Parameters
    ----------
    network : Denoiser
    """

    def __init__(self, network: Denoiser) -> None:
        packs, dtype = can_pack(network), torch.bfloat16 if has_bfloat16("cpu") else torch.float32
        self.exact: Evaluate = PackedEngine(network) if packs else network.denoise
        if next(network.parameters()).device.type == "cuda":
            self.exact = CudaGraphEngine(network)
        self.quick = self.exact
        if packs and dtype == torch.bfloat16:
            self.quick = PackedEngine(network, dtype=dtype)
        if can_convert(network):
            self.exact = OpenVinoEngine(network, self.exact, waits=True)
            is_same = dtype == torch.float32
            self.quick = self.exact if is_same else OpenVinoEngine(network, self.quick, dtype=dtype)

    def start(self, *, preview: bool = False) -> None:
        """Begin to compile what evaluates pictures, or previews; without OpenVINO there is nothing to do."""
        engine = self.quick if preview else self.exact
        if isinstance(engine, OpenVinoEngine):
            engine.start()

    def wait(self) -> None:
        """Wait until all that has been started is compiled."""
        for engine in (self.exact, self.quick):
            if isinstance(engine, OpenVinoEngine):
                engine.wait()
