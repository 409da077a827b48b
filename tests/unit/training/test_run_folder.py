"""The run folder: whole files or none, damaged logs, other runs, and runs with older names."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import pytest
import torch
from names_before import network_before, tensor_before
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from fgsd.atomic import write_atomically
from fgsd.training.config import TrainingConfig
from fgsd.training.loop import train
from fgsd.training.optimizer import Muon
from fgsd.training.run_folder import RunFolder, flatten


@dataclass(frozen=True)
class Inner:
    width: int = 3


@dataclass(frozen=True)
class Settings:
    rate: float = 0.1
    sizes: tuple[int, ...] = (1, 2)
    inner: Inner = field(default_factory=Inner)


@dataclass(frozen=True)
class Record:
    step: int
    loss: float
    note: str | None = None


class TestWriteAtomically:
    def test_new_and_again(self, tmp_path):
        for text in ("one", "two"):
            write_atomically(tmp_path / "deep" / "file", lambda p, text=text: p.write_text(text))
            assert (tmp_path / "deep" / "file").read_text() == text
        assert [p.name for p in (tmp_path / "deep").iterdir()] == ["file"]

    def test_a_failure_leaves_what_was_there(self, tmp_path):
        target = tmp_path / "file"
        target.write_text("before")

        def fails(path):
            path.write_text("half")
            assert target.read_text() == "before"
            raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            write_atomically(target, fails)
        assert target.read_text() == "before"
        assert list(tmp_path.iterdir()) == [target]


class TestLog:
    @pytest.fixture
    def run_folder(self, tmp_path):
        run_folder = RunFolder(tmp_path / "run", Settings(), ["a", "b"])
        run_folder.begin(0)
        for step in range(1, 6):
            run_folder.log(Record(step, loss=1 / step))
        return run_folder

    def steps(self, run_folder) -> list[int]:
        return [json.loads(line)["step"] for line in run_folder.log_path.read_text().splitlines()]

    def test_a_line_a_record_without_what_is_none(self, run_folder):
        run_folder.log(Record(6, 0.5, note="validated"))
        lines = [json.loads(line) for line in run_folder.log_path.read_text().splitlines()]
        assert lines[1] == {"step": 2, "loss": 0.5}
        assert lines[5] == {"step": 6, "loss": 0.5, "note": "validated"}

    def test_steps_that_will_be_done_again_are_dropped(self, run_folder):
        run_folder.begin(3)
        assert self.steps(run_folder) == [1, 2, 3]

    @pytest.mark.parametrize("damage", ['{"step": 6, "lo', "{}", "7", "[1]", "null", "\x00\x00", '"text"'])
    def test_a_damaged_line_is_dropped(self, run_folder, damage):
        with run_folder.log_path.open("a") as file:
            file.write(damage)
        run_folder.begin(10)
        run_folder.log(Record(6, 0.1))
        assert self.steps(run_folder) == [1, 2, 3, 4, 5, 6]

    def test_bytes_that_are_no_text(self, run_folder):
        with run_folder.log_path.open("ab") as file:
            file.write(b"\xff\xfe\x80")
        run_folder.begin(10)
        assert self.steps(run_folder) == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize("name", [".state.safetensors.123.tmp", ".tmpmsmv3i"])  # ours; of safetensors
    def test_leftovers_of_a_killed_process_are_removed(self, run_folder, name):
        leftover = run_folder.folder / name
        leftover.write_bytes(b"half")
        run_folder.begin(5)
        assert not leftover.exists()
        assert (run_folder.folder / "config.json").exists()


class TestAnotherRun:
    @pytest.fixture
    def folder(self, tmp_path):
        RunFolder(tmp_path, Settings(), ["a", "b"]).begin(0)
        return tmp_path

    def test_the_same_goes_on(self, folder):
        RunFolder(folder, Settings(), ["a", "b"])

    @pytest.mark.parametrize(
        "settings, classes, message",
        [
            (Settings(rate=0.2), ["a", "b"], r"config\.rate=0\.1, not 0\.2"),
            (Settings(sizes=(1, 3)), ["a", "b"], r"config\.sizes=\[1, 2\], not \[1, 3\]"),
            (Settings(inner=Inner(width=4)), ["a", "b"], r"config\.inner\.width=3, not 4"),
            (Settings(), ["a", "c"], r"classes=\['a', 'b'\], not \['a', 'c'\]"),
        ],
    )
    def test_another_is_refused_by_the_name_of_what_differs(self, folder, settings, classes, message):
        with pytest.raises(ValueError, match=message):
            RunFolder(folder, settings, classes)

    @pytest.mark.parametrize("text", ["", "{", "no json", "[]", "3"])
    def test_a_damaged_description(self, folder, text):
        (folder / "config.json").write_text(text)
        with pytest.raises(ValueError, match=str(folder)):
            RunFolder(folder, Settings(), ["a", "b"])


class TestNamesBefore:
    """Runs that were begun before settings and tensors were renamed."""

    @pytest.fixture
    def config(self, tiny, data_config) -> TrainingConfig:
        """6 steps that use all that was renamed."""
        network = replace(tiny, normalization_levels=4, target_embedding=3, film=True)
        return TrainingConfig(
            network, data_config, images=24, groups=4, freeze_centroids_at=0.9, save_every=1
        )

    def make_older(self, folder, config, **network) -> None:
        description = json.loads((folder / "config.json").read_text())
        description["config"]["network"] = network_before(config.network) | network
        description["config"]["settle"] = description["config"].pop("freeze_centroids_at")
        (folder / "config.json").write_text(json.dumps(description))
        path = folder / "state.safetensors"
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
        tensors = {tensor_before(name): tensor.clone() for name, tensor in load_file(path).items()}
        assert "more/read" in tensors and "model/read.weight" in tensors
        save_file(tensors, path, metadata=metadata)

    def test_they_resume_to_the_bit(self, texture_folder, config, tmp_path):
        whole = [r.loss for r in train(texture_folder, tmp_path / "whole", config, device="cpu")]
        for record in train(texture_folder, tmp_path / "older", config, device="cpu"):
            if record.step == 3:
                break
        self.make_older(tmp_path / "older", config)
        rest = [r.loss for r in train(texture_folder, tmp_path / "older", config, device="cpu")]
        assert rest == whole[3:]

    def test_an_option_that_is_gone_is_refused(self, texture_folder, config, tmp_path):
        next(train(texture_folder, tmp_path, config, device="cpu"))
        self.make_older(tmp_path, config, own_colour=True)
        with pytest.raises(ValueError, match=r"cannot be resumed: network\.own_colour=True is no longer"):
            next(train(texture_folder, tmp_path, config, device="cpu"))


class TestState:
    def parts(self, seed: int):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
        average = nn.Linear(2, 2)
        kernels, rest = [model[0].weight], [model[0].bias, *model[1].parameters()]
        optimizers = [Muon(kernels, lr=0.1), torch.optim.Adam(rest, lr=0.01)]
        return model, average, optimizers

    def step(self, model, optimizers):
        model(torch.ones(2, 3, 5, 5)).square().sum().backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    def test_a_loaded_state_goes_on_to_the_bit(self, tmp_path):
        model, average, optimizers = self.parts(0)
        self.step(model, optimizers)
        run_folder = RunFolder(tmp_path, Settings(), [])
        values = torch.arange(6.0).reshape(2, 3)
        run_folder.save(model, average, optimizers, 17, 0.1 + 0.2, {"values": values})
        again = self.parts(1)
        step, seconds, extra = run_folder.load(*again)
        assert (step, seconds) == (17, 0.1 + 0.2) and torch.equal(extra.pop("values"), values) and not extra
        self.step(model, optimizers)
        self.step(again[0], again[2])
        for ours, theirs in ((model, again[0]), (average, again[1])):
            assert all(torch.equal(v, theirs.state_dict()[k]) for k, v in ours.state_dict().items())

    def test_without_a_state_nothing_happens(self, tmp_path):
        run_folder, (model, average, optimizers) = RunFolder(tmp_path, Settings(), []), self.parts(0)
        before = model[0].weight.clone()
        assert run_folder.load(model, average, optimizers) == (0, 0.0, {})
        assert torch.equal(model[0].weight, before)
        with pytest.raises(FileNotFoundError, match="train first"):
            run_folder.load_average(average)


def test_flatten():
    assert flatten({"a": Settings(), "b": {"c": [1]}}) == {
        "a.rate": 0.1,
        "a.sizes": (1, 2),
        "a.inner.width": 3,
        "b.c": [1],
    }
