"""The target of a request, as a centroid in feature space."""

from __future__ import annotations

from collections.abc import Mapping

from fgsd.app.requests.request import SampleRequest
from fgsd.centroids import Centroid, mean_centroid
from fgsd.pipeline import Pipeline


def target_centroid(
    pipe: Pipeline,
    request: SampleRequest,
    user_centroids: Mapping[str, Centroid] | None = None,
    *,
    weights: Mapping[str, float] | None = None,
) -> Centroid:
    """Return the weighted mean of the centroids of a request, each displaced as the visitor has moved it.

    Parameters
    ----------
    user_centroids : mapping of name to Centroid, optional
        Textures of the visitor, besides the classes of the checkpoint.
    weights : mapping of name to weight, optional
        Weights that replace those of the request, for a point of an interpolation; they sum to 1.
    """
    parts = []
    for name, weight in (request.weights if weights is None else weights).items():
        centroid = user_centroids[name] if user_centroids and name in user_centroids else pipe.table.of(name)
        if name in request.moves:
            centroid = pipe.map.moved(centroid, *request.moves[name])
        parts.append((centroid, weight))
    return mean_centroid(parts)


def nearest_class(
    pipe: Pipeline, request: SampleRequest, user_centroids: Mapping[str, Centroid] | None = None
) -> dict[str, str | float]:
    """Return the class nearest to a target: {"name", "distance", "spacing"}.

    Distances are in spreads within a class; the spacing is the distance of that class from the next one.
    """
    table = pipe.table
    [(name, distance)] = table.nearest(target_centroid(pipe, request, user_centroids), 1)
    spacing = table.nearest(table.of(name), 2)[-1][1]
    return {"name": name, "distance": round(distance, 3), "spacing": round(spacing, 3)}
