"""The page in a separate process, for tests that drive a browser.

Run as `python app_server.py CHECKPOINT DATA JOURNAL [EVIDENCE]`: it prints the address and serves until it is
ended. Each step of diffusion and each end of a run is a line in the journal, so that a test sees what the
server did.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# as in companies; no proxy answers there, and none is to be asked
PROXIES = {name: "http://127.0.0.1:9" for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")}
PROXIES |= {
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "all_proxy": "socks5://127.0.0.1:9",
    "NO_PROXY": "",
    "no_proxy": "",
}


class AppServer:
    """A page served from a checkpoint: its `url`, and the journal of its runs."""

    def __init__(
        self,
        checkpoint: Path,
        data: Path,
        journal: Path,
        evidence: Path | None = None,
        stderr: Any = None,
        **environment: str,
    ) -> None:
        journal.touch()
        self.journal = journal
        root = Path(__file__).parents[1]
        paths = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, __file__, *map(str, filter(None, (checkpoint, data, journal, evidence)))],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, **PROXIES, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **environment},
        )
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError(
                f"the page did not start (exit status {self._process.wait()}); see its errors above"
            )

    def lines(self) -> list[str]:
        """The journal: `step K of N` for each step, `end` for each run that has ended after a step."""
        return self.journal.read_text().splitlines()

    def settled(self) -> None:
        """Wait until every run has ended."""
        deadline = time.monotonic() + 60
        while True:
            lines = self.lines()
            if sum(line.startswith("step 1 of") for line in lines) == lines.count("end"):
                return
            if time.monotonic() > deadline:
                raise RuntimeError("a run does not end")
            time.sleep(0.1)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within it no run gets on, as on a server with too many visitors."""
        stop = _stop_file(self.journal)
        stop.touch()
        try:
            yield
        finally:
            stop.unlink()

    def memory(self) -> float:
        """Resident memory of the server, in MB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def close(self) -> None:
        self._process.terminate()
        status = self._process.wait(timeout=30)
        self._process.stdout.close()
        if status != 0:
            raise RuntimeError(f"the page ended with exit status {status}")


def _stop_file(journal: str | Path) -> Path:
    return Path(journal).with_suffix(".held")


def serve(checkpoint: str, data: str, journal: str, evidence: str | None = None) -> None:
    import fgsd.app.gradio_import  # noqa: F401 - as in `fgsd.app.server`
    from fgsd.app.http.shutdown import Shutdown
    from fgsd.app.server import launch
    from fgsd.pipeline import Pipeline

    stream = Pipeline.stream

    def journaled(self, *args, **options):
        with open(journal, "a", buffering=1) as file:
            begun = False  # a run may be cancelled before its first step
            try:
                for step in stream(self, *args, **options):
                    while _stop_file(journal).exists():
                        time.sleep(0.05)
                    file.write(f"step {step.index} of {step.steps}\n")
                    begun = True
                    yield step
            finally:
                if begun:
                    file.write("end\n")

    Pipeline.stream = journaled
    shutdown = Shutdown()
    # most tests of textures want the picture of the mean features, without another run behind it
    learns = "AUTO_LEARN" in os.environ
    if os.environ.get("AUTO_LEARN") == "slow":  # as on a machine where learning takes long
        from fgsd.app.panels import learning

        learning.MAX_AUTO_LEARNING_S = 0.0
    # most tests want four small pictures, and whole previews, whatever the speed of the machine
    from fgsd.app.panels import state

    speed = os.environ.get("SECONDS_PER_PIXEL")
    state.measure_evaluation = lambda pipe, preview=False: float(speed or 1e-9)
    first = None if speed else (4, 64)
    options = {
        "evidence": evidence,
        "first": first,
        "device": "cpu",
        "block": False,
        "quiet": True,
        "auto_learn": learns,
        "site": os.environ.get("SITE"),
    }
    page = launch(checkpoint, data, port=None, **options)
    print(page.local_url, flush=True)
    shutdown.serve(page)


if __name__ == "__main__":
    serve(*sys.argv[1:])
