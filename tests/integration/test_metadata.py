"""The package metadata names exactly what fgsd imports."""

import ast
import functools
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# the parts of the package that may import what an extra names
USERS = {"evaluate": ("evaluation", "evidence"), "bench": ("benchmarks",)}
# imported only where they are there: on a ZeroGPU Space, and to be measured by `fgsd bench engine`
WHERE_INSTALLED = {"spaces", "onnxruntime"}


def names(requirements: list[str]) -> set[str]:
    """Normalised names of distributions."""
    return {canonicalize_name(Requirement(one).name) for one in requirements}


@functools.cache
def imported() -> set[tuple[str, str]]:
    """(part of the package, distribution) of each import from outside of fgsd and the standard library."""
    known, found = packages_distributions(), set()
    for path in (ROOT / "fgsd").rglob("*.py"):
        part = path.relative_to(ROOT / "fgsd").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                modules = [node.module or ""]
            for module in {module.partition(".")[0] for module in modules}:
                if module not in {"fgsd", *sys.stdlib_module_names, *WHERE_INSTALLED}:
                    (distribution,) = set(known[module])
                    found.add((part, canonicalize_name(distribution)))
    return found


def test_what_is_imported_is_named():
    base = names(PROJECT["dependencies"])
    missing = {
        (part, distribution)
        for part, distribution in imported()
        if distribution not in base
        and not any(part in users and distribution in names(EXTRAS[extra]) for extra, users in USERS.items())
    }
    assert missing == set()


def test_what_is_named_is_imported():
    used = {distribution for _, distribution in imported()}
    assert names(PROJECT["dependencies"]) - used == set()


@pytest.mark.parametrize("extra", USERS)
def test_what_an_extra_names_is_imported_by_its_part_alone(extra):
    parts = {name: {part for part, used in imported() if used == name} for name in names(EXTRAS[extra])}
    assert {name for name, users in parts.items() if not users or not users <= set(USERS[extra])} == set()
    assert names(EXTRAS[extra]) & names(PROJECT["dependencies"]) == set()


def test_gradio_is_pinned_to_one_minor_version_everywhere():
    pins = {
        str(requirement.specifier)
        for one in (*PROJECT["dependencies"], *EXTRAS["mcp"])
        if (requirement := Requirement(one)).name == "gradio"
    }
    (pin,) = pins
    low, high = (part.lstrip(">=<").split(".") for part in sorted(pin.split(","), key=lambda p: p[0] == "<"))
    assert low[0] == high[0] and int(high[1]) == int(low[1]) + 1
