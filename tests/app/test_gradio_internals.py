"""Contract of Gradio's private parts that the page uses: a version that breaks it fails here.

Their effects are tested elsewhere: cancelling in `test_admission.py`, refusals in
`test_api.py`, sweeping in `test_queue_cleanup.py`, images of tools in `test_api.py`.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import gradio as gr
import httpx
import orjson
import pytest
from app_server import PROXIES
from gradio import blocks, queueing, routes, server_messages
from gradio import networking as gradio_networking

from fgsd.app import gradio_internals

ROOT = Path(__file__).parents[2]


def test_the_installed_version_is_of_the_minor_that_the_package_pins():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = [*project["dependencies"], *project["optional-dependencies"]["mcp"]]
    pins = [pin for pin in pins if re.match(r"gradio(\[|>)", pin)]  # not gradio-client, which follows
    minor = ".".join(version("gradio").split(".")[:2])
    assert len(pins) == 2 and all(f">={minor}" in pin for pin in pins)


def test_the_values_of_an_event_pass_through_one_method_before_it_runs():
    parameters = inspect.signature(gr.Blocks.preprocess_data).parameters
    assert list(parameters) == ["self", "block_fn", "inputs", "state", "explicit_call"]
    assert inspect.iscoroutinefunction(gr.Blocks.preprocess_data)


def test_an_event_outside_of_the_queue_is_alive_and_has_no_request():
    assert gradio_internals.event_is_alive()() is True
    assert gradio_internals.current_request() is None


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # Gradio leaves event loops to the collector
def test_an_app_has_a_queue_that_keeps_events_and_messages_by_the_names_that_are_swept():
    with gr.Blocks(analytics_enabled=False) as page:
        button = gr.Button("Run")
        button.click(lambda: None, None, None)
    queue = gradio_internals.queue_of(routes.App.create_app(page))
    assert isinstance(queue, queueing.Queue) and queue is page._queue
    assert gradio_internals.busy_sessions(queue) == set() and gradio_internals.unread_messages(queue) == {}

    pending: asyncio.Queue = asyncio.Queue()
    pending.put_nowait("answer")
    queue.pending_messages_per_session["left"] = pending
    queue.pending_event_ids_session["left"] = {"1"}
    assert gradio_internals.unread_messages(queue) == {"left": "answer"}
    gradio_internals.forget_session(queue, "left")
    assert gradio_internals.unread_messages(queue) == {} and queue.pending_event_ids_session == {}

    event = queueing.Event("left", next(iter(page.fns.values())), None, None)
    assert event.alive
    queue.event_ids_to_events["1"] = event
    assert gradio_internals.busy_sessions(queue) == {"left"}
    del page, queue, event, button
    gc.collect()  # now, and not during another test


def test_messages_begin_with_their_kind_and_their_event():
    """As `web/shared/stream.js` reads them."""
    completed = server_messages.ProcessCompletedMessage(event_id="a", output={}, success=True)
    close = server_messages.CloseStreamMessage()
    heads = [orjson.dumps(message.model_dump()).decode() for message in (completed, close)]
    assert heads[0].startswith('{"msg":"process_completed","event_id":"a",')
    assert heads[1].startswith('{"msg":"close_stream"')


@pytest.mark.parametrize("forged", [None, 7, "text", [1]])
def test_data_of_an_event_that_is_no_object_is_empty(forged):
    assert gradio_internals.event_data(gr.EventData(None, forged)) == {}
    assert gradio_internals.event_data(gr.EventData(None, {"name": 1})) == {"name": 1}


def test_a_file_that_is_saved_twice_has_one_path_below_the_folder(tmp_path):
    first, second = (
        Path(gradio_internals.save_to_upload_folder(b"content", "a.png", tmp_path)) for _ in range(2)
    )
    assert first == second and first.is_relative_to(tmp_path) and first.read_bytes() == b"content"


def test_parts_of_gradio_hold_the_temporary_folder_under_one_name(tmp_path, monkeypatch):
    holders = [
        module
        for name, module in sys.modules.items()
        if name.startswith("gradio") and "DEFAULT_TEMP_DIR" in vars(module)
    ]
    assert holders
    for module in holders:
        monkeypatch.setattr(module, "DEFAULT_TEMP_DIR", module.DEFAULT_TEMP_DIR)
    gradio_internals.set_temp_dir(tmp_path)
    assert {module.DEFAULT_TEMP_DIR for module in holders} == {str(tmp_path)}


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # Gradio leaves event loops to the collector
def test_a_launch_requests_its_own_address_by_names_that_are_replaced(monkeypatch):
    requested, request = [], httpx.request

    def record(method, url, *, trust_env, **options):
        requested.append((method, httpx.URL(url).path, trust_env))
        return httpx.Response(200) if trust_env else request(method, url, trust_env=False, **options)

    monkeypatch.setattr(httpx, "request", record)
    for name, value in PROXIES.items():
        monkeypatch.setenv(name, value)
    with gr.Blocks(analytics_enabled=False) as page:
        gr.Button("Run")
    with gradio_internals.requests_without_proxy("127.0.0.1"):
        page.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, ssr_mode=False)
        page.close()
        assert requested == [("GET", "/gradio_api/startup-events", False), ("HEAD", "/", False)]
        # other addresses are requested through the proxy, as ever
        gradio_networking.httpx.get("http://example.org/")
        assert requested[-1][2] is True
    assert blocks.httpx is gradio_networking.httpx is httpx
    del page
    gc.collect()  # now, and not during another test


def test_an_unknown_endpoint_has_a_class_of_errors():
    assert issubclass(gradio_internals.UnknownEndpoint, Exception)
