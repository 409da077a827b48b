"""Options and errors that the commands share."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer

from fgsd.shipped import resolve_shipped

Checkpoint = Annotated[
    str, typer.Option("--checkpoint", "-c", help="Folder or Hugging Face hub id.", show_default=True)
]
Data = Annotated[
    Path, typer.Option("--data", "-d", help="Folder of images: one a class, or one folder a class.")
]
DEFAULT_CHECKPOINT, DEFAULT_DATA = "checkpoints/textures", Path("assets/textures")
DEFAULT_EVIDENCE = Path("assets/evidence")
DEFAULT_REPORT = DEFAULT_EVIDENCE / "report.html"


class BadInput(Exception):
    """What the user gave cannot be used; `main` prints the message on one line and ends with code 2."""


def one_line_errors(command):
    """Errors of the library about its arguments become `BadInput`; others remain tracebacks."""

    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except (ValueError, KeyError, TypeError, FileNotFoundError, ImportError) as error:
            message = error.args[0] if isinstance(error, KeyError) and error.args else str(error)
            raise BadInput(message) from None

    return wrapped


def pipeline(checkpoint: str):
    from fgsd.pipeline import Pipeline

    return Pipeline.from_pretrained(str(resolve_shipped(checkpoint)))
