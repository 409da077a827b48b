"""Checkpoints: a folder of `config.json`, `model.safetensors`, `centroids.safetensors`, optionally
`map.safetensors`, `student.safetensors` and `calibration.safetensors`, and a model card.

Nothing in it is executed: there is no code and no pickle. Every file is checked before it is used, and an
error names the damaged file and the reason. `config.json` holds the SHA-256 digests of the safetensors files,
so that files of different checkpoints are never mixed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from fgsd.atomic import Write, current_path, write_together
from fgsd.calibration import Calibration
from fgsd.centroids import CentroidTable
from fgsd.checkpoint_files import (
    CheckpointError,
    check_names,
    file_digest,
    load_tensor_file,
    load_tensors,
    stored,
)
from fgsd.config_fields import built
from fgsd.data import DataConfig
from fgsd.families import check_families
from fgsd.feature_map import FeatureMap
from fgsd.former_names import current_fields
from fgsd.model.network import Denoiser, NetworkConfig
from fgsd.student import Student

FORMAT = "fgsd-checkpoint-1"
MODEL_FILE, CENTROIDS_FILE, MAP_FILE = "model.safetensors", "centroids.safetensors", "map.safetensors"
STUDENT_FILE, CALIBRATION_FILE = "student.safetensors", "calibration.safetensors"
FILES = (MODEL_FILE, CENTROIDS_FILE, MAP_FILE, STUDENT_FILE, CALIBRATION_FILE)  # the last three are optional
CALIBRATION_TENSORS = {  # the stored tensors of a `Calibration`
    **dict.fromkeys(("centre", "shift", "bounds"), torch.float32),
    **dict.fromkeys(("inputs", "outputs"), torch.float16),
}
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
TABLE_TENSORS = ("sigmas", "values", "scales", "colours")  # the stored tensors of a `CentroidTable`
MAX_CONFIG_BYTES = 1_000_000
MAX_DIGEST_BYTES = 1_000  # of these, for the digests of the other files
MAX_BLOCKS = 100
MAX_CHANNELS = 4096


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
    """A trained network with its centroids, and its map, student and calibration if there are any."""

    network: Denoiser
    table: CentroidTable
    info: CheckpointInfo = field(default_factory=CheckpointInfo)
    map: FeatureMap | None = None
    student: Student | None = None
    families: Mapping[str, str] = field(default_factory=dict)  # of classes; some may have none
    calibration: Calibration | None = None


def save_checkpoint(checkpoint: Checkpoint, folder: str | Path, *, card: str | None = None) -> None:
    """Write a checkpoint in place of the previous one: all files or, even if the process is killed, none.

    Weights are stored as float16, and centroids as float32, because the distances between them need the
    precision. Other files of the folder stay as they are.

    Parameters
    ----------
    checkpoint : Checkpoint
    folder : str or Path
        Created if it does not exist.
    card : str, optional
        Text of the model card, `README.md`.

    Raises
    ------
    OSError
        If a file cannot be written; see `fgsd.atomic.write_together`.
    """
    table, network = checkpoint.table, checkpoint.network
    families = {name: checkpoint.families[name] for name in table.classes if name in checkpoint.families}
    description = describe(network.config, checkpoint.info, table.classes, families)
    # like distances, the coordinates of targets among the classes follow from small differences
    exact = dict(network.named_buffers()) if network.target_embedding is not None else {}
    files = {
        MODEL_FILE: {
            k: stored(v, torch.float32 if k in exact else torch.float16)
            for k, v in network.state_dict().items()
        },
        CENTROIDS_FILE: {name: stored(getattr(table, name), torch.float32) for name in TABLE_TENSORS},
    }
    if checkpoint.map is not None and len(checkpoint.map.labels):  # else it follows from the centroids
        files[MAP_FILE] = _map_tensors(checkpoint.map)
    if (student := checkpoint.student) is not None:
        description["student"] = {"sigmas": list(student.sigmas)}
        files[STUDENT_FILE] = {k: stored(v, torch.float16) for k, v in student.network.state_dict().items()}
    if checkpoint.calibration is not None:
        tensors = checkpoint.calibration.tensors()
        files[CALIBRATION_FILE] = {k: stored(tensors[k], d) for k, d in CALIBRATION_TENSORS.items()}

    def write_config(path: Path) -> None:
        digests = {name: file_digest(path.with_name(name)) for name in files}
        text = json.dumps(description | {"sha256": digests}, indent=2) + "\n"
        path.write_text(text, encoding="utf-8")

    writes: dict[str, Write] = {name: partial(save_file, tensors) for name, tensors in files.items()}
    writes["config.json"] = write_config
    if card is not None:
        writes["README.md"] = lambda path: path.write_text(card, encoding="utf-8")
    # a map of older centroids may not outlive them, nor a student or a calibration of an older network
    write_together(Path(folder), writes, remove=set(FILES) - files.keys())


def describe(
    network: NetworkConfig,
    info: CheckpointInfo,
    classes: list[str],
    families: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the content of `config.json`, without digests.

    Raises
    ------
    CheckpointError
        If it could not be loaded again.
    ValueError
        If `families` has an empty or too long name.
    """
    description = {
        "format": FORMAT,
        "network": asdict(network),
        "info": asdict(info),
        "classes": classes,
        **({"families": dict(families)} if families else {}),
    }
    check_families(families or {}, classes)
    _check_size(network, Path("config.json"))
    size = len(json.dumps(description, indent=2)) + MAX_DIGEST_BYTES
    if size > MAX_CONFIG_BYTES:
        raise CheckpointError(
            f"config.json: {len(classes):,} class names and an attribution of {len(info.attribution):,} "
            f"characters exceed its {MAX_CONFIG_BYTES:,} bytes; shorten the names, or the images' LICENSE.md"
        )
    return description


def _map_tensors(map: FeatureMap) -> dict[str, Tensor]:
    """Return the stored tensors of a map."""
    crops = np.column_stack([map.labels, map.images, map.corners])
    tensors = {
        "sigmas": map.sigmas.float(),
        "start_level": torch.tensor(map.start_level, dtype=torch.int32),
        "crops": torch.from_numpy(crops.astype(np.int32)),
        **{name: getattr(map, name) for name in ("scores", "steps", "bases", "kept")},
    }
    if map.embedding is not None:
        tensors["embedding"] = map.embedding
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def load_checkpoint(folder: str | Path) -> Checkpoint:
    """Load a checkpoint that `save_checkpoint` wrote.

    Raises
    ------
    CheckpointError
        If a file is missing, damaged, of another format, or does not match the others.
    """
    folder = Path(folder)
    description = _load_config(current_path(folder, "config.json"))
    digests = _check_digests(folder, description)
    try:
        network_values = current_fields(description.get("network"))
    except ValueError as error:
        raise CheckpointError(f"{folder / 'config.json'}: {error}") from None
    config = _build(NetworkConfig, network_values, "network", folder)
    info = _build(CheckpointInfo, description.get("info"), "info", folder)
    classes = description.get("classes")
    if not (isinstance(classes, list) and classes and all(isinstance(c, str) for c in classes)):
        raise CheckpointError(f"{folder / 'config.json'}: 'classes' must be a list of names")
    families = description.get("families", {})  # older checkpoints have none
    if not isinstance(families, dict):
        raise CheckpointError(f"{folder / 'config.json'}: 'families' must be an object of names")
    try:
        check_families(families, classes)
    except ValueError as error:
        raise CheckpointError(f"{folder / 'config.json'}: {error}") from None
    _check_size(config, folder / "config.json")
    with torch.device("meta"):
        network = Denoiser(config)
    shapes = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    weights = load_tensors(current_path(folder, MODEL_FILE), shapes)
    network = Denoiser(config)
    network.load_state_dict(weights)
    network.eval().requires_grad_(False)
    path = current_path(folder, CENTROIDS_FILE)
    tensors = load_tensors(path, dict.fromkeys(TABLE_TENSORS))
    try:
        table = CentroidTable(classes, **tensors)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None
    if table.dimension != config.dimension:
        raise CheckpointError(f"{path}: {table.dimension} features, the network has {config.dimension}")
    path = current_path(folder, MAP_FILE)
    has_map = path.exists() if digests is None else MAP_FILE in digests
    map = _load_map(path, table) if has_map else None
    student = (
        _load_student(folder, description["student"], config, shapes) if "student" in description else None
    )
    path = current_path(folder, CALIBRATION_FILE)
    calibration = _load_calibration(path, table) if CALIBRATION_FILE in (digests or {}) else None
    return Checkpoint(network, table, info, map, student, families, calibration)


def _load_student(
    folder: Path, values: object, config: NetworkConfig, shapes: Mapping[str, tuple[int, ...]]
) -> Student:
    """Load the distilled network, which has the shapes of its teacher."""
    weights = load_tensors(current_path(folder, STUDENT_FILE), shapes)
    try:
        return Student.of(config, values.get("sigmas") if isinstance(values, dict) else None, weights)
    except ValueError as error:
        raise CheckpointError(f"{folder / 'config.json'}: 'student': {error}") from None


def _load_calibration(path: Path, table: CentroidTable) -> Calibration:
    """Load what is fitted to averaged centroids, which must have the shape of those of the table."""
    tensors = load_tensors(path, dict.fromkeys(CALIBRATION_TENSORS))
    if tensors["centre"].shape != table.scales.shape:
        shape, expected = tuple(tensors["centre"].shape), tuple(table.scales.shape)
        raise CheckpointError(f"{path}: centre has shape {shape}, the centroids have {expected}")
    try:
        return Calibration.of(tensors)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _load_map(path: Path, table: CentroidTable) -> FeatureMap:
    """Load the map of features, which must have the noise levels of the centroids."""
    tensors = load_tensor_file(path)
    check_names(path, tensors, MAP_TENSORS.keys() - ({"embedding"} - tensors.keys()))
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


def _check_digests(folder: Path, description: dict) -> dict[str, str] | None:
    """Refuse files that `config.json` was not written with; older checkpoints have no digests: None."""
    if "sha256" not in description:
        return None
    digests = description["sha256"]
    if not isinstance(digests, dict) or not {MODEL_FILE, CENTROIDS_FILE} <= digests.keys():
        raise CheckpointError(
            f"{folder / 'config.json'}: 'sha256' must hold the digests of {MODEL_FILE} and {CENTROIDS_FILE}"
        )
    for name in digests.keys() & set(FILES):
        path = current_path(folder, name)
        try:
            found = file_digest(path)
        except FileNotFoundError:
            raise CheckpointError(f"{folder} is not a complete checkpoint: it has no {name}") from None
        except OSError as error:
            raise CheckpointError(f"{path}: damaged, or not a safetensors file ({error})") from None
        if found != digests[name]:
            raise CheckpointError(
                f"{path}: damaged, or of another checkpoint than config.json, which holds another SHA-256 "
                "digest; copy, download or export all files of the checkpoint again"
            )
    return digests


def _build(kind: type, values: object, name: str, folder: Path):
    """Build a configuration dataclass from JSON."""
    try:
        return built(kind, values, name)
    except ValueError as error:
        raise CheckpointError(f"{folder / 'config.json'}: {error}") from None
