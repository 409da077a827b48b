"""Throughput and latency of the page by number of visitors: the code of `fgsd bench serve`.

A process of its own serves the page on the loopback address. Each visitor sends the requests of the page's
own event over HTTP, one after another. A request is timed from its start to the message with the finished
picture, and includes the previews of the steps. Visitors and server share the machine.
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

from fgsd.benchmarks import dom
from fgsd.benchmarks.server import serve_app

VISITORS = (1, 2, 4, 8, 16, 32)
REQUEST: dict[str, Any] = {"n": 1, "size": 64, "steps": 16, "sampler": "dpm2m"}
MIN_REQUESTS = 2  # per visitor
TIMEOUT_S = 300.0  # for one response
MODES = {"shared": "--share", "alone": "--no-share"}  # name in the results: option of `fgsd app`


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
        Numbers of simultaneous visitors, measured one after another.
    requests : int
        Requests of all visitors together at each number of visitors. Each visitor makes at least two, after
        one that warms up and is not timed.
    progress : callable, optional
        Wraps iterables; called like `tqdm`.

    Returns
    -------
    dict
        "request", "requests", and for "shared" and "alone" a list with a dict for each number of visitors:
        `visitors`, `requests`, `images_per_second`, `steps_per_second`, and the latencies in seconds:
        `median` and `late`, the 95th percentile.

    Raises
    ------
    ValueError
        If a number is below 1.
    RuntimeError
        If the page does not start, or does not respond to a request with a picture.
    """
    for name, value in (("requests", requests), ("visitors", min(visitors, default=0))):
        if value < 1:
            raise ValueError(f"{name}={value} must be at least 1")
    wrap = progress or (lambda items, **_: items)
    results: dict = {"request": REQUEST, "requests": requests}
    for name, option in MODES.items():
        with serve_app(checkpoint, data, option) as app:
            client = _PageClient(app.url)
            client.sample(seed=0)  # the first request is slow
            results[name] = [_measure(client, count, requests) for count in wrap(visitors, desc=name)]
    return results


def serve_text(results: dict) -> str:
    """Format the results as a Markdown table, with a note about the request and the machine."""
    machine, request = results["machine"], results["request"]
    columns = ["images/s", "steps/s", "median", "95 %"]
    heads = ["visitors", *(f"{name}: {column}" for name in MODES for column in columns)]
    rows = [f"| {' | '.join(heads)} |", "| --: " * len(heads) + "|"]
    for pair in zip(*(results[name] for name in MODES), strict=True):
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


def _measure(client: _PageClient, visitors: int, requests: int) -> dict:
    each, barrier = max(MIN_REQUESTS, math.ceil(requests / visitors)), Barrier(visitors)

    def visit(visitor: int) -> list[tuple[float, float]]:
        """Start and end of each request of one visitor."""
        client.sample(seed=visitor)
        barrier.wait(TIMEOUT_S)
        times = []
        for k in range(each):
            start = time.monotonic()
            client.sample(seed=visitor + visitors * (k + 1))
            times.append((start, time.monotonic()))
        return times

    with ThreadPoolExecutor(visitors) as pool:
        times = [interval for intervals in pool.map(visit, range(visitors)) for interval in intervals]
    starts, ends = np.array(times).T
    seconds = ends - starts
    images = REQUEST["n"] * len(times) / float(ends.max() - starts.min())
    return {
        "visitors": visitors,
        "requests": len(times),
        "images_per_second": round(images, 3),
        "steps_per_second": round(images * REQUEST["steps"], 2),
        "median": round(float(np.median(seconds)), 4),
        "late": round(float(np.quantile(seconds, 0.95)), 4),
    }


class _PageClient:
    """Sends the event of the page's Sample button over HTTP, with the values of its controls."""

    def __init__(self, url: str) -> None:
        import httpx

        self._client = httpx.Client(
            base_url=f"{url}/gradio_api",
            timeout=TIMEOUT_S,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            trust_env=False,  # no proxy reaches the loopback address
        )
        config = self._client.get(f"{url}/config").json()
        ids = {c["props"].get("elem_id"): c["id"] for c in config["components"]}
        defaults = {c["id"]: c["props"].get("value") for c in config["components"]}
        self._button, picture = ids[dom.SAMPLE_BUTTON], ids[dom.PICTURE_COMPONENT]
        [self._event] = [
            event
            for event in config["dependencies"]
            if [self._button, "click"] in event["targets"] and picture in event["outputs"]
        ]
        values = defaults | {ids[element]: REQUEST[name] for element, name in dom.CONTROLS.items()}
        self._data = [values[key] for key in self._event["inputs"]]
        self._seed_index = self._event["inputs"].index(ids[dom.SEED])

    def sample(self, *, seed: int) -> None:
        """Request a sample as a new visitor and wait for the finished picture."""
        session, data = uuid.uuid4().hex[:11], list(self._data)
        data[self._seed_index] = seed
        body = {"data": data, "fn_index": self._event["id"], "session_hash": session}
        joined = self._client.post("/queue/join", json=body | {"trigger_id": self._button}).json()
        if "event_id" not in joined:
            raise RuntimeError(f"the page rejected the request: {joined}")
        complete = False
        with self._client.stream("GET", "/queue/data", params={"session_hash": session}) as stream:
            for line in stream.iter_lines():
                # Gradio sends differences between values; only the last step contains this field as true.
                complete = complete or '"last":true' in line
                if line.startswith("data:") and '"process_completed"' in line[:200]:
                    message = json.loads(line.removeprefix("data:"))
                    if not (complete and message["success"]):
                        raise RuntimeError(f"the page returned no sample: {line[:300]}")
                    return
        raise RuntimeError("the page returned no sample: the stream ended early")
