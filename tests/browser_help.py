"""What the browser tests share: reading the page, waiting for its states, working its controls.

The fixtures `browser`, `server` and `visit` are in conftest.py.
"""

from __future__ import annotations

import base64
import io
import math
import time

import numpy as np
from app_server import AppServer
from PIL import Image
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect

from fgsd.app.serving.preview import STEPS

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TIMEOUT_MS = 60_000  # milliseconds: the machine may be busy; no test waits this long for nothing
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
expect.set_options(timeout=TIMEOUT_MS)


# as where the visitor or the browser blocks storage, for instance in an iframe of another site
BLOCKED_STORAGE = """for (const name of ['localStorage', 'sessionStorage', 'indexedDB']) {
    Object.defineProperty(window, name, {
        get() { throw new DOMException('Access is denied for this document.', 'SecurityError'); },
    });
}"""


def finished(page: Page, run: str | None = None) -> None:
    """Wait until a sample is there in full; with `run`, one of another run than that."""
    page.wait_for_function(
        """run => { const p = document.querySelector('.picture');
                    return p && p.dataset.done === 'true' && p.dataset.run !== run; }""",
        arg=run,
    )


def run_of(page: Page) -> str:
    return page.locator(".picture").get_attribute("data-run")


def pixels(page: Page, k: int = 0) -> np.ndarray:
    """Image k as it came to the page, pixel for pixel: (H, W, 3)."""
    head, _, body = page.locator(".source").get_attribute("src").partition(",")
    assert head == "data:image/webp;base64"
    sheet = Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB")
    n = page.locator(".picture canvas").count()
    columns = math.ceil(math.sqrt(n))
    side = sheet.width // columns
    left, top = k % columns * side, k // columns * side
    return np.asarray(sheet.crop((left, top, left + side, top + side)))


def on_screen(page: Page, k: int = 0) -> np.ndarray:
    """Image k as the page shows it, enlarged: (H, W, 3)."""
    script = """k => { const c = document.querySelectorAll('.picture canvas')[k];
                       return [c.height, c.width, Array.from(c.getContext('2d')
                               .getImageData(0, 0, c.width, c.height).data)]; }"""
    height, width, values = page.evaluate(script, k)
    return np.array(values, dtype=np.uint8).reshape(height, width, 4)[..., :3]


def expected(pipe, target, seed: int = 0, **options) -> np.ndarray:
    return np.asarray(pipe.sample(target, n=1, steps=16, size=64, seed=seed, **options)[0])


def same_picture(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal to floating-point rounding: the page samples a batch, `expected` a single image."""
    return one.shape == other.shape and int(np.abs(one.astype(int) - other.astype(int)).max()) <= 1


def dot(page: Page, name: str):
    return page.locator(f'.dot[data-name="{name}"]')


def middle(locator) -> tuple[float, float]:
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def chosen(page: Page) -> list[str]:
    return page.locator('.dot[aria-pressed="true"]').evaluate_all("all => all.map(d => d.dataset.name)")


def weights(page: Page) -> dict[str, float]:
    """What the chips say is sampled, to all digits."""
    chips = page.locator(".chip").evaluate_all("all => all.map(c => [c.dataset.name, +c.dataset.weight])")
    total = sum(weight for _, weight in chips)
    return {name: weight / total for name, weight in chips}


def live_picture(page: Page, sent: str | None = None) -> str:
    """Wait for a picture that follows the pin, another than `sent`; its data URI."""
    page.wait_for_function(
        """([sent, steps]) => document.querySelector('.picture').dataset.preview === 'true'
                && document.querySelector('.picture').dataset.index === steps
                && document.querySelector('.source').src !== sent""",
        arg=[sent, str(STEPS)],
    )
    return page.locator(".source").get_attribute("src")


def names(page: Page) -> list[str]:
    """Names of the visitor's textures, oldest first."""
    return page.locator(".user-textures .thumbs button").evaluate_all("all => all.map(b => b.dataset.name)")


def overflow(page: Page) -> tuple[int, int]:
    """By how many pixels the page is wider and higher than the window."""
    across, down = page.evaluate(
        "() => { const d = document.documentElement;"
        "        return [d.scrollWidth - innerWidth, d.scrollHeight - innerHeight]; }"
    )
    return across, down


def until_ended(server: AppServer, begun: int) -> list[str]:
    """What the server has done since its line `begun`, once a run has ended since."""
    deadline = time.monotonic() + 30
    while "end" not in server.lines()[begun:] and time.monotonic() < deadline:
        time.sleep(0.1)
    return server.lines()[begun:]


def set_steps(page: Page, steps: int) -> None:
    """Type the number as often as it takes: while the fold is still opening, Gradio puts the old one back."""
    number, slider = page.locator("#steps input[type=number]"), page.locator("#steps input[type=range]")
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while True:
        number.fill(str(steps))
        number.press("Tab")
        page.wait_for_timeout(300)
        if slider.input_value() == number.input_value() == str(steps):
            return
        assert time.monotonic() < deadline, f"the slider does not take {steps}"


def under_way(page: Page) -> None:
    """Wait until a run has shown its second step."""
    page.wait_for_function(
        "Number(document.querySelector('.picture').dataset.index) >= 2"
        " && document.querySelector('.picture').dataset.done === 'false'"
    )


def slow_run(page: Page) -> None:
    """Set a run that takes many seconds; the one that this has begun is stopped, and has ended."""
    for seed in range(3):  # on a busy machine the page may see a run only when it has ended
        link = f"?mix=brick:1.0&images=16&size=256&steps=100&sampler=heun&seed={seed}"
        # as a favourite is opened: each control by itself would begin a run
        page.evaluate("link => document.dispatchEvent(new CustomEvent('fgsd:open', { detail: link }))", link)
        shows(page, "images=16", "size=256", "steps=100", f"seed={seed}", done=False)
        try:
            page.locator("#stop").click(timeout=5000)
            expect(page.locator(".picture .status")).to_have_text("Stopped.", timeout=5000)
            break
        except (PlaywrightError, AssertionError):
            continue
    expect(page.locator(".picture .status")).to_have_text("Stopped.")
    expect(page.locator("#stop")).to_be_disabled()
    page.server.settled()
    # the stopped run is still on the screen: `under_way` is to wait for the next one
    page.locator(".picture").evaluate("p => (p.dataset.index = 0)")


def choose_size(page: Page, size: int) -> None:
    page.locator("#size input").click()
    page.get_by_role("option", name=f"{size} px").click()


def shows(page: Page, *parts: str, done: bool = True) -> None:
    """Wait until the picture of a link with these parts is there: in full, or at its first step."""
    page.wait_for_function(
        """([parts, done]) => { const p = document.querySelector('.picture');
            const link = p?.dataset.link?.split(/[?&]/) ?? [];
            return parts.every(part => link.includes(part))
                && (done ? p.dataset.done === 'true' : Number(p.dataset.index) >= 1); }""",
        arg=[parts, done],
    )


def photograph(width: int = 48, height: int = 48, seed: int = 0) -> Image.Image:
    """An image that is not scaled on its way: its shorter side is that of the training images."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    values = 120 + 60 * np.sin(rows / 3 + seed)[..., None] * [1, 0.3, 0.1]
    values = values + 40 * np.cos(columns / (2 + seed))[..., None]
    noise = rng.normal(0, 8, (height, width, 1))
    return Image.fromarray((values + noise).clip(0, 255).astype(np.uint8))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def give(page: Page, content: bytes, name: str = "my photo.png", kind: str = "image/png") -> None:
    """Choose a file with the button."""
    page.locator(".user-textures .file").set_input_files({"name": name, "mimeType": kind, "buffer": content})


def transfer(page: Page, image: Image.Image, name: str):
    """A DataTransfer that holds an image as a file, as the system hands it to the page."""
    return page.evaluate_handle(
        """([body, name]) => { const bytes = Uint8Array.from(atob(body), c => c.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], name, { type: 'image/png' }));
            return data; }""",
        [base64.b64encode(png(image)).decode(), name],
    )


def thumb(page: Page, name: str):
    return page.locator(f'.user-textures .thumbs button[data-name="{name}"]')
