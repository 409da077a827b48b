"""After SIGTERM or SIGINT the server ends within seconds, even during runs, and leaves no files."""

from __future__ import annotations

import http.client
import signal
import time
from contextlib import suppress

import pytest
from command_server import ROOT, CommandServer, app_command

pytestmark = pytest.mark.integration

MAX_SECONDS = 5
LONG = {"n": 16, "size": 256, "steps": 16}  # one batch, which cannot be cancelled between its steps


def remainder(stream) -> bytes:
    """All data of a stream until the server closes it."""
    lines = []
    with suppress(http.client.IncompleteRead, OSError):
        lines.extend(stream)
    stream.close()
    return b"".join(lines)


def test_sigterm_ends_runs_streams_and_files(checkpoint_folder, texture_folder, tmp_path):
    server = CommandServer(*app_command(checkpoint_folder, texture_folder), temporary=tmp_path)
    server.started()
    with server.call("sample", target="moss") as stream:
        assert b"complete" in stream.read()
    assert server.files()  # the picture of this call
    heartbeat = server.open("heartbeat/visitor")  # every open page has one
    assert heartbeat.readline()
    long_run = server.call("sample", target="moss", **LONG)
    time.sleep(0.5)  # the run starts
    seconds, status, stderr = server.asked_to_end(signal.SIGTERM)
    assert seconds < MAX_SECONDS and status == 0
    assert stderr == ""
    assert f"* Running on local URL:  {server.url}/\n" in server.printed
    assert "share" not in server.printed  # Gradio's `share=True` is not the option of this name
    assert not server.files()
    assert b"complete" not in remainder(long_run)
    heartbeat.close()


@pytest.mark.slow
def test_ctrl_c_while_it_starts(checkpoint_folder, texture_folder, tmp_path):
    server = CommandServer(*app_command(checkpoint_folder, texture_folder), temporary=tmp_path)
    while not list(tmp_path.glob("fgsd-*/server-*")) and server.process.poll() is None:
        time.sleep(0.02)
    seconds, status, stderr = server.asked_to_end(signal.SIGINT)
    assert seconds < MAX_SECONDS and status == 0
    assert "Traceback" not in stderr
    assert not list(tmp_path.glob("fgsd-*/server-*"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_app_py_ends_like_the_command(number, tmp_path):
    server = CommandServer(str(ROOT / "app.py"), temporary=tmp_path)
    server.started()
    with server.call("sample", target="lava", n=16, steps=100) as stream:
        time.sleep(1)
        seconds, status, stderr = server.asked_to_end(number)
        assert b"complete" not in remainder(stream)
    assert seconds < MAX_SECONDS and status == 0
    assert stderr == "" and not server.files()
