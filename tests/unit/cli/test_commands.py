"""The commands give the results of the library; invalid input prints one line and exits with code 2."""

import json
import shutil

import numpy as np
import pytest
import torch
from cli_help import run
from PIL import Image

from fgsd.cli.train import validation_text
from fgsd.data import TextureFolder, to_images
from fgsd.evaluation.painting import half_planes
from fgsd.evaluation.paths import random_pairs
from fgsd.pipeline import Pipeline
from fgsd.sheets import class_sheet, image_grid
from fgsd.texture import Texture
from fgsd.training.validation import Validation

COMMANDS = [
    "app",
    "sample",
    "classes",
    "paint",
    "learn",
    "extend",
    "train",
    "map",
    "evaluate",
    "sheet",
    "bench",
    "film",
    "study",
    "report",
]


def test_classes_are_listed_one_a_line(capsys, checkpoint_folder):
    code, out, _ = run(capsys, "classes", "-c", checkpoint_folder)
    assert code == 0
    assert out.split() == ["brick", "moss", "slate"]


def test_sample_writes_the_sheet_that_the_library_makes(capsys, tmp_path, checkpoint_folder):
    path = tmp_path / "brick.png"
    options = ["-n", 4, "--steps", 3, "--size", 16, "--seed", 5, "-c", checkpoint_folder]
    code, out, _ = run(capsys, "sample", "--class", "brick", "-o", path, *options)
    assert code == 0 and "4 images of 16 x 16" in out
    expected = Pipeline.from_pretrained(checkpoint_folder).sample("brick", n=4, steps=3, size=16, seed=5)
    with Image.open(path) as image:
        assert image.tobytes() == image_grid(expected).tobytes()


def test_sample_of_a_mixture_and_its_steps_as_an_animation(capsys, tmp_path, checkpoint_folder):
    sheet, gif = tmp_path / "mix.png", tmp_path / "steps.gif"
    code, _, _ = run(
        capsys, "sample", "--mix", "brick=0.5,moss=0.5", "-n", 2, "--steps", 3, "--size", 16, "--tileable",
        "-o", sheet, "--steps-gif", gif, "-c", checkpoint_folder,
    )  # fmt: skip
    assert code == 0
    with Image.open(gif) as image:
        assert image.n_frames == 4  # the noisy image of each of 3 steps, and the sample
    with Image.open(sheet) as image:
        assert image.size == (34, 16)


def test_sample_like_an_image(capsys, tmp_path, checkpoint_folder, texture_folder):
    path = tmp_path / "like.png"
    code, _, _ = run(
        capsys, "sample", "--like", texture_folder / "moss.png", "-n", 1, "--steps", 2, "--size", 16,
        "-o", path, "-c", checkpoint_folder,
    )  # fmt: skip
    assert code == 0
    with Image.open(path) as image:
        assert image.size == (16, 16)


def test_a_texture_is_learned_and_sampled_from_its_file(capsys, tmp_path, checkpoint_folder, texture_folder):
    file, sheet, path = (tmp_path / name for name in ("a.fgsd.safetensors", "sheet.png", "like.png"))
    options = ["--seed", 4, "-c", checkpoint_folder]
    code, out, _ = run(
        capsys, "learn", texture_folder / "moss.png", "--steps", 3, "-o", file, "--sheet", sheet, *options
    )
    assert code == 0 and f"{file}: moss, learned in" in out and "nearest classes: " in out
    pipe = Pipeline.from_pretrained(checkpoint_folder)
    texture = Texture.load(file)
    expected = [*pipe.learn(texture_folder / "moss.png", name="moss", steps=3, seed=4)][-1].texture
    assert texture.name == "moss" and torch.equal(texture.centroid.values, expected.centroid.values)
    with Image.open(sheet) as image:
        assert image.width == 6 * 18 - 2
    code, _, _ = run(
        capsys, "sample", "--like", file, "-n", 2, "--steps", 2, "--size", 16, "-o", path, *options
    )
    expected = pipe.sample(texture, n=2, steps=2, size=16, seed=4)
    with Image.open(path) as image:
        assert code == 0 and image.tobytes() == image_grid(expected).tobytes()


def test_a_sheet_shows_borders_that_are_painted_blended_and_pasted(capsys, tmp_path, pipe, checkpoint_folder):
    path = tmp_path / "borders.png"
    code, out, err = run(capsys, "sheet", "-c", checkpoint_folder, "--borders", 2, "--steps", 2, "-o", path)
    assert code == 0 and "2 borders" in out, err
    names = random_pairs(pipe.classes, 2, seed=0)[1]
    side = pipe.info.patch_size
    (first, second), images = half_planes(pipe, names, (side, 2 * side), steps=2, seed=1)
    sheet = np.asarray(Image.open(path).convert("RGB"))
    row = sheet[-side:]  # the second one: plan, painted, blended, pasted, with gaps between
    for k, kind in enumerate(("painted", "blended", "pasted")):
        left = (k + 1) * (2 * side + 2)
        found = row[:, left : left + 2 * side]
        assert np.array_equal(found, np.asarray(to_images(images[kind][None])[0])), kind
    assert torch.equal(images["pasted"][:, :, :side], first[:, :, :side])
    assert torch.equal(images["pasted"][:, :, side:], second[:, :, side:])


def test_a_sheet_shows_a_new_texture_before_and_after_it_is_learned(
    capsys, tmp_path, checkpoint_folder, texture_folder, pipe
):
    folder, sheet = tmp_path / "new", tmp_path / "sheet.png"
    folder.mkdir()
    Image.open(texture_folder / "moss.png").rotate(90).save(folder / "wall.png")
    options = ["--data", folder, "--samples", 2, "--steps", 2, "-o", sheet, "-c", checkpoint_folder]
    code, out, err = run(capsys, "sheet", "--learn", 3, *options)
    assert code == 0, err
    assert out == f"{sheet}: 1 class, a held-out crop and 2 samples and 2 of it learned each\n"
    data = TextureFolder(folder, pipe.info.data)
    [region] = [to_images(region[None])[0] for region in data.regions("wall")]
    *_, step = pipe.learn(region, steps=3)
    real = to_images(data.crops("wall", 1, torch.Generator().manual_seed(0), split="test"))[0]
    targets = (pipe.centroid_of(region), step.texture)
    images = [image for t in targets for image in pipe.sample(t, n=2, steps=2, size=16)]
    with Image.open(sheet) as image:
        assert np.array_equal(np.asarray(image), np.asarray(class_sheet([("wall", real, images)])))
    code, _, err = run(capsys, "sheet", "--learn", 3, *options[2:], "--data", texture_folder)
    assert code == 2 and "the checkpoint knows all classes" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "a.safetensors"], "must end in .fgsd.safetensors"),
        (["-o", "missing/../moss.png/a.fgsd.safetensors"], "moss.png"),
        (["--sheet", "a.txt"], "a.txt"),
        (["--scale", "0"], "scale=0.0 must be a positive number"),
        (["--name", ""], "printable characters"),
        (["absent.png"], "absent.png: no such file"),
    ],
)
def test_bad_input_of_learn_is_one_line_and_leaves_no_file(
    capsys, tmp_path, monkeypatch, checkpoint_folder, texture_folder, options, words
):
    shutil.copy(texture_folder / "moss.png", tmp_path)
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "learn", "moss.png", *options, "-c", checkpoint_folder)
    assert code == 2 and out == "" and err.startswith("Error: ") and words in err
    assert [path.name for path in tmp_path.iterdir()] == ["moss.png"]


def test_a_damaged_texture_file_is_refused_in_one_line(capsys, tmp_path, checkpoint_folder):
    file = tmp_path / "a.fgsd.safetensors"
    file.write_bytes(b"text")
    code, _, err = run(capsys, "sample", "--like", file, "-o", tmp_path / "out.png", "-c", checkpoint_folder)
    assert code == 2 and "damaged, or no texture file" in err and err.count("\n") == 1


BAD_SAMPLES = [
    (["--class", "bric"], "did you mean brick"),
    (["--class", "brick", "--mix", "brick=1"], "only one of --class, --mix and --like"),
    (["--mix", "brick"], "should look like lava=0.5"),
    (["--mix", "brick=0.5"], "sum to 1"),
    (["--mix", "brick=nan"], "finite"),
    (["--like", "missing.png"], "no such file"),
    (["--class", "brick", "--size", "17"], "multiple of 4"),
    (["--class", "brick", "--steps", "0"], "--steps"),
    (["--class", "brick", "-n", "0"], "--number"),
    (["--class", "brick", "--sampler", "euler"], "dpm2m, heun, ancestral, ascent"),
    (["--class", "brick", "--strength", "inf"], "strength"),
    (["--class", "brick", "-o", "sheet.bmp"], ".png"),
    (["--class", "brick", "--steps-gif", "steps.avi"], ".gif"),
    (["--clas", "brick"], "--clas"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_SAMPLES)
def test_bad_input_is_one_line_and_code_2(
    capsys, monkeypatch, tmp_path, checkpoint_folder, arguments, message
):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "sample", "-c", checkpoint_folder, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("Error: ") and err.count("\n") == 1
    assert message in err
    assert list(tmp_path.iterdir()) == []  # nothing was written


def test_an_unknown_command_is_one_line_and_code_2(capsys):
    code, _, err = run(capsys, "sampel")
    assert code == 2 and err.startswith("Error: ") and err.count("\n") == 1


def test_without_arguments_the_help_is_printed(capsys):
    code, out, _ = run(capsys)
    assert code == 0
    for command in COMMANDS:
        assert command in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_shows_its_default(capsys, command):
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert "default:" in out


@pytest.mark.usefixtures("few_crops")
def test_train_writes_a_checkpoint_that_samples_and_resumes(capsys, tmp_path, texture_folder):
    run_folder, out_folder = tmp_path / "run", tmp_path / "checkpoint"
    options = [
        "train", texture_folder, "--run", run_folder, "-o", out_folder, "--images", 16, "--groups", 2,
        "--group-size", 2, "--patch-size", 16, "--image-size", 48, "--map-crops", 0, "--cpu",
    ]  # fmt: skip
    code, out, err = run(capsys, *options)
    assert code == 0, err
    assert "3 classes" in out and "squared error on held-out crops" in err
    pipe = Pipeline.from_pretrained(out_folder)
    assert pipe.classes == ["brick", "moss", "slate"]
    assert pipe.sample("moss", steps=1, size=16)[0].size == (16, 16)
    log = [json.loads(line) for line in (run_folder / "log.jsonl").read_text().splitlines()]
    assert [one["images"] for one in log] == [4, 8, 12, 16]
    before = (out_folder / "model.safetensors").read_bytes()
    code, _, _ = run(capsys, *options)  # the budget is used up: nothing is left to do
    assert code == 0
    assert (out_folder / "model.safetensors").read_bytes() == before
    code, _, err = run(capsys, *options, "--seed", 1)
    assert code == 2 and "seed" in err


@pytest.mark.usefixtures("few_crops")
def test_train_leaves_classes_out_and_validates_with_them(
    capsys, tmp_path, texture_folder, checkpoint_folder
):
    names = tmp_path / "unseen.txt"
    options = [
        "train", texture_folder, "--run", tmp_path / "run", "-o", tmp_path / "checkpoint", "--images", 8,
        "--groups", 2, "--group-size", 2, "--patch-size", 16, "--image-size", 48, "--map-crops", 0, "--cpu",
        "--augment", "--transform", "turns", "--init-from", checkpoint_folder, "--unseen", names,
    ]  # fmt: skip
    for content, message in (("gravel\n", "class 'gravel' is not in"), ("brick\nmoss\nslate\n", "no class")):
        names.write_text(content, encoding="utf-8")
        code, _, err = run(capsys, *options)
        assert code == 2 and message in err
    names.write_text("moss\n\n", encoding="utf-8")
    code, _, err = run(capsys, *(option for option in options if option != "--augment"))
    assert code == 2 and "--transform turns: needs --augment" in err
    code, _, err = run(capsys, *options, "--transform", "blur")
    assert code == 2 and "--transform blur: must be one of scales, turns, colours" in err
    code, out, err = run(capsys, *options)
    assert code == 0, err
    assert "2 classes" in out and "squared error on crops of unseen classes" in err
    assert Pipeline.from_pretrained(tmp_path / "checkpoint").classes == ["brick", "slate"]
    started = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))
    augmentation = started["config"]["augmentation"]
    assert (
        augmentation["symmetries"] and augmentation["scales"] == [1, 1] and not augmentation["colour_share"]
    )
    assert started["config"]["crop_sizes"] == [[0.0, 1.0]]
    chosen = tmp_path / "classes.txt"
    chosen.write_text("slate\n", encoding="utf-8")
    code, _, err = run(capsys, *options, "--classes", chosen)  # the training is complete
    assert code == 0, err
    assert Pipeline.from_pretrained(tmp_path / "checkpoint").classes == ["slate"]
    chosen.write_text("moss\n", encoding="utf-8")
    code, _, err = run(capsys, *options, "--classes", chosen)
    assert code == 2 and f"--classes {chosen}: class 'moss' is not in" in err


def test_unseen_textures_are_drawn_and_measured_apart_from_other_classes(
    capsys, tmp_path, texture_folder, checkpoint_folder
):
    """Classes that neither the checkpoint nor the file names count as neither."""
    images, names, sheet = tmp_path / "images", tmp_path / "unseen.txt", tmp_path / "sheet.png"
    shutil.copytree(texture_folder, images)
    for name, colour in (("gravel", "grey"), ("wool", "white")):
        Image.new("RGB", (48, 48), colour).save(images / f"{name}.png")
    names.write_text("wool\n", encoding="utf-8")
    options = ["-c", checkpoint_folder, "-d", images, "--unseen", names]
    code, out, err = run(capsys, "sheet", *options, "--steps", 1, "-o", sheet)
    assert code == 0, err
    assert "1 class, a held-out crop and 4 samples each" in out
    names.write_text("moss\n", encoding="utf-8")
    code, _, err = run(capsys, "evaluate", *options)
    assert code == 2 and f"--unseen {names}: the checkpoint was trained on moss" in err
    names.write_text("wool\n", encoding="utf-8")
    result = tmp_path / "result.json"
    code, _, err = run(capsys, "evaluate", *options, "--part", "memorisation", "--per-class", 2, "-o", result)
    assert code == 0, err
    assert json.loads(result.read_text(encoding="utf-8"))["data"]["classes"] == 4


def test_distinct_finds_the_classes_that_a_classifier_tells_apart(capsys, tmp_path):
    images, names, unseen = tmp_path / "images", tmp_path / "names.txt", tmp_path / "unseen.txt"
    images.mkdir()
    noise = np.random.default_rng(0).normal(0, 20, (200, 200, 3))
    for name, period in (("gravel", 2), ("gravel in the sun", 2), ("waves", 9), ("wool", 40)):
        waves = 60 * np.sin(np.arange(200) * 2 * np.pi / period)[:, None, None]
        pixels = (128 + waves + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(images / f"{name}.png")
    unseen.write_text("wool\n", encoding="utf-8")
    code, out, err = run(capsys, "distinct", images, "--unseen", unseen, "-o", names)
    assert code == 0, err
    found = names.read_text(encoding="utf-8").splitlines()
    assert len(found) == 2 and "waves" in found and found[0].startswith("gravel")
    assert out.startswith(f"{names}: 2 of 3 classes, recognised with 1.000 on average")


def test_map_is_stored_with_the_checkpoint(capsys, tmp_path, checkpoint_folder, texture_folder):
    folder = shutil.copytree(checkpoint_folder, tmp_path / "checkpoint")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    code, out, err = run(capsys, "map", "-c", folder, "-d", texture_folder, "--crops", 1)  # too few for UMAP
    assert code == 0, err
    assert "3 crops at 6 noise levels" in out
    assert len(Pipeline.from_pretrained(folder).map.labels) == 3
    described, now = (
        json.loads(text) for text in (before.pop("config.json"), (folder / "config.json").read_text())
    )
    assert now["sha256"].keys() - described["sha256"].keys() == {"map.safetensors"}
    assert now | {"sha256": None} == described | {"sha256": None}
    assert all((folder / name).read_bytes() == content for name, content in before.items())
    code, _, err = run(capsys, "map", "-c", "someone/somewhere", "-d", texture_folder)
    assert code == 2 and "must be a folder" in err


@pytest.mark.usefixtures("few_crops")
def test_train_lists_what_it_skips(capsys, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (48, 48), "red").save(folder / "good.png")
    (folder / "bad.png").write_text("no image")
    code, _, err = run(
        capsys, "train", folder, "--run", tmp_path / "run", "-o", tmp_path / "out", "--images", 4,
        "--groups", 1, "--group-size", 2, "--patch-size", 16, "--image-size", 48, "--map-crops", 0,
        "--cpu",
    )  # fmt: skip
    assert code == 0
    assert "skipped" in err and "bad.png" in err


def test_train_refuses_a_folder_without_images(capsys, tmp_path):
    code, _, err = run(capsys, "train", tmp_path, "--run", tmp_path / "run")
    assert code == 2 and "no usable image" in err
    assert not (tmp_path / "run").exists()


def test_validation_text_has_a_column_a_noise_level():
    text = validation_text(7, Validation((0.1, 1.0), (0.01, 0.02), (0.03, 0.04), (0.05, 0.06)))
    assert text.splitlines()[0].startswith("step 7")
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["sigma", "0.10", "1.00"],
        ["guided", "0.0100", "0.0200"],
        ["unguided", "0.0300", "0.0400"],
        ["wrong", "0.0500", "0.0600"],
    ]
