"""The benchmark of the map draws as many crops as it says, and gives every figure."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from map_help import scattered_map

from fgsd.benchmarks.map_frames import bench_map, with_crops
from fgsd.pipeline import Pipeline

pytestmark = pytest.mark.integration


def test_crops_repeat_and_move_a_little(pipe):
    known = scattered_map(pipe, 25, image=48)
    more, fewer = with_crops(known, 90), with_crops(known, len(pipe.classes))
    assert len(more.labels) == 90 and sorted(fewer.labels) == list(range(len(pipe.classes)))
    for view in (known.projections[0], known.projections[-1]):
        first, repeated = more.crops(view, 1)[:25], more.crops(view, 1)[25:50]
        order = np.lexsort(known.crops(view, 1).T), np.lexsort(first.T)
        assert np.allclose(known.crops(view, 1)[order[0]], first[order[1]], atol=0.02)
        moves = np.abs(repeated - first)
        assert 0 < moves.max() < 0.2 and moves.mean() < 0.05
    assert np.array_equal(more.labels[:25], more.labels[25:50])


@pytest.mark.browser
def test_every_figure_is_measured(pipe, texture_folder, tmp_path):
    """In a process of its own: one process cannot run Playwright twice."""
    mapped = Pipeline(pipe.network, pipe.table, pipe.info, "cpu", map=scattered_map(pipe, 40, image=48))
    mapped.save_pretrained(tmp_path / "checkpoint")
    output = tmp_path / "map.json"
    command = [sys.executable, "-m", "fgsd.cli", "bench", "map", "--crops", "30000"]
    options = ["--checkpoint", str(tmp_path / "checkpoint"), "--data", str(texture_folder)]
    run = subprocess.run([*command, *options, "-o", str(output)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    parts = json.loads(output.read_text())["parts"]
    assert list(parts) == ["30000 crops", "space"]
    checks = [one for figures in parts.values() for one in figures["checks"]]
    assert [one["target"] for one in checks] == [30, 2, 30]
    assert all(one["value"] > 0 for one in checks)
    assert parts["30000 crops"]["textures"] == len(pipe.classes) and parts["space"]["points"] >= 2000


def test_each_class_needs_a_crop(pipe, texture_folder, tmp_path):
    for folder, feature_map in (("some", scattered_map(pipe, 40, image=48)), ("none", None)):
        mapped = Pipeline(pipe.network, pipe.table, pipe.info, "cpu", map=feature_map)
        mapped.save_pretrained(tmp_path / folder)
    with pytest.raises(ValueError, match=rf"crops=\[1\] must be at least {len(pipe.classes)}"):
        bench_map(str(tmp_path / "some"), str(texture_folder), crops=[1])
    with pytest.raises(ValueError, match="its map has no crops"):
        bench_map(str(tmp_path / "none"), str(texture_folder), crops=[100])
