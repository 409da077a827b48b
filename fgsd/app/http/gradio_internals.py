"""Gradio's blocks, with an answer for every input of an event that does not fit."""

from __future__ import annotations

import json
import logging
from typing import Any

import gradio as gr
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse

log = logging.getLogger(__name__)

MAX_WORDS = 200  # characters of a refusal
MAX_CHARACTERS = 20_000  # of what an event of the page brings; Gradio keeps a copy for each visitor


class Blocks(gr.Blocks):
    """Blocks that say in a sentence what is wrong with the inputs of an event.

    Gradio itself answers what it cannot prepare with an error that has no words, and fetches any address that
    comes in place of a file.
    """

    async def preprocess_data(self, block_fn, inputs, state, explicit_call: bool = False) -> Any:
        if block_fn.fn is None:
            raise _said("This event is for the browser alone.")
        if block_fn.api_visibility == "public":
            wanted = block_fn.inputs
            if len(inputs) > len(wanted):
                raise _said(f"/{block_fn.api_name} takes at most {len(wanted)} values; {len(inputs)} came.")
            # what a program leaves out at the end takes its default
            inputs = [*inputs, *(block.value for block in wanted[len(inputs) :])]
            state = None  # its call has a session of its own, which would keep the inputs when all is over
        elif len(json.dumps(inputs)) > MAX_CHARACTERS:
            raise _said(f"The values of an event may take {MAX_CHARACTERS:,} characters at most.")
        try:
            traverse(inputs, _refuse_address, is_file_obj_with_meta)
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except gr.Error as error:
            # Gradio repeats the whole value, and prints a traceback for what already has a sentence
            raise _said(str(error.message)[:MAX_WORDS]) from None
        except Exception as error:
            log.info("refused an input: %s", str(error).partition("\n")[0])
            raise _said("What came cannot be read; a file must be uploaded to this server first.") from None


def event_data(event: gr.EventData) -> dict:
    """What an event of a page brings; {} if what was forged is no object."""
    return event._data if isinstance(event._data, dict) else {}


def _refuse_address(file: dict) -> dict:
    if is_http_url_like(str(file.get("path"))):
        raise _said("This server fetches no addresses; upload the file, or send it as a data URI.")
    return file


def _said(sentence: str) -> gr.Error:
    return gr.Error(sentence, print_exception=False)
