"""Labels and classifier-free guidance, the baseline: who is told what, and what a weight does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fgsd.data import TextureFolder
from fgsd.model.conditioning import LabelGuidedDenoiser, Labels
from fgsd.model.network import Denoiser
from fgsd.training.loop import TrainingConfig, make_batch, train


@pytest.fixture
def network(tiny) -> Denoiser:
    """One with three labels, all of whose layers do something."""
    torch.manual_seed(0)
    network = Denoiser(replace(tiny, labels=3))
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.2)
    return network.requires_grad_(False)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_labels_name_classes_and_none_where_nothing_is_told():
    labels = Labels.of(torch.tensor([2, 0, 1]), 3, torch.tensor([True, True, False]))
    assert labels.weights.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0]]


def test_each_image_is_denoised_by_its_own_label(network, x):
    together = LabelGuidedDenoiser(network, torch.eye(3))(x, 0.5)[0]
    for k in range(3):
        alone = LabelGuidedDenoiser(network, torch.eye(3)[k])(x[k : k + 1], 0.5)[0]
        assert torch.allclose(together[k : k + 1], alone, atol=1e-6)
    other = LabelGuidedDenoiser(network, torch.eye(3).roll(1, 0))(x, 0.5)[0]
    assert (together - other).abs().max() > 1e-3


def test_no_label_is_what_the_network_gives_unasked(network, x):
    untold = LabelGuidedDenoiser(network, torch.zeros(3))(x, 0.5)[0]
    assert torch.equal(untold, network(x, 0.5, None))


def test_a_weight_goes_along_the_line_from_no_label_to_the_label(network, x):
    label = torch.eye(3)[1]
    told, untold = (LabelGuidedDenoiser(network, w)(x, 0.5)[0] for w in (label, 0 * label))
    guided = LabelGuidedDenoiser(network, label, weight=2.5)
    assert torch.allclose(guided(x, 0.5)[0], untold + 2.5 * (told - untold), atol=1e-6)
    assert guided.evaluations == 2 and LabelGuidedDenoiser(network, label).evaluations == 1


def test_labels_of_another_number_of_classes_are_refused(network, tiny, x):
    with pytest.raises(ValueError, match=r"labels of 4 classes.*labels=3"):
        LabelGuidedDenoiser(network, torch.eye(4)[0])(x, 0.5)
    with pytest.raises(ValueError, match="labels=0"):
        Denoiser(tiny)(x, 0.5, Labels(torch.eye(3)))


def test_training_tells_each_crop_its_class_and_some_none(tiny, data):
    network = replace(tiny, labels=len(data.classes))
    config = TrainingConfig(network, data.config, images=1000, groups=60, group_size=1, guided_share=0.7)
    weights = make_batch(data, config, 0).condition.weights
    told = weights.sum(dim=1)
    assert weights.shape == (60, 3) and set(told.tolist()) == {0.0, 1.0}
    assert 0.45 < told.mean() < 0.95
    assert weights.sum(dim=0).min() > 5  # every class comes up


def test_the_label_of_a_crop_is_that_of_its_image(tiny, tmp_path):
    from PIL import Image

    for k, grey in enumerate((20, 120, 220)):
        Image.new("RGB", (48, 48), (grey,) * 3).save(tmp_path / f"grey{k}.png")
    config = TrainingConfig(
        replace(tiny, labels=3),
        images=100,
        groups=12,
        group_size=1,
        guided_share=1.0,
        crop_sizes=((0.0, 1.0),),
    )
    data = TextureFolder(tmp_path, replace(config.data, image_size=None, patch_size=16))
    batch = make_batch(data, config, 3)
    greys = batch.x0.mean(dim=(1, 2, 3))
    expected = torch.tensor([20.0, 120.0, 220.0]) / 127.5 - 1
    assert torch.allclose(greys, batch.condition.weights @ expected, atol=0.02)


def test_the_number_of_labels_must_be_that_of_the_classes(tiny, data, tmp_path):
    config = TrainingConfig(replace(tiny, labels=5), data.config, images=10)
    with pytest.raises(ValueError, match=r"network\.labels=5 must be 0 or the number of classes, 3"):
        next(train(data.folder, tmp_path / "run", config))
