"""The API as tools for agents, by the Model Context Protocol, if the package `mcp` is installed.

Gradio makes the tools from the endpoints; `fgsd.app.gradio_internals` makes them return every image.
"""

from __future__ import annotations

import importlib.util


def has_mcp() -> bool:
    """Return whether tools can be served: `pip install "fgsd[mcp]"`."""
    return importlib.util.find_spec("mcp") is not None
