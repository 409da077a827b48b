"""Settings of a training run: what is refused, and by which name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fgsd.data import DataConfig
from fgsd.training.config import TrainingConfig
from fgsd.training.running_centroids import LEVELS


@pytest.mark.parametrize(
    "options, named",
    [
        ({"images": None}, "images=None and hours=None"),
        ({"hours": 1.0}, "hours=1.0"),
        ({"images": 0}, "images=0"),
        ({"images": None, "hours": -1.0}, "hours=-1.0"),
        ({"groups": 0}, "groups=0"),
        ({"group_size": 0}, "group_size=0"),
        ({"guided_share": 1.1}, "guided_share=1.1"),
        ({"sigma_log_mean": float("nan")}, "sigma_log_mean=nan must be from -10 to 10"),
        ({"sigma_min": 0.0}, "sigma_min=0.0"),
        ({"sigma_min": 21.0}, "sigma_max=20.0"),
        ({"precision": "float16"}, "precision='float16'"),
        ({"crop_sizes": ()}, "crop_sizes="),
        ({"crop_sizes": ((0.5, 1.0),)}, "crop_sizes="),
        ({"crop_sizes": ((0.0, 1.0), (0.5, 2.0))}, "crop_sizes="),
        ({"crop_sizes": ((0.0, 1.0), (0.5, 0.0))}, "crop_sizes="),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_bad_settings(options, named):
    with pytest.raises(ValueError, match=named):
        TrainingConfig(**options)


def test_crops_grow_with_the_budget(tiny):
    data = DataConfig(image_size=None, patch_size=24)
    config = TrainingConfig(network=tiny, data=data, crop_sizes=((0.0, 0.1), (0.3, 0.6), (0.7, 1.0)))
    sizes = [config.crop_size(p) for p in (0, 0.29, 0.3, 0.69, 0.7, 1.0)]
    assert sizes == [4, 4, 16, 16, 24, 24]  # to the next multiple of the network, 4, and never less


@pytest.fixture
def embedded(tiny) -> TrainingConfig:
    """Of a network with target embedding."""
    return TrainingConfig(replace(tiny, normalization_levels=LEVELS, target_embedding=3))


def test_a_target_embedding_needs_running_centroids(embedded):
    for more in ({"group_size": 2}, {"guided_share": 0.0}):
        with pytest.raises(ValueError, match="target_embedding=3 needs running centroids"):
            replace(embedded, **more)


@pytest.mark.parametrize("share", [0.0, 1.1, float("nan")])
def test_centroids_are_frozen_at_a_share_of_the_budget(embedded, share):
    with pytest.raises(ValueError, match=f"freeze_centroids_at={share} must be above 0 and at most 1"):
        replace(embedded, freeze_centroids_at=share)


def test_centroids_are_frozen_only_where_they_are_exported(embedded):
    network = replace(embedded.network, target_embedding=0)
    with pytest.raises(ValueError, match=r"freeze_centroids_at=0\.5 .* needs network.target_embedding"):
        replace(embedded, network=network, freeze_centroids_at=0.5)


@pytest.mark.parametrize("name", ["labels", "target_embedding"])
def test_the_number_of_classes_must_be_that_of_the_data(tiny, name):
    config = TrainingConfig(replace(tiny, normalization_levels=4, **{name: 5}))
    config.check_classes(list("abcde"))
    with pytest.raises(ValueError, match=rf"network\.{name}=5 must be 0 or the number of classes, 3"):
        config.check_classes(list("abc"))
