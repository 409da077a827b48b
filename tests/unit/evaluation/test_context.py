"""Samples and crops depend on seed, class and split alone."""

from __future__ import annotations

import numpy as np
import torch
from evaluation_help import simple_features

from fgsd.evaluation import context
from fgsd.evaluation.context import EvaluationContext, draw_samples, real_crops


def test_a_sample_is_the_picture_of_its_target_and_seed(untrained, monkeypatch):
    monkeypatch.setattr(context, "PASS_PIXELS", 4 * 16 * 16)  # passes of 4: classes share them
    drawn = draw_samples(untrained, untrained.classes, 3, size=16, seed=5, steps=2)
    assert drawn.shape == (3, 3, 3, 16, 16)
    [alone] = untrained.sample(untrained.classes[2], n=1, size=16, seed=5 + 2 * 3 + 1, steps=2)
    pixels = torch.from_numpy(np.array(alone)).permute(2, 0, 1) / 127.5 - 1
    assert (drawn[2, 1] - pixels).abs().max() <= 1.01 / 127.5  # rounded to 8 bits


def test_real_crops_depend_on_seed_class_and_split_only(data):
    all_classes = real_crops(data, data.classes, 4, split="train")
    assert torch.equal(all_classes[1:], real_crops(data, data.classes[1:], 4, split="train"))
    assert not torch.equal(all_classes, real_crops(data, data.classes, 4, split="train", seed=1))
    assert not torch.equal(all_classes, real_crops(data, data.classes, 4, split="test"))


def test_classes_are_spaced_evenly_over_the_alphabet(untrained, data):
    subject = EvaluationContext(untrained, data, simple_features)
    assert subject.spaced_classes(1) == [data.classes[1]]
    assert subject.spaced_classes(99) == data.classes
