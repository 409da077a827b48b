"""The page starts quickly: it imports heavy packages only when they are needed."""

import subprocess
import sys

import pytest

LATE = "umap", "numba", "sklearn", "scipy.stats", "torch._dynamo", "accelerate", "av", "plotly"
START = """
import sys
import fgsd, fgsd.app
print("gradio" in sys.modules, "sklearn" in sys.modules)
from fgsd.app.page import build_page
from fgsd.pipeline import Pipeline

build_page(Pipeline.from_pretrained(sys.argv[1], device="cpu"), sys.argv[2])
print(*[name for name in sys.argv[3:] if name in sys.modules], "gradio" in sys.modules)
"""


def test_the_library_is_light_and_heavy_imports_of_the_page_come_late(checkpoint_folder, texture_folder):
    command = [sys.executable, "-c", START, str(checkpoint_folder), str(texture_folder), *LATE]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["False False", "True"]


@pytest.mark.parametrize(("given", "found"), [(None, "1000"), ("7", "7")])
def test_threads_that_wait_leave_the_cores_to_others(monkeypatch, given, found):
    """Each command imports `fgsd.app` before torch, which reads the variable when it is imported."""
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    if given is not None:
        monkeypatch.setenv("GOMP_SPINCOUNT", given)
    script = "import fgsd.cli.main, fgsd.app, os, sys; print(os.environ['GOMP_SPINCOUNT'], *sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    value, *modules = ran.stdout.split()
    assert value == found and "fgsd.app" in modules and "torch" not in modules


RACE = """
import socket, sys
import httpx
from fgsd.app import server

with socket.socket() as other:
    other.bind(("127.0.0.2", 0))  # Gradio looks at 127.0.0.1 only: it fails as late as in a race
    other.listen()
    taken = other.getsockname()[1]
    server.PORTS = range(taken, taken + 20)
    is_taken, asked = server.is_taken, []
    server.is_taken = lambda *address: bool(asked) and is_taken(*address) or asked.append(address) is not None
    page = server.launch(
        sys.argv[1], sys.argv[2], "127.0.0.2", None, device="cpu", block=False, quiet=True, open_browser=False
    )
    assert page.server_port > taken, (page.server_port, taken)
    with httpx.Client(base_url=page.local_url, trust_env=False) as client:
        assert client.get("/").status_code == 200
        assert client.post("/gradio_api/mcp/").status_code == 400  # MCP: an empty message
    page.close()
"""


def test_a_port_that_is_taken_between_check_and_start_costs_another_page(checkpoint_folder, texture_folder):
    command = [sys.executable, "-c", RACE, str(checkpoint_folder), str(texture_folder)]
    subprocess.run(command, check=True, timeout=60)
