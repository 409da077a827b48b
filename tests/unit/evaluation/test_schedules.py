"""Pictures of few steps against those of many."""

from __future__ import annotations

import pytest
from evaluation_help import simple_features

from fgsd.checkpoint import CheckpointInfo
from fgsd.data import to_images
from fgsd.evaluation import evaluate, report_text
from fgsd.evaluation.context import EvaluationContext
from fgsd.evaluation.schedules import SCHEDULES, measure_schedules
from fgsd.pipeline import Pipeline
from fgsd.sampling import ImageNoise, centre_corner, check_seeds


class Faded(Pipeline):
    """Its samples are noise, whose contrast is `fade(steps, sigma_max)`."""

    def __init__(self, pipe, fade) -> None:
        super().__init__(pipe.network, pipe.table, pipe.info, "cpu")
        self.fade = fade

    def sample(self, target, *, n=1, seed=0, size=64, steps=16, sigma_max=None, noise_size=None):
        seeds, drawn = check_seeds(seed, n), (noise_size or size,) * 2
        corner = centre_corner(drawn, (size, size), multiple=self.network.config.multiple)
        noise = ImageNoise(seeds, (3, size, size), drawn=drawn, corner=corner)()
        return to_images(0.2 * self.fade(steps, sigma_max) * noise)


@pytest.fixture
def pipe(pipe) -> Pipeline:
    """The tiny checkpoint, with the image size of `data`."""
    return Pipeline(pipe.network, pipe.table, CheckpointInfo(patch_size=16), "cpu")


def measured(pipe, data, key: str = "schedules") -> dict:
    return measure_schedules(EvaluationContext(pipe, data, simple_features, seed=1))[key]


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


def test_a_preview_is_compared_with_the_centre_of_the_picture_where_it_lies(pipe, data):
    found = measured(Faded(pipe, lambda steps, sigma_max: 1.0), data, "centres")
    assert list(found) == ["16 of 48", "32 of 48", "48 of 48"]
    for one in found.values():
        assert one == {"structure": pytest.approx(0, abs=1e-6), "contrast": pytest.approx(1, abs=1e-6)}


def test_a_checkpoint_is_measured_and_written_as_text(pipe, data):
    results = evaluate(pipe, data, per_class=2, steps=6, parts=["schedules"], features=simple_features)
    text = report_text(results)
    assert "schedules: 2 samples a class, against 6 steps" in text and "5 steps from 10: structure" in text
    assert "previews of the centre, 16 of 48 pixels: structure" in text
