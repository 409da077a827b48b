"""The answers with which the page of the report opens: they say what the figures say."""

from __future__ import annotations

import copy

import pytest

from fgsd.evidence.drawing import draw_plot
from fgsd.evidence.embedding_figures import CENTROIDS, COLOURS, GAUSSIAN_CENTROIDS
from fgsd.evidence.figures import plot, series
from fgsd.evidence.questions import five_findings

METHODS = {  # accuracy, Fréchet distance, coverage, evaluations
    "features (ours)": (0.9, 50.0, 0.3, 16),
    "label": (0.5, 90.0, 0.1, 16),
    "label, CFG 2": (0.8, 60.0, 0.2, 32),
    "label, CFG 2, 8 steps": (0.7, 70.0, 0.2, 16),
    "held-out crops": (1.0, 10.0, 0.32, None),
}


def results() -> dict:
    """A report of three seeds that differ a little, in which ours is the best."""
    runs = {
        name: [
            {
                "accuracy": accuracy - k / 1000,
                "of_ceiling": accuracy - k / 1000,
                "frechet": frechet + k / 10,
                "coverage": coverage,
                "diversity": 0.95,
                "nearest": 1.0 + k / 1000,
                "copies": 0.0,
            }
            for k in range(3)
        ]
        for name, (accuracy, frechet, coverage, _) in METHODS.items()
    }
    curves = [
        series("features (ours), by strength", [0.9], [50]),
        series("held-out crops", [1.0], [10], style="points"),
    ]
    pairs = series("pairs", [1, 2], [3, 4], style="points", points=["a – b", "a – c"])
    return {
        "parts": {
            "textures": {
                "title": "Textures",
                "tables": [{"rows": [[name, row[3]] for name, row in METHODS.items()]}],
                "plots": [plot("textures-frechet", "Fréchet", curves, x="accuracy", y="distance")],
                "figures": {"runs": runs},
            },
            "embedding": {
                "title": "Embedding",
                "plots": [plot("embedding-distances", "Distances", [pairs], x="d", y="KL")],
                "figures": {
                    "found": {
                        CENTROIDS: {"features": {"spearman": 0.8}},
                        COLOURS: {"features": {"spearman": 0.6}},
                    },
                    "gaussians": {"found": {GAUSSIAN_CENTROIDS: {"spearman": 0.7}}},
                },
            },
        }
    }


def verdicts(report: dict) -> dict[str, str]:
    return {one.name: one.verdict for one in five_findings(report)}


def test_each_question_has_one_sentence_a_plot_and_a_part():
    report = results()
    answers = five_findings(report)
    assert [one.name for one in answers] == ["asked-for", "copies", "varied", "compared", "distances"]
    for one in answers:
        assert one.question.endswith("?") and one.part in report["parts"]
        assert one.sentence.endswith(".") and ". " not in one.sentence
        assert draw_plot(one.plot).data
    assert verdicts(report) == {
        "asked-for": "Mostly",
        "copies": "No",
        "varied": "Yes",
        "compared": "Than a label, yes; than CFG, yes",
        "distances": "Yes",
    }
    # beside real crops, whose distance is far lower, methods would look alike
    assert [one["name"] for one in answers[3].plot["series"]] == ["features (ours), by strength"]


@pytest.mark.parametrize(
    ("name", "method", "changes", "verdict"),
    [
        ("asked-for", "features (ours)", {"of_ceiling": 0.99}, "Nearly always"),
        ("asked-for", "features (ours)", {"of_ceiling": 0.4}, "Too seldom"),
        ("copies", "features (ours)", {"nearest": 0.5}, "It may"),
        ("copies", "features (ours)", {"copies": 0.1}, "It may"),
        ("varied", "features (ours)", {"coverage": 0.05}, "In part"),
        ("varied", "features (ours)", {"coverage": 0.05, "diversity": 0.3}, "Too little"),
        ("compared", "features (ours)", {"frechet": 95.0}, "Than a label, hardly; than CFG, no"),
        ("compared", "label, CFG 2, 8 steps", {"frechet": 40.0}, "Than a label, yes; than CFG, no"),
        # twice as many evaluations are no fair comparison
        ("compared", "label, CFG 2", {"frechet": 40.0}, "Than a label, yes; than CFG, yes"),
    ],
)
def test_a_worse_figure_gives_a_worse_answer(name, method, changes, verdict):
    report = results()
    for one in report["parts"]["textures"]["figures"]["runs"][method]:
        one.update(changes)
    assert verdicts(report)[name] == verdict


@pytest.mark.parametrize(
    ("ours", "colours", "exact", "verdict"),
    [(0.8, 0.9, 0.7, "Little"), (0.8, 0.6, 0.1, "Little"), (0.3, 0.2, 0.7, "Hardly")],
)
def test_distances_mean_little_if_colours_or_known_densities_say_so(ours, colours, exact, verdict):
    report = results()
    figures = report["parts"]["embedding"]["figures"]
    figures["found"][CENTROIDS]["features"]["spearman"] = ours
    figures["found"][COLOURS]["features"]["spearman"] = colours
    figures["gaussians"]["found"][GAUSSIAN_CENTROIDS]["spearman"] = exact
    [answer] = [one for one in five_findings(report) if one.name == "distances"]
    assert answer.verdict == verdict and f"{exact:.2f}" in answer.sentence


def test_the_shipped_network_answers_what_the_page_samples():
    report = results()
    textures = copy.deepcopy(report["parts"]["textures"])
    figures = {"accuracy": 0.97, "of_ceiling": 0.98, "nearest": 1.0, "coverage": 0.3}
    textures["figures"]["shipped"] = {"shipped network, 64 px": [figures], "held-out crops, 64 px": [figures]}
    report["parts"]["textures"] = textures
    answer = five_findings(report)[0]
    assert (
        answer.verdict == "Nearly always"
        and "97\N{NO-BREAK SPACE}% of the samples of the shipped network" in answer.sentence
    )
    by_group = {one["name"]: one["points"] for one in answer.plot["series"]}
    assert by_group == {
        "features": ["shipped network, 64 px", "features (ours)"],
        "labels": ["label", "label, CFG 2"],
        "real crops": ["held-out crops, 64 px", "held-out crops"],
    }
    assert answer.plot["series"][0]["low"][0] is None  # a single seed has no interval


def test_without_the_figures_there_is_no_answer():
    report = results()
    del report["parts"]["embedding"]
    assert len(five_findings(report)) == 4
    assert five_findings({"parts": {}}) == []
