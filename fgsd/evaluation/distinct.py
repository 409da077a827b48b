"""Which classes of a folder of images are distinct? Those that a classifier tells apart by held-out crops."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from fgsd.data import TextureFolder
from fgsd.evaluation.classifier import Judge
from fgsd.evaluation.context import TRAINING_CROPS, FeatureFunction, real_crops, silent

ACCURACY = 0.9  # share of its held-out crops by which a class is recognised


def find_distinct(
    data: TextureFolder,
    features: FeatureFunction,
    *,
    at_least: float = ACCURACY,
    keep: Collection[str] = (),
    crops: int = 32,
    seed: int = 0,
    progress=silent,
) -> tuple[list[str], dict[str, float]]:
    """Return the classes that are told apart, and the share of recognised held-out crops of each class.

    Parameters
    ----------
    data : TextureFolder
        With held-out parts.
    features : callable
        See `FeatureFunction`.
    at_least : float
        Share of the held-out crops of a class that must be recognised.
    keep : collection of str
        Classes that stay, see `drop_confused`.
    crops : int
        Held-out crops of each class.
    seed : int
        Of the crops.
    progress : callable
        Wraps the list of classes, called as `tqdm` is.
    """

    def features_of(split: str, n: int, desc: str) -> np.ndarray:
        # class by class: the crops of all classes at once take gigabytes
        names = progress(data.classes, desc=desc)
        return np.stack([features(real_crops(data, [name], n, split=split, seed=seed)[0]) for name in names])

    judge = Judge(data.classes, features_of("train", TRAINING_CROPS, "training crops"))
    probabilities = judge.probabilities(features_of("test", crops, "held-out crops"))
    return drop_confused(data.classes, probabilities, at_least=at_least, keep=keep)


def drop_confused(
    classes: Sequence[str],
    probabilities: np.ndarray,
    *,
    at_least: float = ACCURACY,
    keep: Collection[str] = (),
) -> tuple[list[str], dict[str, float]]:
    """Drop the least recognised class, one by one, until the images of all others are recognised.

    A class that is dropped is no answer any more: of two classes that are taken for each other, one remains.

    Parameters
    ----------
    classes : C names
    probabilities : array of shape (C, n, C)
        Of the classes, for n images of each.
    at_least : float
        Share of the images of a class that must be recognised.
    keep : collection of str
        Classes that are not dropped. The class for which most of their images are taken is dropped instead,
        if it is not one of these too.

    Returns
    -------
    names : list of str
        In the order of `classes`.
    accuracies : dict
        Share of recognised images of each of them; below `at_least` for none but classes of `keep`.
    """
    left, settled = np.ones(len(classes), dtype=bool), np.zeros(len(classes), dtype=bool)
    kept = np.array([name in keep for name in classes])
    while True:
        answers = np.where(left, probabilities, -1.0).argmax(axis=2)  # (C, n)
        accuracies = (answers == np.arange(len(classes))[:, None]).mean(axis=1)
        poor = np.flatnonzero(left & ~settled & (accuracies < at_least))
        if not len(poor):
            rows = np.flatnonzero(left).tolist()
            return [classes[k] for k in rows], {classes[k]: float(accuracies[k]) for k in rows}
        worst = poor[accuracies[poor].argmin()]
        if not kept[worst]:
            left[worst] = False
            continue
        counts = np.bincount(answers[worst], minlength=len(classes)) * ~kept
        if counts.max() > 0:
            left[counts.argmax()] = False
        else:
            settled[worst] = True
