"""A server that is asked to end does so within seconds, whatever is under way, and leaves nothing behind."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

SECONDS = 5  # that it may take
LONG = {"n": 16, "size": 256, "steps": 16}  # in one piece: nothing in between hears a stop
ROOT = Path(__file__).parents[1]


class Server:
    """A command that serves the page, with a folder of its own for temporary files."""

    def __init__(self, *command: str, temporary: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.temporary = temporary
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
            f"http://127.0.0.1:{self.port}/gradio_api/{path}", data, {"Content-Type": "application/json"}
        )
        return urllib.request.urlopen(request, timeout=60)

    def call(self, name: str, **values) -> object:
        """Begin a call of the API; its event stream, still open."""
        with self.open(f"call/v2/{name}", values) as answer:
            event = json.load(answer)["event_id"]
        return self.open(f"call/{name}/{event}")

    def asked_to_end(self, number: signal.Signals) -> tuple[float, int, str]:
        """After how many seconds it ended, its status, and what it said on stderr."""
        begun = time.monotonic()
        self.process.send_signal(number)
        try:
            _, said = self.process.communicate(timeout=60)
        finally:
            self.process.kill()
        return time.monotonic() - begun, self.process.returncode, said.decode()


def told(stream) -> bytes:
    """What came of a stream until it was cut off."""
    lines = []
    with suppress(http.client.IncompleteRead, OSError):
        lines.extend(stream)
    stream.close()
    return b"".join(lines)


def cli(checkpoint: Path, data: Path) -> list[str]:
    options = ["--checkpoint", str(checkpoint), "--data", str(data), "--port", "{port}"]
    return ["-m", "fgsd.cli", "app", "--no-browser", *options]


def test_sigterm_ends_runs_streams_and_files(checkpoint_folder, texture_folder, tmp_path):
    server = Server(*cli(checkpoint_folder, texture_folder), temporary=tmp_path)
    server.started()
    with server.call("sample", target="moss") as stream:
        assert b"complete" in stream.read()
    assert server.files()  # the picture that this call made
    heartbeat = server.open("heartbeat/visitor")  # an open page has one
    assert heartbeat.readline()
    running = server.call("sample", target="moss", **LONG)
    time.sleep(0.5)  # it has begun
    took, status, said = server.asked_to_end(signal.SIGTERM)
    assert took < SECONDS and status == 0
    assert said == ""
    assert not server.files()
    assert b"complete" not in told(running)
    heartbeat.close()


@pytest.mark.slow
def test_ctrl_c_while_it_starts(checkpoint_folder, texture_folder, tmp_path):
    server = Server(*cli(checkpoint_folder, texture_folder), temporary=tmp_path)
    while not list(tmp_path.glob("fgsd-*/server-*")) and server.process.poll() is None:
        time.sleep(0.02)
    took, status, said = server.asked_to_end(signal.SIGINT)
    assert took < SECONDS and status == 0
    assert "Traceback" not in said
    assert not list(tmp_path.glob("fgsd-*/server-*"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_file_of_a_space_ends_like_the_command(number, tmp_path):
    server = Server(str(ROOT / "app.py"), temporary=tmp_path)
    server.started()
    with server.call("sample", target="lava", n=16, steps=100) as stream:
        time.sleep(1)
        took, status, said = server.asked_to_end(number)
        assert b"complete" not in told(stream)
    assert took < SECONDS and status == 0
    assert said == "" and not server.files()
