"""The pages for those who carry on: links lead somewhere, every module is named, the API's pages are made."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import fgsd

ROOT = Path(__file__).parents[2]
PAGES = ["CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md", "docs/recipes.md"]


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", read(page)) if "://" not in link]
    assert links or page == "CHANGELOG.md"
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_the_architecture_names_every_module():
    text = read("docs/architecture.md")
    names = {path.name for path in (ROOT / "fgsd").glob("[a-z]*.py")}
    names |= {f"{path.name}/" for path in (ROOT / "fgsd").glob("[a-z]*") if (path / "__init__.py").is_file()}
    assert len(names) > 20
    assert [name for name in sorted(names) if name not in text] == []


def test_contributing_is_short_enough_to_be_read():
    assert len(read("CONTRIBUTING.md").split()) < 700


def test_the_versions_agree():
    declared = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert declared == fgsd.__version__
    assert declared in read("CHANGELOG.md")


def test_the_pages_of_the_api_are_made_without_a_warning(tmp_path):
    """By the command that CONTRIBUTING.md names, with its pattern expanded as a shell would."""
    (line,) = re.findall(r"^python (-m pdoc .*?)  #", read("CONTRIBUTING.md"), flags=re.MULTILINE)
    words = [
        name
        for word in line.split()
        for name in (
            sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(word)) if "*" in word else [word]
        )
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    command = [sys.executable, *words, "-o", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    front = (tmp_path / "fgsd.html").read_text(encoding="utf-8")
    assert all(f'id="{name}"' in front for name in fgsd.__all__)
    assert "Number of images, all in one batch." in front  # of the docstring of Pipeline.stream
    assert (tmp_path / "fgsd" / "sampling.html").is_file() and (
        tmp_path / "fgsd" / "evaluation.html"
    ).is_file()
