"""Colour profiles (ICC, version 2) made by hand, whose colours are known in closed form."""

from __future__ import annotations

import struct

import numpy as np

WHITE = (0.9642, 1.0, 0.8249)  # D50
# columns: XYZ of red, green and blue, adapted to D50
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
DISPLAY_P3 = np.array(
    [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)


def srgb_encoded(linear: np.ndarray) -> np.ndarray:
    """Grey levels 0 to 255 of linear light 0 to 1, by the curve that sRGB and Display P3 share."""
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def linear_light(levels: np.ndarray) -> np.ndarray:
    """The inverse of `srgb_encoded`."""
    shares = levels / 255
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def in_display_p3(srgb: np.ndarray) -> np.ndarray:
    """Levels (..., 3) in Display P3 of the colours that have these levels in sRGB."""
    return srgb_encoded(linear_light(srgb) @ (np.linalg.inv(DISPLAY_P3) @ SRGB).T)


def rgb_profile(primaries: np.ndarray) -> bytes:
    curve = linear_light(np.arange(1024) * 255 / 1023)
    table = b"curv\0\0\0\0" + struct.pack(">I", 1024) + (65535 * curve).round().astype(">u2").tobytes()
    tags = {f"{c}XYZ".encode(): _xyz(column) for c, column in zip("rgb", primaries.T, strict=True)}
    return _profile(b"RGB ", b"XYZ ", tags | {f"{c}TRC".encode(): table for c in "rgb"})


def linear_grey_profile() -> bytes:
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": b"curv\0\0\0\0" + struct.pack(">I", 0)})


def red_ink_profile() -> bytes:
    """A CMYK profile of a press whose cyan ink is red: Lab (53, 80, 67); black ink makes all black."""
    table = b""
    for c in (0, 1):
        for k in (0, 1) * 4:  # magenta and yellow change nothing
            lightness, a, b = (0, 0, 0) if k else (53, 80, 67) if c else (100, 0, 0)
            table += bytes([round(lightness * 2.55), a + 128, b + 128])
    identity = struct.pack(">9i", *(65536, 0, 0, 0, 65536, 0, 0, 0, 65536))
    ramp = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + 4 * ramp + table + 3 * ramp
    return _profile(b"CMYK", b"Lab ", {b"A2B0": lut}, device=b"prtr")


def _xyz(values) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * v) for v in values))


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], *, device: bytes = b"mntr") -> bytes:
    text = b"by hand\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + b"\0" * 78
    tags = {b"desc": description, b"cprt": b"text\0\0\0\0none\0", b"wtpt": _xyz(WHITE), **tags}
    start, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"\0" * 4, 0x02100000, device, space, connection)
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    head += b"".join(struct.pack(">i", round(65536 * v)) for v in WHITE)
    return head.ljust(128, b"\0") + table + body
