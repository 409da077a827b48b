"""Options, defaults and error handling shared by the commands."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fgsd.cli.outputs import describe_os_error
from fgsd.names import printable
from fgsd.shipped import resolve_shipped

if TYPE_CHECKING:
    from fgsd.data import DataConfig, TextureFolder
    from fgsd.pipeline import Pipeline

Checkpoint = Annotated[
    str,
    typer.Option(
        "--checkpoint", "-c", help="Checkpoint: a folder or a Hugging Face hub id.", show_default=True
    ),
]
Data = Annotated[
    Path,
    typer.Option("--data", "-d", help="Folder of images, with one image or one subfolder for each class."),
]
DEFAULT_CHECKPOINT, DEFAULT_DATA = "checkpoints/textures", Path("assets/textures")
DEFAULT_EVIDENCE = Path("assets/evidence")
DEFAULT_REPORT = DEFAULT_EVIDENCE / "report.html"


class InputError(Exception):
    """Invalid input of the user; `main` prints the message on one line and exits with code 2."""


def one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command so that errors about arguments and files become `InputError`.

    These are the library's errors about arguments, a training that diverged, and what the system says of a
    file, such as that its disk is full. Other errors keep their tracebacks.
    """

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except OSError as error:
            if (line := describe_os_error(error)) is None and not isinstance(error, FileNotFoundError):
                raise
            raise InputError(line or str(error)) from None
        except (ValueError, KeyError, TypeError, FloatingPointError, ImportError) as error:
            message = error.args[0] if isinstance(error, KeyError) and error.args else str(error)
            raise InputError(message) from None

    return wrapped


def load_textures(
    folder: str | Path, config: DataConfig, *, max_crop: int | None = None, quiet: bool = False
) -> TextureFolder:
    """Load a folder of images and, unless `quiet`, print to stderr what is skipped."""
    from fgsd.data import TextureFolder

    data = TextureFolder(folder, config, max_crop=max_crop)
    if not quiet:
        for line in data.skipped:
            typer.echo(f"skipped {line}", err=True)
    return data


def read_names(option: str, file: Path, data: TextureFolder) -> list[str]:
    """Return the classes of a folder that a text file names, one a line.

    Raises
    ------
    ValueError
        If the file cannot be read as text, names no class, or a name in it is no class of the folder.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise ValueError(f"{option} {file}: cannot be read as a text file: {error}") from None
    try:
        return data.only([line for line in lines if line.strip()]).classes
    except (KeyError, ValueError) as error:
        raise ValueError(f"{option} {file}: {error.args[0]}") from None


def utf8_text(text: str | None) -> str | None:
    """Return an argument that is to be stored as text; refuse bytes that are not UTF-8. None stays None.

    Used as a callback of options, so that a command fails before its work and not when it writes the file.
    """
    if text is None:
        return None
    try:
        return os.fsencode(text).decode("utf-8")
    except UnicodeError:
        raise typer.BadParameter(f"'{printable(text)}' is not UTF-8") from None


def load_pipeline(checkpoint: str, *, device: str | None = None) -> Pipeline:
    """Load a checkpoint: a path, the shipped one, or a hub id; by default on the best device there is."""
    from fgsd.pipeline import Pipeline

    return Pipeline.from_pretrained(str(resolve_shipped(checkpoint)), device=device)
