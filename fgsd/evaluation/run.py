"""Run the parts of the evaluation on one checkpoint; they share samples and features."""

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
from fgsd.evaluation.classifier import measure_accuracy
from fgsd.evaluation.context import TRAINING_CROPS, EvaluationContext, FeatureFunction, silent
from fgsd.evaluation.distilled import measure_distilled
from fgsd.evaluation.diversity import measure_diversity
from fgsd.evaluation.few_steps import measure_few_steps
from fgsd.evaluation.learned import measure_learned
from fgsd.evaluation.memorisation import measure_memorisation
from fgsd.evaluation.painting import measure_painting
from fgsd.evaluation.paths import measure_paths
from fgsd.evaluation.schedules import measure_schedules
from fgsd.evaluation.seams import measure_seams
from fgsd.evaluation.speed import measure_speed
from fgsd.evaluation.unseen import measure_unseen
from fgsd.pipeline import Pipeline

TILES = 4  # tileable samples per class


def _classifier(context: EvaluationContext) -> dict:
    return measure_accuracy(
        context.judge,
        context.classes,
        context.sample_features,
        context.held_out_features,
        seed=context.seed,
    )


def _memorisation(context: EvaluationContext) -> dict:
    return measure_memorisation(
        context.data,
        context.classes,
        context.samples,
        context.held_out,
        seed=context.seed,
        progress=context.progress,
    )


def _diversity(context: EvaluationContext) -> dict:
    rows = [context.data.classes.index(name) for name in context.classes]
    n, judge = context.per_class, context.judge
    return measure_diversity(
        context.classes,
        judge.scaled(context.sample_features),
        judge.scaled(context.training_features[rows, :n]),
        judge.scaled(context.held_out_features),
        seed=context.seed,
    )


def _seams(context: EvaluationContext) -> dict:
    tiles = context.sample(context.classes, TILES, "sampling tiles", tileable=True)
    return measure_seams(tiles.flatten(0, 1), seed=context.seed)


def _speed(context: EvaluationContext) -> dict:
    return measure_speed(context.pipe, context.classes[0], progress=context.progress)


# In the order of execution; few_steps is by far the slowest.
PARTS: dict[str, Callable[[EvaluationContext], dict]] = {
    "speed": _speed,
    "classifier": _classifier,
    "memorisation": _memorisation,
    "diversity": _diversity,
    "seams": _seams,
    "paths": measure_paths,
    "schedules": measure_schedules,
    "distilled": measure_distilled,
    "painting": measure_painting,
    "unseen": measure_unseen,
    "learned": measure_learned,
    "few_steps": measure_few_steps,
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
    learning_steps: Sequence[int] = (0, 20, 60),
) -> dict:
    """Measure a checkpoint against its targets.

    Parameters
    ----------
    pipe : Pipeline
    data : TextureFolder
        The images of the training, with the same crop size, image size and a held-out part. Classes that
        the checkpoint was not trained on serve as unseen textures.
    per_class : int
        Samples per class, 2 to 48.
    steps : int
        Steps of the default sampler.
    seed : int
        Seed of samples and crops; the same seed gives the same figures, except for timings.
    parts : sequence of str, optional
        Names of `PARTS`; by default all. They run in the order of `PARTS`.
    progress : callable, optional
        Wraps iterables; called like `tqdm`: `progress(items, desc=...)`.
    features : callable, optional
        Maps images (N, 3, H, W) in [-1, 1] to features (N, F); by default `EfficientNetFeatures`.
    reference : (classes, each)
        Number of classes (at least 1) and of samples per class (at least 2) of the part "few_steps".
    learning_steps : sequence of int
        Numbers of steps that the part "learned" compares; the checks are for 60, or else for the last.

    Returns
    -------
    dict
        A dict for JSON: the settings, the machine, the checkpoint, and `parts`. `parts` maps each name to a
        dict of figures, `checks` (see `Check`) and `seconds`. `passed` is whether all checks passed.

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
    if not learning_steps or min(learning_steps) < 0:
        raise ValueError(f"learning_steps={learning_steps} must be numbers of steps, at least 0")
    _check_data(pipe, data)
    if features is None:
        if set(chosen) - {"speed", "memorisation", "seams", "paths"}:
            from fgsd.evaluation.features import EfficientNetFeatures

            features = EfficientNetFeatures()
        else:
            features = _unused
    context = EvaluationContext(
        pipe,
        data,
        features,
        per_class=per_class,
        steps=steps,
        seed=seed,
        progress=progress or silent,
        reference=reference,
        learning_steps=sorted(set(learning_steps)),
    )
    results: dict[str, Any] = {
        "seed": seed,
        "steps": steps,
        "per_class": per_class,
        "classes": len(context.classes),
        "machine": machine(pipe.device),
        "checkpoint": checkpoint_facts(pipe),
        "data": {"folder": Path(data.folder).name, "classes": len(data.classes), **asdict(data.config)},
        "parts": {},
    }
    for part in PARTS:
        if part in chosen:
            began = time.perf_counter()
            figures = PARTS[part](context)
            results["parts"][part] = figures | {
                "seconds": round(time.perf_counter() - began, 2),
                "load": load(),
            }
    results["passed"] = _all_passed(results)
    return results


def combine(previous: dict, results: dict) -> dict:
    """Merge new results into previous ones: new parts replace old ones, other old parts are kept.

    Returns only the new results if the settings, the checkpoint or the machine differ.
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
    """The system's load average over the last minute; None on systems without one."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _unused(x):
    raise RuntimeError("none of the chosen parts needs features")


def _check_data(pipe: Pipeline, data: TextureFolder) -> None:
    """Raise `ValueError` unless data and checkpoint have equal settings and common classes."""
    for name in ("patch_size", "image_size", "test_share"):
        given, trained = getattr(data.config, name), getattr(pipe.info, name)
        if given != trained:
            raise ValueError(f"the data has {name}={given}, the checkpoint was trained with {name}={trained}")
    if data.config.test_share == 0:
        raise ValueError(
            "the checkpoint was trained with test_share=0, and evaluation needs held-out crops; "
            "train with a test_share such as 1/3"
        )
    if not set(data.classes) & set(pipe.classes):
        raise ValueError(
            f"the data ({', '.join(data.classes[:3])}, ...) and the checkpoint "
            f"({', '.join(pipe.classes[:3])}, ...) have no class in common"
        )


def machine(device: torch.device | str) -> dict:
    """Hardware and software of the measurement."""
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
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # no /proc outside Linux
    return platform.processor() or platform.machine()


def checkpoint_facts(pipe: Pipeline | Checkpoint) -> dict:
    """Size, dimension, network and training of a checkpoint, without its attribution."""
    info = asdict(pipe.info)
    info.pop("attribution")
    return {
        "parameters": sum(p.numel() for p in pipe.network.parameters()),
        "dimension": pipe.table.dimension,
        "classes": len(pipe.table.classes),
        "network": asdict(pipe.network.config),
        **info,
    }
