"""What a request asks for, as a point of feature space."""

from __future__ import annotations

from collections.abc import Mapping

from fgsd.app.requests.request import SampleRequest
from fgsd.centroids import Centroid, mean_centroid
from fgsd.pipeline import Pipeline


def target_centroid(
    pipe: Pipeline,
    request: SampleRequest,
    own: Mapping[str, Centroid] | None = None,
    *,
    weights: Mapping[str, float] | None = None,
) -> Centroid:
    """The weighted mean of the textures of a request, each moved over the map as the visitor has moved it.

    Parameters
    ----------
    own : mapping of name to Centroid, optional
        Textures of the visitor's own, besides the classes.
    weights : mapping of name to weight, optional
        Others than the request's, for the places between its textures; they sum to 1.
    """
    parts = []
    for name, weight in (request.weights if weights is None else weights).items():
        centroid = own[name] if own and name in own else pipe.table.of(name)
        if name in request.moves:
            centroid = pipe.map.moved(centroid, *request.moves[name])
        parts.append((centroid, weight))
    return mean_centroid(parts)
