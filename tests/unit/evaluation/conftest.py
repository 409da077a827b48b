"""The pipeline that tests of the evaluation share."""

from __future__ import annotations

import pytest

from fgsd.centroids import compute_table
from fgsd.checkpoint import CheckpointInfo
from fgsd.levels import noise_levels
from fgsd.pipeline import Pipeline


@pytest.fixture(scope="session")
def untrained(lively, data) -> Pipeline:
    """An untrained pipeline with random weights, and centroids of the synthetic textures."""
    network = lively(size=0.08)
    table = compute_table(network, data, noise_levels(0.02, 4.0, 4), crops=6)
    return Pipeline(network, table, CheckpointInfo(patch_size=16), device="cpu")
