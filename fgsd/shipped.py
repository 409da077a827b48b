"""The checkpoint, the textures and the report that come with fgsd, wherever it is installed.

In a clone they lie at its root; in a wheel, in the folder `shipped` of the package: see pyproject.toml.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def shipped_root() -> Path:
    """Folder in which paths such as "checkpoints/textures" lie."""
    installed = PACKAGE / "shipped"
    return installed if installed.is_dir() else PACKAGE.parent


def found(path: str | Path) -> Path | str:
    """A path as it is, or, if nothing is there, what came with fgsd under that name (if it did)."""
    came_with = shipped_root() / path
    return came_with if not Path(path).exists() and came_with.exists() else path
