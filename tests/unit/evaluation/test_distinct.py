"""The classes that a classifier tells apart."""

from __future__ import annotations

import numpy as np

from fgsd.evaluation.distinct import drop_confused, find_distinct

NAMES = ["brick", "brick in the sun", "moss", "slate"]


def answers(*rows: str) -> np.ndarray:
    """Probabilities of one image a word: the second most probable class is the image's own."""
    probabilities = np.full((len(rows), len(rows[0].split()), len(NAMES)), 0.01)
    for own, row in enumerate(rows):
        for image, answer in enumerate(row.split()):
            probabilities[own, image, own] = 0.2
            probabilities[own, image, int(answer)] = 0.7
    return probabilities


def test_of_two_classes_that_are_confused_one_remains():
    found, accuracies = drop_confused(NAMES, answers("0 0 0 1", "0 1 0 1", "2 2 2 2", "3 3 3 3"))
    assert found == ["brick", "moss", "slate"]
    assert accuracies == {"brick": 1.0, "moss": 1.0, "slate": 1.0}  # without the other, it is recognised


def test_a_class_to_keep_stays_and_what_it_is_taken_for_is_dropped():
    images = answers("0 0 0 1", "0 1 0 1", "2 2 2 2", "3 3 3 3")
    found, accuracies = drop_confused(NAMES, images, keep=["brick in the sun"])
    assert found == ["brick in the sun", "moss", "slate"]
    assert accuracies["brick in the sun"] == 1.0


def test_classes_to_keep_that_are_confused_with_each_other_all_stay():
    images = answers("0 0 0 1", "0 1 0 1", "2 2 2 2", "3 3 3 3")
    found, accuracies = drop_confused(NAMES, images, keep=NAMES[:2])
    assert found == NAMES
    assert (accuracies["brick"], accuracies["brick in the sun"]) == (0.75, 0.5)


def test_the_bound_is_met():
    images = answers("0 0 0 1", "1 1 1 1", "2 2 2 2", "3 3 3 3")
    assert drop_confused(NAMES, images, at_least=0.75)[0] == NAMES
    assert drop_confused(NAMES, images, at_least=0.76)[0] == NAMES[1:]


def test_crops_of_a_folder(data):
    """Classes of one colour are told apart by their colour, and not at all by a constant."""

    def colours(x):
        return x.mean(dim=(2, 3)).numpy()

    found, accuracies = find_distinct(data, colours, crops=4)
    assert found == data.classes and min(accuracies.values()) == 1.0
    alone, _ = find_distinct(data, lambda x: np.zeros((len(x), 2)), crops=4, keep=["moss"])
    assert alone == ["moss"]
