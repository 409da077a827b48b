"""The run folder: whole files or none, damaged logs, runs that are not the same."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

from fgsd.atomic import write_atomically
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
    def place(self, tmp_path):
        place = RunFolder(tmp_path / "run", Settings(), ["a", "b"])
        place.begin(0)
        for step in range(1, 6):
            place.log(Record(step, loss=1 / step))
        return place

    def steps(self, place) -> list[int]:
        return [json.loads(line)["step"] for line in place.log_path.read_text().splitlines()]

    def test_a_line_a_record_without_what_is_none(self, place):
        place.log(Record(6, 0.5, note="validated"))
        lines = [json.loads(line) for line in place.log_path.read_text().splitlines()]
        assert lines[1] == {"step": 2, "loss": 0.5}
        assert lines[5] == {"step": 6, "loss": 0.5, "note": "validated"}

    def test_steps_that_will_be_done_again_are_dropped(self, place):
        place.begin(3)
        assert self.steps(place) == [1, 2, 3]

    @pytest.mark.parametrize("damage", ['{"step": 6, "lo', "{}", "7", "[1]", "null", "\x00\x00", '"text"'])
    def test_a_damaged_line_is_dropped(self, place, damage):
        with place.log_path.open("a") as file:
            file.write(damage)
        place.begin(10)
        place.log(Record(6, 0.1))
        assert self.steps(place) == [1, 2, 3, 4, 5, 6]

    def test_bytes_that_are_no_text(self, place):
        with place.log_path.open("ab") as file:
            file.write(b"\xff\xfe\x80")
        place.begin(10)
        assert self.steps(place) == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize("name", [".state.safetensors.123.tmp", ".tmpmsmv3i"])  # ours; of safetensors
    def test_what_a_killed_process_left_is_cleared(self, place, name):
        left = place.folder / name
        left.write_bytes(b"half")
        place.begin(5)
        assert not left.exists()
        assert (place.folder / "config.json").exists()


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
        place = RunFolder(tmp_path, Settings(), [])
        besides = torch.arange(6.0).reshape(2, 3)
        place.save(model, average, optimizers, 17, 0.1 + 0.2, {"values": besides})
        again = self.parts(1)
        step, seconds, more = place.load(*again)
        assert (step, seconds) == (17, 0.1 + 0.2) and torch.equal(more.pop("values"), besides) and not more
        self.step(model, optimizers)
        self.step(again[0], again[2])
        for ours, theirs in ((model, again[0]), (average, again[1])):
            assert all(torch.equal(v, theirs.state_dict()[k]) for k, v in ours.state_dict().items())

    def test_without_a_state_nothing_happens(self, tmp_path):
        place, (model, average, optimizers) = RunFolder(tmp_path, Settings(), []), self.parts(0)
        before = model[0].weight.clone()
        assert place.load(model, average, optimizers) == (0, 0.0, {})
        assert torch.equal(model[0].weight, before)
        with pytest.raises(FileNotFoundError, match="train first"):
            place.load_average(average)


def test_flatten():
    assert flatten({"a": Settings(), "b": {"c": [1]}}) == {
        "a.rate": 0.1,
        "a.sizes": (1, 2),
        "a.inner.width": 3,
        "b.c": [1],
    }
