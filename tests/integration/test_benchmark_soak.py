"""The soak runs, detects failures and ends by itself."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys

import pytest
from PIL import Image

from fgsd.benchmarks.soak import LATENCIES, bench_soak, verdicts
from fgsd.benchmarks.soak_visitors import VisitLog, random_texture
from fgsd.evaluation import report_text

SECONDS = 60.0  # duration of the simulated soak, with windows of ten seconds
GOOD = {"server_log": "", "left_files": [], "shutdown_seconds": 1.0, "status": 0}


def visit_log(slowdown: float = 1.0) -> VisitLog:
    """Log of a minute; in the last ten seconds all latencies are multiplied by `slowdown`."""
    log = VisitLog(done={"come": 3})
    for kind in LATENCIES:
        log.latencies[kind] = [(t, 0.1 * (slowdown if t >= 50 else 1)) for t in range(60)]
    return log


def memory(growth: float = 1.0, warm_up: float = 300.0) -> list[dict[str, float]]:
    """One measurement per second: the first ten are warm-up, the last ten are multiplied by `growth`."""
    return [{"seconds": t, "mb": warm_up if t < 10 else 700 * (growth if t >= 50 else 1)} for t in range(60)]


def failed(log: VisitLog, measurements: list, **options) -> set[str]:
    """Names of the failed checks."""
    parts = verdicts(log, measurements, seconds=SECONDS, **GOOD | options)
    return {one["name"] for part in parts.values() for one in part["checks"] if not one["passed"]}


def test_a_good_soak_passes():
    assert failed(visit_log(), memory()) == set()
    assert failed(visit_log(slowdown=1.15), memory(growth=1.04)) == set()
    assert failed(visit_log(slowdown=0.5), memory(growth=0.5)) == set()


def test_each_failure_fails_its_check():
    assert failed(visit_log(slowdown=1.3), memory()) == {f"{kind}, last / first" for kind in LATENCIES}
    assert failed(visit_log(), memory(growth=1.06)) == {"growth after warm-up"}
    with_error = visit_log()
    with_error.add_error("guest 0", "page error: x is not defined")
    assert failed(with_error, memory()) == {"errors that visitors met"}
    traceback = "Traceback (most recent call last):\n  File\nValueError: no\n"
    assert failed(visit_log(), memory(), server_log=traceback) == {"tracebacks in the server's log"}
    assert failed(visit_log(), memory(), left_files=["fgsd-0/server-1/a.png"]) == {"temporary files left"}
    assert failed(visit_log(), memory(), shutdown_seconds=5.5) == {"SIGTERM to the end"}
    assert failed(visit_log(), memory(), status=-15) == {"status, 0 for a clean end"}
    assert failed(visit_log(), memory(), shutdown_seconds=None, status=None) == {
        "SIGTERM to the end",
        "status, 0 for a clean end",
    }


def test_missing_measurements_fail():
    empty = failed(VisitLog(), [])
    assert {"growth after warm-up", "latencies, last / first", "things that visitors did"} <= empty
    few = visit_log()
    few.latencies[LATENCIES[0]] = [(1, 0.1), (2, 0.1), (3, 0.1), (55, 0.1)]
    assert failed(few, memory()) == {f"{LATENCIES[0]}, last / first"}


def test_windows_are_five_minutes_at_most():
    long = verdicts(visit_log(), memory(), seconds=1800, **GOOD)
    assert long["latency"]["window_seconds"] == 300
    assert verdicts(visit_log(), memory(), seconds=60, **GOOD)["latency"]["window_seconds"] == 10


def test_a_closed_log_records_nothing():
    log = VisitLog(closed=True)
    log.add_error("guest 0", "the server is gone")
    log.add_latency("a call of sample", 9.0)
    assert log.errors == [] and log.latencies == {}


def test_random_textures_differ_by_seed():
    one, other = random_texture(0), random_texture(1)
    assert one == random_texture(0) != other
    assert Image.open(io.BytesIO(one)).convert("RGB").getextrema()[0][0] < 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minutes": 0}, "minutes=0 must be above 0"),
        ({"minutes": math.nan}, "minutes=nan must be above 0"),
        ({"visitors": 0}, "visitors=0"),
        ({"visitors": 2, "browsers": 3}, "browsers=3"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        bench_soak("checkpoint", "data", **options)


@pytest.mark.slow
@pytest.mark.browser
def test_a_soak_at_toy_size(checkpoint_folder, texture_folder, tmp_path):
    """In a process of its own: one process cannot run Playwright twice."""
    output = tmp_path / "soak.json"
    command = [sys.executable, "-m", "fgsd.cli", "bench", "soak", "--minutes", "0.4", "--visitors", "4"]
    options = ["--browsers", "2", "--checkpoint", str(checkpoint_folder), "--data", str(texture_folder)]
    ran = subprocess.run([*command, *options, "-o", str(output)], check=True, capture_output=True, text=True)
    results = json.loads(output.read_text())
    assert ran.stdout.strip() == report_text(results).strip()
    parts = results["parts"]
    assert parts["errors"]["errors"] == [] and parts["errors"]["log"] == ""
    assert all(
        one["passed"] for one in parts["end"]["checks"]
    )  # a soak this short says nothing about the other parts
    actions = set(parts["errors"]["done"])
    assert "come" in actions and all(any(kind in a for a in actions) for kind in ("browser", "HTTP"))
    assert len(parts["memory"]["over_time"]) == 12
    assert set(parts["memory"]["over_time"][-1]) == {"seconds", "mb", "threads", "descriptors", "files"}
    assert parts["memory"]["over_time"][-1]["files"] > 0  # they are removed at the end
