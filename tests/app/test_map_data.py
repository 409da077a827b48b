"""The data of the map for the page, without a browser."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from map_help import scattered_map
from PIL import Image

from fgsd.app.panels.map import panel_html
from fgsd.app.render.encode import HIGH, LOW, packed
from fgsd.app.render.label_layout import layout_labels
from fgsd.app.render.map_data import ASPECT, MapData
from fgsd.app.render.thumbnails import training_images
from fgsd.centroids import CentroidTable
from fgsd.data import to_tensor
from fgsd.pipeline import Pipeline

COUNT = 60


@pytest.fixture(scope="module")
def mapped(pipe) -> Pipeline:
    return Pipeline(pipe.network, pipe.table, pipe.info, "cpu", map=scattered_map(pipe, COUNT, image=48))


@pytest.fixture(scope="module")
def map_data(mapped, texture_folder) -> MapData:
    return MapData(mapped, training_images(texture_folder, mapped.info))


def unpacked(text: str, columns: int = 2) -> np.ndarray:
    whole = np.frombuffer(base64.b64decode(text), dtype="<u2").astype(float)
    return (LOW + whole / 65535 * (HIGH - LOW)).reshape(-1, columns)


def test_positions_survive_packing_and_distant_ones_are_clipped():
    positions = np.array([[0, 1], [0.123456, -0.2], [5, -5]])
    assert unpacked(packed(positions)) == pytest.approx(positions.clip(LOW, HIGH), abs=2e-5)


def test_crops_and_classes_are_those_of_the_map(map_data, mapped):
    for projection in ("pca", "umap"):
        for level in (0, 5):
            found = map_data.points({"projection": projection, "level": level})["points"]
            positions = mapped.map.crops(projection, level).clip(LOW, HIGH)
            assert unpacked(found) == pytest.approx(positions, abs=2e-5)
        classes = unpacked(map_data.thumbnails(projection), 4).reshape(6, 3, 4)
        assert classes[2, :, 2:] == pytest.approx(mapped.map.classes(projection, 2), abs=2e-5)
    labels = np.frombuffer(base64.b64decode(map_data.labels()["labels"]), dtype="<u2")
    assert np.array_equal(labels, mapped.map.labels)


def test_points_take_two_bytes_an_axis(map_data):
    assert len(map_data.points({"projection": "pca", "level": 0})["points"]) == COUNT * 4 * 4 / 3


def test_a_feature_is_sent_as_bytes_of_its_range(map_data, mapped):
    found = map_data.feature({"index": 3, "level": 1})
    values = np.frombuffer(base64.b64decode(found["values"]), dtype=np.uint8)
    expected = mapped.map.feature(3, 1).clip(found["low"], found["high"])
    step = (found["high"] - found["low"]) / 255
    assert found["low"] + step * values == pytest.approx(expected, abs=step + 2e-3)


def test_a_crop_is_cut_from_its_image(map_data, mapped, texture_folder):
    found = map_data.crop({"crop": 7, "level": 0})
    assert found["name"] == "moss" == mapped.classes[mapped.map.labels[7]]
    left, top = mapped.map.corners[7]
    with Image.open(texture_folder / "moss.png") as image:
        real = to_tensor(image.convert("RGB").crop((left, top, left + 16, top + 16)))
    with Image.open(io.BytesIO(base64.b64decode(found["src"].partition(",")[2]))) as shown:
        assert shown.size == (16, 16)
        assert (to_tensor(shown.convert("RGB")) - real).abs().mean() < 0.1  # of 2: it is compressed
    rows, distances = mapped.map.nearest(0, 3)
    assert [name for name, _ in found["near"]] == [mapped.classes[row] for row in rows[7]]
    assert [d for _, d in found["near"]] == pytest.approx(distances[7].tolist(), abs=0.006)


def test_crops_of_rows_that_another_test_share_would_hold_out_have_pictures(mapped, texture_folder):
    info = replace(mapped.info, test_share=0.0)
    lowest = replace(mapped.map, corners=np.full_like(mapped.map.corners, 48 - 16))
    pipe = Pipeline(mapped.network, mapped.table, info, "cpu", map=lowest)
    shown = MapData(pipe, training_images(texture_folder, info))
    assert all(shown.crop({"crop": k, "level": 0})["src"] for k in range(len(lowest.labels)))


def test_without_images_crops_have_no_picture(mapped):
    assert MapData(mapped, None).crop({"crop": 0, "level": 0})["src"] is None


def test_the_true_distance_is_that_of_the_moved_target(map_data, mapped):
    target = [{"name": "moss", "weight": 20, "move": [0.2, 0.1]}]
    [(name, distance)] = mapped.table.nearest(mapped.map.moved(mapped.table.of("moss"), 0.2, 0.1), 1)
    assert map_data.true_distance({"target": target}) == {
        "name": name,
        "distance": pytest.approx(distance, abs=6e-4),
        "spacing": pytest.approx(mapped.nearest(name, 2)[1][1], abs=6e-4),
    }


@pytest.mark.parametrize(
    ("name", "query", "words"),
    [
        ("map_points", None, "The projection must be pca or umap"),
        ("map_points", {"projection": ["pca"], "level": 0}, "The projection"),
        ("map_points", {"projection": "pca", "level": 6}, "The level must be a whole number from 0 to 5"),
        ("map_points", {"projection": "pca", "level": True}, "The level"),
        ("map_feature", {"index": -1, "level": 0}, "The index"),
        ("map_crop", {"crop": 1.5, "level": 0}, "The crop"),
        (
            "map_true_distance",
            {"target": [{"name": "gold", "weight": 1}]},
            "There is no texture named 'gold'",
        ),
        ("map_true_distance", 7, "Choose at least one texture"),
    ],
)
def test_a_forged_query_gets_a_sentence(map_data, name, query, words):
    [function] = [f for f in map_data.server_functions() if f.__name__ == name]
    result = function(query)
    assert set(result) == {"error"} and words in result["error"]


def test_a_map_without_crops_and_umap_has_class_positions_only(pipe):
    data = MapData(pipe, None)
    assert data.count == 0 and data.projections == ("pca",)
    assert data.points({"projection": "pca", "level": 0}) == {"points": ""}
    markup = panel_html(data, 2, 2)
    assert 'data-crops="0"' in markup and "data-umap" not in markup


def test_names_of_classes_reach_no_script(pipe):
    nasty = '"><script>alert(1)</script>${trigger}{{value}}`\\'
    table = pipe.table
    one = CentroidTable([nasty], table.sigmas, table.values[:1], table.scales, table.colours[:1])
    markup = panel_html(MapData(Pipeline(pipe.network, one, pipe.info, "cpu"), None), 1, 1)
    for active in ("<script", "${", "{{", "`", "\\"):
        assert active not in markup


class TestSpread:
    @pytest.mark.parametrize("count", [3, 64])
    def test_squares_do_not_hide_each_other_and_stay_on_the_map(self, count):
        side = 0.06
        points = np.random.default_rng(3).normal(0.5, 0.1, (count, 2)).clip(0, 1)
        centres = layout_labels(points, side, ASPECT) * [1, 1 / ASPECT]  # in widths of the map
        gaps = np.abs(centres[:, None] - centres[None]).max(axis=-1)
        np.fill_diagonal(gaps, np.inf)
        assert gaps.min() > 0.97 * side
        assert (centres >= side / 2).all()
        assert (centres <= np.array([1, 1 / ASPECT]) - side / 2).all()

    def test_squares_that_do_not_fit_stay_on_their_points(self):
        points = np.random.default_rng(0).random((30, 2))
        assert np.array_equal(layout_labels(points, 0.3, 1.0), points)

    def test_squares_that_do_not_overlap_stay_on_their_points(self):
        points = np.array([[0.2, 0.2], [0.8, 0.3], [0.5, 0.8]])
        assert layout_labels(points, 0.1, 1.0) == pytest.approx(points, abs=1e-3)


def test_the_map_in_space_is_that_of_the_library(map_data, mapped):
    found = map_data.space({"projection": "pca", "axis": "depth", "level": 2})
    space = mapped.map.space
    assert found["shown"] == list(range(COUNT))
    assert unpacked(found["crops"], 3) == pytest.approx(space.crops("pca", 2).clip(LOW, HIGH), abs=2e-5)
    assert unpacked(found["classes"], 3) == pytest.approx(space.classes("pca", 2).clip(LOW, HIGH), abs=2e-5)
    found = map_data.space({"projection": "umap", "axis": "noise"})
    assert unpacked(found["classes"], 3).reshape(6, 3, 3)[4] == pytest.approx(
        space.stacked("umap", mapped.map.classes("umap", 4), float(mapped.map.sigmas[4])), abs=2e-5
    )
    assert [len(found[key]) for key in ("centres", "scales", "heights")] == [6, 6, 6]


@pytest.mark.parametrize(
    "query", [None, {}, {"projection": "pca"}, {"projection": "pca", "axis": "depth", "level": 99}]
)
def test_other_views_in_space_are_refused_in_a_sentence(map_data, query):
    function = next(one for one in map_data.server_functions() if one.__name__ == "map_space")
    assert "must be" in function(query)["error"]
