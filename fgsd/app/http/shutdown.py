"""Shutdown within seconds on SIGTERM or Ctrl+C, whatever is under way.

Runs cannot be interrupted from outside, and event streams of open pages never end; the threads of both would
keep the process alive. So the server accepts nothing more, gives responses under way a moment, removes its
temporary files and ends the process. Open pages find the server gone, as if it had been killed, and connect
to the next one: see `web/header/reconnect.js`.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import NoReturn

import gradio as gr

from fgsd.app.http.temp_dir import remove, use_private_temp_dir
from fgsd.app.limits import TIMEOUT_SHUTDOWN_S


class Shutdown:
    """Handles SIGTERM and Ctrl+C once it is created; until `serve` runs, they end the process at once."""

    def __init__(self) -> None:
        self._serving, self._requested = False, threading.Event()
        if threading.current_thread() is threading.main_thread():  # other threads may not set handlers
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._handle)

    def _handle(self, number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second signal ends the process at once
        if not self._serving:
            sys.exit(0)  # `atexit` removes the temporary folder
        self._requested.set()

    def serve(self, page: gr.Blocks) -> NoReturn:
        """Serve a launched page until a signal comes; then end the process with status 0."""
        self._serving = True
        while page.is_running and not self._requested.wait(0.2):
            pass
        page.server.should_exit = True
        page.server.thread.join(TIMEOUT_SHUTDOWN_S)
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        remove(use_private_temp_dir())
        os._exit(0)
