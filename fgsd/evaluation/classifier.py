"""Do samples belong to their class? A classifier of real crops says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from fgsd.evaluation.checks import bootstrap_interval, check

TARGET = 0.95  # of the accuracy on held-out real crops


class Judge:
    """Logistic regression on standardised features of real training crops.

    Parameters
    ----------
    classes : C names, at least 2
    features : array of shape (C, n, F)
        Of n training crops of each class.
    """

    def __init__(self, classes: Sequence[str], features: np.ndarray) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        if len(classes) < 2:
            raise ValueError(f"classes={list(classes)}: telling classes apart needs at least 2")
        if features.shape[0] != len(classes):
            raise ValueError(f"features are of {features.shape[0]} classes, there are {len(classes)} names")
        self.classes = list(classes)
        flat = features.reshape(-1, features.shape[-1])
        self._scaler = StandardScaler().fit(flat)
        # C = 0.1: of 0.01, 0.1 and 1 the weakest that fits the training crops; held-out accuracy is the same
        self._model = LogisticRegression(C=0.1, max_iter=2000)
        self._model.fit(self.scaled(flat), np.repeat(np.arange(len(classes)), features.shape[1]))

    def scaled(self, features: np.ndarray) -> np.ndarray:
        """Features (..., F), each with mean 0 and standard deviation 1 over the training crops."""
        flat = self._scaler.transform(features.reshape(-1, features.shape[-1]))
        return flat.reshape(features.shape)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Of each class (..., C), for features (..., F)."""
        flat = self._model.predict_proba(self.scaled(features).reshape(-1, features.shape[-1]))
        return flat.reshape(*features.shape[:-1], -1)

    def names(self, features: np.ndarray) -> np.ndarray:
        """The most probable class (...) of features (..., F), by name."""
        return np.array(self.classes)[self.probabilities(features).argmax(axis=-1)]


def class_accuracies(judge: Judge, classes: Sequence[str], features: np.ndarray) -> np.ndarray:
    """Share (C,) of the images of each class that the judge gives that class; features are (C, n, F)."""
    return (judge.names(features) == np.array(classes)[:, None]).mean(axis=1)


def belonging(
    judge: Judge, classes: Sequence[str], samples: np.ndarray, held_out: np.ndarray, *, seed: int = 0
) -> dict:
    """Top-1 accuracy of guided samples against that of held-out real crops, the ceiling.

    Parameters
    ----------
    judge : Judge
        Trained on other crops of these classes, and maybe of more.
    samples, held_out : arrays of shape (C, n, F)
    """
    mine, ceiling = class_accuracies(judge, classes, samples), class_accuracies(judge, classes, held_out)
    ratio = float(mine.mean() / ceiling.mean()) if ceiling.mean() > 0 else float("nan")

    def resampled(rows: np.ndarray) -> float:
        return mine[rows].mean() / max(ceiling[rows].mean(), 1e-9)

    guesses = judge.names(samples)
    confused = {}
    for name, said, accuracy in zip(classes, guesses, mine, strict=True):
        wrong = Counter(guess for guess in said.tolist() if guess != name)
        if wrong:
            confused[name] = {"accuracy": float(accuracy), "taken_for": wrong.most_common(1)[0][0]}
    worst = sorted(confused, key=lambda name: confused[name]["accuracy"])
    return {
        "accuracy": float(mine.mean()),
        "ceiling": float(ceiling.mean()),
        "per_class": {c: float(a) for c, a in zip(classes, mine, strict=True)},
        "ceiling_per_class": {c: float(a) for c, a in zip(classes, ceiling, strict=True)},
        "confused": {name: confused[name] for name in worst},
        "checks": [
            check(
                "accuracy of samples / of held-out crops",
                ratio,
                at_least=TARGET,
                interval=bootstrap_interval(resampled, len(classes), seed=seed),
            )
        ],
    }
