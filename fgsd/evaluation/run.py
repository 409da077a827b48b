"""Run the parts of the evaluation on one checkpoint, sharing samples and features among them."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from fgsd.checkpoint import Checkpoint
from fgsd.data import TextureFolder
from fgsd.evaluation.classifier import belonging
from fgsd.evaluation.diversity import variety
from fgsd.evaluation.few_steps import few_steps
from fgsd.evaluation.material import TRAINING_CROPS, FeatureFunction, Material, draw_samples, silent
from fgsd.evaluation.memorisation import copying
from fgsd.evaluation.paths import paths
from fgsd.evaluation.seams import seams
from fgsd.evaluation.speed import speed
from fgsd.evaluation.unseen import never_seen
from fgsd.pipeline import Pipeline

TILES = 4  # tileable samples of each class


def _classifier(material: Material) -> dict:
    return belonging(
        material.judge,
        material.classes,
        material.sample_features,
        material.held_out_features,
        seed=material.seed,
    )


def _memorisation(material: Material) -> dict:
    return copying(
        material.data,
        material.classes,
        material.samples,
        material.held_out,
        seed=material.seed,
        progress=material.progress,
    )


def _diversity(material: Material) -> dict:
    rows = [material.data.classes.index(name) for name in material.classes]
    n, judge = material.per_class, material.judge
    return variety(
        material.classes,
        judge.scaled(material.sample_features),
        judge.scaled(material.training_features[rows, :n]),
        judge.scaled(material.held_out_features),
        seed=material.seed,
    )


def _seams(material: Material) -> dict:
    tiles = draw_samples(
        material.pipe,
        material.classes,
        TILES,
        size=material.size,
        seed=material.seed,
        steps=material.steps,
        tileable=True,
        progress=material.progress,
        desc="sampling tiles",
    )
    return seams(tiles.flatten(0, 1), seed=material.seed)


def _speed(material: Material) -> dict:
    return speed(material.pipe, material.classes[0], progress=material.progress)


# in the order in which they run; few_steps is by far the slowest
PARTS: dict[str, Callable[[Material], dict]] = {
    "speed": _speed,
    "classifier": _classifier,
    "memorisation": _memorisation,
    "diversity": _diversity,
    "seams": _seams,
    "paths": paths,
    "unseen": never_seen,
    "few_steps": few_steps,
}


def evaluate(
    pipe: Pipeline,
    data: TextureFolder,
    *,
    per_class: int = 32,
    steps: int = 16,
    seed: int = 0,
    parts: Sequence[str] | None = None,
    progress: Callable | None = None,
    features: FeatureFunction | None = None,
    reference: tuple[int, int] = (4, 4),
) -> dict:
    """Measure a checkpoint against its targets.

    Parameters
    ----------
    pipe : Pipeline
    data : TextureFolder
        The images that it was trained on, cut in the same way, with a held-out part. Classes that the pipe
        was not trained on are used as textures never seen.
    per_class : int
        Samples of each class, 2 to 48.
    steps : int
        Of the default sampler.
    seed : int
        Of samples and crops; the same seed gives the same figures, but for the timings.
    parts : sequence of str, optional
        Some of `PARTS`; by default all, in that order.
    progress : callable, optional
        Wraps what is iterated over, called as `tqdm` is: `progress(items, desc=...)`.
    features : callable, optional
        Images (N, 3, H, W) in [-1, 1] to features (N, F); by default `EfficientNetFeatures`.
    reference : (classes, each)
        How many classes, at least 1, and samples of each, at least 2, the part "few_steps" compares.

    Returns
    -------
    dict
        For JSON: what was measured, on which machine, and `parts`, by name a dict of figures, of `checks`
        (see `Check`) and of `seconds`; `passed` is whether every check did.

    Raises
    ------
    ValueError
        If an argument is out of range, or the data does not fit the checkpoint.
    ImportError
        If the packages of the default features are not installed.
    """
    chosen = list(PARTS) if parts is None else list(parts)
    if not chosen:
        raise ValueError(f"parts is empty; name some of {', '.join(PARTS)}")
    if unknown := [part for part in chosen if part not in PARTS]:
        raise ValueError(f"parts={unknown} are unknown; there are {', '.join(PARTS)}")
    if not 2 <= per_class <= TRAINING_CROPS:
        raise ValueError(f"per_class={per_class} must be between 2 and {TRAINING_CROPS}")
    if steps < 1:
        raise ValueError(f"steps={steps} must be at least 1")
    if seed < 0:
        raise ValueError(f"seed={seed} must not be negative")
    if reference[0] < 1 or reference[1] < 2:
        raise ValueError(f"reference={reference} must be at least 1 class and at least 2 samples of each")
    _refuse_other_data(pipe, data)
    if features is None:
        if set(chosen) - {"speed", "memorisation", "seams", "paths"}:
            from fgsd.evaluation.features import EfficientNetFeatures

            features = EfficientNetFeatures()
        else:
            features = _unused
    material = Material(
        pipe,
        data,
        features,
        per_class=per_class,
        steps=steps,
        seed=seed,
        progress=progress or silent,
        reference=reference,
    )
    results: dict[str, Any] = {
        "seed": seed,
        "steps": steps,
        "per_class": per_class,
        "classes": len(material.classes),
        "machine": machine(pipe.device),
        "checkpoint": checkpoint_facts(pipe),
        "data": {"folder": Path(data.folder).name, "classes": len(data.classes), **asdict(data.config)},
        "parts": {},
    }
    for part in PARTS:
        if part in chosen:
            began = time.perf_counter()
            figures = PARTS[part](material)
            results["parts"][part] = figures | {
                "seconds": round(time.perf_counter() - began, 2),
                "load": load(),
            }
    results["passed"] = _all_passed(results)
    return results


def combine(previous: dict, results: dict) -> dict:
    """Results in which the parts measured now replace those of `previous`, whose other parts are kept.

    Nothing is kept of a measurement with other settings, of another checkpoint or on another machine.
    """
    facts = results.keys() - {"parts", "passed"}
    if any(previous.get(name) != results[name] for name in facts):
        return results
    parts = previous["parts"] | results["parts"]
    combined = results | {"parts": {name: parts[name] for name in PARTS if name in parts}}
    return combined | {"passed": _all_passed(combined)}


def _all_passed(results: dict) -> bool:
    return all(one["passed"] for figures in results["parts"].values() for one in figures["checks"])


def load() -> float | None:
    """How many processes wanted to run, over the last minute; None where the system does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _unused(x):
    raise RuntimeError("none of the chosen parts needs features")


def _refuse_other_data(pipe: Pipeline, data: TextureFolder) -> None:
    """Figures on crops of another size or scale than those of the training would mean nothing."""
    for name in ("patch_size", "image_size"):
        mine, theirs = getattr(data.config, name), getattr(pipe.info, name)
        if mine != theirs:
            raise ValueError(f"the data has {name}={mine}, the checkpoint was trained with {name}={theirs}")
    if data.config.test_share == 0:
        raise ValueError("the data has test_share=0; evaluation needs a held-out part, such as 1/3")
    if not set(data.classes) & set(pipe.classes):
        raise ValueError(
            f"the data ({', '.join(data.classes[:3])}, ...) and the checkpoint "
            f"({', '.join(pipe.classes[:3])}, ...) have no class in common"
        )


def machine(device: torch.device | str) -> dict:
    """What the figures were measured on."""
    device = torch.device(device)
    facts = {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": str(device),
    }
    if device.type == "cuda":
        facts["gpu"] = torch.cuda.get_device_name(device)
    return facts


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def checkpoint_facts(pipe: Pipeline | Checkpoint) -> dict:
    """What was measured."""
    info = asdict(pipe.info)
    info.pop("attribution")
    return {
        "parameters": sum(p.numel() for p in pipe.network.parameters()),
        "dimension": pipe.table.dimension,
        "classes": len(pipe.table.classes),
        "network": asdict(pipe.network.config),
        **info,
    }
