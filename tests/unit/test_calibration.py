"""Calibrations: a linear oracle, noise that explains nothing, files, the pipeline and the command."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from fgsd.calibration import MIN_PAIRS, Calibration, fit_calibration
from fgsd.centroids import Centroid
from fgsd.checkpoint import FILES, CheckpointError
from fgsd.cli.main import main
from fgsd.pipeline import Pipeline

LEVELS, FEATURES, COUNT = 3, 8, 80


def centroid(values: torch.Tensor) -> Centroid:
    return Centroid(torch.linspace(0.1, 1, len(values)), values, torch.zeros(3))


@pytest.fixture
def linear():
    """Averaged and learned centroids, whose difference is linear in the first; and the spreads."""
    generator = torch.Generator().manual_seed(0)
    averaged = torch.randn(COUNT, LEVELS, FEATURES, generator=generator)
    scales = 0.5 + torch.rand(LEVELS, FEATURES, generator=generator)
    matrix = torch.randn(LEVELS * FEATURES, LEVELS * FEATURES, generator=generator) / 4
    way = ((averaged / scales).flatten(1) @ matrix).view_as(averaged) + 2
    return averaged, averaged + scales * way, scales


class TestFit:
    def test_a_linear_way_is_found_also_for_others(self, linear):
        averaged, learned, scales = linear
        calibration, explained = fit_calibration(averaged, learned, scales)
        assert explained > 0.95
        for k in range(5):  # between two of them
            one, expected = (part[k : k + 2].mean(dim=0) for part in (averaged, learned))
            found = calibration(centroid(one), scales).values
            assert (found - expected).norm() < 0.05 * (one - expected).norm()

    def test_no_more_is_promised_than_there_is(self, linear):
        averaged, _, scales = linear
        noise = torch.randn(averaged.shape, generator=torch.Generator().manual_seed(1))
        _, explained = fit_calibration(averaged, averaged + noise, scales)
        assert explained < 0.05

    def test_what_is_far_from_the_data_moves_no_further_than_these(self, linear):
        averaged, learned, scales = linear
        calibration, _ = fit_calibration(averaged, learned, scales)
        far = [centroid(factor * averaged[0]) for factor in (1e3, 1e6)]
        ways = [calibration(one, scales).values - one.values for one in far]
        assert torch.allclose(ways[0], ways[1], atol=0.5)
        places = torch.einsum("nsf,rsf->nr", averaged / scales - calibration.centre, calibration.inputs)
        assert bool((places <= calibration.bounds[1] + 1e-4).all())

    def test_few_textures_are_refused(self, linear):
        averaged, learned, scales = (part[: MIN_PAIRS - 1] for part in linear)
        with pytest.raises(ValueError, match=f"19 textures: a calibration needs at least {MIN_PAIRS}"):
            fit_calibration(averaged, learned, scales)


@pytest.fixture
def calibrated(pipe) -> Pipeline:
    """A pipeline with a calibration that moves each feature."""
    levels, features = pipe.table.scales.shape
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(2, levels * features, generator=generator))
    parts = {
        "centre": pipe.table.values.mean(dim=0) / pipe.table.scales,
        "shift": torch.full((levels, features), 0.5),
        "inputs": directions.half().float().view(2, levels, features),
        "outputs": directions.flip(0).half().float().view(2, levels, features),
        "bounds": torch.tensor([[-3.0, -3.0], [3.0, 3.0]]),
    }
    return Pipeline(
        pipe.network, pipe.table, pipe.info, "cpu", map=pipe.map, calibration=Calibration(**parts)
    )


class TestPipeline:
    def test_it_corrects_the_centroid_of_an_image_and_the_start_of_learning(self, calibrated, pipe, data):
        image = data.image("moss")
        averaged = pipe.centroid_of(image, scale=1.0)
        assert torch.equal(calibrated.centroid_of(image, scale=1.0, calibrated=False).values, averaged.values)
        expected = calibrated.calibration(averaged, pipe.table.scales)
        assert (expected.values - averaged.values).abs().max() > 1e-3
        assert torch.equal(calibrated.centroid_of(image, scale=1.0).values, expected.values)
        steps = [one.learn(image, steps=1, scale=1.0, start=start) for one, start in (
            (calibrated, None), (pipe, expected))]  # fmt: skip
        first, second = (next(iter(step)).texture.centroid.values for step in steps)
        assert torch.equal(first, second)

    def test_it_is_kept_in_the_checkpoint(self, calibrated, pipe, tmp_path):
        calibrated.save_pretrained(tmp_path)
        assert "calibration.safetensors" in (tmp_path / "README.md").read_text(encoding="utf-8")
        loaded = Pipeline.from_pretrained(tmp_path, device="cpu")
        for name, tensor in calibrated.calibration.tensors().items():
            assert torch.equal(loaded.calibration.tensors()[name], tensor), name
        pipe.save_pretrained(tmp_path)  # of another network
        assert not (tmp_path / "calibration.safetensors").exists()
        assert Pipeline.from_pretrained(tmp_path, device="cpu").calibration is None

    def test_a_damaged_one_is_refused(self, calibrated, tmp_path):
        calibrated.save_pretrained(tmp_path)
        path = tmp_path / "calibration.safetensors"
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(CheckpointError, match=r"calibration\.safetensors: damaged"):
            Pipeline.from_pretrained(tmp_path)

    def test_one_of_other_shapes_is_refused(self, calibrated):
        parts = calibrated.calibration.tensors()
        with pytest.raises(ValueError, match="bounds has shape"):
            Calibration.of(parts | {"bounds": parts["bounds"][:, :1]})


class TestCommand:
    @pytest.fixture
    def images(self, tmp_path):
        """Textures of random colours and grain, more than a calibration needs."""
        folder = tmp_path / "images"
        folder.mkdir()
        random = np.random.default_rng(0)
        for k in range(MIN_PAIRS + 2):
            pixels = random.integers(0, 255, 3) + random.normal(0, random.uniform(5, 60), (48, 48, 1))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"texture-{chr(97 + k)}.png")
        return folder

    @staticmethod
    def run(arguments):
        with pytest.raises(SystemExit) as exit:
            main(arguments)
        assert exit.value.code == 0

    def test_it_writes_a_checkpoint_and_keeps_what_is_learned(
        self, checkpoint_folder, images, tmp_path, capsys
    ):
        (tmp_path / "unseen.txt").write_text("texture-a\n", encoding="utf-8")
        run, out = tmp_path / "run", tmp_path / "out"
        arguments = ["calibrate", str(checkpoint_folder), "--data", str(images), "--steps", "2", "--cpu"]
        arguments += ["--run", str(run), "-o", str(out), "--unseen", str(tmp_path / "unseen.txt")]
        self.run(arguments)
        assert "checkpoint written to" in capsys.readouterr().out
        kept = sorted((run / "textures").iterdir())
        assert len(kept) == MIN_PAIRS + 1 and "texture-a" not in kept[0].name
        loaded = Pipeline.from_pretrained(out, device="cpu")
        assert loaded.calibration is not None and set(p.name for p in out.iterdir()) <= {
            *FILES, "config.json", "README.md"}  # fmt: skip
        times = [path.stat().st_mtime_ns for path in kept]
        self.run(arguments)
        assert [path.stat().st_mtime_ns for path in kept] == times

    def test_one_that_predicts_nothing_is_not_written(
        self, checkpoint_folder, images, tmp_path, capsys, monkeypatch
    ):
        monkeypatch.setattr("fgsd.training.calibration.calibrate", lambda *_, **options: (None, -0.1))
        with pytest.raises(SystemExit) as exit:
            main(["calibrate", str(checkpoint_folder), "--data", str(images), "--run",
                  str(tmp_path / "run"), "-o", str(tmp_path / "out"), "--cpu"])  # fmt: skip
        assert exit.value.code == 2
        assert "the mean features of 22 textures do not tell" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    def test_too_few_textures_are_one_line(self, checkpoint_folder, tmp_path, images, capsys):
        """Before any is learned."""
        for path in sorted(images.iterdir())[3:]:
            path.unlink()
        with pytest.raises(SystemExit) as exit:
            main(["calibrate", str(checkpoint_folder), "--data", str(images), "--run",
                  str(tmp_path / "run"), "-o", str(tmp_path / "out"), "--cpu"])  # fmt: skip
        assert exit.value.code == 2
        assert "3 textures: a calibration needs at least 20" in capsys.readouterr().err
        assert not (tmp_path / "run").exists() and not (tmp_path / "out").exists()
