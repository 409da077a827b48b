"""The parts of the report: what each measures, and which networks of the study it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fgsd.evidence.figures import PartFigures
from fgsd.evidence.report_context import ReportContext


@dataclass(frozen=True)
class Part:
    """One question of the report.

    Parameters
    ----------
    measure : callable
        Takes a `ReportContext` and returns `PartFigures`.
    networks : tuple of str
        Names of the networks that it needs.
    optional : tuple of str
        Networks that it measures too if they are trained; at least `min_optional` of them must be.
    """

    measure: Callable[[ReportContext], PartFigures]
    networks: tuple[str, ...]
    optional: tuple[str, ...] = ()
    min_optional: int = 0


def all_parts() -> dict[str, Part]:
    """All parts by name, in the order of the page.

    The names are those of `fgsd report --part`, and keys in report.json.
    """
    from fgsd.evidence.dimension import MIN_NETWORKS, PREFIX, dimension
    from fgsd.evidence.embedding import embedding
    from fgsd.evidence.exact_densities import PART as EXACT_DENSITIES
    from fgsd.evidence.exact_densities import exact_densities
    from fgsd.evidence.interpolation import PART as INTERPOLATION
    from fgsd.evidence.interpolation import interpolation
    from fgsd.evidence.study import studies
    from fgsd.evidence.textures import textures

    dimensions = tuple(name for name in studies() if name.startswith(PREFIX))
    return {
        EXACT_DENSITIES: Part(
            exact_densities,
            ("gaussians-features", "gaussians-labels"),
            optional=("gaussians-five-layers", "gaussians-layerwise", "gaussians-plain"),
        ),
        "textures": Part(
            textures, ("features", "labels", "unconditional"), optional=("two-layers", "layerwise")
        ),
        "embedding": Part(embedding, ("features", "labels", "gaussians-features", "gaussians-labels")),
        INTERPOLATION: Part(interpolation, ("features", "labels")),
        "dimension": Part(dimension, ("features",), optional=dimensions, min_optional=MIN_NETWORKS),
    }


def choose(names: Sequence[str] | None, parts: dict[str, Part]) -> dict[str, Part]:
    """The parts of these names, or all, in the order of the page; `ValueError` for an unknown name."""
    if names is None:
        return dict(parts)
    if unknown := [name for name in names if name not in parts]:
        raise ValueError(f"parts={unknown} are unknown; there are {', '.join(parts)}")
    if not names:
        raise ValueError(f"parts is empty; name some of {', '.join(parts)}")
    return {name: part for name, part in parts.items() if name in names}
