"""Each recipe of docs/recipes.md works as written; options of toy size are added to its commands."""

import itertools
import os
import re
import shlex
import shutil
import socket
import string
import subprocess
import sys
from pathlib import Path
from unittest.mock import create_autospec

import numpy as np
import pytest
from huggingface_hub import HfApi
from huggingface_hub.utils import filter_repo_objects
from PIL import Image

from fgsd.app.site.runtime import RUNTIMES
from fgsd.cli.main import main

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE))
TOY_TRAINING = "--hours 0.0001 --groups 2 --group-size 2 --patch-size 16 --image-size 48 --map-crops 1 --cpu"
TOY = {
    "train": TOY_TRAINING,
    "extend": "--images 24 --map-crops 1 --cpu",
    "calibrate": "--steps 2 --cpu",
    "distill": "--pictures 480 --minutes 0.02 --cpu",
    "map": "--crops 1",
    "plot": "",
    "distinct": "--patch-size 16 --image-size 48 --at-least 0.1",
    "learn": "--steps 2",
    "paint": "--steps 2",
    "sample": "-n 2 --steps 2",
    "evaluate": "--per-class 2 --steps 2",
    "sheet": "--samples 1 --steps 2",
    "app": "--no-browser",
    "site": "",
}


# files that the commands of a recipe write
COMMANDS = {
    "Train on your folder": ["checkpoints/mine/map.safetensors", "mine.png"],
    "Fine-tune the shipped weights": ["checkpoints/tuned/model.safetensors"],
    "Many textures": ["classes.txt", "checkpoints/many/model.safetensors"],
    "Add classes to a checkpoint": ["checkpoints/more/map.safetensors"],
    "Calibrate": ["checkpoints/mine-calibrated/calibration.safetensors"],
    "Sample in two evaluations": ["checkpoints/mine-fast/student.safetensors"],
    "Use a GPU": ["checkpoints/gpu/model.safetensors"],
    "Paint": ["terrain.png", "morph.png", "morph.gif"],
    "Sample a new texture": ["new.fgsd.safetensors", "before-and-after.png", "like.png"],
    "Evaluate a checkpoint": ["mine.json", "mine.webp"],
    "Draw the map": ["map.html", "noise.html"],
    "Publish your map as a static site": ["site/index.html", "site/README.md"],
    "Serve many visitors": ["site/index.html"],
}
# a check of the names that its Python code defines
PYTHON = {
    "Sample from Python": lambda names: len(names["blend"] + names["coarse"]) == 8,
    "Figures for notebooks": lambda names: all(len(names[k].layout.images) > 3 for k in ("run", "mixture")),
    "Paint": lambda names: names["island"].size == (256, 128),
    "Draw the map": lambda names: {trace.name for trace in names["figure"].data} >= {"textures"},
    "Sample a new texture": lambda names: (names["texture"].name, len(names["images"])) == ("my texture", 4),
}


def blocks(recipe: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", RECIPES[recipe], flags=re.DOTALL)


def commands(recipe: str) -> list[list[str]]:
    return [shlex.split(line) for block in blocks(recipe, "bash") for line in block.splitlines()]


@pytest.fixture
def workspace(tmp_path, monkeypatch, texture_folder, checkpoint_folder) -> Path:
    """A folder with images, a photo and a checkpoint; the working folder of the test."""
    shutil.copytree(texture_folder, tmp_path / "my-images")
    shutil.copytree(checkpoint_folder, tmp_path / "checkpoints" / "mine")
    (tmp_path / "new-images").mkdir()
    with Image.open(texture_folder / "moss.png") as image:
        image.save(tmp_path / "photo.jpg")
        image.rotate(90).save(tmp_path / "new-images" / "wall.png")
    (tmp_path / "many-images").mkdir()
    random = np.random.default_rng(0)
    for name in string.ascii_lowercase[:22]:
        pixels = random.integers(0, 255, 3) + random.normal(0, random.uniform(5, 60), (48, 48, 1))
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        image.save(tmp_path / "many-images" / f"texture-{name}.png")
    plan = Image.new("RGB", (48, 32), "#0000ff")
    plan.paste("#ffff00", (20, 0, 48, 32))
    plan.save(tmp_path / "plan.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def launched(monkeypatch) -> list[tuple]:
    """Arguments of each call of `launch`, which is replaced: it needs a free port, and serves for ever."""
    calls: list[tuple] = []
    monkeypatch.setattr("fgsd.app.http.address.check_address", lambda host, port: None)
    monkeypatch.setattr("fgsd.app.server.launch", lambda *args, **options: calls.append(args))
    return calls


@pytest.fixture
def hub(monkeypatch):
    """A stand-in for the hub with the signatures of the real one; nothing is sent."""
    api = create_autospec(HfApi, instance=True)
    monkeypatch.setattr("huggingface_hub.HfApi", create_autospec(HfApi, return_value=api))
    return api


def run_command(program: str, command: str, *options: str) -> None:
    assert program == "fgsd"
    compiled = [option for option in options if option != "--compile"]  # pays only after minutes
    with pytest.raises(SystemExit) as end:
        main([command, *compiled, *TOY[command].split()])
    assert end.value.code == 0


def run_python(code: str) -> dict:
    names: dict = {}
    exec(compile(code, "recipes.md", "exec"), names)
    return names


@pytest.mark.parametrize("recipe", COMMANDS)
def test_commands(workspace, launched, recipe, monkeypatch):
    runtime = dict.fromkeys(itertools.chain(*RUNTIMES.values()), b"nothing is fetched")
    monkeypatch.setattr("fgsd.app.site.build.runtime_files", lambda archive: runtime)
    if "train" in commands(recipe)[0]:
        shutil.rmtree("checkpoints/mine")
    for words in commands(recipe):
        run_command(*words)
    assert [name for name in COMMANDS[recipe] if not Path(name).is_file()] == []
    for args in launched:
        assert all(Path(folder).is_dir() for folder in args)
    assert len(launched) == sum(words[1] == "app" for words in commands(recipe))


@pytest.mark.parametrize("recipe", PYTHON)
def test_python(workspace, recipe, capsys):
    (block,) = blocks(recipe, "python")
    assert PYTHON[recipe](run_python(block))
    if "print(" in block:
        printed = capsys.readouterr().out
        assert "moss" in printed or recipe == "Paint"  # the nearest class of its own image


@pytest.mark.slow
def test_several_gpus(workspace):
    """On two processes of the CPU."""
    ((program, processes, *options),) = commands("Several GPUs")
    assert program == "torchrun"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = ["--master-addr=127.0.0.1", f"--master-port={free.getsockname()[1]}"]
    command = [sys.executable, "-m", "torch.distributed.run", processes, *where, *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    ran = subprocess.run(
        [*command, *TOY_TRAINING.split()], env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    assert Path("checkpoints/two/model.safetensors").is_file()
    assert ran.stdout.count("checkpoint written") == 1


def test_share_a_checkpoint(workspace, hub):
    (block,) = blocks("Share a checkpoint", "python")
    run_python(block)
    hub.create_repo.assert_called_once()
    assert hub.upload_folder.call_args.kwargs["repo_id"] == "your-name/mine"


def test_deploy_a_space(hub):
    """All that the page needs is uploaded, and nothing else."""
    (block,) = blocks("Deploy a Space", "python")
    run_python(block)
    assert hub.create_repo.call_args.kwargs["repo_type"] == "space"
    patterns = hub.upload_folder.call_args.kwargs["allow_patterns"]
    files = [str(p.relative_to(ROOT)) for top in sorted(ROOT.iterdir()) for p in (top, *top.rglob("*"))]
    sent = set(filter_repo_objects(files, allow_patterns=patterns))
    for name in ("README.md", "app.py", "fgsd/app/page.py", "assets/textures/lava.webp"):
        assert name in sent
    assert "checkpoints/textures/model.safetensors" in sent
    assert not any(name.startswith(("tests", "checkpoints/textures-", ".", "runs")) for name in sent)


def test_behind_a_reverse_proxy(workspace, launched):
    """The server and the proxy agree on the path; `tests/browser/test_root_path.py` opens such a page."""
    recipe = "Serve behind a reverse proxy"
    (words,), (nginx,) = commands(recipe), blocks(recipe, "nginx")
    setting, path = words[0].split("=")
    assert setting == "GRADIO_ROOT_PATH"
    assert f"location {path}/ {{" in nginx and "proxy_pass http://127.0.0.1:7860/;" in nginx
    run_command(*words[1:])
    assert len(launched) == 1


def test_every_recipe_has_a_test():
    others = {"Several GPUs", "Share a checkpoint", "Deploy a Space", "Serve behind a reverse proxy"}
    assert set(RECIPES) == {*COMMANDS, *PYTHON, *others}
