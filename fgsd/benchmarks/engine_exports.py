"""The network outside of PyTorch: exported to ONNX, and run by ONNX Runtime or OpenVINO, to measure them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from fgsd.model.matching import CentroidMatching, Matching
from fgsd.model.network import Denoiser

INPUTS, OUTPUTS = ["x", "sigma", "centroid", "strength"], ["denoised", "phi"]
Session = Callable[..., tuple[Tensor, Tensor]]


class _Guided(torch.nn.Module):
    """The network guided by centroids, with tensors for arguments."""

    def __init__(self, network: Denoiser) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, sigma: Tensor, centroid: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.denoise(x, sigma, CentroidMatching(centroid, strength))


def export_onnx(network: Denoiser, path: Path) -> None:
    """Write the network as a function of `x` (B, 3, H, W), `sigma` (B,), `centroid` (B, F) and `strength`
    (B, 1), for any batch and size."""
    x = torch.zeros(2, 3, 8 * network.config.multiple, 12 * network.config.multiple)
    example = (x, torch.ones(2), torch.zeros(2, network.config.dimension), torch.ones(2, 1))
    any_size = torch.export.Dim.DYNAMIC
    shapes = ({0: any_size, 2: any_size, 3: any_size}, {0: any_size}, {0: any_size}, {0: any_size})
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)  # it misses torchvision, of which nothing is exported
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parts of the exporter about each other
            program = torch.onnx.export(
                _Guided(network).eval(),
                example,
                dynamo=True,
                input_names=INPUTS,
                output_names=OUTPUTS,
                dynamic_shapes=shapes,
                verbose=False,
            )
    finally:
        log.setLevel(level)
    assert program is not None
    program.save(str(path))


def onnx_runtime(path: Path, *, threads: int) -> Session:
    """Return the exported network as ONNX Runtime evaluates it, with threads that sleep while they wait."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def evaluate(
        x: Tensor, sigma: Tensor, matching: Matching, *, tileable: bool = False
    ) -> tuple[Tensor, Tensor]:
        values = (value.numpy() for value in _arguments(x, sigma, matching, tileable))
        denoised, phi = session.run(OUTPUTS, dict(zip(INPUTS, values, strict=True)))
        return torch.from_numpy(denoised), torch.from_numpy(phi)

    return evaluate


def open_vino(path: Path, *, threads: int, dtype: torch.dtype = torch.float32) -> Session:
    """Return the exported network as OpenVINO evaluates it, in float32 or bfloat16."""
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
    }
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()

    def evaluate(
        x: Tensor, sigma: Tensor, matching: Matching, *, tileable: bool = False
    ) -> tuple[Tensor, Tensor]:
        found = request.infer([value.numpy() for value in _arguments(x, sigma, matching, tileable)])
        denoised, phi = (torch.from_numpy(found[k].copy()) for k in range(2))
        return denoised, phi

    return evaluate


def _arguments(x: Tensor, sigma: Tensor, matching: Matching, tileable: bool) -> tuple[Tensor, ...]:
    """Return the arguments of the exported network."""
    if not isinstance(matching, CentroidMatching) or tileable:
        raise ValueError(
            f"matching={type(matching).__name__}, tileable={tileable}: only CentroidMatching is exported"
        )
    centroid = matching.centroid.expand(len(x), -1).contiguous()
    strength = torch.as_tensor(matching.strength).reshape(-1, 1).expand(len(x), 1).contiguous()
    return x, sigma, centroid, strength
