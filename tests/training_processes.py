"""Training runs for tests: in this process, or in child processes that are killed or run in pairs.

A test starts `python -m tests.training_processes MODE ...` in a fresh interpreter. Children are forked after
the imports, which take seconds, so that a test can kill a run many times.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import time
from pathlib import Path

import torch
import torch._dynamo  # torch's optimisers import it at their first use, which takes seconds
from safetensors.torch import load_file

from fgsd.data import DataConfig
from fgsd.model.network import NetworkConfig
from fgsd.training import run_folder as run_state
from fgsd.training.config import TrainingConfig
from fgsd.training.loop import train
from fgsd.training.run_folder import RunFolder
from fgsd.training.running_centroids import LEVELS

NETWORK = NetworkConfig(
    widths=(8, 16),
    blocks=(1, 1),
    embedding=16,
    gate=8,
    head=8,
    features=("down0", "down1"),
    normalization_levels=LEVELS,
    target_embedding=3,
    film=True,
)
DATA = DataConfig(image_size=None, patch_size=16, test_share=1 / 3)


def configuration(*, groups: int, steps: int, processes: int = 1) -> TrainingConfig:
    return TrainingConfig(
        network=NETWORK,
        data=DATA,
        images=steps * groups * 3 * processes,
        groups=3 * groups,
        warmup=3,
        precision="float32",
        save_every=3,
        validate_every=8,
    )


FILES = {"config.json", "log.jsonl", "state.safetensors"}
KILLED = configuration(groups=2, steps=24)


def state(run) -> dict[str, torch.Tensor]:
    return load_file(Path(run) / "state.safetensors")


def log(run) -> list[dict]:
    """Return the lines of the log, without the seconds, which differ from run to run."""
    lines = (Path(run) / "log.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(v, b[k]) for k, v in a.items())


def run_all(folder, run, config) -> list:
    return list(train(folder, run, config, device="cpu"))


def forked(work, **environment: str) -> int:
    """Fork a child that calls `work` and exits with 0, or 1 if it raises; return its process id."""
    child = os.fork()
    if child == 0:
        os.environ.update(environment)
        status = 1
        try:
            work()
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    return child


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_half_a_state() -> None:
    def half(tensors, path, metadata=None):
        save_file(tensors, path, metadata=metadata)
        os.truncate(path, os.path.getsize(path) // 2)
        kill_self()

    save_file, run_state.save_file = run_state.save_file, half


def die_before_the_state_is_in_place() -> None:
    os.replace = lambda source, target: (
        kill_self() if str(target).endswith("state.safetensors") else (os.rename(source, target))
    )


def die_with_the_state_in_place() -> None:
    def replace(source, target):
        os.rename(source, target)
        if str(target).endswith("state.safetensors"):
            kill_self()

    os.replace = replace


def die_in_half_a_log_line() -> None:
    def half(self, record):
        log(self, record)
        if record.step % 4 == 0:
            os.truncate(self.log_path, self.log_path.stat().st_size - 20)
            kill_self()

    log, RunFolder.log = RunFolder.log, half


MOMENTS = (
    die_in_half_a_state,
    die_before_the_state_is_in_place,
    die_with_the_state_in_place,
    die_in_half_a_log_line,
)


def killed_and_started_again(folder: str, run: str, kills: int, seed: int) -> None:
    """Kill a run at each of `MOMENTS` and `kills` times at random moments; then let it end."""
    died, generator = 0, random.Random(seed)
    for moment in MOMENTS:
        child = forked(lambda moment=moment: (moment(), run_all(folder, run, KILLED)))
        died += os.WIFSIGNALED(os.waitpid(child, 0)[1])
    log = Path(run) / "log.jsonl"
    for _ in range(kills):
        child = forked(lambda: run_all(folder, run, KILLED))
        grown, size = generator.randrange(1, 6), log.stat().st_size if log.exists() else 0
        while os.waitpid(child, os.WNOHANG)[0] == 0:
            now = log.stat().st_size if log.exists() else 0
            grown -= now != size
            size = now
            if grown <= 0:
                time.sleep(generator.uniform(0, 0.02))
                os.kill(child, signal.SIGKILL)
                died += os.WIFSIGNALED(os.waitpid(child, 0)[1])
                break
            time.sleep(0.002)
    final = os.waitpid(forked(lambda: run_all(folder, run, KILLED)), 0)[1]
    print(f"died {died} times, then exited with {final}")


def pair(folder: str, run: str, steps: int) -> None:
    """Train in two processes, set up as `accelerate launch --cpu --num_processes 2` does, on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    config = configuration(groups=2, steps=steps, processes=2)
    children = [
        forked(
            lambda: run_all(folder, run, config),
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE="2",
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=port,
            GLOO_SOCKET_IFNAME="lo",
        )
        for rank in range(2)
    ]
    print("exited with", *(os.waitpid(child, 0)[1] for child in children))


if __name__ == "__main__":
    torch.set_num_threads(1)
    mode, folder, run, *numbers = sys.argv[1:]
    if mode == "whole":
        run_all(folder, run, KILLED)
    elif mode == "killed":
        killed_and_started_again(folder, run, *map(int, numbers))
    elif mode == "pair":
        pair(folder, run, *map(int, numbers))
    elif mode == "member":  # of a pair that a launcher starts
        run_all(folder, run, configuration(groups=2, steps=int(numbers[0]), processes=2))
    else:
        sys.exit(f"mode {mode!r} is unknown")
