"""Files of the steps of a run, read again; Python code that makes the same pixels."""

from __future__ import annotations

import io
from types import SimpleNamespace

import av
import numpy as np
import pytest
from page_help import opened, parse
from PIL import Image

from fgsd.app.panels.save import python_lines
from fgsd.app.render.encode import gif_bytes, mp4_bytes
from fgsd.app.render.exports import FORMATS, GAP, HOLD, LABEL, contact_sheet, export
from fgsd.app.render.frames import frames
from fgsd.app.requests.python_code import to_python
from fgsd.centroids import Centroid

MIXED = [{"name": "brick", "weight": 1}, {"name": "moss", "weight": 2}]


def made(pipe, request, kind):
    *shares, file = export(pipe, request, kind)
    assert shares == [(k + 1) / request.steps for k in range(request.steps)]
    return file


def film_of(data: bytes) -> list[np.ndarray]:
    with av.open(io.BytesIO(data)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def difference(one, other) -> float:
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


def colours(count: int, size=(32, 32)) -> list[Image.Image]:
    return [Image.new("RGB", size, (40 * k % 256, 90, 200 - 20 * k)) for k in range(count)]


class TestFiles:
    def test_the_contact_sheet_holds_every_step_to_the_bit(self, pipe):
        request = parse(MIXED, n=4, size=32, steps=5, seed=3)
        file = made(pipe, request, "sheet")
        assert (file.name, file.media_type) == ("moss-brick-seed-3-steps.png", "image/png")
        sheet = Image.open(io.BytesIO(file.data))
        steps = list(pipe.stream({"brick": 0.333333, "moss": 0.666667}, n=4, size=32, steps=5, seed=3))
        assert sheet.format == "PNG"
        assert sheet.size == (3 * 64 + 2 * GAP, 2 * (64 + LABEL) + GAP)
        for k, step in enumerate(steps):
            left, top = k % 3 * (64 + GAP), k // 3 * (64 + LABEL + GAP)
            cut = sheet.crop((left + 32, top, left + 64, top + 32))
            assert np.array_equal(np.asarray(cut), np.asarray(step.images[1]))
            words = np.asarray(sheet.crop((left, top + 64, left + 64, top + 64 + LABEL)))
            assert words.min() < 100  # there is text

    def test_the_gif_has_a_frame_for_each_step(self, pipe):
        request = parse(n=1, size=32, steps=5)
        gif = Image.open(io.BytesIO(made(pipe, request, "gif").data))
        assert (gif.format, gif.n_frames, gif.size) == ("GIF", 5, (256, 256))
        assert gif.info["loop"] == 0
        gif.seek(4)
        assert gif.info["duration"] == 1200
        sample = pipe.sample("moss", n=1, size=32, steps=5)[0].resize((256, 256), Image.Resampling.LANCZOS)
        assert difference(gif.convert("RGB"), sample) < 16  # in 256 colours
        gif.seek(0)
        assert difference(gif.convert("RGB"), sample) > 30

    def test_the_mp4_has_a_frame_for_each_step_and_holds_the_last(self, pipe):
        request = parse(n=1, size=32, steps=5)
        file = made(pipe, request, "mp4")
        assert file.data[4:8] == b"ftyp"
        film = film_of(file.data)
        assert len(film) == 5 + HOLD - 1
        sample = pipe.sample("moss", n=1, size=32, steps=5)[0].resize((256, 256), Image.Resampling.LANCZOS)
        assert difference(film[-1], sample) < 10  # colours are halved in resolution
        assert difference(film[0], sample) > 30

    @pytest.mark.parametrize(("view", "wide"), [("noise", 1), ("estimate", 1), ("both", 2)])
    def test_the_file_shows_the_view_of_the_page(self, pipe, view, wide):
        sheet = Image.open(io.BytesIO(made(pipe, parse(n=1, size=64, steps=2, view=view), "sheet").data))
        width = wide * 64 + (wide - 1) * GAP
        assert sheet.size == (2 * width + GAP, 64 + LABEL)
        first = next(pipe.stream("moss", n=1, size=64, steps=2))
        expected = first.images[0] if view == "noise" else first.denoised[0]
        assert np.array_equal(np.asarray(sheet.crop((width - 64, 0, width, 64))), np.asarray(expected))

    def test_steps_that_are_too_large_are_scaled_down(self, pipe, monkeypatch):
        kind = FORMATS["sheet"]
        monkeypatch.setitem(FORMATS, "sheet", type(kind)(kind.suffix, kind.media_type, 2 * 16 * 16, False))
        sheet = Image.open(io.BytesIO(made(pipe, parse(n=1, size=32, steps=2), "sheet").data))
        assert sheet.size == (2 * 16 + GAP, 16 + LABEL)

    def test_a_cancelled_file_is_not_made(self, pipe, monkeypatch):
        steps, stream = [], pipe.stream

        def counted(*args, **options):
            for step in stream(*args, **options):
                steps.append(step.index)
                yield step

        monkeypatch.setattr(pipe, "stream", counted)
        request = parse(n=1, size=16, steps=9)
        assert list(export(pipe, request, "gif", is_cancelled=lambda: len(steps) >= 3)) == [1 / 9, 2 / 9]
        assert steps == [1, 2, 3]

    def test_nothing_is_written_to_the_disk(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        gif_bytes(colours(3), seconds=0.1)
        mp4_bytes(colours(3), seconds=0.1)
        contact_sheet(colours(3), [("a", "b")] * 3)
        assert list(tmp_path.iterdir()) == []


class TestPython:
    @pytest.mark.parametrize(
        ("target", "options"),
        [
            ([{"name": "moss", "weight": 1}], {"n": 4, "size": 32, "steps": 3}),
            (MIXED, {"n": 3, "size": 16, "steps": 4, "seed": 7, "strength": 1.35, "sampler": "heun"}),
            (MIXED, {"n": 1, "size": 32, "steps": 3, "sampler": "ancestral", "tileable": True}),
        ],
    )
    def test_the_code_makes_the_same_pixels_to_the_bit(
        self, pipe, checkpoint_folder, tmp_path, monkeypatch, target, options
    ):
        monkeypatch.chdir(tmp_path)
        request = parse(target, **options)
        names: dict = {}
        exec(to_python(request, str(checkpoint_folder)), names)
        *_, batch = frames(pipe, request)
        sheet, side = opened(batch[-1]["src"]), request.size
        columns = batch[-1]["columns"]
        assert len(names["images"]) == request.n
        for k, image in enumerate(names["images"]):
            left, top = k % columns * side, k // columns * side
            cut = np.asarray(sheet.crop((left, top, left + side, top + side)))
            assert np.array_equal(cut, np.asarray(image))
            assert np.array_equal(cut, np.asarray(Image.open(tmp_path / f"sample-{k}.png")))

    def test_moves_over_the_map(self, pipe, checkpoint_folder, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        def moved(centroid, dx, dy):
            return Centroid(centroid.sigmas, centroid.values + dx - 2 * dy, centroid.colour)

        monkeypatch.setattr(type(pipe), "map", SimpleNamespace(moved=moved), raising=False)
        monkeypatch.setattr("fgsd.app.render.frames._map_positions", lambda pipe, step: {})
        target = [{"name": "moss", "weight": 1, "move": [0.25, -0.5]}, {"name": "brick", "weight": 1}]
        request = parse(target, n=1, size=16, steps=3)
        names: dict = {}
        exec(to_python(request, str(checkpoint_folder)), names)
        shown = [frame for batch in frames(pipe, request) for frame in batch][-1]
        unmoved = [{**entry, "move": None} for entry in target]
        plain = [f for batch in frames(pipe, parse(unmoved, n=1, size=16, steps=3)) for f in batch][-1]
        assert np.array_equal(np.asarray(opened(shown["src"])), np.asarray(names["images"][0]))
        assert shown["src"] != plain["src"]

    def test_code_cannot_have_a_texture_of_the_visitor(self, pipe, checkpoint_folder):
        lines = python_lines(pipe, str(checkpoint_folder))
        assert "save the File" in lines("?mix=my%2520photo:1.0")["error"]
        assert "pipe.table.of('moss')" in lines("?mix=moss:1.0")["lines"]
        assert lines(3) == {"error": "There is no picture to save yet."}

    def test_any_name_is_a_string_in_the_code(self):
        nasty = "'); import os; ('"
        lines = to_python(parse().__class__({nasty: 1.0}), "owner/name")
        assert f"target = pipe.table.of({nasty!r})" in lines
        compile(lines, "lines", "exec")
