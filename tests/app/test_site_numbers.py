"""What a browser computes on a site without a server, compared with what Python computes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from tools import skip_without

from fgsd.app.requests.python_code import to_python
from fgsd.app.requests.request import SampleRequest
from fgsd.app.requests.target import nearest_class, target_centroid
from fgsd.app.site.arrays import pack_arrays, site_arrays, umap_arrays
from fgsd.class_spacing import class_spacing
from fgsd.feature_map import FeatureMap
from fgsd.levels import interpolate
from fgsd.pipeline import Pipeline
from fgsd.sampling import SAMPLERS, ImageNoise, karras_schedule

SCRIPT = Path(__file__).parents[1] / "js" / "site_numbers.js"
# (seed, side, side that is drawn, corner, number of draws); 3 x 12 x 12 is a multiple of 16, 3 x 7 x 7 not
NOISE = [(0, 12, 12, 0, 2), (2**31 - 1, 7, 7, 0, 2), (12345, 8, 20, 4, 2)]
SIGMAS = [0.001, 0.02, 0.3, 0.5, 3.99, 50.0]
STRENGTH, RUN = 0.7, {"seed": 5, "size": 8, "steps": 6, "low": 0.02, "high": 4.0, "at": 0.3}
WEIGHTS, MOVES = {"moss": 0.3, "slate": 0.7}, {"slate": (0.2, -0.1)}


@pytest.fixture(scope="module")
def pipe(pipe) -> Pipeline:
    """With a map of 18 crops, whose places are random."""
    table, crops = pipe.table, 18
    levels, random = len(table.sigmas), np.random.default_rng(0)
    bases = torch.from_numpy(random.normal(size=(levels, table.dimension, 5))).half()
    fitted = FeatureMap(
        table,
        0,
        np.arange(crops) % len(table.classes),
        np.zeros(crops, dtype=int),
        np.zeros((crops, 2), dtype=int),
        torch.from_numpy(random.integers(-127, 128, (levels, crops, 5)).astype(np.int8)),
        torch.full((levels, 5), 0.02),
        bases,
        torch.ones(levels),
        embedding=torch.from_numpy(random.random((levels, crops, 2)).astype(np.float32)),
    )
    return Pipeline(pipe.network, table, pipe.info, "cpu", map=fitted)


@pytest.fixture(scope="module")
def computed(pipe) -> dict:
    """What the modules of the site compute, in Node."""
    skip_without(shutil.which("node"), "node")
    keys = ("seed", "size", "drawn", "corner", "draws")
    request = {
        "noise": [dict(zip(keys, one, strict=True)) for one in NOISE],
        "halves": np.arange(0, 2**16, 37, dtype=np.uint16).tolist(),
        "table": {
            "classes": pipe.classes,
            "sigmas": pipe.table.sigmas.tolist(),
            "spacing": class_spacing(pipe.table)[:, 0].tolist(),
        },
        "arrays": {name: values.ravel().tolist() for name, values in site_arrays(pipe).items()},
        "umap": {name: values.ravel().tolist() for name, values in umap_arrays(pipe).items()},
        "parts": [{"name": n, "weight": w, "move": MOVES.get(n)} for n, w in WEIGHTS.items()],
        "settings": SampleRequest(weights=WEIGHTS).options(),
        **{"sigmas": SIGMAS, "strength": STRENGTH, "run": RUN},
    }
    done = subprocess.run(
        ["node", str(SCRIPT)], input=json.dumps(request), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def target(pipe):
    return target_centroid(pipe, SampleRequest(weights=WEIGHTS, moves=MOVES))


def close(found, expected, tolerance: float = 1e-5) -> bool:
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    return found.shape == expected.shape and bool(
        np.allclose(found, expected, rtol=tolerance, atol=tolerance)
    )


def test_noise_is_that_of_pytorch(computed):
    for (seed, size, drawn, corner, draws), found in zip(NOISE, computed["noise"], strict=True):
        noise = ImageNoise([seed], (3, size, size), drawn=(drawn, drawn), corner=(corner, corner))
        assert close(found, [noise().flatten().tolist() for _ in range(draws)])


def test_a_target_is_mixed_and_moved_as_in_python(computed, target, pipe):
    assert close(computed["mixture"], target.values.flatten())
    assert close(computed["colour"], target.colour)
    assert close(computed["start"], pipe._start_colour(target, STRENGTH).flatten())
    assert close(computed["levels"], [target.at(sigma) for sigma in SIGMAS])


def test_distances_and_positions_are_those_of_python(computed, target, pipe):
    nearest = nearest_class(pipe, SampleRequest(weights=WEIGHTS, moves=MOVES))
    assert computed["nearest"]["name"] == nearest["name"]
    for key in ("distance", "spacing"):
        assert computed["nearest"][key] == pytest.approx(nearest[key], abs=1e-3)
    at = RUN["at"]
    scale = interpolate(pipe.table.sigmas, pipe.table.scales, at)
    expected = (pipe.centroid(pipe.classes[0]).at(at) - target.at(at)) / scale
    distance = float(expected.square().mean().sqrt())
    spacing = float(interpolate(pipe.table.sigmas, class_spacing(pipe.table), at))
    assert computed["distance"] == pytest.approx(
        {"distance": distance, "relative": distance / spacing}, rel=1e-4
    )
    levels = torch.tensor(SIGMAS, dtype=torch.float64)
    phi = torch.stack([target.at(sigma) for sigma in SIGMAS])
    assert close(computed["positions"], pipe.map.project("pca", phi, levels), 1e-4)
    assert close(computed["space"], pipe.map.space.project("pca", phi, levels), 1e-4)
    assert close(computed["umap"], pipe.map.project("umap", phi, levels), 1e-4)


@pytest.mark.parametrize("name", ["dpm2m", "heun", "ancestral"])
def test_samplers_take_the_same_steps(computed, name):
    noise = ImageNoise([RUN["seed"]], (3, RUN["size"], RUN["size"]))
    sigmas = karras_schedule(RUN["steps"], sigma_min=RUN["low"], sigma_max=RUN["high"])
    x = sigmas[0].item() * noise()
    *_, last = SAMPLERS[name](lambda x, sigma: (x / (1 + sigma**2), x), x, sigmas, noise=noise)
    assert close(computed["samples"][name], last.x.flatten())


def test_the_lines_of_python_are_those_of_the_app(computed):
    assert computed["python"] == to_python(SampleRequest(weights=WEIGHTS, moves=MOVES), "checkpoints/mine")


def test_packed_arrays_are_where_their_places_say(computed):
    halves = np.arange(0, 2**16, 37, dtype=np.uint16).view(np.float16)
    finite = np.isfinite(halves)
    assert close(np.asarray(computed["halves"])[finite], halves[finite].astype(float), 1e-9)
    arrays = {"odd": np.arange(3, dtype=np.float16), "other": np.arange(6, dtype=np.float32).reshape(2, 3)}
    content, places = pack_arrays(arrays)
    assert places["other"] == {"dtype": "float32", "shape": [2, 3], "offset": 8}
    for name, array in arrays.items():
        found = np.frombuffer(content, array.dtype, array.size, places[name]["offset"])
        assert np.array_equal(found.reshape(array.shape), array)
