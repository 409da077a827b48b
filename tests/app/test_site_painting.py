"""What a browser paints with on a site without a server, compared with what Python computes."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from tools import skip_without

from fgsd.app.serving.painting import painting_lines, textures_of_colours_function
from fgsd.app.site.config import paint_config, worker_config
from fgsd.regions import region_masks

SCRIPT = Path(__file__).parents[1] / "js" / "site_painting_numbers.js"
SIDE = 48


def plans() -> dict[str, np.ndarray]:
    """Numbers of regions (SIDE, SIDE)."""
    y, x = np.mgrid[:SIDE, :SIDE]
    discs = np.zeros((SIDE, SIDE), dtype=np.uint8)
    for k, (centre, radius) in enumerate({(8, 8): 2, (30, 12): 5, (20, 34): 9, (47, 47): 4}.items()):
        discs[np.hypot(x - centre[0], y - centre[1]) < radius] = 1 + k % 2
    dots = (x % 4 == 0) & (y % 4 == 0) & (x < 30)
    corners = np.zeros((SIDE, SIDE), dtype=np.uint8)  # squares that touch at their corners are one area
    for top, left, side in ((16, 16, 12), (28, 28, 5), (28, 11, 5)):
        corners[top : top + side, left : left + side] = 1
    return {
        "squares that touch at corners": corners,
        "one region": np.full((SIDE, SIDE), 3, dtype=np.uint8),
        "halves": (x >= 20).astype(np.uint8),
        "discs of two regions, one at a corner": discs,
        "a stippled gradient": dots.astype(np.uint8),
        "spots only": ((x // 6 + y // 6) % 5).astype(np.uint8),
        "random pixels": np.random.default_rng(0).integers(0, 8, (SIDE, SIDE)).astype(np.uint8),
        "a frame": (np.maximum(abs(x - 23.5), abs(y - 23.5)) > 21).astype(np.uint8),
    }


CASES = list(itertools.product(plans(), (0.0, 3.0, 16.0), (False, True)))  # plan, soft edge, seamless


PLAN = np.repeat(np.array([0, 2, 2], dtype=np.uint8), SIDE * SIDE // 3)
QUERY = {
    "plan": base64.b64encode(zlib.compress(PLAN.tobytes())).decode(),
    "width": SIDE,
    "targets": [
        [{"name": "moss", "weight": 30}, {"name": "brick", "weight": 60, "move": [0.1, -0.25]}],
        [{"name": "brick", "weight": 50}],  # which has no pixels
        [{"name": "slate", "weight": 50}],
    ],
    "colours": ["#0072b2", "#e69f00", "#009e73"],
    **{"feather": 3, "seed": 7, "tileable": True, "number": 1},
}
COLOURS = [["#c03020", "#2a7a30"], ["#808080"] * 3, ["#ffffff"]]


@pytest.fixture(scope="module")
def computed(pipe) -> dict:
    """What the modules of the site compute, in Node."""
    skip_without(shutil.which("node"), "node")
    numbers = {name: plan.ravel().tolist() for name, plan in plans().items()}
    request = {
        "plans": [
            {
                "plan": numbers[name],
                "numbers": sorted(set(numbers[name])),
                **{"side": SIDE, "feather": feather, "tileable": tileable},
            }
            for name, feather, tileable in CASES
        ],
        "query": QUERY,
        "bounds": {
            **worker_config(pipe, sizes=[SIDE], counts=[1]),
            "paint": paint_config(),
        },
        "colours": COLOURS,
        **{"classes": pipe.classes, "means": pipe.table.colours.flatten().tolist()},
    }
    done = subprocess.run(
        ["node", str(SCRIPT)], input=json.dumps(request), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}, {case[1]:g} px, {case[2]}")
def test_masks_are_softened_as_in_python(computed, case):
    name, feather, tileable = case
    plan = plans()[name]
    expected = region_masks([plan == k for k in np.unique(plan)], feather=feather, tileable=tileable)
    found = np.asarray(computed["masks"][CASES.index(case)]).reshape(expected.shape)
    assert np.abs(found - expected.numpy()).max() < 1e-5


def test_the_lines_of_python_are_those_of_the_app(computed, pipe):
    assert computed["python"] == painting_lines(pipe, QUERY, "checkpoints/mine")


def test_colours_have_the_textures_of_the_app(computed, pipe):
    named = textures_of_colours_function(pipe)
    assert computed["names"] == [named(colours)["names"] for colours in COLOURS]
