"""`fgsd app` in a process of its own, on a free port of the loopback address."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 30


class AppProcess:
    """A running `fgsd app`.

    Attributes
    ----------
    url : str
        Address of the page; it answers after `wait_until_ready`.
    launched : float
        Time of the launch, by `time.monotonic`.
    process : subprocess.Popen

    Parameters
    ----------
    checkpoint, data : str
        As for `fgsd app`.
    options : str
        Further options of `fgsd app`.
    log : Path, optional
        File for the standard error of the process; by default that of this process.
    environment : mapping, optional
        Environment variables of the process; by default those of this process.
    """

    def __init__(
        self,
        checkpoint: str,
        data: str,
        *options: str,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        command = [sys.executable, "-m", "fgsd.cli", "app", "--no-browser", "--port", str(self._port)]
        command += ["--checkpoint", checkpoint, "--data", data, *options]
        self.launched = time.monotonic()
        stderr = None if log is None else log.open("wb")
        try:
            self.process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=stderr, env=environment
            )
        finally:
            if stderr is not None:
                stderr.close()  # the child process has its own handle

    def wait_until_ready(self) -> None:
        """Wait until the server accepts connections; `RuntimeError` if it does not start."""
        while self.process.poll() is None and time.monotonic() < self.launched + START_TIMEOUT_S:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return
            time.sleep(0.05)
        raise RuntimeError("the page did not start; run `fgsd app` to see why")


@contextmanager
def serve_app(checkpoint: str, data: str, *options: str) -> Iterator[AppProcess]:
    """A context with a ready `AppProcess`, which is terminated at the end."""
    app = AppProcess(checkpoint, data, *options)
    try:
        app.wait_until_ready()
        yield app
    finally:
        app.process.terminate()
        app.process.wait(timeout=STOP_TIMEOUT_S)
