"""README, docs/ and the pages for contributors: links, commands and examples work, every module is named."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer.main
from PIL import Image

import fgsd
from fgsd.cli.main import app
from fgsd.data import load_image

ROOT = Path(__file__).parents[2]
DOCS = ["architecture", "method", "results", "api", "recipes"]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(f"docs/{name}.md" for name in DOCS)]
OF_THE_TINY_CHECKPOINT = {"lava": "moss", "glacier": "slate"}


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", read(page), flags=re.DOTALL | re.MULTILINE)


def run_block(page: str, code: str) -> dict:
    """The names that a block of Python leaves behind, run with the classes of the tiny checkpoint."""
    names: dict = {}
    for shipped, tiny in OF_THE_TINY_CHECKPOINT.items():
        code = code.replace(shipped, tiny)
    exec(compile(code, page, "exec"), names)
    return names


def commands(page: str) -> list[list[str]]:
    """The words of every `fgsd` command of a page, of its blocks and within its sentences."""
    text = read(page)
    lines = [line for block in blocks(page, "bash") for line in block.splitlines()]
    lines += re.findall(r"`([^`]*)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    parts = (part for line in lines if "fgsd " in line for part in re.split(r"&&|\s#", line))
    found = [shlex.split(part) for part in parts if re.match(r"\s*([A-Z_]+=\S+\s+)?fgsd [a-z]", part)]
    return [words[words.index("fgsd") + 1 :] for words in found]


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    links = [link for link in re.findall(r"\]\(([^)]+)\)", read(page)) if "://" not in link]
    assert links or page == "CHANGELOG.md"
    for link in links:
        name, _, anchor = link.partition("#")
        file = (ROOT / page).parent / name if name else ROOT / page
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


def test_every_page_is_reached_from_the_readme():
    assert [page for page in PAGES[1:] if f"({page})" not in read("README.md")] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_exists_with_its_options(page):
    """Each is parsed, not run."""
    group = typer.main.get_command(app)
    used = commands(page)
    assert used or page not in ("README.md", "docs/results.md", "docs/recipes.md")
    for name, *options in used:
        group.commands[name].make_context(name, list(options))


def test_the_python_examples_of_the_api_run(checkpoint_folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "textures").symlink_to(checkpoint_folder)
    Image.new("RGB", (48, 48), "brown").save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    first, second = (run_block("docs/api.md", code) for code in blocks("docs/api.md", "python"))
    assert [image.size for image in first["tiles"]] == [(128, 64)] * 4
    assert [len(first[name]) for name in ("weak", "fresh", "between", "switched", "unguided", "like")] == [
        1,
        2,
        3,
        1,
        2,
        2,
    ]
    assert "moss" in capsys.readouterr().out
    assert len(second["strip"]) == 7


def test_the_limits_of_the_api_are_those_of_the_page():
    from fgsd import texture
    from fgsd.app import limits

    table = read("docs/api.md").partition("## Limits and formats")[2]
    rows = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", table, flags=re.MULTILINE))
    limits_of = {
        "images of a call": (1, limits.MAX_IMAGES),
        "size": (8, limits.MAX_SIDE),
        "steps": (1, limits.MAX_STEPS),
        "seed": (0, limits.MAX_SEED),
        "strength": (0, limits.MAX_STRENGTH),
        "classes of a mixture": (limits.MAX_CLASSES, 1),
        "painting": (limits.MAX_PAINT_PIXELS, limits.MAX_REGIONS),
        "points of a strip": (limits.MIN_POINTS, limits.MAX_POINTS),
        "requests at once": (limits.MAX_REQUESTS, limits.MAX_REQUESTS_EACH),
        "textures that are learned or wait": (limits.MAX_LEARNERS,),
        "steps of learning": (1, limits.MAX_LEARNING_STEPS),
        "texture file": (texture.MAX_BYTES, 43_000),
        "image for `/embed` and `/learn`": (
            limits.MAX_UPLOAD_BYTES,
            limits.MAX_UPLOAD_CHARACTERS,
            64,
            limits.MAX_UPLOAD_PIXELS,
            limits.MAX_DEEP_PIXELS,
            8,
        ),
        "uploaded file": (limits.TIMEOUT_UPLOAD_S,),
        "body of another request": (limits.MAX_BODY_BYTES, limits.MAX_BODY_VALUES, limits.TIMEOUT_BODY_S),
    }
    for name, expected in limits_of.items():
        found = tuple(int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", rows[name]))
        assert found == expected, name


def test_programs_can_do_what_the_api_says(server, tmp_path, monkeypatch):
    Image.new("RGB", (48, 48), "brown").save(tmp_path / "photo.jpg")
    plan = Image.new("RGB", (32, 16), "#0000ff")
    plan.paste("#ffff00", (8, 0, 32, 16))
    plan.save(tmp_path / "plan.png")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for code in blocks("docs/api.md", "py"):
        names |= run_block("docs/api.md", code.replace("http://127.0.0.1:7860", server.url.rstrip("/")))
    assert [load_image(path).size for path in names["images"]] == [(64, 64)] * 4
    assert load_image(names["strip"]).size == (7 * 64, 64)
    assert [load_image(names[name]).size for name in ("island", "morph")] == [(32, 16), (128, 64)]
    assert [near["class"] for near in names["nearest"]] and names["names"] == ["brick", "moss", "slate"]
    assert names["progress"]["step"] == 60 and len(names["samples"]) == 4 and len(names["mixed"]) == 1
    event, data = names["answer"].strip().split("\n")[-2:]
    assert event == "event: complete"
    assert len(json.loads(data.removeprefix("data: "))[0]) == 4


def test_the_architecture_names_every_module():
    text = read("docs/architecture.md")
    names = {path.name for path in (ROOT / "fgsd").glob("[a-z]*.py")}
    packages = [path.parent for path in (ROOT / "fgsd").rglob("__init__.py")]
    names |= {f"{path.name}/" for path in packages if path != ROOT / "fgsd"}
    names |= {path.name for path in (ROOT / "fgsd" / "model").glob("[a-z]*.py")}
    names |= {path.name for path in (ROOT / "fgsd" / "training").glob("[a-z]*.py")}
    names |= {path.name for path in (ROOT / "fgsd" / "app").glob("[a-z]*.py")}
    assert len(names) > 30
    assert [name for name in sorted(names) if name not in text] == []


def test_the_architecture_names_no_module_that_is_gone():
    text = read("docs/architecture.md")
    patterns = ("*.py", "fgsd/**/*.*", "tests/*.py", "tests/*/*.py")
    files = {path.name for pattern in patterns for path in ROOT.glob(pattern)}
    assert [name for name in re.findall(r"\b\w+\.(?:py|js|css)\b", text) if name not in files] == []


def test_contributing_is_short_enough_to_be_read():
    assert len(read("CONTRIBUTING.md").split()) < 700


def test_the_versions_agree():
    declared = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert declared == fgsd.__version__
    assert declared in read("CHANGELOG.md")


def test_the_pages_of_the_api_are_made_without_a_warning(tmp_path):
    """By the command that CONTRIBUTING.md names, with its pattern expanded as a shell would."""
    (line,) = re.findall(
        r"^EAGER_IMPORT=1 python (-m pdoc .*?)  #", read("CONTRIBUTING.md"), flags=re.MULTILINE
    )
    words = [
        name
        for word in line.split()
        for name in (
            sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(word)) if "*" in word else [word]
        )
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "EAGER_IMPORT": "1"}
    command = [sys.executable, *words, "-o", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    front = (tmp_path / "fgsd.html").read_text(encoding="utf-8")
    assert all(f'id="{name}"' in front for name in fgsd.__all__)
    assert "Number of images, all in one batch." in front  # of the docstring of Pipeline.stream
    assert (tmp_path / "fgsd" / "sampling.html").is_file() and (
        tmp_path / "fgsd" / "evaluation.html"
    ).is_file()
