"""The examples in docstrings run and give the output that they show."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["centroids", "interpolation", "pipeline", "run_figure"])
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # examples save images
    results = doctest.testmod(importlib.import_module(f"fgsd.{name}"))
    assert results.attempted > 0
    assert results.failed == 0
