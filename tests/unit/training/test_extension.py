"""Classes that are added to a checkpoint, and images of those that it knows."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from cli_help import run
from PIL import Image

from fgsd.data import TextureFolder, to_images
from fgsd.pipeline import Pipeline
from fgsd.texture import Texture
from fgsd.training.batch import _plan, make_batch
from fgsd.training.config import TrainingConfig
from fgsd.training.extension import SAMPLES, known_images, learned_table


@pytest.fixture(scope="module")
def new_folder(tmp_path_factory, texture_folder):
    """A folder with one class that the checkpoint does not know."""
    folder = tmp_path_factory.mktemp("new")
    Image.open(texture_folder / "moss.png").rotate(90).save(folder / "moss-wall.png")
    return folder


class TestFocus:
    NAMES = ("a", "b", "c", "d", "e")

    @pytest.fixture
    def config(self, tiny, data_config) -> TrainingConfig:
        return TrainingConfig(tiny, data_config, focus=("b", "d"), focus_share=0.5, groups=4, group_size=2)

    def test_a_share_of_the_groups_has_its_classes_and_each_is_as_frequent_as_the_other(self, config):
        rows = torch.cat([_plan(config, self.NAMES, step, 4)[0] for step in range(500)])
        shares = torch.bincount(rows, minlength=5) / len(rows)
        assert torch.allclose(shares, torch.tensor([1 / 6, 1 / 4, 1 / 6, 1 / 4, 1 / 6]), atol=0.03)

    def test_without_it_the_plan_is_as_before(self, config):
        rows, *_ = _plan(replace(config, focus=(), focus_share=0.0), self.NAMES, 3, 12)
        counts = torch.bincount(rows, minlength=5)
        assert counts.min() >= 2 and counts.max() <= 3  # every class comes before one comes again

    @pytest.mark.parametrize(
        ("focus", "share"), [((), 0.5), (("a",), 0.0), (("a",), 1.0), (("a",), -0.1), (("a",), float("nan"))]
    )
    def test_bad_shares_are_refused(self, config, focus, share):
        with pytest.raises(ValueError, match="focus_share="):
            replace(config, focus=focus, focus_share=share)

    def test_unknown_classes_are_refused(self, config):
        config.check_classes(self.NAMES)
        for names in (("a", "b"), ("b", "d")):
            with pytest.raises(ValueError, match=r"focus=.* must name some of the classes"):
                config.check_classes(names)

    def test_batches_have_them(self, config, data):
        batch = make_batch(data, replace(config, focus=("moss",), focus_share=0.99), 0)
        assert (batch.rows == data.classes.index("moss")).all()


class TestJoined:
    def test_it_has_the_classes_of_both(self, data, new_folder, data_config):
        new = TextureFolder(new_folder, data_config)
        both = data.joined(new)
        assert both.classes == sorted([*data.classes, "moss-wall"]) and "moss-wall" not in data.classes
        for name, source in (("moss", data), ("moss-wall", new)):
            crops = [f.crops(name, 3, torch.Generator().manual_seed(1)) for f in (both, source)]
            assert torch.equal(*crops)

    def test_a_class_of_both_is_refused(self, data):
        with pytest.raises(ValueError, match="both have a class named brick, moss, slate; rename one"):
            data.joined(data)

    def test_other_settings_are_refused(self, data, new_folder, data_config):
        new = TextureFolder(new_folder, replace(data_config, test_share=0.0))
        with pytest.raises(ValueError, match="cannot be joined"):
            data.joined(new)


class TestLearnedTable:
    @pytest.fixture
    def new(self, pipe, new_folder) -> TextureFolder:
        return TextureFolder(new_folder, pipe.info.data)

    def test_known_centroids_stay_and_new_ones_are_learned_once(self, pipe, new, tmp_path):
        table = learned_table(pipe, new, tmp_path)
        assert table.classes == sorted([*pipe.classes, "moss-wall"])
        for name in pipe.classes:
            assert torch.equal(table.of(name).values, pipe.table.of(name).values)
            assert torch.equal(table.of(name).colour, pipe.table.of(name).colour)
        [file] = tmp_path.iterdir()
        learned = Texture.load(file)
        assert torch.equal(table.of("moss-wall").values, learned.centroid.values)
        written = file.stat().st_mtime_ns
        assert torch.equal(learned_table(pipe, new, tmp_path).values, table.values)
        assert file.stat().st_mtime_ns == written

    def test_known_classes_are_learned_from_their_own_centroids(self, pipe, texture_folder, tmp_path):
        data = TextureFolder(texture_folder, pipe.info.data).only(["moss"])
        table = learned_table(pipe, data, tmp_path, steps=1)
        assert table.classes == pipe.classes
        moved = (table.values - pipe.table.values).abs().amax(dim=(1, 2)) / pipe.table.scales.max()
        assert [name for name, far in zip(pipe.classes, moved.tolist(), strict=True) if far] == ["moss"]
        images = [to_images(region[None])[0] for region in data.regions("moss")]
        [step] = pipe.learn(images, steps=1, scale=1.0, start=pipe.table.of("moss"))
        assert torch.equal(table.of("moss").values, step.texture.centroid.values)

    def test_what_another_network_learned_is_learned_again(self, pipe, new, tmp_path):
        table = learned_table(pipe, new, tmp_path)
        [file] = tmp_path.iterdir()
        replace(Texture.load(file), network="0" * 16).save(file)
        assert torch.equal(learned_table(pipe, new, tmp_path).values, table.values)
        assert Texture.load(file).network == pipe.network_digest
        file.write_bytes(b"cut off")
        assert torch.equal(learned_table(pipe, new, tmp_path).values, table.values)


class TestKnownImages:
    @pytest.fixture
    def images(self, pipe, texture_folder):
        return TextureFolder(texture_folder, pipe.info.data)

    def test_images_at_hand_are_taken(self, pipe, images, tmp_path):
        known = known_images(pipe, images, tmp_path / "samples")
        assert known.classes == pipe.classes and not (tmp_path / "samples").exists()

    def test_what_is_missing_is_sampled_once(self, pipe, images, tmp_path):
        known = known_images(pipe, images.only(["moss", "brick"]), tmp_path)
        assert known.classes == pipe.classes
        files = sorted(tmp_path.rglob("*.png"))
        assert [file.parent.name for file in files] == ["slate"] * SAMPLES
        samples = [np.asarray(Image.open(file)) for file in files]
        assert samples[0].shape == (48, 48, 3) and not np.array_equal(*samples)
        Image.new("RGB", (48, 48)).save(files[0])  # as a run that is resumed finds it
        again = known_images(pipe, images.only(["moss", "brick"]), tmp_path)
        assert again.crops("slate", 40, torch.Generator().manual_seed(0)).min(dim=3)[0].min() == -1

    def test_without_any_all_are_sampled(self, pipe, tmp_path):
        assert known_images(pipe, None, tmp_path).classes == pipe.classes
        shutil.rmtree(tmp_path)


class TestCommand:
    def test_classes_are_added_and_a_run_goes_on_where_it_ended(
        self, capsys, tmp_path, checkpoint_folder, texture_folder, new_folder, few_crops
    ):
        out, folder = tmp_path / "out", tmp_path / "run"
        options = ["--add", new_folder, "-o", out, "--run", folder, "--data", texture_folder, "--cpu"]
        options += ["--images", 96, "--map-crops", 0]
        code, printed, err = run(capsys, "extend", checkpoint_folder, *options)
        assert code == 0, err
        assert f"{new_folder}: moss-wall added to 3 classes" in printed
        before, after = (
            Pipeline.from_pretrained(folder, device="cpu") for folder in (checkpoint_folder, out)
        )
        assert after.classes == sorted([*before.classes, "moss-wall"])
        assert after.network.config == before.network.config
        assert after.info.images == before.info.images + 96
        assert after.network_digest != before.network_digest
        assert len(after.sample("moss-wall", n=2, steps=2, size=16)) == 2
        code, _, err = run(capsys, "extend", checkpoint_folder, *options)  # nothing is left to train
        assert code == 0, err
        again = Pipeline.from_pretrained(out, device="cpu")
        assert again.network_digest == after.network_digest

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"--add": "absent"}, "data folder 'absent' does not exist"),
            ({"--add": "known"}, "--add known: the checkpoint has classes named moss; rename them"),
            ({"--minutes": 0}, "the budget must be positive"),
            ({"--run": "out"}, "--out out: this is the folder of --run"),
            ({"--data": "absent"}, "data folder 'absent' does not exist"),
        ],
    )
    def test_bad_input_is_one_line_and_leaves_no_file(
        self, capsys, tmp_path, monkeypatch, checkpoint_folder, texture_folder, changes, words
    ):
        (tmp_path / "known").mkdir()
        shutil.copy(texture_folder / "moss.png", tmp_path / "known")
        (tmp_path / "new").mkdir()
        shutil.copy(texture_folder / "moss.png", tmp_path / "new" / "wall.png")
        monkeypatch.chdir(tmp_path)
        options = {"--add": "new", "-o": "out", "--data": texture_folder} | changes
        arguments = [part for pair in options.items() for part in pair]
        code, printed, err = run(capsys, "extend", checkpoint_folder, *arguments)
        assert code == 2 and printed == "" and err.startswith("Error: ") and words in err
        assert sorted(path.name for path in tmp_path.iterdir()) == ["known", "new"]

    def test_a_network_with_labels_is_refused(self, capsys, tmp_path, pipe, lively, tiny, new_folder):
        labelled = Pipeline(lively(replace(tiny, labels=3)), pipe.table, pipe.info, "cpu")
        labelled.save_pretrained(tmp_path / "labelled")
        arguments = [tmp_path / "labelled", "--add", new_folder, "-o", tmp_path / "out"]
        code, _, err = run(capsys, "extend", *arguments)
        assert code == 2 and "has a fixed number of classes" in err
