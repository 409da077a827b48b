"""The shipped checkpoint: complete, small, and with samples like the shipped textures."""

from pathlib import Path

import numpy as np
import pytest

from fgsd.data import TextureFolder
from fgsd.pipeline import Pipeline

ROOT = Path(__file__).parents[2]
CHECKPOINT, TEXTURES = ROOT / "checkpoints" / "textures", ROOT / "assets" / "textures"


@pytest.fixture(scope="module")
def shipped() -> Pipeline:
    return Pipeline.from_pretrained(CHECKPOINT, device="cpu")


@pytest.fixture(scope="module")
def textures(shipped) -> TextureFolder:
    return TextureFolder(TEXTURES, shipped.info.data)


def test_it_has_all_classes_of_the_shipped_textures(shipped, textures):
    assert textures.skipped == []
    assert shipped.classes == textures.classes
    assert len(shipped.classes) == 64


def test_it_is_small_and_its_card_names_the_source():
    assert sum(path.stat().st_size for path in CHECKPOINT.iterdir()) <= 25_000_000
    card = (CHECKPOINT / "README.md").read_text(encoding="utf-8")
    assert "license: cc-by-sa-3.0" in card and "Wildfire Games" in card


def test_an_image_of_a_class_is_nearest_to_its_class(shipped, textures):
    names = shipped.classes[::16]
    nearest = [shipped.table.nearest(shipped.centroid_of(textures.image(c), crops=4), 1)[0][0] for c in names]
    assert sum(a == b for a, b in zip(nearest, names, strict=True)) >= len(names) - 1


def test_samples_have_the_mean_colours_of_their_classes(shipped, textures):
    """The error of the mean colour is below half the distance between two classes, on average."""
    images = [np.asarray(textures.image(name), dtype=float) for name in shipped.classes]
    colours = np.stack([image.mean(axis=(0, 1)) for image in images])
    distance = np.linalg.norm(colours[:, None] - colours, axis=-1)[np.triu_indices(len(colours), 1)].mean()
    errors = []
    for k in range(0, len(colours), 8):
        samples = shipped.sample(shipped.classes[k], n=2, steps=8, seed=0)
        mean = np.mean([np.asarray(image, dtype=float).mean(axis=(0, 1)) for image in samples], axis=0)
        errors.append(np.linalg.norm(colours[k] - mean))
    assert np.mean(errors) < 0.5 * distance
