"""Files of the API: what programs upload, and what they download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradio import FileData
from PIL import Image

from fgsd.app.gradio_internals import save_to_upload_folder
from fgsd.app.render.encode import PNG, png_bytes
from fgsd.app.requests.request import RequestError


def stored_content(path: str, uploads: Path, argument: str) -> bytes:
    """Return the content of an uploaded file.

    Raises
    ------
    RequestError
        If the file does not lie in the folder of uploads.
    """
    try:
        file = Path(path).resolve()
        content = file.read_bytes() if file.is_relative_to(uploads.resolve()) else None
    except (OSError, ValueError):  # no such file, or no valid path
        content = None
    if content is None:
        raise RequestError(f"{argument} must be a file that was uploaded; this one was not.")
    return content


def png_file(image: Image.Image, name: str, folder: Path) -> dict[str, Any]:
    """Save an image as a PNG in a folder from which Gradio serves, and describe it as a `FileData`.

    The same pixels give the same path. The result is a plain dictionary, since Gradio adds the URL to these
    only.
    """
    return stored_file(png_bytes(image), f"{name}.png", PNG, folder)


def stored_file(content: bytes, name: str, mime_type: str, folder: Path) -> dict[str, Any]:
    """Save a file in a folder from which Gradio serves, and describe it as a `FileData`."""
    path = save_to_upload_folder(content, name, folder)
    file = FileData(path=path, orig_name=name, mime_type=mime_type, size=len(content))
    return dict(file.model_dump())
