"""Do samples belong to their class? A classifier of real crops decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from fgsd.evaluation.checks import bootstrap_interval, check

TARGET = 0.95  # share of the accuracy on held-out real crops


class Judge:
    """A classifier: logistic regression on normalised features of real training crops.

    Parameters
    ----------
    classes : C names, at least 2
    features : array of shape (C, n, F)
        Features of n training crops of each class.

    Raises
    ------
    ValueError
        If there are fewer than 2 classes, or not as many names as classes of features.
    """

    def __init__(self, classes: Sequence[str], features: np.ndarray) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        if len(classes) < 2:
            raise ValueError(f"classes={list(classes)}: a classifier needs at least 2")
        if features.shape[0] != len(classes):
            raise ValueError(f"{features.shape[0]} classes of features do not fit {len(classes)} names")
        self.classes = list(classes)
        flat = features.reshape(-1, features.shape[-1])
        self._scaler = StandardScaler().fit(flat)
        # Of C = 0.01, 0.1 and 1, 0.1 is the strongest regularisation that fits the training crops; the
        # accuracy on held-out crops is the same for all three.
        self._model = LogisticRegression(C=0.1, max_iter=2000)
        self._model.fit(self.scaled(flat), np.repeat(np.arange(len(classes)), features.shape[1]))

    def scaled(self, features: np.ndarray) -> np.ndarray:
        """Features (..., F) scaled to mean 0 and standard deviation 1 over the training crops."""
        flat = self._scaler.transform(features.reshape(-1, features.shape[-1]))
        return flat.reshape(features.shape)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Class probabilities (..., C) of features (..., F)."""
        flat = self._model.predict_proba(self.scaled(features).reshape(-1, features.shape[-1]))
        return flat.reshape(*features.shape[:-1], -1)

    def names(self, features: np.ndarray) -> np.ndarray:
        """Names (...) of the most probable classes of features (..., F)."""
        return np.array(self.classes)[self.probabilities(features).argmax(axis=-1)]


def class_accuracies(judge: Judge, classes: Sequence[str], features: np.ndarray) -> np.ndarray:
    """Share (C,) of correctly classified images of each class; `features` have shape (C, n, F)."""
    return (judge.names(features) == np.array(classes)[:, None]).mean(axis=1)


def measure_accuracy(
    judge: Judge,
    classes: Sequence[str],
    samples: np.ndarray,
    held_out: np.ndarray,
    *,
    kind: str = "samples",
    target: float = TARGET,
    seed: int = 0,
) -> dict:
    """Compare the top-1 accuracy of guided samples with that of held-out real crops, the ceiling.

    Parameters
    ----------
    judge : Judge
        Trained on other crops of these classes; it may know more classes.
    samples, held_out : arrays of shape (C, n, F)
        Features of samples and of held-out crops of `classes`.
    kind : str
        What the check calls the samples.
    target : float
        Of the check: share of the accuracy on held-out crops.
    seed : int
        Seed of the bootstrap.
    """
    accuracies = class_accuracies(judge, classes, samples)
    ceilings = class_accuracies(judge, classes, held_out)
    ratio = float(accuracies.mean() / ceilings.mean()) if ceilings.mean() > 0 else float("nan")

    def resampled(rows: np.ndarray) -> float:
        return accuracies[rows].mean() / max(ceilings[rows].mean(), 1e-9)

    confused = {}
    for name, guesses, accuracy in zip(classes, judge.names(samples), accuracies, strict=True):
        wrong = Counter(guess for guess in guesses.tolist() if guess != name)
        if wrong:
            confused[name] = {"accuracy": float(accuracy), "taken_for": wrong.most_common(1)[0][0]}
    worst = sorted(confused, key=lambda name: confused[name]["accuracy"])
    return {
        "accuracy": float(accuracies.mean()),
        "ceiling": float(ceilings.mean()),
        "per_class": {c: float(a) for c, a in zip(classes, accuracies, strict=True)},
        "ceiling_per_class": {c: float(a) for c, a in zip(classes, ceilings, strict=True)},
        "confused": {name: confused[name] for name in worst},
        "checks": [
            check(
                f"accuracy of {kind} / of held-out crops",
                ratio,
                at_least=target,
                interval=bootstrap_interval(resampled, len(classes), seed=seed),
            )
        ],
    }
