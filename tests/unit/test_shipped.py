"""Default paths resolve to shipped files unless the working folder has files of those names."""

from pathlib import Path

import pytest

from fgsd import shipped
from fgsd.cli.main import main
from fgsd.pipeline import Pipeline
from fgsd.shipped import resolve_shipped

NAME = "checkpoints/textures"


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """An empty package folder without neighbours; the working folder is empty too."""
    folder = tmp_path / "site" / "fgsd"
    folder.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(shipped, "PACKAGE", folder)
    return folder


def test_a_path_in_the_working_folder_takes_precedence(package):
    Path(NAME).mkdir(parents=True)
    (package / "shipped" / NAME).mkdir(parents=True)
    assert resolve_shipped(NAME) == NAME


def test_an_installed_wheel_has_its_files_in_the_package(package):
    (package / "shipped" / NAME).mkdir(parents=True)
    (package.parent / NAME).mkdir(parents=True)  # of another package: site-packages is not searched
    assert resolve_shipped(NAME) == package / "shipped" / NAME
    assert resolve_shipped("owner/name") == "owner/name"


def test_a_clone_has_its_files_beside_the_package(package):
    (package.parent / NAME).mkdir(parents=True)
    assert resolve_shipped(Path(NAME)) == package.parent / NAME


def test_the_error_names_a_missing_path(package, capsys):
    assert resolve_shipped(NAME) == NAME
    with pytest.raises(SystemExit):
        main(["classes"])
    assert "'checkpoints/textures' is not a folder" in capsys.readouterr().err


def test_the_pipeline_loads_the_shipped_checkpoint(package, checkpoint_folder):
    (package / "shipped" / "checkpoints").mkdir(parents=True)
    (package / "shipped" / NAME).symlink_to(checkpoint_folder)
    assert Pipeline.from_pretrained(NAME, device="cpu").classes == ["brick", "moss", "slate"]
