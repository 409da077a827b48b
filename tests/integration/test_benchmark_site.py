"""The benchmark of a site without a server runs and gives every figure."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from fgsd.benchmarks.site import NO_GPU, site_text

pytestmark = [pytest.mark.integration, pytest.mark.browser]


def test_every_figure_is_measured(checkpoint_folder, texture_folder, onnx_runtime_web, tmp_path):
    """In a process of its own: one process cannot run Playwright twice."""
    output = tmp_path / "site.json"
    options = ["--checkpoint", checkpoint_folder, "--data", texture_folder, "--runtime", onnx_runtime_web]
    command = [sys.executable, "-m", "fgsd.cli", "bench", "site", *map(str, options), "-o", str(output)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    results = json.loads(output.read_text(encoding="utf-8"))
    assert printed.strip() == site_text(results).strip()
    assert list(results["parts"])[:2] == ["1 thread", "2 threads"]
    assert ("WebGPU" in results["parts"]) != (NO_GPU in printed)
    for part in results["parts"].values():
        checks = {one["name"]: one for one in part["checks"]}
        assert part["loaded_ms"] > 0 and all(run["evaluation_ms"] > 0 for run in part["runs"].values())
        assert checks["a preview of 64 px, median"]["value"] > 0
        for side in (64, 128):  # what does not depend on the machine
            assert checks[f"pixels of {side} px: largest difference to Python"]["passed"]
        assert checks["pixels of a painting of 128 px: largest difference to Python"]["passed"]
        assert min(part["painting"].values()) > 0
