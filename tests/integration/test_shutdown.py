"""A server that is asked to end does so within seconds, whatever is under way, and leaves nothing behind."""

from __future__ import annotations

import http.client
import signal
import time
from contextlib import suppress

import pytest
from command_server import ROOT, CommandServer, app_command

SECONDS = 5  # that it may take
LONG = {"n": 16, "size": 256, "steps": 16}  # in one piece: nothing in between hears a stop


def told(stream) -> bytes:
    """What came of a stream until it was cut off."""
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
    server = CommandServer(*app_command(checkpoint_folder, texture_folder), temporary=tmp_path)
    while not list(tmp_path.glob("fgsd-*/server-*")) and server.process.poll() is None:
        time.sleep(0.02)
    took, status, said = server.asked_to_end(signal.SIGINT)
    assert took < SECONDS and status == 0
    assert "Traceback" not in said
    assert not list(tmp_path.glob("fgsd-*/server-*"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_file_of_a_space_ends_like_the_command(number, tmp_path):
    server = CommandServer(str(ROOT / "app.py"), temporary=tmp_path)
    server.started()
    with server.call("sample", target="lava", n=16, steps=100) as stream:
        time.sleep(1)
        took, status, said = server.asked_to_end(number)
        assert b"complete" not in told(stream)
    assert took < SECONDS and status == 0
    assert said == "" and not server.files()
