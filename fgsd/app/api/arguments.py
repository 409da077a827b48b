"""Arguments of API calls, validated by the rules of the page and named as in the API."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from fgsd.app.api.files import stored_content
from fgsd.app.limits import MAX_LEARNING_STEPS, MAX_SEED, MAX_WORK
from fgsd.app.render.learned import LearnRequest
from fgsd.app.render.user_textures import FORMAT_WORDS
from fgsd.app.requests.paint import (
    PaintRequest,
    check_paint_size,
    gradient_regions,
    parse_paint,
    plan_regions,
)
from fgsd.app.requests.request import (
    LABELS,
    RequestError,
    SampleRequest,
    number,
    parse_request,
    repr_short,
    whole,
)
from fgsd.names import normalize_name
from fgsd.texture import MAX_NAME_CHARACTERS as MAX_TEXTURE_NAME
from fgsd.texture import check_texture_name

NAMES = {name: name for name in LABELS}


def sample_call(target: Any, *, classes: Sequence[str], multiple: int, **values: Any) -> SampleRequest:
    """Validate a call of `sample`.

    Parameters
    ----------
    target : class name, or mapping of class names to weights
        Weights are from 0 to 1 and sum to 1.
    classes, multiple
        As `parse_request` takes them.
    values
        The other arguments of `parse_request`.

    Raises
    ------
    RequestError
        One sentence with the argument, the value that came, and what would be right.
    """
    chosen = [{"name": name, "weight": 100 * weight} for name, weight in _weights(target, classes).items()]
    request = parse_request(chosen, classes=classes, multiple=multiple, labels=NAMES, **values)
    return _affordable(request, request.n)


def strip_call(
    a: Any, b: Any, points: Any, *, classes: Sequence[str], multiple: int, **values: Any
) -> SampleRequest:
    """Validate a call of `interpolate`: two classes, and the number of points, both ends included.

    Raises
    ------
    RequestError
        One sentence with the argument, the value that came, and what would be right.
    """
    if a == b:
        raise RequestError(f"a and b must be two classes; {repr_short(a)} came twice.")
    ends = (_name(a, "a", classes), _name(b, "b", classes))
    chosen = [{"name": name, "weight": 50} for name in ends]
    if points is None:
        raise RequestError("points must be a whole number; nothing came.")
    interpolation = {"mode": "strip", "places": points}
    request = parse_request(
        chosen, classes=classes, multiple=multiple, interpolation=interpolation, labels=NAMES, **values
    )
    return _affordable(request, request.points)


def paint_call(
    plan: Image.Image | None,
    legend: Any,
    gradient: Any,
    *,
    classes: Sequence[str],
    multiple: int,
    angle: Any,
    height: Any,
    width: Any,
    **values: Any,
) -> PaintRequest:
    """Validate a call of `paint`: a plan with a legend, or a gradient.

    Raises
    ------
    RequestError
        One sentence with the argument, the value that came, and what would be right.
    """
    if (plan is None) == (gradient is None):
        raise RequestError("Give one of plan and gradient.")
    if plan is not None:
        if not isinstance(legend, dict) or not legend:
            raise RequestError(
                "legend must map each colour of the plan to a class, such as {'#0000ff': 'lava'}; "
                f"{repr_short(legend)} came."
            )
        check_paint_size(plan.height, plan.width, multiple)
        named = {colour: _weights(target, classes, "legend") for colour, target in legend.items()}
        targets, masks = plan_regions(plan, named)
    else:
        if legend is not None:
            raise RequestError("legend belongs to a plan; a gradient has none.")
        if not isinstance(gradient, list):
            raise RequestError(f"gradient must be a list of classes; {repr_short(gradient)} came.")
        masks = gradient_regions(len(gradient), height, width, angle, multiple)
        targets = [_weights(target, classes, "gradient") for target in gradient]
    request = parse_paint(targets, masks, **values)
    if request.work > MAX_WORK:
        raise RequestError(
            f"steps={request.steps} is too much for one call with {request.n} images of this size: at most "
            f"{int(MAX_WORK * request.steps / request.work)} steps can be asked for."
        )
    return request


def image_call(image: Any, uploads: Path, argument: str = "image") -> str | bytes:
    """Return the image of a call of `embed` as a data URI or the content of a file, for `read_image`.

    Parameters
    ----------
    image : data URI, or an uploaded file as Gradio describes it
    uploads : Path
        Folder of uploaded files; no file outside of it is read.

    Raises
    ------
    RequestError
        If it is neither.
    """
    if isinstance(image, str) and image.startswith("data:"):
        return image
    if isinstance(image, dict) and isinstance(image.get("path"), str):
        return stored_content(image["path"], uploads, argument)
    raise RequestError(
        f"{argument} must be a data URI (data:image/png;base64,...) of a {FORMAT_WORDS}, or an uploaded "
        f"file; {repr_short(image)} came."
    )


def texture_call(texture: Any, uploads: Path) -> str | bytes:
    """Return the texture file of a call of `sample` as base64 or the content of a file, for `open_texture`.

    Raises
    ------
    RequestError
        If it is neither.
    """
    head, _, body = texture.partition(",") if isinstance(texture, str) else ("", "", "")
    if head.startswith("data:") and head.endswith(";base64"):
        return body
    if isinstance(texture, dict) and isinstance(texture.get("path"), str):
        return stored_content(texture["path"], uploads, "texture")
    raise RequestError(
        "texture must be an uploaded texture file, or its content as a data URI "
        f"(data:application/octet-stream;base64,...); {repr_short(texture)} came."
    )


def check_new_name(name: str, argument: str, classes: Sequence[str]) -> str:
    """Return the name of a texture; raise a `RequestError` if it is that of a class."""
    if name in classes:
        raise RequestError(
            f"{argument}: there is a class named {repr_short(name)}; name the texture otherwise."
        )
    return name


def learn_call(
    image: Image.Image, name: Any, steps: Any, seed: Any, *, classes: Sequence[str]
) -> LearnRequest:
    """Validate the other arguments of a call of `learn`.

    Raises
    ------
    RequestError
        One sentence with the argument, the value that came, and what would be right.
    """
    try:
        text = check_new_name(check_texture_name(name), "name", classes)
    except RequestError:
        raise
    except ValueError:
        raise RequestError(
            f"name must have 1 to {MAX_TEXTURE_NAME} printable characters; {repr_short(name)} came."
        ) from None
    steps, seed = whole(steps, "steps", 1, MAX_LEARNING_STEPS), whole(seed, "seed", 0, MAX_SEED)
    return LearnRequest(text, image, None, steps, seed)


def _weights(target: Any, classes: Sequence[str], argument: str = "target") -> dict[str, float]:
    if isinstance(target, str):
        return {_name(target, argument, classes): 1.0}
    if not isinstance(target, dict) or not target:
        raise RequestError(
            f"{argument} must be the name of a class, or weights by name such as {{'a': 0.5, 'b': 0.5}}; "
            f"{repr_short(target)} came."
        )
    weights = {
        _name(name, argument, classes): number(
            weight, f"{argument}: the weight of {repr_short(name)}", 0.0, 1.0
        )
        for name, weight in target.items()
    }
    total = sum(weights.values())
    if abs(total - 1) > 1e-3:
        raise RequestError(f"{argument}: the weights sum to {total:g}; they must sum to 1.")
    return weights


def _name(name: Any, argument: str, classes: Sequence[str]) -> str:
    if not isinstance(name, str) or normalize_name(name) not in classes:
        raise RequestError(
            f"{argument}: there is no class named {repr_short(name)}; the endpoint classes has the names."
        )
    return normalize_name(name)


def _affordable(request: SampleRequest, images: int) -> SampleRequest:
    """Return the request; raise a `RequestError` if it takes more than `MAX_WORK`."""
    work = images * (request.size / 64) ** 2 * (2 if request.sampler == "heun" else 1)  # of one step
    if work * request.steps > MAX_WORK:
        raise RequestError(
            f"steps={request.steps} is too much for one call with {images} images of {request.size} pixels: "
            f"at most {int(MAX_WORK / work)} steps can be asked for."
        )
    return request
