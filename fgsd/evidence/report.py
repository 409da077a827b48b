"""Measure the parts of the report and combine them with those that were measured earlier."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import fgsd
from fgsd.atomic import current_path
from fgsd.checkpoint import CENTROIDS_FILE, MODEL_FILE, load_checkpoint
from fgsd.device import best_device
from fgsd.evaluation.context import FeatureFunction, silent
from fgsd.evaluation.run import checkpoint_facts, load, machine
from fgsd.evidence.figures import PartResults, ReportResults
from fgsd.evidence.parts import Part, all_parts, choose
from fgsd.evidence.report_context import PICTURES, ReportContext
from fgsd.evidence.result_cache import ResultCache

LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "torchmetrics", "plenoptic")


def report(
    chosen: Sequence[str] | None = None,
    *,
    networks: Path,
    textures: Path,
    shipped: Path,
    out: Path,
    scratch: Path,
    seed: int = 0,
    size: float = 1.0,
    previous: ReportResults | None = None,
    features: FeatureFunction | None = None,
    progress: Callable | None = None,
    parts: dict[str, Part] | None = None,
) -> Iterator[ReportResults]:
    """Measure parts in turn, and yield the results so far after each.

    A part whose networks are not all trained is skipped.

    Parameters
    ----------
    chosen : sequence of str, optional
        Names of parts; by default all.
    networks : Path
        Folder of the networks that `fgsd study` trained, each in a folder of its name.
    textures : Path
        Folder of images that they were trained on.
    shipped : Path
        Folder of the checkpoint that `fgsd app` shows; it may be missing.
    out : Path
        Folder of the report. Pictures wait in its hidden folder `PICTURES` until `write_report` replaces the
        report as a whole.
    scratch : Path
        Folder for intermediate results, a file for each part, from which an interrupted part resumes.
    seed : int
        Of samples and crops; the same seed gives the same figures, except for timings.
    size : float
        Number of samples, as a share of that of a full report.
    previous : ReportResults, optional
        A report whose other parts are kept; see `combine`.
    features : callable, optional
        Images (N, 3, H, W) in [-1, 1] to features (N, F); by default `EfficientNetFeatures`.
    progress : callable, optional
        Wraps an iterable, called as `tqdm` is: `progress(items, desc=...)`.
    parts : dict, optional
        By default `all_parts()`.

    Raises
    ------
    ValueError
        If an argument is out of range.
    ImportError
        If a library is not installed; it is raised before anything is measured.
    """
    parts = all_parts() if parts is None else parts
    selected = choose(chosen, parts)
    if seed < 0:
        raise ValueError(f"seed={seed} must not be negative")
    if not 0 < size < math.inf:
        raise ValueError(f"size={size} must be positive and finite")
    facts = machine(best_device())
    threads = facts.pop("threads")
    results: ReportResults = {
        "seed": seed,
        "size": size,
        "machine": facts,
        "versions": versions(),
        "textures": {"folder": textures.name, "digest": digest(textures)},
        "shipped": network_facts(shipped),
        "networks": {},
        "parts": {},
        "skipped": missing_networks(selected, networks),
        "passed": False,
    }
    shutil.rmtree(out / PICTURES, ignore_errors=True)  # of a report that was interrupted
    context = ReportContext(
        networks=networks,
        textures=textures,
        out=out,
        features=features or _efficient_net(),
        seed=seed,
        size=size,
        shipped=shipped,
        progress=progress or silent,
    )
    for name, part in selected.items():
        if name in results["skipped"]:
            continue
        known = {
            network: facts_of
            for network in (*part.networks, *part.optional)
            if (facts_of := network_facts(networks / network)) is not None
        }
        results["networks"] |= known
        context.cache = ResultCache(scratch / f"{name}.json", _conditions(results) | {"networks": known})
        resumed, began = len(context.cache) > 0, time.perf_counter()
        figures = part.measure(context)
        measured: PartResults = {
            **figures,
            "networks": list(known),
            "seconds": round(time.perf_counter() - began, 2),
            "resumed": resumed,
            "threads": threads,
            "load": load(),
        }
        results["parts"][name] = to_json(measured)
        yield combine(previous, results, order=list(parts), networks=networks)


def missing_networks(parts: dict[str, Part], networks: Path) -> dict[str, list[str]]:
    """By part, the networks that it needs and that are not trained; parts that have all are left out."""
    missing = {}
    for name, part in parts.items():
        needed = [one for one in part.networks if checkpoint_digest(networks / one) is None]
        optional = [one for one in part.optional if checkpoint_digest(networks / one) is None]
        if len(part.optional) - len(optional) < part.min_optional:
            needed += optional
        if needed:
            missing[name] = needed
    return missing


def combine(
    previous: ReportResults | None, results: ReportResults, *, order: Sequence[str], networks: Path
) -> ReportResults:
    """The results together with those parts of `previous` that were not measured now, in the given order.

    Nothing is kept of a report with another seed or size, of other images, with another shipped checkpoint,
    on another machine or with other versions of the libraries; nor a part whose networks have changed.
    A network that is no longer there counts as unchanged.
    """
    results = to_json(results)
    parts: dict[str, PartResults] = {}
    facts: dict[str, dict[str, Any]] = {}
    if previous is not None and _conditions(previous) == _conditions(results):
        for name, part in previous["parts"].items():
            used = {network: previous["networks"][network] for network in part["networks"]}
            unchanged = all(
                checkpoint_digest(networks / network) in (None, one["digest"])
                for network, one in used.items()
            )
            if name in order and unchanged:
                parts[name] = part
                facts |= used
    parts |= results["parts"]
    return {
        **results,
        "networks": facts | results["networks"],
        "parts": {name: parts[name] for name in order if name in parts},
        "passed": all(one["passed"] for part in parts.values() for one in part["checks"]),
    }


def _conditions(results: Mapping[str, Any] | ReportResults) -> dict[str, Any]:
    """What all parts of one report have in common.

    Settings of the shipped network are left out: their names change between versions of fgsd, and its digest
    identifies it. So are versions of libraries on which no figure depends any more.
    """
    versions_of = {name: (results.get("versions") or {}).get(name) for name in ("fgsd", *LIBRARIES)}
    shipped = {key: value for key, value in (results.get("shipped") or {}).items() if key != "network"}
    return {
        **{key: results.get(key) for key in ("seed", "size", "machine", "textures")},
        "versions": versions_of,
        "shipped": shipped,
    }


def network_facts(folder: Path) -> dict[str, Any] | None:
    """Facts about a network, or None if it is not trained; `CheckpointError` if it is damaged."""
    if (weights := checkpoint_digest(folder)) is None:
        return None
    return to_json(checkpoint_facts(load_checkpoint(folder)) | {"digest": weights})


def checkpoint_digest(folder: Path) -> str | None:
    """A digest of the weights and centroids of a checkpoint; None if it is not complete."""
    files = [current_path(folder, name) for name in (MODEL_FILE, CENTROIDS_FILE)]
    return digest(*files) if all(file.exists() for file in files) else None


def digest(*paths: Path) -> str:
    """The start of a SHA-256 over the names and contents of files, and of all files in folders."""
    hashed = hashlib.sha256()
    for path in paths:
        top = path.parent if path.is_file() else path
        for file in [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file()):
            hashed.update(f"{file.relative_to(top).as_posix()}\0{file.stat().st_size}\0".encode())
            hashed.update(file.read_bytes())
    return hashed.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Versions of the libraries that figures depend on; `ImportError` names one that is not installed."""
    found = {"fgsd": fgsd.__version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            raise ImportError(f"the report needs the package {name!r}: install fgsd[evaluate]") from None
    return found


def to_json(value: Any) -> Any:
    """The value as it comes back from JSON: numbers that are not finite become None, tuples lists."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): to_json(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(one) for one in value]
    return json.loads(json.dumps(value))


def _efficient_net() -> FeatureFunction:
    """The features of the evaluation, loaded on first use, since some parts need none."""
    from fgsd.evaluation.features import EfficientNetFeatures

    loaded = functools.cache(EfficientNetFeatures)
    return lambda images: loaded()(images)
