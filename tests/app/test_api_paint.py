"""The endpoint `paint`."""

from __future__ import annotations

import json

import httpx
import numpy as np
import pytest
from api_help import called, encoded, fetched, pixels, uri
from gradio_client import Client, handle_file
from PIL import Image

from fgsd.app.limits import MAX_PAINT_PIXELS, MAX_REGIONS
from fgsd.app.requests.paint import PaintRequest
from fgsd.app.serving.zero_gpu import gpu_seconds
from fgsd.regions import linear_gradient

LEFT = np.arange(32)[None, :].repeat(24, axis=0) < 12
LEGEND = {"#0000ff": "moss", "#ffff00": {"brick": 0.5, "slate": 0.5}}
TARGETS = [("moss", LEFT), ({"brick": 0.5, "slate": 0.5}, ~LEFT)]
GRADIENT = {"gradient": ["moss", "brick"], "height": 16, "width": 32, "steps": 2}


@pytest.fixture(scope="module")
def plan() -> Image.Image:
    return Image.fromarray(np.where(LEFT[..., None], (0, 0, 255), (255, 255, 0)).astype(np.uint8))


@pytest.fixture(scope="module")
def web(server):
    with httpx.Client(base_url=server.url, timeout=30) as web:
        yield web


def test_a_plan_is_painted_to_the_bit_as_by_the_library(web, server, pipe, plan, tmp_path):
    options = {"feather": 2.0, "n": 2, "steps": 3, "seed": 4, "strength": 1.2, "tileable": True}
    expected = pipe.paint(TARGETS, **options)
    plan.save(tmp_path / "plan.png")
    client = Client(server.url, verbose=False, download_files=tmp_path)
    files = client.predict(handle_file(tmp_path / "plan.png"), LEGEND, **options, api_name="/paint")
    event, data = called(web, "paint", {"plan": uri(encoded(plan)), "legend": LEGEND, **options})
    assert event == "complete" and len(files) == len(data[0]) == 2
    for file, other, image in zip(files, data[0], expected, strict=True):
        assert np.array_equal(pixels(Image.open(file)), pixels(image))
        assert np.array_equal(fetched(web, other), pixels(image))


def test_a_gradient_is_painted(web, pipe):
    event, data = called(web, "paint", GRADIENT | {"angle": 90})
    assert event == "complete"
    masks = linear_gradient(2, (16, 32), angle=90)
    [expected] = pipe.paint(list(zip(["moss", "brick"], masks, strict=True)), feather=0, steps=2)
    assert np.array_equal(fetched(web, data[0][0]), pixels(expected))


def with_plan(**values) -> dict:
    return {"plan": "PLAN", "legend": LEGEND, "steps": 1} | values


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "Give one of plan and gradient"),
        (with_plan(gradient=["moss", "brick"]), "Give one of plan and gradient"),
        (with_plan(legend=None), "legend must map each colour of the plan to a class"),
        (with_plan(legend=["moss"]), "legend must map"),
        (with_plan(legend={"#0000ff": "moss"}), "colours that the legend lacks: #ffff00 (480 pixels)"),
        (with_plan(legend=LEGEND | {"blue": "moss"}), "colour='blue' must be # and six hexadecimal digits"),
        (with_plan(legend=LEGEND | {"#0000ff": "mos"}), "legend: there is no class named 'mos'"),
        (with_plan(legend=LEGEND | {"#0000ff": {"moss": 0.5}}), "legend: the weights sum to 0.5"),
        (with_plan(plan="PLAN of 30 pixels"), "plan must be a data URI"),
        (with_plan(feather=-1), "feather must be a number from 0 to 256"),
        (with_plan(sampler="ascent"), "sampler must be dpm2m or ancestral or heun"),
        (with_plan(tileable="yes"), "tileable must be False or True"),
        (with_plan(n=0), "n must be a whole number from 1 to 16"),
        (GRADIENT | {"legend": LEGEND}, "legend belongs to a plan"),
        (GRADIENT | {"gradient": ["moss"]}, f"gradient must name 2 to {MAX_REGIONS} textures; 1 came"),
        (GRADIENT | {"gradient": ["moss"] * 9}, "9 came"),
        (GRADIENT | {"gradient": "moss"}, "gradient must be a list of classes"),
        (GRADIENT | {"height": 17}, "must be multiples of 4 pixels; 17 x 32 pixels came"),
        (GRADIENT | {"width": 2048, "height": 2048}, f"At most {MAX_PAINT_PIXELS:,} pixels can be painted"),
        (GRADIENT | {"angle": float("nan")}, "angle must be a number from -360 to 360"),
        (
            GRADIENT | {"width": 512, "height": 256, "n": 16, "steps": 100},
            "steps=100 is too much for one call with 16 images of this size: at most 8 steps",
        ),
    ],
)
def test_bad_values_are_refused_in_one_sentence(web, plan, values, words):
    if values.get("plan") == "PLAN":
        values = values | {"plan": uri(encoded(plan))}
    event, data = called(web, "paint", values)
    assert event == "error" and words in json.dumps(data).replace('\\"', '"'), data


def test_a_lent_gpu_is_borrowed_for_longer_if_more_is_painted():
    def request(height: int, width: int, **options) -> PaintRequest:
        return PaintRequest(({"a": 1.0},), (np.ones((height, width)),), **options)

    small, large = request(64, 64), request(256, 512, n=8, steps=100)
    assert gpu_seconds(small) < gpu_seconds(large)
    assert request(256, 512).work == 16 * 32 and request(64, 64, sampler="heun").work == 32
