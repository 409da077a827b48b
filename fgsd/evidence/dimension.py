"""How many features are enough? Networks that differ only in the layers and channels that are matched."""

from __future__ import annotations

from fgsd.checkpoint import Checkpoint
from fgsd.checkpoint_files import CheckpointError
from fgsd.evidence.comparison import (
    HELD_OUT,
    SEEDS,
    Contender,
    Figures,
    Runs,
    check_over_seeds,
    ratios,
    real_runs,
    sample_runs,
)
from fgsd.evidence.figures import Cell, PartFigures, Plot, Table, mean_over_seeds, plot, series, table
from fgsd.evidence.methods import Trained
from fgsd.evidence.report_context import ReportContext
from fgsd.evidence.study import studies

PREFIX = "dimension-"  # of the names of the networks in the study
MIN_NETWORKS = 3  # fewer show no trend
TARGET = 0.95  # of the best accuracy, for the features of the study's main network
COLUMNS = {
    "accuracy": ("class accuracy", "high"),
    "frechet": ("Fréchet distance", "low"),
    "coverage": ("coverage within a class", "high"),
}


def dimension(context: ReportContext) -> PartFigures:
    """The part of the report on the dimension of the feature vector."""
    networks = trained_networks(context)
    lengths = {name: one.checkpoint.network.config.dimension for name, one in networks.items()}
    runs: Runs = {}
    for name in context.progress(list(networks), desc="samples by dimension"):
        runs[name] = sample_runs(context, Contender(name, networks[name]), part="dimension")
    real = real_runs(context, split="test", part="dimension")
    best, recommended = recommend(lengths, runs)
    accuracy = {name: mean_over_seeds([one["accuracy"] for one in runs[name]])[0] for name in runs}
    return {
        "title": "The dimension of the feature vector",
        "question": "How many features does it take?",
        "answer": (
            f"Of {len(lengths)} networks from {min(lengths.values())} to {max(lengths.values())} features, "
            f"that of {lengths[best]} ({best}) is the most accurate, {100 * accuracy[best]:.0f} %. "
            + _advice(lengths, best, recommended, accuracy[recommended])
        ),
        "checks": _checks(context.checkpoint("features"), networks, runs, best),
        "tables": [_table(lengths, runs, real)],
        "plots": [_plot(networks, lengths, runs, real, key) for key in COLUMNS],
        "pictures": [],
        "figures": {"dimensions": lengths, "runs": runs | {HELD_OUT: real}, "recommended": recommended},
    }


def trained_networks(context: ReportContext) -> dict[str, Trained]:
    """The networks of the study that are trained, by increasing dimension; names describe what is matched.

    Raises
    ------
    CheckpointError
        If fewer than `MIN_NETWORKS` are trained.
    """
    known = [name for name in studies() if name.startswith(PREFIX)]
    trained = [name for name in known if context.is_trained(name)]
    if len(trained) < MIN_NETWORKS:
        missing = " ".join(name for name in known if name not in trained)
        raise CheckpointError(
            f"{len(trained)} networks {PREFIX}* in {context.networks}, at least {MIN_NETWORKS} are needed: "
            f"train them by `fgsd study {missing}`"
        )
    networks = [
        Trained(name.removeprefix(PREFIX).replace("-", " "), context.checkpoint(name)) for name in trained
    ]
    networks.sort(key=lambda one: one.checkpoint.network.config.dimension)
    return {one.name: one for one in networks}


def recommend(lengths: dict[str, int], runs: Runs) -> tuple[str, str]:
    """The most accurate network, and the smallest whose mean accuracy lies in its 95 % interval."""
    accuracy = {name: mean_over_seeds([one["accuracy"] for one in many]) for name, many in runs.items()}
    best = max(lengths, key=lambda name: accuracy[name][0])
    lowest = accuracy[best][1] if len(accuracy[best]) > 1 else accuracy[best][0]
    accurate = [name for name in lengths if accuracy[name][0] >= lowest]
    return best, min(accurate, key=lambda name: lengths[name])


def _advice(lengths: dict[str, int], best: str, recommended: str, accuracy: float) -> str:
    if lengths[best] == min(lengths.values()):
        return "More features do not help."
    if recommended == best:
        return "No smaller network is within its interval over seeds."
    return (
        f"{lengths[recommended]} features ({recommended}) are enough: with {100 * accuracy:.0f} % it is the "
        "smallest network within the interval of the best."
    )


def _checks(main: Checkpoint, networks: dict[str, Trained], runs: Runs, best: str) -> list[dict]:
    """Whether the features of `main`, which the study compares with labels, are a good choice."""
    same_features = [
        name
        for name, one in networks.items()
        if one.checkpoint.network.config.features == main.network.config.features
        and one.checkpoint.network.config.feature_share == 1
    ]
    return [
        check_over_seeds(
            f"accuracy with the features of the study ({name}) / with the best ({best})",
            ratios(runs[name], runs[best], "accuracy"),
            at_least=TARGET,
        )
        for name in same_features
    ]


def _table(lengths: dict[str, int], runs: Runs, real: list[Figures]) -> Table:
    rows: list[list[Cell]] = [
        [name, lengths.get(name), *(mean_over_seeds([one[key] for one in many]) for key in COLUMNS)]
        for name, many in (runs | {HELD_OUT: real}).items()
    ]
    return table(
        "Networks by the dimension of their features",
        ["matched", "dimension", *(name for name, _ in COLUMNS.values())],
        rows,
        best=dict(COLUMNS.values()),
        compared=range(len(lengths)),
        note="One training each, a fifth as long as those of the other parts; 95 % intervals are over "
        f"{SEEDS} seeds of sampling.",
    )


def _plot(
    networks: dict[str, Trained], lengths: dict[str, int], runs: Runs, real: list[Figures], key: str
) -> Plot:
    whole = [n for n, one in networks.items() if one.checkpoint.network.config.feature_share == 1]
    parts = [n for n in networks if n not in whole]
    lines = []
    for title, names in (("whole layers", whole), ("a share of the channels", parts)):
        if names:
            cells = [mean_over_seeds([one[key] for one in runs[name]]) for name in names]
            mean, low, high = zip(*cells, strict=True)
            lines.append(series(title, [lengths[n] for n in names], mean, low=low, high=high))
    # a line for held-out crops would squeeze all networks together at the other end of the axis
    ceiling = mean_over_seeds([one[key] for one in real])[0]
    return plot(
        f"dimension-{key}",
        f"{COLUMNS[key][0][0].upper()}{COLUMNS[key][0][1:]} by dimension",
        lines,
        x="dimension of the feature vector",
        y=COLUMNS[key][0],
        note=f"{HELD_OUT[0].upper()}{HELD_OUT[1:]}: {ceiling:.3g}.",
        log_x=True,
    )
