"""Time of one evaluation of the network by several engines: the code of `fgsd bench engine`.

Each engine has a process of its own, since its threads and their settings are those of a process. The engines
take turns, so that whatever else the machine does slows all of them; figures are medians. On a GPU the number
of operations is measured too, against a large matrix product in bfloat16 on the same card.
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

from fgsd.benchmarks.engine_process import (
    Case,
    matrix_product_rate,
    milliseconds,
    operations,
    output,
    start,
)
from fgsd.device import has_bfloat16
from fgsd.evaluation.checks import check
from fgsd.evaluation.report import check_lines
from fgsd.threads import SPINS

DEFAULT_SPINS = 300_000  # of libgomp, if nothing is set
# time of one picture of 64 px relative to the reference, at most; of any other case 1
ALONE_TARGET, BUSY_TARGET = 0.7, 0.4
REFERENCE, LIMITED = "PyTorch", "PyTorch, threads that sleep"  # how they wait, see `fgsd.threads`
# what evaluates pictures and previews: of each the first engine that was measured
PICTURES = ("CUDA graphs", "OpenVINO", "packed")
PREVIEWS = ("CUDA graphs", "OpenVINO, bfloat16", "OpenVINO", "packed, bfloat16", "packed")
ROUNDS = 7
STEPS = 16  # evaluations of a picture


CASES = (
    *(Case(64, batch) for batch in (1, 4, 16)),
    *(Case(128, batch) for batch in (1, 4)),
    Case(256, 1),
    *(Case(size, 1, "regions") for size in (64, 128)),
    *(Case(size, 1, tileable=True) for size in (64, 128)),
)
GPU_CASES = (
    *(Case(size, batch) for size in (64, 256, 1024) for batch in (1, 64)),
    *(Case(256, 1, "regions", tileable) for tileable in (False, True)),
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


def variants(device: str = "cpu", *, compile: bool = False) -> list[Variant]:
    """Return what can be measured here: engines that are installed, bfloat16 where the device has it.

    Parameters
    ----------
    device : str
        "cpu" or "cuda".
    compile : bool
        Whether to measure `torch.compile` too, which needs a C++ compiler and a minute for each case.
    """
    if device == "cuda":
        kinds = ["PyTorch", "CUDA graphs"] + ["compiled"] * compile
        names = {"compiled": "torch.compile"}
        dtypes = [torch.float32] + [torch.bfloat16] * has_bfloat16("cuda")
        return [
            Variant(names.get(kind, kind) + ", bfloat16" * (dtype == torch.bfloat16), kind, dtype)
            for dtype in dtypes
            for kind in kinds
        ]
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
    device: str = "cpu",
    cases: Sequence[Case] | None = None,
    rounds: int = ROUNDS,
    engines: Sequence[Variant] | None = None,
    progress: Callable | None = None,
) -> dict:
    """Measure one evaluation by each engine, alone and beside a process that keeps a core busy.

    Parameters
    ----------
    checkpoint : str
        A folder.
    device : str
        "cpu" or "cuda".
    cases : sequence of Case, optional
        By default `CASES`, or `GPU_CASES`.
    rounds : int
        Evaluations of each case by each engine, after one that warms up.
    engines : sequence of Variant, optional
        By default all of `variants(device)`. The first is the reference.
    progress : callable, optional
        Wraps iterables; called like `tqdm`.

    Returns
    -------
    dict
        "versions" of the packages; "load": processes that want a core before and after, by the system's
        average of a minute; "rows": for each case and "busy" the milliseconds by engine; "differences": the
        largest difference of denoised images from those of PyTorch; "operations" of each case;
        "matrix_product": those in a second of a large product, in bfloat16 where the device has it; "parts"
        with the checks.

    Raises
    ------
    ValueError
        If `rounds` is below 1.
    """
    if rounds < 1:
        raise ValueError(f"rounds={rounds} must be at least 1")
    wrap = progress or (lambda items, **_: items)
    found, load, rows, outputs = list(engines or variants(device)), [_load()], [], {}
    cases = cases or (GPU_CASES if device == "cuda" else CASES)
    counts: dict[str, float] = {}
    with ExitStack() as stack:
        workers = {v: stack.enter_context(_worker(v, checkpoint, device)) for v in found}
        reference = workers[found[0]]
        for case in wrap(cases, desc="engines", unit="case"):
            outputs[str(case)] = {v.name: workers[v].submit(output, case).result() for v in found}
            counts[str(case)] = reference.submit(operations, case).result()
            for busy in (False, True):
                with _busy_process() if busy else ExitStack():
                    times: dict[str, list[float]] = {v.name: [] for v in found}
                    for _ in range(rounds):
                        for v in found:
                            times[v.name].append(workers[v].submit(milliseconds, case).result())
                medians = {name: statistics.median(values) for name, values in times.items()}
                rows.append({"case": str(case), "batch": case.batch, "busy": busy, "milliseconds": medians})
        rate = reference.submit(matrix_product_rate).result()
    load.append(_load())
    return {
        "versions": {p: _version(p) for p in PACKAGES.values() if importlib.util.find_spec(p)},
        "rounds": rounds,
        "load": load,
        "rows": rows,
        "operations": counts,
        "matrix_product": rate,
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
    lines += ["", *_rate_lines(results)]
    largest = (f"{name} {value:.0e}" for name, value in results["differences"].items())
    machine, (before, after) = results["machine"], results["load"]
    device = machine.get("gpu", machine["cpu"])
    versions = "".join(f", {name} {version}" for name, version in results["versions"].items())
    lines += [
        "",
        f"*Medians of {results['rounds']} evaluations in turns; a picture takes {STEPS}. Largest difference "
        f"from PyTorch: {', '.join(largest)}. {device}, {machine['cores']} cores, "
        f"{machine['threads']} threads, torch {machine['torch']}{versions}. Other processes of the machine: "
        f"load {before:.1f} before, {after:.1f} after.*",
        "",
        "```text",
        *check_lines(results["parts"]),
        "```",
    ]
    return "\n".join(lines)


def _rate_lines(results: Mapping) -> list[str]:
    """Format pictures a second, and operations a second as a share of those of a matrix product."""
    lines = [
        "| fastest engine | | pictures a second | TFLOP/s | of a matrix product |",
        "| --- | --- | --: | --: | --: |",
    ]
    for row in results["rows"]:
        if not row["busy"]:
            name, ms = min(row["milliseconds"].items(), key=lambda item: item[1])
            case, rate = row["case"], results["operations"][row["case"]] / (ms / 1000)
            pictures = 1000 * row["batch"] / (STEPS * ms)
            share = rate / results["matrix_product"]
            lines.append(f"| {case} | {name} | {pictures:.2f} | {rate / 1e12:.3f} | {share:.0%} |")
    return lines


def _checks(rows: Sequence[dict]) -> list[dict]:
    """Compare what evaluates the pictures and the previews of the page with PyTorch as it is."""
    targets = {(str(Case(64, 1)), False): ALONE_TARGET, (str(Case(64, 1)), True): BUSY_TARGET}
    engines = {"pictures": PICTURES, "previews": PREVIEWS}
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
def _worker(variant: Variant, checkpoint: str, device: str) -> Iterator[ProcessPoolExecutor]:
    """A process with one engine; it sleeps while others are measured."""
    before = dict(os.environ)
    os.environ["GOMP_SPINCOUNT"] = str(variant.spins)
    try:
        options = (variant.engine, variant.dtype, variant.threads, checkpoint, device)
        pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=start, initargs=options)
        pool.submit(os.getpid).result()  # which starts it
    finally:
        os.environ.clear()
        os.environ.update(before)
    with pool:
        yield pool
