"""A request as Python code that makes the same pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fgsd.app.requests.paint import PaintRequest
from fgsd.app.requests.request import SampleRequest

SAVE = ["images = last.images", "for k, image in enumerate(images):", '    image.save(f"sample-{k}.png")', ""]


def to_python(request: SampleRequest, checkpoint: str) -> str:
    """Return Python code that puts the samples of a request into `images`, a list, and saves them as PNG.

    The code samples all images in one batch, as the page does: in other batches the last bit of a pixel may
    differ.

    Parameters
    ----------
    checkpoint : str
        What `Pipeline.from_pretrained` takes.
    """
    first, *more = _target(request)
    return "\n".join(
        [
            *_head([request], checkpoint),
            f"target = {first}",
            *more,
            "*_, last = pipe.stream(",
            "    target,",
            *(f"    {name}={value!r}," for name, value in request.options().items()),
            ")",
            *SAVE,
        ]
    )


def painting_to_python(
    targets: Mapping[str, SampleRequest], request: PaintRequest, checkpoint: str, *, plan: str = "plan.png"
) -> str:
    """Return Python code that paints a plan, as `to_python` does for samples.

    Parameters
    ----------
    targets : mapping of colour to SampleRequest
        What each colour "#rrggbb" of the plan stands for.
    plan : str
        Its file.
    """
    lines = ["targets = {"]
    for colour, target in targets.items():
        first, *more = _target(target)
        lines += [f"    {part}" for part in (f"{colour!r}: {first}", *more)]
        lines[-1] += ","
    lines.append("}")
    return "\n".join(
        [
            f"# {plan} is saved by the same menu",
            *_head(targets.values(), checkpoint, "from fgsd.regions import plan_masks"),
            *lines,
            f"plan = plan_masks({plan!r}, {{colour: colour for colour in targets}})",
            "*_, last = pipe.paint_stream(",
            "    [(targets[colour], mask) for colour, mask in plan],",
            *(f"    {name}={value!r}," for name, value in request.options().items()),
            ")",
            *SAVE,
        ]
    )


def _head(requests: Iterable[SampleRequest], checkpoint: str, *imports: str) -> list[str]:
    """Return the lines that import what is needed, and load the checkpoint."""
    mixes = any(len(request.weights) > 1 for request in requests)
    return [
        "from fgsd import Pipeline",
        *(["from fgsd.centroids import mean_centroid"] if mixes else []),
        *imports,
        "",
        f"pipe = Pipeline.from_pretrained({checkpoint!r})",
    ]


def _target(request: SampleRequest) -> list[str]:
    """Return the lines of an expression for the target of a request."""
    parts = [(_centroid(request, name), weight) for name, weight in request.weights.items()]
    if len(parts) == 1:
        return [parts[0][0]]
    return [
        "mean_centroid(",
        "    [",
        *(f"        ({centroid}, {weight!r})," for centroid, weight in parts),
        "    ]",
        ")",
    ]


def _centroid(request: SampleRequest, name: str) -> str:
    centroid = f"pipe.table.of({name!r})"
    if name not in request.moves:
        return centroid
    dx, dy = request.moves[name]
    return f"pipe.map.moved({centroid}, {dx!r}, {dy!r})"
