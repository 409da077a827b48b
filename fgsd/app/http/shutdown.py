"""How a server ends when it is asked to: within seconds, whatever is under way, and without complaint.

Runs cannot be cut off from outside, event streams of open pages never end by themselves, and the threads of
both would keep the process alive. So nothing more is taken in, what is nearly done gets a moment, temporary
files are removed, and then the process ends. Open pages find the server gone, as if it had been killed, and
come back with the next one: see `away.js`.
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

GRACE = 1.0  # seconds that answers under way may take


class Shutdown:
    """Hears SIGTERM and Ctrl+C once it is made: while the server starts, they end the process at once."""

    def __init__(self) -> None:
        self._serving, self._asked = False, threading.Event()
        if threading.current_thread() is threading.main_thread():  # no other may set handlers
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._hear)

    def _hear(self, number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)  # whoever asks twice does not want to wait
        if not self._serving:
            sys.exit(0)  # through `atexit`, which removes the folder
        self._asked.set()

    def serve(self, page: gr.Blocks) -> NoReturn:
        """Serve a launched page until the end is asked for; then end the process, with status 0."""
        self._serving = True
        while page.is_running and not self._asked.wait(0.2):
            pass
        page.server.should_exit = True
        page.server.thread.join(GRACE)
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        remove(use_private_temp_dir())
        os._exit(0)
