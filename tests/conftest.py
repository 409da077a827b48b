"""What test files share: a tiny network, a folder of synthetic textures, a browser and a served page."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported, so before everything else

import numpy as np
import pytest
import torch
from PIL import Image

from fgsd.centroids import compute_table
from fgsd.checkpoint import Checkpoint, CheckpointInfo, save_checkpoint
from fgsd.data import DataConfig, TextureFolder
from fgsd.levels import noise_levels
from fgsd.model.network import Denoiser, NetworkConfig
from fgsd.pipeline import Pipeline
from fgsd.training.export import export

TINY = NetworkConfig(
    widths=(8, 16), blocks=(1, 1), embedding=16, gate=8, head=8, features=("down0", "down1", "up0")
)
COLOURS = {"brick": (170, 70, 50), "moss": (60, 130, 50), "slate": (80, 90, 120)}


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Compute with one thread: the networks are tiny, and sums then have a fixed order."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def still_one_thread(one_thread):
    """Undo what a command that ran in the test before has set."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Fail a test that connects to another machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        host = address[0] if isinstance(address, tuple) else None  # None: a unix socket
        local = host in (None, "", "localhost")
        if not local:
            try:
                local = ipaddress.ip_address(host).is_loopback
            except ValueError:
                local = False
        if not local:
            raise RuntimeError(f"a test tried to connect to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def tiny() -> NetworkConfig:
    """A network of about ten thousand parameters, with features in encoder and decoder; multiple 4."""
    return TINY


@pytest.fixture(scope="session")
def lively() -> Callable[..., Denoiser]:
    """A function that builds a denoiser with random weights in all layers, also those initialised to zero."""

    def build(config: NetworkConfig = TINY, *, seed: int = 0, size: float = 0.15) -> Denoiser:
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        network = Denoiser(config)
        with torch.no_grad():
            for p in network.parameters():
                p.add_(size * torch.randn(p.shape, generator=generator))
            if network.normalization is not None:
                for buffer in (network.normalization.mean, network.normalization.spread):
                    buffer.add_(size * torch.randn(buffer.shape, generator=generator))
        return network.eval().requires_grad_(False)

    return build


@pytest.fixture(scope="session")
def texture_folder(tmp_path_factory) -> Path:
    """Three classes with one image of 48 x 48 pixels each, which differ in colour, stripes and grain."""
    folder = tmp_path_factory.mktemp("textures")
    for k, (name, colour) in enumerate(COLOURS.items()):
        random = np.random.default_rng(k)
        rows, columns = np.mgrid[:48, :48]
        stripes = 35 * np.sin(2 * np.pi * (rows * k + columns * (2 - k)) / 12)
        values = np.array(colour) + stripes[..., None] + random.normal(0, 12, (48, 48, 1))
        Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="session")
def data_config() -> DataConfig:
    return DataConfig(image_size=None, patch_size=16, test_share=1 / 3)


@pytest.fixture(scope="session")
def data(texture_folder, data_config) -> TextureFolder:
    """The synthetic textures, cut into crops of 16 pixels."""
    return TextureFolder(texture_folder, data_config)


@pytest.fixture(scope="session")
def checkpoint_folder(tmp_path_factory, lively, data) -> Path:
    """A saved checkpoint of a `lively` network with the centroids of the synthetic textures.

    Tests that change files of a checkpoint use a copy.
    """
    network = lively(size=0.08)
    table = compute_table(network, data, noise_levels(0.02, 4.0, 6), crops=12)
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    save_checkpoint(Checkpoint(network, table, CheckpointInfo(patch_size=16, image_size=48)), folder)
    return folder


@pytest.fixture(scope="session")
def pipe(checkpoint_folder) -> Pipeline:
    return Pipeline.from_pretrained(checkpoint_folder, device="cpu")


@pytest.fixture
def exact_previews(pipe, monkeypatch) -> None:
    """Previews to the bit, also where the CPU has bfloat16."""
    monkeypatch.setattr(pipe.engines, "quick", pipe.engines.exact)


@pytest.fixture
def few_crops(monkeypatch) -> None:
    """Average 4 crops instead of 48 for each centroid: that takes longer than training."""
    monkeypatch.setitem(export.__kwdefaults__, "crops", 4)


# ---- for the tests that drive a browser; playwright is imported only by them ----


def pytest_collection_modifyitems(items):
    """Browser tests last: their event loop then runs beside no other test, and what is quick comes first."""
    items.sort(key=lambda item: "browser" in item.keywords)


@pytest.fixture(scope="session")
def playwright():
    """Playwright, of which a process can have one only."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright):
    """Chromium, started once."""
    from browser_help import FLAGS

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("the browser tests need Chromium: apt-get install -y chromium")
    browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def server(checkpoint_folder, texture_folder, tmp_path_factory):
    """The page in a process of its own, started once; what a visitor does there no other one sees."""
    from app_server import AppServer

    server = AppServer(checkpoint_folder, texture_folder, tmp_path_factory.mktemp("journal") / "steps.txt")
    yield server
    server.close()


@pytest.fixture(scope="session")
def rested() -> list:
    """Tabs that tests have left. What they have loaded is there: a page opens in half the time."""
    return []


@pytest.fixture
def visit(browser, server, rested) -> Iterator[Callable]:
    """A function that opens the page as a new visitor; the page must have said nothing on its console.

    The visitor has asked for reduced motion, which saves time; tests of motion pass `reduced_motion`. Without
    options a visitor may come in the tab of one who has left, which keeps nothing of theirs. `at` is another
    server than the one that most tests share; `script` runs before the scripts of the page. The hints of the
    first visit were dismissed before, without `tour`.
    """
    from browser_help import DESKTOP, TIMEOUT_MS, finished

    from fgsd.benchmarks.dom import NO_TOUR

    pages, special, complaints = [], [], []

    def new_page(script=None, tour=False, **options):
        context = browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **options})
        context.set_default_timeout(TIMEOUT_MS)
        if not tour:
            context.add_init_script(NO_TOUR)
        if script is not None:  # runs before those of the page
            context.add_init_script(script)
        page = context.new_page()
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: page.complaints.append(said.text) if said.type == "error" else None,
        )
        page.on("request", lambda request: page.asked.append(request.url))
        return page

    def open_page(path: str = "", at=server, **options):
        page = new_page(**options) if options or not rested else rested.pop()
        (special if options else pages).append(page)
        page.server, page.asked, page.complaints = at, [], complaints
        page.goto(at.url.rstrip("/") + "/" + path, wait_until="commit")
        finished(page)
        return page

    yield open_page
    said = [*complaints]  # what follows cuts requests off, and is no test
    for page in pages:
        if page.is_closed():
            special.append(page)
            continue
        page.unroute_all(behavior="ignoreErrors")
        page.mouse.move(0, 0)
        page.mouse.up()
        page.evaluate(
            """() => { localStorage.clear(); sessionStorage.clear();
                       const deletion = indexedDB.deleteDatabase('fgsd');
                       return new Promise(done => { deletion.onsuccess = deletion.onerror = done; }); }"""
        )
        page.goto("about:blank")
        rested.append(page)
    for page in special:
        page.context.close()
    assert not said


@pytest.fixture(scope="session")
def onnx_runtime_web(tmp_path_factory) -> Path:
    """The package that samples in browsers: 33 MB, from the user's cache or by npm. For integration tests."""
    from tools import skip_without

    from fgsd.app.site.runtime import ARCHIVE, VERSION, cached_archive

    if cached_archive().is_file():
        return cached_archive()
    skip_without(shutil.which("npm"), "npm, which fetches ONNX Runtime Web")
    folder = tmp_path_factory.mktemp("npm")
    subprocess.run(["npm", "pack", f"onnxruntime-web@{VERSION}"], cwd=folder, check=True, capture_output=True)
    return folder / ARCHIVE
