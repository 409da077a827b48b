"""Time of one evaluation of the network by several engines: the code of `fgsd bench engine`.

Each engine has a process of its own, since its threads and their settings are those of a process. The engines
take turns, so that whatever else the machine does slows all of them; figures are medians.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

import torch
from torch import Tensor

from fgsd.benchmarks.onnx_runtime import OnnxRuntimeEngine
from fgsd.device import has_bfloat16
from fgsd.engines import PackedEngine
from fgsd.evaluation.checks import check
from fgsd.evaluation.report import check_lines
from fgsd.model.matching import CentroidMatching, Matching, RegionMatching
from fgsd.model.network import Denoiser
from fgsd.openvino_engine import OpenVinoEngine
from fgsd.pipeline import Pipeline
from fgsd.threads import SPINS

SIGMA = 1.0  # the time does not depend on it
REGIONS = 3
DEFAULT_SPINS = 300_000  # of libgomp, if nothing is set
# time of one picture of 64 px relative to the reference, at most; of any other case 1
ALONE_TARGET, BUSY_TARGET = 0.7, 0.4
REFERENCE, LIMITED = "PyTorch", "PyTorch, threads that sleep"  # how they wait, see `fgsd.threads`
# of the engines of previews the first one that was measured
PREVIEWS = ("OpenVINO, bfloat16", "OpenVINO", "packed, bfloat16", "packed")
ROUNDS = 7


@dataclass(frozen=True)
class Case:
    """One batch that is evaluated."""

    size: int  # pixels
    batch: int
    condition: str = "class"  # or "regions"
    tileable: bool = False

    def __str__(self) -> str:
        words = [f"{self.size} px", f"batch {self.batch}"]
        words += [self.condition] * (self.condition != "class") + ["tileable"] * self.tileable
        return ", ".join(words)


CASES = (
    *(Case(64, batch) for batch in (1, 4, 16)),
    *(Case(128, batch) for batch in (1, 4)),
    Case(256, 1),
    *(Case(size, 1, "regions") for size in (64, 128)),
    *(Case(size, 1, tileable=True) for size in (64, 128)),
)


@dataclass(frozen=True)
class Variant:
    """An engine, and how its process is started."""

    name: str
    engine: str  # a key of `BUILDERS`
    dtype: torch.dtype = torch.float32
    threads: int | None = None  # None: as many as PyTorch chooses
    spins: int = SPINS  # of threads that wait, see `fgsd.threads`


PACKAGES = {"ONNX Runtime": "onnxruntime", "OpenVINO": "openvino"}


def variants(*, compile: bool = False) -> list[Variant]:
    """Return what can be measured here: engines that are installed, bfloat16 where the CPU has it.

    Parameters
    ----------
    compile : bool
        Whether to measure `torch.compile` too, which needs a C++ compiler and a minute for each case.
    """
    found = [
        Variant(REFERENCE, "PyTorch", spins=DEFAULT_SPINS),
        Variant(LIMITED, "PyTorch"),
        Variant("PyTorch, one thread", "PyTorch", threads=1),
        Variant("packed", "packed"),
    ]
    if has_bfloat16("cpu"):
        found.append(Variant("packed, bfloat16", "packed", torch.bfloat16))
    if compile:
        found.append(Variant("torch.compile", "compiled"))
    for engine, package in PACKAGES.items():
        if importlib.util.find_spec(package):
            found.append(Variant(engine, engine))
            if engine == "OpenVINO" and has_bfloat16("cpu"):
                found.append(Variant("OpenVINO, bfloat16", engine, torch.bfloat16))
    return found


def bench_engine(
    checkpoint: str,
    *,
    cases: Sequence[Case] = CASES,
    rounds: int = ROUNDS,
    engines: Sequence[Variant] | None = None,
    progress: Callable | None = None,
) -> dict:
    """Measure one evaluation by each engine, alone and beside a process that keeps a core busy.

    Parameters
    ----------
    checkpoint : str
        A folder.
    cases : sequence of Case
    rounds : int
        Evaluations of each case by each engine, after one that warms up.
    engines : sequence of Variant, optional
        By default all of `variants()`. The first is the reference.
    progress : callable, optional
        Wraps iterables; called like `tqdm`.

    Returns
    -------
    dict
        "versions" of the packages; "load": processes that want a core before and after, by the system's
        average of a minute; "rows": for each case and "busy" the milliseconds by engine; "differences": the
        largest difference of denoised images from those of PyTorch; "parts" with the checks.

    Raises
    ------
    ValueError
        If `rounds` is below 1.
    """
    if rounds < 1:
        raise ValueError(f"rounds={rounds} must be at least 1")
    wrap = progress or (lambda items, **_: items)
    found, load, rows, outputs = list(engines or variants()), [_load()], [], {}
    with ExitStack() as stack:
        workers = {v: stack.enter_context(_worker(v, checkpoint)) for v in found}
        for case in wrap(cases, desc="engines", unit="case"):
            outputs[str(case)] = {v.name: workers[v].submit(_output, case).result() for v in found}
            for busy in (False, True):
                with _busy_process() if busy else ExitStack():
                    times: dict[str, list[float]] = {v.name: [] for v in found}
                    for _ in range(rounds):
                        for v in found:
                            times[v.name].append(workers[v].submit(_milliseconds, case).result())
                medians = {name: statistics.median(values) for name, values in times.items()}
                rows.append({"case": str(case), "busy": busy, "milliseconds": medians})
    load.append(_load())
    return {
        "versions": {p: _version(p) for p in PACKAGES.values() if importlib.util.find_spec(p)},
        "rounds": rounds,
        "load": load,
        "rows": rows,
        "differences": _differences(outputs),
        "parts": {"engine": {"checks": _checks(rows)}},
    }


def engine_text(results: dict) -> str:
    """Format the results as a Markdown table, with the checks and a note about the machine."""
    names = list(dict.fromkeys(name for row in results["rows"] for name in row["milliseconds"]))
    lines = [f"| ms | {' | '.join(names)} |", "| --- " + "| --: " * len(names) + "|"]
    for row in results["rows"]:
        cells = [f"{ms:.1f}" if (ms := row["milliseconds"].get(name)) else "" for name in names]
        beside = "; beside a busy process" if row["busy"] else ""
        lines.append(f"| {row['case']}{beside} | {' | '.join(cells)} |")
    largest = (f"{name} {value:.0e}" for name, value in results["differences"].items())
    machine, (before, after) = results["machine"], results["load"]
    versions = "".join(f", {name} {version}" for name, version in results["versions"].items())
    lines += [
        "",
        f"*Medians of {results['rounds']} evaluations in turns. Largest difference from PyTorch: "
        f"{', '.join(largest)}. {machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads, "
        f"torch {machine['torch']}{versions}. Other processes of the machine: load {before:.1f} before, "
        f"{after:.1f} after.*",
        "",
        "```text",
        *check_lines(results["parts"]),
        "```",
    ]
    return "\n".join(lines)


def _checks(rows: Sequence[dict]) -> list[dict]:
    """Compare what evaluates the pictures and the previews of the page with PyTorch as it is."""
    targets = {(str(Case(64, 1)), False): ALONE_TARGET, (str(Case(64, 1)), True): BUSY_TARGET}
    engines = {"pictures": ("packed",), "previews": PREVIEWS}
    checks = []
    for what, names in engines.items():
        if found := [name for name in names if name in rows[0]["milliseconds"]]:
            ratios = [
                row["milliseconds"][found[0]]
                / row["milliseconds"][REFERENCE]
                / targets.get((row["case"], row["busy"]), 1)
                for row in rows
            ]
            name = f"engine of {what} / {REFERENCE}, worst case, over its target"
            checks.append(check(name, max(ratios), at_most=1))
    return checks


def _differences(outputs: Mapping[str, Mapping[str, Tensor]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for by_engine in outputs.values():
        for name, denoised in by_engine.items():
            if name != REFERENCE:
                difference = float((denoised - by_engine[REFERENCE]).abs().max())
                found[name] = max(found.get(name, 0.0), difference)
    return found


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


@contextmanager
def _busy_process() -> Iterator[None]:
    """Keep one core busy, as another program does."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def _worker(variant: Variant, checkpoint: str) -> Iterator[ProcessPoolExecutor]:
    """A process with one engine; it sleeps while others are measured."""
    before = dict(os.environ)
    os.environ["GOMP_SPINCOUNT"] = str(variant.spins)
    try:
        options = (variant.engine, variant.dtype, variant.threads, checkpoint)
        pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_start, initargs=options)
        pool.submit(os.getpid).result()  # which starts it
    finally:
        os.environ.clear()
        os.environ.update(before)
    with pool:
        yield pool


# ---- the functions below run in the process of an engine ----

_engine: dict = {}  # the evaluation and the pipeline of this process


def _start(engine: str, dtype: torch.dtype, threads: int | None, checkpoint: str) -> None:
    if threads is not None:
        torch.set_num_threads(threads)
    pipe = Pipeline.from_pretrained(checkpoint, device="cpu")
    _engine["pipe"], _engine["inputs"] = pipe, {}
    _engine["evaluate"] = BUILDERS[engine](pipe.network, dtype)


def _open_vino(network: Denoiser, dtype: torch.dtype) -> OpenVinoEngine:
    engine = OpenVinoEngine(network, dtype=dtype)
    for regions in (False, True):
        for tileable in (False, True):
            engine.compile(regions=regions, tileable=tileable)
    return engine


BUILDERS: dict[str, Callable[[Denoiser, torch.dtype], Callable]] = {
    "PyTorch": lambda network, dtype: network.denoise,
    "packed": lambda network, dtype: PackedEngine(network, dtype=dtype),
    "compiled": lambda network, dtype: torch.compile(network.denoise, dynamic=False),
    "ONNX Runtime": lambda network, dtype: OnnxRuntimeEngine(network),
    "OpenVINO": _open_vino,
}


def _inputs(case: Case) -> tuple[Tensor, Matching]:
    """Noisy images and the matching of a case; the same in every process."""
    if case not in _engine["inputs"]:
        generator = torch.Generator().manual_seed(0)
        x = SIGMA * torch.randn(case.batch, 3, case.size, case.size, generator=generator)
        table = _engine["pipe"].table
        centroids = [table.of(name).at(SIGMA) for name in table.classes[: max(REGIONS, case.batch)]]
        matching: Matching
        if case.condition == "regions":
            masks = torch.rand(1, REGIONS, case.size, case.size, generator=generator)
            matching = RegionMatching(masks / masks.sum(1, keepdim=True), torch.stack(centroids[:REGIONS]))
        else:
            rows = torch.stack([centroids[k % len(centroids)] for k in range(case.batch)])
            matching = CentroidMatching(rows, torch.ones(case.batch, 1))
        _engine["inputs"][case] = x, matching
    return _engine["inputs"][case]


@torch.no_grad()
def _output(case: Case) -> Tensor:
    x, matching = _inputs(case)
    return _engine["evaluate"](x, torch.full((len(x),), SIGMA), matching, tileable=case.tileable)[0]


def _milliseconds(case: Case) -> float:
    _inputs(case)
    begun = time.perf_counter()
    _output(case)
    return 1000 * (time.perf_counter() - begun)
