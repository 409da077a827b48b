"""A checkpoint is replaced as a whole or not at all, and files of different checkpoints are not mixed."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
import torch
from interruptions import Interruption, Killed

from fgsd.centroids import CentroidTable
from fgsd.checkpoint import Checkpoint, CheckpointError, CheckpointInfo, load_checkpoint, save_checkpoint
from fgsd.evidence.report import checkpoint_digest
from fgsd.feature_map import fit_map
from fgsd.levels import noise_levels
from fgsd.pipeline import Pipeline

MIXABLE = ("model.safetensors", "centroids.safetensors", "map.safetensors")


@pytest.fixture
def other(tiny, lively) -> Checkpoint:
    """A checkpoint of the same network with other weights and classes, and without a map."""
    shape, names = (3, 6, tiny.dimension), ["sand", "ice", "lava"]
    values = torch.rand(shape), torch.ones(shape[1:]), torch.zeros(3, 3)
    table = CentroidTable(names, noise_levels(0.1, 2, 6), *values)
    return Checkpoint(lively(seed=9), table, CheckpointInfo(patch_size=16))


@pytest.fixture
def folder(pipe, data, tmp_path) -> Path:
    """A checkpoint with a map, among files of its owner."""
    map = fit_map(pipe.network, pipe.table, data, crops=1)  # too few for UMAP, which would be compiled
    checkpoint = Checkpoint(pipe.network, pipe.table, pipe.info, map)
    save_checkpoint(checkpoint, tmp_path / "checkpoint", card="# Old\n")
    (tmp_path / "checkpoint" / "NOTES.md").write_text("mine")
    return tmp_path / "checkpoint"


def content(folder: Path) -> tuple:
    """What tells one checkpoint from another."""
    loaded = load_checkpoint(folder)
    weights = loaded.network.state_dict()["stem.weight"].flatten().tolist()
    return loaded.table.classes, weights, loaded.table.values.flatten().tolist(), loaded.map is not None


@pytest.mark.parametrize("kill", [True, False])
def test_cut_off_at_any_change_of_the_disk_it_is_the_old_one_or_the_new_one(folder, other, tmp_path, kill):
    old = content(folder)
    save_checkpoint(other, tmp_path / "other")
    new = content(tmp_path / "other")
    digests = {checkpoint_digest(one) for one in (folder, tmp_path / "other")}
    seen = []
    for number in count():
        cut = shutil.copytree(folder, tmp_path / f"cut-{number}")
        with pytest.MonkeyPatch.context() as patch:
            interruption = Interruption(patch, number, kill=kill)
            try:
                save_checkpoint(other, cut, card="# New\n")
            except (OSError, Killed):
                assert interruption.happened
        found = content(cut)
        assert found in (old, new)
        assert checkpoint_digest(cut) in digests
        assert (cut / "NOTES.md").read_text() == "mine"
        seen.append(found == new)
        save_checkpoint(other, cut, card="# New\n")
        assert content(cut) == new
        assert {path.name for path in cut.iterdir()} == {
            "config.json", "model.safetensors", "centroids.safetensors", "README.md", "NOTES.md"
        }  # fmt: skip
        if not interruption.happened:
            break
    assert number > 12 and {True, False} == set(seen[:-1])


def test_cut_off_in_the_first_writing_there_is_none_or_a_whole_one(other, tmp_path):
    for number in count():
        with pytest.MonkeyPatch.context() as patch:
            interruption = Interruption(patch, number, kill=True)
            with suppress(Killed):
                save_checkpoint(other, tmp_path / f"new-{number}")
        try:
            assert content(tmp_path / f"new-{number}")[0] == other.table.classes
        except CheckpointError as error:
            assert "is not a checkpoint: it has no config.json" in str(error)
        if not interruption.happened:
            break
    assert number > 8


@pytest.mark.parametrize("name", MIXABLE)
def test_a_file_of_another_checkpoint_is_refused(folder, pipe, data, name, tmp_path, lively):
    """It fits in every shape, and would be silently wrong."""
    t, network = pipe.table, lively(seed=3)
    table = CentroidTable(t.classes, t.sigmas, t.values + 0.1, t.scales, t.colours)
    map = fit_map(network, table, data, crops=1, seed=1)
    save_checkpoint(Checkpoint(network, table, pipe.info, map), tmp_path / "other")
    shutil.copy(tmp_path / "other" / name, folder)
    message = rf"{name}: damaged, or of another checkpoint than config\.json"
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(folder)


def test_a_file_that_config_names_must_be_there_and_another_one_is_ignored(folder, other, tmp_path):
    shutil.copy(folder / "map.safetensors", tmp_path)
    (folder / "map.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"not a complete checkpoint: it has no map\.safetensors"):
        load_checkpoint(folder)
    save_checkpoint(other, folder)
    shutil.copy(tmp_path / "map.safetensors", folder)
    assert load_checkpoint(folder).map is None


@pytest.mark.parametrize("digests", [None, [], "x", {}, {"model.safetensors": "0"}])
def test_malformed_digests_are_refused(folder, digests):
    described = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(described | {"sha256": digests}))
    with pytest.raises(CheckpointError, match=r"config\.json: 'sha256' must hold the digests of model"):
        load_checkpoint(folder)


def test_an_older_checkpoint_has_no_digests_and_loads(folder, other):
    described = json.loads((folder / "config.json").read_text())
    del described["sha256"]
    (folder / "config.json").write_text(json.dumps(described))
    assert load_checkpoint(folder).map is not None
    Pipeline.from_pretrained(folder, device="cpu").save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["sha256"].keys() == set(MIXABLE)
