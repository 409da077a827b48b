"""The latency benchmark of the page runs and gives every figure."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from fgsd.app.site.build import build_site
from fgsd.benchmarks import dom
from fgsd.benchmarks.breakdown import PARTS
from fgsd.benchmarks.page import bench_app
from fgsd.evaluation import report_text

pytestmark = pytest.mark.integration


@pytest.mark.slow
@pytest.mark.browser
def test_every_figure_is_measured(pipe, checkpoint_folder, texture_folder, onnx_runtime_web, tmp_path):
    """In a process of its own: one process cannot run Playwright twice."""
    build_site(pipe, texture_folder, tmp_path / "site", runtime=onnx_runtime_web)
    output = tmp_path / "bench.json"
    command = [sys.executable, "-m", "fgsd.cli", "bench", "--moves", "4", "--output", str(output)]
    options = ["--checkpoint", str(checkpoint_folder), "--data", str(texture_folder)]
    options += ["--site", str(tmp_path / "site")]
    printed = subprocess.run([*command, *options], check=True, capture_output=True, text=True).stdout
    results = json.loads(output.read_text())
    assert printed.strip() == report_text(results).strip()
    parts = results["parts"]
    names = ["start", "page", "drag", "breakdown", "visitors", "learning", "brush", "release", "local"]
    assert list(parts) == names
    values = [one["value"] for figures in parts.values() for one in figures["checks"]]
    assert all(value is not None and value > 0 for value in values)
    first_sample = parts["page"]["checks"][1][
        "value"
    ]  # of the third visitor, without the start of the server
    assert parts["start"]["checks"][0]["value"] > first_sample / 1000
    assert len(parts["drag"]["milliseconds"]) == 4
    breakdown = parts["breakdown"]
    assert list(breakdown["milliseconds"]) == list(PARTS.values()) and breakdown["bytes"] > 1000
    assert breakdown["milliseconds"][PARTS["evaluations"]] > 0 and breakdown["size"] >= 8
    local = parts["local"]
    assert len(local["milliseconds"]) == 2 and max(local["milliseconds"]) < dom.SLOW_PREVIEW_MS
    assert len(parts["visitors"]["milliseconds"]) == 4  # two visitors, half as many moves each


def test_no_move_is_refused(checkpoint_folder, texture_folder):
    with pytest.raises(ValueError, match="moves=0 must be at least 1"):
        bench_app(str(checkpoint_folder), str(texture_folder), moves=0)
