"""The API as tools of agents, by the Model Context Protocol, where the package `mcp` is installed."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio_client.utils import is_file_obj_with_meta


def has_mcp() -> bool:
    """Whether tools can be served: `pip install "fgsd[mcp]"`."""
    return importlib.util.find_spec("mcp") is not None


def show_every_file(page: gr.Blocks) -> None:
    """Let the tools of a launched page return each picture as one, and everything else as JSON.

    Gradio shows a picture only where it is all that a tool returns; lists it writes as Python does.
    """
    server = page.mcp_server_obj
    if server is None:
        return
    contents = server.postprocess_output_data

    def every(data: Any, root_url: str) -> list:
        return contents(list(_parts(data)), root_url)

    server.postprocess_output_data = every


def _parts(data: Any) -> Iterator[Any]:
    if isinstance(data, (list, tuple)):
        for part in data:
            yield from _parts(part)
    elif isinstance(data, str) or is_file_obj_with_meta(data):
        yield data
    else:
        yield json.dumps(data)
