"""Visitors of a soak: some use the page in a browser, others call the API over HTTP.

Until its task is cancelled, a visitor performs actions in random order, leaves, in half of the cases during a
run, and returns as a new visitor.
"""

from __future__ import annotations

import asyncio
import io
import json
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from fgsd.benchmarks import dom
from fgsd.benchmarks.browser import DESKTOP

TIMEOUT_S = 60.0  # for every action but a move of the pin
MOVE_TIMEOUT_S = 10.0  # for the preview of a move; after it, the pin moves on
MOVES = 6  # of the pin in one drag
PAUSE_S = (0.5, 4.0)  # between two actions
ABSENCE_S = (1.0, 10.0)  # between two visits
TEXTURE_SIDE = 160  # pixels of an uploaded image


@dataclass
class VisitLog:
    """Errors, latencies and counts of all visitors; times are seconds since the start of the log."""

    start: float = field(default_factory=time.monotonic)
    closed: bool = False  # the server shuts down: later errors and latencies are not recorded
    errors: list[dict[str, Any]] = field(default_factory=list)
    latencies: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # kind: (time, seconds)
    done: dict[str, int] = field(default_factory=dict)  # action: count

    def now(self) -> float:
        return time.monotonic() - self.start

    def add_error(self, visitor: str, error: str) -> None:
        if not self.closed:
            self.errors.append({"seconds": round(self.now(), 1), "visitor": visitor, "error": error[:500]})

    def add_latency(self, kind: str, seconds: float) -> None:
        if not self.closed:
            self.latencies.setdefault(kind, []).append((round(self.now(), 1), round(seconds, 4)))

    def count(self, action: str) -> None:
        self.done[action] = self.done.get(action, 0) + 1


def random_texture(seed: int) -> bytes:
    """A synthetic texture of waves and grain, as PNG."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:TEXTURE_SIDE, :TEXTURE_SIDE]
    waves = 60 * np.sin(rows / rng.uniform(2, 9) + columns / rng.uniform(2, 9))
    values = rng.uniform(60, 180, 3) + waves[..., None] + rng.normal(0, 10, (TEXTURE_SIDE, TEXTURE_SIDE, 1))
    buffer = io.BytesIO()
    Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


Actions = list[tuple[str, Callable[[], Awaitable[None]]]]  # names and coroutine functions


async def visit_repeatedly(
    name: str,
    arrive: Callable[[], Awaitable[Actions]],
    leave: Callable[[], Awaitable[None]],
    log: VisitLog,
    chance: random.Random,
) -> None:
    """Arrive, perform random actions, leave and return, until the task is cancelled.

    Parameters
    ----------
    name : str
        Name of the visitor in the log.
    arrive : coroutine function
        Opens a session and returns the possible actions.
    leave : coroutine function
        Closes the session; does nothing if there is none.
    """
    while True:
        action = "come"
        try:
            actions = await arrive()
            log.count(action)
            for _ in range(chance.randint(3, 8)):
                action, perform = chance.choice(actions)
                await perform()
                log.count(action)
                await asyncio.sleep(chance.uniform(*PAUSE_S))
        except Exception as error:  # the soak looks for failures of any kind; other visitors continue
            log.add_error(name, f"{action}: {type(error).__name__}: {error}")
        await leave()
        await asyncio.sleep(chance.uniform(*ABSENCE_S))


class ApiVisitor:
    """A visitor that calls the API over HTTP."""

    def __init__(self, url: str, name: str, log: VisitLog, seed: int) -> None:
        self.api, self.name, self.log = f"{url}/gradio_api", name, log
        self.chance = random.Random(seed)
        self.classes: list[str] = []
        self.client: Any = None

    async def run(self) -> None:
        await visit_repeatedly(self.name, self.arrive, self.leave, self.log, self.chance)

    async def arrive(self) -> Actions:
        import httpx

        self.client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)  # no proxy to this machine
        self.classes = await self.call("classes")
        actions = (self.sample, self.mixture, self.strip, self.embed, self.go_away)
        return [(f"{action.__name__} by HTTP", action) for action in actions]

    async def leave(self) -> None:
        if self.client is not None:
            await self.client.aclose()
            self.client = None

    async def submit(self, endpoint: str, values: dict) -> str:
        """Submit a call of the API; returns the URL of its event stream."""
        response = await self.client.post(f"{self.api}/call/v2/{endpoint}", json=values)
        response.raise_for_status()
        return f"{self.api}/call/{endpoint}/{response.json()['event_id']}"

    async def call(self, endpoint: str, **values: Any) -> Any:
        """Call the API and return its result: one value, or a list if there are several."""
        async with self.client.stream("GET", await self.submit(endpoint, values)) as stream:
            stream.raise_for_status()
            event = ""
            async for line in stream.aiter_lines():
                key, _, value = line.partition(": ")
                event = value if key == "event" else event
                if key == "data" and event == "error":
                    raise RuntimeError(f"{endpoint} returned an error: {value}")
                if key == "data" and event == "complete":
                    results = list(json.loads(value))
                    return results[0] if len(results) == 1 else results
        raise RuntimeError(f"{endpoint} returned no result")

    async def sample(self) -> None:
        """Time a call for one picture, always of the same size; then download the file."""
        start = time.monotonic()
        files, _ = await self.call("sample", target=self.chance.choice(self.classes), steps=16)
        self.log.add_latency("a call of sample", time.monotonic() - start)
        for file in files:
            picture = await self.client.get(file["url"])
            picture.raise_for_status()
            Image.open(io.BytesIO(picture.content)).verify()

    async def mixture(self) -> None:
        names = self.chance.sample(self.classes, min(2, len(self.classes)))
        share = 1 / len(names)
        await self.call("sample", target=dict.fromkeys(names, share), n=4, seed=self.chance.randrange(10**6))

    async def strip(self) -> None:
        a, b = self.chance.sample(self.classes, 2)
        await self.call("interpolate", a=a, b=b, points=5, steps=8)

    async def embed(self) -> None:
        image = random_texture(self.chance.randrange(10**6))
        files = {"files": ("texture.png", image, "image/png")}
        response = await self.client.post(f"{self.api}/upload", files=files)
        response.raise_for_status()
        file = {"path": response.json()[0], "meta": {"_type": "gradio.FileData"}}
        result = await self.call("embed", image=file)
        if len(result["nearest"]) < 1:
            raise RuntimeError("embed returned no class")

    async def go_away(self) -> None:
        """Request many images and disconnect after the run has started."""
        stream = await self.submit("sample", {"target": self.chance.choice(self.classes), "n": 16})
        async with self.client.stream("GET", stream):
            await asyncio.sleep(self.chance.uniform(0, 0.5))


class BrowserVisitor:
    """A visitor that uses the page in Chromium."""

    def __init__(self, url: str, name: str, log: VisitLog, seed: int, browser: Any) -> None:
        self.url, self.name, self.log, self.browser = url, name, log, browser
        self.chance, self.uploads = random.Random(seed), 0
        self.context: Any = None
        self.page: Any = None

    async def run(self) -> None:
        await visit_repeatedly(self.name, self.arrive, self.leave, self.log, self.chance)

    async def arrive(self) -> Actions:
        self.context = await self.browser.new_context(viewport=DESKTOP)
        self.context.set_default_timeout(1000 * TIMEOUT_S)
        self.page = page = await self.context.new_page()
        page.on("pageerror", lambda error: self.log.add_error(self.name, f"page error: {error}"))
        page.on("console", self.on_console)
        page.on("response", self.on_response)
        await page.add_init_script(dom.RECORDER)
        start = time.monotonic()
        await page.goto(self.url, wait_until="commit")
        await page.wait_for_function(dom.FINISHED_AFTER, arg=0)
        self.log.add_latency("page to first sample", time.monotonic() - start)
        actions = (self.drag, self.drag, self.pick, self.cancel, self.bring, self.strip)
        return [(f"{action.__name__} in a browser", action) for action in actions]

    async def leave(self) -> None:
        """Close the page, in half of the cases during a run."""
        context, self.context = self.context, None
        if context is None:
            return
        try:
            if self.chance.random() < 0.5:
                await self.click_texture()
            self.page.remove_listener("console", self.on_console)  # leaving aborts requests
            await context.close()
        except Exception as error:
            self.log.add_error(self.name, f"leave: {type(error).__name__}: {error}")

    def on_console(self, message: Any) -> None:
        if message.type == "error":
            self.log.add_error(self.name, f"console: {message.text} ({message.location['url']})")

    def on_response(self, response: Any) -> None:
        if response.status >= 500:
            self.log.add_error(self.name, f"status {response.status} of {response.url}")

    async def click_texture(self) -> str:
        """Select a random texture, which starts a run; returns the id of the run before."""
        before = await self.page.evaluate(dom.RUN)
        await self.page.evaluate(dom.CLICK_TEXTURE, self.chance.random())
        return before

    async def run_ended(self, before: str) -> None:
        """Wait for the end of a run other than `before`; log an error message of the page."""
        await self.page.wait_for_function(dom.RUN_ENDED, arg=before)
        await self.log_message(dom.ERROR)

    async def log_message(self, selector: str) -> None:
        """Log the text of an error message, if there is one."""
        if message := await self.page.locator(selector).text_content():
            self.log.add_error(self.name, f"message of the page: {message}")

    async def pick(self) -> None:
        """Select a texture and time its run."""
        start = time.monotonic()
        await self.run_ended(await self.click_texture())
        self.log.add_latency("click to finished samples", time.monotonic() - start)

    async def cancel(self) -> None:
        """Start a run and stop it."""
        before = await self.click_texture()
        await self.page.wait_for_function(dom.RUN_CHANGED, arg=before)
        await asyncio.sleep(self.chance.uniform(0, 0.5))
        await self.page.evaluate(dom.CLICK_STOP)
        await self.page.wait_for_function(dom.RUN_STOPPED)

    async def drag(self) -> None:
        """Press the pin, move it, wait for the preview of each move, and release it."""
        from playwright.async_api import TimeoutError

        mouse, box = self.page.mouse, await self.page.locator(dom.MAP).bounding_box()
        pin = await self.page.locator(dom.PIN).bounding_box()
        await mouse.move(pin["x"] + pin["width"] / 2, pin["y"] + pin["height"] / 2)
        await mouse.down()
        phase = self.chance.uniform(0, 2 * math.pi)
        for k in range(MOVES):
            count = await self.page.evaluate(dom.PAINTED_COUNT)
            x, y = 0.5 + 0.3 * math.cos(phase + k / 3), 0.5 + 0.3 * math.sin(phase + k / 3)
            await mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            try:
                await self.page.wait_for_function(dom.PAINTED_AFTER, arg=count, timeout=1000 * MOVE_TIMEOUT_S)
                milliseconds = await self.page.evaluate(dom.PAINT_LATENCY_MS)
                self.log.add_latency("pointer to changed pixels", milliseconds / 1000)
            except TimeoutError:
                self.log.count("moves without a picture")
        before = await self.page.evaluate(dom.RUN)
        await mouse.up()
        await self.run_ended(before)

    async def bring(self) -> None:
        """Upload a texture, which is sampled."""
        self.uploads += 1
        name = f"soak {self.chance.randrange(10**6)}"
        before = await self.page.evaluate(dom.RUN)
        image = {"name": f"{name}.png", "mimeType": "image/png", "buffer": random_texture(self.uploads)}
        await self.page.locator(dom.UPLOAD_INPUT).set_input_files(image)
        await self.page.locator(dom.user_texture(name)).wait_for()
        await self.run_ended(before)

    async def strip(self) -> None:
        """Open the strip between two textures, then return to samples."""
        page = self.page
        before = await page.evaluate(dom.INTERPOLATION_RUN)
        await page.get_by_role("tab", name="Strip").click()
        await page.wait_for_function(dom.INTERPOLATION_ENDED, arg=before)
        prompt = page.locator(dom.INTERPOLATION_PROMPT)  # asks for a second texture
        if await prompt.is_visible():
            before = await page.evaluate(dom.INTERPOLATION_RUN)
            await prompt.locator("button").click()
            await page.wait_for_function(dom.INTERPOLATION_ENDED, arg=before)
        await self.log_message(dom.INTERPOLATION_ERROR)
        before = await page.evaluate(dom.RUN)
        await page.get_by_role("tab", name="Sample").click()
        await self.run_ended(before)
