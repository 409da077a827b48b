"""Calls of the page's API in a test, over plain HTTP, and images as they are sent and come back."""

from __future__ import annotations

import base64
import io
import json
import re

import httpx
import numpy as np
from PIL import Image

API = "gradio_api"


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def uri(content: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def pixels(image) -> np.ndarray:
    return np.asarray(image.convert("RGB"))


def called(web: httpx.Client, name: str, values) -> tuple[str, object]:
    """The last event of a call, and its data; values are positional (a list) or by name (a dict)."""
    version = "v2/" if isinstance(values, dict) else ""
    body = json.dumps(values if version else {"data": values})  # with NaN, which httpx refuses to encode
    begun = web.post(
        f"{API}/call/{version}{name}", content=body, headers={"content-type": "application/json"}
    )
    if begun.status_code != 200:
        return str(begun.status_code), begun.json()["error"]
    text = web.get(f"{API}/call/{name}/{begun.json()['event_id']}").text
    assert "Traceback" not in text
    event, data = re.findall(r"event: (\w+)\ndata: (.*)", text)[-1]
    return event, json.loads(data)


def fetched(web: httpx.Client, file: dict) -> np.ndarray:
    return pixels(Image.open(io.BytesIO(web.get(file["url"]).content)))
