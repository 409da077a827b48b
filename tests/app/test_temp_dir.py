"""Each server has a private folder for temporary files, which is removed with it or by the next server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from fgsd.app.http import temp_dir

# creates a folder with a file in it, prints its path, and runs until its input ends
HOLDER = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[2])
import temp_dir

folder = temp_dir.create(Path(sys.argv[1]))
(folder / "file").write_text("content")
print(folder, flush=True)
sys.stdin.read()
"""
# the module is imported alone, since all of fgsd takes seconds to import
MODULE = Path(__file__).parents[2] / "fgsd/app/http"


@contextmanager
def holder(parent: Path):
    """A process that holds a folder below `parent`, and the folder."""
    command = [sys.executable, "-c", HOLDER, str(parent), str(MODULE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_the_next_server_removes_the_folder_of_a_killed_one_and_no_other(tmp_path):
    with holder(tmp_path) as (killed, left), holder(tmp_path) as (_, alive):
        assert left != alive and left.parent == alive.parent == tmp_path / f"fgsd-{os.getuid()}"
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (left / "file").exists()
        with holder(tmp_path) as (_, new):
            assert not left.exists()
            assert (alive / "file").exists() and (new / "file").exists()


def test_only_folders_of_servers_are_swept(tmp_path):
    home = tmp_path / f"fgsd-{os.getuid()}"
    (home / "server-old").mkdir(parents=True)
    (home / "mine").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("content")
    (home / "server-link").symlink_to(elsewhere)
    with holder(tmp_path) as (_, folder):
        assert folder.parent == home
        assert not (home / "server-old").exists()
        assert (home / "mine").exists() and (elsewhere / "file").exists()


def test_a_folder_of_another_user_is_left_alone(tmp_path):
    others = tmp_path / "others"
    (others / "server-old").mkdir(parents=True)
    (tmp_path / f"fgsd-{os.getuid()}").symlink_to(others)
    with holder(tmp_path) as (_, folder):
        assert folder.is_relative_to(tmp_path) and not folder.is_relative_to(others)
        assert (others / "server-old").exists()


def test_servers_that_start_at_once_keep_their_folders(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path), str(MODULE)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)
    ]
    folders = {Path(process.stdout.readline().strip()) for process in started}
    assert len(folders) == 6 and all((folder / "file").exists() for folder in folders)
    for process in started:
        process.communicate()


def test_a_file_that_is_written_while_its_folder_is_removed_is_removed_too(tmp_path, monkeypatch):
    folder, late = tmp_path / "server-x", iter(("a", "b"))
    rmtree = shutil.rmtree

    def rmtree_during_writes(path, **options):
        rmtree(path, **options)
        if (name := next(late, None)) is not None:
            (path / name).mkdir(parents=True)
            (path / name / "picture.png").write_bytes(b"content")

    monkeypatch.setattr(shutil, "rmtree", rmtree_during_writes)
    (folder / "old").mkdir(parents=True)
    temp_dir.remove(folder)
    assert not folder.exists() and next(late, None) is None
    temp_dir.remove(folder)  # a missing folder is no error
