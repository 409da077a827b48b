"""An engine that evaluates the network by OpenVINO, on a CPU.

OpenVINO computes the graph of `fgsd.onnx_graph`, in float32, or in bfloat16 where the CPU has it. Its threads
share small pictures better than those of PyTorch, and the outputs of an image depend neither on the other
images of its batch nor on the number of threads (docs/results.md, "Engines"). When a graph is first asked
for, a thread compiles it, within a second.
"""

from __future__ import annotations

import importlib.util
import logging
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fgsd.engine_inputs import engine_inputs, has_inputs
from fgsd.model.conditioning import Condition
from fgsd.model.matching import RegionMatching
from fgsd.model.network import Denoiser
from fgsd.onnx_graph import WEIGHTS_FILE, check_network, network_graph, weights_bytes
from fgsd.onnx_regions import regions_graph

if TYPE_CHECKING:
    from fgsd.guidance import Evaluate

log = logging.getLogger(__name__)

Kind = tuple[bool, bool]  # of a graph: whether images have regions, and whether they are tileable
PRECISIONS = {torch.float32: "f32", torch.bfloat16: "bf16"}


class OpenVinoEngine:
    """`denoised, phi = engine(x, sigma, condition)`, as `Denoiser.denoise`; without gradients.

    Parameters
    ----------
    network : Denoiser
        On the CPU, in float32. If its weights change later, its graphs are compiled again.
    fallback : callable
        Evaluates what no graph computes: images that are guided by each other, or one of whose sides has a
        single pixel at the coarsest level; and all where OpenVINO fails. By default the network itself.
    dtype : torch.dtype
        float32, whose outputs agree with those of the network to rounding, or bfloat16, the faster.
    waits : bool
        Whether a call waits for its graph, so that equal calls have equal outputs; else the fallback
        evaluates until it is compiled.

    Raises
    ------
    ValueError
        If the network has parts that the graph has not, see `check_network`; or for another dtype.
    """

    def __init__(
        self,
        network: Denoiser,
        fallback: Evaluate | None = None,
        *,
        dtype: torch.dtype = torch.float32,
        waits: bool = False,
    ) -> None:
        check_network(network)
        if dtype not in PRECISIONS:
            raise ValueError(f"dtype={dtype} must be torch.float32 or torch.bfloat16")
        self.network, self.fallback = network, fallback or network.denoise
        self.dtype, self.waits = dtype, waits
        self.thread_count = torch.get_num_threads()
        self._weights = list(network.parameters())
        self._lock = Lock()  # of what is below
        self._versions = self._current_versions()
        self._graphs: dict[Kind, Future[_CompiledGraph | None]] = {}  # None: OpenVINO has failed

    def __call__(
        self, x: Tensor, sigma: float | Tensor, condition: Condition = None, *, tileable: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return `denoised` and `phi`; see `Denoiser.denoise`."""
        self.network.check_inputs(x, condition)
        compiled = self._compiled_for(x, condition, tileable)
        if compiled is None:
            return self.fallback(x, sigma, condition, tileable=tileable)
        return compiled(as_arrays(engine_inputs(self.network, x, sigma, condition)))

    def compile(self, *, regions: bool = False, tileable: bool = False) -> None:
        """Compile a graph at once, so that no call waits for it.

        Raises
        ------
        ImportError
            If OpenVINO is not installed.
        RuntimeError
            If OpenVINO cannot compile the graph.
        """
        versions = self._current_versions()
        graph: Future[_CompiledGraph | None] = Future()
        graph.set_result(_CompiledGraph(self.network, (regions, tileable), self.dtype, self.thread_count))
        with self._lock:
            if versions == self._current_versions():
                self._forget_changed()
                self._graphs[regions, tileable] = graph

    def start(self, *, regions: bool = False, tileable: bool = False) -> None:
        """Begin to compile a graph in a thread of its own, unless that has been done."""
        self._started((regions, tileable))

    def wait(self) -> None:
        """Wait until all graphs that were asked for are compiled, or have failed."""
        with self._lock:
            graphs = list(self._graphs.values())
        for graph in graphs:
            graph.result()

    def _started(self, kind: Kind) -> Future[_CompiledGraph | None]:
        with self._lock:
            self._forget_changed()
            if kind not in self._graphs:
                graph: Future[_CompiledGraph | None] = Future()
                self._graphs[kind] = graph
                Thread(target=self._compile_into, args=(graph, kind), name="fgsd-openvino").start()
            return self._graphs[kind]

    def _compiled_for(self, x: Tensor, condition: Condition, tileable: bool) -> _CompiledGraph | None:
        """Return what evaluates a call; None if there is no such graph, or not yet."""
        # a graph cannot reflect a side that has one pixel at the coarsest level
        reflects = tileable or min(x.shape[-2:]) > self.network.config.multiple
        if x.dtype != torch.float32 or not has_inputs(condition) or not reflects:
            return None
        graph = self._started((isinstance(condition, RegionMatching), tileable))
        return graph.result() if self.waits or graph.done() else None

    def _compile_into(self, graph: Future[_CompiledGraph | None], kind: Kind) -> None:
        compiled = None
        try:
            compiled = _CompiledGraph(self.network, kind, self.dtype, self.thread_count)
        except Exception:
            log.warning("OpenVINO cannot evaluate the network; PyTorch does", exc_info=True)
        finally:
            graph.set_result(compiled)

    def _forget_changed(self) -> None:
        """Forget all graphs if a weight has changed since."""
        if (versions := self._current_versions()) != self._versions:
            self._versions, self._graphs = versions, {}

    def _current_versions(self) -> list[int]:
        return [weight._version for weight in self._weights]


class _CompiledGraph:
    """One graph, ready to be evaluated for any batch and size, by one thread at a time."""

    def __init__(self, network: Denoiser, kind: Kind, dtype: torch.dtype, thread_count: int) -> None:
        import openvino

        regions, tileable = kind
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": PRECISIONS[dtype],
            "INFERENCE_NUM_THREADS": thread_count,
            "ENABLE_CPU_PINNING": False,  # a thread must leave a core to other work
        }
        core = openvino.Core()
        core.set_property({"ENABLE_MMAP": False})  # Windows deletes no file that is mapped
        with tempfile.TemporaryDirectory(prefix="fgsd-") as folder:
            path = write_graph(network, Path(folder), regions=regions, tileable=tileable, wraps=False)
            compiled = core.compile_model(core.read_model(path), "CPU", settings)
        self._request, self._lock = compiled.create_infer_request(), Lock()

    def __call__(self, inputs: list[np.ndarray]) -> tuple[Tensor, Tensor]:
        with self._lock:
            outputs = self._request.infer(inputs, share_inputs=True)  # outputs are copies
            return torch.from_numpy(outputs[0]), torch.from_numpy(outputs[1])


def can_convert(network: Denoiser) -> bool:
    """Return whether OpenVINO is here and can evaluate a network: on a CPU, guided by centroids alone."""
    if importlib.util.find_spec("openvino") is None:
        return False
    try:
        check_network(network)
    except ValueError:
        return False
    return all(p.device.type == "cpu" and p.dtype == torch.float32 for p in network.parameters())


def write_graph(
    network: Denoiser, folder: Path, *, regions: bool = False, tileable: bool = False, wraps: bool = True
) -> Path:
    """Write a graph and its weights to a folder, and return its path; see `fgsd.onnx_graph`."""
    graph = (regions_graph if regions else network_graph)(
        network, torch.float32, tileable=tileable, wraps=wraps
    )
    path = folder / "network.onnx"
    path.write_bytes(graph)
    (folder / WEIGHTS_FILE).write_bytes(weights_bytes(network, torch.float32))
    return path


def as_arrays(inputs: Sequence[Tensor]) -> list[np.ndarray]:
    """Return the inputs of an evaluation (`fgsd.engine_inputs`) as a graph takes them."""
    return [np.ascontiguousarray(value.float().numpy()) for value in inputs]
