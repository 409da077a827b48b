"""Default paths lead to what came with fgsd, unless the working folder has its own."""

from pathlib import Path

import pytest

from fgsd import shipped
from fgsd.cli.main import main
from fgsd.pipeline import Pipeline
from fgsd.shipped import found

NAME = "checkpoints/textures"


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A package without code, in a folder beside which nothing lies; the working folder is empty."""
    folder = tmp_path / "site" / "fgsd"
    folder.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(shipped, "PACKAGE", folder)
    return folder


def test_what_is_in_the_working_folder_comes_first(package):
    Path(NAME).mkdir(parents=True)
    (package / "shipped" / NAME).mkdir(parents=True)
    assert found(NAME) == NAME


def test_then_what_the_wheel_brought(package):
    (package / "shipped" / NAME).mkdir(parents=True)
    (package.parent / NAME).mkdir(parents=True)  # of some other package: site-packages is no place of ours
    assert found(NAME) == package / "shipped" / NAME
    assert found("owner/name") == "owner/name"


def test_in_a_clone_it_lies_beside_the_package(package):
    (package.parent / NAME).mkdir(parents=True)
    assert found(Path(NAME)) == package.parent / NAME


def test_where_nothing_is_the_error_names_the_path(package, capsys):
    assert found(NAME) == NAME
    with pytest.raises(SystemExit):
        main(["classes"])
    assert "'checkpoints/textures' is no folder" in capsys.readouterr().err


def test_the_pipeline_finds_it_too(package, checkpoint_folder):
    (package / "shipped" / "checkpoints").mkdir(parents=True)
    (package / "shipped" / NAME).symlink_to(checkpoint_folder)
    assert Pipeline.from_pretrained(NAME, device="cpu").classes == ["brick", "moss", "slate"]
