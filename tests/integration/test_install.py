"""The wheel contains all that the first picture needs, and works outside the repository."""

import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from zipfile import ZipFile

import pytest
from PIL import Image

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
SHIPPED = "fgsd/shipped/"
REPORT = "<title>a report</title>"
BUILD_SDIST = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
PIP = [sys.executable, "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check"]


def run(*command: object, cwd: Path, **variables: str) -> str:
    """Output of a command without the PYTHONPATH of this process, which holds the repository."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    ran = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of the repository without the products of earlier builds, with a short report."""
    ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "outputs")
    folder = shutil.copytree(ROOT, tmp_path_factory.mktemp("source") / "fgsd", ignore=ignored)
    (folder / "assets" / "evidence" / "report.html").write_text(REPORT)
    return folder


@pytest.fixture(scope="module")
def sdist(source, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-c", BUILD_SDIST, folder, cwd=source)
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory) -> Path:
    """Built from the sdist with the installed tools; nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    run(*PIP, "wheel", sdist, "--no-build-isolation", "--no-deps", "--no-index", "-w", folder, cwd=folder)
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    run(*PIP, "install", wheel, "--no-deps", "--no-index", "--target", folder, cwd=folder)
    return folder


def names_in(folder: Path, *patterns: str) -> set[str]:
    return {path.name for pattern in patterns for path in folder.glob(pattern)}


def test_the_wheel_contains_the_package_and_nothing_else(wheel, source):
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert archive.read(f"{SHIPPED}assets/evidence/report.html").decode() == REPORT
    package = source / "fgsd"
    code = {f"fgsd/{p.relative_to(package).as_posix()}" for p in package.rglob("*") if p.is_file()}
    code.remove("fgsd/app/web/package.json")  # for Node, which only the checks of the browser half need
    shipped = {
        f"{SHIPPED}{path.relative_to(source).as_posix()}"
        for folder in ("checkpoints/textures", "assets/textures")
        for path in (source / folder).iterdir()
    }
    assert len(shipped) > 64
    rest = names - code - shipped - {f"{SHIPPED}assets/evidence/report.html"}
    assert code | shipped <= names
    assert rest and all(name.partition("/")[0].endswith(".dist-info") for name in rest)
    assert wheel.stat().st_size < 35_000_000  # the checkpoints' calibrations are 4 MB of it


def test_the_sdist_contains_no_tests_and_no_checkpoint_of_a_study(sdist):
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert "checkpoints/textures/model.safetensors" in names
    assert [
        name for name in names if name.startswith(("tests", "checkpoints/textures-", "checkpoints/study"))
    ] == []


def test_it_samples_from_an_empty_folder(installed, tmp_path):
    path = run(
        sys.executable, "-c", "import fgsd; print(fgsd.__file__)", cwd=tmp_path, PYTHONPATH=str(installed)
    )
    assert Path(path.strip()).is_relative_to(installed)
    command = [sys.executable, installed / "bin" / "fgsd"]
    names = run(*command, "classes", cwd=tmp_path, PYTHONPATH=str(installed)).split()
    assert len(names) == 64 and "lava" in names
    options = ["--class", "lava", "-n", 1, "--steps", 2, "-o", "lava.png"]
    run(*command, "sample", *options, cwd=tmp_path, PYTHONPATH=str(installed))
    with Image.open(tmp_path / "lava.png") as image:
        assert image.size == (64, 64)
    assert names_in(tmp_path, "*") == {"lava.png"}


@pytest.mark.slow
def test_it_serves_the_page_and_the_report_from_an_empty_folder(installed, tmp_path):
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "fgsd.cli", "app", "--no-browser", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:  # it starts only with its checkpoint and its textures
                page = fetch(port, "")
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
        assert "gradio" in page
        assert fetch(port, "evidence.html") == REPORT
    finally:
        process.terminate()
        process.wait(timeout=30)


def fetch(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}") as response:
        return response.read().decode()
