"""Paths of the checkpoint, the textures and the report that are shipped with fgsd.

In a clone they are at its root; in an installed wheel they are in the package's folder `shipped` (see
pyproject.toml).
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def shipped_root() -> Path:
    """Return the folder that contains shipped paths such as "checkpoints/textures"."""
    installed = PACKAGE / "shipped"
    return installed if installed.is_dir() else PACKAGE.parent


def resolve_shipped(path: str | Path) -> Path | str:
    """Return `path` if it exists, else the shipped path of that name if it exists, else `path` unchanged."""
    shipped = shipped_root() / path
    return shipped if not Path(path).exists() and shipped.exists() else path
