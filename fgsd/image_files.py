"""Find the image files of each class in a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from fgsd.names import decode_name, printable

IGNORED_SUFFIXES = {".csv", ".json", ".md", ".txt", ".html", ".yaml", ".yml"}
# What desktops, Jupyter and macOS (.), Synology and QNAP (@, #), Windows ($) and zip files made by macOS put
# beside images. A dot also begins the "._x.png" that macOS writes for "x.png"
HIDDEN_PREFIXES = (".", "@", "$", "__macosx")
HIDDEN_NAMES = {
    "#recycle",
    "#snapshot",
    "__pycache__",
    "desktop.ini",
    "ehthumbs.db",
    "lost+found",
    "system volume information",
    "thumbs.db",
}


@dataclass
class ImageFiles:
    """What `find_images` finds."""

    files: list[tuple[Path, str]] = field(default_factory=list)  # each with the name of its class
    folders: list[tuple[Path, str]] = field(default_factory=list)  # those that should be classes
    skipped: list[str] = field(default_factory=list)  # a message for each that is left out


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden, or made by a tool and not by the user."""
    name = name.casefold()
    return name.startswith(HIDDEN_PREFIXES) or name in HIDDEN_NAMES


def find_images(root: Path) -> ImageFiles:
    """Find the files to load in a folder of images; `TextureFolder` says which they are.

    Links to folders are followed. A folder is visited once for each class, and never if it contains the link
    to it, so that links cannot lead round in circles.

    Raises
    ------
    ValueError
        If the folder cannot be read, or if the name of a class is not UTF-8 or comes in two spellings.
    """
    found, hidden = ImageFiles(), _Hidden()
    spellings: dict[str, str] = {}
    try:
        entries = sorted(root.iterdir())
    except OSError as error:
        raise ValueError(f"data folder {printable(root)!r} cannot be read: {error.strerror}") from None
    around = _with_parents(root)
    for path in entries:
        is_folder = path.is_dir()
        if is_hidden(path.name):
            hidden.add(path, is_folder=is_folder)
        elif is_folder and os.path.realpath(path) in around:
            found.skipped.append(_loop(path))
        elif is_folder or _is_wanted(path):
            name = _class_name(path, path.name if is_folder else path.stem, spellings)
            if is_folder:
                found.folders.append((path, name))
                files = _files_below(path, around, found.skipped, hidden)
            else:
                files = [path]
            found.files += [(file, name) for file in files]
    found.skipped += hidden.messages()
    return found


def _files_below(folder: Path, around: set[str], skipped: list[str], hidden: _Hidden) -> list[Path]:
    """Return the files to load at any depth of a class folder, sorted."""

    def refuse(error: OSError) -> None:
        skipped.append(f"{printable(error.filename)}: cannot be read: {error.strerror}")

    files, visited = [], set()
    around = around | _with_parents(folder)
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        visited.add(os.path.realpath(parent))
        below = []
        for path in (Path(parent, name) for name in sorted(folders)):
            target = os.path.realpath(path)
            if is_hidden(path.name):
                hidden.add(path, is_folder=True)
            elif path.is_symlink() and target in around:
                skipped.append(_loop(path))
            elif target not in visited:
                visited.add(target)
                below.append(path.name)
        folders[:] = below
        for path in (Path(parent, name) for name in sorted(names)):
            if is_hidden(path.name):
                hidden.add(path, is_folder=False)
            elif _is_wanted(path):
                files.append(path)
    return sorted(files)


class _Hidden:
    """Hidden folders and images that were passed over, to say so in few lines."""

    def __init__(self) -> None:
        self._folders: dict[str, list[Path]] = {}
        self._images: list[Path] = []

    def add(self, path: Path, *, is_folder: bool) -> None:
        if is_folder:
            self._folders.setdefault(path.name, []).append(path)
        elif path.suffix.lower() in Image.registered_extensions():
            self._images.append(path)

    def messages(self) -> list[str]:
        """Return one line for each name of a folder, and one for all images."""
        groups = [("folders of this name", paths) for paths in self._folders.values()]
        groups += [("files of such names", self._images)] if self._images else []
        return [
            f"{printable(paths[0])}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''}: "
            f"{kind} are hidden or made by a tool"
            for kind, paths in groups
        ]


def _class_name(path: Path, name: str, spellings: dict[str, str]) -> str:
    """Return the class name of a file or folder; refuse it if it is not UTF-8, or has two spellings."""
    kind = "folder" if path.is_dir() else "file"
    try:
        known = decode_name(name)
    except UnicodeError:
        raise ValueError(
            f"{printable(path)}: the name of this {kind} is not UTF-8, as names of classes must be; rename it"
        ) from None
    if spellings.setdefault(known, name) != name:
        raise ValueError(
            f"{printable(path)}: two classes in this folder are named {known!r}, in different spellings of "
            f"Unicode ({spellings[known]!a} and {name!a}); rename one, or merge them"
        )
    return known


def _is_wanted(path: Path) -> bool:
    """Return whether a path is a file to load, or a broken link, which `load_image` then reports by name.

    Pipes and devices are left out: reading from them can block for ever.
    """
    if path.suffix.lower() in IGNORED_SUFFIXES:
        return False
    return path.is_file() or (path.is_symlink() and not path.exists())


def _with_parents(folder: Path) -> set[str]:
    """Return a folder and all that contain it, without links."""
    real = Path(os.path.realpath(folder))
    return {str(real), *map(str, real.parents)}


def _loop(path: Path) -> str:
    return f"{printable(path)}: this link leads to a folder that contains it"
