"""Definitions are called by the words of the field: none bears a name that a word of the field has replaced.

Prose may use these words; modules, classes, functions, fields, constants and CSS classes may not.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "fgsd"
WEB = PACKAGE / "app" / "web"
# the former name, and what is said instead
NAMES = {
    "aim": "target",
    "along": "path_metrics",
    "answer": "error responses, or the name of what is returned",
    "answers": "errors",
    "away": "reconnect",
    "between": "interpolation",
    "door": "middleware",
    "ending": "shutdown",
    "follow": "set_stats, or preview",
    "follower": "preview",
    "foresight": "target_embedding",
    "hand": "pointer",
    "light": "film",
    "lit": "film",
    "live": "preview",
    "look_ahead": "refresh_coordinates",
    "make_way": "cancel_previous",
    "newest": "request_sequence",
    "news": "batch_sums",
    "own": "user_textures",
    "peek": "tooltip",
    "place": "admit, project or position",
    "places": "points or positions",
    "plane": "colour_plane",
    "read": "what is read",
    "reading": "target_coordinates",
    "room": "panel",
    "rooms": "panels",
    "running": "running_centroids",
    "said": "error",
    "settle": "freeze_centroids_at",
    "shelf": "user textures or favourites",
    "shelves": "user_textures",
    "shown": "repr_short",
    "spare_memory": "malloc_trim",
    "spread": "label_layout",
    "standardised": "normalized",
    "standards": "normalization",
    "tells": "updates_context",
    "temporary": "temp_dir",
    "ticket": "run_id",
    "told": "guided",
    "told_by": "event_data",
    "tools": "toolbar",
    "truth": "true_distance",
    "turns": "admission",
    "units": "result_cache",
    "unread": "queue_cleanup",
    "wanted": "is_cancelled",
    "wish": "client_seq",
    "workbench": "ReportContext",
    "yardstick": "ReferenceMetrics",
}
# names that files hold, which must load: keys of the report, a tensor of the study's networks
KEPT = {"clusters.py: between", "figures.py: answer", "matching.py: spread"}
PREFIXES = {"MOST_": "MAX_", "LEAST_": "MIN_", "FEWEST_": "MIN_", "PATIENCE": "TIMEOUT_S"}


def former(name: str) -> bool:
    bare = name.strip("_")
    return bare.replace("-", "_").lower() in NAMES or bare.startswith(tuple(PREFIXES))


def assigned(node: ast.stmt) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    yield from (target.id for target in targets if isinstance(target, ast.Name))


def definitions(path: Path) -> Iterator[str]:
    """Names of a module, and of its classes, functions, methods, fields and constants."""
    yield path.stem
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name
        if isinstance(node, (ast.Module, ast.ClassDef)):
            for statement in node.body:
                yield from assigned(statement)


def browser_definitions(path: Path) -> Iterator[str]:
    """Classes and ids of a style sheet; names of a module of JavaScript and of what stands at its top."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".css":
        yield from re.findall(r"[.#]([A-Za-z][\w-]*)", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))
    elif path.suffix == ".js":
        yield path.stem
        top = r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)"
        yield from re.findall(top, text, flags=re.MULTILINE)


def test_no_definition_bears_a_former_name():
    files = sorted(PACKAGE.rglob("*.py"))
    found = {f"{file.name}: {name}" for file in files for name in definitions(file) if former(name)}
    assert found == KEPT


def test_no_css_class_and_no_name_of_javascript_is_a_former_one():
    files = [*WEB.rglob("*.css"), *WEB.rglob("*.js")]
    assert len(files) > 20
    found = {f"{file.name}: {name}" for file in files for name in browser_definitions(file) if former(name)}
    assert found == set()


def test_folders_are_called_by_the_words_of_the_field():
    assert [folder.name for folder in PACKAGE.rglob("*") if folder.is_dir() and former(folder.name)] == []
