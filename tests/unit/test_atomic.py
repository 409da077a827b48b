"""Files that belong together are replaced as a whole or not at all, wherever the writing is cut off."""

from __future__ import annotations

import errno
import os
from itertools import count
from pathlib import Path

import pytest
from interruptions import Interruption, Killed
from safetensors import SafetensorError

from fgsd.atomic import REPLACEMENT, current_path, write_atomically, write_together

OLD = {"a": "old a", "b": "old b", "c": "old c"}
NEW = {"a": "new a", "b": "new b", "d": "new d"}  # without c


def writes(texts: dict[str, str]) -> dict:
    return {name: lambda path, text=text: path.write_text(text) for name, text in texts.items()}


def current(folder: Path) -> dict[str, str]:
    """The texts of the files that are valid, by name."""
    return {name: path.read_text() for name in "abcd" if (path := current_path(folder, name)).exists()}


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "deep" / "folder"
    write_together(folder, writes(OLD))
    (folder / "notes.md").write_text("mine")
    return folder


def test_files_are_replaced_and_others_stay(folder):
    assert current(folder) == OLD
    write_together(folder, writes(NEW), remove={"c"})
    assert current(folder) == NEW
    assert {path.name for path in folder.iterdir()} == {"a", "b", "d", "notes.md"}
    assert (folder / "notes.md").read_text() == "mine"
    assert (folder / "a").stat().st_mode & 0o777 == (folder / "notes.md").stat().st_mode & 0o777


@pytest.mark.parametrize("kill", [True, False])
def test_cut_off_at_any_change_of_the_disk_the_files_are_all_old_or_all_new(folder, kill):
    seen = []
    for number in count():
        with pytest.MonkeyPatch.context() as patch:
            interruption = Interruption(patch, number, kill=kill)
            try:
                write_together(folder, writes(NEW), remove={"c"})
            except (OSError, Killed):
                assert interruption.happened
        found = current(folder)
        seen.append({name: text[:3] for name, text in found.items()})
        assert found in (OLD, NEW, NEW | {"c": "old c"})  # what is obsolete goes last, and nothing names it
        assert (folder / "notes.md").read_text() == "mine"
        write_together(folder, writes(OLD), remove={"d"})  # what was cut off is no hindrance
        assert current(folder) == OLD
        assert {path.name for path in folder.iterdir()} == {"a", "b", "c", "notes.md"}
        if not interruption.happened:
            break
    assert number > 12 and {"old", "new"} == {found["a"] for found in seen[:-1]}


def test_a_failed_write_leaves_what_was_there(folder):
    def fails(path):
        path.write_text("half")
        raise RuntimeError("no")

    for target in (folder, folder / "new"):
        with pytest.raises(RuntimeError, match="no"):
            write_together(target, {**writes(NEW), "e": fails})
    assert current(folder) == OLD
    assert {path.name for path in folder.iterdir()} == {"a", "b", "c", "notes.md"}


def test_a_folder_of_the_name_of_a_file_is_refused_before_anything_is_written(folder):
    (folder / "d").mkdir()
    with pytest.raises(IsADirectoryError, match=r"d is a folder"):
        write_together(folder, writes(NEW))
    assert (folder / "a").read_text() == "old a" and not (folder / REPLACEMENT).exists()


def test_the_folder_may_be_a_link_and_the_working_folder(folder, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(folder)
    write_together(tmp_path / "link", writes(NEW))
    monkeypatch.chdir(folder)
    write_together(Path(), writes(OLD))
    assert current(folder)["a"] == "old a" and (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(
    "refusal",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_an_error_that_names_the_file(folder, refusal):
    def full(path):
        path.write_text("half")
        raise refusal

    for write in (
        lambda: write_together(folder, writes(NEW) | {"b": full}),
        lambda: write_atomically(folder / "b", full),
    ):
        with pytest.raises(OSError, match="No space left") as caught:
            write()
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(folder / "b"))
        assert current(folder) == OLD


def test_a_limit_of_the_system_itself(tmp_path):
    """As a full disk would: the file is longer than this process may write."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)) as caught:
            write_together(tmp_path / "new", {"long": lambda path: path.write_bytes(b"x" * 2000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert caught.value.filename == str(tmp_path / "new" / "long")
    assert list(tmp_path.iterdir()) == []
