"""How the page serves many visitors at once: what `fgsd bench serve` runs.

The page is served by a process of its own, on the loopback address, and asked for samples as browsers ask: by
its own event, over HTTP, and the next request as soon as the last one is there. What is timed is the
visitor's: from the request to the message with the finished picture, previews of the steps included. The
visitors share the machine with the server.
"""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np

from fgsd.benchmarks.page import served

VISITORS = (1, 2, 4, 8, 16, 32)
REQUEST: dict[str, Any] = {"n": 1, "size": 64, "steps": 16, "sampler": "dpm2m"}
MIN_TEXTURES = 2  # requests of each visitor
TIMEOUT_S = 300.0  # seconds that an answer may take before the measurement is given up
SHARING = {"shared": "--share", "alone": "--no-share"}  # how the page is started
CONTROLS = {"count": "n", "size": "size", "steps": "steps", "sampler": "sampler"}  # of the page, by element


def bench_serve(
    checkpoint: str,
    data: str,
    *,
    visitors: Sequence[int] = VISITORS,
    requests: int = 32,
    progress: Callable | None = None,
) -> dict:
    """Measure throughput and latency by number of visitors, with shared batches and without.

    Parameters
    ----------
    checkpoint, data : str
        As for `fgsd app`.
    visitors : sequence of int
        How many at once, each in turn.
    requests : int
        Of all visitors together at each number of visitors; each visitor has two at least, after one that
        warms up and is not timed.
    progress : callable, optional
        Wraps what is iterated over, called as `tqdm` is.

    Returns
    -------
    dict
        "request", and by "shared" and "alone" a list of one dict for each number of visitors: `visitors`,
        `requests`, `images_per_second`, `steps_per_second`, `median` and `late` (the 95th percentile), both
        in seconds.

    Raises
    ------
    ValueError
        If a number is below 1.
    RuntimeError
        If the page does not start, or does not answer a request with a picture.
    """
    for name, value in (("requests", requests), ("visitors", min(visitors, default=0))):
        if value < 1:
            raise ValueError(f"{name}={value} must be at least 1")
    watch = progress or (lambda items, **_: items)
    found: dict = {"request": REQUEST, "requests": requests}
    for name, option in SHARING.items():
        with served(checkpoint, data, option) as (url, _):
            page = _Page(url)
            page.sample(seed=0)  # the first one is slow
            found[name] = [_measured(page, count, requests) for count in watch(visitors, desc=name)]
    return found


def serve_text(results: dict) -> str:
    """The figures as a table in Markdown, with what they were measured on."""
    machine, request = results["machine"], results["request"]
    columns = ["images/s", "steps/s", "median", "95 %"]
    heads = ["visitors", *(f"{name}: {column}" for name in SHARING for column in columns)]
    rows = [f"| {' | '.join(heads)} |", "| --: " * len(heads) + "|"]
    for pair in zip(*(results[name] for name in SHARING), strict=True):
        cells = [str(pair[0]["visitors"])]
        for one in pair:
            cells += [f"{one['images_per_second']:.2f}", f"{one['steps_per_second']:.0f}"]
            cells += [f"{one['median']:.2f} s", f"{one['late']:.2f} s"]
        rows.append(f"| {' | '.join(cells)} |")
    images = "1 image" if request["n"] == 1 else f"{request['n']} images"
    rows += [
        "",
        f"*A request is {images} of {request['size']} pixels in {request['steps']} steps; at least "
        f"{results['requests']} of them a row. {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['threads']} threads, {machine['device']}, torch {machine['torch']}, Gradio "
        f"{machine['gradio']}; visitors and server on the same machine.*",
    ]
    return "\n".join(rows)


def _measured(page: _Page, visitors: int, requests: int) -> dict:
    each, ready = max(MIN_TEXTURES, math.ceil(requests / visitors)), Barrier(visitors)

    def visit(visitor: int) -> list[tuple[float, float]]:
        """When each request began and ended."""
        page.sample(seed=visitor)
        ready.wait(TIMEOUT_S)
        times = []
        for k in range(each):
            begun = time.monotonic()
            page.sample(seed=visitor + visitors * (k + 1))
            times.append((begun, time.monotonic()))
        return times

    with ThreadPoolExecutor(visitors) as pool:
        times = [one for several in pool.map(visit, range(visitors)) for one in several]
    begun, ended = np.array(times).T
    seconds = ended - begun
    images = REQUEST["n"] * len(times) / float(ended.max() - begun.min())
    return {
        "visitors": visitors,
        "requests": len(times),
        "images_per_second": round(images, 3),
        "steps_per_second": round(images * REQUEST["steps"], 2),
        "median": round(float(np.median(seconds)), 4),
        "late": round(float(np.quantile(seconds, 0.95)), 4),
    }


class _Page:
    """A served page, as its own script sees it: the event of the button, and the values of the controls."""

    def __init__(self, url: str) -> None:
        import httpx

        self._web = httpx.Client(
            base_url=f"{url}/gradio_api",
            timeout=TIMEOUT_S,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        )
        config = httpx.get(f"{url}/config", timeout=TIMEOUT_S).json()
        names = {c["id"]: c["props"].get("elem_id") for c in config["components"]}
        values = {c["id"]: c["props"].get("value") for c in config["components"]}
        ids = {name: key for key, name in names.items()}
        button, room = ids["sample"], ids["picture-panel"]
        self._trigger = button
        [self._event] = [
            event
            for event in config["dependencies"]
            if [button, "click"] in event["targets"] and room in event["outputs"]
        ]
        asked = {ids[element]: REQUEST[name] for element, name in CONTROLS.items()}
        self._data = [asked.get(key, values[key]) for key in self._event["inputs"]]
        self._seed = self._event["inputs"].index(ids["seed"])

    def sample(self, *, seed: int) -> None:
        """Ask for a sample, as a new visitor, and wait until it is there in full."""
        session, values = uuid.uuid4().hex[:11], list(self._data)
        values[self._seed] = seed
        body = {"data": values, "fn_index": self._event["id"], "session_hash": session}
        joined = self._web.post("/queue/join", json=body | {"trigger_id": self._trigger}).json()
        if "event_id" not in joined:
            raise RuntimeError(f"the page took no request: {joined}")
        whole = False
        with self._web.stream("GET", "/queue/data", params={"session_hash": session}) as stream:
            for line in stream.iter_lines():
                # differences travel, in which the last step is the only one that says so
                whole = whole or '"last":true' in line
                if line.startswith("data:") and '"process_completed"' in line[:200]:
                    message = json.loads(line.removeprefix("data:"))
                    if not (whole and message["success"]):
                        raise RuntimeError(f"the page gave no sample: {line[:300]}")
                    return
        raise RuntimeError("the page gave no sample: the stream ended")
