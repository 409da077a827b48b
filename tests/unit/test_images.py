"""Reading one image: every format becomes 8-bit sRGB, and metadata never costs the pixels."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from bad_files import EXIF_OUT_OF_RANGE, bomb, noise_image
from icc_profiles import (
    DISPLAY_P3,
    SRGB,
    in_display_p3,
    linear_grey_profile,
    red_ink_profile,
    rgb_profile,
    srgb_encoded,
)
from PIL import Image, ImageCms

from fgsd.images import MAX_PIXELS, ImageError, load_image, open_image

RED, BLUE = (200, 30, 10), (10, 40, 220)


def pixels_of(path) -> np.ndarray:
    return np.asarray(load_image(path)).astype(int)


class TestFormats:
    def test_rgb(self, tmp_path):
        expected = noise_image(9, 7)
        Image.fromarray(expected).save(tmp_path / "a.png")
        assert np.array_equal(pixels_of(tmp_path / "a.png"), expected)

    def test_grey(self, tmp_path):
        grey = noise_image(9, 7)[..., 0]
        Image.fromarray(grey).save(tmp_path / "a.png")
        assert np.array_equal(pixels_of(tmp_path / "a.png"), np.repeat(grey[..., None], 3, axis=2))

    def test_black_and_white(self, tmp_path):
        Image.fromarray(np.eye(4, dtype=bool)).save(tmp_path / "a.png")
        assert np.array_equal(pixels_of(tmp_path / "a.png")[..., 1], 255 * np.eye(4))

    def test_palette(self, tmp_path):
        image = Image.new("P", (4, 2))
        image.putpalette([*RED, *BLUE])
        image.putpixel((3, 1), 1)
        image.save(tmp_path / "a.png")
        pixels = pixels_of(tmp_path / "a.png")
        assert tuple(pixels[0, 0]) == RED
        assert tuple(pixels[1, 3]) == BLUE

    @pytest.mark.parametrize("alpha, expected", [(0, (255, 255, 255)), (255, RED), (51, (244, 210, 206))])
    def test_transparent_images_are_composited_on_white(self, tmp_path, alpha, expected):
        Image.new("RGBA", (3, 3), (*RED, alpha)).save(tmp_path / "a.png")
        assert np.abs(pixels_of(tmp_path / "a.png")[1, 1] - expected).max() <= 1

    def test_grey_with_alpha(self, tmp_path):
        Image.new("LA", (3, 3), (0, 51)).save(tmp_path / "a.png")
        assert np.abs(pixels_of(tmp_path / "a.png") - 204).max() <= 1

    def test_a_transparent_palette_entry_becomes_white(self, tmp_path):
        image = Image.new("P", (2, 1))
        image.putpalette([*RED, *BLUE])
        image.putpixel((1, 0), 1)
        image.save(tmp_path / "a.png", transparency=0)
        pixels = pixels_of(tmp_path / "a.png")
        assert tuple(pixels[0, 0]) == (255, 255, 255)
        assert tuple(pixels[0, 1]) == BLUE

    def test_a_transparent_colour_becomes_white(self, tmp_path):
        image = Image.new("RGB", (2, 1), RED)
        image.putpixel((1, 0), BLUE)
        image.save(tmp_path / "a.png", transparency=RED)
        pixels = pixels_of(tmp_path / "a.png")
        assert tuple(pixels[0, 0]) == (255, 255, 255)
        assert tuple(pixels[0, 1]) == BLUE

    def test_sixteen_bits_are_scaled_even_if_the_image_is_dark(self, tmp_path):
        values = np.array([[0, 257, 200 * 257, 65535]], dtype=np.uint16)
        Image.fromarray(values).save(tmp_path / "full.png")
        Image.fromarray(np.array([[0, 128, 129, 255]], dtype=np.uint16)).save(tmp_path / "dark.png")
        assert pixels_of(tmp_path / "full.png")[0, :, 0].tolist() == [0, 1, 200, 255]
        assert pixels_of(tmp_path / "dark.png")[0, :, 0].tolist() == [0, 0, 1, 1]

    def test_sixteen_bits_of_a_tiff(self, tmp_path):
        Image.fromarray(np.array([[0, 100 * 257, 65535]], dtype=np.uint16)).save(tmp_path / "a.tif")
        assert pixels_of(tmp_path / "a.tif")[0, :, 2].tolist() == [0, 100, 255]

    def test_cmyk(self, tmp_path):
        Image.new("CMYK", (4, 4), (0, 0, 0, 255)).save(tmp_path / "a.tif")
        assert pixels_of(tmp_path / "a.tif").max() == 0

    def test_exif_orientation(self, tmp_path):
        image = Image.new("RGB", (16, 8), RED)
        image.paste(BLUE, (0, 0, 16, 4))  # blue on top as stored
        exif = Image.Exif()
        exif[0x0112] = 6  # rotate by 90 degrees clockwise for display: the stored top is the right side
        image.save(tmp_path / "a.png", exif=exif)
        pixels = pixels_of(tmp_path / "a.png")
        assert pixels.shape == (16, 8, 3)
        assert tuple(pixels[0, 7]) == BLUE
        assert tuple(pixels[15, 0]) == RED

    def test_the_format_is_detected_from_the_content(self, tmp_path):
        Image.fromarray(noise_image(5, 5)).save(tmp_path / "a.png")
        (tmp_path / "a.png").rename(tmp_path / "a.jpg")
        assert np.array_equal(pixels_of(tmp_path / "a.jpg"), noise_image(5, 5))

    def test_the_first_frame_of_an_animation(self, tmp_path):
        frames = [Image.new("RGB", (4, 4), RED), Image.new("RGB", (4, 4), BLUE)]
        frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
        frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
        assert tuple(pixels_of(tmp_path / "a.png")[2, 2]) == RED
        assert np.abs(pixels_of(tmp_path / "a.gif")[2, 2] - RED).max() <= 4

    def test_a_pillow_image(self):
        assert np.array_equal(np.asarray(load_image(Image.fromarray(noise_image(3, 4)))), noise_image(3, 4))


class TestDepth:
    """Values are scaled by the meaning of their type: two images that differ a little load nearly alike."""

    @pytest.mark.parametrize("top", [0.5, 1.0, 1.01, 1.2])
    def test_floats_from_zero_to_one_are_scaled_alike_and_what_is_above_is_clipped(self, tmp_path, top):
        Image.fromarray(np.array([[0.0, 0.2, top]], dtype=np.float32)).save(tmp_path / "a.tif")
        assert pixels_of(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 51, min(255, round(255 * top))]

    @pytest.mark.parametrize("values", [(0, 51, 255), (-1, 0, 1), (0, 0.5, 4.5), (-0.1, 0.5, 1)])
    def test_floats_of_another_unit_are_refused(self, tmp_path, values):
        Image.fromarray(np.array([values], dtype=np.float32)).save(tmp_path / "a.tif")
        with pytest.raises(ImageError, match=r"a\.tif: .*between 0 \(black\) and 1 \(white\)"):
            load_image(tmp_path / "a.tif")

    def test_floating_point_that_is_not_finite_is_refused(self, tmp_path):
        Image.fromarray(np.array([[0.0, np.nan], [1.0, np.inf]], dtype=np.float32)).save(tmp_path / "a.tif")
        with pytest.raises(ImageError, match=r"a\.tif"):
            load_image(tmp_path / "a.tif")

    @pytest.mark.parametrize("top", [255, 256, 65_535, 2**31 - 1])
    def test_integers_of_32_bits_are_refused(self, tmp_path, top):
        image = Image.fromarray(np.array([[0, top]], dtype=np.int32))
        image.save(tmp_path / "a.tif")
        for source in (tmp_path / "a.tif", image):
            with pytest.raises(ImageError, match=f"0 to {top}.* no defined white; save .* 8 or 16 bits"):
                load_image(source)

    def test_integers_with_a_sign_are_refused(self, tmp_path):
        (tmp_path / "a.tif").write_bytes(grey_tiff(struct.pack("<2h", -5, 32_000), bits=16, sample_format=2))
        with pytest.raises(ImageError, match="-5 to 32000"):
            load_image(tmp_path / "a.tif")

    def test_twelve_bits_of_a_tiff(self, tmp_path):
        packed = bytes([0x00, 0x0F, 0xFF])  # 0 and 4095
        (tmp_path / "a.tif").write_bytes(grey_tiff(packed, bits=12))
        assert pixels_of(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 255]

    def test_sixteen_bits_of_a_tiff_whose_white_is_zero(self, tmp_path):
        (tmp_path / "a.tif").write_bytes(grey_tiff(struct.pack("<2H", 0, 200 * 257), bits=16, photometric=0))
        assert pixels_of(tmp_path / "a.tif")[0, :, 0].tolist() == [255, 55]

    @pytest.mark.parametrize("white", [65_535, 1023])
    def test_more_than_eight_bits_of_a_pgm(self, tmp_path, white):
        (tmp_path / "a.pgm").write_bytes(b"P5 2 1 %d\n" % white + struct.pack(">2H", 0, white))
        assert pixels_of(tmp_path / "a.pgm")[0, :, 0].tolist() == [0, 255]

    def test_sixteen_bits_with_a_transparent_level(self, tmp_path):
        values = np.array([[0, 100 * 257, 65535]], dtype=np.uint16)
        Image.fromarray(values).save(tmp_path / "a.png", transparency=0)
        assert pixels_of(tmp_path / "a.png")[0, :, 0].tolist() == [255, 100, 255]

    @pytest.mark.parametrize("values", [np.array([[0, 100]], np.uint16), np.array([[0, 1e-3]], np.float32)])
    def test_values_that_all_become_black_are_refused(self, tmp_path, values):
        Image.fromarray(values).save(tmp_path / "a.tif")
        with pytest.raises(
            ImageError, match=r"a\.tif: its values from 0 to .* would all become grey level 0"
        ):
            load_image(tmp_path / "a.tif")

    @pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.uint8])
    def test_an_image_of_one_value_stays_one(self, tmp_path, dtype):
        Image.fromarray(np.zeros((2, 2), dtype)).save(tmp_path / "a.tif")
        assert pixels_of(tmp_path / "a.tif").max() == 0

    def test_grey_multiplied_by_alpha(self):
        image = Image.new("LA", (2, 2), (0, 51)).convert("La")
        assert np.abs(np.asarray(load_image(image)).astype(int) - 204).max() <= 1


def grey_tiff(data: bytes, *, bits: int, sample_format: int = 1, photometric: int = 1) -> bytes:
    """A TIFF of two pixels side by side."""
    tags = {
        256: 2, 257: 1, 258: bits, 259: 1, 262: photometric, 273: 8 + 2 + 12 * 10 + 4, 277: 1, 278: 1,
        279: len(data), 339: sample_format,
    }  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + b"\0" * 4 + data


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


class TestMetadata:
    """Metadata never costs the pixels; the orientation is applied where it is readable."""

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
    def test_exif_with_a_number_out_of_range(self, tmp_path, kind):
        image = Image.fromarray(noise_image(16, 24)).resize((48, 32), Image.Resampling.NEAREST)
        (tmp_path / "a").write_bytes(encoded(image, kind))
        upright = Image.fromarray(pixels_of(tmp_path / "a").astype(np.uint8)).rotate(-90, expand=True)
        (tmp_path / "b").write_bytes(encoded(image, kind, exif=EXIF_OUT_OF_RANGE))
        assert np.array_equal(pixels_of(tmp_path / "b"), np.asarray(upright))

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
    @pytest.mark.parametrize("exif", [b"Exif\0\0XX*\0\x08\0\0\0\x02\0", b"Exif\0\0II*\0\xff\xff\xff\xff"])
    def test_exif_that_is_none(self, tmp_path, kind, exif):
        image = Image.fromarray(noise_image(16, 24))
        (tmp_path / "a").write_bytes(encoded(image, kind))
        (tmp_path / "b").write_bytes(encoded(image, kind, exif=exif))
        assert np.array_equal(pixels_of(tmp_path / "b"), pixels_of(tmp_path / "a"))

    @pytest.mark.parametrize("late", [False, True], ids=["before the pixels", "after the pixels"])
    @pytest.mark.parametrize(
        "text",
        [
            chunk(b"tEXt", b"prompt\0a texture")[:-1] + b"?",  # wrong checksum
            chunk(b"zTXt", b"workflow\0\0" + zlib.compress(bytes(2_000_000))),  # above Pillow's limit
            chunk(b"zTXt", b"workflow\0\7" + zlib.compress(b"?")),  # unknown compression
            chunk(b"pHYs", b"\0"),  # cut off
            chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(2_000_000))),
        ],
        ids=["checksum", "long", "compression", "short", "long profile"],
    )
    def test_a_png_with_text_that_cannot_be_read(self, tmp_path, text, late):
        expected = noise_image(9, 7)
        exif = Image.Exif()
        exif[0x0112] = 6
        plain = encoded(Image.fromarray(expected), "PNG", exif=exif)
        at = plain.index(b"IEND") - 4 if late else 33
        (tmp_path / "a.png").write_bytes(plain[:at] + text + plain[at:])
        upright = np.rot90(expected, -1)
        assert np.array_equal(pixels_of(tmp_path / "a.png"), upright)
        with open_image(io.BytesIO(plain[:at] + text + plain[at:]), ["PNG"]) as image:
            assert np.array_equal(np.asarray(load_image(image)), upright)

    @pytest.mark.parametrize("profile", [rgb_profile(DISPLAY_P3), linear_grey_profile()])
    def test_orientation_and_profile_are_applied_once(self, tmp_path, profile):
        image = Image.fromarray(noise_image(9, 7))
        if b"GRAY" in profile:
            image = image.convert("L")
        image.save(tmp_path / "a.png", exif=EXIF_OUT_OF_RANGE, icc_profile=profile)
        once = load_image(tmp_path / "a.png")
        assert once.size == (9, 7) and once.info == {}
        assert np.array_equal(np.asarray(load_image(once)), np.asarray(once))

    def test_an_image_of_the_caller_stays_as_it_is(self, tmp_path):
        Image.fromarray(noise_image(9, 7)).save(tmp_path / "a.png", exif=EXIF_OUT_OF_RANGE)
        with Image.open(tmp_path / "a.png") as image:
            load_image(image)
            assert image.getexif()[0x0112] == 6
            assert np.array_equal(np.asarray(image), noise_image(9, 7))

    def test_damaged_pixels_beside_damaged_text_are_refused(self, tmp_path):
        plain = encoded(Image.fromarray(noise_image(40, 40)), "PNG")
        text = chunk(b"tEXt", b"prompt\0a texture")[:-1] + b"?"
        (tmp_path / "a.png").write_bytes(plain[:33] + text + plain[33 : len(plain) // 2])
        with pytest.raises(ImageError, match=r"a\.png"):
            load_image(tmp_path / "a.png")


class TestProfiles:
    """Embedded profiles are applied: the same colours are the same pixels, whatever they are written in."""

    COLOURS = np.kron(noise_image(6, 8) // 2 + 64, np.ones((3, 3, 1), np.uint8))

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
    def test_display_p3(self, tmp_path, kind):
        stored = Image.fromarray(in_display_p3(self.COLOURS).round().astype(np.uint8))
        options = {"lossless": True} if kind == "WEBP" else {}
        (tmp_path / "p3").write_bytes(encoded(stored, kind, icc_profile=rgb_profile(DISPLAY_P3), **options))
        assert np.abs(np.asarray(stored).astype(int) - self.COLOURS).max() > 10
        assert np.abs(pixels_of(tmp_path / "p3") - self.COLOURS).max() <= 2

    @pytest.mark.parametrize(
        "profile", [rgb_profile(SRGB), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()]
    )
    def test_an_srgb_profile_changes_no_bit(self, tmp_path, profile):
        pixels = noise_image(64, 64)
        Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=profile)
        assert np.array_equal(pixels_of(tmp_path / "a.png"), pixels)

    @pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
    def test_grey(self, tmp_path, mode):
        levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
        image = Image.fromarray(levels.astype(np.uint16) * 257 if mode == "I;16" else levels)
        image = image if mode != "LA" else image.convert("LA")
        image.save(tmp_path / "a.png", icc_profile=linear_grey_profile())
        expected = srgb_encoded(levels / 255)
        assert np.abs(pixels_of(tmp_path / "a.png") - expected[..., None]).max() <= 1

    def test_cmyk(self, tmp_path):
        inks = np.zeros((1, 3, 4), np.uint8)  # paper, cyan, cyan and black
        inks[0, 1:, 0], inks[0, 2, 3] = 255, 255
        image = Image.frombytes("CMYK", (3, 1), inks.tobytes())
        image.save(tmp_path / "a.tif", icc_profile=red_ink_profile())
        paper, ink, black = pixels_of(tmp_path / "a.tif")[0]
        assert paper.min() >= 253
        assert np.abs(ink - [255, 0, 0]).max() <= 8  # Lab (53, 80, 67) is the red of sRGB
        assert black.max() <= 3

    def test_transparent_pixels_keep_their_share_of_white(self, tmp_path):
        stored = Image.fromarray(in_display_p3(self.COLOURS).round().astype(np.uint8))
        stored.putalpha(51)
        stored.save(tmp_path / "a.png", icc_profile=rgb_profile(DISPLAY_P3))
        assert np.abs(pixels_of(tmp_path / "a.png") - (0.2 * self.COLOURS + 0.8 * 255)).max() <= 2

    @pytest.mark.parametrize(
        "profile",
        [b"no profile", rgb_profile(DISPLAY_P3)[:200], linear_grey_profile(), red_ink_profile(), b"\0" * 500],
        ids=["text", "cut", "grey", "CMYK", "zeros"],
    )
    def test_a_profile_that_is_damaged_or_of_other_colours_is_ignored(self, tmp_path, profile):
        Image.fromarray(noise_image(9, 7)).save(tmp_path / "a.png", icc_profile=profile)
        assert np.array_equal(pixels_of(tmp_path / "a.png"), noise_image(9, 7))


class TestRefused:
    @pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp"])
    @pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
    def test_truncated_files(self, tmp_path, suffix, share):
        path = tmp_path / f"cut.{suffix}"
        Image.fromarray(noise_image(40, 40)).save(path)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        with pytest.raises(ImageError, match=f"cut.{suffix}"):
            load_image(path)

    def test_corrupt_pixels(self, tmp_path):
        path = tmp_path / "corrupt.png"
        Image.fromarray(noise_image(40, 40)).save(path)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
        with pytest.raises(ImageError, match=r"corrupt\.png"):
            load_image(path)

    def test_text_with_the_suffix_of_an_image(self, tmp_path):
        (tmp_path / "text.png").write_text("no image at all")
        with pytest.raises(ImageError, match=r"text\.png"):
            load_image(tmp_path / "text.png")

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(ImageError, match=r"none\.png: no such file"):
            load_image(tmp_path / "none.png")

    @pytest.mark.parametrize("width, height", [(MAX_PIXELS // 1000 + 1, 1000), (60_000, 60_000)])
    def test_a_decompression_bomb_is_refused_before_it_is_decoded(self, tmp_path, width, height):
        (tmp_path / "bomb.png").write_bytes(bomb(width, height))
        with pytest.raises(ImageError, match=r"bomb\.png.*pixels"):
            load_image(tmp_path / "bomb.png")
