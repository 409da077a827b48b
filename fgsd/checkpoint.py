"""A checkpoint is a folder of `config.json`, `model.safetensors`, `centroids.safetensors`, perhaps
`map.safetensors`, and a model card.

Nothing in it is code or pickle; every file is checked before it is used, and a damaged one is refused by
name with what is wrong.
"""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from fgsd.atomic import write_atomically
from fgsd.centroids import CentroidTable
from fgsd.data import DataConfig
from fgsd.feature_map import FeatureMap
from fgsd.model.network import Denoiser, NetworkConfig

FORMAT = "fgsd-checkpoint-1"
MAP = "map.safetensors"
MAP_TENSORS = {  # of `FeatureMap`, as they are stored; "embedding" may be missing
    "sigmas": torch.float32,
    "start_level": torch.int32,
    "crops": torch.int32,  # (N, 4): class, image, left, top
    "scores": torch.int8,
    "steps": torch.float32,
    "bases": torch.float16,
    "kept": torch.float32,
    "embedding": torch.float32,
}
TABLE = ("sigmas", "values", "spreads", "colours")  # the tensors of `CentroidTable`
MAX_CONFIG_BYTES = 1_000_000
MAX_BLOCKS = 100
MAX_CHANNELS = 4096


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and the reason."""


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says of itself, besides the network."""

    patch_size: int = 64  # side of the training crops, in pixels
    image_size: int | None = None  # shorter side that training images were scaled to, in pixels
    test_share: float = 1 / 3  # share of the rows of each training image that was held out
    sigma_min: float = 0.02  # noise level at which sampling ends, in [-1, 1] units
    sigma_max: float = 20.0  # and at which it begins
    images: int = 0  # crops seen in training
    hours: float = 0.0  # of training
    license: str = "other"  # of the weights, as the hub names it
    attribution: str = ""  # terms of the training images

    @property
    def data(self) -> DataConfig:
        """How the training images were cut: with it a `TextureFolder` has the same held-out strips."""
        return DataConfig(self.image_size, self.patch_size, self.test_share)

    def __post_init__(self) -> None:
        if not 0 < self.sigma_min < self.sigma_max < math.inf:
            raise ValueError(
                f"sigma_min={self.sigma_min} and sigma_max={self.sigma_max} must be positive and rise"
            )
        _ = self.data  # checks the rest


@dataclass(frozen=True)
class Checkpoint:
    """A trained network with its centroids, and the map of its features if one was fitted."""

    network: Denoiser
    table: CentroidTable
    info: CheckpointInfo = field(default_factory=CheckpointInfo)
    map: FeatureMap | None = None


def save_checkpoint(checkpoint: Checkpoint, folder: str | Path, *, card: str | None = None) -> None:
    """Write the folder; each file is complete or not there. Weights are stored as float16, centroids
    as float32: the distances between them need the digits."""
    folder, table = Path(folder), checkpoint.table
    text = json.dumps(
        {
            "format": FORMAT,
            "network": asdict(checkpoint.network.config),
            "info": asdict(checkpoint.info),
            "classes": table.classes,
        },
        indent=2,
    )
    # where targets lie among the classes follows from small differences, like the distances
    exact = dict(checkpoint.network.named_buffers()) if checkpoint.network.foresight is not None else {}
    model = {
        k: _stored(v, torch.float32 if k in exact else torch.float16)
        for k, v in checkpoint.network.state_dict().items()
    }
    centroids = {name: _stored(getattr(table, name), torch.float32) for name in TABLE}
    (folder / MAP).unlink(missing_ok=True)  # a map of older centroids must not outlive them
    write_atomically(folder / "config.json", lambda p: p.write_text(text + "\n"))
    write_atomically(folder / "model.safetensors", lambda p: save_file(model, p))
    write_atomically(folder / "centroids.safetensors", lambda p: save_file(centroids, p))
    _save_map(checkpoint.map, folder)
    if card is not None:
        write_atomically(folder / "README.md", lambda p: p.write_text(card))


def _save_map(map: FeatureMap | None, folder: Path) -> None:
    """A map that is None, or has no crops, follows from the centroids alone and is not kept."""
    if map is None or not len(map.labels):
        return
    crops = np.column_stack([map.labels, map.images, map.corners])
    tensors = {
        "sigmas": map.sigmas.float(),
        "start_level": torch.tensor(map.start_level, dtype=torch.int32),
        "crops": torch.from_numpy(crops.astype(np.int32)),
        **{name: getattr(map, name) for name in ("scores", "steps", "bases", "kept")},
    }
    if map.embedding is not None:
        tensors["embedding"] = map.embedding
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(folder / MAP, lambda p: save_file(tensors, p))


def load_checkpoint(folder: str | Path) -> Checkpoint:
    """Read a folder that `save_checkpoint` wrote.

    Raises
    ------
    CheckpointError
        If a file is missing, cut off, of another format, or does not fit the others.
    """
    folder = Path(folder)
    description = _read_config(folder / "config.json")
    config = _build(NetworkConfig, description.get("network"), "network", folder)
    info = _build(CheckpointInfo, description.get("info"), "info", folder)
    classes = description.get("classes")
    if not (isinstance(classes, list) and classes and all(isinstance(c, str) for c in classes)):
        raise CheckpointError(f"{folder / 'config.json'}: 'classes' must be a list of names")
    _check_size(config, folder / "config.json")
    with torch.device("meta"):
        network = Denoiser(config)
    shapes = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    weights = _read_tensors(folder / "model.safetensors", shapes)
    network = Denoiser(config)
    network.load_state_dict(weights)
    network.eval().requires_grad_(False)
    path = folder / "centroids.safetensors"
    tensors = _read_tensors(path, dict.fromkeys(TABLE))
    try:
        table = CentroidTable(classes, **tensors)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None
    if table.dimension != config.dimension:
        raise CheckpointError(f"{path}: {table.dimension} features, the network has {config.dimension}")
    return Checkpoint(network, table, info, _load_map(folder / MAP, table))


def _load_map(path: Path, table: CentroidTable) -> FeatureMap | None:
    """The map of features, if there is a file; refused unless it was made for these centroids' levels."""
    if not path.exists():
        return None
    tensors = _load(path)
    _check_names(path, tensors, MAP_TENSORS.keys() - ({"embedding"} - tensors.keys()))
    for name, tensor in tensors.items():
        if tensor.dtype != MAP_TENSORS[name]:
            raise CheckpointError(f"{path}: {name} is {tensor.dtype}, expected {MAP_TENSORS[name]}")
        if not bool(tensor.isfinite().all()):
            raise CheckpointError(f"{path}: {name} must hold finite numbers")
    sigmas, crops, start = (tensors.pop(name) for name in ("sigmas", "crops", "start_level"))
    if not torch.equal(sigmas, table.sigmas):
        raise CheckpointError(f"{path}: its noise levels are not those of the centroids; fit the map again")
    if crops.ndim != 2 or crops.shape[1] != 4 or not len(crops):
        raise CheckpointError(f"{path}: crops has shape {tuple(crops.shape)}, expected (N, 4)")
    if start.ndim:
        raise CheckpointError(f"{path}: start_level has shape {tuple(start.shape)}, expected a number")
    labels, images, *corners = crops.long().numpy().T
    try:
        return FeatureMap(table, int(start), labels, images, np.stack(corners, axis=1), **tensors)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _check_size(config: NetworkConfig, path: Path) -> None:
    """Refuse a network that is too large before any memory is taken or any module is built for it."""
    counted = (config.head, config.embedding, config.gate, config.labels, config.standards, config.foresight)
    widest = max(*config.widths, *counted)
    if sum(config.blocks) > MAX_BLOCKS or widest > MAX_CHANNELS:
        raise CheckpointError(
            f"{path}: 'network' is larger than {MAX_BLOCKS} blocks or {MAX_CHANNELS:,} channels, labels, "
            f"standards or foresight: {config}"
        )


def _stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.detach().cpu().to(dtype).contiguous()


def _read_config(path: Path) -> dict:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise CheckpointError(f"{path}: larger than {MAX_CONFIG_BYTES:,} bytes, not a checkpoint of ours")
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} is no checkpoint: it has no {path.name}") from None
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: not readable as JSON ({error})") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise CheckpointError(f"{path}: 'format' must be {FORMAT!r}; this is no checkpoint of this version")
    return description


def _build(kind: type, values: object, name: str, folder: Path):
    """A configuration dataclass from JSON, with every field checked for its type."""
    path = folder / "config.json"
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: {name!r} must be an object")
    if unknown := values.keys() - {f.name for f in fields(kind)}:
        raise CheckpointError(f"{path}: {name!r} has unknown entries {sorted(unknown)}")
    hints, arguments = typing.get_type_hints(kind), {}
    for key, value in values.items():
        if isinstance(value, list):
            value = tuple(value)
        if not _fits(value, hints[key]):
            raise CheckpointError(f"{path}: {name}.{key}={value!r} is not of type {hints[key]}")
        arguments[key] = float(value) if hints[key] is float else value
    try:
        return kind(**arguments)
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: {name!r}: {error}") from None


def _fits(value: object, hint: Any) -> bool:
    if isinstance(hint, types.UnionType):
        return any(_fits(value, option) for option in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(v, typing.get_args(hint)[0]) for v in value)
    if hint is float:  # beyond what any entry means, so that squares of it are finite in float32
        return isinstance(value, (int, float)) and not isinstance(value, bool) and not abs(value) > 1e9
    if is_dataclass(hint):
        return False
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def _read_tensors(path: Path, shapes: Mapping[str, tuple[int, ...] | None]) -> dict[str, Tensor]:
    """The tensors of a file as finite float32; names and shapes (None: any) must be those given."""
    tensors = _load(path)
    _check_names(path, tensors, shapes.keys())
    for name, shape in shapes.items():
        tensor = tensors[name]
        if shape is not None and tuple(tensor.shape) != shape:
            raise CheckpointError(f"{path}: {name} has shape {tuple(tensor.shape)}, expected {shape}")
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise CheckpointError(f"{path}: {name} must hold finite floating-point numbers")
        tensors[name] = tensor.float()
    return tensors


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} is no checkpoint: it has no {path.name}") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged or no safetensors file ({error})") from None


def _check_names(path: Path, tensors: Iterable[str], expected: Iterable[str]) -> None:
    if missing := set(expected) - set(tensors):
        raise CheckpointError(f"{path}: lacks {', '.join(sorted(missing)[:3])}")
    if extra := set(tensors) - set(expected):
        raise CheckpointError(f"{path}: has tensors of another network: {', '.join(sorted(extra)[:3])}")
