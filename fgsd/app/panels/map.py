"""The map panel: textures and training crops by their features, and the mixture that the visitor chooses."""

from __future__ import annotations

import html
from collections.abc import Sequence

import gradio as gr
from PIL import Image

from fgsd.app.limits import MAX_CLASSES, MAX_MOVE
from fgsd.app.render.encode import HIGH, LOW, data_uri
from fgsd.app.render.map_data import ASPECT, MapData
from fgsd.app.web_files import PLOTLY_ADDRESS, mount_script
from fgsd.sheets import grid_columns, image_grid

FAMILY_COLOURS = 13  # of web/map/families.css; further families use them again


def create_map_panel(data: MapData, thumbnails: Sequence[Image.Image], target: list[dict]) -> gr.HTML:
    """Create the component; its value is the target, a list of {"name", "weight"}, some with a "move".

    It fires `select` when a drag begins and `release` when the target is to be sampled.

    Parameters
    ----------
    data : MapData
    thumbnails : sequence of PIL.Image.Image
        One for each class, in the order of `data.classes`.
    target : list of dict
        What is chosen on the first screen.
    """
    atlas, columns, rows = atlas_style(thumbnails)
    return gr.HTML(
        target,
        html_template=panel_html(data, columns, rows),
        js_on_load=mount_script("map"),
        head=atlas,
        apply_default_css=False,
        elem_id="map-panel",
        server_functions=data.server_functions(),
    )


def atlas_style(thumbnails: Sequence[Image.Image]) -> tuple[str, int, int]:
    """Return a style element with the sheet of all thumbnails, and the columns and rows of that."""
    sheet, columns = image_grid(thumbnails, gap=0, background="black"), grid_columns(len(thumbnails))
    rows = sheet.height // thumbnails[0].height
    style = (
        f"<style>:root{{--fgsd-atlas:url({data_uri(sheet, quality=82)});"
        f"--atlas-columns:{columns};--atlas-rows:{rows}}}</style>"
    )
    return style, columns, rows


def panel_html(
    data: MapData, columns: int, rows: int, *, server: bool = True, plotly: str = PLOTLY_ADDRESS
) -> str:
    """The panel's markup, with the map's data as attributes; the modules of `web/map` fill it.

    Parameters
    ----------
    columns, rows : int
        Of the sheet of all thumbnails, where they lie row by row in the order of the classes.
    server : bool
        Whether one is there to compute single features of the crops.
    plotly : str
        Address of plotly's script, relative to the page.
    """
    buttons = []
    for k, name in enumerate(data.classes):
        row, column = divmod(k, columns)
        # where the thumbnail is in the sheet, in percent as background-position counts
        u, v = _percent(column / max(1, columns - 1)), _percent(row / max(1, rows - 1))
        safe = html.escape(name, quote=True)
        buttons.append(
            f'<button type="button" class="dot" style="--u:{u};--v:{v}" aria-pressed="false" '
            f'aria-label="{safe}" data-name="{safe}"{_family(data, name)}><i></i><b>{safe}</b></button>'
        )
    positions = " ".join(f'data-{name}="{data.thumbnails(name)}"' for name in data.projections)
    sigmas = ",".join(f"{sigma:.3g}" for sigma in data.sigmas)
    style = f"--side:{_percent(data.side)};--aspect:{ASPECT};--columns:{columns};--rows:{rows}"
    projections = "".join(
        f'<button type="button" data-projection="{name}" aria-pressed="false">{name.upper()}</button>'
        for name in data.projections
    )
    one_projection = "hidden" if len(data.projections) < 2 else ""
    no_colours = "" if data.count and server else "hidden"
    return _escape_template(f"""
<section class="map-panel" data-max-classes="{MAX_CLASSES}" data-max-move="{MAX_MOVE}" data-view="map"
  style="{style}" data-projections="{",".join(data.projections)}" data-level="{data.start_level}"
  data-sigmas="{sigmas}" data-side="{data.side:.5f}" data-range="{LOW},{HIGH}"
  data-crops="{data.count}" data-colours="{data.colours()}"
  {positions}
  aria-label="Textures">
  <div class="bar">
    <div class="switch" role="group" aria-label="Arrange the textures">
      <button type="button" data-show="map" aria-pressed="true">Map</button>
      <button type="button" data-show="grid" aria-pressed="false">Grid</button>
    </div>
    <div class="switch projections" role="group" aria-label="Projection of the features" {one_projection}>
      {projections}
    </div>
    <button type="button" class="toggle to-space" aria-pressed="false"
      title="The map in three dimensions: drag to turn it">3-D</button>
    <input type="search" class="search" placeholder="Search" aria-label="Find a texture"
      autocomplete="off" spellcheck="false">
    <button type="button" class="toggle lasso" aria-pressed="false" aria-keyshortcuts="L"
      title="Draw round {"crops" if data.count else "textures"} (L): their mean becomes the target, as the
 {MAX_CLASSES} textures that most of them belong to">Lasso</button>
    <button type="button" class="toggle mix" aria-pressed="false"
      title="Each click adds or removes one">Mix</button>
    <button type="button" class="toggle surprise" aria-label="Surprise me"
      title="Surprise me: a random mixture">⚄</button>
    <button type="button" class="toggle wander" aria-pressed="false" aria-label="Wander"
      title="Wander: the ring drifts over the map until you touch anything">∿</button>
  </div>
  {_family_buttons(data)}
  <div class="map">
    <canvas class="regions" aria-hidden="true"></canvas>
    <canvas class="ground" aria-hidden="true"></canvas>
    {"".join(buttons)}
    <canvas class="over" aria-hidden="true"></canvas>
    <button type="button" class="ring"></button>
    <div class="legend" hidden><output class="low"></output><i></i><output class="high"></output></div>
    <div class="zoom" role="group" aria-label="Zoom">
      <button type="button" data-zoom="out" aria-label="Zoom out" title="Zoom out (−)">−</button>
      <button type="button" data-zoom="in" aria-label="Zoom in" title="Zoom in (+)">+</button>
      <button type="button" data-zoom="all" aria-label="Show the whole map" title="Show all (0)"
        >⤢</button>
    </div>
    <figure class="tooltip" hidden><img alt=""><figcaption></figcaption></figure>
  </div>
  <div class="space" tabindex="0" role="group" data-script="{html.escape(plotly)}" hidden
    aria-label="The map in three dimensions; arrow keys turn it, the search above finds a texture">
    <div class="plot"></div>
    <div class="switch" role="group" aria-label="Third axis">
      <button type="button" data-axis="depth" aria-pressed="true">Depth</button>
      <button type="button" data-axis="noise" aria-pressed="false">Noise level</button>
    </div>
    <p class="state" role="status"></p>
    <figure class="space-tooltip" hidden><img alt=""><i></i><figcaption></figcaption></figure>
  </div>
  <div class="options">
    <label class="noise" title="The noise level at which the features are taken">Noise
      <input type="range" class="level" min="0" max="{len(data.sigmas) - 1}" step="1"
        value="{data.start_level}"><output class="sigma"></output></label>
    <label class="colour" {no_colours}>Colour
      <select class="colour-by"><option value="class">by texture</option>
        <option value="feature">by feature</option></select></label>
    <input type="number" class="feature" min="0" max="{data.dimension - 1}" step="1" value="0"
      aria-label="Number of the feature" hidden>
  </div>
  <div class="messages">
    <p class="hint">Drag the ring, or click a texture.</p>
    <p class="true-distance"></p>
  </div>
  <div class="chips" role="group" aria-label="What is sampled, with weights"></div>
</section>
""")


def _family(data: MapData, name: str) -> str:
    """The attributes of a texture's button that tell its family, if it has one."""
    if name not in data.families:
        return ""
    family = html.escape(data.families[name], quote=True)
    return f' data-family="{family}" aria-description="{family}"'


def _family_buttons(data: MapData) -> str:
    """The row of buttons by which families stand out; nothing if there are none."""
    names = sorted(set(data.families.values()))
    if not names:
        return ""
    buttons = ['<button type="button" data-family="" aria-pressed="true">All</button>']
    for k, name in enumerate(names):
        safe, count = html.escape(name, quote=True), list(data.families.values()).count(name)
        buttons.append(
            f'<button type="button" data-family="{safe}" aria-pressed="false" title="{count} textures"'
            f' style="--family:var(--family-{k % FAMILY_COLOURS})"><i></i>{safe}</button>'
        )
    return f'<div class="families" role="group" aria-label="Families">{"".join(buttons)}</div>'


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _escape_template(markup: str) -> str:
    """Gradio evaluates templates as JavaScript and Handlebars: escape what either would take from a name."""
    replaced = {"\\": "&#92;", "`": "&#96;", "${": "&#36;{", "{{": "&#123;&#123;"}
    for old, new in replaced.items():
        markup = markup.replace(old, new)
    return markup
