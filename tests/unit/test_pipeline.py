"""The pipeline: seeds, targets, batches, invalid arguments, saving, loading and the hub."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from PIL import Image

from fgsd import pipeline
from fgsd.centroids import Centroid, coarse_fine
from fgsd.checkpoint import FILES, CheckpointError
from fgsd.images import ImageError
from fgsd.pipeline import Pipeline
from fgsd.sampling import ImageNoise

OPTIONS = {"steps": 4, "size": 16}
# the stochastic ascent takes small steps, so it starts at a low noise level
SAMPLERS = [
    ("dpm2m", {}),
    ("heun", {}),
    ("ancestral", {}),
    ("ascent", {"sigma_max": 0.03}),
]


def final(pipe, target="moss", **options) -> torch.Tensor:
    """The samples of a stream, in [-1, 1]."""
    *_, last = pipe.stream(target, **{**OPTIONS, **options})
    return last.step.x


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return (a - b).abs().mean().item()


def same_images(first: list[Image.Image], second: list[Image.Image], *, within: int = 0) -> bool:
    one, other = (np.stack([np.asarray(image) for image in images]).astype(int) for images in (first, second))
    return np.abs(one - other).max() <= within


class TestSeeds:
    @pytest.mark.parametrize("sampler, options", SAMPLERS)
    def test_an_image_depends_on_its_seed_and_not_on_the_batch(self, pipe, sampler, options):
        batch = final(pipe, n=3, seed=5, sampler=sampler, **options)
        for k in range(3):
            alone = final(pipe, n=1, seed=5 + k, sampler=sampler, **options)
            assert difference(batch[k], alone[0]) < 1e-4
        assert difference(batch[0], batch[1]) > 1e-3

    @pytest.mark.parametrize("sampler, options", SAMPLERS)
    def test_a_repeated_call_gives_the_same_bits(self, pipe, sampler, options):
        first, second = (final(pipe, n=2, seed=1, sampler=sampler, **options) for _ in range(2))
        assert torch.equal(first, second)

    def test_a_list_of_seeds(self, pipe):
        assert difference(final(pipe, n=2, seed=[9, 4])[1], final(pipe, seed=4)[0]) < 1e-4
        assert torch.equal(final(pipe, n=3, seed=2), final(pipe, n=3, seed=(2, 3, 4)))

    def test_the_global_seed_has_no_effect(self, pipe):
        finals = []
        for seed in (0, 1):
            torch.manual_seed(seed)
            finals.append(final(pipe, sampler="ancestral"))
        assert torch.equal(*finals)

    def test_a_large_n_is_split_into_batches_with_the_same_result(self, pipe, monkeypatch):
        start = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0)) - 0.5
        targets = ["moss", "brick", "moss", "slate", "brick"]
        whole = pipe.sample(targets, n=5, seed=3, start=start, sigma_max=0.5, **OPTIONS)
        monkeypatch.setattr(pipeline, "PASS_PIXELS", 2 * 16 * 16)
        parts = pipe.sample(targets, n=5, seed=3, start=start, sigma_max=0.5, **OPTIONS)
        assert same_images(whole, parts, within=1)

    def test_samples_are_the_images_of_the_last_step(self, pipe):
        *_, last = pipe.stream("moss", n=2, seed=0, **OPTIONS)
        images = pipe.sample("moss", n=2, seed=0, **OPTIONS)
        assert same_images(images, last.images)
        assert [image.mode for image in images] == ["RGB", "RGB"]
        assert [image.size for image in images] == [(16, 16)] * 2


class TestTargets:
    def test_a_mixture_of_one_class_is_the_class(self, pipe):
        assert torch.equal(final(pipe, {"moss": 1.0}), final(pipe, "moss"))
        assert torch.equal(final(pipe, pipe.centroid("moss")), final(pipe, "moss"))
        assert torch.equal(final(pipe, lambda sigma: {"moss": 1.0}), final(pipe, "moss"))
        assert torch.equal(final(pipe, coarse_fine({"moss": 1.0}, {"moss": 1.0}, 0.5)), final(pipe, "moss"))

    def test_different_targets_give_different_images(self, pipe):
        finals = [final(pipe, t) for t in ("moss", "brick", {"moss": 0.5, "brick": 0.5}, None)]
        for k in range(4):
            for other in range(k):
                assert difference(finals[k], finals[other]) > 1e-3

    def test_coarse_and_fine(self, pipe):
        """A switch above all noise levels gives `fine`, one below all noise levels gives `coarse`."""
        coarse, fine = {"moss": 1.0}, {"brick": 1.0}
        assert torch.equal(final(pipe, coarse_fine(coarse, fine, 100.0)), final(pipe, "brick"))
        assert torch.equal(final(pipe, coarse_fine(coarse, fine, 1e-3)), final(pipe, "moss"))
        switched = final(pipe, coarse_fine(coarse, fine, 0.5))
        assert difference(switched, final(pipe, "moss")) > 1e-4
        assert difference(switched, final(pipe, "brick")) > 1e-4

    def test_a_target_for_each_image(self, pipe):
        targets = ["moss", {"brick": 0.3, "slate": 0.7}, pipe.centroid("slate")]
        batch = final(pipe, targets, n=3, seed=7)
        for k, target in enumerate(targets):
            assert difference(batch[k], final(pipe, target, seed=7 + k)[0]) < 1e-4

    def test_strength_zero_is_unguided(self, pipe):
        unguided = final(pipe, None)
        assert difference(final(pipe, "moss", strength=0.0), unguided) < 1e-5
        assert difference(final(pipe, "moss", strength=0.5), unguided) > 1e-3
        assert difference(final(pipe, "moss", strength=0.5), final(pipe, "moss")) > 1e-3


class TestStream:
    def test_each_step_is_yielded(self, pipe):
        steps = list(pipe.stream("moss", n=2, steps=5, size=(16, 24), seed=0))
        assert [step.index for step in steps] == [1, 2, 3, 4, 5]
        assert {step.steps for step in steps} == {5}
        assert steps[0].sigma == pytest.approx(pipe.info.sigma_max)
        assert steps[-1].sigma == pytest.approx(pipe.info.sigma_min)
        for step in steps:
            assert step.distance.shape == (2,)
            assert step.distance.isfinite().all() and (step.distance >= 0).all()
            for images in (step.noisy, step.denoised, step.images):
                assert [image.size for image in images] == [(24, 16)] * 2

    def test_distance_is_to_the_target_in_spreads(self, pipe):
        step = next(pipe.stream(["moss", "brick"], n=2, seed=0, **OPTIONS))
        scale = pipe.table.scales[-1]
        for k, name in enumerate(("moss", "brick")):
            offset = (step.step.phi[k] - pipe.table.of(name).values[-1]) / scale
            assert step.distance[k].item() == pytest.approx(offset.square().mean().sqrt().item(), rel=1e-4)

    def test_an_unguided_step_has_no_distance(self, pipe):
        assert next(pipe.stream(None, **OPTIONS)).distance is None

    def test_samples_stay_near_the_start_if_the_noise_is_low(self, pipe):
        start = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) - 0.5
        near, far = (final(pipe, n=2, start=start, sigma_max=level) for level in (0.03, 2.0))
        assert difference(near, start) < 0.05
        assert difference(far, start) > 2 * difference(near, start)

    def test_noise_of_the_first_level_is_added_to_the_start(self, pipe):
        start = torch.full((1, 3, 16, 16), 0.25)
        step = next(pipe.stream("moss", start=start, sigma_max=1.5, **OPTIONS))
        bare = next(pipe.stream("moss", start=torch.zeros_like(start), sigma_max=1.5, **OPTIONS))
        assert step.sigma == pytest.approx(1.5)
        assert torch.allclose(step.step.noisy, bare.step.noisy + start, atol=1e-6)
        assert bare.step.noisy.std().item() == pytest.approx(1.5, rel=0.15)

    def test_sampler_options_reach_the_sampler(self, pipe):
        with pytest.raises(ValueError, match="h=2"):
            next(pipe.stream("moss", sampler="ascent", sampler_options={"h": 2}, **OPTIONS))

    @pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
    def test_the_default_start_is_the_mean_colour_of_the_target(self, pipe, strength):
        def first_noisy(target):
            return next(pipe.stream(target, strength=strength, **{**OPTIONS, "n": 2})).step.noisy

        colours, mean = pipe.table.colours, pipe.table.colours.mean(dim=0)
        noise = first_noisy(None) - mean[:, None, None]
        assert noise.mean().abs() < 1  # its standard deviation is sigma_max
        expected = torch.lerp(mean.expand(2, 3), colours[[1, 0]], strength)
        start = first_noisy(["moss", "brick"]) - noise
        assert torch.allclose(start, expected[:, :, None, None].expand_as(start), atol=1e-5)

    def test_the_noise_of_the_centre_of_a_larger_image(self, pipe):
        whole, part = (
            next(pipe.stream("moss", size=size, noise_size=32, seed=5)).step.noisy for size in (32, 16)
        )
        assert torch.equal(part, whole[:, :, 8:24, 8:24])

    @pytest.mark.parametrize("sampler", ["dpm2m", "heun", "ancestral"])
    @pytest.mark.parametrize("shift", [(8, 0), (0, 4)])
    def test_tileable_samples_have_no_seam(self, pipe, monkeypatch, sampler, shift):
        """Rolling the noise rolls the image: every position is treated alike, the border too."""

        class Rolled(ImageNoise):
            def __call__(self):
                return super().__call__().roll(shift, dims=(2, 3))

        samples = {}
        for name, noise in (("original", ImageNoise), ("rolled", Rolled)):
            monkeypatch.setattr(pipeline, "ImageNoise", noise)
            for tileable in (True, False):
                x = final(pipe, n=2, tileable=tileable, sampler=sampler)
                samples[name, tileable] = x.roll(shift, dims=(2, 3)) if name == "original" else x
        assert difference(samples["original", True], samples["rolled", True]) < 1e-4
        assert difference(samples["original", False], samples["rolled", False]) > 1e-3

    @pytest.mark.parametrize(
        "options, error, message",
        [
            ({"target": "mos"}, KeyError, "did you mean moss"),
            ({"target": {"mos": 1.0}}, KeyError, "did you mean moss"),
            ({"target": {}}, ValueError, "weights is empty"),
            ({"target": {"moss": 0.4}}, ValueError, "sum to 0.4"),
            ({"target": {"moss": math.nan}}, ValueError, "'moss' is nan"),
            ({"target": 3}, TypeError, "target=3"),
            ({"target": ["moss"], "n": 2}, ValueError, "target has 1 entries for n=2"),
            ({"target": ["moss"] * 3, "n": 2}, ValueError, "target has 3 entries for n=2"),
            ({"target": ["moss", None], "n": 2}, ValueError, "target: None"),
            ({"target": Centroid(torch.ones(1), torch.ones(1, 5), torch.zeros(3))}, ValueError, "5 features"),
            ({"n": 0}, ValueError, "n=0"),
            ({"n": -1}, ValueError, "n=-1"),
            ({"n": 1.5}, ValueError, "n=1.5"),
            ({"n": True}, ValueError, "n=True"),
            ({"steps": 0}, ValueError, "steps=0"),
            ({"steps": 2.5}, ValueError, "steps=2.5"),
            ({"size": 18}, ValueError, "height=18 .* nearest is"),
            ({"size": (16, 18)}, ValueError, "width=18 .* nearest is"),
            ({"size": 0}, ValueError, "height=0"),
            ({"size": 32, "noise_size": 16}, ValueError, "noise_size=.16, 16. must be at least"),
            ({"noise_size": 4096}, ValueError, "4096"),
            ({"size": 4096}, ValueError, "size=4096 is above the limit of 2048"),
            ({"size": 16.0}, ValueError, "size=16.0"),
            ({"size": "16"}, ValueError, "size='16'"),
            ({"size": (16,)}, ValueError, "size="),
            ({"seed": -1}, ValueError, "seed=-1"),
            ({"seed": 2**63}, ValueError, "seed=9223372036854775808"),
            ({"seed": 2**63 - 1, "n": 2}, ValueError, "seed=9223372036854775808"),
            ({"seed": 0.5}, ValueError, "seed=0.5"),
            ({"seed": [1, 2], "n": 3}, ValueError, "seed has 2 entries for n=3"),
            ({"seed": [1, "2"], "n": 2}, ValueError, "seed='2'"),
            ({"strength": math.nan}, ValueError, "strength=nan"),
            ({"strength": math.inf}, ValueError, "strength=inf"),
            ({"sampler": "euler"}, ValueError, "sampler='euler' must be one of dpm2m"),
            ({"sigma_max": 0.0}, ValueError, "sigma_max=0.0"),
            ({"sigma_max": 0.01}, ValueError, "sigma_max=0.01"),
            ({"sigma_max": math.nan}, ValueError, "sigma_max=nan"),
            ({"sigma_max": math.inf}, ValueError, "sigma_max=inf"),
            ({"start": torch.zeros(1, 3, 8, 8)}, ValueError, r"start has shape \(1, 3, 8, 8\)"),
            ({"start": torch.zeros(2, 3, 16, 16)}, ValueError, "start has "),
        ],
    )
    def test_invalid_arguments_are_refused_before_the_first_step(self, pipe, options, error, message):
        options = {"target": "moss", **OPTIONS, **options}
        target = options.pop("target")
        with pytest.raises(error, match=message):
            pipe.stream(target, **options)  # raises although no step is requested
        with pytest.raises(error, match=message):
            pipe.sample(target, **options)


class TestNewImages:
    def test_the_centroid_of_a_training_image_is_nearest_to_its_class(self, pipe, texture_folder):
        for name in pipe.classes:
            path = texture_folder / f"{name}.png"
            assert pipe.nearest(path)[0][0] == name
            (nearest, distance), *_ = pipe.nearest(Image.open(path), n=2)
            assert nearest == name
            assert distance < 1  # the distance of a typical crop of the class

    def test_a_centroid_depends_on_the_seed_alone(self, pipe, texture_folder):
        path = texture_folder / "moss.png"
        first, again, other = (pipe.centroid_of(path, crops=4, seed=s) for s in (0, 0, 1))
        assert torch.equal(first.values, again.values)
        assert torch.equal(first.sigmas, pipe.table.sigmas)
        assert not torch.equal(first.values, other.values)

    def test_a_measured_centroid_is_a_target(self, pipe, texture_folder):
        centroid = pipe.centroid_of(str(texture_folder / "moss.png"), crops=4)
        assert difference(final(pipe, centroid), final(pipe, "brick")) > 1e-3

    def test_crops_are_taken_from_all_images(self, pipe):
        black, white = Image.new("RGB", (20, 20)), Image.new("RGB", (20, 20), "white")
        both, one = pipe.centroid_of([black, white], crops=2), pipe.centroid_of([black, black], crops=2)
        assert not torch.allclose(both.values, one.values, atol=1e-3)

    def test_large_images_are_scaled_like_training_images(self, pipe, texture_folder):
        """An image enlarged four times has stripes of the training width after scaling."""
        image = Image.open(texture_folder / "brick.png")
        large = image.resize((192, 192), Image.Resampling.NEAREST)
        near, far = pipe.centroid_of(image), pipe.centroid_of(large.crop((0, 0, 48, 48)))
        scaled = pipe.centroid_of(large)
        assert (scaled.values - near.values).norm() < 0.3 * (far.values - near.values).norm()

    @pytest.mark.parametrize(
        "images, options, error, message",
        [
            (Image.new("RGB", (15, 40)), {}, ImageError, "15 x 40 pixels; at least 16 x 16"),
            ("nowhere.png", {}, ImageError, r"nowhere\.png: no such file"),
            ([], {}, ValueError, "images is empty"),
            (Image.new("RGB", (20, 20)), {"crops": 0}, ValueError, "crops=0"),
        ],
    )
    def test_invalid_images(self, pipe, images, options, error, message):
        with pytest.raises(error, match=message):
            pipe.centroid_of(images, **options)

    def test_classes_nearest_to_a_target(self, pipe):
        assert pipe.nearest("slate", n=1) == [("slate", 0.0)]
        names = [name for name, _ in pipe.nearest({"moss": 0.5, "brick": 0.5}, n=3)]
        assert sorted(names) == pipe.classes
        with pytest.raises(ValueError, match="target=None"):
            pipe.nearest(None)


class TestSaving:
    def test_a_saved_and_loaded_pipeline_samples_the_same_bits(self, pipe, tmp_path):
        pipe.save_pretrained(tmp_path / "deep" / "folder")
        again = Pipeline.from_pretrained(str(tmp_path / "deep" / "folder"), device="cpu")
        assert again.classes == pipe.classes
        assert torch.equal(
            final(again, {"moss": 0.5, "slate": 0.5}), final(pipe, {"moss": 0.5, "slate": 0.5})
        )
        card = (tmp_path / "deep" / "folder" / "README.md").read_text()
        assert "brick, moss, slate" in card

    def test_a_damaged_folder(self, checkpoint_folder, tmp_path):
        folder = shutil.copytree(checkpoint_folder, tmp_path / "cut")
        (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-1])
        with pytest.raises(CheckpointError, match=r"model\.safetensors"):
            Pipeline.from_pretrained(folder)


class TestHub:
    class FakeApi:
        """Stands in for `huggingface_hub.HfApi` and keeps the uploaded folder."""

        def __init__(self, folder: Path) -> None:
            self.folder, self.created, self.uploaded = folder, [], []

        def create_repo(self, repo_id, *, private, exist_ok):
            self.created.append((repo_id, private, exist_ok))

        def upload_folder(self, *, repo_id, folder_path, commit_message):
            assert self.created, "upload before the repository is created"
            self.uploaded.append((repo_id, commit_message))
            shutil.copytree(folder_path, self.folder)
            return f"https://hub/{repo_id}/commit/1"

    def test_an_uploaded_checkpoint_can_be_loaded(self, pipe, tmp_path):
        api = self.FakeApi(tmp_path / "uploaded")
        address = pipe.push_to_hub("someone/textures", private=True, api=api)
        assert address == "https://hub/someone/textures/commit/1"
        assert api.created == [("someone/textures", True, True)]
        assert [repo for repo, _ in api.uploaded] == ["someone/textures"]
        assert {p.name for p in api.folder.iterdir()} == {
            "README.md",
            "config.json",
            "model.safetensors",
            "centroids.safetensors",
        }
        assert torch.equal(final(Pipeline.from_pretrained(api.folder, device="cpu")), final(pipe))

    def test_only_checkpoint_files_are_downloaded_from_the_hub(self, pipe, checkpoint_folder, monkeypatch):
        requested = {}

        def snapshot_download(repo_id, *, allow_patterns):
            requested.update(repo_id=repo_id, patterns=allow_patterns)
            return str(checkpoint_folder)

        monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
        loaded = Pipeline.from_pretrained("someone/textures", device="cpu")
        assert requested["repo_id"] == "someone/textures"
        assert all(name.endswith((".json", ".safetensors", ".md")) for name in requested["patterns"])
        assert {*FILES, "config.json"} <= set(requested["patterns"])
        assert torch.equal(final(loaded), final(pipe))

    def test_a_folder_takes_precedence_over_the_hub(self, checkpoint_folder, tmp_path, monkeypatch):
        shutil.copytree(checkpoint_folder, tmp_path / "someone" / "textures")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", None)  # would raise TypeError
        assert len(Pipeline.from_pretrained("someone/textures", device="cpu").classes) == 3

    def test_an_unreachable_hub(self):
        """Tests run with HF_HUB_OFFLINE=1, as on a machine without a network."""
        message = "'someone/nothing' is not a folder, and its download from the hub failed"
        with pytest.raises(CheckpointError, match=message):
            Pipeline.from_pretrained("someone/nothing")

    @pytest.mark.parametrize("source", ["no/such/folder", "/nowhere", "two words", "a--b", ""])
    def test_a_source_that_is_neither_a_folder_nor_a_hub_id(self, source, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(CheckpointError):
            Pipeline.from_pretrained(source)
