"""Checkpoints: a round trip, and errors that name what is damaged or foreign."""

from __future__ import annotations

import copy
import json
import math
import os
import pickle
import random
import shutil
from dataclasses import replace

import pytest
import torch
from interruptions import sign
from names_before import network_before, tensor_before
from safetensors.torch import load_file, save_file

from fgsd.centroids import CentroidTable
from fgsd.checkpoint import (
    Checkpoint,
    CheckpointError,
    CheckpointInfo,
    load_checkpoint,
    save_checkpoint,
)
from fgsd.former_names import current_tensor_name
from fgsd.levels import noise_levels

FILES = ("config.json", "model.safetensors", "centroids.safetensors")


@pytest.fixture
def folder(checkpoint_folder, tmp_path):
    """A copy to damage."""
    return shutil.copytree(checkpoint_folder, tmp_path / "damaged")


def change(folder, file: str, edit) -> None:
    """Apply `edit` to the dict of tensors of a file, or to the description."""
    path = folder / file
    if file == "config.json":
        content = json.loads(path.read_text())
        edit(content)
        path.write_text(json.dumps(content))
    else:
        content = {k: v.clone() for k, v in load_file(path).items()}
        edit(content)
        save_file(content, path)
        sign(folder)


def test_a_round_trip(checkpoint_folder, tmp_path):
    first = load_checkpoint(checkpoint_folder)
    save_checkpoint(first, tmp_path, card="# A card\n")
    second = load_checkpoint(tmp_path)
    assert second.network.config == first.network.config
    assert second.info == first.info
    assert second.table.classes == first.table.classes
    for name in ("sigmas", "values", "scales"):
        assert torch.equal(getattr(second.table, name), getattr(first.table, name))
    weights = first.network.state_dict()
    assert all(torch.equal(v, weights[k]) for k, v in second.network.state_dict().items())
    assert {p.name for p in tmp_path.iterdir()} == {*FILES, "README.md"}
    assert (tmp_path / "README.md").read_text() == "# A card\n"


def test_weights_are_stored_in_half_precision(lively, checkpoint_folder, tmp_path):
    table, network = load_checkpoint(checkpoint_folder).table, lively(seed=4)
    save_checkpoint(Checkpoint(network, table), tmp_path)
    loaded = load_checkpoint(tmp_path).network
    assert not loaded.training
    for name, value in network.state_dict().items():
        found = loaded.state_dict()[name]
        assert found.dtype == torch.float32
        assert torch.equal(found, value.half().float())


@pytest.mark.parametrize("file", FILES)
class TestDamaged:
    def test_cut_off_at_any_length(self, folder, file):
        path, content = folder / file, (folder / file).read_bytes()
        header = 8 + int.from_bytes(content[:8], "little") if file != "config.json" else 100
        lengths = {0, 1, 7, 8, 9, header - 1, header, header + 1, len(content) // 2, len(content) - 3}
        lengths |= set(random.Random(0).sample(range(len(content) - 3), 15))
        for length in sorted(lengths):
            path.write_bytes(content[:length])
            with pytest.raises(CheckpointError, match=file):
                load_checkpoint(folder)

    def test_missing(self, folder, file):
        (folder / file).unlink()
        with pytest.raises(CheckpointError, match=f"has no {file}"):
            load_checkpoint(folder)

    def test_a_folder_in_its_place(self, folder, file):
        (folder / file).unlink()
        (folder / file).mkdir()
        with pytest.raises(CheckpointError, match=file):
            load_checkpoint(folder)

    @pytest.mark.parametrize("save", [pickle.dump, torch.save])
    def test_a_pickle_in_its_place_is_not_run(self, folder, file, save, tmp_path):
        class Runs:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "has run"),)

        with (folder / file).open("wb") as opened:
            save({"weight": torch.ones(2), "run": Runs()}, opened)
        with pytest.raises(CheckpointError, match=file):
            load_checkpoint(folder)
        assert not (tmp_path / "has run").exists()

    @pytest.mark.parametrize(
        "content", [b"\x00" * 1000, b"\xff" * 1000, b"plain text", random.Random(0).randbytes(1000)]
    )
    def test_other_content(self, folder, file, content):
        (folder / file).write_bytes(content)
        with pytest.raises(CheckpointError, match=file):
            load_checkpoint(folder)


def test_no_such_folder(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere is not a checkpoint"):
        load_checkpoint(tmp_path / "nowhere")


class TestForeignTensors:
    @pytest.mark.parametrize(
        "edit, message",
        [
            (lambda t: t.pop("stem.weight"), "lacks stem.weight"),
            (lambda t: t.update(other=torch.ones(1)), "another network: other"),
            (lambda t: t.update({"stem.bias": torch.ones(9)}), r"stem.bias has shape \(9,\), expected"),
            (lambda t: t["stem.bias"].fill_(math.nan), "stem.bias must hold finite"),
            (lambda t: t["stem.bias"].fill_(math.inf), "stem.bias must hold finite"),
            (lambda t: t.update({"stem.bias": torch.ones(8, dtype=torch.int32)}), "floating-point"),
        ],
    )
    def test_weights(self, folder, edit, message):
        change(folder, "model.safetensors", edit)
        with pytest.raises(CheckpointError, match=rf"model\.safetensors: .*{message}"):
            load_checkpoint(folder)

    @pytest.mark.parametrize(
        "edit, message",
        [
            (lambda t: t.pop("scales"), "lacks scales"),
            (lambda t: t.update(values=t["values"][:2].clone()), "values has shape"),
            (lambda t: t.update(values=t["values"][..., :9].clone()), "scales has shape"),
            (lambda t: t.update({k: t[k][..., :9].clone() for k in ("values", "scales")}), "9 features"),
            (lambda t: t.update(sigmas=t["sigmas"].flip(0)), "increas"),
            (lambda t: t.update(sigmas=t["sigmas"] - 1), "positive"),
            (lambda t: t.update(sigmas=torch.tensor(1.0)), "sigmas"),
            (lambda t: t.update(colours=t["colours"][:2].clone()), "colours has shape"),
            (lambda t: t["values"].fill_(math.nan), "finite"),
        ],
    )
    def test_centroids(self, folder, edit, message):
        change(folder, "centroids.safetensors", edit)
        with pytest.raises(CheckpointError, match=rf"centroids\.safetensors: .*{message}"):
            load_checkpoint(folder)


class TestForeignDescription:
    @pytest.mark.parametrize(
        "edit, message",
        [
            (lambda d: d.update(format="other"), "'format' must be"),
            (lambda d: d.pop("format"), "'format' must be"),
            (lambda d: d.pop("network"), "'network' must be an object"),
            (lambda d: d["network"].update(layers=3), r"unknown entries \['layers'\]"),
            (lambda d: d["network"].update(widths=[8, "16"]), r"network\.widths"),
            (lambda d: d["network"].update(widths=[8]), "same length"),
            (lambda d: d["network"].update(widths=[8, 10**30]), "larger than"),
            (lambda d: d["network"].update(blocks=[1, 10**9]), "larger than"),
            (lambda d: d["network"].update(head=True), r"network\.head=True"),
            (lambda d: d["network"].update(sigma_data=math.nan), "sigma_data=nan"),
            (lambda d: d["network"].update(sigma_data=10**400), "config.json"),
            (lambda d: d["info"].update(sigma_max=0.01), "sigma_max=0.01"),
            (lambda d: d["info"].update(patch_size=0), "patch_size=0"),
            (lambda d: d["info"].update(image_size=3), "image_size=3"),
            (lambda d: d.update(classes=[]), "'classes' must be"),
            (lambda d: d.update(classes=["a", 2, "c"]), "'classes' must be"),
        ],
    )
    def test_entries(self, folder, edit, message):
        change(folder, "config.json", edit)
        with pytest.raises(CheckpointError, match=message) as caught:
            load_checkpoint(folder)
        assert str(folder / "config.json") in str(caught.value)

    @pytest.mark.parametrize("text", ["[]", "null", "3", '"a"', "[" * 100_000, '{"format":', " " * 2_000_000])
    def test_other_json(self, folder, text):
        (folder / "config.json").write_text(text)
        with pytest.raises(CheckpointError, match=r"config\.json"):
            load_checkpoint(folder)

    def test_every_entry_replaced_by_what_it_is_not(self, folder):
        """Each is refused by a `CheckpointError`, or else the network still denoises."""
        base = json.loads((folder / "config.json").read_text())
        numbers = (True, -1, 0, 3, 10**9, 10**40, 10**400, 0.5, -0.5, math.inf, math.nan)
        strange = (None, *numbers, "", "x", [], [0], [[1]], {})
        entries = [(part, key) for part in ("network", "info") for key in base[part]]
        entries += [(key,) for key in base]
        refused = 0
        for entry in entries:
            for value in (*strange, ...):  # an ellipsis: the entry is left out
                description = copy.deepcopy(base)
                inner = description[entry[0]] if len(entry) == 2 else description
                if value is ...:
                    del inner[entry[-1]]
                else:
                    inner[entry[-1]] = value
                (folder / "config.json").write_text(json.dumps(description))
                try:
                    loaded = load_checkpoint(folder)
                except CheckpointError as error:
                    assert str(folder) in str(error)
                    refused += 1
                else:
                    size = loaded.network.config.multiple
                    assert loaded.network(torch.ones(1, 3, size, size), 0.5).isfinite().all()
                    assert loaded.table.dimension == loaded.network.config.dimension
        assert refused > len(entries) * len(strange) / 2

    def test_characters_changed_at_random(self, folder):
        content, generator = (folder / "config.json").read_bytes(), random.Random(0)
        for _ in range(150):
            damaged = bytearray(content)
            for _ in range(generator.randrange(1, 4)):
                damaged[generator.randrange(len(damaged))] = generator.randrange(256)
            (folder / "config.json").write_bytes(bytes(damaged))
            try:
                loaded = load_checkpoint(folder)
            except CheckpointError as error:
                assert str(folder) in str(error)
            else:
                assert len(loaded.table.classes) == 3


class TestNamesBefore:
    """Checkpoints that were made before some fields and tensors were renamed."""

    @pytest.fixture(params=["target embedding", "labels"])
    def checkpoint(self, request, tiny, lively, tmp_path) -> Checkpoint:
        """A checkpoint that uses all renamed fields, and its folder under the names of before."""
        options = {"labels": 3} if request.param == "labels" else {"target_embedding": 3}
        network = lively(replace(tiny, normalization_levels=4, film=True, **options))
        shape = (3, 6, tiny.dimension)
        table = CentroidTable(
            ["a", "b", "c"],
            noise_levels(0.1, 2, 6),
            torch.rand(shape),
            torch.ones(shape[1:]),
            torch.zeros(3, 3),
        )
        save_checkpoint(Checkpoint(network, table), tmp_path)
        checkpoint = load_checkpoint(tmp_path)

        change(tmp_path, "config.json", lambda d: d.update(network=network_before(network.config)))
        path = tmp_path / "model.safetensors"
        tensors = {tensor_before(name): tensor.clone() for name, tensor in load_file(path).items()}
        save_file(tensors, path)
        change(tmp_path, "config.json", lambda d: d.pop("sha256"))
        return checkpoint

    def test_they_load_as_they_are(self, checkpoint, tmp_path):
        before = load_checkpoint(tmp_path).network
        assert before.config == checkpoint.network.config
        weights = checkpoint.network.state_dict()
        assert all(torch.equal(v, weights[k]) for k, v in before.state_dict().items())

    def test_the_spread_of_each_class_becomes_that_of_all(self, folder):
        """Older tables hold the spread within each class; only their root mean square is used."""
        spreads = 1 + torch.rand(load_checkpoint(folder).table.values.shape)
        change(folder, "centroids.safetensors", lambda t: t.update(spreads=spreads) or t.pop("scales"))
        expected = spreads.square().mean(dim=0).sqrt()
        assert torch.equal(load_checkpoint(folder).table.scales, expected)

    def test_the_renaming_reverses_it(self, checkpoint):
        names = list(checkpoint.network.state_dict())
        assert [current_tensor_name(tensor_before(name)) for name in names] == names
        assert [current_tensor_name(name) for name in names] == names
        assert any(tensor_before(name) != name for name in names)

    @pytest.mark.parametrize("value", [True, 0, None, "no"])
    def test_an_option_that_is_gone_is_refused(self, folder, value):
        change(folder, "config.json", lambda d: d["network"].update(own_colour=value))
        with pytest.raises(CheckpointError, match=r"own_colour=.* is no longer supported.*train it anew"):
            load_checkpoint(folder)

    def test_both_names_of_a_field_are_refused(self, folder):
        change(folder, "config.json", lambda d: d["network"].update(lit=True))
        with pytest.raises(CheckpointError, match=r"unknown entries \['lit'\]"):
            load_checkpoint(folder)


@pytest.mark.parametrize(
    "options",
    [
        {"patch_size": 0},
        {"sigma_min": 0.0},
        {"sigma_min": 21.0},
        {"sigma_max": math.inf},
        {"image_size": 10},
        {"test_share": 1.0},
    ],
)
def test_bad_information(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        CheckpointInfo(**options)
