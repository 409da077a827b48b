"""The graph with regions computes what PyTorch computes, by the reference implementation of ONNX."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from fgsd.model.matching import CentroidMatching, RegionMatching
from fgsd.onnx_graph import WEIGHTS_FILE, network_graph, weights_bytes
from fgsd.onnx_regions import regions_graph
from fgsd.regions import region_masks

HEIGHT, WIDTH = 32, 48


def evaluator(network, graph: bytes, folder) -> ReferenceEvaluator:
    path = folder / "graph.onnx"
    path.write_bytes(graph)
    (folder / WEIGHTS_FILE).write_bytes(weights_bytes(network, torch.float32))
    onnx.checker.check_model(str(path))
    return ReferenceEvaluator(onnx.load(str(path)))


def inputs_of(network, regions: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "x": 2 * torch.randn(2, 3, HEIGHT, WIDTH, generator=generator),
        "sigma": torch.tensor([0.3, 4.0]),
        "centroid": torch.randn(2, regions, network.config.dimension, generator=generator),
        "strength": torch.full((2, 1), 0.8),
    }


def plan(regions: int) -> list[np.ndarray]:
    """Columns, the last of which has a dot of another region: `pooled_masks` raises that."""
    columns = np.broadcast_to(np.arange(WIDTH) * max(1, regions - 1) // WIDTH, (HEIGHT, WIDTH)).copy()
    if regions > 1:
        columns[13:16, 30:33] = regions - 1
    return [columns == k for k in range(regions)]


@pytest.mark.parametrize("tileable", [False, True])
@pytest.mark.parametrize(
    "changes",
    [{}, {"features": ("down1", "up0"), "film": True, "feature_share": 0.5}, {"normalization_levels": 4}],
    ids=["plain", "film, a share of the channels of two layers", "normalised means"],
)
@pytest.mark.parametrize("regions", [1, 2, 5])
def test_the_graph_is_the_network(lively, tiny, tmp_path, changes, tileable, regions):
    network = lively(replace(tiny, **changes))
    inputs = inputs_of(network, regions)
    masks = region_masks(plan(regions), feather=2.0, tileable=tileable)[None]
    run = evaluator(network, regions_graph(network, torch.float32, tileable=tileable), tmp_path).run
    feed = {name: value.numpy() for name, value in {**inputs, "masks": masks}.items()}
    denoised, phi = run(None, feed)
    matching = RegionMatching(masks, inputs["centroid"], 0.8)
    expected, features = network.denoise(inputs["x"], inputs["sigma"], matching, tileable=tileable)
    assert phi.shape == tuple(features.shape) == (2, regions, network.config.dimension)
    assert np.abs(denoised - expected.numpy()).max() < 2e-5
    assert np.allclose(phi, features.numpy(), atol=2e-5)


def test_a_region_without_pixels_and_masks_of_each_image(lively, tmp_path):
    network = lively()
    inputs = inputs_of(network, 3)
    first = region_masks(plan(2), feather=0)
    masks = torch.stack([torch.cat([first, torch.zeros(1, HEIGHT, WIDTH)]) for _ in range(2)])
    masks[1] = masks[1].flip(2)
    run = evaluator(network, regions_graph(network, torch.float32), tmp_path).run
    denoised, phi = run(None, {name: value.numpy() for name, value in {**inputs, "masks": masks}.items()})
    matching = RegionMatching(masks, inputs["centroid"], 0.8)
    expected, features = network.denoise(inputs["x"], inputs["sigma"], matching)
    assert np.abs(denoised - expected.numpy()).max() < 2e-5
    assert np.allclose(phi, features.numpy(), atol=2e-5)


def test_one_region_is_the_graph_of_one_target(lively, tmp_path):
    network = lively()
    inputs = {name: value.numpy() for name, value in inputs_of(network, 1).items()}
    masks = np.ones((1, 1, HEIGHT, WIDTH), dtype=np.float32)
    regions = evaluator(network, regions_graph(network, torch.float32), tmp_path)
    denoised, phi = regions.run(None, {**inputs, "masks": masks})
    one = evaluator(network, network_graph(network, torch.float32), tmp_path)
    expected, features = one.run(None, {**inputs, "centroid": inputs["centroid"][:, 0]})
    assert np.allclose(denoised, expected, atol=2e-5) and np.allclose(phi[:, 0], features, atol=2e-5)
    unguided, _ = network.denoise(
        torch.tensor(inputs["x"]),
        torch.tensor(inputs["sigma"]),
        CentroidMatching(torch.tensor(inputs["centroid"][:, 0]), 0.0),
    )
    assert np.abs(denoised - unguided.numpy()).max() > 1e-2  # the target matters


@pytest.mark.parametrize("changes", [{"gated": ("up0",), "features": ("down1",)}, {"features": ()}])
def test_a_network_without_regions_is_refused(lively, tiny, changes):
    network = lively(replace(tiny, **changes))
    with pytest.raises(ValueError, match="regions need"):
        regions_graph(network, torch.float32)
