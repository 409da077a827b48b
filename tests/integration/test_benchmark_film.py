"""The film keeps real time and its limit of size, and shows a drag and the sampling after it."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageChops

from fgsd.benchmarks.film import Film, record_film, save_film, smooth_path


def noise_film(frames: int = 12, side: int = 64) -> Film:
    """Frames of noise, which hardly compress, at times that are not even."""
    random = np.random.default_rng(0)
    images = [
        Image.fromarray(random.integers(0, 256, (side, 2 * side, 3), dtype=np.uint8)) for _ in range(frames)
    ]
    times = 5 + np.cumsum(random.uniform(0.05, 0.3, frames))
    return Film(images, times.tolist(), end=times[-1] + 1.5)


def saved_durations(path) -> list[int]:
    with Image.open(path) as image:
        durations = []
        for k in range(image.n_frames):
            image.seek(k)
            image.load()  # WebP gives the duration of a frame when it is decoded
            durations.append(image.info["duration"])
    return durations


def test_frames_are_shown_for_as_long_as_they_were_on_the_screen(tmp_path):
    film = noise_film()
    saved = save_film(film, tmp_path / "film.webp")
    durations = saved_durations(tmp_path / "film.webp")
    times = [*film.times, film.end]
    assert durations == pytest.approx([1000 * (later - t) for t, later in pairwise(times)], abs=1)
    assert saved.frames == len(durations) == 12
    assert saved.seconds == pytest.approx(film.end - film.times[0], abs=0.001)
    assert (saved.width, saved.height, saved.quality) == (128, 64, 90)
    with Image.open(tmp_path / "film.webp") as image:
        assert image.info["loop"] == 0  # forever


@pytest.mark.parametrize("share", [0.8, 0.4, 0.05])
def test_a_film_is_made_to_fit_and_keeps_its_length(tmp_path, share):
    film, path = noise_film(), tmp_path / "film.webp"
    full = save_film(film, path)
    fitted = save_film(film, path, max_bytes=round(share * full.size))
    assert path.stat().st_size == fitted.size <= share * full.size
    assert fitted.seconds == full.seconds
    assert sum(saved_durations(path)) == pytest.approx(1000 * full.seconds, abs=1)
    assert fitted.quality < full.quality
    if share < 0.1:
        assert fitted.width < full.width and fitted.frames < full.frames


def test_a_film_that_cannot_fit_is_refused(tmp_path):
    with pytest.raises(ValueError, match="max_bytes=100 is too small for a film of 12 frames"):
        save_film(noise_film(), tmp_path / "film.webp", max_bytes=100)
    with pytest.raises(ValueError, match=r"\.webp"):
        save_film(noise_film(), tmp_path / "film.gif")
    assert list(tmp_path.iterdir()) == []


def test_the_path_passes_its_points_in_even_steps():
    points = [(0, 0), (30, 10), (30, 40), (80, 45)]
    path = smooth_path(points)
    assert path[0] == pytest.approx(points[0]) and path[-1] == pytest.approx(points[-1])
    for point in points:
        assert np.linalg.norm(path - point, axis=1).min() < 0.5
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert steps == pytest.approx(np.full(len(steps), 0.5), abs=0.02)


@pytest.mark.parametrize("rate", [0, 31])
def test_a_rate_out_of_range_is_refused(rate):
    with pytest.raises(ValueError, match=f"rate={rate} must be between 1 and 30"):
        record_film("checkpoint", "data", rate=rate)


@pytest.mark.slow
@pytest.mark.browser
def test_the_film_shows_a_drag_and_the_sampling(checkpoint_folder, texture_folder, tmp_path):
    """In a process of its own: one process cannot run Playwright twice."""
    path = tmp_path / "drag.webp"
    command = [sys.executable, "-m", "fgsd.cli", "film", "-o", str(path), "--megabytes", "0.5"]
    options = ["--checkpoint", str(checkpoint_folder), "--data", str(texture_folder), "--texture", "slate"]
    printed = subprocess.run([*command, *options], check=True, capture_output=True, text=True).stdout
    assert printed.startswith(f"{path}: ") and path.stat().st_size <= 500_000
    assert 7 < sum(saved_durations(path)) / 1000 < 60
    with Image.open(path) as image:
        frames = []
        for k in range(image.n_frames):
            image.seek(k)
            frames.append(image.convert("RGB"))
    assert len(frames) > 10
    width, height = frames[0].size
    for left, right in ((0, width // 2), (width // 2, width)):  # the map and the samples
        first, last = (frame.crop((left, 0, right, height)) for frame in (frames[0], frames[-1]))
        assert ImageChops.difference(first, last).getbbox() is not None


@pytest.mark.slow
@pytest.mark.browser
def test_a_texture_that_is_not_on_the_map_is_refused(checkpoint_folder, texture_folder, tmp_path):
    command = [sys.executable, "-m", "fgsd.cli", "film", "-o", str(tmp_path / "drag.webp")]
    options = ["--checkpoint", str(checkpoint_folder), "--data", str(texture_folder), "--texture", "lava"]
    ran = subprocess.run([*command, *options], capture_output=True, text=True)
    assert ran.returncode == 2
    assert "textures=['lava'] are not on the map; there are brick, moss, slate" in ran.stderr
