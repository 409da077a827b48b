"""The room on the left: the map of the classes and, under it, the mixture that is chosen."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
from PIL import Image

from fgsd.app.class_map import ClassMap
from fgsd.app.pictures import data_uri, grid
from fgsd.app.request import MOST_CLASSES

HERE = Path(__file__).parent
SCRIPT = "\n".join((HERE / name).read_text(encoding="utf-8") for name in ("target.js", "pin.js"))


def create_target_room(places: ClassMap, thumbnails: Sequence[Image.Image], target: list[dict]) -> gr.HTML:
    """The component; its value is the target, a list of {"name", "weight"}.

    It fires `release` whenever the visitor has changed the target and let go, and `select` when they take
    the pin; each of its moves is an event of the browser's document, `fgsd:move`.
    """
    sheet, columns, rows = grid(thumbnails)
    style = f"<style>:root{{--fgsd-atlas:url({data_uri(sheet, quality=82)})}}</style>"
    return gr.HTML(
        target,
        html_template=room_html(places, columns, rows),
        js_on_load=SCRIPT,
        head=style,
        apply_default_css=False,
        elem_id="target-room",
    )


def room_html(places: ClassMap, columns: int, rows: int) -> str:
    """The room's markup, which never changes: `target.js` shows the target in it.

    Parameters
    ----------
    columns, rows : int
        Of the picture of all thumbnails, in which thumbnail k is the k-th.
    """
    buttons, stems = [], []
    across = max(1, round(len(places.classes) ** 0.5 * places.aspect**0.5))
    down = -(-len(places.classes) // across)
    for k, name in enumerate(places.classes):
        (x, y), (px, py) = places.thumbnails[k], places.points[k]  # shown there, lies here
        row, column = divmod(k, columns)
        style = {
            "x": _percent(x),
            "y": _percent(y),
            "gx": _percent(0.01 + 0.98 * (k % across + 0.5) / across),
            "gy": _percent(0.01 + 0.98 * (k // across + 0.5) / down),
            # where the thumbnail is in the atlas, as CSS counts it for background-position
            "u": _percent(column / max(1, columns - 1)),
            "v": _percent(row / max(1, rows - 1)),
        }
        place = ";".join(f"--{key}:{value}" for key, value in style.items())
        safe = html.escape(name, quote=True)
        buttons.append(
            f'<button type="button" class="dot" style="{place}" aria-pressed="false" aria-label="{safe}" '
            f'data-name="{safe}" data-x="{x:.4f}" data-y="{y:.4f}">'
            f"<i></i><b>{safe}</b></button>"
        )
        ends = (("x1", px), ("y1", py), ("x2", x), ("y2", y))
        line = " ".join(f'{key}="{_percent(value)}"' for key, value in ends)
        stems.append(f'<line {line}/><circle cx="{_percent(px)}" cy="{_percent(py)}" r="1.6"/>')
    sizes = (
        f"--side:{_percent(places.side)};--cell:{_percent(0.87 / across)};--aspect:{places.aspect};"
        f"--columns:{columns};--rows:{rows}"
    )
    return _escape_template(f"""
<section class="room" data-most="{MOST_CLASSES}" data-view="map" style="{sizes}" aria-label="Textures">
  <div class="bar">
    <div class="switch" role="group" aria-label="Arrange the textures">
      <button type="button" data-show="map" aria-pressed="true">Map</button>
      <button type="button" data-show="grid" aria-pressed="false">Grid</button>
    </div>
    <p class="hint">Drag the ring, or click a texture.</p>
    <button type="button" class="mix" aria-pressed="false" title="Each click adds or removes one">Mix</button>
  </div>
  <div class="map">
    <svg class="stems" aria-hidden="true">{"".join(stems)}</svg>
    {"".join(buttons)}
    <svg class="pin" aria-hidden="true">
      <g class="rays"></g>
    </svg>
    <button type="button" class="mark"></button>
  </div>
  <div class="chips" role="group" aria-label="What is sampled, with weights"></div>
</section>
""")


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _escape_template(markup: str) -> str:
    """Gradio evaluates templates as JavaScript and Handlebars: names of classes must not reach either."""
    replaced = {"\\": "&#92;", "`": "&#96;", "${": "&#36;{", "{{": "&#123;&#123;"}
    for old, new in replaced.items():
        markup = markup.replace(old, new)
    return markup
