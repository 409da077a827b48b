"""Tools that only some machines have: without them a test is skipped, but never in CI."""

from __future__ import annotations

import os

import pytest


def skip_without(found: object, what: str) -> None:
    """Skip the test that runs, or fail it where `.ci/run` has set FGSD_CI, if a tool was not found."""
    if found:
        return
    if "FGSD_CI" in os.environ:
        pytest.fail(f"CI must install {what}")
    pytest.skip(f"needs {what}")
