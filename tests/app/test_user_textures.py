"""Textures of a visitor, without a browser."""

from __future__ import annotations

import base64
import io
import struct
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from bad_files import EXIF_OUT_OF_RANGE
from PIL import Image

from fgsd.app.limits import (
    MAX_DEEP_PIXELS,
    MAX_STORED_IMAGES,
    MAX_TEXTURE_FILE_CHARACTERS,
    MAX_UPLOAD_CHARACTERS,
    MAX_UPLOAD_PIXELS,
    MAX_USER_TEXTURES,
    MIN_DECODED_SIDE,
)
from fgsd.app.render.user_textures import (
    CROPS,
    THUMBNAIL,
    UserTexture,
    UserTextureStore,
    centroids,
    clean_name,
    make_texture,
    open_texture,
    read_image,
)
from fgsd.app.requests.request import RequestError, parse_request
from fgsd.app.requests.target import target_centroid
from fgsd.pipeline import Pipeline


def picture(width: int = 48, height: int = 48, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def uri(image: Image.Image, kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


# the head of a photograph by a phone; Pillow cannot read the format
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)


class TestMakeTexture:
    def test_it_is_the_centroid_of_the_image_with_its_nearest_classes_and_positions(self, pipe):
        image = picture(60, 50)
        texture = make_texture(pipe, uri(image), "my photo.jpg", pipe.classes)
        same = pipe.centroid_of(image, crops=CROPS)
        assert texture.name == "my photo"
        assert torch.equal(texture.centroid.values, same.values)
        assert torch.equal(texture.centroid.colour, same.colour)
        assert texture.near == pipe.nearest(same, 3)
        positions = pipe.map.project_centroid("pca", same)
        assert np.array(texture.pca) == pytest.approx(positions, abs=1e-3)
        assert texture.umap is None or np.array(texture.umap).shape == positions.shape
        assert read_image(texture.src).size == (THUMBNAIL, THUMBNAIL)
        assert len(texture.src) < 10_000

    def test_a_training_image_lies_at_its_class(self, pipe, texture_folder):
        texture = make_texture(pipe, uri(Image.open(texture_folder / "slate.png")), "x", pipe.classes)
        assert texture.near[0][0] == "slate"

    def test_its_values_for_the_page(self, pipe):
        texture = make_texture(pipe, uri(picture()), "one", pipe.classes)
        values = texture.page_values()
        assert set(values) == {"name", "src", "near", "pca", "umap", "learnable"}
        assert len(values["pca"]) == len(pipe.table.sigmas)

    def test_it_is_mixed_like_any_class(self, pipe):
        texture = make_texture(pipe, uri(picture()), "one", pipe.classes)
        target = [{"name": "one", "weight": 1}, {"name": "moss", "weight": 3}]
        request = parse_request(target, classes=[*pipe.classes, "one"], multiple=4)
        mixed = target_centroid(pipe, request, centroids({"one": texture}))
        expected = 0.25 * texture.centroid.values + 0.75 * pipe.table.of("moss").values
        assert torch.allclose(mixed.values, expected, atol=1e-6)


class TestTextureFiles:
    def test_a_texture_comes_back_from_its_file(self, pipe):
        texture = make_texture(pipe, uri(picture()), "my wall.png", pipe.classes)
        content = texture.to_file(pipe)
        assert len(content) < MAX_TEXTURE_FILE_CHARACTERS // 4 * 3
        for file in (content, base64.b64encode(content).decode()):
            opened = open_texture(pipe, file, ["my wall"])
            assert opened.name == "my wall 2" and opened.near == texture.near and opened.pca == texture.pca
            assert torch.equal(opened.centroid.values, texture.centroid.values)
            assert opened.image is None and not opened.page_values()["learnable"]

    @pytest.mark.parametrize("content", [None, 7, [], "", "?", b"", b"x" * 300_000, "A" * 400_000])
    def test_what_is_no_file_gets_a_sentence(self, pipe, content):
        with pytest.raises(RequestError, match=r"no texture file|too large|cannot be read"):
            open_texture(pipe, content, [])

    def test_a_file_that_is_cut_or_has_a_nan_gets_a_sentence(self, pipe):
        texture = make_texture(pipe, uri(picture()), "wall.png", [])
        with pytest.raises(RequestError, match="This file: damaged, or no texture file"):
            open_texture(pipe, texture.to_file(pipe)[:-9], [])
        values = texture.centroid.values.clone()
        values[2, 1] = float("nan")
        broken = replace(texture, centroid=replace(texture.centroid, values=values))
        with pytest.raises(RequestError, match="This file: values must hold finite numbers"):
            open_texture(pipe, broken.to_file(pipe), [])

    def test_a_file_of_another_network_gets_a_sentence(self, pipe, lively):
        other = Pipeline(lively(pipe.network.config, seed=5), pipe.table, pipe.info, "cpu")
        content = make_texture(pipe, uri(picture()), "wall.png", []).to_file(pipe)
        with pytest.raises(RequestError, match="made with another network"):
            open_texture(other, content, [])

    def test_a_forged_file_that_names_this_network_has_its_shape_checked(self, pipe):
        texture = make_texture(pipe, uri(picture()), "wall.png", [])
        short = replace(texture.centroid, values=texture.centroid.values[:, :-1])
        with pytest.raises(RequestError, match="made with another network"):
            open_texture(pipe, replace(texture, centroid=short).to_file(pipe), [])


class TestReadImage:
    def test_a_jpeg_with_too_many_scans_is_refused(self):
        buffer = io.BytesIO()
        picture().save(buffer, "JPEG", progressive=True)
        content = buffer.getvalue()
        scan = content[content.rindex(b"\xff\xda") : -2]
        slow = content[:-2] + scan * 200 + content[-2:]
        with pytest.raises(RequestError, match="cannot be read"):
            read_image(f"data:image/jpeg;base64,{base64.b64encode(slow).decode()}")
        assert read_image(f"data:image/jpeg;base64,{base64.b64encode(content).decode()}").size == (48, 48)

    def test_damaged_metadata_does_not_cost_the_pixels(self):
        image = picture(40, 30)
        buffer = io.BytesIO()
        image.save(buffer, "PNG", exif=EXIF_OUT_OF_RANGE)
        content = buffer.getvalue()
        text = struct.pack(">I", 3) + b"tEXta\0b????"  # its checksum is wrong
        for one in (content, content[:33] + text + content[33:]):
            found = read_image(f"data:image/png;base64,{base64.b64encode(one).decode()}")
            assert np.array_equal(np.asarray(found), np.rot90(np.asarray(image), -1))

    def test_damaged_text_behind_the_pixels_of_a_large_image_does_not_cost_them(self):
        buffer = io.BytesIO()
        Image.new("RGB", (2 * MIN_DECODED_SIDE, 2 * MIN_DECODED_SIDE), "red").save(buffer, "PNG")
        content = buffer.getvalue()
        text = struct.pack(">I", 3) + b"tEXta\0b????"
        found = read_image(content[:-12] + text + content[-12:])
        assert found.size == (MIN_DECODED_SIDE, MIN_DECODED_SIDE) and found.getpixel((0, 0)) == (255, 0, 0)

    def test_scans_of_thumbnails_and_of_films_behind_the_image_do_not_count(self):
        """Phones keep a thumbnail in the metadata, and append a film of seconds to the image."""
        buffer = io.BytesIO()
        picture().save(buffer, "JPEG", comment=b"\xff\xda" * 200)
        read_image(buffer.getvalue() + b"\xff\xda" * 200)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "GIF"])
    def test_formats_of_cameras_phones_and_browsers(self, kind):
        assert read_image(uri(picture(40, 30), kind)).size == (40, 30)
        buffer = io.BytesIO()
        picture(40, 30).save(buffer, kind)
        assert read_image(buffer.getvalue()).size == (40, 30)

    @pytest.mark.parametrize("content", [HEIC, b"BM" + bytes(80), b"<svg/>", b"hello"])
    def test_a_sentence_names_the_formats_and_calls_no_file_incomplete(self, content):
        with pytest.raises(RequestError, match="it must be a PNG, JPEG, WebP, AVIF or GIF"):
            read_image(content)

    @pytest.mark.parametrize(
        ("kind", "mode"),
        [("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "L"),
         ("PNG", "P"), ("PNG", "1"), ("WEBP", "RGB"), ("AVIF", "RGB"), ("GIF", "P")],
    )  # fmt: skip
    def test_a_large_image_is_scaled_while_it_is_decoded(self, kind, mode):
        side = MIN_DECODED_SIDE
        small = Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 3, 3), dtype=np.uint8))
        large = small.resize((2 * side + 100, 4 * side), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        large.convert(mode).save(buffer, kind)
        image = read_image(buffer.getvalue())
        assert image.size == (side + 50, 2 * side) and image.mode == "RGB"
        expected = Image.open(buffer).convert("RGB").resize(image.size, Image.Resampling.BOX)
        assert np.abs(np.asarray(image, int) - np.asarray(expected, int)).mean() < 1

    def test_an_image_below_that_size_keeps_every_pixel(self):
        image, buffer = picture(2 * MIN_DECODED_SIDE - 1, 2 * MIN_DECODED_SIDE + 300), io.BytesIO()
        image.save(buffer, "PNG", compress_level=1)
        assert np.array_equal(np.asarray(read_image(buffer.getvalue())), np.asarray(image))

    @pytest.mark.parametrize("kind", ["JPEG", "PNG"])
    def test_fifty_megapixels_take_bounded_memory(self, kind, tmp_path):
        """Ordinary photographs of phones; in a process of its own, whose peak is measured."""
        Image.linear_gradient("L").resize((8192, 6144)).convert("RGB").save(tmp_path / "photo", kind)
        code = (
            "import resource, sys; from pathlib import Path\n"
            "from fgsd.app.render.user_textures import read_image\n"
            "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000\n"
            "before = peak(); image = read_image(Path(sys.argv[1]).read_bytes())\n"
            "print(*image.size, peak() - before)"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "photo")]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        width, height, megabytes = map(float, ran.stdout.split())
        assert MIN_DECODED_SIDE <= min(width, height) < 2 * MIN_DECODED_SIDE
        assert megabytes < {"JPEG": 60, "PNG": 300}[kind]

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (None, "no image"),
            (3, "no image"),
            (["data:image/png;base64,"], "no image"),
            ("", "no image"),
            ("data:text/html;base64,PGI+", "no image"),
            ("data:image/svg+xml;base64,PHN2Zz4=", "no image"),
            ("file:///etc/passwd", "no image"),
            ("data:image/png;base64,", "cannot be read"),
            ("data:image/png;base64,!!!!", "cannot be read"),
            ("data:image/png;base64,aGVsbG8gd29ybGQ=", "cannot be read"),
            (uri(picture())[:400], "cannot be read"),
            ("data:image/png;base64,ü", "cannot be read"),
            ("data:image/png;base64," + "A" * MAX_UPLOAD_CHARACTERS, "at most"),
            (
                uri(Image.new("1", (MAX_UPLOAD_PIXELS // 64 + 1, 64))),
                "1000001 x 64 pixels; at most 64,000,000",
            ),
            (
                uri(Image.new("I;16", (MAX_DEEP_PIXELS // 64 + 1, 64))),
                "of more than 8 bits; at most 16,000,000",
            ),
        ],
    )
    def test_other_values_are_refused_with_a_short_sentence(self, value, words):
        with pytest.raises(RequestError, match=words) as caught:
            read_image(value)
        assert len(str(caught.value)) < 160

    def test_other_formats_are_refused(self):
        """A TIFF is an image, but its decoder has a long list of flaws, and no browser sends one."""
        with pytest.raises(RequestError, match="cannot be read"):
            read_image(uri(picture(), "TIFF"))

    @pytest.mark.parametrize("size", [(15, 60), (60, 15), (1, 1)])
    def test_one_smaller_than_a_training_crop_is_refused(self, pipe, size):
        with pytest.raises(RequestError, match=r"15|1 x 1"):
            make_texture(pipe, uri(picture(*size)), "x", [])


class TestNames:
    @pytest.mark.parametrize(
        ("file_name", "name"),
        [
            ("my photo.JPG", "my photo"),
            ("IMG_2043.jpeg", "IMG 2043"),
            ("image.png", "my texture"),
            ("", "my texture"),
            (None, "my texture"),
            (7, "my texture"),
            ("....", "my texture"),
            ("../../etc/passwd", "etc passwd"),
            ('"><script>alert(1)</script>.png', "script alert 1 script"),
            ("Fußweg:a,b.png", "Fußweg a b"),
            ("x" * 100, "x" * 24),
            ("Cafe\u0301.jpg", "Café"),  # as macOS writes it
            ("हिन्दी_दीवार.jpg", "हिन्दी दीवार"),
            ("石畳.heic", "石畳"),
        ],
    )
    def test_they_are_short_and_plain(self, file_name, name):
        assert clean_name(file_name, []) == name

    def test_a_name_that_is_taken_gets_a_number(self):
        assert clean_name("Brick.png", ["brick", "brick 2"]) == "Brick 3"
        assert clean_name("lava flow", ["lava-flow"]) == "lava flow 2"
        assert clean_name("", ["my texture"]) == "my texture 2"


class TestStore:
    @pytest.fixture
    def texture(self, pipe) -> UserTexture:
        return make_texture(pipe, uri(picture()), "wall.png", [])

    def test_of_too_many_textures_the_oldest_is_dropped(self, texture):
        store = UserTextureStore()
        for k in range(MAX_USER_TEXTURES + 2):
            store.add("a", replace(texture, name=f"t{k}"))
        assert list(store.of("a")) == [f"t{k}" for k in range(2, MAX_USER_TEXTURES + 2)]

    def test_a_texture_is_swapped_only_for_the_one_that_is_meant(self, texture):
        store = UserTextureStore()
        newer = replace(texture, src="newer")
        assert not store.swap("a", texture, newer)
        store.add("a", replace(texture, name="first"), texture, replace(texture, name="last"))
        assert store.swap("a", texture, newer) and not store.swap("a", texture, newer)
        assert [t.src for t in store.of("a").values()] == [texture.src, "newer", texture.src]
        assert list(store.of("a")) == ["first", "wall", "last"]
        assert store.remove("a", "wall") is newer and store.remove("a", "wall") is None
        assert not store.swap("a", newer, texture) and "wall" not in store.of("a")

    def test_of_too_many_images_the_oldest_are_dropped_and_their_textures_stay(self, texture):
        store = UserTextureStore()
        assert texture.image is not None
        for k in range(MAX_STORED_IMAGES + 3):
            store.add(f"v{k}", texture)
        images = [store.of(f"v{k}")["wall"].image for k in range(MAX_STORED_IMAGES + 3)]
        assert [image is None for image in images] == [True] * 3 + [False] * MAX_STORED_IMAGES

    def test_each_visitor_has_other_textures(self, texture):
        store = UserTextureStore()
        store.add("a", texture)
        assert store.of("a") == {"wall": texture} and store.of("b") == {}
        store.of("a").clear()  # a copy
        assert store.of("a") == {"wall": texture}
        store.forget("a")
        store.forget("a")
        assert store.of("a") == {}

    def test_of_too_many_visitors_the_oldest_is_dropped(self, texture):
        store = UserTextureStore(max_visitors=2)
        for visitor in ("a", "b", "a", "c"):
            store.add(visitor, texture)
        assert [bool(store.of(visitor)) for visitor in "abc"] == [True, False, True]

    @pytest.mark.parametrize("visitor", [None, 3, ["a"], {"a": 1}, ""])
    def test_a_forged_visitor_has_none(self, visitor):
        assert UserTextureStore().of(visitor) == {}
