"""Training in child processes: killed at any moment, and split over two."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from training_processes import configuration, log, run_all, same, state

ROOT = Path(__file__).parents[2]


def in_processes(mode: str, folder, run, *numbers: int, launcher: tuple[str, ...] = ()) -> str:
    """Run `training_processes.py` in a fresh interpreter; returns what it prints."""
    command = [sys.executable, *launcher, "-m", "tests.training_processes", mode, folder, run, *numbers]
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_killed_again_and_again_a_run_ends_with_the_same_bits(texture_folder, tmp_path):
    """SIGKILL at the four worst moments (in half a state, in half a log line, ...) and five random ones."""
    in_processes("whole", texture_folder, tmp_path / "whole")
    printed = in_processes("killed", texture_folder, tmp_path / "killed", 5, 0)
    assert printed == "died 9 times, then exited with 0\n"
    whole, killed = state(tmp_path / "whole"), state(tmp_path / "killed")
    assert same(whole, killed)
    assert whole["average/n_averaged"] == 24
    assert log(tmp_path / "killed") == log(tmp_path / "whole")
    assert [line["step"] for line in log(tmp_path / "whole")] == list(range(1, 25))
    assert {p.name for p in (tmp_path / "killed").iterdir()} == {
        "config.json",
        "log.jsonl",
        "state.safetensors",
    }


def assert_a_pair_is_one_with_the_double_batch(pair, one) -> None:
    together, alone = log(pair), log(one)
    assert [line["images"] for line in together] == [line["images"] for line in alone] == [12, 24, 36, 48]
    assert [line["loss"] for line in together] == pytest.approx([line["loss"] for line in alone], rel=1e-4)
    weights, expected = state(pair), state(one)
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        if name.startswith(("model/", "average/")):
            assert torch.allclose(weights[name].float(), value.float(), rtol=1e-3, atol=1e-4), name


@pytest.fixture
def one_with_the_double_batch(texture_folder, tmp_path):
    run_all(texture_folder, tmp_path / "one", configuration(groups=4, steps=4))
    return tmp_path / "one"


def test_two_processes_are_one_with_the_double_batch(texture_folder, tmp_path, one_with_the_double_batch):
    assert in_processes("pair", texture_folder, tmp_path / "pair", 4) == "exited with 0 0\n"
    assert_a_pair_is_one_with_the_double_batch(tmp_path / "pair", one_with_the_double_batch)


@pytest.mark.slow
def test_two_processes_of_a_launcher(texture_folder, tmp_path, one_with_the_double_batch, monkeypatch):
    """torchrun starts processes on a CPU; `accelerate launch --cpu --num_processes 2` starts one only."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1")
    in_processes(
        "member", texture_folder, tmp_path / "pair", 4, launcher=(*launcher, f"--master-port={port}")
    )
    assert_a_pair_is_one_with_the_double_batch(tmp_path / "pair", one_with_the_double_batch)
