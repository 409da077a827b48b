"""An engine for NVIDIA GPUs: the kernels of an evaluation are recorded once, and launched together.

A small picture keeps a GPU busy for a fraction of the time in which Python launches the few hundred kernels
of the network one by one. A CUDA graph launches all of them at once; its kernels are those of PyTorch. See
"CUDA Graphs" in the documentation of PyTorch. Where there is a GPU, `fgsd bench engine` measures it.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock

import torch
from torch import Tensor

from fgsd.engine_inputs import condition_of, engine_inputs, has_inputs
from fgsd.model.conditioning import Condition
from fgsd.model.matching import RegionMatching
from fgsd.model.network import PASS_PIXELS, Denoiser

log = logging.getLogger(__name__)

MAX_PIXELS = PASS_PIXELS  # of a batch; more keep a GPU busy, and their buffers are large
MAX_GRAPHS = 16  # kept at a time, of different shapes; each has buffers on the GPU
WARM_UPS = 2  # evaluations before a recording: libraries choose kernels and allocate buffers in the first
# largest difference of denoised images from those of PyTorch: its libraries may choose other kernels in a
# recording, whose products are rounded to 11 bits (TF32)
TOLERANCE = 0.02

Outputs = tuple[Tensor, Tensor]
# evaluates a function and returns its outputs, and what evaluates it again into the same tensors
Recorder = Callable[[Callable[[], Outputs]], tuple[Outputs, Callable[[], None]]]


class CudaGraphEngine:
    """`denoised, phi = engine(x, sigma, condition)`, as `Denoiser.denoise`; without gradients.

    A shape is recorded in its first call. The network itself evaluates batches of more than `MAX_PIXELS`,
    networks with labels or a target embedding, images that are guided by each other, and everything once a
    recording has failed, or had other outputs than the network. Changed weights need no new recording.

    Parameters
    ----------
    network : Denoiser
        On a GPU.
    record : callable
        Records a function of no arguments; by default as a CUDA graph. See `Recorder`.
    limit : int
        Number of recordings that are kept, the last ones that were used.
    """

    def __init__(self, network: Denoiser, *, record: Recorder | None = None, limit: int = MAX_GRAPHS) -> None:
        self.network, self.limit = network, limit
        self._record = record or record_cuda_graph
        self._lock = Lock()  # of what is below, and of the buffers of all recordings
        self._recordings: OrderedDict[tuple, Recording] = OrderedDict()
        self._has_failed = False

    @torch.no_grad()
    def __call__(
        self, x: Tensor, sigma: float | Tensor, condition: Condition = None, *, tileable: bool = False
    ) -> Outputs:
        """Return `denoised` and `phi`; see `Denoiser.denoise`."""
        self.network.check_inputs(x, condition)
        config = self.network.config
        is_large = len(x) * x.shape[-2] * x.shape[-1] > MAX_PIXELS
        if is_large or not has_inputs(condition) or config.labels or config.target_embedding:
            return self.network.denoise(x, sigma, condition, tileable=tileable)
        inputs = engine_inputs(self.network, x, sigma, condition)
        if isinstance(condition, RegionMatching):  # pooling asks how small regions are, which waits for it
            factors = [2 ** (level + 1) for level in range(len(config.widths))]
            inputs += [condition.pooled_by(factor, x.dtype) for factor in factors]
        with self._lock, torch.cuda.device_of(x):
            recording = self._recording_for(inputs, tileable)
            if recording is not None:
                return recording(inputs)
        return self.network.denoise(x, sigma, condition, tileable=tileable)

    def _recording_for(self, inputs: Sequence[Tensor], tileable: bool) -> Recording | None:
        """Return what evaluates a call, recorded if it is the first of its shape; None after a failure."""
        if self._has_failed:
            return None
        key = (tileable, inputs[0].dtype, *(tuple(value.shape) for value in inputs))
        if key not in self._recordings:
            while len(self._recordings) >= self.limit:
                self._recordings.popitem(last=False)
            try:
                self._recordings[key] = Recording(self.network, inputs, tileable, self._record)
            except Exception:
                log.warning("CUDA graphs cannot evaluate the network; PyTorch does", exc_info=True)
                self._has_failed = True
                self._recordings.clear()
                return None
        self._recordings.move_to_end(key)
        return self._recordings[key]


class Recording:
    """An evaluation for inputs of one shape, recorded; see `CudaGraphEngine`.

    Raises
    ------
    RuntimeError
        If its outputs are not those of the network.
    """

    def __init__(self, network: Denoiser, inputs: Sequence[Tensor], tileable: bool, record: Recorder) -> None:
        self.inputs = [value.clone(memory_format=torch.contiguous_format) for value in inputs]
        pooled = {(2 ** (level + 1), inputs[0].dtype): masks for level, masks in enumerate(self.inputs[5:])}
        condition = condition_of(self.inputs[:5], pooled)

        def evaluate() -> Outputs:
            return network.denoise(self.inputs[0], self.inputs[1], condition, tileable=tileable)

        expected, _ = evaluate()
        self.outputs, self.launch = record(evaluate)
        found, _ = self(inputs)
        difference = float((found - expected).abs().max())
        if not difference <= TOLERANCE:
            raise RuntimeError(f"a recording differs from the network by {difference}, above {TOLERANCE}")

    def __call__(self, inputs: Sequence[Tensor]) -> Outputs:
        """Return `denoised` and `phi` for other inputs of the same shape, in tensors of their own."""
        for buffer, value in zip(self.inputs, inputs, strict=True):
            buffer.copy_(value)
        self.launch()
        denoised, phi = self.outputs
        return denoised.clone(), phi.clone()


def record_cuda_graph(evaluate: Callable[[], Outputs]) -> tuple[Outputs, Callable[[], None]]:
    """Record the kernels that a function launches on the current GPU; see `Recorder`."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UPS):
            evaluate()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    # other threads may allocate memory meanwhile
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        outputs = evaluate()
    return outputs, graph.replay
