"""The five questions with which the report's page opens, answered from the figures of its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fgsd.evaluation import diversity, memorisation
from fgsd.evidence.comparison import HELD_OUT, SHIPPED, Figures, Runs, ratios
from fgsd.evidence.embedding import MIN_CORRELATION
from fgsd.evidence.embedding_figures import CENTROIDS, COLOURS, GAUSSIAN_CENTROIDS
from fgsd.evidence.figures import PartResults, Plot, ReportResults, Series, mean_over_seeds, plot, series

FEATURES, LABEL = "features (ours)", "label"  # names of methods in the figures


@dataclass(frozen=True)
class Finding:
    """A question, its answer in one sentence, and a plot that shows it."""

    name: str  # id on the page
    question: str
    verdict: str  # the first words of the sentence
    sentence: str  # the rest
    plot: Plot
    part: str  # name of the part that has all about it


def five_findings(results: ReportResults) -> list[Finding]:
    """The answers for which the report holds the figures, at most five."""
    parts = results["parts"]
    findings: list[Finding] = []
    if (textures := parts.get("textures")) is not None and "runs" in textures["figures"]:
        makers: tuple[Callable[[PartResults], Finding], ...] = (_asked_for, _copies, _varied, _compared)
        findings += [make(textures) for make in makers]
    if (embedding := parts.get("embedding")) is not None and "found" in embedding["figures"]:
        findings.append(_distances(embedding))
    return findings


def _asked_for(part: PartResults) -> Finding:
    runs, shipped = _runs(part)
    ours, label, real = (_mean(runs[name], "accuracy") for name in (FEATURES, LABEL, HELD_OUT))
    page = next((many for name, many in shipped.items() if name.startswith(SHIPPED)), None)
    share = _mean(page or runs[FEATURES], "of_ceiling")
    first = f"{_percent(_mean(page, 'accuracy'))} of the samples of the shipped network and " if page else ""
    whose = (
        "those of the smaller network of this study" if page else "the samples of the network of this study"
    )
    return Finding(
        "asked-for",
        "Does it sample the class that was asked for?",
        "Nearly always" if share >= 0.95 else "Mostly" if share >= 0.75 else "Too seldom",
        f"a classifier of real crops recognises the class in {first}{_percent(ours)} of {whose}, where a "
        f"label in place of features gives {_percent(label)}; it recognises {_percent(real)} of real "
        "held-out crops.",
        _bars("accuracy", "share of samples that are recognised", part),
        "textures",
    )


def _copies(part: PartResults) -> Finding:
    runs, _ = _runs(part)
    ratio, *interval = mean_over_seeds([one["nearest"] for one in runs[FEATURES]])
    copies, real = (_mean(runs[name], "copies") for name in (FEATURES, HELD_OUT))
    far = (interval[0] if interval else ratio) >= memorisation.TARGET
    count = f"{_percent(copies, 1)} of them are" if copies else "none of them is"
    return Finding(
        "copies",
        "Does it copy its training images?",
        "No" if far and copies <= real else "It may",
        f"samples are {ratio:.2f} times as far from the nearest training crop as held-out crops of the same "
        f"textures are, and {count} within a quarter of that distance.",
        _bars("nearest", "distance to nearest training crop / of held-out crops", part),
        "textures",
    )


def _varied(part: PartResults) -> Finding:
    runs, _ = _runs(part)
    ours, real = runs[FEATURES], runs[HELD_OUT]
    spread, coverage, best = _mean(ours, "diversity"), _mean(ours, "coverage"), _mean(real, "coverage")
    apart, cover = spread >= diversity.TARGET, coverage >= diversity.TARGET * best
    verdict = "Yes" if apart and cover else "In part" if apart or cover else "Too little"
    return Finding(
        "varied",
        "Do the samples of a class vary?",
        verdict,
        f"two samples differ by {_percent(spread)} of what two real crops of the class do, but they reach "
        f"{'' if cover else 'only '}{_percent(coverage, 1)} of the real crops of the class (held-out crops: "
        f"{_percent(best)}).",
        _bars("coverage", "share of real crops that have a sample near them", part),
        "textures",
    )


def _compared(part: PartResults) -> Finding:
    runs, _ = _runs(part)
    evaluations = {str(row[0]): row[1] for row in part["tables"][0]["rows"]}
    ours = runs[FEATURES]
    accuracy, frechet = (ratios(ours, runs[LABEL], key) for key in ("accuracy", "frechet"))
    above_label = _certainly(accuracy, above=1) and _certainly(frechet, above=1, negate=True)
    weighted = {name: many for name, many in runs.items() if name.startswith(f"{LABEL}, CFG")}
    costs_as_much = {n: many for n, many in weighted.items() if evaluations[n] == evaluations[FEATURES]}
    name = min(costs_as_much or weighted, key=lambda one: _mean(weighted[one], "frechet"))
    best, cost = weighted[name], "at the same number of evaluations " if costs_as_much else ""
    behind = _mean(best, "frechet") < _mean(ours, "frechet")
    verdict = ("Than a label, yes" if above_label else "Than a label, hardly") + (
        "; than CFG, no" if behind else "; than CFG, yes"
    )
    return Finding(
        "compared",
        "Is it better than labels or classifier-free guidance (CFG)?",
        verdict,
        f"{cost}features have {_percent(_mean(ours, 'accuracy'))} of the samples recognised at a "
        f"Fréchet distance of {_mean(ours, 'frechet'):.0f} (lower is better), a label "
        f"{_percent(_mean(runs[LABEL], 'accuracy'))} at {_mean(runs[LABEL], 'frechet'):.0f}, and "
        f"CFG with the best weight {_percent(_mean(best, 'accuracy'))} at "
        f"{_mean(best, 'frechet'):.0f}.",
        _of_methods(_plot_of(part, "textures-frechet")),
        "textures",
    )


def _distances(part: PartResults) -> Finding:
    found = part["figures"]["found"]
    ours, colours = (found[name]["features"]["spearman"] for name in (CENTROIDS, COLOURS))
    exact = part["figures"]["gaussians"]["found"][GAUSSIAN_CENTROIDS]["spearman"]
    followed, more = ours >= MIN_CORRELATION and exact >= MIN_CORRELATION, ours > colours
    verdict = "Yes" if followed and more else "Little" if ours >= MIN_CORRELATION else "Hardly"
    return Finding(
        "distances",
        "Do distances between centroids mean anything?",
        verdict,
        "squared distances rank pairs of textures as the divergence of their densities does with a "
        f"correlation of {ours:.2f}, but distances of mean colours alone reach {colours:.2f}, and among "
        f"Gaussian classes, whose divergences are known, it is {exact:.2f}.",
        _plot_of(part, "embedding-distances"),
        "embedding",
    )


def _bars(key: str, words: str, part: PartResults) -> Plot:
    """One figure of the methods that a reader compares first, with intervals over seeds."""
    runs, shipped = _runs(part)
    groups: dict[str, Runs] = {"features": {}, "labels": {}, "real crops": {}}
    for name, many in (*shipped.items(), *runs.items()):
        if name == FEATURES or name.startswith(SHIPPED):
            groups["features"][name] = many
        elif name == LABEL or (name.startswith(f"{LABEL}, CFG") and "steps" not in name):
            groups["labels"][name] = many
        elif name.startswith(HELD_OUT):
            groups["real crops"][name] = many
    bars: list[Series] = []
    for group, rows in groups.items():
        cells = [mean_over_seeds([one[key] for one in many]) for many in rows.values()]
        values = [cell[0] for cell in cells]
        one = series(group, range(len(rows)), values, style="bars", points=list(rows))
        low, high = ([cell[k] if len(cell) == 3 else None for cell in cells] for k in (1, 2))
        bars.append(one | {"low": low, "high": high})
    return plot(f"finding-{key}", words[0].upper() + words[1:], bars, x="", y=words)


def _of_methods(one: Plot) -> Plot:
    """A plot without its real crops, whose figures are so far away that they hide differences of methods."""
    curves = [curve for curve in one["series"] if curve["style"] == "line"]
    return {**one, "name": f"finding-{one['name']}", "series": curves}


def _plot_of(part: PartResults, name: str) -> Plot:
    return next(one for one in part["plots"] if one["name"] == name)


def _runs(part: PartResults) -> tuple[Runs, Runs]:
    return part["figures"]["runs"], part["figures"].get("shipped", {})


def _mean(runs: Sequence[Figures], key: str) -> float:
    return float(np.mean([one[key] for one in runs]))


def _certainly(values: Sequence[float], *, above: float, negate: bool = False) -> bool:
    """Whether the 95 % interval of the mean lies above a value, or with `negate` below it."""
    mean, *interval = mean_over_seeds(values)
    low, high = interval or (mean, mean)
    return high < above if negate else low > above


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"
