"""The architecture as the code has it: which module imports which, and how long a file is.

`docs/architecture.md` draws it, and says why.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "fgsd"
MAX_LINES = 400
# the layers of the page: each imports only from itself and from those before it
LAYERS = (
    *("limits", "gradio_import", "gradio_internals", "web_files", "requests", "render", "serving", "api"),
    *("http", "panels", "page", "site", "server"),
)
# besides the page itself: the commands and the benchmarks start it
STARTS_THE_PAGE = ("app", "cli", "benchmarks")
PRIVATE_PARTS = (
    r"\b(?:gradio|gr|blocks|page|app|event|request|queue|LocalContext)\._[a-z]\w*",
    r"\bgradio\.(?:context|route_utils|processing_utils)\b",
)


def modules() -> Iterator[tuple[str, ast.Module]]:
    """The dotted name and the syntax tree of each module of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        tree = ast.parse(path.read_text(encoding="utf-8"))
        yield ".".join(part for part in parts if part != "__init__"), tree


def imported(tree: ast.Module) -> set[str]:
    """The dotted names of all modules that a module imports, at its top or inside of a function."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def layer_of(module: str) -> int | None:
    """The layer of a module of the page; None for any other module, and for the package itself."""
    name = module.removeprefix("fgsd.app.").partition(".")[0]
    return LAYERS.index(name) if module.startswith("fgsd.app.") and name in LAYERS else None


def test_every_module_of_the_page_belongs_to_a_layer():
    outside = [name for name, _ in modules() if name.startswith("fgsd.app.") and layer_of(name) is None]
    assert outside == []


def test_the_page_imports_one_way():
    against = [
        f"{name} imports {other}"
        for name, tree in modules()
        if (mine := layer_of(name)) is not None
        for other in imported(tree)
        if (layer := layer_of(other)) is not None and layer > mine
    ]
    assert against == []


def test_the_library_knows_nothing_of_the_page():
    against = [
        f"{name} imports {other}"
        for name, tree in modules()
        if not name.startswith(tuple(f"fgsd.{package}" for package in STARTS_THE_PAGE))
        for other in imported(tree)
        if other.partition(".")[0] == "gradio" or other.startswith("fgsd.app")
    ]
    assert against == []


def test_no_modules_import_each_other_in_a_circle():
    """Of imports at the top of a module: those inside of a function wait until it is called."""
    known = dict(modules())
    imports = {
        name: {
            other
            for node in tree.body
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for other in imported(ast.Module([node], []))
            if other in known and other != name and not name.startswith(f"{other}.")
        }
        for name, tree in known.items()
    }
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for other in sorted(imports[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in imports:
        visit(name, ())


def test_one_file_uses_the_private_parts_of_gradio():
    used = {
        str(path.relative_to(PACKAGE)): found
        for path in sorted((PACKAGE / "app").rglob("*.py"))
        if path.name != "gradio_internals.py"
        and (found := re.findall("|".join(PRIVATE_PARTS), path.read_text(encoding="utf-8")))
    }
    assert used == {}


@pytest.mark.parametrize("suffix", ["py", "js", "css"])
def test_every_file_is_short_enough_to_be_read_in_one_sitting(suffix):
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for folder in ("fgsd", "tests")
        for path in (ROOT / folder).rglob(f"*.{suffix}")
        if "node_modules" not in path.parts
    }
    assert lengths
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}
