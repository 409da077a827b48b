"""Debian's Firefox without a window, worked by WebDriver BiDi over its own socket; no driver is needed."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

PREFERENCES = """
user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);
"""


def firefox_path() -> str | None:
    return shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    """One tab; `errors` holds what its scripts and its console have complained about.

    Parameters
    ----------
    profile : Path
        An empty folder.
    """

    def __init__(self, profile: Path, *, timeout: float = 60) -> None:
        (profile / "user.js").write_text(PREFERENCES)
        command = [firefox_path() or "firefox", "--headless", "--no-remote", "--profile", str(profile)]
        self._process = subprocess.Popen(
            [*command, "--remote-debugging-port=0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
                break
        else:
            raise RuntimeError("Firefox did not start")
        self._timeout, self._ids = timeout, itertools.count()
        self._stack = ExitStack()  # `connect` is a context manager
        self._socket = self._stack.enter_context(connect(found[1] + "/session", max_size=None, proxy=None))
        self.errors: list[str] = []
        self("session.new", capabilities={})
        self("session.subscribe", events=["log.entryAdded"])
        self.context = self("browsingContext.getTree")["contexts"][0]["context"]

    def __call__(self, method: str, **params: Any) -> Any:
        """Send a command, and return its result."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=self._timeout))
            if message.get("method") == "log.entryAdded" and message["params"]["level"] == "error":
                self.errors.append(str(message["params"].get("text")))
            if message.get("id") == number:
                if message["type"] == "error":
                    raise RuntimeError(f"{method}: {message['error']}: {message['message']}")
                return message["result"]

    def open(self, url: str, width: int, height: int) -> None:
        self("browsingContext.setViewport", context=self.context, viewport={"width": width, "height": height})
        self("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, which may be a promise: what JSON can hold."""
        result = self(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})))()",
            target={"context": self.context},
            awaitPromise=True,
        )
        if result["type"] == "exception":
            raise RuntimeError(result["exceptionDetails"]["text"])
        return json.loads(result["result"].get("value", "null"))

    def wait_for(self, expression: str) -> None:
        """Wait until an expression is true."""
        limit = 1000 * self._timeout - 5000
        polled = f"""new Promise((done, failed) => {{
            const began = performance.now();
            const poll = () => {{
                if ({expression}) done(true);
                else if (performance.now() - began > {limit}) failed(new Error('too late'));
                else setTimeout(poll, 100);
            }};
            poll();
        }})"""
        self.evaluate(polled)

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 8) -> None:
        """Press at one position, move to another, and let go."""
        moves = [
            {
                "type": "pointerMove",
                "x": round(start[0] + k / steps * (end[0] - start[0])),
                "y": round(start[1] + k / steps * (end[1] - start[1])),
                "duration": 30,
            }
            for k in range(steps + 1)
        ]
        down, up = ({"type": f"pointer{way}", "button": 0} for way in ("Down", "Up"))
        actions = [moves[0], down, *moves[1:], up]
        source = {
            "type": "pointer",
            "id": "mouse",
            "parameters": {"pointerType": "mouse"},
            "actions": actions,
        }
        self("input.performActions", context=self.context, actions=[source])

    def close(self) -> None:
        self._stack.close()
        self._process.terminate()
        self._process.wait(timeout=30)
        assert self._process.stderr is not None
        self._process.stderr.close()
