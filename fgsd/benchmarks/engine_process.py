"""An engine in a process of its own, for `fgsd.benchmarks.engine`: these functions run there.

They are called one at a time, and share the state of the process.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from fgsd.benchmarks.onnx_runtime import OnnxRuntimeEngine
from fgsd.cuda_graphs import CudaGraphEngine
from fgsd.device import has_bfloat16
from fgsd.engines import PackedEngine
from fgsd.model.matching import CentroidMatching, Matching, RegionMatching
from fgsd.model.network import Denoiser
from fgsd.openvino_engine import OpenVinoEngine
from fgsd.pipeline import Pipeline

SIGMA = 1.0  # the time does not depend on it
REGIONS = 3


@dataclass(frozen=True)
class Case:
    """One batch that is evaluated."""

    size: int  # pixels
    batch: int
    condition: str = "class"  # or "regions"
    tileable: bool = False

    def __str__(self) -> str:
        words = [f"{self.size} px", f"batch {self.batch}"]
        words += [self.condition] * (self.condition != "class") + ["tileable"] * self.tileable
        return ", ".join(words)


_engine: dict = {}  # the evaluation and the pipeline of this process


def start(engine: str, dtype: torch.dtype, threads: int | None, checkpoint: str, device: str) -> None:
    """Load the pipeline and its engine."""
    if threads is not None:
        torch.set_num_threads(threads)
    pipe = Pipeline.from_pretrained(checkpoint, device=device)
    _engine["pipe"], _engine["inputs"] = pipe, {}
    evaluate = BUILDERS[engine](pipe.network, dtype)
    _engine["evaluate"] = _in_dtype(evaluate, dtype) if device == "cuda" else evaluate


def _in_dtype(evaluate: Callable, dtype: torch.dtype) -> Callable:
    """Let PyTorch compute convolutions and products in bfloat16, on a GPU."""

    def cast(*arguments: Any, **options: Any) -> tuple[Tensor, Tensor]:
        # without a cache: a CUDA graph must not refer to copies of weights that are gone after the call
        with torch.autocast("cuda", dtype, enabled=dtype != torch.float32, cache_enabled=False):
            return evaluate(*arguments, **options)

    return cast


def _open_vino(network: Denoiser, dtype: torch.dtype) -> OpenVinoEngine:
    engine = OpenVinoEngine(network, dtype=dtype)
    for regions in (False, True):
        for tileable in (False, True):
            engine.compile(regions=regions, tileable=tileable)
    return engine


BUILDERS: dict[str, Callable[[Denoiser, torch.dtype], Callable]] = {
    "PyTorch": lambda network, dtype: network.denoise,
    "CUDA graphs": lambda network, dtype: CudaGraphEngine(network),
    "packed": lambda network, dtype: PackedEngine(network, dtype=dtype),
    "compiled": lambda network, dtype: torch.compile(network.denoise, dynamic=False),
    "ONNX Runtime": lambda network, dtype: OnnxRuntimeEngine(network),
    "OpenVINO": _open_vino,
}


def _inputs(case: Case) -> tuple[Tensor, Tensor, Matching]:
    """Noisy images, their noise levels and the matching of a case; the same in every process."""
    if case not in _engine["inputs"]:
        pipe, generator = _engine["pipe"], torch.Generator().manual_seed(0)
        x = SIGMA * torch.randn(case.batch, 3, case.size, case.size, generator=generator)
        classes = pipe.table.classes
        count = REGIONS if case.condition == "regions" else case.batch
        centroids = torch.stack([pipe.table.of(classes[k % len(classes)]).at(SIGMA) for k in range(count)])
        centroids = centroids.to(pipe.device)
        matching: Matching
        if case.condition == "regions":
            masks = torch.rand(1, REGIONS, case.size, case.size, generator=generator)
            masks = masks / masks.sum(1, keepdim=True)
            matching = RegionMatching(masks.to(pipe.device), centroids)
        else:
            matching = CentroidMatching(centroids, torch.ones(case.batch, 1, device=pipe.device))
        sigma = torch.full((case.batch,), SIGMA, device=pipe.device)
        _engine["inputs"][case] = x.to(pipe.device), sigma, matching
    return _engine["inputs"][case]


@torch.no_grad()
def output(case: Case) -> Tensor:
    """Return the denoised images of a case, on the CPU."""
    x, sigma, matching = _inputs(case)
    return _engine["evaluate"](x, sigma, matching, tileable=case.tileable)[0].cpu()  # which waits for a GPU


def milliseconds(case: Case) -> float:
    """Return how long an evaluation takes."""
    x, sigma, matching = _inputs(case)
    begun = time.perf_counter()
    with torch.no_grad():
        denoised, _ = _engine["evaluate"](x, sigma, matching, tileable=case.tileable)
    denoised[0, 0, 0, 0].item()  # which waits for a GPU
    return 1000 * (time.perf_counter() - begun)


@torch.no_grad()
def operations(case: Case) -> float:
    """Multiplications and additions of an evaluation: convolutions and products alone."""
    x, sigma, matching = _inputs(case)
    with FlopCounterMode(display=False) as counter:
        _engine["pipe"].network.denoise(x, sigma, matching, tileable=case.tileable)
    return float(counter.get_total_flops())


def matrix_product_rate() -> float:
    """Operations a second of a large matrix product, in bfloat16 where the device has it."""
    device = _engine["pipe"].device
    side = 8192 if device.type == "cuda" else 2048
    dtype = torch.bfloat16 if has_bfloat16(device.type) else torch.float32
    a, seconds = torch.ones(side, side, dtype=dtype, device=device), math.inf
    for _ in range(5):
        begun = time.perf_counter()
        (a @ a)[0, 0].item()
        seconds = min(seconds, time.perf_counter() - begun)
    return 2 * side**3 / seconds
