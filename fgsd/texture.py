"""Texture files: one texture as a small file, a centroid with a name and a thumbnail.

The file is a safetensors file, in which nothing is executed, and every value in it is checked. It names the
network whose features the centroid holds, and is refused by other networks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from fgsd.atomic import write_atomically
from fgsd.centroids import Centroid, CentroidTable
from fgsd.names import normalize_name

FORMAT = "fgsd-texture-1"
SUFFIX = ".fgsd.safetensors"
THUMBNAIL = 64  # side in pixels
MAX_BYTES = 200_000  # of a file; one of the shipped network has about 43,000
MAX_NAME_CHARACTERS = 100
MAX_LEVELS, MAX_FEATURES = 100, 10_000
MAX_VALUE = 1e6  # features of a network are a few units
TENSORS = {
    "sigmas": torch.float32,
    "values": torch.float32,
    "colour": torch.float32,
    "thumbnail": torch.uint8,
}


class TextureError(ValueError):
    """A texture file cannot be used; the message names the file and the reason."""


@dataclass(frozen=True)
class Texture:
    """A texture that is no class of a checkpoint: a target for `Pipeline.sample`.

    Parameters
    ----------
    name : str
        Not empty, at most `MAX_NAME_CHARACTERS` characters; stored in Unicode form NFC.
    centroid : Centroid
    thumbnail : Image
        RGB, `THUMBNAIL` pixels wide and high.
    network : str
        `tensors_digest` of the weights that the centroid belongs to.
    """

    name: str
    centroid: Centroid
    thumbnail: Image.Image
    network: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", check_texture_name(self.name))

    def centroid_for(self, network: str, table: CentroidTable) -> Centroid:
        """Return the centroid; raise `ValueError` unless it is of the network with this digest and table."""
        centroid = self.centroid
        fits = centroid.values.shape == table.values.shape[1:] and torch.equal(centroid.sigmas, table.sigmas)
        if self.network != network or not fits:
            raise ValueError(
                f"texture {self.name!r} was made with another network, and samples with that one only"
            )
        return centroid

    def save(self, path: str | Path) -> None:
        """Write the texture to a file, which replaces an older one as a whole.

        Raises
        ------
        ValueError
            If the name of the file does not end in `SUFFIX`.
        OSError
            If the file cannot be written.
        """
        check_texture_suffix(path)
        content = self.to_bytes()
        write_atomically(Path(path), lambda file: Path(file).write_bytes(content))

    @classmethod
    def load(cls, path: str | Path) -> Texture:
        """Load a file that `save` wrote.

        Raises
        ------
        TextureError
            If there is no such file, or it is damaged or no texture.
        """
        try:
            with Path(path).open("rb") as file:
                content = file.read(MAX_BYTES + 1)  # no more than it takes to refuse a large file
        except FileNotFoundError:
            raise TextureError(f"{path}: there is no such file") from None
        except OSError as error:
            raise TextureError(f"{path}: damaged, or no texture file ({error})") from None
        return cls.from_bytes(content, str(path))

    def to_bytes(self) -> bytes:
        """Return the content of the file that `save` writes."""
        tensors = {
            "sigmas": self.centroid.sigmas,
            "values": self.centroid.values,
            "colour": self.centroid.colour,
            "thumbnail": torch.from_numpy(np.array(self.thumbnail.convert("RGB"))),
        }
        stored = {name: tensors[name].to("cpu", dtype).contiguous() for name, dtype in TENSORS.items()}
        return to_safetensors(stored, {"format": FORMAT, "name": self.name, "network": self.network})

    @classmethod
    def from_bytes(cls, content: bytes, path: str = "this file") -> Texture:
        """Return the texture that a file holds.

        Parameters
        ----------
        content : bytes
            Of the file.
        path : str
            What error messages call it.

        Raises
        ------
        TextureError
            If the content is damaged or no texture.
        """
        metadata, tensors = _parse(content, path)
        if metadata.get("format") != FORMAT:
            raise TextureError(f"{path}: is no texture file of this version of fgsd ({FORMAT})")
        if tensors.keys() != TENSORS.keys():
            raise TextureError(f"{path}: must hold exactly the tensors {', '.join(TENSORS)}")
        for name, tensor in tensors.items():
            if tensor.dtype != TENSORS[name]:
                raise TextureError(f"{path}: {name} is {tensor.dtype}, expected {TENSORS[name]}")
            if not bool(tensor.isfinite().all()) or bool((tensor.abs() > MAX_VALUE).any()):
                raise TextureError(f"{path}: {name} must hold finite numbers up to {MAX_VALUE:g}")
        sigmas, values, colour, thumbnail = (tensors[name] for name in TENSORS)
        if not (sigmas.ndim == 1 and 0 < len(sigmas) <= MAX_LEVELS and bool((sigmas.diff() > 0).all())):
            raise TextureError(f"{path}: sigmas must be a list of 1 to {MAX_LEVELS} increasing noise levels")
        if not sigmas[0] > 0:
            raise TextureError(f"{path}: sigmas must be positive")
        shapes = {
            "values": (values, (len(sigmas), min(values.shape[-1], MAX_FEATURES) if values.ndim else 0)),
            "colour": (colour, (3,)),
            "thumbnail": (thumbnail, (THUMBNAIL, THUMBNAIL, 3)),
        }
        for name, (tensor, shape) in shapes.items():
            if tuple(tensor.shape) != shape:
                raise TextureError(f"{path}: {name} has shape {tuple(tensor.shape)}, expected {shape}")
        try:
            picture = Image.fromarray(thumbnail.numpy())
            return cls(
                metadata.get("name", ""),
                Centroid(sigmas, values, colour),
                picture,
                metadata.get("network", ""),
            )
        except ValueError as error:
            raise TextureError(f"{path}: {error}") from None


def check_texture_name(name: str) -> str:
    """Return a name in Unicode form NFC; raise `ValueError` unless it can be the name of a texture."""
    text = normalize_name(name) if isinstance(name, str) else ""
    if not text.strip() or len(text) > MAX_NAME_CHARACTERS or not text.isprintable():
        raise ValueError(f"name={name!r} must have 1 to {MAX_NAME_CHARACTERS} printable characters")
    return text


def check_texture_suffix(path: str | Path) -> None:
    """Raise `ValueError` unless the name of a file is that of a texture file."""
    if not is_texture_file(path):
        raise ValueError(f"{path}: the name of a texture file must end in {SUFFIX}")


def is_texture_file(path: str | Path) -> bool:
    """Return whether the name of a file is that of a texture file."""
    return Path(path).name.endswith(SUFFIX)


def thumbnail_of(image: Image.Image) -> Image.Image:
    """Return the middle square of an RGB image as a thumbnail."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS, box)


def tensors_digest(tensors: Mapping[str, Tensor] | nn.Module) -> str:
    """Return 16 hexadecimal digits that differ between sets of named tensors, such as networks."""
    if isinstance(tensors, nn.Module):
        tensors = dict(sorted(tensors.state_dict().items()))
    digest = hashlib.sha256()
    for name, value in tensors.items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _parse(content: bytes, path: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return metadata and tensors of a safetensors file."""
    if len(content) > MAX_BYTES:
        raise TextureError(f"{path}: is too large; a texture file has at most {MAX_BYTES:,} bytes")
    try:
        tensors = from_safetensors(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise TextureError(f"{path}: damaged, or no texture file ({error})") from None
    # the library, which has checked the header, returns no metadata of a file in memory
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]).get("__metadata__", {}), tensors
