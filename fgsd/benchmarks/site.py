"""Speed and pixels of a site without a server, in a real browser: the code of `fgsd bench site`.

Its worker is called as the page calls it. The figures are those of WASM with one thread, as at the first
visit, and with two, which browsers give to pages that are isolated from others; and of WebGPU, where this
machine has a graphics processor for it.
"""

from __future__ import annotations

import base64
import http.server
import io
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fgsd.app.site.build import build_site
from fgsd.benchmarks.browser import FLAGS, chromium_path
from fgsd.evaluation.checks import check
from fgsd.evaluation.report import check_lines
from fgsd.onnx_regions import has_regions
from fgsd.pipeline import Pipeline

if TYPE_CHECKING:
    from playwright.sync_api import Page

THREADS = (1, 2)
WEBGPU = ["--enable-unsafe-webgpu", "--enable-features=Vulkan"]  # off by default on Linux
NO_GPU = "WebGPU: not measured, since Chromium finds no graphics processor here"
TIMEOUT_MS = 120_000
MAX_RUN_S = {64: 3.0, 128: 10.0}  # seconds of 16 steps, by the side of the picture
# the build of the runtime that the page would choose
CHOOSE = """async () => {
    const { modules } = await import(document.querySelector('link[rel=modulepreload]').href);
    return modules['site/runtimes.js'].chooseRuntime();
}"""
# starts the worker of the site with a number of threads; what it has loaded stays in `bench`
LOAD = """async ([threads, runtime]) => {
    const { modules } = await import(document.querySelector('link[rel=modulepreload]').href);
    const site = JSON.parse(document.getElementById('site-data').textContent);
    const worker = new Worker(site.worker, { type: 'module' });
    const calls = [];
    worker.onmessage = ({ data }) => {
        if (data.frame) calls[data.id].frames.push(data.frame);
        else if (data.id) calls[data.id][data.error === undefined ? 'resolve' : 'reject'](
            data.error === undefined ? data.value : new Error(data.error));
    };
    worker.postMessage({ config: site, base: new URL('.', document.baseURI).href,
        machine: { threads, runtime, webgpu: runtime !== 'wasm' } });
    const call = (method, ...values) => new Promise((resolve, reject) => {
        calls.push({ resolve, reject, frames: [] });
        worker.postMessage({ id: calls.length - 1, method, values });
    });
    calls.push(null); // ids begin at 1
    const request = (name, settings) => modules['site/request.js'].parseRequest([{ name, weight: 1 }],
        { n: 1, size: site.sizes[0], seed: 0, steps: 16, strength: 1, sampler: 'dpm2m', view: 'noise',
          tileable: false, ...settings }, site);
    window.bench = { worker, call, request, calls, site };
    const began = performance.now();
    const { refused } = await call('loadPreviews');
    await call('loadRuns');
    return { ms: performance.now() - began, refused };
}"""
PREVIEW = """async ([name, seed]) => {
    const { call, request } = window.bench;
    const began = performance.now();
    await call('preview', request(name, { seed }), false);
    return performance.now() - began;
}"""
RUN = """async ([name, size]) => {
    const { call, calls, request } = window.bench;
    const began = performance.now();
    await call('sample', request(name, { size }));
    const { frames } = calls.at(-1);
    return { ms: performance.now() - began, src: frames.at(-1).src, evaluation: frames.at(-1).ms };
}"""
PAINT = """async ([plan, names, count]) => {
    const { call, calls } = window.bench;
    const targets = names.map(name => [{ name, weight: 1 }]);
    const request = { plan: Uint8Array.from(plan), size: Math.sqrt(plan.length), numbers: [...names.keys()],
        targets, feather: 3, seed: 0, tileable: false };
    const times = [];
    for (let k = 0; k <= count; k += 1) {  // the first one loads
        const began = performance.now();
        await call('paint', request, true);
        times.push(performance.now() - began);
    }
    const began = performance.now();
    await call('paint', request, false);
    const { src } = calls.at(-1).frames.at(-1);
    return { previews: times.slice(1), ms: performance.now() - began, src };
}"""
PAINTED_SIDE = 128  # pixels


class _Handler(http.server.SimpleHTTPRequestHandler):
    """As `python -m http.server`, but prints nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _IsolatedHandler(_Handler):
    """Sends what the service worker of the site sends from the second visit on."""

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()


@contextmanager
def serve_folder(folder: Path, *, isolated: bool = False) -> Iterator[str]:
    """A context with the address at which a folder is served, on the loopback address.

    Parameters
    ----------
    isolated : bool
        Whether its pages are isolated from others, so that browsers give them threads.
    """
    handler = partial(_IsolatedHandler if isolated else _Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def bench_site(
    pipe: Pipeline,
    data: str | Path | None,
    *,
    previews: int = 20,
    runtime: Path | None = None,
    progress: Callable | None = None,
) -> dict:
    """Write a site, and measure it in Chromium without a window.

    Parameters
    ----------
    pipe, data, runtime :
        See `build_site`.
    previews : int
        That are measured, of one class after the other, with each number of threads.
    progress : callable, optional
        Wraps iterables; called like `tqdm`.

    Returns
    -------
    dict
        "browser", the version of Chromium; "parts", one for each number of threads, and one for WebGPU if
        there is a graphics processor. Each is a dict of its figures and `checks`, as in those of `evaluate`,
        and of "refused": why the page does without WebGPU, which is empty if it does not. "not_measured"
        says in sentences what is missing.

    Raises
    ------
    FileNotFoundError
        If Chromium is not installed.
    """
    from playwright.sync_api import sync_playwright

    path, wrap, parts = chromium_path(), progress or (lambda items, **_: items), {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        build_site(pipe, data, Path(folder), runtime=runtime)
        names = [pipe.classes[k % len(pipe.classes)] for k in range(previews)]

        def measure(browser: Any, address: str, label: str, threads: int, runtime: str) -> None:
            page = browser.new_page()
            page.set_default_timeout(TIMEOUT_MS)
            page.goto(address)
            loaded = page.evaluate(LOAD, [threads, runtime])
            times = [page.evaluate(PREVIEW, [name, k]) for k, name in enumerate(wrap(names, desc=label))]
            runs = {side: page.evaluate(RUN, [pipe.classes[0], side]) for side in MAX_RUN_S}
            parts[label] = _figures(pipe, loaded, times, runs)
            if has_regions(pipe.network):
                _add_painting(parts[label], pipe, page, previews)
            page.close()

        with serve_folder(Path(folder), isolated=True) as address:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            version = browser.version
            with closing(browser):
                for threads in THREADS:
                    label = "1 thread" if threads == 1 else f"{threads} threads"
                    measure(browser, address, label, threads, "wasm")
            flags = [flag for flag in FLAGS if flag != "--disable-gpu"]
            with closing(playwright.chromium.launch(executable_path=path, args=[*flags, *WEBGPU])) as browser:
                page = browser.new_page()
                page.goto(address)
                if (runtime_name := page.evaluate(CHOOSE)) != "wasm":
                    measure(browser, address, "WebGPU", THREADS[-1], runtime_name)
    return {"browser": version, "parts": parts, "not_measured": [] if "WebGPU" in parts else [NO_GPU]}


def _figures(pipe: Pipeline, loaded: dict, times: list[float], runs: dict[int, dict]) -> dict:
    median, late = np.quantile(times, (0.5, 0.95))
    checks = [check("a preview of 64 px, median", float(median), at_most=400, unit="ms")]
    for side, run in runs.items():
        checks.append(check(f"16 steps at {side} px", run["ms"] / 1000, at_most=MAX_RUN_S[side], unit="s"))
        picture = np.asarray(_image(run["src"]), dtype=int)
        expected = np.asarray(pipe.sample(pipe.classes[0], size=side)[0], dtype=int)
        worst = int(np.abs(picture - expected).max())
        checks.append(check(f"pixels of {side} px: largest difference to Python", worst, at_most=2))
    return {
        "previews": {"median": round(float(median), 1), "late": round(float(late), 1), "unit": "ms"},
        "loaded_ms": round(loaded["ms"]),
        "refused": loaded["refused"],
        "runs": {
            str(side): {"evaluation_ms": round(run["evaluation"], 1), "run_s": round(run["ms"] / 1000, 2)}
            for side, run in runs.items()
        },
        "checks": checks,
    }


def _add_painting(part: dict, pipe: Pipeline, page: Page, previews: int) -> None:
    """Measure a painting: a river and a pond in the first texture."""
    names = pipe.classes[:3]
    y, x = np.mgrid[:PAINTED_SIDE, :PAINTED_SIDE]
    river = np.abs(y - PAINTED_SIDE * (0.4 + 0.15 * np.sin(5 * x / PAINTED_SIDE))) < PAINTED_SIDE / 9
    pond = np.hypot(y - 0.8 * PAINTED_SIDE, x - 0.3 * PAINTED_SIDE) < PAINTED_SIDE / 10
    plan = np.where(pond, 2, np.where(river, 1, 0)) % len(names)
    made = page.evaluate(PAINT, [plan.ravel().tolist(), names, previews])
    regions = [(name, plan == k) for k, name in enumerate(names)]
    expected = np.asarray(pipe.paint(regions, feather=3.0)[0], dtype=int)
    worst = int(np.abs(np.asarray(_image(made["src"]), dtype=int) - expected).max())
    name = f"pixels of a painting of {PAINTED_SIDE} px: largest difference to Python"
    part["checks"].append(check(name, worst, at_most=2))
    part["painting"] = {
        "preview_ms": round(float(np.median(made["previews"])), 1),
        "run_s": round(made["ms"] / 1000, 2),
    }


def site_text(results: dict) -> str:
    """Format the results of `fgsd bench site`."""
    machine, parts = results["machine"], results["parts"]
    lines = [f"machine: {machine['cpu']}, {machine['cores']} cores; Chromium {results['browser']}", ""]
    lines += [*check_lines(parts), ""]
    for label, part in parts.items():
        times = ", ".join(f"{run['evaluation_ms']} ms at {side} px" for side, run in part["runs"].items())
        late, loaded = part["previews"]["late"], part["loaded_ms"] / 1000
        lines.append(
            f"{label}: an evaluation takes {times}; 95 % of the previews took at most {late} ms; "
            f"loaded and measured in {loaded:.1f} s"
        )
        if painting := part.get("painting"):
            lines.append(
                f"{label}: a painting of {PAINTED_SIDE} px with three textures follows the brush in "
                f"{painting['preview_ms']} ms, median; all steps take {painting['run_s']} s"
            )
        if part.get("refused"):
            lines.append(f"{label}: the page does without it: {part['refused']}")
    lines += results.get("not_measured", [])
    return "\n".join(lines) + "\n"


def _image(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")
