"""The page served by a command, for tests of its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def app_command(checkpoint: Path, data: Path) -> list[str]:
    """The arguments of Python that run `fgsd app`."""
    options = ["--checkpoint", str(checkpoint), "--data", str(data), "--port", "{port}"]
    return ["-m", "fgsd.cli", "app", "--no-browser", *options]


class CommandServer:
    """A command that serves the page, with a private folder for temporary files."""

    def __init__(self, *command: str, temporary: Path, port: int | None = None) -> None:
        self.port, self.temporary, self.printed = port or free_port(), temporary, ""
        self.url = f"http://127.0.0.1:{self.port}"
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        given = {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "GRADIO_SERVER_PORT": str(self.port)}
        environment = {**os.environ, **given, "TMPDIR": str(temporary)}
        environment.pop("GRADIO_TEMP_DIR", None)
        command = [part.format(port=self.port) for part in command]
        self.process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )

    def started(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"the server did not start: {self.process.communicate()}")

    def files(self) -> list[Path]:
        return [path for path in self.temporary.rglob("*") if path.is_file()]

    def open(self, path: str, body: object = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/gradio_api/{path}", data, {"Content-Type": "application/json"}
        )
        return urllib.request.urlopen(request, timeout=60)

    def call(self, name: str, **values) -> object:
        """Start a call of the API; return its open event stream."""
        with self.open(f"call/v2/{name}", values) as response:
            event = json.load(response)["event_id"]
        return self.open(f"call/{name}/{event}")

    def kill(self) -> None:
        """Kill the process, as the system does when memory runs out."""
        self.process.kill()
        self.process.communicate()

    def asked_to_end(self, number: signal.Signals) -> tuple[float, int, str]:
        """Send a signal; return the seconds until the process ended, its status, and its stderr."""
        begun = time.monotonic()
        self.process.send_signal(number)
        try:
            stdout, stderr = self.process.communicate(timeout=60)
        finally:
            self.process.kill()
        self.printed = stdout.decode()
        return time.monotonic() - begun, self.process.returncode, stderr.decode()
