"""All private parts of Gradio that the page uses, in one file.

Gradio documents none of them, so a new minor version may change them: the package pins the minor version that
this file was written for, and `tests/app/test_gradio_internals.py` checks what it relies on. The file is at
the root of the package because every layer of the page may use it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
from gradio import blocks, networking
from gradio.context import LocalContext
from gradio.processing_utils import save_bytes_to_cache
from gradio.route_utils import FnIndexInferError
from gradio_client import Client
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse

from fgsd.app.limits import MAX_ERROR_CHARACTERS, MAX_EVENT_CHARACTERS

log = logging.getLogger(__name__)

UnknownEndpoint = FnIndexInferError  # Gradio raises it when a call names no endpoint


class Blocks(gr.Blocks):
    """Blocks that refuse wrong inputs of an event with a sentence.

    Gradio itself responds to an input that it cannot preprocess with an error without a message, and
    downloads any address that comes in place of a file.
    """

    async def preprocess_data(
        self, block_fn: Any, inputs: Any, state: Any, explicit_call: bool = False
    ) -> Any:
        if block_fn.fn is None:
            raise _refusal("This event is for the browser alone.")
        if block_fn.api_visibility == "public":
            components = block_fn.inputs
            if len(inputs) > len(components):
                raise _refusal(
                    f"/{block_fn.api_name} takes at most {len(components)} values; {len(inputs)} came."
                )
            # arguments that a program omits at the end take their defaults
            inputs = [*inputs, *(component.value for component in components[len(inputs) :])]
            state = None  # each call has a new session, whose state would keep the inputs after the call
        elif len(json.dumps(inputs, ensure_ascii=False)) > MAX_EVENT_CHARACTERS:
            raise _refusal(f"The values of an event may take {MAX_EVENT_CHARACTERS:,} characters at most.")
        try:
            traverse(inputs, _refuse_address, is_file_obj_with_meta)
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except gr.Error as error:
            # Gradio's message repeats the whole value, and it would print a traceback
            raise _refusal(str(error.message)[:MAX_ERROR_CHARACTERS]) from None
        except Exception as error:
            log.info("refused an input: %s", str(error).partition("\n")[0])
            raise _refusal(
                "This input cannot be read; a file must be uploaded to this server first."
            ) from None


def _refuse_address(file: dict[str, Any]) -> dict[str, Any]:
    if is_http_url_like(str(file.get("path"))):
        raise _refusal("This server downloads no addresses; upload the file, or send it as a data URI.")
    return file


def _refusal(sentence: str) -> gr.Error:
    return gr.Error(sentence, print_exception=False)


def event_data(event: gr.EventData) -> dict[str, Any]:
    """Return the data of an event of the page; {} if it was forged and is no object."""
    return event._data if isinstance(event._data, dict) else {}


def current_request() -> Any:
    """Return the HTTP request of the event that runs in this thread; None outside of an event."""
    return LocalContext.request.get(None)


def event_is_alive() -> Callable[[], bool]:
    """Return a function that tells whether the client still waits for the event that runs in this thread.

    Gradio removes a cancelled event, and marks an event whose client has closed the connection: a page that
    was closed, a program that ended its stream. It does not notice a program that never opened its stream,
    nor an agent that is gone, since the server itself calls the tools of agents. An event outside of the
    queue is always alive.
    """
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    if blocks is None or event_id is None:
        return lambda: True
    events = blocks._queue.event_ids_to_events
    return lambda: (event := events.get(event_id)) is not None and event.alive


def queue_of(app: Any) -> Any:
    """Return the queue of the page that a running FastAPI app serves."""
    return app.get_blocks()._queue


def busy_sessions(queue: Any) -> set[str]:
    """Return the sessions that have an event in the queue or under way."""
    return {event.session_hash for event in queue.event_ids_to_events.values()}


def unread_messages(queue: Any) -> dict[str, Any]:
    """Return, by session, the oldest message that no client has fetched."""
    messages = queue.pending_messages_per_session
    return {session: pending._queue[0] for session, pending in messages.items() if pending.qsize()}


def finished_sessions(queue: Any) -> set[str]:
    """Return the sessions that wait for no message; a new event of such a session begins it anew."""
    awaited, messages = queue.pending_event_ids_session, queue.pending_messages_per_session
    return {session for session in messages if not awaited.get(session)} | (awaited.keys() - messages.keys())


def forget_session(queue: Any, session: str) -> None:
    """Drop what the queue keeps of a session."""
    queue.pending_messages_per_session.pop(session, None)
    queue.pending_event_ids_session.pop(session, None)


def upload_folder() -> Path:
    """Return the folder that holds uploaded files, and from which Gradio serves files."""
    return Path(gr.utils.get_upload_folder())


def save_to_upload_folder(content: bytes, name: str, folder: Path) -> str:
    """Write a file that Gradio then serves, and return its path, which depends on the content."""
    return str(save_bytes_to_cache(content, name, str(folder)))


def set_temp_dir(folder: Path) -> None:
    """Set the folder for temporary files in the modules of Gradio that are already imported."""
    for name, module in list(sys.modules.items()):
        if name.startswith("gradio") and "DEFAULT_TEMP_DIR" in vars(module):
            module.DEFAULT_TEMP_DIR = str(folder)  # type: ignore[attr-defined]


@contextlib.contextmanager
def requests_without_proxy(host: str) -> Iterator[None]:
    """Within it, Gradio requests its own address without the proxies of HTTP_PROXY, ALL_PROXY and the like.

    When a page is launched, Gradio requests it twice. A proxy cannot reach the loopback address of this
    machine, and httpx raises an error for a SOCKS proxy without a package that Gradio does not need.

    Parameters
    ----------
    host : str
        Address that the page listens on.
    """
    direct = _HttpxWithoutProxy({host.strip("[]"), "localhost"})
    with contextlib.ExitStack() as stack:
        for module in (blocks, networking):
            stack.callback(setattr, module, "httpx", module.httpx)
            module.httpx = direct
        yield


class _HttpxWithoutProxy:
    """The module httpx, with functions that request some hosts directly."""

    def __init__(self, hosts: set[str]) -> None:
        self._hosts = hosts

    def __getattr__(self, name: str) -> Any:
        return getattr(httpx, name)

    def _request(self, method: str, url: str, **options: Any) -> httpx.Response:
        direct = httpx.URL(url).host in self._hosts
        return httpx.request(method, url, trust_env=not direct, **options)

    get = functools.partialmethod(_request, "GET")
    head = functools.partialmethod(_request, "HEAD")


def call_tools_without_proxy(page: gr.Blocks) -> None:
    """Make the MCP server of a launched page, which calls the page's own API, do so without a proxy."""
    if page.mcp_server_obj is None:
        return
    mcp = sys.modules[type(page.mcp_server_obj).__module__]
    mcp.Client = functools.partial(Client, httpx_kwargs={"trust_env": False})  # type: ignore[attr-defined]


def return_every_file_from_tools(page: gr.Blocks) -> None:
    """Make the MCP tools of a launched page return each image as an image, and other values as JSON.

    Gradio returns an image only where it is all that a tool returns, and writes lists as Python does.
    """
    server = page.mcp_server_obj
    if server is None:
        return
    postprocess = server.postprocess_output_data
    server.postprocess_output_data = lambda data, root_url: postprocess(list(_parts(data)), root_url)


def _parts(data: Any) -> Iterator[Any]:
    if isinstance(data, (list, tuple)):
        for part in data:
            yield from _parts(part)
    elif isinstance(data, str) or is_file_obj_with_meta(data):
        yield data
    else:
        yield json.dumps(data)
