"""Serve the page: from the command line, or from `app.py` at the root of the repository."""

from __future__ import annotations

# isort: off
import fgsd.app.gradio_import  # noqa: F401 - before all that imports Gradio
# isort: on

import contextlib
import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
from starlette.middleware import Middleware

from fgsd.app.api.mcp import has_mcp
from fgsd.app.gradio_internals import (
    call_tools_without_proxy,
    requests_without_proxy,
    return_every_file_from_tools,
)
from fgsd.app.http.address import AddressError, check_address
from fgsd.app.http.errors import HANDLERS
from fgsd.app.http.isolation import IsolationMiddleware
from fgsd.app.http.malloc import bound_heaps
from fgsd.app.http.middleware import PageMiddleware
from fgsd.app.http.shutdown import Shutdown
from fgsd.app.http.temp_dir import use_private_temp_dir
from fgsd.app.limits import MAX_QUEUED_EVENTS, MAX_SESSIONS, MAX_THREADS, MAX_UPLOAD_BYTES
from fgsd.app.page import build_page
from fgsd.app.panels.evidence import evidence_route
from fgsd.app.serving.zero_gpu import on_zero_gpu
from fgsd.app.web_files import STYLES, module_route, plotly_route
from fgsd.pipeline import Pipeline

if TYPE_CHECKING:
    from fgsd.app.site.served import ServedSite

# fonts of the visitor's system, so that the page loads nothing from other servers
SANS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
PORTS = range(7860, 7960)  # that are tried where the caller names none


def launch(
    checkpoint: str | Path,
    data: str | Path | None,
    host: str = "127.0.0.1",
    port: int | None = 7860,
    *,
    evidence: str | Path | None = None,
    open_browser: bool = False,
    device: str | None = None,
    block: bool = True,
    quiet: bool = False,
    share: bool = True,
    auto_learn: bool = True,
    first: tuple[int, int] | None = None,
    site: str | Path | None = None,
) -> gr.Blocks:
    """Load a checkpoint and serve its page.

    Parameters
    ----------
    checkpoint : str or Path
        A folder or a hub id; see `Pipeline.from_pretrained`.
    data : str, Path or None
        The images that the checkpoint was trained on, for thumbnails; with None they are grey.
    host : str
        Address to listen on; "0.0.0.0" serves the whole network.
    port : int or None
        None or 0 takes the first free port from 7860.
    evidence : str, Path or None
        The page that `fgsd report` writes, for visitors to open; without such a file there is no button.
    open_browser : bool
        Open the page in a browser of this machine.
    device : str, optional
        "cpu", "cuda" or "mps"; by default the best one. A ZeroGPU Space lends one: see `zero_gpu`.
    block : bool
        Serve until SIGTERM or Ctrl+C, then end the process with status 0 within five seconds. With False,
        return at once; the caller ends the server with `page.close()`.
    quiet : bool
        Print no address.
    share : bool
        Whether requests of several visitors share a batch where that is faster; see
        `fgsd.app.serving.scheduler`.
    auto_learn : bool
        Whether the page learns an image of a visitor at once, if that takes at most half a minute; otherwise
        it offers a button.
    first : (images, side in pixels), optional
        Of a new visit; by default one image, as large as this device samples in 1.5 seconds.
    site : str, Path or None
        A folder that `fgsd site` has written for the same checkpoint: browsers load the network from it after
        the first drag, and make previews by themselves where they are faster than this server.

    Raises
    ------
    CheckpointError
        If there is no usable checkpoint.
    FileNotFoundError, ValueError
        If there is no usable image in `data`, or `site` is no site of this checkpoint.
    AddressError
        If the port is taken, or the host is not this machine.
    """
    check_address(host, port)
    bound_heaps()
    shutdown = Shutdown() if block else None
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    use_private_temp_dir()
    # visitors see the name of the checkpoint, not its path on this machine
    name = "/".join(Path(checkpoint).parts[-2:])
    report = Path(evidence).resolve() if evidence is not None and Path(evidence).is_file() else None
    pipe = Pipeline.from_pretrained(checkpoint, device="cpu" if on_zero_gpu() else device)

    served = None if site is None else _read_site(site, pipe)

    def serve(port: int) -> gr.Blocks:
        page = build_page(
            pipe,
            data,
            checkpoint=name,
            evidence=report is not None,
            share=share,
            auto_learn=auto_learn,
            first=first,
            site=None if served is None else served.config,
        )
        page.queue(max_size=MAX_QUEUED_EVENTS)
        page.launch(
            server_name=host,
            server_port=port,
            inbrowser=open_browser,
            prevent_thread_lock=True,
            # Gradio would advise `share=True`, which is not the option of this name; it prints the address of
            # its MCP server all the same
            quiet=True,
            theme=make_theme(),
            css_paths=STYLES,
            footer_links=[],
            ssr_mode=False,
            mcp_server=has_mcp(),
            app_kwargs={
                "routes": [
                    module_route(),
                    plotly_route(),
                    *([] if report is None else [evidence_route(report)]),
                    *([] if served is None else served.routes()),
                ],
                "middleware": [
                    *([] if served is None else [Middleware(IsolationMiddleware)]),
                    Middleware(PageMiddleware),
                ],
                "exception_handlers": HANDLERS,
            },
            max_threads=MAX_THREADS,
            # every call of a program has a session; the page loses nothing with one, since the server keeps
            # what belongs to visitors elsewhere (`UserTextureStore`, `RequestSequence`)
            state_session_capacity=MAX_SESSIONS,
            max_file_size=MAX_UPLOAD_BYTES,  # of programs; images from the page come as events
        )
        return page

    silence = contextlib.redirect_stdout(io.StringIO()) if quiet else contextlib.nullcontext()
    with silence, requests_without_proxy(host):
        page = serve(port) if port else on_first_free_port(host, serve)
    if not quiet:
        print(f"* Running on local URL:  {page.local_url}", flush=True)
    return_every_file_from_tools(page)
    call_tools_without_proxy(page)
    if shutdown is not None:
        shutdown.serve(page)
    return page


def _read_site(folder: str | Path, pipe: Pipeline) -> ServedSite:
    from fgsd.app.site.served import read_site  # which few servers need

    return read_site(folder, pipe)


def on_first_free_port(host: str, serve: Callable[[int], gr.Blocks]) -> gr.Blocks:
    """Serve on the first port from 7860 that is free, and return the page.

    A port may be taken between the check and the start of the server. Gradio would then try the next port
    with the same page, which its MCP server refuses for every further port; `serve` builds another page.

    Raises
    ------
    AddressError
        If every port is taken, or the host is not this machine.
    """
    for port in PORTS:
        if is_taken(host, port):
            continue
        try:
            return serve(port)
        except OSError:
            if not is_taken(host, port):  # it is another error
                raise
    sentence = f"all ports from {PORTS[0]} to {PORTS[-1]} are taken; name a free one as port="
    raise AddressError(errno.EADDRINUSE, sentence)


def is_taken(host: str, port: int) -> bool:
    """Return whether another program listens on a port."""
    try:
        check_address(host, port)
    except AddressError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return True
    return False


def make_theme() -> gr.themes.Base:
    """Return a theme of greys and one blue, which colour-blind visitors can tell apart."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.blue,
        neutral_hue=gr.themes.colors.stone,
        font=SANS,
        font_mono=MONO,
        radius_size=gr.themes.sizes.radius_sm,
        spacing_size=gr.themes.sizes.spacing_sm,
        text_size=gr.themes.sizes.text_sm,
    )
