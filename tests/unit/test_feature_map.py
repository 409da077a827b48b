"""Feature maps: positions of crops, classes and samples; moved centroids; the map file."""

from __future__ import annotations

import math
import shutil
import time

import numpy as np
import pytest
import torch
from interruptions import sign
from safetensors.torch import load_file, save_file

from fgsd.centroids import Centroid, CentroidTable
from fgsd.checkpoint import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint
from fgsd.feature_map import PROJECTIONS, FeatureMap, fit_map
from fgsd.levels import interpolate
from fgsd.pipeline import Pipeline
from fgsd.projection import umap_by_level


def features_of(feature_map, network, data) -> torch.Tensor:
    """The features (S, N, F) that the map is fitted to."""
    generator, phis = torch.Generator().manual_seed(0), []
    for name in feature_map.table.classes:
        x0 = data.crops(name, 10, generator)
        eps = torch.randn(x0.shape, generator=generator)
        phis.append(torch.stack([network.denoise(x0 + s * eps, s)[1] for s in feature_map.sigmas.tolist()]))
    return torch.cat(phis, dim=1)


@pytest.fixture(scope="module")
def feature_map(pipe, data) -> FeatureMap:
    """The map of the tiny checkpoint with UMAP; fitted once, because UMAP takes long to compile."""
    return fit_map(pipe.network, pipe.table, data, crops=10)


@pytest.fixture(scope="module")
def mapped_pipe(pipe, feature_map) -> Pipeline:
    """The tiny checkpoint with its map."""
    return Pipeline(pipe.network, pipe.table, pipe.info, "cpu", map=feature_map)


@pytest.fixture(scope="module")
def features(feature_map, pipe, data) -> torch.Tensor:
    return features_of(feature_map, pipe.network, data)


@pytest.fixture
def table_map(pipe) -> FeatureMap:
    return FeatureMap.of_table(pipe.table)


class TestPositions:
    def test_shapes(self, feature_map, pipe):
        assert feature_map.projections == PROJECTIONS
        assert feature_map.labels.tolist() == [0] * 10 + [1] * 10 + [2] * 10
        assert torch.equal(feature_map.sigmas, pipe.table.sigmas)
        for projection in PROJECTIONS:
            for level in range(6):
                assert feature_map.crops(projection, level).shape == (30, 2)
                assert feature_map.classes(projection, level).shape == (3, 2)
                assert feature_map.crops(projection, level).dtype == np.float32

    def test_corners_are_those_of_the_crops(self, feature_map, pipe, data):
        x0 = data.crops("brick", 10, torch.Generator().manual_seed(0))
        for k in (0, 7):
            left, top = feature_map.corners[k]
            wide = torch.cat([data.regions("brick")[0]] * 2, dim=2)
            assert torch.equal(wide[:, top : top + 16, left : left + 16], x0[k])
        assert not feature_map.images.any()

    @pytest.mark.parametrize("projection", PROJECTIONS)
    def test_projected_features_of_a_crop_have_the_position_of_the_crop(
        self, feature_map, features, projection
    ):
        for level, sigma in enumerate(feature_map.sigmas.tolist()):
            positions = feature_map.project(projection, features[level], sigma)
            assert positions == pytest.approx(feature_map.crops(projection, level), abs=0.02)

    @pytest.mark.parametrize("projection", PROJECTIONS)
    def test_a_class_centroid_has_the_position_of_its_class(self, feature_map, projection):
        for row, name in enumerate(feature_map.table.classes):
            positions = feature_map.project_centroid(projection, feature_map.table.of(name))
            expected = [feature_map.classes(projection, level)[row] for level in range(6)]
            assert positions == pytest.approx(np.array(expected), abs=1e-3)

    @pytest.mark.parametrize("projection", PROJECTIONS)
    def test_classes_are_better_separated_at_low_noise_than_at_high_noise(self, feature_map, projection):
        def separation(level: int) -> float:
            crops, labels = feature_map.crops(projection, level), feature_map.labels
            means = np.stack([crops[labels == row].mean(axis=0) for row in range(3)])
            return np.square(means - means.mean(axis=0)).sum() / np.square(crops - means[labels]).mean()

        assert separation(0) > 2 * separation(5)

    @pytest.mark.parametrize("projection", PROJECTIONS)
    def test_each_vector_is_projected_at_its_own_noise_level(self, feature_map, projection):
        levels = torch.tensor([0.02, 0.05, 0.7, 10.0])
        phi = interpolate(feature_map.sigmas, feature_map.table.values[1], levels)
        positions = feature_map.project(projection, phi, levels)
        rows = [feature_map.project(projection, phi[k : k + 1], s)[0] for k, s in enumerate(levels.tolist())]
        assert positions == pytest.approx(np.array(rows), abs=1e-5)

    @pytest.mark.parametrize("projection", PROJECTIONS)
    def test_positions_are_continuous_between_two_noise_levels(self, feature_map, projection):
        low, high = feature_map.sigmas[2:4].tolist()
        centroid = feature_map.table.of("moss")
        shares = np.linspace(0, 1, 50)
        sigmas = torch.tensor([low ** (1 - t) * high**t for t in shares], dtype=torch.float64)
        positions = feature_map.project(projection, centroid.at(sigmas), sigmas)
        ends = feature_map.project_centroid(projection, centroid)[2:4]
        assert positions[[0, -1]] == pytest.approx(ends, abs=1e-3)
        assert np.linalg.norm(np.diff(positions, axis=0), axis=1).max() < 0.05 + np.linalg.norm(
            ends[1] - ends[0]
        )

    @pytest.mark.parametrize("projection", PROJECTIONS)
    def test_projection_is_fast(self, feature_map, projection):
        phi = feature_map.table.values[:2, 0].repeat(2, 1)
        feature_map.project(projection, phi, 0.3)
        fastest = math.inf
        for _ in range(50):
            start = time.perf_counter()
            feature_map.project(projection, phi, 0.3)
            fastest = min(fastest, time.perf_counter() - start)
        assert fastest < 0.02  # seconds, on a busy machine; 0.5 ms on an idle one

    def test_an_unknown_projection_is_refused(self, feature_map, table_map):
        with pytest.raises(ValueError, match="projection='tsne' must be one of pca, umap"):
            feature_map.crops("tsne", 0)
        with pytest.raises(ValueError, match="projection='umap' must be one of pca"):
            table_map.project("umap", table_map.table.values[:, 0], 0.1)


class TestMoved:
    @pytest.mark.parametrize("target", ["brick", {"brick": 0.3, "slate": 0.7}])
    def test_a_move_shifts_the_position_exactly_at_every_level_and_is_reversible(self, feature_map, target):
        table = feature_map.table
        centroid = table.of(target) if isinstance(target, str) else table.mixture(target)
        moved = feature_map.moved(centroid, 0.2, -0.35)
        shift = feature_map.project_centroid("pca", moved) - feature_map.project_centroid("pca", centroid)
        assert shift == pytest.approx(np.tile([0.2, -0.35], (6, 1)), abs=1e-4)
        back = feature_map.moved(moved, -0.2, 0.35)
        assert torch.allclose(back.values, centroid.values, atol=1e-5)
        assert torch.allclose(back.colour, centroid.colour, atol=1e-5)

    def test_a_move_by_zero_changes_nothing(self, feature_map):
        centroid = feature_map.table.of("moss")
        moved = feature_map.moved(centroid, 0.0, 0.0)
        assert torch.equal(moved.values, centroid.values) and torch.equal(moved.colour, centroid.colour)

    def test_moving_to_another_class_moves_the_colour_to_that_of_the_class(self, pipe):
        """At one noise level the plane contains the centroids of three classes, so the move is exact."""
        whole = pipe.table
        table = CentroidTable(
            whole.classes, whole.sigmas[:1], whole.values[:, :1], whole.scales[:1], whole.colours
        )
        one = FeatureMap.of_table(table)
        step = (one.classes("pca", 0)[2] - one.classes("pca", 0)[0]).tolist()
        moved = one.moved(table.of("brick"), *step)
        assert torch.allclose(moved.colour, table.colours[2], atol=1e-4)
        assert torch.allclose(moved.values, table.values[2], atol=1e-4)
        far = one.moved(table.of("brick"), 100.0, 100.0).colour
        assert far.abs().max() == 1  # clipped to valid colours

    def test_with_two_classes_centroids_move_only_along_the_line_between_them(self, pipe):
        whole = pipe.table
        table = CentroidTable(
            whole.classes[:2], whole.sigmas, whole.values[:2], whole.scales, whole.colours[:2]
        )
        two = FeatureMap.of_table(table)
        centroid = table.of("brick")
        assert torch.equal(two.moved(centroid, 0.0, 0.4).values, centroid.values)
        shift = two.project_centroid("pca", two.moved(centroid, 0.1, 0.4)) - two.project_centroid(
            "pca", centroid
        )
        assert shift == pytest.approx(np.tile([0.1, 0.0], (6, 1)), abs=1e-4)

    def test_invalid_moves_are_refused(self, feature_map):
        centroid = feature_map.table.of("moss")
        with pytest.raises(ValueError, match="dx=nan"):
            feature_map.moved(centroid, math.nan, 0.0)
        foreign = Centroid(centroid.sigmas * 2, centroid.values, centroid.colour)
        with pytest.raises(ValueError, match="noise levels"):
            feature_map.moved(foreign, 0.1, 0.0)
        with pytest.raises(ValueError, match="noise levels"):
            feature_map.project_centroid("pca", foreign)


class TestFeatures:
    def test_stored_features_are_accurate_within_their_spread(self, feature_map, features):
        for level in (0, 3, 5):
            scale = features[level].std(dim=0)
            for index in (0, 11, features.shape[2] - 1):
                error = feature_map.feature(index, level) - features[level][:, index].numpy()
                assert np.abs(error).max() < 0.2 * scale[index].item() + 1e-4
        assert (feature_map.kept > 0.999).all()  # 30 crops have at most 30 components, fewer than are stored

    def test_nearest_classes_are_those_of_the_exact_features(self, feature_map, features):
        table, level = feature_map.table, 1
        rows, distances = feature_map.nearest(level, 2)
        assert rows.shape == distances.shape == (30, 2)
        z = (features[level][:, None] - table.values[:, level]) / table.scales[level]
        expected = z.square().mean(dim=2).sqrt()
        assert np.mean(rows[:, 0] == expected.argmin(dim=1).numpy()) > 0.95
        assert distances == pytest.approx(expected.sort(dim=1).values[:, :2].numpy(), rel=0.03)

    def test_the_start_level_is_the_one_at_which_most_crops_are_nearest_to_their_class(self, feature_map):
        correct = [(feature_map.nearest(s, 1)[0][:, 0] == feature_map.labels).mean() for s in range(6)]
        assert correct[feature_map.start_level] >= max(correct) - 0.04


class TestWithoutCrops:
    def test_a_table_alone_gives_the_pca_plane(self, table_map, feature_map):
        assert table_map.projections == ("pca",)
        assert table_map.crops("pca", 3).shape == (0, 2)
        assert table_map.labels.shape == (0,) and table_map.corners.shape == (0, 2)
        assert table_map.nearest(0)[0].shape == (0, 3) and table_map.feature(0, 0).shape == (0,)
        for level in range(6):
            assert np.array_equal(table_map.classes("pca", level), feature_map.classes("pca", level))
        assert 0 <= table_map.start_level < 6

    def test_a_pipeline_has_a_map_without_crops(self, pipe):
        assert pipe.map.projections == ("pca",)

    @pytest.mark.parametrize("count", [1, 2])
    def test_one_or_two_classes(self, pipe, count):
        t = pipe.table
        table = CentroidTable(t.classes[:count], t.sigmas, t.values[:count], t.scales, t.colours[:count])
        few = FeatureMap.of_table(table)
        assert few.classes("pca", 0)[:, 1] == pytest.approx(np.full(count, 0.5))
        assert np.isfinite(few.project_centroid("pca", table.of("brick"))).all()


def test_umap_repeats_for_a_seed_and_aligns_the_levels(feature_map):
    """Points on a noisy arc. The fixture `feature_map` has compiled UMAP before this test."""
    random, angle = np.random.default_rng(0), np.linspace(0, 3, 40)
    arc = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    scores = [(arc + 0.02 * random.normal(size=arc.shape)).astype(np.float32) for _ in range(2)]
    one, same, other = (umap_by_level(scores, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    for levels in (one, other):
        moved = np.linalg.norm(levels[1] - levels[0], axis=1)
        assert moved.mean() < 0.1 * np.ptp(levels[0], axis=0).max()


def test_fit_map_refuses_invalid_arguments(pipe, data):
    with pytest.raises(ValueError, match="crops=0"):
        fit_map(pipe.network, pipe.table, data, crops=0)
    t = pipe.table
    foreign = CentroidTable(["brick", "moss", "gold"], t.sigmas, t.values, t.scales, t.colours)
    with pytest.raises(ValueError, match="no images of gold"):
        fit_map(pipe.network, foreign, data)


class TestFile:
    @pytest.fixture
    def folder(self, mapped_pipe, tmp_path):
        mapped_pipe.save_pretrained(tmp_path / "mapped")
        return tmp_path / "mapped"

    def change(self, folder, edit):
        tensors = {k: v.clone() for k, v in load_file(folder / "map.safetensors").items()}
        edit(tensors)
        save_file(tensors, folder / "map.safetensors")
        sign(folder)

    def test_saving_and_loading_keeps_every_bit(self, folder, feature_map):
        assert "map.safetensors" in (folder / "README.md").read_text()
        loaded = Pipeline.from_pretrained(folder, device="cpu").map
        for name in ("scores", "steps", "bases", "kept", "embedding"):
            assert torch.equal(getattr(loaded, name), getattr(feature_map, name))
        for name in ("labels", "images", "corners"):
            assert np.array_equal(getattr(loaded, name), getattr(feature_map, name))
        assert loaded.start_level == feature_map.start_level
        for projection in PROJECTIONS:
            assert np.array_equal(loaded.crops(projection, 2), feature_map.crops(projection, 2))

    def test_a_map_without_umap(self, folder, feature_map):
        self.change(folder, lambda t: t.pop("embedding"))
        loaded = load_checkpoint(folder).map
        assert loaded.projections == ("pca",)
        assert np.array_equal(loaded.crops("pca", 2), feature_map.crops("pca", 2))

    def test_saving_a_checkpoint_without_a_map_removes_the_map_file(self, folder):
        loaded = load_checkpoint(folder)
        save_checkpoint(Checkpoint(loaded.network, loaded.table, loaded.info), folder)
        assert not (folder / "map.safetensors").exists()
        assert load_checkpoint(folder).map is None

    def test_a_map_of_other_noise_levels_is_refused(self, folder, checkpoint_folder):
        self.change(folder, lambda t: t["sigmas"].mul_(2))
        with pytest.raises(CheckpointError, match=r"map\.safetensors: its noise levels"):
            load_checkpoint(folder)

    @pytest.mark.parametrize(
        ("edit", "message"),
        [
            (lambda t: t.pop("scores"), "lacks scores"),
            (lambda t: t.update(other=torch.ones(1)), "other"),
            (lambda t: t.update(scores=t["scores"].float()), "scores is torch.float32, expected torch.int8"),
            (lambda t: t.update(crops=t["crops"].float()), "crops is torch.float32"),
            (lambda t: t["bases"].fill_(math.nan), "bases must hold finite"),
            (lambda t: t["embedding"].fill_(math.inf), "embedding must hold finite"),
            (lambda t: t.update(embedding=t["embedding"][:, :4].clone()), "embedding has shape"),
            (lambda t: t.update(bases=t["bases"][:, :5].clone()), "bases has shape"),
            (lambda t: t.update(crops=t["crops"][:, :3].clone()), "crops has shape"),
            (lambda t: t.update(crops=t["crops"][:7].clone()), "scores has shape"),
            (lambda t: t.update(scores=t["scores"][0, 0, 0].clone()), "scores has shape"),
            (lambda t: t["crops"][:, 0].fill_(7), "labels must name"),
            (lambda t: t["crops"][:, 0].fill_(1), "labels must name"),
            (lambda t: t["crops"][0, 2].fill_(-1), "negative"),
            (lambda t: t.update(start_level=torch.tensor(6, dtype=torch.int32)), "start_level=6"),
            (lambda t: t.update(start_level=torch.ones(2, dtype=torch.int32)), "start_level has shape"),
        ],
    )
    def test_malformed_files_are_refused(self, folder, edit, message):
        self.change(folder, edit)
        with pytest.raises(CheckpointError, match=rf"map\.safetensors: .*{message}"):
            load_checkpoint(folder)

    @pytest.mark.parametrize("length", [0, 7, 9, 200, -3])
    def test_truncated_files_are_refused(self, folder, length):
        path = folder / "map.safetensors"
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(CheckpointError, match=r"map\.safetensors"):
            load_checkpoint(folder)

    def test_a_folder_instead_of_the_map_file_is_refused(self, folder):
        shutil.move(folder / "map.safetensors", folder / "elsewhere")
        (folder / "map.safetensors").mkdir()
        with pytest.raises(CheckpointError, match=r"map\.safetensors"):
            load_checkpoint(folder)
