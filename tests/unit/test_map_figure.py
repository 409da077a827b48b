"""Figures of the map: positions, names and pictures are those of the map; the page needs no internet."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from cli_help import run
from map_help import scattered_map
from PIL import Image

from fgsd.feature_map import FeatureMap
from fgsd.map_figure import MAX_POINTS, crop_picture, map_figure
from fgsd.pipeline import Pipeline

COUNT = 60


@pytest.fixture(scope="module")
def mapped(pipe) -> FeatureMap:
    return scattered_map(pipe, COUNT, image=48)


def points(trace) -> np.ndarray:
    axes = [trace.x, trace.y] + ([trace.z] if trace.type == "scatter3d" else [])
    return np.array(axes, dtype=float).T


def trace_of(figure, name: str):
    return next(trace for trace in figure.data if trace.name == name)


def test_the_plane_is_that_of_the_map_with_y_upwards(mapped):
    figure = mapped.figure("umap", sigma=float(mapped.sigmas[3]) * 1.01)
    crops, classes = trace_of(figure, "training crops"), trace_of(figure, "textures")
    upwards = mapped.crops("umap", 3) * [1, -1] + [0, 1]
    assert points(crops) == pytest.approx(upwards, abs=1e-4)
    assert list(crops.text) == [mapped.table.classes[row] for row in mapped.labels]
    assert points(classes) == pytest.approx(mapped.classes("umap", 3) * [1, -1] + [0, 1], abs=1e-4)
    assert list(classes.text) == mapped.table.classes
    assert "UMAP" in figure.layout.title.text


def test_three_dimensions_are_those_of_the_space(mapped):
    figure = mapped.figure(dims=3)
    expected = mapped.space.crops("pca", mapped.start_level)
    found = points(trace_of(figure, "training crops"))
    assert found == pytest.approx(
        np.column_stack([expected[:, 0], expected[:, 2], 1 - expected[:, 1]]), abs=1e-4
    )


def test_the_third_axis_may_be_the_noise_level(mapped):
    figure = mapped.figure("umap", dims=3, third_axis="sigma")
    found = points(trace_of(figure, "training crops")).reshape(len(mapped.sigmas), COUNT, 3)
    for level, sigma in enumerate(mapped.sigmas.tolist()):
        assert found[level, :, 2] == pytest.approx(sigma, abs=1e-3)
        expected = mapped.space.stacked("umap", mapped.crops("umap", level), sigma)
        assert found[level, :, 0] == pytest.approx(expected[:, 0], abs=1e-4)
    lines = trace_of(figure, "textures through the noise")
    assert len(lines.x) == 3 * (len(mapped.sigmas) + 1)  # gaps between the classes


def test_more_crops_than_can_be_turned_are_thinned_out(pipe):
    crowd = scattered_map(pipe, 3 * MAX_POINTS, image=48)
    labels = np.array(
        [crowd.table.classes.index(n) for n in trace_of(crowd.figure(dims=3), "training crops").text]
    )
    assert len(labels) == MAX_POINTS and set(labels) == {0, 1, 2}
    stacked = trace_of(crowd.figure(dims=3, third_axis="sigma"), "training crops")
    assert MAX_POINTS - len(crowd.sigmas) <= len(stacked.x) <= MAX_POINTS


def test_pictures_are_the_crops_and_the_textures(mapped, data):
    figure = mapped.figure(data=data)
    assert len(figure.layout.images) == 3
    meta = figure.layout.meta
    sheet = Image.open(io.BytesIO(base64.b64decode(meta["sheet"].split(",")[1]))).convert("RGB")
    cell = int(trace_of(figure, "training crops").customdata[7])
    row, column = divmod(cell, meta["columns"])
    side = sheet.width // meta["columns"]
    found = np.asarray(
        sheet.crop((column * side, row * side, (column + 1) * side, (row + 1) * side)), dtype=float
    )
    expected = crop_picture(mapped, data, 7).resize((side, side), Image.Resampling.LANCZOS)
    assert np.abs(found - np.asarray(expected)).mean() < 12  # WebP loses a little


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"projection": "tsne"}, "projection='tsne' must be one of pca, umap"),
        ({"dims": 4}, "dims=4 must be 2 or 3"),
        ({"sigma": 1e6}, r"sigma=1000000.0 must be from .* to"),
        ({"dims": 3, "third_axis": "time"}, "third_axis='time' must be one of projection, sigma"),
        ({"third_axis": "sigma"}, "third_axis='sigma' needs dims=3"),
        ({"dims": 3, "third_axis": "sigma", "sigma": 1.0}, "exclude each other"),
    ],
)
def test_wrong_options_are_named(mapped, options, message):
    with pytest.raises(ValueError, match=message):
        map_figure(mapped, **options)


class TestCommand:
    def test_it_writes_a_page_that_needs_no_internet(self, capsys, tmp_path, pipe, mapped, texture_folder):
        Pipeline(pipe.network, pipe.table, pipe.info, "cpu", map=mapped).save_pretrained(tmp_path / "c")
        output = tmp_path / "new" / "map.html"
        code, out, err = run(
            capsys, "plot", "map", "-o", output, "-c", tmp_path / "c", "-d", texture_folder, "--dims", 3
        )
        assert (code, err) == (0, "") and out == f"{output}: 3 textures in 3 dimensions\n"
        html = output.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="?https?:', html)
        assert 'plot.on("plotly_hover"' in html and '"sheet":"data:image' in html
        assert html.count('"type":"scatter3d"') > 1 and "Plotly.newPlot" in html
        assert [path.name for path in output.parent.iterdir()] == ["map.html"]

    def test_every_option_shows_its_default(self, capsys):
        code, out, _ = run(capsys, "plot", "map", "--help")
        assert code == 0 and out.count("default:") >= 6

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["-o", "map.png"], "--output map.png: the figure is a page of HTML"),
            (["--projection", "tsne"], "projection='tsne' must be one of pca"),
            (["--dims", "5"], "dims=5 must be 2 or 3"),
        ],
    )
    def test_wrong_options_print_one_line_and_write_nothing(
        self, capsys, tmp_path, monkeypatch, checkpoint_folder, texture_folder, arguments, message
    ):
        monkeypatch.chdir(tmp_path)
        code, _, err = run(capsys, "plot", "map", "-c", checkpoint_folder, "-d", texture_folder, *arguments)
        assert code == 2 and message in err and err.count("\n") == 1
        assert not list(tmp_path.iterdir())
