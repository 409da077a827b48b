"""Figures for notebooks: they show what the steps and the samples hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fgsd import figure_of_mixture, figure_of_run
from fgsd.levels import interpolate
from fgsd.pipeline import Pipeline
from fgsd.run_figure import SIGMA, distances

SIZE = 16


@pytest.fixture(scope="module")
def steps(pipe) -> list:
    return list(pipe.stream("moss", n=2, steps=5, size=SIZE, seed=0))


def test_a_run_alone_shows_the_distances_of_its_steps_and_says_why_they_may_rise(steps):
    figure = figure_of_run(iter(steps))
    assert len(figure.data) == 2
    for k, line in enumerate(figure.data):
        assert list(line.x) == [step.sigma for step in steps]
        assert np.allclose(line.y, [step.distance[k] for step in steps])
    assert figure.layout.xaxis.type == "log" and figure.layout.xaxis.autorange == "reversed"
    assert "may rise" in figure.layout.title.text
    at = [image.x for image in figure.layout.images]
    assert len(at) == 5 and at == [np.log10(step.sigma) for step in steps]
    assert all(image.source.startswith("data:image/png;base64,") for image in figure.layout.images)


def test_with_a_target_it_shows_the_estimates_and_with_a_pipeline_the_path(pipe, steps):
    figure = figure_of_run(steps, pipe=pipe, target="moss")
    estimates, own = figure.data[:2], figure.data[2:4]
    expected = [distances(pipe, step.step.denoised, pipe.centroid("moss")) for step in steps]
    assert np.allclose([line.y for line in estimates], np.array(expected).T)
    assert all(line.visible == "legendonly" for line in own)
    assert "may rise" not in figure.layout.title.text
    classes, *paths = figure.data[4:]
    assert list(classes.text) == pipe.classes
    assert np.allclose(np.array([classes.x, classes.y]).T, pipe.map.classes("pca", 0))
    for k, path in enumerate(paths):
        points = [pipe.map.project("pca", step.step.phi, step.sigma)[k] for step in steps]
        assert np.allclose(np.array([path.x, path.y]).T, points)
    assert len(paths) == 2 and {one.xaxis for one in (classes, *paths)} == {"x2"}


def test_the_distance_is_that_of_the_features_without_guidance(pipe):
    x0 = pipe.stream("moss", n=2, steps=1, size=SIZE, seed=0)
    x0 = next(iter(x0)).step.x
    far = distances(pipe, x0, pipe.centroid("slate"))
    noise = torch.randn(x0.shape[1:], generator=torch.Generator().manual_seed(0))
    _, phi = pipe.network.denoise(x0 + SIGMA * noise, torch.full((2,), SIGMA))
    scale = interpolate(pipe.table.sigmas, pipe.table.scales, SIGMA)
    by_hand = ((phi - pipe.centroid("slate").at(SIGMA)) / scale).square().mean(dim=-1).sqrt()
    assert far == pytest.approx(by_hand.tolist(), rel=1e-4) and min(far) > 0


def test_what_is_not_there_is_named(pipe, steps):
    with pytest.raises(ValueError, match="steps is empty"):
        figure_of_run([])
    with pytest.raises(ValueError, match="give pipe too"):
        figure_of_run(steps, target="moss")
    with pytest.raises(ValueError, match="projection='umap' must be one of pca"):
        figure_of_run(steps, pipe=pipe, projection="umap")
    unguided = list(pipe.stream(None, steps=2, size=SIZE))
    with pytest.raises(ValueError, match="unguided and has no distances"):
        figure_of_run(unguided)
    assert len(figure_of_run(unguided, pipe=pipe).data) == 2  # the classes, and one path
    with pytest.raises(ValueError, match="second=None"):
        figure_of_mixture(pipe, "moss", None)
    with pytest.raises(ValueError, match="points=1"):
        figure_of_mixture(pipe, "moss", "slate", points=1)


def test_a_mixture_shows_every_sample_and_their_mean_at_each_weight(pipe):
    figure = figure_of_mixture(pipe, "moss", {"slate": 0.5, "brick": 0.5}, points=3, n=2, steps=2, size=SIZE)
    assert [one.name for one in figure.data[::2]] == ["to moss", "to 0.5 slate + 0.5 brick"]
    for line, marks in (figure.data[:2], figure.data[2:]):
        assert list(line.x) == [0, 0.5, 1] and list(marks.x) == [0, 0, 0.5, 0.5, 1, 1]
        assert np.allclose(line.y, np.reshape(marks.y, (3, 2)).mean(axis=1))
        assert line.legendgroup == marks.legendgroup
    # at its ends these are the samples of the targets themselves
    *_, last = pipe.stream("moss", n=2, steps=2, size=SIZE)
    assert np.allclose(figure.data[1].y[:2], distances(pipe, last.step.x, pipe.centroid("moss")), rtol=1e-3)
    assert [image.x for image in figure.layout.images] == [0, 0.5, 1]


def test_the_estimate_comes_closer_to_its_target_and_a_mixture_goes_from_one_to_the_other():
    pipe = Pipeline.from_pretrained("checkpoints/textures", device="cpu")
    steps = list(pipe.stream("lava", steps=6, seed=0))
    line = figure_of_run(steps, pipe=pipe, target="lava").data[0]
    assert line.y[-1] < 2 < 4 < line.y[0] and np.all(np.diff(line.y) < 0.1)
    mixture = figure_of_mixture(pipe, "lava", "glacier", points=2, n=1, steps=6)
    to_lava, to_glacier = mixture.data[0].y, mixture.data[2].y
    assert to_lava[0] < to_glacier[0] and to_glacier[1] < to_lava[1]
