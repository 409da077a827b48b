"""The commands give the results of the library; invalid input prints one line and exits with code 2."""

import gc
import json
import os
import shutil

import pytest
from PIL import Image

from fgsd.cli.main import main
from fgsd.cli.mix import parse_mix
from fgsd.cli.train import attribution_of, validation_text
from fgsd.pipeline import Pipeline
from fgsd.sheets import image_grid
from fgsd.training.validation import Validation

COMMANDS = [
    "app",
    "sample",
    "classes",
    "train",
    "map",
    "evaluate",
    "sheet",
    "bench",
    "film",
    "study",
    "report",
]


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    """Exit code, output and error output of a command."""
    with pytest.raises(SystemExit) as exit_:
        main([str(one) for one in arguments])
    captured = capsys.readouterr()
    return exit_.value.code, captured.out, captured.err


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


# a budget of two steps; with --init-from a tiny checkpoint the network is tiny too
QUICK = ["--images", 4, "--groups", 1, "--group-size", 2, "--patch-size", 16, "--image-size", 48, "--cpu"]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # Gradio leaves event loops to the collector
def test_whatever_reads_images_for_a_checkpoint_cuts_them_as_training_did(
    capsys, tmp_path, checkpoint_folder
):
    """The checkpoint was trained on images of 20 pixels, which are too small to hold out a third of."""
    from fgsd.app.page import build_page
    from fgsd.app.render.map_data import MapData
    from fgsd.app.render.thumbnails import training_images

    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    for colour in ("red", "blue"):
        Image.effect_noise((20, 20), 60).convert("RGB").save(images / f"{colour}.png")
    code, _, err = run(
        capsys,
        "train",
        images,
        "--run",
        tmp_path / "run",
        "-o",
        out,
        "--test-share",
        0,
        "--map-crops",
        0,
        *QUICK,
    )
    assert code == 0, err
    code, said, err = run(capsys, "map", "-c", out, "-d", images, "--crops", 5)
    assert code == 0, err
    code, said, err = run(
        capsys, "sheet", "-c", out, "-d", images, "--steps", 1, "-o", tmp_path / "sheet.png"
    )
    assert code == 0, err
    assert "2 classes, a training crop and 4 samples each" in said
    pipe = Pipeline.from_pretrained(out)
    page = build_page(pipe, images)
    del page
    gc.collect()  # now, not within another test
    data = training_images(images, pipe.info)
    assert data.config == pipe.info.data
    shown = MapData(pipe, data)
    assert all(shown.crop({"crop": k, "level": 0})["src"] for k in range(2))
    code, _, err = run(capsys, "evaluate", "-c", out, "-d", images)
    assert code == 2 and "trained with test_share=0" in err and "1/3" in err


@pytest.mark.parametrize("command", ["map", "sheet", "evaluate"])
def test_commands_that_read_images_say_what_they_left_out(
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


def test_the_app_says_what_it_left_out(caplog, tmp_path, texture_folder):
    from fgsd.app.render.thumbnails import training_images
    from fgsd.checkpoint import CheckpointInfo

    images = shutil.copytree(texture_folder, tmp_path / "images")
    (images / "empty").mkdir()
    training_images(images, CheckpointInfo(patch_size=16, image_size=None))
    assert f"skipped {images / 'empty'}: no usable image" in caplog.text


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_terms_of_the_images_may_have_an_older_encoding(tmp_path, encoding):
    assert attribution_of(tmp_path) == ""
    (tmp_path / "LICENSE.md").write_bytes("Photographs © José\n".encode(encoding))
    assert attribution_of(tmp_path) == "Photographs © José"


def test_train_refuses_a_name_that_is_not_utf_8_before_the_first_step(capsys, tmp_path):
    images = tmp_path / "images"
    (images / "rock").mkdir(parents=True)
    Image.new("RGB", (48, 48), "red").save(images / "rock" / "x.png")
    os.rename(images / "rock", os.path.join(os.fsencode(images), b"caf\xe9"))
    code, out, err = run(capsys, "train", images, "--run", tmp_path / "run", "-o", tmp_path / "out", *QUICK)
    assert code == 2 and out == ""
    assert err.count("\n") == 1 and r"caf\xe9: the name of this folder is not UTF-8" in err
    assert not (tmp_path / "run").exists()


def test_names_with_accents_commas_and_equals_signs_can_be_asked_for(capsys, tmp_path, checkpoint_folder):
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    for name in ("Cafe\u0301", "a=b, c"):
        Image.new("RGB", (48, 48), "red").save(images / f"{name}.png")
    code, _, err = run(
        capsys, "train", images, "--run", tmp_path / "run", "-o", out, "--map-crops", 0,
        "--init-from", checkpoint_folder, *QUICK,
    )  # fmt: skip
    assert code == 0, err
    assert run(capsys, "classes", "-c", out)[1].splitlines() == ["Caf\u00e9", "a=b, c"]
    described = json.loads((out / "config.json").read_text(encoding="utf-8"))
    described["classes"][0] = "Cafe\u0301"  # as an older version would have written it
    (out / "config.json").write_text(json.dumps(described), encoding="utf-8")
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


def test_train_refuses_a_folder_without_images(capsys, tmp_path):
    code, _, err = run(capsys, "train", tmp_path, "--run", tmp_path / "run")
    assert code == 2 and "no usable image" in err
    assert not (tmp_path / "run").exists()


def test_parse_mix():
    assert parse_mix("lava=0.25, glacier=0.75") == {"lava": 0.25, "glacier": 0.75}
    with pytest.raises(ValueError, match="twice"):
        parse_mix("lava=0.5,lava=0.5")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (r"a\, b=1", "a, b"),
        ("a=b=1", "a=b"),
        ("a=0.5=1", "a=0.5"),
        (r"a=0.5\,b=1", "a=0.5,b"),
        (r"a\=0.5\,b=1", "a=0.5,b"),
        (r"a\b=1", r"a\b"),
        (r"a\\\,b=1", r"a\,b"),
        (r" \ a\  = 1 ", " a "),
        ("Cafe\u0301=1", "Caf\u00e9"),
        ("石畳=1", "石畳"),
    ],
)
def test_any_name_can_be_part_of_a_mix(text, name):
    assert parse_mix(text) == {name: 1.0}
    assert parse_mix(f"lava=0.5,{text},moss=0.25") == {"lava": 0.5, name: 1.0, "moss": 0.25}


@pytest.mark.parametrize("text", ["lava", "=1", "lava=", "lava=x", "lava,moss=1", "lava=1,", "lava=1\\", ""])
def test_a_malformed_mix_says_how_it_should_look(text):
    with pytest.raises(ValueError, match=r"should look like lava=0\.5; a comma in a name is written"):
        parse_mix(text)


def test_validation_text_has_a_column_a_noise_level():
    text = validation_text(7, Validation((0.1, 1.0), (0.01, 0.02), (0.03, 0.04), (0.05, 0.06)))
    assert text.splitlines()[0].startswith("step 7")
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["sigma", "0.10", "1.00"],
        ["guided", "0.0100", "0.0200"],
        ["unguided", "0.0300", "0.0400"],
        ["wrong", "0.0500", "0.0600"],
    ]
