"""Recipe files: a picture that uses textures of the visitor, as a small file that opens it elsewhere.

The file is JSON: a format tag, the fingerprint of the checkpoint, the link of the picture (see
`fgsd.app.requests.link`), and for each texture in it the centroid, in float32 so that pixels are equal to the
bit, and a thumbnail. Everything in a file may be forged.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgsd.app.limits import (
    MAX_FEATURE_VALUE,
    MAX_RECIPE_CHARACTERS,
    MAX_THUMBNAIL_CHARACTERS,
    MAX_USER_TEXTURES,
)
from fgsd.app.render.user_textures import UserTexture, clean_name, read_image, thumbnail
from fgsd.app.requests.link import from_link, to_link
from fgsd.app.requests.request import RequestError, SampleRequest
from fgsd.centroids import Centroid
from fgsd.names import normalize_name
from fgsd.pipeline import Pipeline
from fgsd.texture import tensors_digest

FORMAT = "fgsd-recipe-1"
SUFFIX = ".fgsd.json"


@dataclass(frozen=True)
class Recipe:
    """Contents of a recipe file; `parse_request` has still to validate its target and settings."""

    target: list[dict[str, Any]]
    settings: dict[str, Any]
    textures: list[tuple[str, Centroid, str]]  # name, centroid and thumbnail


def fingerprint(pipe: Pipeline) -> str:
    """Return 16 hexadecimal digits that differ between networks and tables of centroids."""
    tensors = dict(sorted(pipe.network.state_dict().items()))
    tensors |= {"sigmas": pipe.table.sigmas, "values": pipe.table.values, "colours": pipe.table.colours}
    return tensors_digest(tensors)


def to_recipe(request: SampleRequest, textures: Mapping[str, UserTexture], checkpoint: str) -> str:
    """Return the text of a recipe file.

    Parameters
    ----------
    textures : mapping of name to UserTexture
        The visitor's textures; those that the request uses are written.
    checkpoint : str
        `fingerprint` of the network that the centroids belong to.
    """
    used = [
        {
            "name": name,
            "values": _encode(textures[name].centroid.values),
            "colour": _encode(textures[name].centroid.colour),
            "thumbnail": textures[name].src,
        }
        for name in request.weights
        if name in textures
    ]
    content = {"format": FORMAT, "checkpoint": checkpoint, "link": to_link(request), "own": used}
    return json.dumps(content, indent=1)


def from_recipe(text: object, pipe: Pipeline, checkpoint: str, taken: Iterable[str]) -> Recipe:
    """Read the text of a recipe file.

    Parameters
    ----------
    checkpoint : str
        `fingerprint` of `pipe`.
    taken : iterable of str
        Names of the classes and of the visitor's textures; textures of the file with such a name are renamed.

    Raises
    ------
    RequestError
        If the text is no recipe, damaged, or of another network; one sentence that says why.
    """
    content = _content(text)
    if content.get("checkpoint") != checkpoint:
        raise RequestError(
            "This file was made with another network; open it on a page that serves that network."
        )
    linked = from_link(content.get("link"))
    if linked is None:
        raise RequestError("This file is damaged: it names no mixture of textures.")
    entries = content.get("own")
    if not isinstance(entries, list) or len(entries) > MAX_USER_TEXTURES:
        raise RequestError(
            f"This file is damaged: it must hold a list of at most {MAX_USER_TEXTURES} textures."
        )
    target, settings = linked
    renamed: dict[str, str] = {}
    textures, taken = [], set(taken)
    for entry in entries:
        name = entry.get("name") if isinstance(entry, dict) else None
        name = normalize_name(name) if isinstance(name, str) else None
        if name is None or name in renamed:
            raise RequestError("This file is damaged: its textures must have different names.")
        values = _decode(entry.get("values"), tuple(pipe.table.values.shape[1:]))
        colour = _decode(entry.get("colour"), (3,))
        src = entry.get("thumbnail")
        if not isinstance(src, str) or len(src) > MAX_THUMBNAIL_CHARACTERS:
            raise RequestError("This file is damaged: a texture in it has no thumbnail.")
        renamed[name] = clean_name(name, taken)
        taken.add(renamed[name])
        # decoded and encoded again, so that the page shows a small picture whatever the file holds
        picture = thumbnail(read_image(src))
        textures.append((renamed[name], Centroid(pipe.table.sigmas, values, colour), picture))
    for part in target:
        part["name"] = renamed.get(part["name"], part["name"])
    return Recipe(target, settings, textures)


def _content(text: object) -> dict[str, Any]:
    if isinstance(text, str) and len(text) > MAX_RECIPE_CHARACTERS:
        raise RequestError(
            f"This file is too large; a recipe has at most {MAX_RECIPE_CHARACTERS:,} characters."
        )
    try:
        content = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RequestError("This file is no recipe that this page can open.")
    return content


def _encode(values: Tensor) -> str:
    return base64.b64encode(values.detach().cpu().numpy().astype("<f4").tobytes()).decode()


def _decode(text: object, shape: tuple[int, ...]) -> Tensor:
    try:
        values = np.frombuffer(base64.b64decode(text if isinstance(text, str) else "", validate=True), "<f4")
    except ValueError:
        values = np.zeros(0, "<f4")
    size = int(np.prod(shape))
    if len(values) != size or not np.isfinite(values).all() or np.abs(values).max() > MAX_FEATURE_VALUE:
        raise RequestError(f"This file is damaged: a texture in it must have {size} finite numbers.")
    return torch.from_numpy(values.astype(np.float32).reshape(shape))
