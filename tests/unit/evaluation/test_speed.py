"""Timings by a fake clock, and of a real pipeline."""

from __future__ import annotations

import pytest
import torch

from fgsd.evaluation import speed


class Clock:
    """A clock that advances only when a test changes `now`."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


class ClockedPipe:
    """A pipeline whose steps take a known time; the second step of each pair takes 1 % longer."""

    device = torch.device("cpu")

    def __init__(self, clock: Clock, guided: float, unguided: float) -> None:
        self.clock, self.seconds, self.calls = clock, {True: guided, False: unguided}, 0

    def stream(self, target, *, steps, **options):
        for step in range(steps):
            load = 1 + 0.01 * (self.calls % 2)
            self.calls += 1
            self.clock.now += load * self.seconds[target is not None]
            yield step

    def sample(self, target, *, steps, **options):
        self.clock.now += steps * self.seconds[True]


@pytest.mark.parametrize(("guided", "passed"), [(0.0105, True), (0.0125, False)])
def test_speed_reports_the_time_that_passed(monkeypatch, guided, passed):
    clock = Clock()
    monkeypatch.setattr(speed, "time", clock)
    figures = speed.measure_speed(ClockedPipe(clock, guided, 0.010), "a", runs=2)
    cost, seconds = figures["checks"]
    assert cost["value"] == pytest.approx(guided / 0.010, rel=0.011) and cost["passed"] is passed
    assert seconds["value"] == pytest.approx(16 * guided) and seconds["passed"]
    assert figures["pairs"] == 32 and figures["milliseconds_unguided"] == pytest.approx(10, rel=0.011)


def test_speed_runs_on_a_real_pipeline(pipe):
    figures = speed.measure_speed(pipe, pipe.classes[0], runs=1, size=16)
    assert figures["pairs"] == 16 and len(figures["seconds"]) == 1
    assert 0.2 < figures["checks"][0]["value"] < 5
