"""The network as ONNX Runtime evaluates it: to be measured, the page does not use it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fgsd.engine_inputs import engine_inputs
from fgsd.model.conditioning import Condition
from fgsd.model.matching import RegionMatching
from fgsd.model.network import Denoiser
from fgsd.openvino_engine import as_arrays, write_graph


class OnnxRuntimeEngine:
    """`denoised, phi = engine(x, sigma, condition)`, as `Denoiser.denoise`, with threads that sleep soon.

    Parameters
    ----------
    network : Denoiser
        Without labels and target embedding.
    """

    def __init__(self, network: Denoiser) -> None:
        self.network = network
        self._sessions: dict[tuple[bool, bool], Any] = {}  # by regions, tileable

    def __call__(
        self, x: Tensor, sigma: float | Tensor, condition: Condition = None, *, tileable: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return `denoised` and `phi`; the condition is a `CentroidMatching` or a `RegionMatching`."""
        kind = (isinstance(condition, RegionMatching), tileable)
        if kind not in self._sessions:
            self._sessions[kind] = self._session(*kind)
        session = self._sessions[kind]
        names = [one.name for one in session.get_inputs()]
        inputs = as_arrays(engine_inputs(self.network, x, sigma, condition))
        denoised, phi = session.run(None, dict(zip(names, inputs, strict=True)))
        return torch.from_numpy(denoised), torch.from_numpy(phi)

    def _session(self, regions: bool, tileable: bool) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        with tempfile.TemporaryDirectory(prefix="fgsd-") as folder:
            path = write_graph(self.network, Path(folder), regions=regions, tileable=tileable)
            return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
