"""Thousands of forged requests to a served page, which must refuse each of them with a sentence.

Run as a command for a long assault on the shipped checkpoint; it ends by itself, and reaches nothing but the
loopback address:

    python tests/bad_visitors.py --inputs 10000 --output fuzz.json

The same seed sends the same requests. What counts as a failure: an answer of status 500, words of a traceback
or the paths of the server in an answer, the content of a file that is not for visitors, a request that the
server makes for a visitor, a good request that is no longer answered with the same pixels.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import re
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from app_server import AppServer
from bad_files import saved, uri
from bad_inputs import Attack, Attacks
from bad_values import API
from PIL import Image

from fgsd.app.limits import MAX_IMAGES, MAX_SIDE, MIN_DECODED_SIDE
from fgsd.evaluation.run import machine

SECRET = "the content of a secret file"
FORBIDDEN = ("Traceback", "site-packages", SECRET, "root:x:0:0", 'File "', ".py:")
TIMEOUT_S = 30.0  # seconds for a response
STREAM_S = 5.0  # seconds after which an answer that has begun is not read any further
SETTLE = 0.5  # seconds until the last requests have ended


@dataclass
class Outcome:
    """The result of an assault."""

    seed: int
    counts: Counter = field(default_factory=Counter)  # (route, status) to number
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    memory: list[float] = field(default_factory=list)  # MB, after warm-up, half-way and at the end
    fetched: int = 0  # requests that the server made for a visitor

    @property
    def inputs(self) -> int:
        return sum(self.counts.values())

    @property
    def growth(self) -> float:
        return self.memory[-1] / self.memory[0] - 1

    def summary(self) -> dict:
        """The result as plain values, for JSON."""
        routes: dict[str, dict[str, int]] = {}
        for (route, status), count in sorted(self.counts.items()):
            routes.setdefault(route, {})[status] = count
        return {
            "seed": self.seed,
            "inputs": self.inputs,
            "seconds": round(self.seconds, 1),
            "routes": routes,
            "status_500": sum(n for (_, status), n in self.counts.items() if status == "500"),
            "failures": self.failures[:20],
            "requests_made_for_visitors": self.fetched,
            "memory_mb": [round(m, 1) for m in self.memory],
            "memory_growth": round(self.growth, 4),
        }


class Canary:
    """An address on this machine that the server must not fetch; counts connections."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/canary.png"
        self.fetched = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                self._socket.accept()[0].close()
            except OSError:
                return
            self.fetched += 1

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def assault(
    server: AppServer,
    *,
    inputs: int,
    seed: int = 0,
    visitors: int = 4,
    warm_up: float = 0.4,
    fill: bool = True,
    say: Callable = print,
) -> Outcome:
    """Send forged requests to a page, and valid ones before and after.

    Parameters
    ----------
    inputs : int
        Forged requests in all.
    visitors : int
        That send them, side by side.
    warm_up : float
        Share of the inputs after which memory is measured for the first time.
    fill : bool
        Ask for the largest of what is allowed before that, several times at once: what this takes, the
        allocator keeps, and inputs that happen to ask for as much would count as growth.
    say : callable
        Prints the progress.
    """
    outcome, canary, began = Outcome(seed), Canary(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, httpx.Client(base_url=server.url, timeout=TIMEOUT_S) as web:
        secret = Path(folder) / "secret.txt"
        secret.write_text(SECRET)
        config, classes = web.get("/config").json(), good_call(web, "classes", [])[0]
        before = good_picture(web, classes[0])
        if fill:
            with ThreadPoolExecutor(visitors) as pool:
                list(pool.map(largest_calls, [server.url] * visitors, [classes[0]] * visitors))
        # all routes are used before the first measurement: memory that is allocated once is no leak
        warm, rest = int(inputs * warm_up), inputs - int(inputs * warm_up)
        plan = [("warm", warm), ("first", rest // 2), ("second", rest - rest // 2)]
        for part, count in plan:
            shares = [count // visitors + (k < count % visitors) for k in range(visitors)]
            with ThreadPoolExecutor(visitors) as pool:
                jobs = [
                    pool.submit(
                        one_visitor,
                        server.url,
                        Attacks((seed, part, k), config, classes, canary.url, str(secret)),
                        share,
                    )
                    for k, share in enumerate(shares)
                ]
                for job in jobs:
                    counts, failures = job.result()
                    outcome.counts += counts
                    outcome.failures += failures
            outcome.memory.append(settled_memory(server))
            say(f"{outcome.inputs} inputs, {len(outcome.failures)} failures, {outcome.memory[-1]:.0f} MB")
        if not np.array_equal(good_picture(web, classes[0]), before):
            outcome.failures.append("a good request is answered with other pixels than before")
        if web.get("/").status_code != 200:
            outcome.failures.append("the page does not open any more")
    canary.close()
    outcome.fetched, outcome.seconds = canary.fetched, time.monotonic() - began
    if canary.fetched:
        outcome.failures.append(f"the server fetched an address for a visitor {canary.fetched} times")
    return outcome


def one_visitor(url: str, attacks: Attacks, count: int) -> tuple[Counter, list[str]]:
    """Send requests one after the other; return counts by route and status, and the failures."""
    counts: Counter = Counter()
    failures = []
    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as web:
        for k, attack in enumerate(itertools.islice(attacks, count)):
            try:
                status, text = sent(web, attack)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                status, text = type(error).__name__, str(error)
            counts[attack.route, status] += 1
            if wrong := complaint(attack, status, text):
                failures.append(
                    f"{attack.method} {attack.path[:200]} (input {k}): {wrong}; {attack.content[:400]!r}"
                )
    return counts, failures


def sent(web: httpx.Client, attack: Attack) -> tuple[str, str]:
    """Send a request; return the status and the text of its response, with the result of a call."""
    if attack.method == "RAW":
        return spoken(web.base_url.port, attack.content)
    headers = {name: value.encode("utf-8") for name, value in attack.headers.items()}
    request = web.build_request(attack.method, attack.path, content=attack.content, headers=headers)
    answer, words = web.send(request, stream=True), b""
    deadline = time.monotonic() + STREAM_S
    try:
        for part in itertools.islice(answer.iter_bytes(), 200):
            words += part
            if time.monotonic() > deadline:  # a stream of a session without events, which sends heartbeats
                break
    finally:
        answer.close()
    status, text = str(answer.status_code), words.decode("utf-8", "replace")
    if status == "200" and attack.stream:
        event = json.loads(text)["event_id"]
        path = f"/call/x/{event}" if attack.stream == "call" else f"/queue/data?session_hash={attack.session}"
        deadline = time.monotonic() + TIMEOUT_S
        with web.stream("GET", API + path) as told:
            for piece in told.iter_text():
                text += piece
                if time.monotonic() > deadline:  # heartbeats never end
                    return f"{status} without end", text
        status += " refused" if '"success":false' in text or "event: error" in text else " done"
    return status, text


def spoken(port: int | None, content: bytes) -> tuple[str, str]:
    """Send bytes that no HTTP client would send; return status and text, if the server responds at all."""
    text = b""
    with socket.create_connection(("127.0.0.1", port or 80), timeout=0.5) as line, suppress(OSError):
        line.sendall(content)
        while len(text) < 200_000 and (part := line.recv(65_536)):
            text += part
    words = text.decode("utf-8", "replace")
    return words[9:12] if words else "no answer", words


def complaint(attack: Attack, status: str, text: str) -> str:
    """Return what is wrong with a response; an empty text if nothing is."""
    if attack.method == "RAW" and status == "no answer":
        return ""
    if status == "500" or not status[:3].isdecimal() or status.endswith("end"):
        return f"status {status}: {text[:300]}"
    asked = attack.path + attack.content.decode("utf-8", "replace") + "".join(attack.headers.values())
    for words in (*FORBIDDEN, str(Path(__file__).parents[1])):
        if words in text and words not in asked:
            return f"the answer tells {words!r}: {text[max(0, text.find(words) - 100) :][:300]}"
    if status.startswith("4") and len(text) > 12_000:
        return f"a refusal of {len(text)} characters"
    return ""


def good_call(web: httpx.Client, name: str, data: list) -> Any:
    event = web.post(f"{API}/call/{name}", json={"data": data}).json()["event_id"]
    told = web.get(f"{API}/call/{name}/{event}").text
    return json.loads(re.findall(r"event: complete\ndata: (.*)", told)[-1])


def good_picture(web: httpx.Client, name: str) -> np.ndarray:
    [file], _ = good_call(web, "sample", [name, 1, 4])
    return np.asarray(Image.open(io.BytesIO(web.get(file["url"]).content)))


def largest_calls(url: str, name: str) -> None:
    image = Image.effect_noise((2 * MIN_DECODED_SIDE - 1,) * 2, 3).quantize(16)
    with httpx.Client(base_url=url, timeout=10 * TIMEOUT_S) as web:
        good_call(web, "sample", [name, MAX_IMAGES, 2, MAX_SIDE])
        good_call(web, "embed", [uri(saved(image, "PNG"))])


def settled_memory(server: AppServer) -> float:
    """Resident memory of the idle server, in MB."""
    time.sleep(SETTLE)
    server.settled()
    return server.memory()


def assault_text(facts: dict) -> str:
    """The result of an assault in a few lines, for the documentation."""
    statuses: Counter = Counter()
    for counts in facts["routes"].values():
        statuses.update(counts)
    of = facts["machine"]
    first, *_, last = facts["memory_mb"]
    return "\n".join(
        (
            f"{facts['inputs']:,} bad inputs from {facts['visitors']} visitors at once on "
            f"{len(facts['routes'])} routes in {facts['seconds']:.0f} s, seed {facts['seed']}",
            f"machine: {of['cpu']}, {of['cores']} cores, torch {of['torch']}",
            "answers by status: " + ", ".join(f"{name} {n:,}" for name, n in sorted(statuses.items())),
            f"failures {len(facts['failures'])}, status 500 {facts['status_500']}, "
            f"requests made for a visitor {facts['requests_made_for_visitors']}",
            f"memory of the server: {first:.0f} MB after warm-up, {last:.0f} MB at the end "
            f"({facts['memory_growth']:+.1%})",
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    root = Path(__file__).parents[1]
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--visitors", type=int, default=4)
    parser.add_argument("--checkpoint", type=Path, default=root / "checkpoints/textures")
    parser.add_argument("--data", type=Path, default=root / "assets/textures")
    parser.add_argument(
        "--log", type=Path, default=None, help="what the server says, its tracebacks included"
    )
    parser.add_argument("--output", "-o", type=Path, default=None, help="write JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = options.log or Path(folder) / "log.txt"
        with log.open("w") as errors:
            server = AppServer(options.checkpoint, options.data, Path(folder) / "journal.txt", stderr=errors)
            try:
                outcome = assault(server, inputs=options.inputs, seed=options.seed, visitors=options.visitors)
            finally:
                server.close()
    facts = {"machine": machine("cpu"), "visitors": options.visitors, **outcome.summary()}
    if options.output is not None:
        options.output.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    print(assault_text(facts), *outcome.failures, sep="\n")
    sys.exit(bool(outcome.failures))


if __name__ == "__main__":
    main()
