"""Fixtures for tests of the scheduler."""

from __future__ import annotations

import pytest
from scheduler_help import RecordedNetwork

from fgsd.app.serving.scheduler import Scheduler
from fgsd.pipeline import Pipeline


@pytest.fixture
def pipe_copy(pipe) -> Pipeline:
    """A pipeline whose `denoise` a test may replace."""
    return Pipeline(pipe.network, pipe.table, pipe.info, "cpu", map=pipe.map)


@pytest.fixture
def network(monkeypatch, pipe_copy) -> RecordedNetwork:
    return RecordedNetwork(monkeypatch, pipe_copy)


@pytest.fixture
def scheduler(pipe_copy):
    scheduler = Scheduler(pipe_copy)
    yield scheduler
    scheduler.close()
