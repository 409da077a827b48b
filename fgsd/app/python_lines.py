"""A request as the lines of Python that make the same pixels."""

from __future__ import annotations

from collections.abc import Collection

from fgsd.app.request import SampleRequest


def to_python(request: SampleRequest, checkpoint: str, *, own: Collection[str] = ()) -> str:
    """Lines that leave the samples of a request in `images`, a list.

    They make one batch of all images, as the page does: in others, the last bit of a pixel may differ.

    Parameters
    ----------
    checkpoint : str
        What `Pipeline.from_pretrained` takes.
    own : collection of str
        Those names of the request that are the visitor's own textures: each is read from an image file,
        which the reader of the lines must name.
    """
    parts = [(_centroid(request, name, own), weight) for name, weight in request.weights.items()]
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


def _centroid(request: SampleRequest, name: str, own: Collection[str]) -> str:
    file = repr(f"{name}.png")
    of_class = f"pipe.table.of({name!r})"
    centroid = f"pipe.centroid_of({file})" if name in own else of_class
    if name not in request.moves:
        return centroid
    dx, dy = request.moves[name]
    return f"pipe.map.moved({centroid}, {dx!r}, {dy!r})"
