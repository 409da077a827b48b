"""Whether the page lasts: a server of its own, and visitors who come and go for half an hour.

What runs out slowly shows only over time: memory that grows, answers that get slower, files and threads that
stay. Traffic goes to the loopback address alone, and the measurement ends by itself.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fgsd.benchmarks.page import FLAGS, START_SECONDS
from fgsd.benchmarks.soak_visitors import Guest, Notes, Program
from fgsd.evaluation.checks import check

LONGEST_WINDOW = 300.0  # seconds: figures of the first five minutes are compared with those of the last five
SHARE = 6  # of a shorter soak, a window is this part
LOOK = 2.0  # seconds between two looks at the server's memory
MIN_TEXTURES = 3  # values of a latency in a window, to say something of it
END_SECONDS = 60  # after which a server that does not end is killed
LATENCIES = ("pointer to changed pixels", "click to finished samples", "a call of sample")


def bench_soak(
    checkpoint: str,
    data: str,
    *,
    minutes: float = 30.0,
    visitors: int = 8,
    browsers: int = 3,
    seed: int = 0,
    progress: Callable | None = None,
) -> dict:
    """Let visitors use the page for a while, and look after it.

    Parameters
    ----------
    checkpoint, data : str
        As for `fgsd app`.
    minutes : float
        How long; the start of the server comes before.
    visitors, browsers : int
        At once, and how many of them come in Chromium; the others call the API over HTTP.
    seed : int
        Of what they do, and in which order.
    progress : callable, optional
        Wraps what is iterated over, called as `tqdm` is.

    Returns
    -------
    dict
        By name of the part its figures and its `checks`, as `evaluate` gives them.

    Raises
    ------
    ValueError
        If there is no time or no visitor.
    ImportError, FileNotFoundError
        If Playwright or Chromium is missing, and somebody comes in a browser.
    RuntimeError
        If the page does not start.
    """
    if not 0 < minutes <= 24 * 60:
        raise ValueError(f"minutes={minutes} must be above 0, and at most a day (1440)")
    if visitors < 1 or not 0 <= browsers <= visitors:
        raise ValueError(
            f"visitors={visitors} and browsers={browsers}: there must be a visitor at least, and not more "
            "browsers than visitors"
        )
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browsers and path is None:
        raise FileNotFoundError("there is no Chromium on this machine: apt-get install chromium")
    watch = progress or (lambda items, **_: items)
    with tempfile.TemporaryDirectory(prefix="fgsd-soak-") as folder:
        server = _Server(checkpoint, data, Path(folder))
        try:
            server.wait()
            notes, memory = asyncio.run(_visited(server, 60 * minutes, visitors, browsers, seed, path, watch))
        finally:
            server.process.kill()
            server.process.wait()
        return verdicts(
            notes,
            memory,
            seconds=60 * minutes,
            log=server.log.read_text(encoding="utf-8", errors="replace"),
            left=server.files(),
            ended=server.ended,
            status=server.status,
        )


def verdicts(
    notes: Notes,
    memory: Sequence[dict[str, float]],
    *,
    seconds: float,
    log: str,
    left: Sequence[str],
    ended: float | None,
    status: int | None,
) -> dict:
    """What was seen, and whether it is as it should be.

    Parameters
    ----------
    memory : sequence of dict
        `seconds`, and `mb`, the memory of the server then.
    seconds : float
        Length of the soak. Its first window is also the server's time to warm up: memory is compared from the
        second window on.
    log : str
        What the server said on stderr.
    left : sequence of str
        Files of the server's that are there after its end.
    ended : float or None
        Seconds from SIGTERM to the end of the process; None if it had to be killed.
    status : int or None
        Of the process.
    """
    window = min(LONGEST_WINDOW, seconds / SHARE)
    failures = log.count("Traceback (most recent call last)")
    early = _median([one["mb"] for one in memory if window <= one["seconds"] < 2 * window])
    late = _median([one["mb"] for one in memory if one["seconds"] >= seconds - window])
    latency: dict[str, Any] = {"window_seconds": window, "medians": {}}
    ratios = []
    for kind in LATENCIES:
        if kind not in notes.latencies:
            continue
        values = notes.latencies[kind]
        first = [value for at, value in values if at < window]
        last = [value for at, value in values if seconds - window <= at]
        enough = min(len(first), len(last)) >= MIN_TEXTURES
        ratios.append(check(f"{kind}, last / first", _ratio(last, first) if enough else None, at_most=1.2))
        medians = [round(_median(part), 4) if part else None for part in (first, last)]
        latency["medians"][kind] = {"first": medians[0], "last": medians[1], "values": len(values)}
    return {
        "errors": {
            "errors": notes.errors[:100],
            "log": log[-5000:],
            "done": dict(sorted(notes.done.items())),
            "checks": [
                check("errors that visitors met", len(notes.errors), at_most=0),
                check("tracebacks in the server's log", failures, at_most=0),
                check("things that visitors did", sum(notes.done.values()), at_least=1),
            ],
        },
        "memory": {
            "over_time": list(memory),
            "checks": [check("growth after warm-up", 100 * (late / early - 1), at_most=5, unit="%")],
        },
        "latency": {**latency, "checks": ratios or [check("latencies, last / first", None, at_most=1.2)]},
        "end": {
            "left": list(left)[:100],
            "checks": [
                check("temporary files left", len(left), at_most=0),
                check("SIGTERM to the end", ended, at_most=5, unit="s"),
                check("status, 0 for a clean end", None if status is None else abs(status), at_most=0),
            ],
        },
    }


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _ratio(last: Sequence[float], first: Sequence[float]) -> float:
    return _median(last) / _median(first)


class _Server:
    """`fgsd app` on a free port of the loopback address, with its temporary files and its log in a folder."""

    def __init__(self, checkpoint: str, data: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url, self.log, self.temporary = f"http://127.0.0.1:{port}", folder / "log.txt", folder / "tmp"
        self.ended: float | None = None
        self.status: int | None = None
        self.temporary.mkdir()
        command = [sys.executable, "-m", "fgsd.cli", "app", "--no-browser", "--port", str(port)]
        environment = {k: v for k, v in os.environ.items() if k != "GRADIO_TEMP_DIR"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--checkpoint", checkpoint, "--data", data],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=environment | {"TMPDIR": str(self.temporary)},
            )
        self._port = port

    def wait(self) -> None:
        """Until it takes connections."""
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                return socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("the page did not start; `fgsd app` tells why")

    def files(self) -> list[str]:
        return [str(p.relative_to(self.temporary)) for p in self.temporary.rglob("*") if p.is_file()]

    def looked_at(self) -> dict[str, float]:
        """Memory (that is in use, of it and its children), threads, open files and temporary files."""
        import psutil

        family = [psutil.Process(self.process.pid)]
        family += family[0].children(recursive=True)
        return {
            "mb": round(sum(one.memory_info().rss for one in family) / 2**20, 1),
            "threads": sum(one.num_threads() for one in family),
            "descriptors": sum(one.num_fds() for one in family),
            "files": len(self.files()),
        }

    async def end(self) -> None:
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        while self.process.poll() is None and time.monotonic() < begun + END_SECONDS:
            await asyncio.sleep(0.02)
        if self.process.returncode is not None:
            self.ended, self.status = time.monotonic() - begun, self.process.returncode


async def _visited(
    server: _Server,
    seconds: float,
    visitors: int,
    browsers: int,
    seed: int,
    path: str | None,
    watch: Callable,
) -> tuple[Notes, list[dict[str, float]]]:
    """The notes of the visitors, and the server's memory over time; the server is ended in their presence."""
    programs = range(browsers, visitors)
    if not browsers:
        notes = Notes()
        people = [Program(server.url, f"program {k}", notes, 1000 * seed + k) for k in programs]
        return notes, await _watched(server, people, notes, seconds, watch)
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        notes = Notes()
        guests = [Guest(server.url, f"guest {k}", notes, 1000 * seed + k, browser) for k in range(browsers)]
        others = [Program(server.url, f"program {k}", notes, 1000 * seed + k) for k in programs]
        try:
            return notes, await _watched(server, [*guests, *others], notes, seconds, watch)
        finally:
            await browser.close()


async def _watched(
    server: _Server, people: Sequence[Guest | Program], notes: Notes, seconds: float, watch: Callable
) -> list[dict[str, float]]:
    tasks = [asyncio.create_task(one.run()) for one in people]
    memory = []
    for k in watch(range(math.ceil(seconds / LOOK)), desc="soak", unit="look"):
        await asyncio.sleep(max(0.0, min(seconds, (k + 1) * LOOK) - notes.now()))
        if server.process.poll() is not None:
            notes.complain("server", f"it ended by itself with status {server.process.returncode}")
            break
        memory.append({"seconds": round(notes.now(), 1), **server.looked_at()})
    notes.over = True
    await server.end()  # with runs under way, open streams and open pages
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return memory
