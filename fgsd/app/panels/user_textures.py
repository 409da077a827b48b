"""The user textures panel: images of the visitor become textures, and files of textures are saved and opened.

An image becomes a texture at once, by its calibrated mean features; then the page learns it (see
`learning` in this package). The browser keeps textures, as texture files, and opens them again when the
page is loaded.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from fgsd.app.gradio_internals import event_data
from fgsd.app.limits import (
    MAX_PAGE_UPLOAD_SIDE,
    MAX_USER_TEXTURES,
)
from fgsd.app.panels.state import IMAGE_QUEUE, PRIVATE, Components, ServerState
from fgsd.app.render.frames import file_name
from fgsd.app.render.recipe import SUFFIX, fingerprint, from_recipe, to_recipe
from fgsd.app.render.user_textures import (
    UserTexture,
    UserTextureStore,
    locate_texture,
    make_texture,
    open_texture,
)
from fgsd.app.requests.errors import errors_as_sentences
from fgsd.app.requests.link import from_link
from fgsd.app.requests.request import RequestError, parse_request
from fgsd.app.web_files import SAMPLE_IF_ASKED, mount_script
from fgsd.pipeline import Pipeline

WEIGHT = 50  # of a texture that is chosen: the middle of its slider

NEAREST_TITLE = (
    "Distances are in spreads within a class: a crop of the class itself is at about 1. Until a texture is "
    "learned, it brings its colours, but its samples may take the structure of classes that the network "
    "knows."
)
MARKUP = """
<section class="user-textures" aria-label="Your own textures" data-side="{side}" data-patch="{patch}"
  data-network="{network}">
  <div class="buttons">
    <button type="button" class="add" title="Or drop an image anywhere on the page, or paste one"
      >+ Your own texture</button>
    <button type="button" class="photograph">Photograph</button>
    <input type="file" class="file" accept="image/*,.json,.safetensors"
      aria-label="An image, a texture file or a recipe file" hidden>
    <input type="file" class="camera" accept="image/*" capture="environment" aria-label="A photograph" hidden>
  </div>
  <div class="thumbs" role="group" aria-label="Your textures"></div>
  <p class="nearest" hidden title="{title}"></p>
  <p class="learning" role="status" hidden></p>
  <div class="actions" hidden>
    <button type="button" class="learn" title="Find the features that sample this image best">Learn</button>
    <button type="button" class="stop" title="Stop learning, and keep what is learned">Stop</button>
    <button type="button" class="crop" title="Choose a part of the image, its scale and its angle"
      >Crop</button>
    <button type="button" class="keep" title="Save this texture as a file, for pages of the same network"
      >Save</button>
    <button type="button" class="remove" title="Remove this texture">×</button>
  </div>
  <p class="note" role="status" hidden></p>
  <p class="error" role="alert" hidden></p>
  <div class="drop-overlay" hidden><p>Drop an image: it becomes a texture.</p></div>
  <dialog class="crop-dialog" aria-label="Choose a part of the image">
    <p>Drag the square. A sample of 64 pixels shows as much as the small square in it.</p>
    <canvas tabindex="0" role="application"
      aria-label="The square: arrow keys move it, plus and minus scale it, R turns it"></canvas>
    <label>Size <input type="range" class="size" min="0" max="100" step="1"></label>
    <label>Angle <input type="range" class="angle" min="-180" max="180" step="1"></label>
    <div class="buttons">
      <button type="button" class="turn">Turn by 90°</button>
      <button type="button" class="cancel">Cancel</button>
      <button type="button" class="apply">Use this part</button>
    </div>
  </dialog>
</section>
"""


def create_user_textures_panel(pipe: Pipeline, store: UserTextureStore) -> gr.HTML:
    """Create the component, whose value `panel_value` describes.

    It fires these events:

    - `upload` with {"image", "name"}, a number of the "upload", and the name of the texture that the image
      "replaces";
    - `play` with {"name"} of a texture that is to be learned, and "asked": whether by the visitor;
    - `stop` with {"name"} of one that is no longer to be learned;
    - `select` with {"name", "adding"}, and `delete` with {"name"};
    - `apply` with {"files"}, texture files in base64, and "kept": whether the browser had kept them;
    - `submit` with the {"text"} of a recipe file;
    - `download` with {"query"}, the link of the picture whose recipe file is requested.
    """
    info = pipe.info
    side = min(info.image_size or MAX_PAGE_UPLOAD_SIDE, MAX_PAGE_UPLOAD_SIDE)
    return gr.HTML(
        panel_value({}),
        html_template=MARKUP.format(
            side=side, patch=info.patch_size, network=pipe.network_digest, title=NEAREST_TITLE
        ),
        js_on_load=mount_script("user_textures"),
        server_functions=[texture_file_function(pipe, store)],
        apply_default_css=False,
        elem_id="user-textures-panel",
    )


def texture_file_function(pipe: Pipeline, store: UserTextureStore) -> Callable[[Any], dict[str, str]]:
    """Make a function for the page to call: `texture_file({"visitor", "name"})` is {"file"} in base64."""

    def texture_file(query: Any) -> dict[str, str]:
        query = query if isinstance(query, Mapping) else {}
        name = query.get("name")
        texture = store.of(query.get("visitor")).get(name) if isinstance(name, str) else None
        return {} if texture is None else {"file": base64.b64encode(texture.to_file(pipe)).decode()}

    return texture_file


_serials = itertools.count()


def panel_value(textures: Mapping[str, UserTexture], **more: Any) -> dict[str, Any]:
    """Return a value of the component.

    Parameters
    ----------
    textures : mapping of name to UserTexture
        All of the visitor.
    more
        Any of:

        - `chosen`: name of a texture; `sample`: whether to sample at once;
        - `added` and `upload`: name of the texture that an image has become, and the number of the upload;
        - `learn`: name of a texture that the page is to learn; `learning`: {"name"}, with "position" or with
          "step", "steps" and the "seconds" that are left; `ended`: name of a texture that is learned no more;
          `offer`: seconds that it would have taken, since nobody has asked for it;
        - `restored`: whether textures were opened that the browser had kept;
        - `error`: a sentence; `file`: {"name", "text"}, to be saved;
        - `visitor`: the session, under which the server finds the textures again.
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

    def value_of(visitor: gr.Request, **more: Any) -> dict[str, Any]:
        return panel_value(state.textures(visitor), visitor=visitor.session_hash, **more)

    def add(visitor: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        data, textures = event_data(event), state.textures(visitor)
        replaced = data.get("replaces")
        old = textures.get(replaced) if isinstance(replaced, str) else None
        new = make_texture(pipe, data.get("image"), data.get("name"), [*pipe.classes, *textures])
        if old is not None:
            new = replace(new, name=old.name)
        state.store.add(visitor.session_hash, new)
        upload = data.get("upload")
        more: dict[str, Any] = {"added": new.name, "upload": upload if isinstance(upload, int) else None}
        if state.auto_learn and new.image is not None:
            more["learn"] = new.name
        return value_of(visitor, chosen=new.name, sample=True, **more), _target_of(new.name)

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
        name = event_data(event).get("name")
        removed = state.store.remove(visitor.session_hash, name if isinstance(name, str) else None)
        if removed is None:
            return value_of(visitor), gr.skip()
        target = target if isinstance(target, list) else []
        rest = _without(removed.name, target)
        changed = len(rest) < len(target)
        new = rest or _target_of(removed.near[0][0])
        return value_of(visitor, sample=changed), new if changed else gr.skip()

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
        state.store.add(visitor.session_hash, *new)
        chosen = new[-1].name if new else None
        values = {"interpolation": {"mode": "sample"}, **recipe.settings}
        value = value_of(visitor, chosen=chosen, sample=True)
        return value, recipe.target, *(values.get(name, gr.skip()) for name in settings)

    def open_textures(visitor: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        data, kept = event_data(event), event_data(event).get("kept") is True
        files = data.get("files")
        new: list[UserTexture] = []
        for file in files[:MAX_USER_TEXTURES] if isinstance(files, list) else []:
            taken = [*pipe.classes, *state.textures(visitor), *(texture.name for texture in new)]
            try:
                new.append(open_texture(pipe, file, taken))
            except RequestError:
                if not kept:  # a damaged file among those that the browser kept must not cost the others
                    raise
        state.store.add(visitor.session_hash, *new)
        if kept:
            return value_of(visitor, restored=True), gr.skip()
        if not new:
            raise RequestError("What came is no texture file.")
        return value_of(visitor, chosen=new[-1].name, sample=True), _target_of(new[-1].name)

    panel_and_map = [panel, map_panel]
    for event, function, inputs, outputs in (
        (panel.upload, add, [], panel_and_map),
        (panel.select, choose, [map_panel], panel_and_map),
        (panel.delete, remove, [map_panel], panel_and_map),
        (panel.submit, open_file, [], [*panel_and_map, *settings.values()]),
        (panel.apply, open_textures, [], panel_and_map),
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
