"""A picture that needs textures of the visitor's own, as a small file: it opens the same picture elsewhere.

The file is JSON: a format tag, the fingerprint of the checkpoint, the link of the picture (see
`fgsd.app.requests.link`), and of each own texture in it the centroid, in float32 so that the pixels come
out the same
to the bit, and a thumbnail. Nothing in it is trusted.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgsd.app.render.user_textures import MAX_USER_TEXTURES, UserTexture, clean_name, read_image, thumbnail
from fgsd.app.requests.link import from_link, to_link
from fgsd.app.requests.request import RequestError, SampleRequest
from fgsd.centroids import Centroid
from fgsd.pipeline import Pipeline

FORMAT = "fgsd-recipe-1"
SUFFIX = ".fgsd.json"
MAX_CHARACTERS = MAX_USER_TEXTURES * 200_000
MAX_THUMBNAIL = 20_000  # characters
MAX_VALUE = 1e6  # of a feature; a network's own are a few units


@dataclass(frozen=True)
class Recipe:
    """What a recipe file holds; the request in it is still to be checked by `parse_request`."""

    target: list[dict]
    settings: dict[str, Any]
    own: list[tuple[str, Centroid, str]]  # name, centroid and thumbnail of each own texture


def fingerprint(pipe: Pipeline) -> str:
    """Sixteen letters and digits that differ between networks and tables of centroids."""
    digest = hashlib.sha256()
    tensors = dict(sorted(pipe.network.state_dict().items()))
    tensors |= {"sigmas": pipe.table.sigmas, "values": pipe.table.values, "colours": pipe.table.colours}
    for name, value in tensors.items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def to_recipe(request: SampleRequest, own: Mapping[str, UserTexture], checkpoint: str) -> str:
    """The file's text.

    Parameters
    ----------
    own : the visitor's textures by name; those that the request needs are written
    checkpoint : fingerprint of the network that the centroids belong to
    """
    textures = [
        {
            "name": name,
            "values": _encode(own[name].centroid.values),
            "colour": _encode(own[name].centroid.colour),
            "thumbnail": own[name].src,
        }
        for name in request.weights
        if name in own
    ]
    content = {"format": FORMAT, "checkpoint": checkpoint, "link": to_link(request), "own": textures}
    return json.dumps(content, indent=1)


def from_recipe(text: object, pipe: Pipeline, checkpoint: str, taken: Iterable[str]) -> Recipe:
    """Read a file's text.

    Parameters
    ----------
    taken : names of the classes and of the visitor's own textures; those of the file are renamed if need be

    Raises
    ------
    RequestError
        If it is no recipe, damaged, or of another network; one sentence that says why.
    """
    content = _content(text)
    if content.get("checkpoint") != checkpoint:
        raise RequestError(
            "This file was made with another network; open it on a page that serves that network."
        )
    found = from_link(content.get("link"))
    if found is None:
        raise RequestError("This file is damaged: it names no mixture of textures.")
    textures = content.get("own")
    if not isinstance(textures, list) or len(textures) > MAX_USER_TEXTURES:
        raise RequestError(
            f"This file is damaged: it must hold a list of at most {MAX_USER_TEXTURES} textures."
        )
    target, settings = found
    renamed, own, taken = {}, [], set(taken)
    for entry in textures:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or name in renamed:
            raise RequestError("This file is damaged: its textures must have names of their own.")
        values = _decode(entry.get("values"), tuple(pipe.table.values.shape[1:]))
        colour = _decode(entry.get("colour"), (3,))
        src = entry.get("thumbnail")
        if not isinstance(src, str) or len(src) > MAX_THUMBNAIL:
            raise RequestError("This file is damaged: a texture in it has no thumbnail.")
        renamed[name] = clean_name(name, taken)
        taken.add(renamed[name])
        # drawn anew, so that what the page shows is a small picture, whatever came
        own.append((renamed[name], Centroid(pipe.table.sigmas, values, colour), thumbnail(read_image(src))))
    for entry in target:
        entry["name"] = renamed.get(entry["name"], entry["name"])
    return Recipe(target, settings, own)


def _content(text: object) -> dict:
    if isinstance(text, str) and len(text) > MAX_CHARACTERS:
        raise RequestError(f"This file is too large; a recipe has at most {MAX_CHARACTERS:,} characters.")
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
    if len(values) != size or not np.isfinite(values).all() or np.abs(values).max() > MAX_VALUE:
        raise RequestError(f"This file is damaged: a texture in it must have {size} finite numbers.")
    return torch.from_numpy(values.astype(np.float32).reshape(shape))
