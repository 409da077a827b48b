"""What the visitors of a soak do: some in a browser, as people do, the others over HTTP, as programs do.

Each goes on until the time is over: it does one thing after another, in an order of its own, leaves in the
middle of a run as often as not, and comes back as somebody new.
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

from fgsd.benchmarks.page import DESKTOP, RECORDER

TIMEOUT_S = 60.0  # seconds that a visitor waits for anything
MOVE_TIMEOUT_S = 10.0  # seconds that a picture which follows the pin may take: past that, the hand moves on
MOVES = 6  # of the pin in one drag
PAUSE = (0.5, 4.0)  # seconds between two things that a visitor does
GONE = (1.0, 10.0)  # seconds that one who has left stays away
TEXTURE_SIDE = 160  # pixels of an image that a visitor brings


@dataclass
class Notes:
    """What was seen, with seconds since the beginning."""

    began: float = field(default_factory=time.monotonic)
    over: bool = False  # what comes later is the end of the server, and no complaint
    errors: list[dict[str, Any]] = field(default_factory=list)
    latencies: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)  # how often each thing was done

    def now(self) -> float:
        return time.monotonic() - self.began

    def complain(self, who: str, what: str) -> None:
        if not self.over:
            self.errors.append({"seconds": round(self.now(), 1), "visitor": who, "error": what[:500]})

    def took(self, kind: str, seconds: float) -> None:
        if not self.over:
            self.latencies.setdefault(kind, []).append((round(self.now(), 1), round(seconds, 4)))

    def count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1


def own_image(seed: int) -> bytes:
    """A texture that no checkpoint has seen, as PNG: waves and grain."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:TEXTURE_SIDE, :TEXTURE_SIDE]
    waves = 60 * np.sin(rows / rng.uniform(2, 9) + columns / rng.uniform(2, 9))
    values = rng.uniform(60, 180, 3) + waves[..., None] + rng.normal(0, 10, (TEXTURE_SIDE, TEXTURE_SIDE, 1))
    buffer = io.BytesIO()
    Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


async def stay(
    who: str,
    visits: Callable[[], Awaitable[list[tuple[str, Callable[[], Awaitable[None]]]]]],
    leave: Callable[[], Awaitable[None]],
    notes: Notes,
    chance: random.Random,
) -> None:
    """Come, do some of what can be done here, leave, and come back, until the task is cancelled.

    Parameters
    ----------
    visits : coroutine function
        Comes in, and returns what can be done, by name.
    leave : coroutine function
        Must be harmless where nobody has come in.
    """
    while True:
        what = "come"
        try:
            ways = await visits()
            notes.count(what)
            for _ in range(chance.randint(3, 8)):
                what, do = chance.choice(ways)
                await do()
                notes.count(what)
                await asyncio.sleep(chance.uniform(*PAUSE))
        except Exception as error:  # whatever fails is what is looked for, and the others go on
            notes.complain(who, f"{what}: {type(error).__name__}: {error}")
        await leave()
        await asyncio.sleep(chance.uniform(*GONE))


class Program:
    """A visitor that calls the API over HTTP."""

    def __init__(self, url: str, who: str, notes: Notes, seed: int) -> None:
        self.api, self.who, self.notes = f"{url}/gradio_api", who, notes
        self.chance = random.Random(seed)
        self.names: list[str] = []
        self.client: Any = None

    async def run(self) -> None:
        await stay(self.who, self.come, self.leave, self.notes, self.chance)

    async def come(self) -> list:
        import httpx

        self.client = httpx.AsyncClient(timeout=TIMEOUT_S)
        self.names = await self.call("classes")
        ways = (self.sample, self.mixture, self.strip, self.embed, self.go_away)
        return [(f"{way.__name__} by HTTP", way) for way in ways]

    async def leave(self) -> None:
        if self.client is not None:
            await self.client.aclose()
            self.client = None

    async def begin(self, name: str, values: dict) -> str:
        begun = await self.client.post(f"{self.api}/call/v2/{name}", json=values)
        begun.raise_for_status()
        return f"{self.api}/call/{name}/{begun.json()['event_id']}"

    async def call(self, name: str, **values: Any) -> Any:
        """The answer of an endpoint."""
        async with self.client.stream("GET", await self.begin(name, values)) as stream:
            stream.raise_for_status()
            event = ""
            async for line in stream.aiter_lines():
                kind, _, said = line.partition(": ")
                event = said if kind == "event" else event
                if kind == "data" and event == "error":
                    raise RuntimeError(f"{name} answered: {said}")
                if kind == "data" and event == "complete":
                    [*found] = json.loads(said)
                    return found[0] if len(found) == 1 else found
        raise RuntimeError(f"{name} gave no answer")

    async def sample(self) -> None:
        """One picture, always as large, whose time is noted; then the file itself."""
        begun = time.monotonic()
        files, _ = await self.call("sample", target=self.chance.choice(self.names), steps=16)
        self.notes.took("a call of sample", time.monotonic() - begun)
        for file in files:
            picture = await self.client.get(file["url"])
            picture.raise_for_status()
            Image.open(io.BytesIO(picture.content)).verify()

    async def mixture(self) -> None:
        names = self.chance.sample(self.names, min(2, len(self.names)))
        share = 1 / len(names)
        await self.call("sample", target=dict.fromkeys(names, share), n=4, seed=self.chance.randrange(10**6))

    async def strip(self) -> None:
        a, b = self.chance.sample(self.names, 2)
        await self.call("interpolate", a=a, b=b, points=5, steps=8)

    async def embed(self) -> None:
        image = own_image(self.chance.randrange(10**6))
        sent = await self.client.post(f"{self.api}/upload", files={"files": ("own.png", image, "image/png")})
        sent.raise_for_status()
        file = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
        found = await self.call("embed", image=file)
        if len(found["nearest"]) < 1:
            raise RuntimeError("embed found no class")

    async def go_away(self) -> None:
        """Ask for much, and hang up once it has begun."""
        stream = await self.begin("sample", {"target": self.chance.choice(self.names), "n": 16})
        async with self.client.stream("GET", stream):
            await asyncio.sleep(self.chance.uniform(0, 0.5))


class Guest:
    """A visitor in a browser."""

    def __init__(self, url: str, who: str, notes: Notes, seed: int, browser: Any) -> None:
        self.url, self.who, self.notes, self.browser = url, who, notes, browser
        self.chance, self.brought = random.Random(seed), 0
        self.context: Any = None
        self.page: Any = None

    async def run(self) -> None:
        await stay(self.who, self.come, self.leave, self.notes, self.chance)

    async def come(self) -> list:
        self.context = await self.browser.new_context(viewport=DESKTOP)
        self.context.set_default_timeout(1000 * TIMEOUT_S)
        self.page = page = await self.context.new_page()
        page.on("pageerror", lambda error: self.notes.complain(self.who, f"page error: {error}"))
        page.on("console", self.hear)
        page.on("response", self.see)
        await page.add_init_script(RECORDER)
        begun = time.monotonic()
        await page.goto(self.url, wait_until="commit")
        await page.wait_for_function("bench.done.length > 0")
        self.notes.took("page to first sample", time.monotonic() - begun)
        ways = (self.drag, self.drag, self.pick, self.cancel, self.bring, self.strip)
        return [(f"{way.__name__} in a browser", way) for way in ways]

    async def leave(self) -> None:
        """Sometimes in the middle of a run."""
        context, self.context = self.context, None
        if context is None:
            return
        try:
            if self.chance.random() < 0.5:
                await self.press()
            self.page.remove_listener("console", self.hear)  # of what leaving cuts off
            await context.close()
        except Exception as error:
            self.notes.complain(self.who, f"leave: {type(error).__name__}: {error}")

    def hear(self, message: Any) -> None:
        if message.type == "error":
            self.notes.complain(self.who, f"console: {message.text} ({message.location['url']})")

    def see(self, response: Any) -> None:
        if response.status >= 500:
            self.notes.complain(self.who, f"status {response.status} of {response.url}")

    async def press(self) -> str:
        """Choose a texture by a click, which begins a run; the run that was on the screen before."""
        before = await self.page.evaluate("document.querySelector('.picture').dataset.run")
        await self.page.evaluate(
            """at => { const all = document.querySelectorAll('.dot');
                       all[Math.floor(at * all.length)].click(); }""",
            self.chance.random(),
        )
        return before

    async def finished(self, before: str) -> None:
        """Wait for the end of a run after `before`; a complaint on the page is one of ours."""
        await self.page.wait_for_function(
            """run => { const p = document.querySelector('.picture');
                        return p.dataset.run !== run && (p.dataset.done === 'true'
                            || !p.querySelector('.message').hidden); }""",
            arg=before,
        )
        said = await self.page.locator(".picture .message").text_content()
        if said:
            self.notes.complain(self.who, f"the page says: {said}")

    async def pick(self) -> None:
        begun = time.monotonic()
        await self.finished(await self.press())
        self.notes.took("click to finished samples", time.monotonic() - begun)

    async def cancel(self) -> None:
        before = await self.press()
        await self.page.wait_for_function(
            "run => document.querySelector('.picture').dataset.run !== run", arg=before
        )
        await asyncio.sleep(self.chance.uniform(0, 0.5))
        await self.page.evaluate("document.querySelector('#stop').click()")
        await self.page.wait_for_function(
            """() => { const p = document.querySelector('.picture');
                       return p.dataset.done === 'true'
                           || p.querySelector('.status').textContent === 'Stopped.'; }"""
        )

    async def drag(self) -> None:
        """Take the pin, move it, each time until the picture follows, and let it go."""
        from playwright.async_api import TimeoutError

        mouse, box = self.page.mouse, await self.page.locator(".map-panel .map").bounding_box()
        mark = await self.page.locator(".map-panel .ring").bounding_box()
        await mouse.move(mark["x"] + mark["width"] / 2, mark["y"] + mark["height"] / 2)
        await mouse.down()
        turn = self.chance.uniform(0, 2 * math.pi)
        for k in range(MOVES):
            shown = await self.page.evaluate("bench.shown.length")
            x, y = 0.5 + 0.3 * math.cos(turn + k / 3), 0.5 + 0.3 * math.sin(turn + k / 3)
            await mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            try:
                await self.page.wait_for_function(
                    "n => bench.shown.length > n", arg=shown, timeout=1000 * MOVE_TIMEOUT_S
                )
                milliseconds = await self.page.evaluate("bench.shown.at(-1) - bench.moved")
                self.notes.took("pointer to changed pixels", milliseconds / 1000)
            except TimeoutError:
                self.notes.count("moves without a picture")
        before = await self.page.evaluate("document.querySelector('.picture').dataset.run")
        await mouse.up()
        await self.finished(before)

    async def bring(self) -> None:
        """A texture of one's own."""
        self.brought += 1
        name = f"soak {self.chance.randrange(10**6)}"
        before = await self.page.evaluate("document.querySelector('.picture').dataset.run")
        image = {"name": f"{name}.png", "mimeType": "image/png", "buffer": own_image(self.brought)}
        await self.page.locator(".user-textures .file").set_input_files(image)
        await self.page.locator(f'.user-textures .thumbs button[data-name="{name}"]').wait_for()
        await self.finished(before)

    async def strip(self) -> None:
        """What lies between two textures; then back to samples."""
        page = self.page
        run = "document.querySelector('.interpolation').dataset.run ?? ''"
        ready = """run => { const b = document.querySelector('.interpolation');
                             return b.dataset.done === 'true' && b.dataset.run !== run; }"""
        before = await page.evaluate(run)
        await page.get_by_role("tab", name="Strip").click()
        await page.wait_for_function(ready, arg=before)
        ask = page.locator(".interpolation .missing")
        if await ask.is_visible():
            before = await page.evaluate(run)
            await ask.locator("button").click()
            await page.wait_for_function(ready, arg=before)
        said = await page.locator(".interpolation .error").text_content()
        if said:
            self.notes.complain(self.who, f"the page says: {said}")
        before = await page.evaluate("document.querySelector('.picture').dataset.run")
        await page.get_by_role("tab", name="Sample").click()
        await self.finished(before)
