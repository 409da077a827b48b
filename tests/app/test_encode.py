"""Files in memory."""

from __future__ import annotations

import base64
import io

import av
import numpy as np
import pytest
from page_help import opened
from PIL import Image

from fgsd.app.render.encode import GIF, data_uri, file_uri, gif_bytes, mp4_bytes, png_bytes
from fgsd.sheets import image_grid


def colours(count: int, size: tuple[int, int] = (64, 48)) -> list[Image.Image]:
    return [Image.new("RGB", size, (40 * k, 200 - 30 * k, 90)) for k in range(count)]


def decoded(film: bytes) -> tuple[list[np.ndarray], object]:
    with av.open(io.BytesIO(film)) as container:
        stream = container.streams.video[0]
        return [f.to_ndarray(format="rgb24") for f in container.decode(stream)], stream.average_rate


def test_png_keeps_every_bit():
    values = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(Image.fromarray(values))))), values)


def test_gif_repeats_and_holds_the_last_picture():
    gif = Image.open(io.BytesIO(gif_bytes(colours(4), seconds=0.08, hold=5)))
    assert gif.n_frames == 4 and gif.info["loop"] == 0
    durations = []
    for k, image in enumerate(colours(4)):
        gif.seek(k)
        durations.append(gif.info["duration"])
        assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - np.asarray(image)).max() <= 8
    assert durations == [80, 80, 80, 400]


def test_mp4_shows_the_pictures_at_their_pace():
    frames, rate = decoded(mp4_bytes(colours(4), seconds=0.08, hold=3))
    assert len(frames) == 6 and rate == pytest.approx(12.5)
    for frame, image in zip(frames, [*colours(4), *colours(4)[-1:] * 2], strict=True):
        assert frame.shape == (48, 64, 3)
        assert np.abs(frame.astype(int) - np.asarray(image)).mean() < 4


def test_browsers_can_play_the_video():
    with av.open(io.BytesIO(mp4_bytes(colours(3), seconds=0.1))) as film:
        context = film.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")


def test_odd_sides_lose_their_last_pixel():
    frames, _ = decoded(mp4_bytes(colours(2, (33, 17)), seconds=0.1))
    assert frames[0].shape == (16, 32, 3)


@pytest.mark.parametrize("encode", [gif_bytes, mp4_bytes])
def test_wrong_arguments_are_named(encode):
    with pytest.raises(ValueError, match="images is empty"):
        encode([], seconds=0.1)
    with pytest.raises(ValueError, match="64 x 48 pixels"):
        encode([*colours(1), *colours(1, (8, 8))], seconds=0.1)
    with pytest.raises(ValueError, match="seconds=0"):
        encode(colours(1), seconds=0)


def test_a_lossless_data_uri_keeps_every_pixel_of_a_grid():
    rng = np.random.default_rng(1)
    images = [Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(5)]
    sheet = image_grid(images, gap=0, background="black")
    assert sheet.size == (3 * 8, 2 * 8) and sheet.getpixel((23, 15)) == (0, 0, 0)
    assert np.array_equal(np.asarray(opened(data_uri(sheet, lossless=True))), np.asarray(sheet))
    assert np.array_equal(np.asarray(sheet.crop((8, 8, 16, 16))), np.asarray(images[4]))


def test_a_file_as_a_data_uri():
    head, _, body = file_uri(b"GIF89a", GIF).partition(",")
    assert head == "data:image/gif;base64" and base64.b64decode(body) == b"GIF89a"
