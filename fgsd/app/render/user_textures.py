"""Textures of a visitor: from an uploaded image to a target like any class."""

from __future__ import annotations

import base64
import io
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from PIL import Image, UnidentifiedImageError

from fgsd.app.limits import (
    MAX_DEEP_PIXELS,
    MAX_FILE_NAME_CHARACTERS,
    MAX_JPEG_SCANNED_PIXELS,
    MAX_JPEG_SCANS,
    MAX_NAME_CHARACTERS,
    MAX_STORED_IMAGES,
    MAX_TEXTURE_FILE_CHARACTERS,
    MAX_TEXTURE_VISITORS,
    MAX_UPLOAD_BYTES,
    MAX_UPLOAD_CHARACTERS,
    MAX_UPLOAD_PIXELS,
    MAX_USER_TEXTURES,
    MIN_DECODED_SIDE,
)
from fgsd.app.render.encode import data_uri
from fgsd.app.render.words import plain_words
from fgsd.app.requests.request import RequestError
from fgsd.centroids import Centroid
from fgsd.images import ImageError, decode, load_image, open_image
from fgsd.names import normalize_name
from fgsd.pipeline import Pipeline
from fgsd.texture import Texture, TextureError

CROPS = 12  # averaged into a centroid: 1.5 s on one core; 24 would change the distances by 2 %
NEAREST = 3  # classes that are named
THUMBNAIL = 64  # pixels
DEFAULT_NAME = "my texture"
# what cameras, phones and browsers write; other decoders never see bytes of a visitor
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF")
FORMAT_WORDS = "PNG, JPEG, WebP, AVIF or GIF"
JPEG_START = b"\xff\xd8"
JPEG_MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd7\xff])")  # pixel data never looks like one of these
JPEG_SCAN, JPEG_END = b"\xda", b"\xd9"
EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK")  # modes of Pillow


@dataclass(frozen=True)
class UserTexture:
    """A texture of a visitor, with its nearest classes and its positions on the map."""

    name: str
    centroid: Centroid
    src: str  # thumbnail, a data URI
    near: list[tuple[str, float]]  # classes, nearest first, with distances in spreads within a class
    pca: list[list[float]]  # (S, 2): position at each noise level
    umap: list[list[float]] | None  # the same; None if the map has no UMAP
    image: Image.Image | None = None  # to learn from; None once it is learned, and in what came as a file

    def page_values(self) -> dict[str, Any]:
        """Return what the page receives."""
        values = {name: getattr(self, name) for name in ("name", "src", "pca", "umap")}
        near = [[name, round(distance, 2)] for name, distance in self.near]
        return {**values, "near": near, "learnable": self.image is not None}

    def to_file(self, pipe: Pipeline) -> bytes:
        """Return the content of a texture file."""
        thumbnail = read_image(self.src).resize((THUMBNAIL, THUMBNAIL))
        return Texture(self.name, self.centroid, thumbnail, pipe.network_digest).to_bytes()


class UserTextureStore:
    """The textures of each visitor, by name; safe to call from several threads.

    They are not kept in Gradio's session state, because previews bypass the queue and have no such state.

    Parameters
    ----------
    max_visitors : int
        Beyond it, the visitor whose textures have not changed for longest is dropped.
    """

    def __init__(self, max_visitors: int = MAX_TEXTURE_VISITORS) -> None:
        self._textures: OrderedDict[str, dict[str, UserTexture]] = OrderedDict()
        self._max_visitors, self._lock = max_visitors, Lock()

    def of(self, visitor: object) -> dict[str, UserTexture]:
        """Return a copy of a visitor's textures, oldest first; {} for an unknown or forged visitor."""
        with self._lock:
            return dict(self._textures.get(visitor, {})) if isinstance(visitor, str) else {}

    def add(self, visitor: str, *new: UserTexture) -> None:
        """Add textures of a visitor; one of the same name is replaced, and the oldest give way."""
        with self._lock:
            textures = self._textures.setdefault(visitor, {})
            textures.update((texture.name, texture) for texture in new)
            for name in list(textures)[:-MAX_USER_TEXTURES]:
                del textures[name]
            self._textures.move_to_end(visitor)
            while len(self._textures) > self._max_visitors:
                self._textures.popitem(last=False)
            self._drop_images()

    def swap(self, visitor: str, old: UserTexture, new: UserTexture) -> bool:
        """Replace a texture by one of the same name; return False if it is not there any more."""
        with self._lock:
            textures = self._textures.get(visitor, {})
            if textures.get(old.name) is not old:
                return False
            textures[new.name] = new
            return True

    def remove(self, visitor: str, name: object) -> UserTexture | None:
        """Remove a texture of a visitor, and return it."""
        with self._lock:
            return self._textures.get(visitor, {}).pop(name, None)  # type: ignore[call-overload]

    def forget(self, visitor: str) -> None:
        """Drop the textures of a visitor who has left."""
        with self._lock:
            self._textures.pop(visitor, None)

    def _drop_images(self) -> None:
        """Of too many images, drop those of the visitors who have added nothing for longest."""
        found = [
            (textures, texture)
            for textures in self._textures.values()
            for texture in textures.values()
            if texture.image is not None
        ]
        for textures, texture in found[:-MAX_STORED_IMAGES]:
            textures[texture.name] = replace(texture, image=None)


def make_texture(pipe: Pipeline, source: object, file_name: object, taken: Iterable[str]) -> UserTexture:
    """Make a texture from an uploaded image.

    Parameters
    ----------
    source : str or bytes
        The image; see `read_image`.
    file_name : str
        The texture is named after it; see `clean_name`.
    taken : iterable of str
        Names of the classes and of the visitor's other textures.

    Raises
    ------
    RequestError
        If the image cannot be used; one sentence that says why.
    """
    image = read_image(source)
    patch = pipe.info.patch_size
    if min(image.size) < patch:
        raise RequestError(
            f"This image has {image.width} x {image.height} pixels; at least {patch} x {patch} are needed."
        )
    try:
        centroid = pipe.centroid_of(image, crops=CROPS, scale=1.0)  # the visitor crops
    except ImageError as error:
        raise RequestError(f"This image cannot be used: {error}.") from None
    texture = locate_texture(pipe, clean_name(file_name, taken), centroid, thumbnail(image))
    config = pipe.network.config
    return texture if config.labels or config.target_embedding else replace(texture, image=image)


def open_texture(pipe: Pipeline, content: object, taken: Iterable[str]) -> UserTexture:
    """Return the texture of an uploaded texture file under a name that is not `taken`; see `read_texture`."""
    texture = read_texture(pipe, content)
    name = clean_name(texture.name, taken)
    return locate_texture(pipe, name, texture.centroid, thumbnail(texture.thumbnail))


def read_texture(pipe: Pipeline, content: object) -> Texture:
    """Return the texture of an uploaded texture file.

    Parameters
    ----------
    content : str or bytes
        The file; a string is base64.

    Raises
    ------
    RequestError
        If the file is damaged, no texture, or of another network; one sentence that says why.
    """
    try:
        if not isinstance(content, bytes):
            content = base64.b64decode(str(content)[:MAX_TEXTURE_FILE_CHARACTERS], validate=True)
        texture = Texture.from_bytes(content, "This file")
    except TextureError as error:
        raise RequestError(f"{error}.") from None
    except ValueError:
        raise RequestError("This is no texture file.") from None
    try:
        texture.centroid_for(pipe.network_digest, pipe.table)
    except ValueError:
        raise RequestError(
            "This texture was made with another network; open it on a page that serves that network."
        ) from None
    return texture


def locate_texture(pipe: Pipeline, name: str, centroid: Centroid, src: str) -> UserTexture:
    """Return a texture with its nearest classes and its positions on the map, computed from its centroid."""
    positions = {
        projection: pipe.map.project_centroid(projection, centroid).astype(float).round(4).tolist()
        for projection in pipe.map.projections
    }
    near = pipe.table.nearest(centroid, NEAREST)
    return UserTexture(name, centroid, src, near, positions["pca"], positions.get("umap"))


def read_image(source: object) -> Image.Image:
    """Return the RGB image of an upload, of a format in `FORMATS`.

    An image whose shorter side has at least twice `MIN_DECODED_SIDE` pixels is scaled down, by a whole number
    and not below that side, so that it takes little memory.

    Parameters
    ----------
    source : str or bytes
        A base64 data URI of at most `MAX_UPLOAD_CHARACTERS`, or the content of a file of at most
        `MAX_UPLOAD_BYTES`.

    Raises
    ------
    RequestError
        If there is no readable image, or it is too large.
    """
    try:
        content = source if isinstance(source, bytes) else _content(source)
        if len(content) > MAX_UPLOAD_BYTES:
            raise RequestError(
                f"This image takes {len(content):,} bytes; at most {MAX_UPLOAD_BYTES:,} can be taken."
            )
        header = open_image(io.BytesIO(content), FORMATS)  # reads the size, decodes nothing yet
        _check_size(header, content)
        return load_image(_reduced(header))
    except RequestError:
        raise
    except UnidentifiedImageError:
        raise RequestError(f"This image cannot be read; it must be a {FORMAT_WORDS}.") from None
    except Exception:  # decoders raise ValueError, OSError, SyntaxError, struct.error and others
        raise RequestError("This image cannot be read; is the file complete?") from None


def _content(uri: object) -> bytes:
    """Return the content of a data URI; raise `RequestError` if it is none, or too long."""
    text = uri if isinstance(uri, str) else ""
    head, _, body = text.partition(",")
    if not re.fullmatch(r"data:image/[a-z]{3,5};base64", head):
        raise RequestError("What came is no image.")
    if len(text) > MAX_UPLOAD_CHARACTERS:
        raise RequestError(
            f"This image takes {len(text):,} characters; at most {MAX_UPLOAD_CHARACTERS:,} can be taken, and "
            f"{MAX_UPLOAD_BYTES:,} bytes of an uploaded file."
        )
    return base64.b64decode(body, validate=True)


def _check_size(header: Image.Image, content: bytes) -> None:
    """Raise an error if an image that is open, and not yet decoded, would take too much memory or time."""
    pixels = header.width * header.height
    deep = header.mode not in EIGHT_BITS
    if pixels > (limit := MAX_DEEP_PIXELS if deep else MAX_UPLOAD_PIXELS):
        words = " of more than 8 bits" if deep else ""
        raise RequestError(
            f"This image has {header.width} x {header.height} pixels{words}; at most {limit:,} can be taken."
        )
    if content.startswith(JPEG_START):
        scans = _count_scans(content)
        if scans > MAX_JPEG_SCANS or scans * pixels > MAX_JPEG_SCANNED_PIXELS:
            raise ImageError("too many scans")


def _count_scans(content: bytes) -> int:
    """Count the scans of a JPEG, up to one more than `MAX_JPEG_SCANS`.

    What stands inside of metadata (a thumbnail) or after the image (the film of a phone) does not count.
    """
    scans, found = 0, JPEG_MARKER.search(content, len(JPEG_START))
    while found and found[1] != JPEG_END and scans <= MAX_JPEG_SCANS:
        scans += found[1] == JPEG_SCAN
        length = int.from_bytes(content[found.end() : found.end() + 2], "big")
        found = JPEG_MARKER.search(content, found.end() + length)
    return scans


def _reduced(header: Image.Image) -> Image.Image:
    """Scale a large image down while it is decoded (JPEG), or as soon as it is."""
    header.draft(None, (MIN_DECODED_SIDE, MIN_DECODED_SIDE))  # a JPEG at 1/2, 1/4 or 1/8; others stay
    factor = min(header.size) // MIN_DECODED_SIDE
    if factor < 2 or header.mode not in EIGHT_BITS:
        return header
    header = decode(header)
    if header.mode in ("1", "P", "PA") or "transparency" in header.info:
        return header.convert("RGBA").reduce(factor)  # colours of a palette have no mean
    return header.reduce(factor)


def thumbnail(image: Image.Image) -> str:
    """Return the middle square of an image, scaled to a thumbnail, as a data URI."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return data_uri(image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS, box), quality=82)


def clean_name(file_name: object, taken: Iterable[str]) -> str:
    """Return a short name of letters, digits and spaces that is not `taken`.

    Browsers call a pasted image "image.png"; such a file becomes "my texture". Names that differ only in case
    or hyphens count as equal.
    """
    text = file_name[:MAX_FILE_NAME_CHARACTERS] if isinstance(file_name, str) else ""
    text = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", normalize_name(text))
    text = plain_words(text, " ")[:MAX_NAME_CHARACTERS].strip()
    if not text or text.casefold() in ("image", "img", "blob", "unknown"):
        text = DEFAULT_NAME
    folded = {name.casefold() for name in taken}
    folded |= {name.replace("-", " ") for name in folded}
    name, k = text, 1
    while name.casefold() in folded:
        k += 1
        name = f"{text} {k}"
    return name


def centroids(textures: Mapping[str, UserTexture]) -> dict[str, Centroid]:
    """Return the centroids by name, as `target_centroid` and `frames` take them."""
    return {name: texture.centroid for name, texture in textures.items()}
