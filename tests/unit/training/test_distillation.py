"""Distillation: pictures of the teacher, the student's two evaluations, runs that resume."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from cli_help import run

from fgsd.checkpoint import CheckpointError
from fgsd.data import to_tensor
from fgsd.pipeline import Pipeline
from fgsd.sampling import ImageNoise
from fgsd.student import Student
from fgsd.training import distillation
from fgsd.training.distillation import DistillationConfig, distill, student_of_run, teacher_pictures


@pytest.fixture
def config(monkeypatch) -> DistillationConfig:
    monkeypatch.setattr(distillation, "CHUNK", 8)
    return DistillationConfig(
        pictures=16, minutes=60, size=16, steps=4, middle=2, batch=4, precision="float32", save_every=2
    )


@pytest.fixture
def with_student(pipe, lively) -> Pipeline:
    """A pipeline with a student whose weights are not those of its teacher."""
    student = Student(lively(pipe.network.config, seed=5).eval(), (4.0, 1.2))
    return Pipeline(pipe.network, pipe.table, pipe.info, "cpu", map=pipe.map, student=student)


class TestStudent:
    @pytest.mark.parametrize("sigmas", [(1.0, 4.0), (4.0, 4.0), (4.0, 0.0), (float("inf"), 1.0), (4.0,)])
    def test_noise_levels_must_be_two_that_fall(self, pipe, sigmas):
        with pytest.raises(ValueError, match="two positive noise levels, falling"):
            Student(pipe.network, sigmas)

    def test_it_samples_by_two_steps_of_euler(self, with_student):
        [first, second] = with_student.stream("moss", sampler="distilled", size=16, seed=3)
        network, target = with_student.student.network, with_student.centroid("moss")
        x = target.colour[None, :, None, None] + 4.0 * ImageNoise([3], (3, 16, 16))()
        estimate = distillation.Denoiser.denoise(
            network, x, 4.0, distillation.CentroidMatching(target.at(4.0))
        )[0]
        between = x + (1.2 - 4.0) / 4.0 * (x - estimate)
        assert torch.allclose(first.step.x, between, atol=1e-5)
        final = network.denoise(between, 1.2, distillation.CentroidMatching(target.at(1.2)))[0]
        assert torch.allclose(second.step.x, final, atol=1e-5) and second.step.evaluations == 2

    def test_without_one_the_sampler_is_unknown(self, pipe):
        with pytest.raises(ValueError, match="sampler='distilled' must be one of dpm2m"):
            pipe.sample("moss", sampler="distilled")

    def test_it_is_kept_in_the_checkpoint(self, with_student, pipe, tmp_path):
        with_student.save_pretrained(tmp_path)
        loaded = Pipeline.from_pretrained(tmp_path, device="cpu")
        assert loaded.student.sigmas == (4.0, 1.2) and "student.safetensors" in (
            tmp_path / "README.md"
        ).read_text(encoding="utf-8")
        options = {"sampler": "distilled", "size": 16, "seed": 1}
        [ours], [theirs] = (one.sample("moss", **options) for one in (with_student, loaded))
        assert np.abs(np.asarray(ours, float) - np.asarray(theirs, float)).max() <= 2  # float16
        pipe.save_pretrained(tmp_path)  # a student of another network must not outlive it
        assert not (tmp_path / "student.safetensors").exists()
        assert Pipeline.from_pretrained(tmp_path, device="cpu").student is None

    def test_a_damaged_one_is_refused(self, with_student, tmp_path):
        with_student.save_pretrained(tmp_path)
        path = tmp_path / "student.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        with pytest.raises(CheckpointError, match=r"student\.safetensors: damaged"):
            Pipeline.from_pretrained(tmp_path)
        path.unlink()
        with pytest.raises(CheckpointError, match=r"it has no student\.safetensors"):
            Pipeline.from_pretrained(tmp_path)


class TestPictures:
    def test_they_are_samples_of_the_teacher(self, pipe, config, tmp_path):
        pictures = teacher_pictures(pipe, tmp_path, config)
        assert torch.allclose(pictures["weights"].sum(dim=1), torch.ones(16), atol=1e-5)
        assert ((pictures["weights"] > 0).sum(dim=1) <= 3).all()
        for k in (0, 13):
            named = {
                name: w.item() for name, w in zip(pipe.classes, pictures["weights"][k], strict=True) if w > 0
            }
            seed = int(pictures["seeds"][k])
            *_, third, _ = steps = list(pipe.stream(named, steps=4, size=16, seed=seed))
            wanted = (to_tensor(steps[-1].images[0]) + 1) * 127.5
            assert (pictures["finals"][k].float() - wanted).abs().max() <= 1
            assert torch.allclose(pictures["middles"][k].float(), third.step.noisy[0], atol=0.02, rtol=1e-2)

    def test_those_that_are_there_are_not_sampled_again(self, pipe, config, tmp_path, monkeypatch):
        first = teacher_pictures(pipe, tmp_path, replace(config, pictures=8))
        calls = []
        sampled = distillation._sampled_chunk
        monkeypatch.setattr(
            distillation, "_sampled_chunk", lambda *args: calls.append(args[2]) or sampled(*args)
        )
        both = teacher_pictures(pipe, tmp_path, config)
        assert calls == [1] and torch.equal(both["finals"][:8], first["finals"])


class TestDistill:
    def test_the_student_comes_nearer_to_its_teacher(self, pipe, config, tmp_path):
        steps = list(islice(distill(pipe, tmp_path, replace(config, batch=16)), 30))
        first, last = (np.mean([s.loss for s in part]) for part in (steps[:5], steps[-5:]))
        assert last < 0.8 * first
        student = student_of_run(pipe, tmp_path, replace(config, batch=16))
        assert student.sigmas[0] == 4.0 > student.sigmas[1]
        assert steps[-1].images == 30 * 16 and 0 < steps[-1].progress < 1

    def test_a_run_resumes(self, pipe, config, tmp_path):
        whole = list(islice(distill(pipe, tmp_path / "whole", config), 6))
        list(islice(distill(pipe, tmp_path / "parts", config), 4))
        rest = list(islice(distill(pipe, tmp_path / "parts", config), 2))
        assert [s.step for s in rest] == [5, 6]
        assert [s.loss for s in rest] == pytest.approx([s.loss for s in whole[4:]], rel=1e-4)

    def test_it_begins_with_the_student_of_the_checkpoint(self, with_student, config, tmp_path):
        levels = distillation._levels(with_student, config)
        with_student.student = replace(with_student.student, sigmas=levels)
        frozen = replace(config, muon_lr=1e-9, adam_lr=1e-9)
        list(islice(distill(with_student, tmp_path, frozen), 2))
        found = student_of_run(with_student, tmp_path, frozen).network.state_dict()
        for name, wanted in with_student.student.network.state_dict().items():
            assert torch.allclose(found[name], wanted, atol=1e-6)

    @pytest.mark.parametrize(
        ("field", "value"), [("pictures", 9), ("minutes", 0.0), ("middle", 4), ("middle", 0), ("batch", 0)]
    )
    def test_bad_settings_are_refused(self, config, field, value):
        with pytest.raises(ValueError, match=f"{field}={value}"):
            replace(config, **{field: value})


def test_the_command_writes_a_checkpoint_with_a_student(capsys, checkpoint_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(distillation, "CHUNK", 8)
    out, folder = tmp_path / "out", ("--run", tmp_path / "run")
    options = ("--pictures", 8, "--minutes", 0.02, *folder)
    code, _, error = run(capsys, "distill", checkpoint_folder, "-o", out, *options)
    assert code == 0, error
    [image] = Pipeline.from_pretrained(out).sample("moss", sampler="distilled")
    assert image.size == (64, 64)
    code, _, error = run(capsys, "distill", checkpoint_folder, "-o", tmp_path / "run", *options)
    assert code == 2 and "this is the folder of --run" in error
