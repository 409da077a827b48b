"""Texture files: what is saved is loaded, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from fgsd import Texture
from fgsd.centroids import mean_centroid
from fgsd.pipeline import Pipeline
from fgsd.texture import FORMAT, MAX_BYTES, SUFFIX, TextureError, tensors_digest, thumbnail_of

METADATA = {"format": FORMAT, "name": "石畳", "network": "0" * 16}


@pytest.fixture
def texture(pipe) -> Texture:
    noise = np.random.default_rng(0).integers(0, 255, (80, 50, 3), dtype=np.uint8)
    return Texture("石畳", pipe.table.of("moss"), thumbnail_of(Image.fromarray(noise)), pipe.network_digest)


@pytest.fixture
def file(texture, tmp_path):
    path = tmp_path / f"a{SUFFIX}"
    texture.save(path)
    return path


def test_a_texture_survives_its_file_to_the_bit(texture, file, pipe):
    loaded = Texture.load(file)
    assert (loaded.name, loaded.network) == ("石畳", pipe.network_digest)
    for name in ("sigmas", "values", "colour"):
        assert torch.equal(getattr(loaded.centroid, name), getattr(texture.centroid, name))
    assert np.array_equal(np.asarray(loaded.thumbnail), np.asarray(texture.thumbnail))
    assert [file.name] == [path.name for path in file.parent.iterdir()]


def test_a_texture_is_a_target_like_a_class(pipe, file):
    texture, options = Texture.load(file), {"n": 2, "steps": 3, "size": 16}
    of_class = [np.asarray(image) for image in pipe.sample("moss", **options)]
    assert all(map(np.array_equal, of_class, map(np.asarray, pipe.sample(texture, **options))))
    both = mean_centroid([(texture.centroid, 0.25), (pipe.table.of("slate"), 0.75)])
    mixed = pipe.sample({"moss": 0.25, "slate": 0.75}, **options)
    assert all(map(np.array_equal, map(np.asarray, mixed), map(np.asarray, pipe.sample(both, **options))))
    assert pipe.nearest(texture)[0] == ("moss", 0.0)
    assert len(pipe.sample([texture, "slate"], n=2, steps=2, size=16)) == 2


def test_a_texture_of_another_network_is_refused(pipe, lively, file):
    other = Pipeline(lively(seed=5), pipe.table, pipe.info, "cpu")
    with pytest.raises(ValueError, match="texture '石畳' was made with another network"):
        other.sample(Texture.load(file), steps=2, size=16)


def test_the_shipped_network_makes_files_of_at_most_60_kb(tmp_path):
    pipe = Pipeline.from_pretrained("checkpoints/textures", device="cpu")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    path = tmp_path / f"lava{SUFFIX}"
    Texture("lava", pipe.table.of("lava"), picture, pipe.network_digest).save(path)
    assert path.stat().st_size <= 60_000


def test_digests_differ_between_networks_and_not_between_copies(pipe, lively, checkpoint_folder):
    again = Pipeline.from_pretrained(checkpoint_folder, device="cpu")
    assert again.network_digest == pipe.network_digest == tensors_digest(pipe.network)
    assert tensors_digest(lively(seed=1)) != tensors_digest(lively(seed=2))
    assert len(pipe.network_digest) == 16


@pytest.mark.parametrize("name", ["", "  ", "a" * 101, "a\tb", None, 3])
def test_a_name_is_one_line_of_text(texture, name):
    with pytest.raises(ValueError, match="1 to 100 printable characters"):
        Texture(name, texture.centroid, texture.thumbnail, texture.network)


def test_names_are_stored_in_one_unicode_form(texture):
    assert Texture("cafe\u0301", texture.centroid, texture.thumbnail, "").name == "caf\u00e9"


def test_the_name_of_a_file_shows_what_it_is(texture, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.fgsd\.safetensors"):
        texture.save(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def change(**tensors):
    return lambda found: found | tensors


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda found: {k: v for k, v in found.items() if k != "colour"}, "exactly the tensors"),
        (change(more=torch.zeros(1)), "exactly the tensors"),
        (change(colour=torch.tensor([0.0, float("nan"), 0.0])), "colour must hold finite numbers"),
        (change(colour=torch.tensor([0.0, 1e9, 0.0])), "colour must hold finite numbers"),
        (change(colour=torch.zeros(3, dtype=torch.float64)), "colour is torch.float64"),
        (change(colour=torch.zeros(4)), r"colour has shape \(4,\), expected \(3,\)"),
        (change(thumbnail=torch.zeros(8, 8, 3, dtype=torch.uint8)), "thumbnail has shape"),
        (change(values=torch.zeros(2, 2)), "values has shape"),
        (change(values=torch.zeros(6)), "values has shape"),
        (change(sigmas=torch.zeros(6)), "increasing noise levels"),
        (change(sigmas=torch.zeros(0)), "increasing noise levels"),
        (change(sigmas=torch.zeros(2, 3)), "increasing noise levels"),
        (change(sigmas=torch.arange(6.0)), "sigmas must be positive"),
    ],
)
def test_damaged_tensors_are_named(file, damage, message):
    save_file(damage(load_file(file)), file, metadata=METADATA)
    with pytest.raises(TextureError, match=message) as refusal:
        Texture.load(file)
    assert str(refusal.value).startswith(str(file))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, FORMAT),
        (METADATA | {"format": "fgsd-texture-9"}, FORMAT),
        (METADATA | {"name": ""}, "printable characters"),
    ],
)
def test_damaged_metadata_is_named(file, metadata, message):
    save_file(load_file(file), file, metadata=metadata)
    with pytest.raises(TextureError, match=message):
        Texture.load(file)


@pytest.mark.parametrize("content", [b"", b"text", None, b"\x00" * (MAX_BYTES + 1)])
def test_other_files_are_refused(file, content):
    file.write_bytes(file.read_bytes()[:-100] if content is None else content)
    with pytest.raises(TextureError, match=r"damaged, or no texture file|at most 200,000"):
        Texture.load(file)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(TextureError, match="there is no such file"):
        Texture.load(tmp_path / f"a{SUFFIX}")
    with pytest.raises(TextureError, match="damaged, or no texture file"):
        Texture.load(tmp_path)
