"""The benchmark of engines runs, each engine in a process of its own, and its table shows the results."""

from __future__ import annotations

import pytest

from fgsd.benchmarks.engine import REFERENCE, Case, bench_engine, engine_text, variants
from fgsd.benchmarks.engine_exports import export_onnx, onnx_runtime, open_vino
from fgsd.model.matching import CentroidMatching

pytestmark = pytest.mark.integration


def test_engines_take_turns(checkpoint_folder):
    engines = [variant for variant in variants() if variant.any_case]
    cases = [Case(16, 1), Case(16, 2, "regions", tileable=True)]
    found = bench_engine(str(checkpoint_folder), cases=cases, rounds=2, engines=engines)
    names = [variant.name for variant in engines]
    assert names[0] == REFERENCE and "packed" in names
    assert [(row["case"], row["busy"]) for row in found["rows"]] == [
        (case, busy)
        for case in ("16 px, batch 1", "16 px, batch 2, regions, tileable")
        for busy in (False, True)
    ]
    for row in found["rows"]:
        assert list(row["milliseconds"]) == names and min(row["milliseconds"].values()) > 0
    assert found["differences"]["packed"] < 1e-4
    if "packed, bfloat16" in names:
        assert 1e-4 < found["differences"]["packed, bfloat16"] < 1
    machine = {"cpu": "a CPU", "cores": 2, "threads": 2, "torch": "2"}
    table = engine_text({"machine": machine, **found}).splitlines()
    assert table[0] == f"| ms | {' | '.join(names)} |" and len(table[2].split("|")) == len(names) + 3
    assert any("over its target" in line for line in table)


def test_no_round_is_refused(checkpoint_folder):
    with pytest.raises(ValueError, match="rounds=0 must be at least 1"):
        bench_engine(str(checkpoint_folder), rounds=0)


@pytest.mark.slow
def test_exported_networks_agree(pipe, tmp_path):
    """Where the packages are installed: they are measured, fgsd does not need them."""
    import torch

    for package in ("onnxscript", "onnxruntime", "openvino"):
        pytest.importorskip(package)
    path = tmp_path / "network.onnx"
    export_onnx(pipe.network, path)
    matching = CentroidMatching(pipe.table.of("moss").at(0.8), 0.7)
    for x in (torch.randn(1, 3, 16, 16), torch.randn(3, 3, 24, 32)):
        sigma = torch.full((len(x),), 0.8)
        expected, phi = pipe.network.denoise(x, sigma, matching)
        for evaluate in (onnx_runtime(path, threads=1), open_vino(path, threads=1)):
            found, found_phi = evaluate(x, sigma, matching)
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(found_phi, phi, atol=1e-4, rtol=1e-4)
            with pytest.raises(ValueError, match="only CentroidMatching is exported"):
                evaluate(x, sigma, matching, tileable=True)
