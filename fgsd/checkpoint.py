"""Checkpoints: a folder of `config.json`, `model.safetensors`, `centroids.safetensors`, optionally
`map.safetensors`, and a model card.

Nothing in it is executed: there is no code and no pickle. Every file is checked before it is used, and an
error names the damaged file and the reason.
"""

from __future__ import annotations

import json
import math
import re
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
MAP_FILE = "map.safetensors"
MAP_TENSORS = {  # the stored tensors of a `FeatureMap`; "embedding" is optional
    "sigmas": torch.float32,
    "start_level": torch.int32,
    "crops": torch.int32,  # (N, 4): class, image, left, top
    "scores": torch.int8,
    "steps": torch.float32,
    "bases": torch.float16,
    "kept": torch.float32,
    "embedding": torch.float32,
}
TABLE_TENSORS = ("sigmas", "values", "spreads", "colours")  # the stored tensors of a `CentroidTable`
MAX_CONFIG_BYTES = 1_000_000
MAX_BLOCKS = 100
MAX_CHANNELS = 4096
# Checkpoints and training runs from before version 0.1 was released have other names for some fields of
# `NetworkConfig` and for some tensors of `Denoiser`; they are renamed when such a file is loaded.
FIELDS_BEFORE = {"standards": "normalization_levels", "foresight": "target_embedding", "lit": "film"}
TENSORS_BEFORE = {  # regular expressions
    r"^standards\.logs$": "normalization.log_sigmas",
    r"^standards\.": "normalization.",
    r"^foresight\.": "target_embedding.",
    r"^read\.": "target_embedding.project.",
    r"\.matched\.own\.": ".matched.deviation.",
    r"\.matched\.light\.": ".matched.film.",
}


class CheckpointError(ValueError):
    """A checkpoint cannot be used; the message names the file and the reason."""


@dataclass(frozen=True)
class CheckpointInfo:
    """Settings and terms of a checkpoint, besides the network."""

    patch_size: int = 64  # side of the training crops, in pixels
    image_size: int | None = None  # shorter side that training images were scaled to, in pixels
    test_share: float = 1 / 3  # fraction of the rows of each training image that was held out
    sigma_min: float = 0.02  # noise level at which sampling ends, in [-1, 1] units
    sigma_max: float = 20.0  # noise level at which sampling begins
    images: int = 0  # crops seen in training
    hours: float = 0.0  # duration of training
    license: str = "other"  # license of the weights, as the Hugging Face hub names it
    attribution: str = ""  # terms of the training images

    @property
    def data(self) -> DataConfig:
        """How training images were cut; a `TextureFolder` with it has the same held-out strips."""
        return DataConfig(self.image_size, self.patch_size, self.test_share)

    def __post_init__(self) -> None:
        if not 0 < self.sigma_min < self.sigma_max < math.inf:
            raise ValueError(
                f"sigma_min={self.sigma_min} and sigma_max={self.sigma_max} must be positive and rise"
            )
        _ = self.data  # validates the other fields


@dataclass(frozen=True)
class Checkpoint:
    """A trained network with its centroids, and the map of its features if there is one."""

    network: Denoiser
    table: CentroidTable
    info: CheckpointInfo = field(default_factory=CheckpointInfo)
    map: FeatureMap | None = None


def save_checkpoint(checkpoint: Checkpoint, folder: str | Path, *, card: str | None = None) -> None:
    """Write a checkpoint; each file is complete or absent, even if the process is killed.

    Weights are stored as float16, and centroids as float32, because the distances between them need the
    precision.

    Parameters
    ----------
    checkpoint : Checkpoint
    folder : str or Path
        Created if it does not exist.
    card : str, optional
        Text of the model card, `README.md`.
    """
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
    # like distances, the coordinates of targets among the classes follow from small differences
    embeds = checkpoint.network.target_embedding is not None
    exact = dict(checkpoint.network.named_buffers()) if embeds else {}
    model = {
        k: _stored(v, torch.float32 if k in exact else torch.float16)
        for k, v in checkpoint.network.state_dict().items()
    }
    centroids = {name: _stored(getattr(table, name), torch.float32) for name in TABLE_TENSORS}
    (folder / MAP_FILE).unlink(missing_ok=True)  # a map of older centroids must not outlive them
    write_atomically(folder / "config.json", lambda p: p.write_text(text + "\n", encoding="utf-8"))
    write_atomically(folder / "model.safetensors", lambda p: save_file(model, p))
    write_atomically(folder / "centroids.safetensors", lambda p: save_file(centroids, p))
    _save_map(checkpoint.map, folder)
    if card is not None:
        write_atomically(folder / "README.md", lambda p: p.write_text(card, encoding="utf-8"))


def _save_map(map: FeatureMap | None, folder: Path) -> None:
    """Write the map, unless it has no crops: then it follows from the centroids."""
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
    write_atomically(folder / MAP_FILE, lambda p: save_file(tensors, p))


def load_checkpoint(folder: str | Path) -> Checkpoint:
    """Load a checkpoint that `save_checkpoint` wrote.

    Raises
    ------
    CheckpointError
        If a file is missing, damaged, of another format, or does not match the others.
    """
    folder = Path(folder)
    description = _load_config(folder / "config.json")
    try:
        network_values = current_fields(description.get("network"))
    except ValueError as error:
        raise CheckpointError(f"{folder / 'config.json'}: {error}") from None
    config = _build(NetworkConfig, network_values, "network", folder)
    info = _build(CheckpointInfo, description.get("info"), "info", folder)
    classes = description.get("classes")
    if not (isinstance(classes, list) and classes and all(isinstance(c, str) for c in classes)):
        raise CheckpointError(f"{folder / 'config.json'}: 'classes' must be a list of names")
    _check_size(config, folder / "config.json")
    with torch.device("meta"):
        network = Denoiser(config)
    shapes = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    weights = _load_tensors(folder / "model.safetensors", shapes)
    network = Denoiser(config)
    network.load_state_dict(weights)
    network.eval().requires_grad_(False)
    path = folder / "centroids.safetensors"
    tensors = _load_tensors(path, dict.fromkeys(TABLE_TENSORS))
    try:
        table = CentroidTable(classes, **tensors)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None
    if table.dimension != config.dimension:
        raise CheckpointError(f"{path}: {table.dimension} features, the network has {config.dimension}")
    return Checkpoint(network, table, info, _load_map(folder / MAP_FILE, table))


def _load_map(path: Path, table: CentroidTable) -> FeatureMap | None:
    """Load the map of features, if there is one; it must have the noise levels of the centroids."""
    if not path.exists():
        return None
    tensors = _load_file(path)
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
    """Refuse a network that is too large, before memory is allocated for it."""
    sizes = (
        *config.widths,
        config.head,
        config.embedding,
        config.gate,
        config.labels,
        config.normalization_levels,
        config.target_embedding,
    )
    if sum(config.blocks) > MAX_BLOCKS or max(sizes) > MAX_CHANNELS:
        raise CheckpointError(
            f"{path}: 'network' is larger than {MAX_BLOCKS} blocks or {MAX_CHANNELS:,} channels, labels, "
            f"normalization_levels or target_embedding: {config}"
        )


def _stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.detach().cpu().to(dtype).contiguous()


def _load_config(path: Path) -> dict:
    """Load `config.json`, and check its size and format."""
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise CheckpointError(f"{path}: larger than {MAX_CONFIG_BYTES:,} bytes, not a checkpoint of fgsd")
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} is not a checkpoint: it has no {path.name}") from None
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: not readable as JSON ({error})") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: 'format' must be {FORMAT!r}; this is not a checkpoint of this version"
        )
    return description


def _build(kind: type, values: object, name: str, folder: Path):
    """Build a configuration dataclass from JSON, and check the type of every field."""
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
    """Whether a value of JSON is of the annotated type."""
    if isinstance(hint, types.UnionType):
        return any(_fits(value, option) for option in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(v, typing.get_args(hint)[0]) for v in value)
    if hint is float:  # the bound exceeds any sensible value, and its square is finite in float32
        return isinstance(value, (int, float)) and not isinstance(value, bool) and not abs(value) > 1e9
    if is_dataclass(hint):
        return False
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def _load_tensors(path: Path, shapes: Mapping[str, tuple[int, ...] | None]) -> dict[str, Tensor]:
    """Load the tensors of a file as finite float32; names and shapes (None: any) must be those given."""
    tensors = {current_tensor_name(name): tensor for name, tensor in _load_file(path).items()}
    _check_names(path, tensors, shapes.keys())
    for name, shape in shapes.items():
        tensor = tensors[name]
        if shape is not None and tuple(tensor.shape) != shape:
            raise CheckpointError(f"{path}: {name} has shape {tuple(tensor.shape)}, expected {shape}")
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise CheckpointError(f"{path}: {name} must hold finite floating-point numbers")
        tensors[name] = tensor.float()
    return tensors


def _load_file(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} is not a checkpoint: it has no {path.name}") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged, or not a safetensors file ({error})") from None


def _check_names(path: Path, tensors: Iterable[str], expected: Iterable[str]) -> None:
    """Refuse a file with missing or unexpected tensors."""
    if missing := set(expected) - set(tensors):
        raise CheckpointError(f"{path}: lacks {', '.join(sorted(missing)[:3])}")
    if extra := set(tensors) - set(expected):
        raise CheckpointError(f"{path}: has tensors of another network: {', '.join(sorted(extra)[:3])}")


def current_fields(network: object) -> object:
    """Rename the fields of a `NetworkConfig` that was stored under the names of `FIELDS_BEFORE`.

    Raises
    ------
    ValueError
        If the network has an option that is no longer supported.
    """
    if not isinstance(network, dict):
        return network
    if network.get("own_colour", False) is not False:
        raise ValueError(
            f"network.own_colour={network['own_colour']!r} is no longer supported: the last layer of such a "
            "network reads the mean colour of the noisy image; train it anew without this option"
        )
    found = {k: v for k, v in network.items() if k != "own_colour"}
    for before, now in FIELDS_BEFORE.items():
        if before in found and now not in found:
            found[now] = found.pop(before)
    return found


def current_tensor_name(name: str) -> str:
    """Return today's name of a tensor of `Denoiser` that was stored under a name of `TENSORS_BEFORE`."""
    for before, now in TENSORS_BEFORE.items():
        name = re.sub(before, now, name)
    return name
