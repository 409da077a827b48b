"""Pixels of fixed requests, recorded before the code was rearranged, for `test_golden.py`.

Run as `python tests/golden.py`: it compares every picture of the shipped checkpoint with the recorded one,
prints the largest difference of each in grey levels, and exits with 1 if a bit differs. Differences of 1 are
rounding: they were recorded before `fgsd.engines`, and other machines add in another order. `--record`
records the pixels again.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file

from fgsd import Pipeline, coarse_fine
from fgsd.app.api.arguments import sample_call, strip_call
from fgsd.app.api.endpoints import samples, strip
from fgsd.app.render.frames import frames, last_frame
from fgsd.app.render.interpolations import interpolation_frames, switch_frame
from fgsd.app.render.recipe import fingerprint, from_recipe, to_recipe
from fgsd.app.render.user_textures import centroids, locate_texture, make_texture
from fgsd.app.requests.link import from_link, to_link
from fgsd.app.requests.request import parse_request

HERE = Path(__file__).parent / "golden"
PIXELS, LINKS, RECIPE = HERE / "pixels.safetensors", HERE / "links.json", HERE / "before.fgsd.json"
ROOT = Path(__file__).parent.parent

LIBRARY = {
    "class": ("lava", {"n": 2}),
    "class-odd-size": ("cobblestone", {"size": (40, 72)}),
    "class-heun": ("glacier", {"sampler": "heun", "steps": 6}),
    "class-ancestral": ("grass", {"sampler": "ancestral", "steps": 12, "seed": 5}),
    "class-ascent": ("magma", {"sampler": "ascent", "sampler_options": {"h": 0.4, "beta": 0.5}, "size": 32}),
    "class-strong": ("coral", {"strength": 1.5}),
    "class-weak": ("coral", {"strength": 0.4}),
    "class-tileable": ("furrows", {"tileable": True, "steps": 8}),
    "unguided": (None, {"n": 2, "steps": 8}),
    "zero-strength": ("lava", {"strength": 0.0, "steps": 8}),
    "mixture": ({"lava": 0.5, "glacier": 0.5}, {}),
    "mixture-of-three": ({"lava": 0.2, "grass": 0.5, "coral": 0.3}, {"steps": 5, "size": 96}),
    "by-image": (["lava", "coral", {"grass": 0.5, "lava": 0.5}], {"n": 3, "steps": 6, "seed": [3, 1, 4]}),
    "one-step": ("deep-water", {"steps": 1}),
}
# as the page sends them
PAGE = {
    "page-class": ([("lava", 50, None)], {"n": 2}),
    "page-mixture": ([("lava", 30, None), ("clover", 60, None)], {"n": 1, "seed": 7}),
    "page-moved": ([("lava", 50, [0.12, -0.2])], {"n": 1}),
    "page-moved-mixture": ([("lava", 50, [0.3, 0.1]), ("glacier", 50, None)], {"n": 1, "size": 96}),
    "page-tileable": ([("golden-mosaic", 50, None)], {"n": 1, "tileable": True, "steps": 10}),
    "page-ancestral": ([("clover", 50, None)], {"n": 2, "sampler": "ancestral", "steps": 9, "strength": 1.2}),
    "page-estimate": ([("blue-ice", 50, None)], {"n": 1, "view": "estimate", "steps": 4}),
}
MODES = {
    "strip": ([("lava", 50, None), ("glacier", 50, None)], {"mode": "strip", "places": 5}),
    "strip-of-three": ([("lava", 50, None), ("glacier", 1, None), ("grass", 0, None)], {"mode": "strip"}),
    "grid": ([(name, 50, None) for name in ("lava", "glacier", "grass", "coral")], {"mode": "grid"}),
    "loop": ([("lava", 50, None), ("coral", 50, None)], {"mode": "loop"}),
    "coarse-fine": ([("cobblestone", 50, None), ("lava", 50, None)], {"mode": "coarse-fine", "switch": 0.4}),
}


def pixels_of(images: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(image) for image in images])


def decoded(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB"))


def photograph() -> Image.Image:
    """Bricks with mortar, which no class looks like: an image that a visitor uploads."""
    rows, columns = np.mgrid[:96, :120]
    mortar = (rows % 16 < 2) | ((columns + 12 * (rows // 16 % 2)) % 24 < 2)
    grain = np.random.default_rng(0).normal(0, 14, (96, 120, 1))
    values = np.where(mortar[..., None], (190, 185, 175), (150, 70, 50)) + grain
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def uri_of(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def request_of(pipe: Pipeline, target: list, interpolation: dict | None = None, names=(), **values):
    chosen = [
        {"name": name, "weight": weight, **({"move": move} if move else {})} for name, weight, move in target
    ]
    multiple = pipe.network.config.multiple
    return parse_request(
        chosen, classes=[*pipe.classes, *names], multiple=multiple, interpolation=interpolation, **values
    )


def pictures(pipe: Pipeline) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """The name of each request, and a function that gives its pixels (N, H, W, 3) or (H, W, 3)."""
    for name, (target, options) in LIBRARY.items():
        yield name, lambda t=target, o=options: pixels_of(pipe.sample(t, **{"seed": 0, "n": 1} | o))
    yield (
        "coarse-fine-library",
        lambda: pixels_of(pipe.sample(coarse_fine({"cobblestone": 1.0}, {"lava": 1.0}, 0.4), seed=2)),
    )
    yield "stream-denoised", lambda: pixels_of([s.denoised[0] for s in pipe.stream("lava", steps=4, seed=1)])
    yield (
        "own-texture-library",
        lambda: pixels_of(pipe.sample(pipe.centroid_of(photograph(), crops=6), n=1, seed=0, steps=8)),
    )
    for name, (target, values) in PAGE.items():
        yield (
            name,
            lambda t=target, v=values: decoded([*frames(pipe, request_of(pipe, t, **v))][-1][-1]["src"]),
        )
    yield (
        "preview",
        lambda: decoded(
            last_frame(pipe, request_of(pipe, [("lava", 50, [0.05, 0.05])], n=1, steps=5))["src"]
        ),
    )
    for name, (target, interpolation) in MODES.items():
        yield (
            name,
            lambda t=target, b=interpolation: decoded(
                [*interpolation_frames(pipe, request_of(pipe, t, b, steps=4, n=1))][-1]["sheets"][0]["src"]
            ),
        )
    yield (
        "switch",
        lambda: decoded(
            switch_frame(pipe, request_of(pipe, *MODES["coarse-fine"], steps=5, n=1))["sheets"][0]["src"]
        ),
    )
    rules = {"classes": pipe.classes, "multiple": pipe.network.config.multiple}
    yield (
        "api-sample",
        lambda: pixels_of(samples(pipe, sample_call({"lava": 0.25, "grass": 0.75}, n=2, **rules))),
    )
    yield "api-interpolate", lambda: pixels_of(strip(pipe, strip_call("lava", "grass", 5, steps=4, **rules)))
    yield "recipe", lambda: recipe_pixels(pipe, RECIPE.read_text(encoding="utf-8"))


def recipe_pixels(pipe: Pipeline, text: str) -> np.ndarray:
    """The picture of a recipe file, which holds a texture of the visitor."""
    recipe = from_recipe(text, pipe, fingerprint(pipe), pipe.classes)
    textures = {name: locate_texture(pipe, name, centroid, src) for name, centroid, src in recipe.textures}
    request = parse_request(
        recipe.target,
        classes=[*pipe.classes, *textures],
        multiple=pipe.network.config.multiple,
        **recipe.settings,
    )
    return decoded([*frames(pipe, request, user_centroids=centroids(textures))][-1][-1]["src"])


def links(pipe: Pipeline) -> dict[str, str]:
    """The link of each request of the page."""
    found = {name: to_link(request_of(pipe, target, **values)) for name, (target, values) in PAGE.items()}
    return found | {
        name: to_link(request_of(pipe, target, interpolation, steps=4, n=1))
        for name, (target, interpolation) in MODES.items()
    }


def opened(pipe: Pipeline, link: str):
    """The request that a link names."""
    target, settings = from_link(link)
    return parse_request(target, classes=pipe.classes, multiple=pipe.network.config.multiple, **settings)


def shipped() -> Pipeline:
    torch.set_num_threads(1)  # sums are then always made in the same order
    return Pipeline.from_pretrained(ROOT / "checkpoints" / "textures", device="cpu")


def record(pipe: Pipeline) -> None:
    HERE.mkdir(exist_ok=True)
    texture = make_texture(pipe, uri_of(photograph()), "bricks.png", pipe.classes)
    textures = {texture.name: texture}
    request = request_of(pipe, [(texture.name, 60, None), ("lava", 40, None)], names=textures, n=1, steps=8)
    RECIPE.write_text(to_recipe(request, textures, fingerprint(pipe)) + "\n", encoding="utf-8")
    LINKS.write_text(json.dumps(links(pipe), indent=1) + "\n", encoding="utf-8")
    save_file({name: np.ascontiguousarray(make()) for name, make in pictures(pipe)}, PIXELS)


def differences(pipe: Pipeline) -> Iterator[tuple[str, int]]:
    """The largest difference of each request's pixels from the recorded ones, in grey levels; 255 for a
    picture of another shape."""
    recorded = load_file(PIXELS)
    for name, make in pictures(pipe):
        now, then = make().astype(int), recorded[name].astype(int)
        yield name, int(np.abs(now - then).max()) if now.shape == then.shape else 255


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", action="store_true", help="record the pixels again")
    pipe = shipped()
    if parser.parse_args().record:
        record(pipe)
        return 0
    worst = 0
    for name, difference in differences(pipe):
        print(f"{name:24} {difference}", flush=True)
        worst = max(worst, difference)
    return int(worst > 0)


if __name__ == "__main__":
    sys.exit(main())
