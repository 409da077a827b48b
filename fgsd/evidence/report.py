"""Run the parts of the report, and put together what it says; parts that are not run now are kept."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import fgsd
from fgsd.checkpoint import load_checkpoint
from fgsd.device import best_device
from fgsd.evaluation.context import FeatureFunction, silent
from fgsd.evaluation.run import checkpoint_facts, load, machine
from fgsd.evidence.parts import Part, all_parts, choose
from fgsd.evidence.report_context import Workbench
from fgsd.evidence.result_cache import Units

LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "torchmetrics", "plenoptic", "matplotlib")
SETTINGS = (
    "seed",
    "size",
    "machine",
    "versions",
    "textures",
    "shipped",
)  # which all parts of one report share


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
    previous: dict | None = None,
    features: FeatureFunction | None = None,
    progress: Callable | None = None,
    parts: dict[str, Part] | None = None,
) -> Iterator[dict]:
    """Measure parts in turn; yields the results so far after each. A part that lacks a network is skipped.

    Parameters
    ----------
    chosen : sequence of str, optional
        Names of parts; by default all.
    networks : Path
        Folder of the networks that `fgsd study` trained, each in a folder of its name.
    textures : Path
        Folder of images that they were trained on.
    shipped : Path
        Folder of the checkpoint that `fgsd app` shows; it need not be there.
    out : Path
        Where pictures go.
    scratch : Path
        Where figures are kept while a part is measured, a file a part: what was cut off goes on from there.
    seed : int
        Of samples and crops; the same seed gives the same figures, but for timings.
    size : float
        Of the samples, as a share of a full report.
    previous : dict, optional
        Results whose other parts are kept; see `combine`.
    features : callable, optional
        Images (N, 3, H, W) in [-1, 1] to features (N, F); by default `EfficientNetFeatures`.
    progress : callable, optional
        Wraps what is iterated over, called as `tqdm` is: `progress(items, desc=...)`.
    parts : dict, optional
        By default `all_parts()`.

    Yields
    ------
    dict
        For JSON: "seed", "size", "machine", "versions", "textures", "shipped", "networks" (facts by name),
        "parts" (by name what the part gave, with "networks", "seconds" of this run, whether it "resumed" an
        earlier one, "threads" and "load"), "skipped" (by part the networks that it lacks) and "passed".

    Raises
    ------
    ValueError
        If an argument is out of range.
    ImportError
        If a library is not installed: said at once, not after hours.
    """
    parts = all_parts() if parts is None else parts
    wanted = choose(chosen, parts)
    if seed < 0:
        raise ValueError(f"seed={seed} must not be negative")
    if not 0 < size < math.inf:
        raise ValueError(f"size={size} must be positive")
    facts = machine(best_device())
    threads = facts.pop("threads")
    results = {
        "seed": seed,
        "size": size,
        "machine": facts,
        "versions": versions(),
        "textures": {"folder": textures.name, "digest": digest(textures)},
        "shipped": network_facts(shipped),
        "networks": {},
        "parts": {},
        "skipped": lacking(wanted, networks),
    }
    bench = Workbench(
        networks,
        textures,
        out,
        units=None,  # each part has its own
        features=features or _efficient_net(),
        seed=seed,
        size=size,
        shipped=shipped,
        progress=progress or silent,
    )
    for name, part in wanted.items():
        if name in results["skipped"]:
            continue
        there = [one for one in (*part.networks, *part.optional) if digest_of(networks / one) is not None]
        known = {one: network_facts(networks / one) for one in there}
        results["networks"] |= known
        settings = {key: results[key] for key in SETTINGS}
        bench.units = Units(scratch / f"{name}.json", settings | {"networks": known})
        resumed, began = len(bench.units) > 0, time.perf_counter()
        figures = part.measure(bench) | {"networks": there}
        seconds = round(time.perf_counter() - began, 2)
        figures |= {"seconds": seconds, "resumed": resumed, "threads": threads, "load": load()}
        results["parts"][name] = plain(figures)
        yield combine(previous, results, order=list(parts), networks=networks)


def lacking(parts: dict[str, Part], networks: Path) -> dict[str, list[str]]:
    """By part, the networks that it needs and that were not trained yet; only parts that lack some."""
    found = {}
    for name, part in parts.items():
        missing = [one for one in part.networks if digest_of(networks / one) is None]
        optional = [one for one in part.optional if digest_of(networks / one) is None]
        if len(part.optional) - len(optional) < part.least:
            missing += optional
        if missing:
            found[name] = missing
    return found


def combine(previous: dict | None, results: dict, *, order: Sequence[str], networks: Path) -> dict:
    """Results with those parts of `previous` that were not measured now, in the order of `order`.

    Nothing is kept of a report with another seed or size, of other images, on another machine or by other
    versions of the libraries; nor a part whose networks are others now. Networks that are not there any
    more count as the same.
    """
    results = plain(results)
    parts, facts = {}, {}
    if previous is not None and all(previous.get(key) == results[key] for key in SETTINGS):
        for name, one in previous["parts"].items():
            theirs = {network: previous["networks"][network] for network in one["networks"]}
            if name in order and all(
                digest_of(networks / n) in (None, found["digest"]) for n, found in theirs.items()
            ):
                parts[name] = one
                facts |= theirs
    parts |= results["parts"]
    combined = results | {
        "networks": facts | results["networks"],
        "parts": {name: parts[name] for name in order if name in parts},
    }
    return combined | {"passed": all(one["passed"] for p in parts.values() for one in p["checks"])}


def network_facts(folder: Path) -> dict | None:
    """What a network is, or None if it was not trained yet; `CheckpointError` if it is damaged."""
    if digest_of(folder) is None:
        return None
    return plain(checkpoint_facts(load_checkpoint(folder)) | {"digest": digest_of(folder)})


def digest_of(folder: Path) -> str | None:
    """What tells the weights and centroids of a checkpoint from others; None if it is not complete."""
    files = [folder / "model.safetensors", folder / "centroids.safetensors"]
    return digest(*files) if all(file.exists() for file in files) else None


def digest(*paths: Path) -> str:
    """Of the names and contents of files, and of all files in folders: the start of their SHA-256."""
    found = hashlib.sha256()
    for path in paths:
        top = path.parent if path.is_file() else path
        for file in [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file()):
            found.update(f"{file.relative_to(top).as_posix()}\0{file.stat().st_size}\0".encode())
            found.update(file.read_bytes())
    return found.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Of the libraries that the figures come from; `ImportError` names one that is not installed."""
    found = {"fgsd": fgsd.__version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            raise ImportError(f"the report needs the package {name!r}: install fgsd[evaluate]") from None
    return found


def plain(value):
    """As it comes back from JSON, which knows no infinity and nothing that is not a number: None for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return json.loads(json.dumps(value))


def _efficient_net() -> FeatureFunction:
    """The features of the evaluation, loaded when first asked for: some parts need none."""
    from fgsd.evaluation.features import EfficientNetFeatures

    made = functools.cache(EfficientNetFeatures)
    return lambda images: made()(images)
