"""Outputs of commands are tried before work begins, so that nothing is computed that cannot be written."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fgsd.atomic import current_path, temporary_path

# what to do about an error of the system; `one_line_errors` adds it to the message
ADVICE = {
    errno.ENOSPC: "free some space on its disk, then run the same command again",
    errno.EDQUOT: "free some of your quota on its disk, then run the same command again",
    errno.EFBIG: "its file system or a limit of this process (ulimit -f) allows no file as large",
    errno.EACCES: "choose another, or ask for the permission",
    errno.EPERM: "choose another, or ask for the permission",
    errno.EROFS: "choose one on a disk that can be written",
    errno.ENAMETOOLONG: "choose a shorter name",
}
CHECKPOINT_FILES = (
    *("config.json", "model.safetensors", "centroids.safetensors", "map.safetensors"),
    "README.md",
)
SITE_FILES = ("index.html", "service-worker.js", "site.json", "README.md")
REPORT_FILES = ("report.json", "report.html")


def describe_os_error(error: OSError) -> str | None:
    """Return one line about an error of the system: file, reason and advice; None if it names no file."""
    if error.filename is None or error.errno is None:
        return None
    return f"{error.filename}: {_reason(error)}"


def check_file(option: str, path: Path) -> None:
    """Raise `ValueError` unless a file can be written to `path`; `option` is named in the error."""
    with _refusals_name(option, path):
        if path.is_dir():
            raise ValueError(f"{option} {path}: this is a folder; name a file in it")
        if path.exists() and not path.is_file():
            raise ValueError(f"{option} {path}: this is no ordinary file; name another")
        _try_to_write(path)


def check_folder(option: str, folder: Path) -> None:
    """Raise `ValueError` unless files can be written to `folder`, which may be missing yet."""
    with _refusals_name(option, folder):
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{option} {folder}: this is a file; name a folder")
        _try_to_write(folder / "config.json")


def check_checkpoint_folder(option: str, folder: Path) -> None:
    """Raise `ValueError` unless a checkpoint can be written to `folder` without replacing foreign files."""
    check_folder(option, folder)
    if not str(_json_object(current_path(folder, "config.json")).get("format")).startswith("fgsd-checkpoint"):
        _refuse_foreign(option, folder, CHECKPOINT_FILES, "a checkpoint")


def check_report_folder(option: str, folder: Path) -> None:
    """Raise `ValueError` unless a report can be written to `folder` without replacing foreign files."""
    check_folder(option, folder)
    if not isinstance(_json_object(current_path(folder, "report.json")).get("parts"), dict):
        _refuse_foreign(option, folder, REPORT_FILES, "a report")


def check_site_folder(option: str, folder: Path) -> None:
    """Raise `ValueError` unless a site can be written to `folder` without replacing foreign files."""
    check_folder(option, folder)
    if not str(_json_object(current_path(folder, "site.json")).get("format")).startswith("fgsd-site"):
        _refuse_foreign(option, folder, SITE_FILES, "a site")


def check_training_folders(run: tuple[str, Path], out: tuple[str, Path]) -> None:
    """Raise `ValueError` unless a run and its checkpoint, each an (option, folder), can be written."""
    if run[1].resolve() == out[1].resolve():
        raise ValueError(f"{out[0]} {out[1]}: this is the folder of {run[0]}; name another")
    check_folder(*run)
    check_checkpoint_folder(*out)


def stored_results(option: str, path: Path) -> dict[str, Any] | None:
    """Return the results of `fgsd evaluate` in a file, or None if it does not exist.

    Raises
    ------
    ValueError
        If the file cannot be written, or holds something else, which would be lost.
    """
    check_file(option, path)
    if not path.exists():
        return None
    results = _json_object(path)
    if not isinstance(results.get("parts"), dict):
        raise ValueError(f"{option} {path}: this file holds no results of fgsd evaluate; name another")
    return results


@contextmanager
def advice_after_errors(advice: str) -> Iterator[None]:
    """Within this context, refusals of the system are raised as `ValueError` in one line, with advice."""
    try:
        yield
    except OSError as error:
        if (line := describe_os_error(error)) is None:
            raise
        raise ValueError(f"{line}. {advice}") from None


@contextmanager
def _refusals_name(option: str, path: Path) -> Iterator[None]:
    """Within this context, refusals of the system are raised as `ValueError` that names the option."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"{option} {path}: cannot be written: {_reason(error)}") from None


def _try_to_write(path: Path) -> None:
    """Create what is missing of the folders of `path`, and a file there; remove both again."""
    temp_path, made = temporary_path(path), list[Path]()
    try:
        missing = [folder for folder in path.parents if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir()
            made.append(folder)
        temp_path.write_bytes(b"\0")
    finally:
        with suppress(OSError):
            temp_path.unlink(missing_ok=True)
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()


def _reason(error: OSError) -> str:
    if isinstance(error, (NotADirectoryError, FileExistsError)):
        return "a file is where a folder should be; choose another"
    reason = (error.strerror or str(error)).lower()
    advice = ADVICE.get(error.errno or 0)
    return f"{reason}; {advice}" if advice else reason


def _refuse_foreign(option: str, folder: Path, names: tuple[str, ...], kind: str) -> None:
    """Raise `ValueError` if a folder that is not of this kind holds files that would be replaced."""
    if found := [name for name in names if (folder / name).exists()]:
        raise ValueError(
            f"{option} {folder}: this folder is not that of {kind} of fgsd, and its {found[0]} would be "
            "replaced; name another folder"
        )


def _json_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one if there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
