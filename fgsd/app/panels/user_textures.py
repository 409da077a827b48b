"""The user textures panel: images of the visitor become textures, and recipe files are saved and opened."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from fgsd.app.gradio_internals import event_data
from fgsd.app.limits import MAX_PAGE_UPLOAD_SIDE
from fgsd.app.panels.state import IMAGE_QUEUE, PRIVATE, Components, ServerState
from fgsd.app.render.frames import file_name
from fgsd.app.render.recipe import SUFFIX, fingerprint, from_recipe, to_recipe
from fgsd.app.render.user_textures import (
    UserTexture,
    locate_texture,
    make_texture,
    with_textures,
)
from fgsd.app.requests.errors import errors_as_sentences
from fgsd.app.requests.link import from_link
from fgsd.app.requests.request import RequestError, parse_request
from fgsd.app.web_files import SAMPLE_IF_ASKED, mount_script
from fgsd.checkpoint import CheckpointInfo

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
    """The component, whose value `panel_value` describes.

    It fires `upload` with {"image", "name"}, `select` with {"name", "adding"}, `delete` with {"name"},
    `submit` with the {"text"} of a recipe, and `download` with {"query"}, the link of the picture whose
    recipe is requested.
    """
    return gr.HTML(
        panel_value({}),
        html_template=MARKUP.format(
            side=min(info.image_size or MAX_PAGE_UPLOAD_SIDE, MAX_PAGE_UPLOAD_SIDE), title=NEAREST_TITLE
        ),
        js_on_load=mount_script("user_textures"),
        apply_default_css=False,
        elem_id="user-textures-panel",
    )


_serials = itertools.count()


def panel_value(textures: Mapping[str, UserTexture], **more: Any) -> dict[str, Any]:
    """Return a value of the component.

    Parameters
    ----------
    textures : mapping of name to UserTexture
        All of the visitor.
    more
        Any of `chosen` (name), `sample` (whether to sample at once), `error` (a sentence), `file` ({"name",
        "text"}, to be saved) and `visitor` (the session, under which the server finds the textures again).
    """
    return {
        "serial": next(_serials),
        "own": [texture.page_values() for texture in textures.values()],
        **more,
    }


def wire_user_textures(panel: gr.HTML, state: ServerState, components: Components) -> None:
    """Handle the events of the panel."""
    pipe, checkpoint = state.pipe, fingerprint(state.pipe)
    map_panel, settings = components.map_panel, components.settings()

    def stored(visitor: gr.Request, textures: Mapping[str, UserTexture], **more: Any) -> dict[str, Any]:
        state.store.put(visitor.session_hash, textures)
        return panel_value(textures, visitor=visitor.session_hash, **more)

    def add(visitor: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        data, textures = event_data(event), state.textures(visitor)
        new = make_texture(pipe, data.get("image"), data.get("name"), [*pipe.classes, *textures])
        textures = with_textures(textures, new)
        return stored(visitor, textures, chosen=new.name, sample=True), _target_of(new.name)

    def choose(visitor: gr.Request, target: Any, event: gr.EventData) -> tuple[Any, ...]:
        data, textures = event_data(event), state.textures(visitor)
        name = data.get("name")
        if not isinstance(name, str) or name not in textures:
            raise RequestError("There is no such texture of your own any more.")
        new = _target_of(name)
        if data.get("adding") is True and isinstance(target, list) and target:
            rest = _without(name, target)
            # a texture that is part of the mixture is taken out, as by a click on a class
            new = rest or target if len(rest) < len(target) else [*target, *new]
        state.parse(visitor, new, {})
        return panel_value(textures, chosen=name, sample=True), new

    def remove(visitor: gr.Request, target: Any, event: gr.EventData) -> tuple[Any, ...]:
        name, textures = event_data(event).get("name"), state.textures(visitor)
        removed = textures.pop(name, None) if isinstance(name, str) else None
        if removed is None:
            return panel_value(textures), gr.skip()
        target = target if isinstance(target, list) else []
        rest = _without(removed.name, target)
        changed = len(rest) < len(target)
        new = rest or _target_of(removed.near[0][0])
        return stored(visitor, textures, sample=changed), new if changed else gr.skip()

    def save(visitor: gr.Request, event: gr.EventData) -> dict[str, Any]:
        linked, textures = from_link(event_data(event).get("query")), state.textures(visitor)
        if linked is None:
            raise RequestError("There is nothing to save yet.")
        request = state.parse(visitor, *linked)
        file = {"name": file_name(request) + SUFFIX, "text": to_recipe(request, textures, checkpoint)}
        return panel_value(textures, file=file)

    def open_file(visitor: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        textures = state.textures(visitor)
        taken = [*pipe.classes, *textures]
        recipe = from_recipe(event_data(event).get("text"), pipe, checkpoint, taken)
        classes = [*pipe.classes, *(name for name, _, _ in recipe.textures)]
        parse_request(recipe.target, classes=classes, multiple=state.multiple, **recipe.settings)
        components.controls.check_choices(recipe.settings)
        new = [locate_texture(pipe, *texture) for texture in recipe.textures]
        textures = with_textures(textures, *new)
        chosen = new[-1].name if new else None
        values = {"interpolation": {"mode": "sample"}, **recipe.settings}
        value = stored(visitor, textures, chosen=chosen, sample=True)
        return value, recipe.target, *(values.get(name, gr.skip()) for name in settings)

    panel_and_map = [panel, map_panel]
    for event, function, inputs, outputs in (
        (panel.upload, add, [], panel_and_map),
        (panel.select, choose, [map_panel], panel_and_map),
        (panel.delete, remove, [map_panel], panel_and_map),
        (panel.submit, open_file, [], [*panel_and_map, *settings.values()]),
        (panel.download, save, [], [panel]),
    ):
        handler = _guarded(function, state, len(outputs))
        handling = event(handler, inputs, outputs, trigger_mode="multiple", **IMAGE_QUEUE, **PRIVATE)
        handling.then(None, panel, None, js=SAMPLE_IF_ASKED, **PRIVATE)


def _guarded(function: Callable[..., Any], state: ServerState, outputs: int) -> Callable[..., Any]:
    """Return the handler; after an error it shows a sentence in the panel, and changes nothing else."""

    def respond(sentence: str, visitor: gr.Request, *arguments: Any) -> Any:
        value = panel_value(state.textures(visitor), error=sentence)
        return value if outputs == 1 else (value, *(gr.skip(),) * (outputs - 1))

    return errors_as_sentences(respond, failure="This failed on the server; try another image.")(function)


def _target_of(name: str) -> list[dict[str, Any]]:
    return [{"name": name, "weight": WEIGHT}]


def _without(name: str, target: list[Any]) -> list[Any]:
    return [entry for entry in target if not (isinstance(entry, dict) and entry.get("name") == name)]
