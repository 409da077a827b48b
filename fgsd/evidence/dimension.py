"""How long should the feature vector be? Networks alike but for the layers and channels that are matched."""

from __future__ import annotations

from fgsd.checkpoint import Checkpoint, CheckpointError
from fgsd.evidence.comparison import (
    HELD_OUT,
    SEEDS,
    Line,
    Runs,
    check_over_seeds,
    ratios,
    real_runs,
    sample_runs,
)
from fgsd.evidence.figures import over_seeds, plot, series, table
from fgsd.evidence.methods import Trained
from fgsd.evidence.report_context import Workbench
from fgsd.evidence.study import studies

LEAST = 3  # networks; fewer show no trend
TARGET = 0.95  # of the best accuracy, for the features of the study's own network
COLUMNS = {
    "accuracy": ("class accuracy", "high"),
    "frechet": ("Fréchet distance", "low"),
    "coverage": ("coverage within a class", "high"),
}


def dimension(bench: Workbench) -> dict:
    """What the report says of the dimension of the feature vector."""
    networks = trained_networks(bench)
    lengths = {name: one.checkpoint.network.config.dimension for name, one in networks.items()}
    runs: Runs = {}
    for name in bench.progress(list(networks), desc="samples by dimension"):
        runs[name] = sample_runs(bench, Line(name, networks[name]), part="dimension")
    real = real_runs(bench, split="test", part="dimension")
    best, chosen = recommended(lengths, runs)
    first, last = (over_seeds([one["accuracy"] for one in runs[name]])[0] for name in (chosen, best))
    return {
        "title": "The dimension of the feature vector",
        "question": "How many features does it take?",
        "answer": (
            f"Of {len(lengths)} networks from {min(lengths.values())} to {max(lengths.values())} features, "
            f"that of {lengths[best]} ({best}) is the most accurate, {100 * last:.0f} %. "
            + _advice(lengths, best, chosen, first)
        ),
        "checks": _checks(bench.checkpoint("features"), networks, runs, best),
        "tables": [_table(lengths, runs, real)],
        "plots": [_plot(networks, lengths, runs, real, key) for key in COLUMNS],
        "pictures": [],
        "figures": {"dimensions": lengths, "runs": runs | {HELD_OUT: real}, "recommended": chosen},
    }


def trained_networks(bench: Workbench) -> dict[str, Trained]:
    """Those of the study that are there, by dimension; the names tell what is matched.

    Raises
    ------
    CheckpointError
        If fewer than `LEAST` were trained.
    """
    prefix = "dimension-"
    known = [name for name in studies() if name.startswith(prefix)]
    there = [name for name in known if (bench.folder / name / "model.safetensors").exists()]
    if len(there) < LEAST:
        raise CheckpointError(
            f"{len(there)} networks {prefix}* in {bench.folder}, at least {LEAST} are needed: train them by "
            f"`fgsd study {' '.join(name for name in known if name not in there)}`"
        )
    found = []
    for name in there:
        words = name.removeprefix(prefix).replace("-", " ")
        found.append(Trained(words, bench.checkpoint(name)))
    found.sort(key=lambda one: one.checkpoint.network.config.dimension)
    return {one.name: one for one in found}


def recommended(lengths: dict[str, int], runs: Runs) -> tuple[str, str]:
    """The most accurate network, and the smallest whose mean accuracy lies in its 95 % interval."""
    accuracy = {name: over_seeds([one["accuracy"] for one in many]) for name, many in runs.items()}
    best = max(lengths, key=lambda name: accuracy[name][0])
    least = accuracy[best][1] if len(accuracy[best]) > 1 else accuracy[best][0]
    enough = [name for name in lengths if accuracy[name][0] >= least]
    return best, min(enough, key=lambda name: lengths[name])


def _advice(lengths: dict[str, int], best: str, chosen: str, accuracy: float) -> str:
    if lengths[best] == min(lengths.values()):
        return "More features bring nothing."
    if chosen == best:
        return "No smaller one comes within the interval of its seeds: take as many."
    return (
        f"{lengths[chosen]} features ({chosen}) are enough: with {100 * accuracy:.0f} % it is the smallest "
        "within the interval of the best."
    )


def _checks(ours: Checkpoint, networks: dict[str, Trained], runs: Runs, best: str) -> list[dict]:
    """Whether the features of the study's own network, which it holds against labels, are a good choice."""
    usual = [
        name
        for name, one in networks.items()
        if one.checkpoint.network.config.features == ours.network.config.features
        and one.checkpoint.network.config.feature_share == 1
    ]
    return [
        check_over_seeds(
            f"accuracy with the features of the study ({name}) / with the best ({best})",
            ratios(runs[name], runs[best], "accuracy"),
            at_least=TARGET,
        )
        for name in usual
    ]


def _table(lengths: dict[str, int], runs: Runs, real: list[dict]) -> dict:
    rows = [
        [name, lengths.get(name), *(over_seeds([one[key] for one in many]) for key in COLUMNS)]
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
    networks: dict[str, Trained], lengths: dict[str, int], runs: Runs, real: list[dict], key: str
) -> dict:
    whole = [n for n, one in networks.items() if one.checkpoint.network.config.feature_share == 1]
    parts = [n for n in networks if n not in whole]
    lines = []
    for title, names in (("whole layers", whole), ("a share of the channels", parts)):
        if names:
            cells = [over_seeds([one[key] for one in runs[name]]) for name in names]
            low, high = ([cell[k] for cell in cells] for k in (1, 2))
            lines.append(
                series(title, [lengths[n] for n in names], [c[0] for c in cells], low=low, high=high)
            )
    # a line for them would press all networks together at the other end
    usual = over_seeds([one[key] for one in real])[0]
    return plot(
        f"dimension-{key}",
        f"{COLUMNS[key][0][0].upper()}{COLUMNS[key][0][1:]} by dimension",
        lines,
        x="dimension of the feature vector",
        y=COLUMNS[key][0],
        note=f"{HELD_OUT[0].upper()}{HELD_OUT[1:]}: {usual:.3g}.",
        log_x=True,
    )
