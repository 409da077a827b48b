"""Imports Gradio, without what would slow or end that; import this before other modules that need Gradio.

Gradio makes an HTTP client as soon as it is imported, which the page does not use. Where ALL_PROXY names a
SOCKS proxy, httpx would raise an error for want of a package. So the proxies are hidden for that moment.

For editors of programs, Gradio also compares a stub file beside each of its modules with what it would write
there, which takes four tenths of its import. It leaves out a class whose file is not known, so it is not told
any for that moment.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from collections.abc import Iterator
from typing import Any


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


@contextlib.contextmanager
def without_stub_files() -> Iterator[None]:
    """Raise OSError where Gradio looks for the file of a class to write stubs for."""
    getfile = inspect.getfile

    def getfile_for_others(thing: Any) -> str:
        if sys._getframe(1).f_globals.get("__name__") == "gradio.component_meta":
            raise OSError("no stub file is wanted")
        return getfile(thing)

    inspect.getfile = getfile_for_others  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = getfile


with hidden_proxies(), without_stub_files():
    import gradio  # noqa: F401
