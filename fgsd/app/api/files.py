"""The files of the API: what programs upload, and the pictures that they fetch."""

from __future__ import annotations

import base64
from pathlib import Path

from gradio import FileData
from PIL import Image

from fgsd.app.gradio_internals import save_to_upload_folder
from fgsd.app.render.encode import png_bytes
from fgsd.app.requests.request import RequestError

SWEEP = (600, 3600)  # seconds: every ten minutes, the files that are older than an hour are deleted


def stored_uri(path: str, uploads: Path) -> str:
    """An uploaded file as a data URI, whatever is in it; `RequestError` if it lies anywhere else."""
    try:
        file = Path(path).resolve()
        content = file.read_bytes() if file.is_relative_to(uploads.resolve()) else None
    except (OSError, ValueError):  # no such file, or no name of a file
        content = None
    if content is None:
        raise RequestError("image must be a file that was uploaded; this one was not.")
    # what kind of image it really is, is told from its content
    return "data:image/png;base64," + base64.b64encode(content).decode()


def picture_file(image: Image.Image, name: str, folder: Path) -> dict:
    """An image as a PNG in a folder from which Gradio serves, described as a `FileData`.

    The same pixels give the same file. Gradio adds its address only where there is a plain dictionary.
    """
    content = png_bytes(image)
    path = save_to_upload_folder(content, f"{name}.png", folder)
    file = FileData(path=path, orig_name=f"{name}.png", mime_type="image/png", size=len(content))
    return file.model_dump()
