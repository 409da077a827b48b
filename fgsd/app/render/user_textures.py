"""Textures of a visitor's own: from an image that came with a page to a target like any class."""

from __future__ import annotations

import base64
import io
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock

from PIL import Image

from fgsd.app.render.pictures import data_uri
from fgsd.app.requests.request import RequestError
from fgsd.centroids import Centroid
from fgsd.images import ImageError, load_image, open_image
from fgsd.pipeline import Pipeline

MAX_USER_TEXTURES = 8  # textures of one visitor; the oldest goes
MAX_VISITORS = 500  # whose textures are kept: 30 kB each for the shipped checkpoint
MAX_CHARACTERS = 3_000_000  # of an image as a data URI: the page sends about 1024 x 512 pixels at most
MAX_IMAGE_SIDE = 2048  # pixels
CROPS = 12  # averaged: they take 1.5 s on one core, and 24 would change the distances by 2 %
NEAREST = 3  # classes that are named
THUMBNAIL = 64  # pixels
LONGEST_NAME = 24
PLAIN_NAME = "my texture"
MAX_SCANS = 100  # of a JPEG: some ten in a photograph, 100,000 in one that is made to take minutes
FORMATS = ("PNG", "JPEG", "WEBP")  # what browsers write; no other decoder is let near foreign bytes


@dataclass(frozen=True)
class UserTexture:
    """A texture of the visitor's own, and where it lies."""

    name: str
    centroid: Centroid
    src: str  # thumbnail, a data URI
    near: list[tuple[str, float]]  # classes, nearest first, with distances in spreads within a class
    pca: list[list[float]]  # (S, 2): place on the map at each noise level
    umap: list[list[float]] | None  # the same; None for a map without

    def on_page(self) -> dict:
        """What the page is told of it."""
        near = [[name, round(distance, 2)] for name, distance in self.near]
        return {"name": self.name, "src": self.src, "near": near, "pca": self.pca, "umap": self.umap}


class UserTextureStore:
    """The textures of each visitor, by name; safe to call from several threads.

    They are kept here and not in the session's state, since the picture that follows the pin is asked for
    past the queue, where there is no such state.
    """

    def __init__(self, most: int = MAX_VISITORS) -> None:
        self._textures: OrderedDict[str, dict[str, UserTexture]] = OrderedDict()
        self._most, self._lock = most, Lock()

    def of(self, visitor: object) -> dict[str, UserTexture]:
        """A visitor's textures, oldest first; {} for one who has none, or is forged."""
        with self._lock:
            return dict(self._textures.get(visitor, {})) if isinstance(visitor, str) else {}

    def put(self, visitor: str, own: Mapping[str, UserTexture]) -> None:
        """Replace a visitor's textures; of too many visitors, who has changed theirs longest ago goes."""
        with self._lock:
            self._textures[visitor] = dict(own)
            self._textures.move_to_end(visitor)
            while len(self._textures) > self._most:
                self._textures.popitem(last=False)

    def forget(self, visitor: str) -> None:
        """A visitor has left."""
        with self._lock:
            self._textures.pop(visitor, None)


def make_texture(pipe: Pipeline, uri: object, file_name: object, taken: Iterable[str]) -> UserTexture:
    """The texture in an image that a visitor gave.

    Parameters
    ----------
    uri : str
        The image as a base64 data URI.
    file_name : str
        It is named after the file; see `clean_name`.
    taken : names of the classes and of the visitor's other textures

    Raises
    ------
    RequestError
        If it is not an image that can be used; one sentence that says why.
    """
    image = read_image(uri)
    patch = pipe.info.patch_size
    if min(image.size) < patch:
        raise RequestError(
            f"This image has {image.width} x {image.height} pixels; at least {patch} x {patch} are needed."
        )
    try:
        centroid = pipe.centroid_of(image, crops=CROPS)
    except ImageError as error:
        raise RequestError(f"This image cannot be used: {error}.") from None
    return place_texture(pipe, clean_name(file_name, taken), centroid, thumbnail(image))


def place_texture(pipe: Pipeline, name: str, centroid: Centroid, src: str) -> UserTexture:
    """A texture with its nearest classes and its place on the map, from its centroid."""
    places = {
        projection: pipe.map.project_centroid(projection, centroid).astype(float).round(4).tolist()
        for projection in pipe.map.projections
    }
    near = pipe.table.nearest(centroid, NEAREST)
    return UserTexture(name, centroid, src, near, places["pca"], places.get("umap"))


def read_image(uri: object) -> Image.Image:
    """The RGB image in a data URI from a page; `RequestError` if it is none, or too large."""
    head, _, body = uri.partition(",") if isinstance(uri, str) else ("", "", "")
    if not re.fullmatch(r"data:image/[a-z]{3,5};base64", head):
        raise RequestError("What came is no image.")
    if len(uri) > MAX_CHARACTERS:
        raise RequestError(
            f"This image takes {len(uri):,} characters; at most {MAX_CHARACTERS:,} can be taken."
        )
    try:
        content = base64.b64decode(body, validate=True)
        # the mark at which one begins: in a JPEG no pixels look like it
        if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > MAX_SCANS:
            raise ImageError("too many scans")
        image = open_image(io.BytesIO(content), FORMATS)
        small = max(image.size) <= MAX_IMAGE_SIDE  # told from the head, before anything is decoded
        image = load_image(image) if small else image
    except Exception:  # ValueError, OSError, SyntaxError, struct.error: decoders have their ways to fail
        raise RequestError("This image cannot be read; is the file complete?") from None
    if not small:
        raise RequestError(
            f"This image has {image.width} x {image.height} pixels; a side may have {MAX_IMAGE_SIDE}."
        )
    return image


def thumbnail(image: Image.Image) -> str:
    """The middle of an image, small, as a data URI."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return data_uri(image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS, box), quality=82)


def clean_name(file_name: object, taken: Iterable[str]) -> str:
    """A short name of letters, digits, spaces and hyphens that is none of those `taken`.

    Browsers call what is pasted "image.png"; that says nothing and becomes "my texture".
    """
    text = file_name[:1000] if isinstance(file_name, str) else ""
    text = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", text)
    text = re.sub(r"[\W_]+", " ", text.replace("-", " ")).strip()[:LONGEST_NAME].strip()
    if not text or text.casefold() in ("image", "img", "blob", "unknown"):
        text = PLAIN_NAME
    lower = {name.casefold() for name in taken}
    # "Lava Flow" and "lava-flow" would be hard to tell apart
    lower |= {name.replace("-", " ") for name in lower}
    name, k = text, 1
    while name.casefold() in lower:
        k += 1
        name = f"{text} {k}"
    return name


def with_textures(own: Mapping[str, UserTexture], *textures: UserTexture) -> dict[str, UserTexture]:
    """The visitor's textures and new ones; of more than `MAX_USER_TEXTURES` the oldest go."""
    everything = [*own.values(), *textures][-MAX_USER_TEXTURES:]
    return {texture.name: texture for texture in everything}


def centroids(own: Mapping[str, UserTexture]) -> dict[str, Centroid]:
    """Name to centroid, as `target_centroid` and `frames` take them."""
    return {name: texture.centroid for name, texture in own.items()}
