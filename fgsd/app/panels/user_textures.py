"""The user textures panel: images of the visitor become textures, and recipe files are saved and opened."""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from fgsd.app.http.gradio_internals import event_data
from fgsd.app.panels.controls import Controls
from fgsd.app.render.frames import file_name
from fgsd.app.render.recipe import SUFFIX, fingerprint, from_recipe, to_recipe
from fgsd.app.render.user_textures import (
    UserTexture,
    UserTextureStore,
    make_texture,
    place_texture,
    with_textures,
)
from fgsd.app.requests.link import from_link
from fgsd.app.requests.request import RequestError, parse_request
from fgsd.app.web_files import SAMPLE_IF_ASKED, mount_script
from fgsd.checkpoint import CheckpointInfo
from fgsd.pipeline import Pipeline

log = logging.getLogger(__name__)

MAX_SIDE = 512  # pixels: of an image's shorter side, for a network that was trained on unscaled images
WEIGHT = 50  # of a texture that is chosen: the middle of its slider

NEAREST_TITLE = (
    "Distances are in spreads within a class: a crop of the class itself is at about 1. A photograph of "
    "something that the network has never seen brings its colours, but its samples may take the structure of "
    "classes that it knows."
)
MARKUP = """
<section class="user-textures" aria-label="Your own textures" data-side="{side}">
  <div class="buttons">
    <button type="button" class="add" title="Or drop an image anywhere on the page, or paste one"
      >+ Your own texture</button>
    <button type="button" class="photograph">Photograph</button>
    <input type="file" class="file" accept="image/*,.json" aria-label="An image or a recipe file" hidden>
    <input type="file" class="camera" accept="image/*" capture="environment" aria-label="A photograph" hidden>
  </div>
  <div class="thumbs" role="group" aria-label="Your textures"></div>
  <p class="nearest" hidden title="{title}"></p>
  <button type="button" class="remove" hidden>×</button>
  <p class="note" role="status" hidden></p>
  <p class="error" role="alert" hidden></p>
  <div class="drop-overlay" hidden><p>Drop an image: it becomes a texture.</p></div>
</section>
"""


def create_user_textures_panel(info: CheckpointInfo) -> gr.HTML:
    """The component, whose value `answer` describes.

    It fires `upload` with {"image", "name"}, `select` with {"name", "adding"}, `delete` with {"name"},
    `submit` with the {"text"} of a recipe, and `download` with {"query"}, the link of the picture whose
    recipe is requested.
    """
    return gr.HTML(
        answer({}),
        html_template=MARKUP.format(side=min(info.image_size or MAX_SIDE, MAX_SIDE), title=NEAREST_TITLE),
        js_on_load=mount_script("user_textures"),
        apply_default_css=False,
        elem_id="user-textures-panel",
    )


_serials = itertools.count()


def answer(own: Mapping[str, UserTexture], **more: Any) -> dict:
    """A value of the component: the visitor's textures and, if need be, `chosen` (name), `sample` (whether
    to sample at once), `error` (a sentence), `file` ({"name", "text"}, to be saved), `visitor` (by whom the
    server finds them again)."""
    return {"serial": next(_serials), "own": [texture.on_page() for texture in own.values()], **more}


def wire_user_textures(
    room: gr.HTML,
    store: UserTextureStore,
    map_panel: gr.HTML,
    controls: Controls,
    modes: gr.HTML,
    pipe: Pipeline,
    *,
    concurrency_limit: int = 1,
) -> None:
    """ErrorResponder the room's events.

    Parameters
    ----------
    store : UserTextureStore
        Where the visitors' textures are kept.
    """
    mark, multiple = fingerprint(pipe), pipe.network.config.multiple
    settings = {**controls.settings(), "interpolation": modes}

    def kept(visitor: gr.Request, mine: Mapping[str, UserTexture], **more: Any) -> dict:
        store.put(visitor.session_hash, mine)
        return answer(mine, visitor=visitor.session_hash, **more)

    def add(visitor: gr.Request, event: gr.EventData) -> tuple:
        said, mine = event_data(event), store.of(visitor.session_hash)
        texture = make_texture(pipe, said.get("image"), said.get("name"), [*pipe.classes, *mine])
        mine = with_textures(mine, texture)
        return kept(visitor, mine, chosen=texture.name, sample=True), _only(texture.name)

    def choose(visitor: gr.Request, target, event: gr.EventData) -> tuple:
        said, mine = event_data(event), store.of(visitor.session_hash)
        name = said.get("name")
        if not isinstance(name, str) or name not in mine:
            raise RequestError("There is no such texture of your own any more.")
        new = _only(name)
        if said.get("adding") is True and isinstance(target, list) and target:
            rest = [entry for entry in target if not (isinstance(entry, dict) and entry.get("name") == name)]
            # taken away where it was part of a mixture, as a click on a class does
            new = rest or target if len(rest) < len(target) else [*target, *new]
        parse_request(new, classes=[*pipe.classes, *mine], multiple=multiple)
        return answer(mine, chosen=name, sample=True), new

    def remove(visitor: gr.Request, target, event: gr.EventData) -> tuple:
        name, mine = event_data(event).get("name"), store.of(visitor.session_hash)
        gone = mine.get(name) if isinstance(name, str) else None
        if gone is None:
            return answer(mine), gr.skip()
        mine = {key: texture for key, texture in mine.items() if key != name}
        target = target if isinstance(target, list) else []
        rest = [entry for entry in target if not (isinstance(entry, dict) and entry.get("name") == name)]
        changed = len(rest) < len(target)
        new = rest or _only(gone.near[0][0])
        return kept(visitor, mine, sample=changed), new if changed else gr.skip()

    def save(visitor: gr.Request, event: gr.EventData) -> dict:
        found, mine = from_link(event_data(event).get("query")), store.of(visitor.session_hash)
        if found is None:
            raise RequestError("There is nothing to save yet.")
        target, values = found
        request = parse_request(target, classes=[*pipe.classes, *mine], multiple=multiple, **values)
        file = {"name": file_name(request) + SUFFIX, "text": to_recipe(request, mine, mark)}
        return answer(mine, file=file)

    def open_file(visitor: gr.Request, event: gr.EventData) -> tuple:
        mine = store.of(visitor.session_hash)
        recipe = from_recipe(event_data(event).get("text"), pipe, mark, [*pipe.classes, *mine])
        names = [*pipe.classes, *(name for name, _, _ in recipe.own)]
        parse_request(recipe.target, classes=names, multiple=multiple, **recipe.settings)
        controls.check_choices(recipe.settings)
        textures = [place_texture(pipe, *texture) for texture in recipe.own]
        mine = with_textures(mine, *textures)
        chosen = textures[-1].name if textures else None
        values = {"interpolation": {"mode": "sample"}, **recipe.settings}
        shown = (values.get(name, gr.skip()) for name in settings)
        return kept(visitor, mine, chosen=chosen, sample=True), recipe.target, *shown

    target_too = [room, map_panel]
    quiet = {"show_progress": "hidden", "api_visibility": "private", "concurrency_id": "own"}
    quiet |= {"concurrency_limit": concurrency_limit, "trigger_mode": "multiple"}
    for event, function, inputs, outputs in (
        (room.upload, add, [], target_too),
        (room.select, choose, [map_panel], target_too),
        (room.delete, remove, [map_panel], target_too),
        (room.submit, open_file, [], [*target_too, *settings.values()]),
        (room.download, save, [], [room]),
    ):
        done = event(_in_a_sentence(function, store, len(outputs)), inputs, outputs, **quiet)
        done.then(None, room, None, js=SAMPLE_IF_ASKED, show_progress="hidden", api_visibility="private")


def _in_a_sentence(function: Callable, store: UserTextureStore, outputs: int) -> Callable:
    """The same function, but what goes wrong is said to the visitor, and nothing else changes."""

    @functools.wraps(function)  # Gradio reads from the signature that it wants the event
    def guarded(visitor: gr.Request, *inputs) -> Any:
        try:
            return function(visitor, *inputs)
        except RequestError as error:
            sentence = str(error)
        except Exception:
            log.exception("an own texture failed")
            sentence = "This failed on the server; try another image."
        said = answer(store.of(visitor.session_hash), error=sentence)
        return said if outputs == 1 else (said, *(gr.skip(),) * (outputs - 1))

    return guarded


def _only(name: str) -> list[dict]:
    return [{"name": name, "weight": WEIGHT}]
