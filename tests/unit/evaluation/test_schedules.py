"""Pictures of few steps against those of many."""

from __future__ import annotations

import pytest
import torch
from evaluation_help import simple_features

from fgsd.checkpoint import CheckpointInfo
from fgsd.data import to_images
from fgsd.evaluation import evaluate, report_text
from fgsd.evaluation.context import EvaluationContext
from fgsd.evaluation.schedules import SCHEDULES, measure_schedules
from fgsd.pipeline import Pipeline


class Faded(Pipeline):
    """Its samples are noise, whose contrast is `fade(steps, sigma_max)`."""

    def __init__(self, pipe, fade) -> None:
        super().__init__(pipe.network, pipe.table, pipe.info, "cpu")
        self.fade = fade

    def sample(self, target, *, n=1, seed=0, size=64, steps=16, sigma_max=None, **options):
        noise = [torch.randn(3, size, size, generator=torch.Generator().manual_seed(s)) for s in seed]
        return to_images(0.2 * self.fade(steps, sigma_max) * torch.stack(noise))


@pytest.fixture
def pipe(pipe) -> Pipeline:
    """The tiny checkpoint, with the image size of `data`."""
    return Pipeline(pipe.network, pipe.table, CheckpointInfo(patch_size=16), "cpu")


def measured(pipe, data) -> dict:
    return measure_schedules(EvaluationContext(pipe, data, simple_features, seed=1))["schedules"]


def test_the_same_picture_has_no_distance_and_full_contrast(pipe, data):
    found = measured(Faded(pipe, lambda steps, sigma_max: 1.0), data)
    assert list(found) == [f"{steps} steps from {sigma:g}" for steps, sigma in SCHEDULES]
    for one in found.values():
        assert one == {"structure": pytest.approx(0, abs=1e-6), "contrast": pytest.approx(1, abs=1e-6)}


def test_what_is_lost_is_measured(pipe, data):
    found = measured(Faded(pipe, lambda steps, sigma_max: min(1.0, steps / 10)), data)
    for (steps, _), one in zip(SCHEDULES, found.values(), strict=True):
        # the picture is scaled, by as much as is lost of its structure and of its detail
        assert one["structure"] == pytest.approx(1 - steps / 10, abs=0.05)
        assert one["contrast"] == pytest.approx(steps / 10, abs=0.05)


def test_a_checkpoint_is_measured_and_written_as_text(pipe, data):
    results = evaluate(pipe, data, per_class=2, steps=6, parts=["schedules"], features=simple_features)
    text = report_text(results)
    assert "schedules: 2 samples a class, against 6 steps" in text and "5 steps from 10: structure" in text
