"""The files that a Hugging Face Space uses."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import httpx
import pytest
from huggingface_hub import metadata_load
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_requirements_are_the_dependencies():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert lines == PROJECT["dependencies"]


def test_the_head_of_the_readme_configures_a_space():
    head = metadata_load(ROOT / "README.md")
    [gradio] = [r for r in map(Requirement, PROJECT["dependencies"]) if r.name == "gradio"]
    assert head["sdk"] == "gradio" and gradio.specifier.contains(head["sdk_version"])
    assert SpecifierSet(PROJECT["requires-python"]).contains(head["python_version"])
    assert head["license"] in PROJECT["license"].lower().split(" and ")  # the license of the code
    assert len(head["short_description"]) <= 60  # the Hub refuses longer ones
    assert (ROOT / head["app_file"]).is_file()


def test_gradio_variables_set_the_address(monkeypatch):
    import runpy

    from fgsd.app import server

    addresses = []
    monkeypatch.setattr(server, "launch", lambda *values, **options: addresses.append(values[2:]))
    for name in ("GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)
    runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "8080")
    runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
    assert addresses == [("127.0.0.1", 7860), ("0.0.0.0", 8080)]


@pytest.mark.slow
@pytest.mark.browser
def test_the_tracked_files_with_the_requirements_serve_the_page(browser, tmp_path):
    from browser_help import finished

    tree = tmp_path / "space"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, tracked.stdout.split("\0")):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    python = tmp_path / "environment" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "environment"], check=True)
    install = [python, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "torch==2.13.0"], check=True)  # a CPU build: see .ci/run
    subprocess.run([*install, "-r", "requirements.txt"], cwd=tree, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outside = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    space = subprocess.Popen(
        [python, metadata_load(ROOT / "README.md")["app_file"]],
        cwd=tree,
        env={**outside, "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)},
    )
    try:
        address, deadline = f"http://127.0.0.1:{port}/", time.monotonic() + 120
        while not responds(address):
            assert space.poll() is None and time.monotonic() < deadline, "the page does not start"
            time.sleep(0.5)
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(address, wait_until="commit")
        finished(page)
        page.close()
    finally:
        space.terminate()
        space.wait(timeout=30)


def responds(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 200
    except httpx.TransportError:
        return False
