"""A request as Python code that makes the same pixels."""

from __future__ import annotations

from fgsd.app.requests.request import SampleRequest


def to_python(request: SampleRequest, checkpoint: str) -> str:
    """Return Python code that puts the samples of a request into `images`, a list, and saves them as PNG.

    The code samples all images in one batch, as the page does: in other batches the last bit of a pixel may
    differ.

    Parameters
    ----------
    checkpoint : str
        What `Pipeline.from_pretrained` takes.
    """
    parts = [(_centroid(request, name), weight) for name, weight in request.weights.items()]
    mixed = len(parts) > 1
    lines = ["from fgsd import Pipeline"]
    if mixed:
        lines.append("from fgsd.centroids import mean_centroid")
    lines += ["", f"pipe = Pipeline.from_pretrained({checkpoint!r})"]
    if mixed:
        lines += ["target = mean_centroid(", "    ["]
        lines += [f"        ({centroid}, {weight!r})," for centroid, weight in parts]
        lines += ["    ]", ")"]
    else:
        lines.append(f"target = {parts[0][0]}")
    lines += ["*_, last = pipe.stream(", "    target,"]
    lines += [f"    {name}={value!r}," for name, value in request.options().items()]
    lines += [")", "images = last.images", "for k, image in enumerate(images):"]
    lines += ['    image.save(f"sample-{k}.png")', ""]
    return "\n".join(lines)


def _centroid(request: SampleRequest, name: str) -> str:
    centroid = f"pipe.table.of({name!r})"
    if name not in request.moves:
        return centroid
    dx, dy = request.moves[name]
    return f"pipe.map.moved({centroid}, {dx!r}, {dy!r})"
