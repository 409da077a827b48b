"""Names that fields and tensors have in older checkpoints and training runs, and their names of today."""

from __future__ import annotations

import re

from torch import Tensor

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


def current_tensors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors of a checkpoint under their names of today.

    Older tables of centroids have "spreads" (C, S, F) of each class; "scales" is their root mean square.
    """
    found = {current_tensor_name(name): tensor for name, tensor in tensors.items()}
    spreads = found.get("spreads")
    if "scales" not in found and spreads is not None and spreads.ndim and spreads.is_floating_point():
        found["scales"] = found.pop("spreads").float().square().mean(dim=0).sqrt()
    return found


def current_tensor_name(name: str) -> str:
    """Return today's name of a tensor of `Denoiser` that was stored under a name of `TENSORS_BEFORE`."""
    for before, now in TENSORS_BEFORE.items():
        name = re.sub(before, now, name)
    return name
