"""The guided network as an ONNX graph, for a browser: `fgsd site` ships it.

The graph is written node by node. PyTorch's own exporter gives the same numbers, but takes minutes on a slow
machine, and needs one export for each way of padding. Here the weights lie in a file of their own, which the
graphs of images with edges and of seamless ones share, and so does every network of the same shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgsd.model.matching import MAX_NORMALIZED, FeatureNormalization, MatchedLayer
from fgsd.model.network import Denoiser, Level

WEIGHTS_FILE = "weights.bin"  # by this name the graph refers to its weights
OPSET, IR_VERSION = 19, 10  # the first with circular padding; and the newest that ONNX Runtime Web reads
LAST = np.iinfo(np.int64).max  # where a slice ends that takes all


def check_network(network: Denoiser) -> None:
    """Raise `ValueError` if a network has parts that the graph has not."""
    config = network.config
    for name in ("labels", "target_embedding"):
        if value := getattr(config, name):
            raise ValueError(f"{name}={value}: only networks without it can be written as a graph")


def weights_dtype(networks: Sequence[Denoiser]) -> torch.dtype:
    """Return float16 if it holds all parameters exactly, as those of published checkpoints, else float32."""
    exact = all(
        torch.equal(p.half().float(), p.float()) for network in networks for p in network.parameters()
    )
    return torch.float16 if exact else torch.float32


def weights_bytes(network: Denoiser, dtype: torch.dtype) -> bytes:
    """Return the weights as the graph takes them: one after the other, buffers first, ordered by name."""
    return b"".join(_array(value, kept).tobytes() for _, value, kept in _weights(network, dtype))


def network_graph(
    network: Denoiser, dtype: torch.dtype, *, tileable: bool = False, wraps: bool = True
) -> bytes:
    """Return `denoised, phi` as a function of `x`, `sigma`, `centroid` and `strength`, as an ONNX model.

    It is `Denoiser.denoise` with a `CentroidMatching`, for any batch and size: `x` (B, 3, H, W), `sigma`
    (B,), `centroid` (B, F), `strength` (B, 1); `denoised` (B, 3, H, W), `phi` (B, F), all float32.

    Parameters
    ----------
    network : Denoiser
        Gives the shapes; its weights stay outside, see `weights_bytes`.
    dtype : torch.dtype
        Of the parameters in their file: float16 or float32. Buffers stay in float32.
    tileable : bool
        Images wrap round at the edges; the sides of the coarsest level have more than one pixel otherwise.
    wraps : bool
        Whether what reads the graph can pad an image with pixels of the other side; OpenVINO cannot.

    Raises
    ------
    ValueError
        If the network has other conditions than its target, see `check_network`.
    """
    check_network(network)
    return Graph(network, dtype, tileable=tileable, wraps=wraps).model()


def _weights(network: Denoiser, dtype: torch.dtype) -> list[tuple[str, Tensor, torch.dtype]]:
    """Return name, value and dtype of what the file holds, in its order."""
    parameters = dict(network.named_parameters())
    kept = [(n, v, dtype if n in parameters else torch.float32) for n, v in network.state_dict().items()]
    return sorted(kept, key=lambda entry: (entry[0] in parameters, entry[0]))


def _array(value: Tensor, dtype: torch.dtype) -> np.ndarray:
    return value.detach().to("cpu", dtype).contiguous().numpy()


class Graph:
    """Collects the nodes; its methods take and return names of values.

    Parameters
    ----------
    network, dtype, tileable, wraps :
        See `network_graph`.
    """

    def __init__(self, network: Denoiser, dtype: torch.dtype, *, tileable: bool, wraps: bool) -> None:
        self.network, self.dtype, self.tileable, self.wraps = network, dtype, tileable, wraps
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.count = 0
        self.factor = 1  # by which the images are larger than the activations of the level
        self.stats: tuple[str, str] | None = None  # see `_stats`

    def model(self) -> bytes:
        """Return the serialized model."""
        from onnx import TensorProto, helper

        stored = self._stored_weights()
        self._denoise()
        inputs, outputs = self.shapes()

        def values(shapes: dict[str, list]) -> list[Any]:
            return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]

        initializers = [*stored, *self.constants.values()]
        graph = helper.make_graph(self.nodes, "fgsd", values(inputs), values(outputs), initializers)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="fgsd")
        return model.SerializeToString()

    def shapes(self) -> tuple[dict[str, list], dict[str, list]]:
        """Return the shapes of the inputs and of the outputs, by name."""
        features = self.network.config.dimension
        inputs: dict[str, list] = {
            "x": ["B", 3, "H", "W"],
            "sigma": ["B"],
            "centroid": ["B", features],
            "strength": ["B", 1],
        }
        return inputs, {"denoised": ["B", 3, "H", "W"], "phi": ["B", features]}

    def _stored_weights(self) -> list[Any]:
        """Declare the weights in their file; float16 ones are converted when the graph is loaded."""
        from onnx import TensorProto

        stored, offset = [], 0
        for name, value, dtype in _weights(self.network, self.dtype):
            half, length = dtype == torch.float16, value.numel() * dtype.itemsize
            tensor = TensorProto(
                name=f"{name}.half" if half else name,
                data_type=TensorProto.FLOAT16 if half else TensorProto.FLOAT,
                dims=value.shape,
                data_location=TensorProto.EXTERNAL,
            )
            for key, entry in (("location", WEIGHTS_FILE), ("offset", offset), ("length", length)):
                tensor.external_data.add(key=key, value=str(entry))
            if half:
                self.add("Cast", [tensor.name], name, to=TensorProto.FLOAT)
            stored.append(tensor)
            offset += length
        return stored

    # ---- single nodes ----

    def add(self, kind: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """Add a node with one output, and return the name of it."""
        from onnx import helper

        self.count += 1
        output = output or f"v{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        from onnx import numpy_helper

        array: np.ndarray = np.asarray(value, dtype=dtype)
        name = f"c{array.dtype}{array.shape}{array.tobytes().hex()}"
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(array, f"c{len(self.constants)}")
        return self.constants[name].name

    def op(self, kind: str, one: str, other: str | float) -> str:
        """Add, Sub, Mul or Div of two values, the second of which may be a number."""
        return self.add(kind, [one, other if isinstance(other, str) else self.constant(other)])

    def halves(self, value: str) -> tuple[str, str]:
        """Split the last axis in two."""
        from onnx import helper

        self.count += 1
        names = (f"v{self.count}a", f"v{self.count}b")
        self.nodes.append(helper.make_node("Split", [value], names, axis=-1, num_outputs=2))
        return names

    def linear(self, name: str, value: str) -> str:
        bias = [f"{name}.bias"] if f"{name}.bias" in self.network.state_dict() else []
        return self.add("Gemm", [value, f"{name}.weight", *bias], transB=1)

    def conv(self, name: str, value: str, *, stride: int = 1) -> str:
        return self.add("Conv", [value, f"{name}.weight", f"{name}.bias"], strides=[stride, stride])

    def conv3x3(self, name: str, value: str, *, weight: str = "") -> str:
        # WebGPU needs whole fours of channels: of 27 it makes wrong sums (microsoft/onnxruntime#29651).
        # Weights of 0 meet those that are added
        weight = weight or f"{name}.weight"
        more = -self.network.state_dict()[f"{name}.weight"].shape[1] % 4
        if more:
            weight = self.add("Pad", [weight, self.constant([0] * 5 + [more, 0, 0], np.int64)])
        return self.add("Conv", [self.padded(value, more), weight, f"{name}.bias"])

    def padded(self, value: str, more: int) -> str:
        """Add a pixel on each side, and channels whose values do not matter."""
        if self.tileable and not self.wraps:
            if more:
                value = self.add("Pad", [value, self.constant([0] * 5 + [more, 0, 0], np.int64)])
            for axis in (2, 3):
                first, last = (self.sliced(value, *ends, axis) for ends in ((0, 1), (-1, LAST)))
                value = self.add("Concat", [last, value, first], axis=axis)
            return value
        pads = self.constant([0, 0, 1, 1, 0, more, 1, 1], np.int64)
        return self.add("Pad", [value, pads], mode="wrap" if self.tileable else "reflect")

    def sliced(self, value: str, start: int, stop: int, axis: int, step: int = 1) -> str:
        """Part of an axis, as `value[start:stop:step]`; `LAST` stops at the end."""
        return self.add("Slice", [value, *(self.constant([k], np.int64) for k in (start, stop, axis, step))])

    def every_second(self, value: str, axis: int) -> list[str]:
        """Split an axis in its even and its odd pixels."""
        return [self.sliced(value, start, LAST, axis, 2) for start in range(2)]

    def silu(self, value: str) -> str:
        return self.op("Mul", value, self.add("Sigmoid", [value]))

    def rms_norm(self, x: str) -> str:
        mean = self.add("ReduceMean", [self.op("Mul", x, x), self.constant([1], np.int64)], keepdims=1)
        return self.op("Div", x, self.add("Sqrt", [self.op("Add", mean, 1e-4)]))

    def columns(self, value: str, start: int, stop: int) -> str:
        return self.sliced(value, start, stop, 1)

    # ---- what differs where regions of an image have targets of their own ----

    def target(self) -> tuple[str, str]:
        """Centroid and strength, a row for each vector of means."""
        return "centroid", "strength"

    def rows(self, value: str, width: int) -> str:
        """Rows (B, width) of images, one for each vector of means."""
        return value

    def means(self, a: str) -> str:
        """The means of the channels of an activation."""
        return self.add("ReduceMean", [a, self.constant([2, 3], np.int64)], keepdims=0)

    def over_pixels(self, value: str) -> str:
        """Values of channels for all pixels of the level."""
        return self.add("Unsqueeze", [value, self.constant([2, 3], np.int64)])

    def all_means(self, phi: list[str]) -> str:
        return self.add("Concat", phi, "phi", axis=1) if phi else self.add("Identity", ["centroid"], "phi")

    # ---- the network: each method is the one of that name in `fgsd.model` ----

    def _denoise(self) -> None:
        sd = self.network.config.sigma_data
        sigma = self.add("Reshape", ["sigma", self.constant([-1, 1, 1, 1], np.int64)])
        total = self.add("Sqrt", [self.op("Add", self.op("Mul", sigma, sigma), sd**2)])
        c_skip = self.add("Div", [self.constant(sd**2), self.op("Mul", total, total)])
        c_out = self.op("Div", self.op("Mul", sigma, sd), total)
        output = self._network(self.op("Div", "x", total))
        self.add("Add", [self.op("Mul", c_skip, "x"), self.op("Mul", c_out, output)], "denoised")

    def _network(self, x: str) -> str:
        network, phi = self.network, list[str]()
        log_sigma = self.add("Log", [self.add("Reshape", ["sigma", self.constant([-1, 1], np.int64)])])
        context = self.rows(self._embed(log_sigma), network.config.embedding)
        if network.normalization is not None:
            self.stats = self._stats(network.normalization, log_sigma)
        # WebGPU has no SpaceToDepth, and the runtime makes one of slices along both axes at once
        pixels = [pixel for rows in self.every_second(x, 2) for pixel in self.every_second(rows, 3)]
        folded = self.add("Concat", pixels, axis=1)
        # the weights have the order of `pixel_unshuffle`. They are gathered, not the pixels: OpenVINO 2026.4
        # joins a gather of pixels with the weights the wrong way round
        order = self.constant([4 * colour + pixel for pixel in range(4) for colour in range(3)], np.int64)
        h = self.conv3x3("stem", folded, weight=self.add("Gather", ["stem.weight", order], axis=1))
        skips = []
        for k in range(len(network.down)):
            self.factor = 2 ** (k + 1)
            h, context = self._level(f"down.{k}", network.down[k], h, context, phi)  # type: ignore[arg-type]
            if k < len(network.shrink):
                skips.append(h)
                h = self.conv(f"shrink.{k}", h, stride=2)
        for k in reversed(range(len(network.up))):
            scales = self.constant([1, 1, 2, 2])
            nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
            h = self.add("Resize", [self.conv(f"grow.{k}", h), "", scales], nearest_mode="floor", **nearest)
            h = self.conv(f"merge.{k}", self.add("Concat", [h, skips[k]], axis=1))
            self.factor = 2 ** (k + 1)
            h, context = self._level(f"up.{k}", network.up[k], h, context, phi)  # type: ignore[arg-type]
        h = self.add("DepthToSpace", [self.conv("unfold", h)], blocksize=2, mode="CRD")
        h = self.silu(self.conv3x3("head_in", self.add("Concat", [h, x], axis=1)))
        self.all_means(phi)
        return self.conv3x3("head_out", h)

    def _stats(self, normalization: FeatureNormalization, log_sigma: str) -> tuple[str, str]:
        """Mean and spread of centroids at the noise level, as `FeatureNormalization` gives them."""
        from onnx import TensorProto

        last = len(normalization.log_sigmas) - 1
        first, second = (self._entry("normalization.log_sigmas", k) for k in range(2))
        position = self.op("Div", self.op("Sub", log_sigma, first), self.op("Sub", second, first))
        position = self.add("Clip", [position, self.constant(0.0), self.constant(float(last))])
        lower = self.add("Min", [self.add("Floor", [position]), self.constant(float(last - 1))])
        fraction, found = self.op("Sub", position, lower), []
        for name in ("mean", "spread"):
            ends = []
            for above in (0.0, 1.0):
                row = self.add("Cast", [self.op("Add", lower, above)], to=TensorProto.INT64)
                row = self.add("Reshape", [row, self.constant([-1], np.int64)])
                ends.append(self.add("Gather", [f"normalization.{name}", row], axis=0))
            way = self.op("Mul", fraction, self.op("Sub", ends[1], ends[0]))
            found.append(self.rows(self.op("Add", ends[0], way), normalization.mean.shape[1]))
        return found[0], found[1]

    def _entry(self, value: str, k: int) -> str:
        """Entry k of a vector, as a vector of one."""
        return self.add("Slice", [value, *(self.constant([end], np.int64) for end in (k, k + 1))])

    def _embed(self, log_sigma: str) -> str:
        frequencies = self.constant(self.network.embed.frequencies.cpu().numpy()[None])
        phases = self.op("Mul", self.op("Mul", log_sigma, 2 * math.pi), frequencies)
        waves = self.add("Concat", [self.add("Sin", [phases]), self.add("Cos", [phases])], axis=1)
        return self.silu(self.linear("embed.out", self.silu(self.linear("embed.hidden", waves))))

    def _level(self, name: str, level: Level, x: str, context: str, phi: list[str]) -> tuple[str, str]:
        for k in range(len(level.blocks)):
            block = f"{name}.blocks.{k}"
            gain, bias = self.halves(self.linear(f"{block}.modulation", context))
            gain, bias = self.over_pixels(self.op("Add", gain, 1.0)), self.over_pixels(bias)
            hidden = self.op("Mul", self.conv3x3(f"{block}.conv_in", self.rms_norm(x)), gain)
            hidden = self.silu(self.op("Add", hidden, bias))
            x = self.op("Add", x, self.conv3x3(f"{block}.conv_out", hidden))
        x = self.rms_norm(x)
        if level.matched is None:
            return x, context
        return self._matched(f"{name}.matched", level, x, context, phi)

    def _hidden(self, name: str, layer: MatchedLayer, means: str, target: str, context: str) -> str:
        if self.stats is None or layer.deviation is None:
            offset = self.linear(f"{name}.offset", context)
            return self.linear(f"{name}.read", self.op("Sub", target, offset))
        mean, spread = (self.columns(v, layer.features.start, layer.features.stop) for v in self.stats)
        parts = []
        for part, difference in (("read", (target, mean)), ("deviation", (means, target))):
            scaled = self.op("Div", self.op("Div", self.op("Sub", *difference), spread), MAX_NORMALIZED)
            limited = self.op("Mul", self.add("Tanh", [scaled]), MAX_NORMALIZED)
            parts.append(self.linear(f"{name}.{part}", limited))
        return self.op("Add", *parts)

    def _matched(self, name: str, level: Level, a: str, context: str, phi: list[str]) -> tuple[str, str]:
        layer = level.matched
        assert layer is not None
        means = self.means(a)
        matched, channels = layer.features.stop - layer.features.start, layer.gate.out_features // 2
        if matched < channels:
            means = self.columns(means, 0, matched)
        target = means
        if level.selected:
            phi.append(means)
            centroid, strength = self.target()
            centroid = self.columns(centroid, layer.features.start, layer.features.stop)
            step = self.op("Mul", strength, self.op("Sub", centroid, means))
            target = self.op("Add", means, step)
        hidden = self._hidden(name, layer, means, target, context)
        if layer.film is not None:
            gain, bias = self.halves(self.linear(f"{name}.film", context))
            hidden = self.op("Add", self.op("Mul", hidden, self.op("Add", gain, 1.0)), bias)
        hidden = self.silu(hidden)
        gain, bias = self.halves(self.linear(f"{name}.gate", hidden))
        gain, shift = self.op("Add", self.add("Tanh", [gain]), 1.0), bias
        if level.selected:
            if matched < channels:
                step = self.add("Pad", [step, self.constant([0, 0, 0, channels - matched], np.int64)])
            shift = self.op("Add", self.op("Mul", step, gain), bias)
        if layer.tell is not None:
            context = self.op("Add", context, self.linear(f"{name}.tell", hidden))
        return self.op("Add", self.op("Mul", a, self.over_pixels(gain)), self.over_pixels(shift)), context
