"""The soak runs, sees what goes wrong, and ends by itself."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys

import pytest
from PIL import Image

from fgsd.benchmarks.soak import LATENCIES, bench_soak, verdicts
from fgsd.benchmarks.soak_visitors import Notes, own_image
from fgsd.evaluation import report_text

SECONDS = 60.0  # of the soak that is judged: windows of ten
WELL = {"log": "", "left": [], "ended": 1.0, "status": 0}


def notes(slower: float = 1.0) -> Notes:
    """What visitors note in a minute, in whose last ten seconds everything takes so many times as long."""
    found = Notes(done={"come": 3})
    for kind in LATENCIES:
        found.latencies[kind] = [(t, 0.1 * (slower if t >= 50 else 1)) for t in range(60)]
    return found


def memory(growth: float = 1.0, warm_up: float = 300.0) -> list[dict[str, float]]:
    """Looks, one a second: the first ten are warm-up, the last ten have `growth` times as much."""
    return [{"seconds": t, "mb": warm_up if t < 10 else 700 * (growth if t >= 50 else 1)} for t in range(60)]


def failed(seen: Notes, looks: list, **more) -> set[str]:
    parts = verdicts(seen, looks, seconds=SECONDS, **WELL | more)
    return {one["name"] for part in parts.values() for one in part["checks"] if not one["passed"]}


def test_what_is_well_passes():
    assert failed(notes(), memory()) == set()
    assert failed(notes(slower=1.15), memory(growth=1.04)) == set()
    assert failed(notes(slower=0.5), memory(growth=0.5)) == set()


def test_each_of_what_goes_wrong_is_told_by_name():
    assert failed(notes(slower=1.3), memory()) == {f"{kind}, last / first" for kind in LATENCIES}
    assert failed(notes(), memory(growth=1.06)) == {"growth after warm-up"}
    complaint = notes()
    complaint.complain("guest 0", "page error: x is not defined")
    assert failed(complaint, memory()) == {"errors that visitors met"}
    log = "Traceback (most recent call last):\n  File\nValueError: no\n"
    assert failed(notes(), memory(), log=log) == {"tracebacks in the server's log"}
    assert failed(notes(), memory(), left=["fgsd-0/server-1/a.png"]) == {"temporary files left"}
    assert failed(notes(), memory(), ended=5.5) == {"SIGTERM to the end"}
    assert failed(notes(), memory(), status=-15) == {"status, 0 for a clean end"}
    assert failed(notes(), memory(), ended=None, status=None) == {
        "SIGTERM to the end",
        "status, 0 for a clean end",
    }


def test_what_was_not_measured_fails():
    empty = failed(Notes(), [])
    assert {"growth after warm-up", "latencies, last / first", "things that visitors did"} <= empty
    few = notes()
    few.latencies[LATENCIES[0]] = [(1, 0.1), (2, 0.1), (3, 0.1), (55, 0.1)]
    assert failed(few, memory()) == {f"{LATENCIES[0]}, last / first"}


def test_windows_are_five_minutes_at_most():
    long = verdicts(notes(), memory(), seconds=1800, **WELL)
    assert long["latency"]["window_seconds"] == 300
    assert verdicts(notes(), memory(), seconds=60, **WELL)["latency"]["window_seconds"] == 10


def test_complaints_about_the_end_are_none():
    seen = Notes()
    seen.over = True
    seen.complain("guest 0", "the server is gone")
    seen.took("a call of sample", 9.0)
    assert seen.errors == [] and seen.latencies == {}


def test_an_own_image_is_a_texture_like_no_other():
    one, other = own_image(0), own_image(1)
    assert one == own_image(0) != other
    assert Image.open(io.BytesIO(one)).convert("RGB").getextrema()[0][0] < 100


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"minutes": 0}, "minutes=0 must be above 0"),
        ({"minutes": math.nan}, "minutes=nan must be above 0"),
        ({"visitors": 0}, "visitors=0"),
        ({"visitors": 2, "browsers": 3}, "browsers=3"),
    ],
)
def test_what_makes_no_soak_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        bench_soak("checkpoint", "data", **wrong)


@pytest.mark.slow
@pytest.mark.browser
def test_a_soak_at_toy_size(checkpoint_folder, texture_folder, tmp_path):
    """In a process of its own: two browsers cannot be driven from one."""
    found = tmp_path / "soak.json"
    command = [sys.executable, "-m", "fgsd.cli", "bench", "soak", "--minutes", "0.4", "--visitors", "4"]
    options = ["--browsers", "2", "--checkpoint", str(checkpoint_folder), "--data", str(texture_folder)]
    ran = subprocess.run([*command, *options, "-o", str(found)], check=True, capture_output=True, text=True)
    results = json.loads(found.read_text())
    assert ran.stdout.strip() == report_text(results).strip()
    parts = results["parts"]
    assert parts["errors"]["errors"] == [] and parts["errors"]["log"] == ""
    assert all(one["passed"] for one in parts["end"]["checks"])  # figures of so short a time say nothing else
    ways = set(parts["errors"]["done"])
    assert "come" in ways and any("browser" in way for way in ways) and any("HTTP" in way for way in ways)
    assert len(parts["memory"]["over_time"]) == 12
    assert set(parts["memory"]["over_time"][-1]) == {"seconds", "mb", "threads", "descriptors", "files"}
    assert parts["memory"]["over_time"][-1]["files"] > 0  # those that are gone at the end
