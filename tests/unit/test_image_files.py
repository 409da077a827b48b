"""Image files of a folder and their classes: hidden folders, links, names."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fgsd.data import DataConfig, TextureFolder
from fgsd.image_files import is_hidden

CONFIG = DataConfig(image_size=None, patch_size=8, test_share=0)
NFC, NFD = "Café", unicodedata.normalize("NFD", "Café")


def save_image(path: Path, colour: str = "red") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 12), colour).save(path)


def colours(data: TextureFolder, name: str) -> list[tuple[int, ...]]:
    """The colour of each image of a class."""
    return [tuple(((region[:, 0, 0] + 1) * 127.5).round().int().tolist()) for region in data.regions(name)]


RED, GREEN, BLUE = (255, 0, 0), (0, 128, 0), (0, 0, 255)


class TestHidden:
    @pytest.mark.parametrize(
        "folder",
        [
            ".ipynb_checkpoints",
            ".thumbnails",
            "@eaDir",
            "__MACOSX",
            # QNAP, Windows, Synology, a Python cache
            "@__thumb",
            "$RECYCLE.BIN",
            "#recycle",
            "__pycache__",
            "System Volume Information",
        ],
    )
    def test_folders_of_tools_are_skipped_at_any_depth_and_reported_once(self, tmp_path, folder):
        save_image(tmp_path / "rock" / "z.png")
        save_image(tmp_path / "rock" / folder / "a.png", "blue")
        save_image(tmp_path / "rock" / "deep" / folder / "deeper" / "a.png", "blue")
        save_image(tmp_path / folder / "a.png", "blue")
        data = TextureFolder(tmp_path, CONFIG)
        assert data.classes == ["rock"]
        assert colours(data, "rock") == [RED]
        (line,) = data.skipped
        assert f"{folder} and 2 more: folders of this name are hidden or made by a tool" in line

    def test_hidden_images_are_skipped_and_reported_but_no_other_hidden_files(self, tmp_path):
        save_image(tmp_path / "rock" / "x.png")
        save_image(tmp_path / "rock" / ".x.png", "blue")
        for name in ("rock/._x.png", "rock/.DS_Store", "rock/Thumbs.db", "desktop.ini", ".gitignore"):
            (tmp_path / name).write_bytes(b"no image")
        data = TextureFolder(tmp_path, CONFIG)
        assert colours(data, "rock") == [RED]
        (line,) = data.skipped
        assert "rock/._x.png and 1 more: files with such names are hidden or made by a tool" in line

    @pytest.mark.parametrize("name", ["rock", "thumbs", "a.b", "_rock", "e@a", "macosx", "石畳"])
    def test_other_names_are_classes(self, name):
        assert not is_hidden(name)

    def test_a_hidden_folder_can_itself_hold_the_classes(self, tmp_path):
        save_image(tmp_path / ".cache" / "rock" / "x.png")
        assert TextureFolder(tmp_path / ".cache", CONFIG).classes == ["rock"]


class TestLinks:
    def test_images_behind_linked_folders_are_found(self, tmp_path):
        save_image(tmp_path / "elsewhere" / "one.png", "red")
        save_image(tmp_path / "elsewhere" / "deep" / "two.png", "blue")
        save_image(tmp_path / "data" / "rock" / "zero.png", "green")
        (tmp_path / "data" / "rock" / "more").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "data" / "sand").symlink_to("../elsewhere/deep")
        data = TextureFolder(tmp_path / "data", CONFIG)
        assert data.classes == ["rock", "sand"]
        assert colours(data, "rock") == [BLUE, RED, GREEN]
        assert colours(data, "sand") == [BLUE]
        assert data.skipped == []

    def test_a_folder_that_two_links_lead_to_is_read_once(self, tmp_path):
        save_image(tmp_path / "data" / "rock" / "deep" / "one.png")
        (tmp_path / "data" / "rock" / "again").symlink_to("deep")
        (tmp_path / "data" / "rock" / "deep" / "again").symlink_to(".")
        assert len(TextureFolder(tmp_path / "data", CONFIG).regions("rock")) == 1

    def test_cycles_of_links_end(self, tmp_path):
        for name, other in (("rock", "sand"), ("sand", "rock")):
            save_image(tmp_path / "data" / name / f"{name}.png", "red" if name == "rock" else "blue")
            (tmp_path / "data" / name / "other").symlink_to(tmp_path / "data" / other)
        data = TextureFolder(tmp_path / "data", CONFIG)
        assert sorted(colours(data, "rock")) == sorted(colours(data, "sand")) == [BLUE, RED]

    @pytest.mark.parametrize("link", ["rock/up", "rock/deep/up", "up"])
    @pytest.mark.parametrize("steps", [0, 1])
    def test_a_link_to_a_folder_around_it_is_not_followed_and_reported(self, tmp_path, link, steps):
        """Otherwise all classes would be part of this one."""
        save_image(tmp_path / "data" / "rock" / "deep" / "rock.png")
        save_image(tmp_path / "data" / "sand" / "sand.png", "blue")
        target = tmp_path / "data" if steps == 0 else tmp_path
        (tmp_path / "data" / link).symlink_to(target)
        data = TextureFolder(tmp_path / "data", CONFIG)
        assert data.classes == ["rock", "sand"]
        assert colours(data, "rock") == [RED]
        (line,) = data.skipped
        assert line == f"{tmp_path / 'data' / link}: this link leads to a folder that contains the link"


class TestNoClassVanishes:
    def test_an_empty_folder_and_one_without_usable_images_are_named(self, tmp_path):
        save_image(tmp_path / "rock" / "x.png")
        (tmp_path / "empty").mkdir()
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "notes.txt").write_text("no image")
        (tmp_path / "bad").mkdir()
        (tmp_path / "bad" / "x.png").write_text("no image")
        save_image(tmp_path / "only-hidden" / ".thumbnails" / "x.png")
        data = TextureFolder(tmp_path, CONFIG)
        assert data.classes == ["rock"]
        for name in ("empty", "notes", "bad", "only-hidden"):
            assert f"{tmp_path / name}: no usable image, so there is no class {name!r}" in data.skipped
        assert any("bad/x.png: not a readable image" in line for line in data.skipped)

    def test_a_link_to_nowhere_is_named(self, tmp_path):
        save_image(tmp_path / "rock" / "x.png")
        (tmp_path / "sand").symlink_to(tmp_path / "gone")
        (line,) = TextureFolder(tmp_path, CONFIG).skipped
        assert "sand: no such file" in line


class TestNames:
    @pytest.mark.parametrize("stored", [NFC, NFD])
    def test_a_class_is_found_by_both_unicode_forms(self, tmp_path, stored):
        save_image(tmp_path / stored / "x.png")
        data = TextureFolder(tmp_path, CONFIG)
        assert data.classes == [NFC]
        for asked in (NFC, NFD):
            assert data.image(asked).size == (12, 12)
            assert len(data.regions(asked)) == 1
            assert data.crops(asked, 2, torch.Generator()).shape == (2, 3, 8, 8)
            assert np.asarray(data.pixels(asked, 1, torch.Generator())).max() == 255
            data.crops_with_origins(asked, 1, torch.Generator())

    @pytest.mark.parametrize("other", ["folder", "file"])
    def test_two_unicode_forms_of_one_name_are_refused(self, tmp_path, other):
        save_image(tmp_path / NFC / "x.png")
        save_image(tmp_path / NFD / "x.png" if other == "folder" else tmp_path / f"{NFD}.png")
        if len(os.listdir(tmp_path)) < 2:
            pytest.skip("this file system has one Unicode form only")
        with pytest.raises(ValueError, match=r"two classes .* named 'Café', .*'Cafe\\u0301'"):
            TextureFolder(tmp_path, CONFIG)

    def test_a_file_and_a_folder_of_one_name_are_one_class(self, tmp_path):
        save_image(tmp_path / NFD / "x.png")
        save_image(tmp_path / f"{NFD}.png")
        save_image(tmp_path / f"{NFD}.webp")
        assert len(TextureFolder(tmp_path, CONFIG).regions(NFC)) == 3

    @pytest.mark.parametrize("name", [b"caf\xe9", b"caf\xe9.png"])
    def test_a_class_whose_name_is_not_utf_8_is_refused_by_name(self, tmp_path, name):
        save_image(tmp_path / "rock" / "x.png")
        path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))
        save_image(path if path.suffix else path / "x.png")
        kind = "file" if path.suffix else "folder"
        with pytest.raises(ValueError, match=rf"caf\\xe9.*the name of this {kind} is not UTF-8.*rename it"):
            TextureFolder(tmp_path, CONFIG)

    def test_images_of_a_class_may_have_any_name(self, tmp_path):
        folder = os.fsencode(tmp_path / "rock")
        os.mkdir(folder)
        save_image(tmp_path / "x.png")
        os.rename(tmp_path / "x.png", os.path.join(folder, b"caf\xe9.png"))
        with open(os.path.join(folder, b"bad\xe9.png"), "wb") as file:
            file.write(b"no image")
        data = TextureFolder(tmp_path, CONFIG)
        assert len(data.regions("rock")) == 1
        (line,) = data.skipped
        assert r"bad\xe9.png" in line
        line.encode()
