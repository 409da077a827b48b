"""Endurance of the page: the code of `fgsd bench soak`.

Visitors use a server of its own for half an hour. Only time shows what runs out slowly: growing memory,
slower responses, files and threads that are never released. All traffic stays on the loopback address.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fgsd.benchmarks.browser import FLAGS, chromium_path
from fgsd.benchmarks.server import AppProcess
from fgsd.benchmarks.soak_visitors import ApiVisitor, BrowserVisitor, VisitLog
from fgsd.evaluation.checks import check

MAX_WINDOW_S = 300.0  # the first five minutes are compared with the last five
MAX_WINDOW_SHARE = 1 / 6  # of the soak
SAMPLE_INTERVAL_S = 2.0  # between two measurements of the server's memory
MIN_VALUES = 3  # latencies per window, without which the check fails
SHUTDOWN_TIMEOUT_S = 60  # after it, the server is killed
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
    """Let visitors use the page for a while and monitor the server.

    Parameters
    ----------
    checkpoint, data : str
        As for `fgsd app`.
    minutes : float
        Duration of the soak, without the start of the server.
    visitors, browsers : int
        Number of simultaneous visitors, and how many of them use Chromium; the others call the API over HTTP.
    seed : int
        Seed of what the visitors do.
    progress : callable, optional
        Wraps iterables; called like `tqdm`.

    Returns
    -------
    dict
        For each part a dict of its figures and `checks`, as in the results of `evaluate`.

    Raises
    ------
    ValueError
        If a number is out of range.
    ImportError, FileNotFoundError
        If Playwright or Chromium is missing and `browsers` is not 0.
    RuntimeError
        If the page does not start.
    """
    if not 0 < minutes <= 24 * 60:
        raise ValueError(f"minutes={minutes} must be above 0 and at most 1440, a day")
    if visitors < 1 or not 0 <= browsers <= visitors:
        raise ValueError(
            f"visitors={visitors} and browsers={browsers}: there must be at least one visitor, and no more "
            "browsers than visitors"
        )
    path = chromium_path() if browsers else None
    wrap = progress or (lambda items, **_: items)
    with tempfile.TemporaryDirectory(prefix="fgsd-soak-") as folder:
        server = _MonitoredServer(checkpoint, data, Path(folder))
        try:
            server.wait_until_ready()
            log, memory = asyncio.run(_soak(server, 60 * minutes, visitors, browsers, seed, path, wrap))
        finally:
            server.process.kill()
            server.process.wait()
        return verdicts(
            log,
            memory,
            seconds=60 * minutes,
            server_log=server.log.read_text(encoding="utf-8", errors="replace"),
            left_files=server.files(),
            shutdown_seconds=server.shutdown_seconds,
            status=server.status,
        )


def verdicts(
    log: VisitLog,
    memory: Sequence[dict[str, float]],
    *,
    seconds: float,
    server_log: str,
    left_files: Sequence[str],
    shutdown_seconds: float | None,
    status: int | None,
) -> dict:
    """Compare the observations of a soak with their targets.

    Parameters
    ----------
    memory : sequence of dict
        Measurements with `seconds` and `mb`, the memory of the server at that time.
    seconds : float
        Duration of the soak. The server warms up in the first window, so memory is compared from the second
        window on.
    server_log : str
        Standard error of the server.
    left_files : sequence of str
        Temporary files of the server that remain after its end.
    shutdown_seconds : float or None
        Time from SIGTERM to the end of the process; None if it had to be killed.
    status : int or None
        Exit status of the process.
    """
    window = min(MAX_WINDOW_S, seconds * MAX_WINDOW_SHARE)
    tracebacks = server_log.count("Traceback (most recent call last)")
    early = _median([one["mb"] for one in memory if window <= one["seconds"] < 2 * window])
    late = _median([one["mb"] for one in memory if one["seconds"] >= seconds - window])
    latency: dict[str, Any] = {"window_seconds": window, "medians": {}}
    ratios = []
    for kind in LATENCIES:
        if kind not in log.latencies:
            continue
        values = log.latencies[kind]
        first = [value for at, value in values if at < window]
        last = [value for at, value in values if seconds - window <= at]
        ratio = _median(last) / _median(first) if min(len(first), len(last)) >= MIN_VALUES else None
        ratios.append(check(f"{kind}, last / first", ratio, at_most=1.2))
        medians = [round(_median(part), 4) if part else None for part in (first, last)]
        latency["medians"][kind] = {"first": medians[0], "last": medians[1], "values": len(values)}
    return {
        "errors": {
            "errors": log.errors[:100],
            "log": server_log[-5000:],
            "done": dict(sorted(log.done.items())),
            "checks": [
                check("errors that visitors met", len(log.errors), at_most=0),
                check("tracebacks in the server's log", tracebacks, at_most=0),
                check("things that visitors did", sum(log.done.values()), at_least=1),
            ],
        },
        "memory": {
            "over_time": list(memory),
            "checks": [check("growth after warm-up", 100 * (late / early - 1), at_most=5, unit="%")],
        },
        "latency": {**latency, "checks": ratios or [check("latencies, last / first", None, at_most=1.2)]},
        "end": {
            "left": list(left_files)[:100],
            "checks": [
                check("temporary files left", len(left_files), at_most=0),
                check("SIGTERM to the end", shutdown_seconds, at_most=5, unit="s"),
                check("status, 0 for a clean end", None if status is None else abs(status), at_most=0),
            ],
        },
    }


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else math.nan


class _MonitoredServer(AppProcess):
    """`fgsd app` with its temporary files and its log in a folder."""

    def __init__(self, checkpoint: str, data: str, folder: Path) -> None:
        self.log, self.temp_dir = folder / "log.txt", folder / "tmp"
        self.temp_dir.mkdir()
        self.shutdown_seconds: float | None = None
        self.status: int | None = None
        environment = {k: v for k, v in os.environ.items() if k != "GRADIO_TEMP_DIR"}
        environment |= {"TMPDIR": str(self.temp_dir)}
        super().__init__(checkpoint, data, log=self.log, environment=environment)

    def files(self) -> list[str]:
        return [str(p.relative_to(self.temp_dir)) for p in self.temp_dir.rglob("*") if p.is_file()]

    def usage(self) -> dict[str, float]:
        """Resident memory, threads and open files of the process and its children, and temporary files."""
        import psutil

        family = [psutil.Process(self.process.pid)]
        family += family[0].children(recursive=True)
        return {
            "mb": round(sum(one.memory_info().rss for one in family) / 2**20, 1),
            "threads": sum(one.num_threads() for one in family),
            "descriptors": sum(one.num_fds() for one in family),
            "files": len(self.files()),
        }

    async def shut_down(self) -> None:
        """Send SIGTERM and wait for the end of the process."""
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        while self.process.poll() is None and time.monotonic() < start + SHUTDOWN_TIMEOUT_S:
            await asyncio.sleep(0.02)
        if self.process.returncode is not None:
            self.shutdown_seconds, self.status = time.monotonic() - start, self.process.returncode


async def _soak(
    server: _MonitoredServer,
    seconds: float,
    visitors: int,
    browsers: int,
    seed: int,
    path: str | None,
    wrap: Callable,
) -> tuple[VisitLog, list[dict[str, float]]]:
    """The log of the visitors and the server's memory over time; the server is shut down at the end."""
    programs = range(browsers, visitors)
    if not browsers:
        log = VisitLog()
        people = [ApiVisitor(server.url, f"program {k}", log, 1000 * seed + k) for k in programs]
        return log, await _monitor(server, people, log, seconds, wrap)
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        log = VisitLog()
        guests = [
            BrowserVisitor(server.url, f"guest {k}", log, 1000 * seed + k, browser) for k in range(browsers)
        ]
        others = [ApiVisitor(server.url, f"program {k}", log, 1000 * seed + k) for k in programs]
        try:
            return log, await _monitor(server, [*guests, *others], log, seconds, wrap)
        finally:
            await browser.close()


async def _monitor(
    server: _MonitoredServer,
    visitors: Sequence[BrowserVisitor | ApiVisitor],
    log: VisitLog,
    seconds: float,
    wrap: Callable,
) -> list[dict[str, float]]:
    tasks = [asyncio.create_task(one.run()) for one in visitors]
    memory = []
    for k in wrap(range(math.ceil(seconds / SAMPLE_INTERVAL_S)), desc="soak", unit="look"):
        await asyncio.sleep(max(0.0, min(seconds, (k + 1) * SAMPLE_INTERVAL_S) - log.now()))
        if server.process.poll() is not None:
            log.add_error("server", f"it ended by itself with status {server.process.returncode}")
            break
        memory.append({"seconds": round(log.now(), 1), **server.usage()})
    log.closed = True
    await server.shut_down()  # while runs, streams and pages are open
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return memory
