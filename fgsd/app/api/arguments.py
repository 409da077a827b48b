"""What a program asks for through the API, checked by the rules of the page and in the words of the API."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fgsd.app.api.files import stored_uri
from fgsd.app.requests.request import (
    LABELS,
    MAX_SIDE,
    RequestError,
    SampleRequest,
    number,
    parse_request,
    repr_short,
)

NAMES = {name: name for name in LABELS} | {"places": "points"}
# Of one call together, in steps of one image of 64 pixels: what the page's largest setting (16 images of
# 256 pixels) takes in 16 steps. That a program has gone is seen only if it had opened its stream.
MAX_WORK = 16 * (MAX_SIDE / 64) ** 2 * 16


def sample_call(target: Any, *, classes: Sequence[str], multiple: int, **values: Any) -> SampleRequest:
    """Check a call of `sample`.

    Parameters
    ----------
    target : name of a class, or mapping of names to weights
        Weights are from 0 to 1 and sum to 1.
    classes, multiple
        As `parse_request` takes them.
    values
        The other arguments of `parse_request`.

    Raises
    ------
    RequestError
        One sentence that names the argument, the value that came, and what would be right.
    """
    chosen = [{"name": name, "weight": 100 * weight} for name, weight in _weights(target, classes).items()]
    request = parse_request(chosen, classes=classes, multiple=multiple, labels=NAMES, **values)
    return _affordable(request, request.n)


def strip_call(
    a: Any, b: Any, points: Any, *, classes: Sequence[str], multiple: int, **values: Any
) -> SampleRequest:
    """Check a call of `interpolate`: two classes, and how many places there are, the ends included."""
    if a == b:
        raise RequestError(f"a and b must be two classes; {repr_short(a)} came twice.")
    ends = (_name(a, "a", classes), _name(b, "b", classes))
    chosen = [{"name": name, "weight": 50} for name in ends]
    if points is None:
        raise RequestError("points must be a whole number; nothing came.")
    between = {"mode": "strip", "places": points}
    request = parse_request(
        chosen, classes=classes, multiple=multiple, interpolation=between, labels=NAMES, **values
    )
    return _affordable(request, request.places)


def image_call(image: Any, uploads: Path) -> str:
    """The image of a call of `embed` as a data URI; whether it is one,
    `fgsd.app.render.user_textures.read_image` finds out.

    Parameters
    ----------
    image : data URI, or a file that was uploaded as Gradio describes it
    uploads : Path
        Where uploaded files are; no other file is read.
    """
    if isinstance(image, str) and image.startswith("data:"):
        return image
    if isinstance(image, dict) and isinstance(image.get("path"), str):
        return stored_uri(image["path"], uploads)
    raise RequestError(
        "image must be a data URI (data:image/png;base64,...) of a PNG, JPEG or WebP, or an uploaded file; "
        f"{repr_short(image)} came."
    )


def _weights(target: Any, classes: Sequence[str]) -> dict[str, float]:
    if isinstance(target, str):
        return {_name(target, "target", classes): 1.0}
    if not isinstance(target, dict) or not target:
        raise RequestError(
            f"target must be the name of a class, or weights by name such as {{'a': 0.5, 'b': 0.5}}; "
            f"{repr_short(target)} came."
        )
    weights = {
        _name(name, "target", classes): number(weight, f"target: the weight of {repr_short(name)}", 0.0, 1.0)
        for name, weight in target.items()
    }
    total = sum(weights.values())
    if abs(total - 1) > 1e-3:
        raise RequestError(f"target: the weights sum to {total:g}; they must sum to 1.")
    return weights


def _name(name: Any, argument: str, classes: Sequence[str]) -> str:
    if not isinstance(name, str) or name not in classes:
        raise RequestError(
            f"{argument}: there is no class named {repr_short(name)}; the endpoint classes has the names."
        )
    return name


def _affordable(request: SampleRequest, images: int) -> SampleRequest:
    each = images * (request.size / 64) ** 2 * (2 if request.sampler == "heun" else 1)
    if each * request.steps > MAX_WORK:
        raise RequestError(
            f"steps={request.steps} is too much for one call with {images} images of {request.size} pixels: "
            f"at most {int(MAX_WORK / each)} steps can be asked for."
        )
    return request
