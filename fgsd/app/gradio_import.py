"""Imports Gradio where the environment names proxies; import this before other modules that need Gradio.

Gradio makes an HTTP client as soon as it is imported, which the page does not use. Where ALL_PROXY names a
SOCKS proxy, httpx would raise an error for want of a package. So the proxies are hidden for that moment.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def hidden_proxies() -> Iterator[None]:
    """Hide HTTP_PROXY, ALL_PROXY and the like from what looks for them meanwhile."""
    before = os.environ.get("no_proxy")
    os.environ["no_proxy"] = "*"
    try:
        yield
    finally:
        del os.environ["no_proxy"]
        if before is not None:
            os.environ["no_proxy"] = before


with hidden_proxies():
    import gradio  # noqa: F401
