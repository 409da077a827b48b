"""Families of classes: their table beside the images, and their way through a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fgsd.checkpoint import CheckpointError, load_checkpoint
from fgsd.families import load_families
from fgsd.image_files import find_images
from fgsd.pipeline import Pipeline

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["textures", "world"])
def test_every_shipped_texture_has_a_family_and_its_checkpoint_says_the_same(name):
    folder = ROOT / "assets" / name
    families = load_families(folder)
    assert sorted(families) == sorted(cls for _, cls in find_images(folder).files)
    config = json.loads((ROOT / "checkpoints" / name / "config.json").read_text(encoding="utf-8"))
    assert config["families"] == {cls: families[cls] for cls in config["classes"]}
    assert 8 <= len(set(families.values())) <= 14
    assert families.items() <= load_families(ROOT / "assets" / "world").items()


def test_a_checkpoint_keeps_the_families_of_its_classes(pipe, tmp_path):
    families = {"brick": "masonry", "moss": "plants"}  # slate has none
    Pipeline(pipe.network, pipe.table, pipe.info, "cpu", families=families).save_pretrained(tmp_path)
    assert Pipeline.from_pretrained(tmp_path, device="cpu").families == families
    assert pipe.families == {}  # one that was saved without


@pytest.mark.parametrize("families", [["brick"], {"brik": "masonry"}, {"brick": 3}, {"brick": " "}])
def test_damaged_families_are_refused(pipe, tmp_path, families):
    pipe.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"families": families}))
    with pytest.raises(CheckpointError, match=r"config\.json: .*families"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"class\nbrick\n", b"class,family\nbrick\n", b"class,family\nbrick,\n", b"class,family\n\xff,a\n"],
)
def test_a_damaged_table_is_refused_by_its_path(tmp_path, content):
    (tmp_path / "families.csv").write_bytes(content)
    with pytest.raises(ValueError, match="families"):
        load_families(tmp_path)


def test_a_class_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "families.csv").write_text("class,family\nbrick,a\nbrick,b\n", encoding="utf-8")
    with pytest.raises(ValueError, match="'brick' stands there twice"):
        load_families(tmp_path)
    assert load_families(tmp_path / "no such folder") == {}
