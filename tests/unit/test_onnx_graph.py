"""The network as an ONNX graph computes what PyTorch computes, by the reference implementation of ONNX."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from fgsd.model.matching import CentroidMatching
from fgsd.onnx_graph import WEIGHTS_FILE, network_graph, weights_bytes, weights_dtype


def evaluated(network, dtype, folder, inputs, **options):
    """The outputs of the graph, with the weights in their file."""
    path = folder / "graph.onnx"
    path.write_bytes(network_graph(network, dtype, **options))
    (folder / WEIGHTS_FILE).write_bytes(weights_bytes(network, dtype))
    onnx.checker.check_model(str(path))
    model = onnx.load(str(path))
    return ReferenceEvaluator(model).run(None, {name: value.numpy() for name, value in inputs.items()})


def inputs_of(network, height: int = 16, width: int = 24) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "x": 2 * torch.randn(2, 3, height, width, generator=generator),
        "sigma": torch.tensor([0.3, 4.0]),
        "centroid": torch.randn(2, network.config.dimension, generator=generator),
        "strength": torch.tensor([[1.0], [0.6]]),
    }


@pytest.mark.parametrize(
    "options", [{}, {"tileable": True}, {"tileable": True, "wraps": False}], ids=["edges", "wraps", "slices"]
)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"features": ("down1", "up0"), "gated": ("down0",), "film": True, "feature_share": 0.5},
        {"features": (), "normalization_levels": 4},
        {"features": ("down1", "up0"), "gated": ("down0",), "normalization_levels": 4},
    ],
    ids=["plain", "gated, film, a share of the channels", "without features", "normalised means"],
)
def test_the_graph_is_the_network(lively, tiny, tmp_path, changes, options):
    network = lively(replace(tiny, **changes))
    inputs = inputs_of(network)
    denoised, phi = evaluated(network, torch.float32, tmp_path, inputs, **options)
    matching, tileable = CentroidMatching(inputs["centroid"], inputs["strength"]), "tileable" in options
    expected, features = network.denoise(inputs["x"], inputs["sigma"], matching, tileable=tileable)
    assert np.abs(denoised - expected.numpy()).max() < 2e-5
    assert phi.shape == tuple(features.shape)
    assert np.allclose(phi, features.numpy(), atol=2e-5)


def test_weights_of_a_published_checkpoint_are_kept_exactly_in_half_of_the_bytes(lively, tmp_path):
    network = lively()
    assert weights_dtype([network]) == torch.float32
    network.load_state_dict({name: value.half().float() for name, value in network.state_dict().items()})
    dtype = weights_dtype([network])
    assert dtype == torch.float16
    assert 2 * len(weights_bytes(network, dtype)) == len(weights_bytes(network, torch.float32))
    inputs = inputs_of(network, 8, 8)
    halves, floats = (evaluated(network, dtype, tmp_path, inputs) for dtype in (dtype, torch.float32))
    assert all(np.array_equal(one, other) for one, other in zip(halves, floats, strict=True))


@pytest.mark.parametrize("changes", [{"target_embedding": 3, "normalization_levels": 4}, {"labels": 3}])
def test_a_network_with_another_condition_is_refused(lively, tiny, changes):
    network = lively(replace(tiny, **changes))
    with pytest.raises(ValueError, match=next(iter(changes))):
        network_graph(network, torch.float32)
