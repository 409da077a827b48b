"""A site samples by WebGPU, in a Chromium whose graphics processor is a program (SwiftShader).

A page takes such a one for none, and it is slower than WASM: tests hide that it is a program, and let it be
slower. What a real graphics processor brings is not tested.
"""

from __future__ import annotations

import re
import shutil

import pytest
from browser_help import DESKTOP, FLAGS, TIMEOUT_MS, finished
from site_help import alike, computed_by, sheet

from fgsd.app.site.build import build_site
from fgsd.benchmarks.dom import NO_TOUR
from fgsd.benchmarks.site import serve_folder

pytestmark = [pytest.mark.browser, pytest.mark.integration]  # it fetches 33 MB from npm

WEBGPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
HARDWARE = "Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', { get: () => false });"
NO_ADAPTER = "GPU.prototype.requestAdapter = () => Promise.resolve(null);"
NO_DEVICE = "GPUAdapter.prototype.requestDevice = () => Promise.reject(new Error('none left'));"
WITHOUT_PROMISES = "delete WebAssembly.Suspending;"
# the worker's device is lost on demand
LOSS = """const request = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = async function (...options) {
    const device = await request.apply(this, options);
    new BroadcastChannel('loss').onmessage = () => device.destroy();
    return device;
};"""
LOSE = "() => new BroadcastChannel('loss').postMessage('')"
SLOWER = ("const MAX_SHARE = 1;", "const MAX_SHARE = 1e9;")
OTHER_PICTURE = (
    'pixelsBy(network, centroids, preview, "webgpu")',
    'pixelsBy(network, centroids, { ...preview, name: "moss" }, "webgpu")',
)


@pytest.fixture(scope="module")
def gpu_browser(playwright):
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    flags = [flag for flag in FLAGS if flag != "--disable-gpu"]
    browser = playwright.chromium.launch(executable_path=path, args=[*flags, *WEBGPU])
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def address(pipe, texture_folder, onnx_runtime_web, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build_site(pipe, texture_folder, folder, runtime=onnx_runtime_web)
    with serve_folder(folder) as served:
        yield served


@pytest.fixture
def sample(gpu_browser, address):
    """A function that opens the link of a picture as a new visitor, and returns the page that shows it.

    `script` runs before those of the page, and `in_worker` before that of the worker; `replaced` is a text of
    the latter, and what it becomes.
    """
    contexts = []

    def open_page(query: str, *, script: str = "", in_worker: str = "", replaced: tuple = ()):
        # without the service worker, whose requests Playwright does not see
        options = {"viewport": DESKTOP, "reduced_motion": "reduce", "service_workers": "block"}
        contexts.append(context := gpu_browser.new_context(**options))
        context.set_default_timeout(TIMEOUT_MS)
        context.add_init_script(NO_TOUR + script)

        def change(route) -> None:
            body = route.fetch().text()
            if replaced:
                assert body.count(replaced[0]) == 1
                body = body.replace(*replaced)
            route.fulfill(body=in_worker + body, content_type="text/javascript")

        context.route("**/worker-*.js", change)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda said: page.said.append(said.text))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(address + query)
        finished(page, "0")
        return page

    yield open_page
    for context in contexts:
        context.close()


def runtimes(page) -> set[str]:
    """Which builds of ONNX Runtime the page has loaded."""
    return set(re.findall(r"/ort-([a-z]+)-[0-9a-f]{12}\.bin", " ".join(page.asked)))


def said(page, words: str) -> bool:
    return any(words in text for text in page.said)


@pytest.mark.parametrize("runtime", ["jspi", "asyncify"])
def test_a_picture_by_webgpu_is_that_of_python_and_outlives_the_loss_of_the_device(sample, pipe, runtime):
    script = HARDWARE + (WITHOUT_PROMISES if runtime == "asyncify" else "")
    query = "?mix=moss:0.4,brick:0.6&images=1&size=64&seed=3&steps=5"
    page = sample(query, script=script, in_worker=LOSS, replaced=SLOWER)
    expected = pipe.sample({"moss": 0.4, "brick": 0.6}, size=64, seed=3, steps=5)[0]
    assert alike(sheet(page), expected)
    assert computed_by(page) == "browser, WebGPU" and runtimes(page) == {runtime}

    page.evaluate(LOSE)
    page.locator("#another").click()
    finished(page, "1")
    assert computed_by(page) == "browser" and said(page, "WebGPU has failed")
    seed = int(page.locator("[name=seed]").input_value())
    expected = pipe.sample({"moss": 0.4, "brick": 0.6}, size=64, seed=seed, steps=5)[0]
    assert alike(sheet(page), expected)
    assert runtimes(page) == {runtime}  # nothing more was loaded


@pytest.mark.parametrize(
    ("options", "runtime", "words"),
    [
        ({"script": NO_ADAPTER}, "wasm", ""),
        ({}, "wasm", ""),  # a program that does the work of a graphics processor
        ({"script": HARDWARE, "in_worker": NO_DEVICE}, "jspi", "WebGPU has failed"),
        ({"script": HARDWARE}, "jspi", "WebGPU is not used: it takes"),
        ({"script": HARDWARE, "replaced": OTHER_PICTURE}, "jspi", "WebGPU is not used: its pixels differ by"),
    ],
    ids=["no adapter", "software", "no device", "slower", "other pixels"],
)
def test_wasm_samples_where_webgpu_cannot(sample, pipe, options, runtime, words):
    page = sample("?mix=brick:1.0&images=1&size=64&seed=3&steps=2", **options)
    assert computed_by(page) == "browser" and runtimes(page) == {runtime}
    assert said(page, words or "WebGPU") == bool(words)
    assert alike(sheet(page), pipe.sample("brick", size=64, seed=3, steps=2)[0])
