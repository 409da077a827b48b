"""What tests of the page's logic share."""

from __future__ import annotations

import base64
import io

from PIL import Image

from fgsd.app.requests.request import SampleRequest, parse_request

CLASSES = ["brick", "moss", "slate"]


def parse(target=None, **values) -> SampleRequest:
    target = [{"name": "moss", "weight": 1}] if target is None else target
    return parse_request(target, classes=CLASSES, multiple=4, **values)


def opened(src: str) -> Image.Image:
    head, _, body = src.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB")
