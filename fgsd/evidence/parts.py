"""The parts of the report: what each measures, and which networks of the study it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fgsd.evidence.report_context import Workbench


@dataclass(frozen=True)
class Part:
    """One question of the report.

    Parameters
    ----------
    measure : callable
        Of a `Workbench`; gives "title", "question", "answer", "checks" (see `fgsd.evaluation.checks.check`),
        "tables", "plots" (see `fgsd.evidence.figures`), "pictures" (file, title, note) and "figures".
    networks : tuple of str
        All that it needs, by their names in the study.
    optional : tuple of str
        Those that it also measures if they are there, at least `least` of them.
    """

    measure: Callable[[Workbench], dict]
    networks: tuple[str, ...]
    optional: tuple[str, ...] = ()
    least: int = 0


def all_parts() -> dict[str, Part]:
    """All parts by name, in the order in which they are read."""
    from fgsd.evidence.dimension import LEAST, dimension
    from fgsd.evidence.embedding import embedding
    from fgsd.evidence.exact_densities import truth
    from fgsd.evidence.interpolation import between
    from fgsd.evidence.study import studies
    from fgsd.evidence.textures import textures

    dimensions = tuple(name for name in studies() if name.startswith("dimension-"))
    return {
        "truth": Part(
            truth,
            ("gaussians-features", "gaussians-labels"),
            optional=("gaussians-five-layers", "gaussians-layerwise", "gaussians-plain"),
        ),
        "textures": Part(
            textures, ("features", "labels", "unconditional"), optional=("two-layers", "layerwise")
        ),
        "embedding": Part(embedding, ("features", "labels", "gaussians-features", "gaussians-labels")),
        "between": Part(between, ("features", "labels")),
        "dimension": Part(dimension, ("features",), optional=dimensions, least=LEAST),
    }


def choose(names: Sequence[str] | None, parts: dict[str, Part]) -> dict[str, Part]:
    """The parts of these names, or all, in the order of reading; `ValueError` for an unknown name."""
    if names is None:
        return dict(parts)
    if unknown := [name for name in names if name not in parts]:
        raise ValueError(f"parts={unknown} are unknown; there are {', '.join(parts)}")
    if not names:
        raise ValueError(f"parts is empty; name some of {', '.join(parts)}")
    return {name: part for name, part in parts.items() if name in names}
