"""The benchmark of engines runs, each engine in a process of its own, and its table shows the results."""

from __future__ import annotations

import pytest
import torch

from fgsd.benchmarks.engine import PICTURES, REFERENCE, Case, bench_engine, engine_text, variants
from fgsd.benchmarks.engine_process import BUILDERS
from fgsd.benchmarks.onnx_runtime import OnnxRuntimeEngine
from fgsd.model.matching import CentroidMatching, RegionMatching

pytestmark = pytest.mark.integration


def test_engines_take_turns(checkpoint_folder):
    engines = variants()
    cases = [Case(16, 1), Case(16, 2, "regions", tileable=True)]
    found = bench_engine(str(checkpoint_folder), cases=cases, rounds=2, engines=engines)
    names = [variant.name for variant in engines]
    assert names[0] == REFERENCE and {"packed", "OpenVINO"} <= set(names)
    assert [(row["case"], row["busy"]) for row in found["rows"]] == [
        (case, busy)
        for case in ("16 px, batch 1", "16 px, batch 2, regions, tileable")
        for busy in (False, True)
    ]
    for row in found["rows"]:
        assert list(row["milliseconds"]) == names and min(row["milliseconds"].values()) > 0
    assert max(found["differences"][name] for name in ("packed", "OpenVINO")) < 1e-4
    if "packed, bfloat16" in names:
        assert 1e-4 < found["differences"]["packed, bfloat16"] < 1
    machine = {"cpu": "a CPU", "cores": 2, "threads": 2, "torch": "2"}
    table = engine_text({"machine": machine, **found}).splitlines()
    assert table[0] == f"| ms | {' | '.join(names)} |" and len(table[2].split("|")) == len(names) + 3
    assert any("over its target" in line for line in table)
    small, large = found["operations"].values()
    assert 1.9 * small < large < 2.3 * small and found["matrix_product"] > 1e8
    rates = [line.split("|") for line in table if line.startswith("| 16 px") and "%" in line]
    assert len(rates) == 2 and all(float(cells[3]) > 0 for cells in rates)


@pytest.mark.parametrize("has_bfloat16", [False, True])
def test_on_a_gpu_cuda_graphs_are_measured_beside_pytorch(monkeypatch, has_bfloat16):
    monkeypatch.setattr("fgsd.benchmarks.engine.has_bfloat16", lambda device: has_bfloat16)
    found = variants("cuda", compile=True)
    names = [REFERENCE, "CUDA graphs", "torch.compile"]
    wanted = names + [f"{name}, bfloat16" for name in names] * has_bfloat16
    assert [variant.name for variant in found] == wanted
    assert {variant.engine for variant in found} <= set(BUILDERS) and "CUDA graphs" in PICTURES


def test_no_round_is_refused(checkpoint_folder):
    with pytest.raises(ValueError, match="rounds=0 must be at least 1"):
        bench_engine(str(checkpoint_folder), rounds=0)


def test_onnx_runtime_agrees(pipe):
    """Where it is installed: it is measured, fgsd does not need it."""
    pytest.importorskip("onnxruntime")
    engine, centroid = OnnxRuntimeEngine(pipe.network), pipe.table.of("moss").at(0.8)
    masks = torch.rand(1, 2, 24, 32)
    conditions = (
        CentroidMatching(centroid, 0.7),
        RegionMatching(masks / masks.sum(1, keepdim=True), torch.stack([centroid, -centroid])),
    )
    x, sigma = torch.randn(3, 3, 24, 32), torch.full((3,), 0.8)
    for condition in conditions:
        for tileable in (False, True):
            expected = pipe.network.denoise(x, sigma, condition, tileable=tileable)
            found = engine(x, sigma, condition, tileable=tileable)
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
