"""What a browser paints with on a site without a server, compared with what Python computes."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tools import skip_without

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


@pytest.fixture(scope="module")
def computed() -> dict:
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
