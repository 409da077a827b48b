"""Commands that read folders of images: data settings, skipped files, and class names."""

import gc
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_help import run
from PIL import Image

from fgsd.cli.train import attribution_of
from fgsd.pipeline import Pipeline

# two steps; --init-from a tiny checkpoint makes the network tiny too
QUICK = ["--images", 4, "--groups", 1, "--group-size", 2, "--patch-size", 16, "--image-size", 48, "--cpu"]


def train(capsys, images, checkpoint_folder, *options) -> Path:
    """Train two steps beside the folder of images; return the folder of the checkpoint."""
    out, run_folder = images.parent / "out", images.parent / "run"
    code, _, err = run(
        capsys, "train", images, "--run", run_folder, "-o", out, "--map-crops", 0,
        "--init-from", checkpoint_folder, *QUICK, *options,
    )  # fmt: skip
    assert code == 0, err
    return out


@pytest.mark.usefixtures("few_crops")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # Gradio leaves event loops to the collector
def test_everything_that_reads_images_for_a_checkpoint_uses_its_data_settings(
    capsys, tmp_path, checkpoint_folder
):
    """Images of 20 pixels are large enough for crops of 16 only if no rows are held out."""
    from fgsd.app.page import build_page
    from fgsd.app.render.map_data import MapData
    from fgsd.app.render.thumbnails import training_images

    images = tmp_path / "images"
    images.mkdir()
    for name in ("rock", "sand"):
        Image.effect_noise((20, 20), 60).convert("RGB").save(images / f"{name}.png")
    out = train(capsys, images, checkpoint_folder, "--test-share", 0)
    code, _, err = run(capsys, "map", "-c", out, "-d", images, "--crops", 5)
    assert code == 0, err
    code, text, err = run(
        capsys, "sheet", "-c", out, "-d", images, "--steps", 1, "-o", tmp_path / "sheet.png"
    )
    assert code == 0, err
    assert "2 classes, a training crop and 4 samples each" in text
    pipe = Pipeline.from_pretrained(out)
    page = build_page(pipe, images)
    del page
    gc.collect()  # now, not within another test
    data = training_images(images, pipe.info)
    assert data.config == pipe.info.data
    map_data = MapData(pipe, data)
    assert all(map_data.crop({"crop": k, "level": 0})["src"] for k in range(2 * 5))
    code, _, err = run(capsys, "evaluate", "-c", out, "-d", images)
    assert code == 2 and "trained with test_share=0" in err and "1/3" in err


@pytest.mark.parametrize("command", ["map", "sheet", "evaluate"])
def test_commands_that_read_images_print_what_they_skip(
    capsys, tmp_path, checkpoint_folder, texture_folder, command
):
    images = shutil.copytree(texture_folder, tmp_path / "images")
    checkpoint = shutil.copytree(checkpoint_folder, tmp_path / "checkpoint")
    (images / "empty").mkdir()
    (images / "__MACOSX").mkdir()
    options = {
        "map": ["--crops", 1],
        "sheet": ["--steps", 1, "-o", tmp_path / "sheet.png"],
        "evaluate": ["--part", "memorisation", "--per-class", 2],
    }
    code, _, err = run(capsys, command, "-c", checkpoint, "-d", images, *options[command])
    assert code == 0, err
    assert f"skipped {images / 'empty'}: no usable image, so there is no class 'empty'" in err
    assert f"skipped {images / '__MACOSX'}: folders of this name are hidden or made by a tool" in err


def test_the_app_logs_what_it_skips(caplog, tmp_path, texture_folder):
    from fgsd.app.render.thumbnails import training_images
    from fgsd.checkpoint import CheckpointInfo

    images = shutil.copytree(texture_folder, tmp_path / "images")
    (images / "empty").mkdir()
    with caplog.at_level(logging.WARNING):
        training_images(images, CheckpointInfo(patch_size=16, image_size=None))
    assert f"skipped {images / 'empty'}: no usable image" in caplog.text


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_the_license_of_the_images_is_read_in_utf_8_and_latin_1(tmp_path, encoding):
    assert attribution_of(tmp_path) == ""
    (tmp_path / "LICENSE.md").write_bytes("Photographs © José\n".encode(encoding))
    assert attribution_of(tmp_path) == "Photographs © José"


def test_train_refuses_a_name_that_is_not_utf_8_before_it_imports_torch(tmp_path):
    """The import takes seconds; without it, the refusal comes within the first."""
    images = tmp_path / "images"
    (images / "rock").mkdir(parents=True)
    Image.new("RGB", (48, 48), "red").save(images / "rock" / "x.png")
    os.rename(images / "rock", os.path.join(os.fsencode(images), b"caf\xe9"))
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "fgsd.cli",
        "train",
        images,
        "--run",
        tmp_path / "run",
    ]
    done = subprocess.run([*command, "-o", tmp_path / "out"], capture_output=True, text=True)
    imported, message = [], []
    for line in done.stderr.splitlines():
        (imported if line.startswith("import time:") else message).append(line)
    assert done.returncode == 2 and done.stdout == ""
    assert len(message) == 1 and r"caf\xe9: the name of this folder is not UTF-8" in message[0]
    modules = {line.split("|")[-1].strip() for line in imported}
    assert "fgsd.image_files" in modules and "torch" not in modules
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["train", "study"])
def test_a_license_that_is_not_utf_8_is_refused_before_the_first_step(
    capsys, tmp_path, command, texture_folder
):
    """The model card, which states it, is written after the training."""
    data = [texture_folder, "--run"] if command == "train" else ["--data", texture_folder, "--runs"]
    code, _, err = run(capsys, command, *data, tmp_path / "run", "--license", "caf\udce9", "--images", 4)
    assert code == 2 and err.count("\n") == 1
    assert "--license" in err and r"'caf\xe9' is not UTF-8" in err
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("few_crops")
def test_names_with_accents_commas_and_equals_signs_can_be_asked_for(capsys, tmp_path, checkpoint_folder):
    images = tmp_path / "images"
    images.mkdir()
    for name in ("Cafe\u0301", "a=b, c"):
        Image.new("RGB", (48, 48), "red").save(images / f"{name}.png")
    out = train(capsys, images, checkpoint_folder)
    assert run(capsys, "classes", "-c", out)[1].splitlines() == ["Caf\u00e9", "a=b, c"]
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    config["classes"][0] = "Cafe\u0301"  # as earlier versions wrote it
    (out / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert Pipeline.from_pretrained(out).classes == ["Caf\u00e9", "a=b, c"]
    options = ["-n", 1, "--steps", 1, "--size", 16, "-o", tmp_path / "a.png", "-c", out]
    for asked in (
        ["--class", "Caf\u00e9"],
        ["--class", "Cafe\u0301"],
        ["--class", "a=b, c"],
        ["--mix", "Cafe\u0301=0.5,a=b\\, c=0.5"],
    ):
        code, _, err = run(capsys, "sample", *asked, *options)
        assert code == 0, err
