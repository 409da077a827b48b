"""The command `paint`."""

from __future__ import annotations

import numpy as np
import pytest
from cli_help import run
from PIL import Image

from fgsd.cli.mix import split_list
from fgsd.pipeline import Pipeline
from fgsd.regions import linear_gradient

LEFT = np.arange(32)[None, :].repeat(24, axis=0) < 16


@pytest.fixture
def plan(tmp_path):
    """A plan, blue on the left and yellow on the right."""
    path = tmp_path / "plan.png"
    Image.fromarray(np.where(LEFT[..., None], (0, 0, 255), (255, 255, 0)).astype(np.uint8)).save(path)
    return path


def test_each_colour_of_a_plan_is_painted_as_by_the_library(capsys, tmp_path, checkpoint_folder, plan):
    out, gif = tmp_path / "painting.png", tmp_path / "steps.gif"
    legend = ["--colour", "#0000ff=moss", "--colour", "#FFFF00=brick=0.5,slate=0.5"]
    options = ["--feather", 2, "--steps", 3, "--seed", 5, "--steps-gif", gif, "-o", out]
    code, printed, err = run(capsys, "paint", "--labels", plan, *legend, *options, "-c", checkpoint_folder)
    assert code == 0, err
    assert f"{out}: 1 image of 24 x 32 pixels, 2 regions" in printed
    pipe = Pipeline.from_pretrained(checkpoint_folder)
    regions = [("moss", LEFT), ({"brick": 0.5, "slate": 0.5}, ~LEFT)]
    [expected] = pipe.paint(regions, feather=2, steps=3, seed=5)
    with Image.open(out) as image:
        assert np.array_equal(image, expected)
    with Image.open(gif) as image:
        assert image.n_frames == 4


def test_a_gradient_is_painted(capsys, tmp_path, checkpoint_folder):
    out = tmp_path / "morph.png"
    options = [
        "--gradient",
        "moss, brick",
        "--angle",
        90,
        "--size",
        "32x16",
        "--steps",
        2,
        "-n",
        2,
        "-o",
        out,
    ]
    code, printed, err = run(capsys, "paint", *options, "-c", checkpoint_folder)
    assert code == 0, err
    assert "2 images of 32 x 16 pixels" in printed
    masks = linear_gradient(2, (32, 16), angle=90)
    pipe = Pipeline.from_pretrained(checkpoint_folder)
    first, _ = pipe.paint(list(zip(["moss", "brick"], masks, strict=True)), n=2, feather=0, steps=2)
    with Image.open(out) as image:
        assert np.array_equal(np.asarray(image)[:32, :16], first)


def test_a_learned_texture_is_painted_with(capsys, tmp_path, checkpoint_folder, texture_folder, plan):
    file = tmp_path / "wall.fgsd.safetensors"
    arguments = [texture_folder / "slate.png", "--steps", 1, "-o", file, "-c", checkpoint_folder]
    assert run(capsys, "learn", *arguments)[0] == 0
    legend = ["--colour", f"#0000ff={file}", "--colour", "#ffff00=moss"]
    out = tmp_path / "out.png"
    code, _, err = run(
        capsys, "paint", "--labels", plan, *legend, "--steps", 1, "-o", out, "-c", checkpoint_folder
    )
    assert code == 0 and out.is_file(), err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "give one of --labels and --gradient"),
        (["--labels", "plan.png", "--gradient", "moss,brick"], "give one of --labels and --gradient"),
        (["--labels", "absent.png"], "absent.png: no such file"),
        (
            ["--labels", "plan.png"],
            "colours that the legend lacks: #ffff00 (384 pixels), #0000ff (384 pixels)",
        ),
        (["--labels", "plan.png", "--colour", "#0000ff=moss"], "the legend lacks: #ffff00 (384 pixels)"),
        (["--labels", "plan.png", "--colour", "blue=moss"], "colour='blue' must be # and six hexadecimal"),
        (["--labels", "plan.png", "--colour", "#0000ff"], "--colour #0000ff: should look like"),
        (["--labels", "plan.png", "--colour", "#0000ff=a", "--colour", "#0000FF=b"], "appears twice"),
        (["--labels", "plan.png", "--colour", "#0000ff=mos", "--colour", "#ffff00=moss"], "'mos' is unknown"),
        (["--labels", "plan.png", "--size", "8x8"], "--size 8x8: a picture of --labels has the size"),
        (["--gradient", "moss"], "count=1: a gradient needs at least 2 targets"),
        (["--gradient", "moss,,brick"], "an empty name"),
        (["--gradient", "moss,brick", "--size", "8"], "--size 8: should look like 128x512"),
        (["--gradient", "moss,brick", "--size", "8x9999"], "above the limit of 2048 pixels"),
        (["--gradient", "moss,brick", "--size", "9x16"], "height=9 must be a positive multiple"),
        (
            ["--gradient", "moss,brick", "--colour", "#0000ff=moss"],
            "--colour #0000ff=moss: belongs to --labels",
        ),
        (["--gradient", "moss,brick", "--feather", "-1"], "feather=-1.0 must be from 0 to 256"),
        (["--gradient", "moss,brick", "--steps-gif", "painting.png"], "painting.png"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_file(
    capsys, tmp_path, monkeypatch, checkpoint_folder, plan, options, words
):
    monkeypatch.chdir(tmp_path)
    code, printed, err = run(capsys, "paint", *options, "-c", checkpoint_folder)
    assert code == 2 and printed == "" and err.count("\n") == 1
    assert words in err
    assert [path.name for path in tmp_path.iterdir()] == ["plan.png"]


def test_names_in_a_list():
    assert split_list(r"lava, a\, b") == ["lava", "a, b"]
