"""The load benchmark runs by the page's own event, and its table shows the results."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from app_server import PROXIES

from fgsd.benchmarks.load import bench_serve, serve_text
from fgsd.cli.main import main

pytestmark = pytest.mark.integration


@pytest.mark.slow
def test_throughput_and_latency_are_measured(checkpoint_folder, texture_folder, tmp_path):
    output = tmp_path / "serve.json"
    command = [sys.executable, "-m", "fgsd.cli", "bench", "serve", "--requests", "4", "--output", str(output)]
    options = ["--checkpoint", str(checkpoint_folder), "--data", str(texture_folder)]
    counts = ["--visitors", "1", "--visitors", "3"]
    printed = subprocess.run(
        [*command, *options, *counts],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **PROXIES},  # no proxy reaches the page that is measured
    ).stdout
    results = json.loads(output.read_text())
    assert printed.strip() == serve_text(results)
    assert results["machine"]["gradio"] and results["checkpoint"]["classes"] == 3
    for name in ("shared", "alone"):
        assert [one["visitors"] for one in results[name]] == [1, 3]
        assert [one["requests"] for one in results[name]] == [4, 6]
        for one in results[name]:
            assert 0 < one["median"] <= one["late"] < 30
            assert one["steps_per_second"] == pytest.approx(16 * one["images_per_second"], rel=0.01)
            # Little's law: each visitor has one request at a time
            assert one["images_per_second"] * one["median"] < 2 * one["visitors"]


def test_the_table_has_a_row_for_each_number_of_visitors():
    one = {"requests": 4, "images_per_second": 2.5, "steps_per_second": 40.0, "median": 0.4, "late": 0.51}
    other = one | {"images_per_second": 1.25, "steps_per_second": 20.0}
    machine = {"cpu": "CPU", "cores": 2, "threads": 1, "device": "cpu", "torch": "2", "gradio": "6"}
    request = {"n": 1, "size": 64, "steps": 16}
    rows = {"shared": [{"visitors": 1, **one}], "alone": [{"visitors": 1, **other}]}
    table = serve_text({"machine": machine, "request": request, "requests": 4, **rows}).splitlines()
    assert table[0].startswith("| visitors | shared: images/s | shared: steps/s |")
    assert table[2] == "| 1 | 2.50 | 40 | 0.40 s | 0.51 s | 1.25 | 20 | 0.40 s | 0.51 s |"
    assert "1 image of 64 pixels in 16 steps; at least 4 of them a row. CPU, 2 cores" in table[-1]
    assert len({row.count("|") for row in table[:3]}) == 1


@pytest.mark.parametrize("options", [{"requests": 0}, {"visitors": [2, 0]}, {"visitors": []}])
def test_numbers_below_one_are_refused(options, checkpoint_folder, texture_folder):
    with pytest.raises(ValueError, match=r"=0 must be at least 1"):
        bench_serve(str(checkpoint_folder), str(texture_folder), **options)


def test_the_command_refuses_an_unknown_benchmark(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["bench", "nothing"])
    assert exit_.value.code == 2 and "'nothing'" in capsys.readouterr().err
