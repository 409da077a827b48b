"""Image files of each class in a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from fgsd.names import decode_name, printable

IGNORED_SUFFIXES = {".csv", ".json", ".md", ".txt", ".html", ".yaml", ".yml"}
# Hidden files, and folders that tools make beside images: desktops, Jupyter and macOS (.), Synology and QNAP
# (@, #), Windows ($), archives made by macOS. macOS also writes "._x.png" beside "x.png".
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
    """Result of `find_images`."""

    files: list[tuple[Path, str]] = field(default_factory=list)  # each with the name of its class
    folders: list[tuple[Path, str]] = field(default_factory=list)  # those of classes, each with the name
    skipped: list[str] = field(default_factory=list)  # messages about files and folders that are left out


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is hidden or made by a tool."""
    name = name.casefold()
    return name.startswith(HIDDEN_PREFIXES) or name in HIDDEN_NAMES


def find_images(root: Path) -> ImageFiles:
    """Find the image files of a folder, and the classes to which they belong.

    A class is a file, or a sub-folder with the files at any depth. Files of `IGNORED_SUFFIXES` are no images.
    Links to folders are followed; a folder is visited once for each class. A link to a folder that contains
    the link is skipped, which ends cycles.

    Raises
    ------
    ValueError
        If the folder cannot be read, or the name of a class is not UTF-8 or occurs in two Unicode forms.
    """
    found, hidden = ImageFiles(), _HiddenPaths()
    forms: dict[str, str] = {}
    try:
        entries = sorted(root.iterdir())
    except OSError as error:
        raise ValueError(f"data folder {printable(root)!r} cannot be read: {error.strerror}") from None
    ancestors = _with_ancestors(root)
    for path in entries:
        is_folder = os.path.isdir(path)
        if is_hidden(path.name):
            hidden.add(path, is_folder=is_folder)
        elif is_folder and os.path.realpath(path) in ancestors:
            found.skipped.append(_cycle_message(path))
        elif is_folder:
            name = _class_name(path, path.name, forms)
            found.folders.append((path, name))
            files = _files_below(path, ancestors, found.skipped, hidden)
            found.files += [(file, name) for file in files]
        elif _is_loadable(path):
            found.files.append((path, _class_name(path, path.stem, forms)))
    found.skipped += hidden.messages()
    return found


def _files_below(folder: Path, ancestors: set[str], skipped: list[str], hidden: _HiddenPaths) -> list[Path]:
    """Return the files to load at any depth of a class folder, sorted."""

    def skip(error: OSError) -> None:
        skipped.append(f"{printable(error.filename)}: cannot be read: {error.strerror}")

    files, visited = [], set()
    ancestors = ancestors | _with_ancestors(folder)
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=skip):
        visited.add(os.path.realpath(parent))
        to_visit = []
        for path in (Path(parent, name) for name in sorted(folders)):
            target = os.path.realpath(path)
            if is_hidden(path.name):
                hidden.add(path, is_folder=True)
            elif path.is_symlink() and target in ancestors:
                skipped.append(_cycle_message(path))
            elif target not in visited:
                visited.add(target)
                to_visit.append(path.name)
        folders[:] = to_visit
        for path in (Path(parent, name) for name in sorted(names)):
            if is_hidden(path.name):
                hidden.add(path, is_folder=False)
            elif _is_loadable(path):
                files.append(path)
    return sorted(files)


class _HiddenPaths:
    """Hidden folders and images that are skipped, grouped so that few lines report them."""

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
        groups += [("files with such names", self._images)] if self._images else []
        return [
            f"{printable(paths[0])}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''}: "
            f"{kind} are hidden or made by a tool"
            for kind, paths in groups
        ]


def _class_name(path: Path, name: str, forms: dict[str, str]) -> str:
    """Return the class name of a file or folder, and record in `forms` how its file name writes it.

    Raises
    ------
    ValueError
        If the name is not UTF-8, or `forms` has the class in another Unicode form.
    """
    try:
        normalized = decode_name(name)
    except UnicodeError:
        kind = "folder" if os.path.isdir(path) else "file"
        raise ValueError(
            f"{printable(path)}: the name of this {kind} is not UTF-8, as class names must be; rename it"
        ) from None
    if forms.setdefault(normalized, name) != name:
        raise ValueError(
            f"{printable(path)}: two classes of this folder are named {normalized!r}, in different Unicode "
            f"forms ({forms[normalized]!a} and {name!a}); rename one or merge them"
        )
    return normalized


def _is_loadable(path: Path) -> bool:
    """Return whether a path is a file to load, or a broken link, which `load_image` then reports by name.

    Pipes and devices are left out, since reading from them can block.
    """
    if path.suffix.lower() in IGNORED_SUFFIXES:
        return False
    return os.path.isfile(path) or (os.path.islink(path) and not os.path.exists(path))


def _with_ancestors(folder: Path) -> set[str]:
    """Return the real paths of a folder and of all folders that contain it."""
    real = Path(os.path.realpath(folder))
    return {str(real), *map(str, real.parents)}


def _cycle_message(path: Path) -> str:
    return f"{printable(path)}: this link leads to a folder that contains the link"
