"""An engine that evaluates the network by OpenVINO, for previews on a CPU.

OpenVINO computes the graph of `fgsd.onnx_graph`, in bfloat16 where the CPU has it. Its threads share small
pictures better than those of PyTorch: an evaluation takes half the time (docs/results.md, "Engines"). When a
graph is first asked for, a thread compiles it, within a second; another engine evaluates until then.
"""

from __future__ import annotations

import importlib.util
import logging
import tempfile
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fgsd.model.conditioning import Condition
from fgsd.model.matching import CentroidMatching, RegionMatching
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
        Evaluates until a graph is compiled, if that fails, and what no graph computes: unguided images, and
        batches that are guided in part. By default the network itself.
    dtype : torch.dtype
        float32, whose outputs agree with those of the network to rounding, or bfloat16, the faster.

    Raises
    ------
    ValueError
        If the network has parts that the graph has not, see `check_network`; or for another dtype.
    """

    def __init__(
        self, network: Denoiser, fallback: Evaluate | None = None, *, dtype: torch.dtype = torch.float32
    ) -> None:
        check_network(network)
        if dtype not in PRECISIONS:
            raise ValueError(f"dtype={dtype} must be torch.float32 or torch.bfloat16")
        self.network, self.fallback, self.dtype = network, fallback or network.denoise, dtype
        self.thread_count = torch.get_num_threads()
        self._lock = Lock()  # of what is below
        self._compilers: list[Thread] = []
        self._versions = self._current_versions()
        self._compiled: dict[Kind, _CompiledGraph | None] = {}  # None: it is being compiled, or that failed

    def __call__(
        self, x: Tensor, sigma: float | Tensor, condition: Condition = None, *, tileable: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return `denoised` and `phi`; see `Denoiser.denoise`."""
        self.network.check_inputs(x, condition)
        compiled = self._compiled_for(x, condition, tileable)
        if compiled is None:
            return self.fallback(x, sigma, condition, tileable=tileable)
        return compiled(graph_inputs(x, sigma, condition))

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
        compiled = _CompiledGraph(self.network, (regions, tileable), self.dtype, self.thread_count)
        with self._lock:
            if versions == self._current_versions():
                self._forget_changed()
                self._compiled[regions, tileable] = compiled

    def start(self, *, regions: bool = False, tileable: bool = False) -> None:
        """Begin to compile a graph in a thread of its own, unless that has been done."""
        with self._lock:
            self._forget_changed()
            self._start((regions, tileable))

    def wait(self) -> None:
        """Wait until all graphs that were asked for are compiled, or have failed."""
        with self._lock:
            compilers, self._compilers = self._compilers, []
        for thread in compilers:
            thread.join()

    def _start(self, kind: Kind) -> None:
        if kind not in self._compiled:
            self._compiled[kind] = None
            self._compilers.append(Thread(target=self._try_to_compile, args=kind, name="fgsd-openvino"))
            self._compilers[-1].start()

    def _compiled_for(self, x: Tensor, condition: Condition, tileable: bool) -> _CompiledGraph | None:
        """Return what evaluates a call; None if there is no such graph, or not yet."""
        # a graph cannot reflect a side that has one pixel at the coarsest level
        reflects = tileable or min(x.shape[-2:]) > self.network.config.multiple
        if x.dtype != torch.float32 or not has_graph(condition) or not reflects:
            return None
        kind = (isinstance(condition, RegionMatching), tileable)
        with self._lock:
            self._forget_changed()
            self._start(kind)
            return self._compiled[kind]

    def _try_to_compile(self, regions: bool, tileable: bool) -> None:
        try:
            self.compile(regions=regions, tileable=tileable)
        except Exception:
            log.warning("OpenVINO cannot evaluate the network; PyTorch does", exc_info=True)

    def _forget_changed(self) -> None:
        """Forget all graphs if a weight has changed since."""
        if (versions := self._current_versions()) != self._versions:
            self._versions, self._compiled = versions, {}

    def _current_versions(self) -> list[int]:
        return [weight._version for weight in self.network.parameters()]


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


def has_graph(condition: Condition) -> bool:
    """Return whether there is a graph for a condition."""
    if isinstance(condition, CentroidMatching):
        return condition.guided is None and condition.coordinates is None
    return isinstance(condition, RegionMatching)


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


def graph_inputs(x: Tensor, sigma: float | Tensor, condition: Condition) -> list[np.ndarray]:
    """Return the inputs of a graph, in its order; see `network_graph` and `regions_graph`.

    Raises
    ------
    TypeError
        If no graph takes the condition, see `has_graph`.
    """
    if not isinstance(condition, CentroidMatching | RegionMatching):
        raise TypeError(f"condition={condition!r}: a graph takes a CentroidMatching or a RegionMatching")
    batch, strength = len(x), torch.as_tensor(condition.strength).reshape(-1, 1).expand(len(x), 1)
    inputs = [x, torch.as_tensor(sigma).expand(batch)]
    if isinstance(condition, RegionMatching):
        centroids = condition.centroids.expand(batch, *condition.centroids.shape[-2:])
        inputs += [centroids, strength, condition.masks]
    else:
        inputs += [condition.centroid.expand(batch, -1), strength]
    return [np.ascontiguousarray(value.detach().float().numpy()) for value in inputs]
