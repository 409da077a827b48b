"""The names that fields and tensors had in checkpoints and runs before they were renamed, for tests."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fgsd.former_names import FIELDS_BEFORE
from fgsd.model.network import NetworkConfig

TENSORS = (  # today's part of a name, and that of before
    ("normalization.log_sigmas", "standards.logs"),
    ("normalization.", "standards."),
    ("target_embedding.project.", "read."),
    ("target_embedding.", "foresight."),
    (".matched.deviation.", ".matched.own."),
    (".matched.film.", ".matched.light."),
)


def network_before(config: NetworkConfig) -> dict[str, Any]:
    """The entry "network" of a `config.json`."""
    before = {now: name for name, now in FIELDS_BEFORE.items()}
    fields = {before.get(name, name): value for name, value in asdict(config).items()}
    return fields | {"own_colour": False}


def tensor_before(name: str) -> str:
    """The name of a tensor of a network, or of a training state."""
    for now, before in TENSORS:
        name = name.replace(now, before)
    return "more/read" if name == "more/coordinates" else name
