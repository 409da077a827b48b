"""Forged images and recipe files: too large, broken, or of another format than they claim."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

# orientation 6, and a signed fraction of -1 over 0
EXIF_OUT_OF_RANGE = (
    b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x04\x92\n\0\x01\0\0\0&\0\0\0\0\0\0\0"
    b"\xff\xff\xff\xff\0\0\0\0"
)


def noise_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Random pixels (height, width, 3), uint8."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def bomb(width: int, height: int) -> bytes:
    """A PNG with a header and no pixels."""
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT"]
    packed = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def uri(content: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def headed(content: bytes, width: int, height: int) -> bytes:
    """A PNG whose header claims another size."""
    changed = bytearray(content)
    changed[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    changed[29:33] = zlib.crc32(changed[12:29]).to_bytes(4, "big")
    return bytes(changed)


def bad_images() -> list[str]:
    """Images that are too large, broken, mislabelled or animated; a few are valid."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    png, jpeg, webp = saved(image, "PNG"), saved(image, "JPEG"), saved(image, "WEBP")
    turned = Image.Exif()
    turned[0x0112] = 6
    text = b"tEXt" + b"k\0" + b"v" * 100
    chunk = len(text[4:]).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    scans = jpeg[:-2] + b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" * 5_000 + b"\xff\xd9"
    contents = [
        headed(png, 9_000, 9_000),
        headed(png, 60_000, 60_000),
        headed(png, 0, 40),
        headed(png, 2_000, 2_000),
        headed(png, 1, 2**31 - 1),
        png[: len(png) // 2],
        jpeg[: len(jpeg) // 2],
        webp[: len(webp) // 2],
        png[:8],
        png[:33] + chunk * 3_000 + png[33:],
        b"GIF89a" + png,
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='http://127.0.0.1:1/'/></svg>",
        png + b"<script>alert(1)</script>",
        jpeg[:2] + b"\xff\xfe\0\x20<script>alert(1)</script>..." + jpeg[2:],
        scans,
        saved(image, "PNG", save_all=True, append_images=[image.rotate(90, expand=False)] * 3),
        saved(image, "WEBP", save_all=True, append_images=[image] * 3),
        saved(image, "JPEG", exif=turned),
        jpeg[:2] + b"\xff\xe1\0\x10Exif\0\0II*\0\xff\xff\xff\xff" + jpeg[2:],
        saved(image.resize((4, 4)), "PNG"),
        saved(image, "TIFF"),
        saved(image, "BMP"),
        saved(image, "ICO"),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"",
        b"\0" * 1_000,
    ]
    odd = [
        "data:image/svg+xml;base64,PHN2Zy8+",
        "data:text/html,x",
        "data:image/png;base64,!!",
        "data:,",
        "data:",
    ]
    return [*map(uri, contents), *odd, "data:image/png;base64," + "A" * 3_100_000]


def bad_recipes() -> list[str]:
    texture = {"name": "a", "values": "AAAA", "colour": uri(b"x"), "thumbnail": uri(b"")}
    head = {"format": "fgsd-recipe-1", "checkpoint": "0" * 16, "link": "?mix=a:1", "own": [texture]}
    deep = "[" * 100_000
    return [
        json.dumps(head),
        json.dumps({**head, "own": [texture] * 99}),
        deep,
        "{}",
        "null",
        '{"format": NaN}',
    ]
