"""The parts of a drag follow from what the browser and the server measured, and add up to the whole."""

from __future__ import annotations

import pytest

from fgsd.benchmarks.breakdown import PARTS, breakdown, times_of

ONE = {
    "moved": 1000.0,
    "begun": 1003.0,
    "answered": 1053.0,
    "painted": 1060.0,
    "shown": 1075.0,
    "bytes": 9000,
    "size": 96,
    "times": {"all": 45.0, "checks": 2.0, "sampling": 40.0, "evaluations": 36.0},
}


def test_parts_add_up_to_the_whole():
    times = times_of(ONE)
    assert list(times) == list(PARTS)
    assert list(times.values()) == [3, 5, 2, 4, 36, 3, 7, 15]
    assert sum(times.values()) == ONE["shown"] - ONE["moved"]


def test_medians_of_the_moves_that_were_painted():
    slow = ONE | {"shown": 1095.0}
    unpainted = {key: value for key, value in ONE.items() if key != "painted"}
    answers = iter([ONE, unpainted, ONE | {"times": None}, slow, slow | {"size": 128}])
    found = breakdown(lambda: None, lambda: next(answers), range(5))
    assert found["milliseconds"][PARTS["screen"]] == 35 and found["milliseconds"][PARTS["event"]] == 3
    assert found["whole"] == 95 and found["bytes"] == 9000 and found["size"] == 128


def test_no_measured_move_is_an_error():
    with pytest.raises(RuntimeError, match="no preview was measured"):
        breakdown(lambda: None, lambda: ONE | {"times": None}, range(3))
