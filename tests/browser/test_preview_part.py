"""A picture that is too large to follow the hand: its centre does, then all of it; in a real Chromium."""

from __future__ import annotations

import numpy as np
import pytest
from app_server import AppServer
from browser_help import dot, finished, middle, on_screen, pixels, same_picture, weights
from PIL import Image
from playwright.sync_api import expect

from fgsd.app.serving.preview import STEPS, preview_sigma_max

pytestmark = pytest.mark.browser
SIZE, PART = 192, 64


@pytest.fixture(scope="module")
def slow_server(checkpoint_folder, texture_folder, tmp_path_factory):
    """As on a device that samples 192 pixels in 1.5 s."""
    journal = tmp_path_factory.mktemp("journal") / "steps.txt"
    server = AppServer(checkpoint_folder, texture_folder, journal, SECONDS_PER_PIXEL="2.4e-6")
    yield server
    server.close()


def test_the_first_picture_fits_the_device_and_follows_the_hand_in_its_place(visit, slow_server, pipe):
    page = visit(at=slow_server, device_scale_factor=2)
    picture = page.locator(".picture")
    assert page.locator(".picture canvas").count() == 1
    assert page.locator("#size input").input_value() == f"{SIZE} px"
    assert same_picture(pixels(page), np.asarray(pipe.sample("brick", size=SIZE)[0]))
    shown = on_screen(page)
    width = page.locator(".picture canvas").bounding_box()["width"]
    assert len(shown) == 2 * width  # no pixel of the screen is made up by the browser
    start, goal = middle(page.locator(".map-panel .ring")), middle(dot(page, "moss"))
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + goal[0]) / 2, (start[1] + goal[1]) / 2, steps=3)
    # the hand goes on until a part is there
    page.wait_for_function("document.querySelector('.picture').dataset.part === 'true'")
    mixed = weights(page)
    options = {"steps": STEPS, "sigma_max": preview_sigma_max(pipe), "noise_size": SIZE}
    expect(picture).to_have_attribute("data-part", "false")  # the hand rests
    [whole] = pipe.sample(mixed, size=SIZE, **options)
    assert same_picture(pixels(page), np.asarray(whole))
    page.evaluate("window.parts = []")
    page.evaluate(
        """() => new MutationObserver(() => { const c = document.querySelector('.picture canvas');
              const { part } = document.querySelector('.picture').dataset;
              if (part === 'true' && !window.parts.length) window.parts.push(c.toDataURL()); })
            .observe(document.querySelector('.source'), { attributes: true })"""
    )
    page.mouse.move(*goal, steps=3)
    page.wait_for_function("window.parts.length")
    expect(picture).to_have_attribute("data-part", "false")
    mixed = weights(page)
    page.mouse.up()
    finished(page, picture.get_attribute("data-run"))
    [sample] = pipe.sample(mixed, size=SIZE)
    assert same_picture(pixels(page), np.asarray(sample))
    assert f"size={SIZE}" in page.url and "images=1" in page.url


def test_a_part_is_painted_where_it_lies(visit, slow_server, pipe):
    page = visit(at=slow_server)
    x, y = middle(page.locator(".map-panel .ring"))
    page.evaluate(
        """() => { window.part = null;
            new MutationObserver(() => { const { part } = document.querySelector('.picture').dataset;
                const c = document.querySelector('.picture canvas');
                if (part !== 'true' || window.part) return;
                const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
                window.part = [c.width, Array.from(data), document.querySelector('.source').src]; })
            .observe(document.querySelector('.source'), { attributes: true, attributeFilter: ['src'] }); }"""
    )
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 20)
    page.wait_for_function("window.part !== null")
    width, values, _ = page.evaluate("window.part")
    image = np.array(values, dtype=np.uint8).reshape(width, width, 4)[..., :3].astype(int)
    mixed = weights(page)
    options = {"steps": STEPS, "sigma_max": preview_sigma_max(pipe), "noise_size": SIZE}
    [part] = pipe.sample(mixed, size=PART, **options)
    at, end = (round(k * width / SIZE) for k in ((SIZE - PART) // 2, (SIZE + PART) // 2))
    enlarged = np.asarray(part.resize((end - at, end - at), Image.Resampling.LANCZOS)).astype(int)
    inner = 6 * width // SIZE  # its edge fades
    found = image[at:end, at:end][inner:-inner, inner:-inner]
    assert np.abs(found - enlarged[inner:-inner, inner:-inner]).mean() < 3
    # above and on the left its mirror images lie over the picture before
    [before] = pipe.sample("brick", size=SIZE)
    before = np.asarray(before.resize((width, width), Image.Resampling.LANCZOS)).astype(int)
    size = min(at, len(enlarged))
    corner = slice(at - size, at)

    def difference(laid: np.ndarray) -> float:
        expected = 0.4 * before[corner, corner] + 0.6 * laid
        return np.abs(image[corner, corner] - expected)[:-inner, :-inner].mean()

    mirrored, repeated = enlarged[:size, :size][::-1, ::-1], enlarged[-size:, -size:]
    assert difference(mirrored) < 12 < 20 < difference(repeated)  # the browser enlarges them in its own way
    page.mouse.up()
    finished(page)
