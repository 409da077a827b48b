"""The page of a site: the markup of the app's panels, and controls in plain HTML in place of Gradio's."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from fgsd.app.limits import MAX_SEED, MAX_STEPS, MAX_STRENGTH
from fgsd.app.panels.header import KEYS, TITLE, toolbar_markup
from fgsd.app.panels.map import atlas_style, panel_html
from fgsd.app.panels.paint import BUTTON, paint_markup
from fgsd.app.panels.picture import READOUTS, picture_markup
from fgsd.app.panels.save import save_markup
from fgsd.app.render.map_data import MapData
from fgsd.app.requests.request import PAGE_SAMPLERS, VIEWS, SampleRequest

COUNTS = (1, 4)  # pictures of a run: a browser samples one after the other
FIRST_SIDE = 128  # of paintings at most, in pixels, until the visitor chooses another
SAVED = ("png", "film", "plan", "python", "link")  # kinds of files that need no server
SITE_READOUTS = READOUTS | {
    "ms": ("ms a step", "How many milliseconds your browser has taken for a step, on average."),
    "device": (
        "device",
        "What computes: your own browser; the first picture was computed before. Nothing is sent anywhere.",
    ),
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<meta name="description" content="{description}">
<link rel="icon" href="data:,">
<link rel="modulepreload" href="{bundle}">
<link rel="stylesheet" href="{style}">
{atlas}
</head>
<body class="site">
<script>document.body.classList.toggle("dark", matchMedia("(prefers-color-scheme: dark)").matches);</script>
<div class="gradio-container"><main class="app">
<div id="top" class="row"><div id="title">{heading}</div>{paint_button}<div id="toolbar">{toolbar}</div></div>
<div id="panels">
<div id="left" class="column"><div id="map-panel">{map}</div></div>
<div id="right" class="column">
<div id="picture-bar" class="row">{view}<div id="save-panel">{save}</div></div>
<div id="picture-panel">{picture}
<div id="loading" hidden><p role="status"></p><progress aria-label="What is loaded" hidden></progress>
<span class="amount"></span><button type="button" hidden>Load</button></div></div>
{paint}
{controls}
</div>
</div>
</main>
<footer>{footer}</footer></div>
<noscript>This page samples pictures in your browser, and needs JavaScript for that.</noscript>
<script type="application/json" id="site-data">{data}</script>
<script type="module">
import {{ modules }} from "./{bundle}";
modules["site/index.js"].start(modules, JSON.parse(document.getElementById("site-data").textContent));
</script>
</body>
</html>
"""
CONTROLS = """<form id="controls" onsubmit="return false" autocomplete="off">
<div id="settings" class="row">
<fieldset id="count"><legend>Images</legend><div class="wrap">{counts}</div></fieldset>
<label id="size">Size<select name="size" data-number>{sizes}</select></label>
<label id="seed">Seed<input type="number" name="seed" data-number min="0" max="{max_seed}" step="1"
  value="{seed}"></label>
</div>
<div id="buttons" class="row">
<button type="button" id="sample" class="primary">Sample</button>
<button type="button" id="another">New seed</button>
<button type="button" id="stop" disabled>Stop</button>
</div>
<details id="more"><summary>More</summary>
<div class="row">
<label id="steps"><span>Steps <output data-of="steps">{steps}</output></span>
<input type="range" name="steps" data-number min="1" max="{max_steps}" step="1" value="{steps}"></label>
<label id="strength"><span>Guidance strength <output data-of="strength">{strength:g}</output></span>
<input type="range" name="strength" data-number min="0" max="{max_strength:g}" step="0.05"
  value="{strength:g}"></label>
</div>
<div class="row">
<label id="sampler">Sampler<select name="sampler">{samplers}</select></label>
<label id="tileable"><input type="checkbox" name="tileable">Seamless tile</label>
</div>
</details>
</form>"""


@dataclass(frozen=True)
class Links:
    """Names of files that the page asks for first."""

    bundle: str
    style: str
    plotly: str  # asked for when a visitor opens the map in 3D


def page_html(
    data: MapData,
    thumbnails: Sequence[Image.Image],
    request: SampleRequest,
    *,
    link: str,
    sizes: Sequence[int],
    site: dict[str, Any],
    links: Links,
    footer: str,
) -> str:
    """Return the page.

    Parameters
    ----------
    data, thumbnails :
        See `create_map_panel`.
    request : SampleRequest
        Of the first picture.
    link : str
        That of the first picture.
    sizes : sequence of int
        Sides of pictures that are offered, in pixels.
    site : dict
        Data of `web/site/index.js`.
    links : Links
    footer : str
        HTML.
    """
    atlas, columns, rows = atlas_style(thumbnails)
    paints = site["paint"] is not None
    keys = [(key, words) for key, words in KEYS if paints or not words.startswith("in Paint")]
    saved = [kind for kind in SAVED if paints or kind != "plan"]
    return PAGE.format(
        title="fgsd: textures by their features",
        description=f"A map of {len(data.classes)} textures. A small network samples all that lies between "
        "them, in your own browser.",
        atlas=atlas,
        heading=TITLE,
        toolbar=toolbar_markup(link, data.dimension, keys=keys),
        map=panel_html(data, columns, rows, server=False, plotly=links.plotly),
        view=_radios("view", [(label, value) for label, value in VIEWS.items()], request.view, "Watch"),
        save=save_markup(saved),
        picture=picture_markup(SITE_READOUTS),
        paint_button=f'<div id="paint-button">{BUTTON}</div>' if paints else "",
        paint=_paint(sizes) if paints else "",
        controls=_controls(request, sizes),
        footer=footer,
        # in an element of its own: no "<" that could end it
        data=json.dumps(site, separators=(",", ":")).replace("<", "\\u003c"),
        bundle=html.escape(links.bundle),
        style=html.escape(links.style),
    )


def _paint(sizes: Sequence[int]) -> str:
    first = max((side for side in sizes if side <= FIRST_SIDE), default=sizes[0])
    return f'<div id="paint">{paint_markup([(side, "") for side in sizes], first)}</div>'


def _controls(request: SampleRequest, sizes: Sequence[int]) -> str:
    return CONTROLS.format(
        counts=_choices("n", [(str(n), n) for n in COUNTS], request.n, number=True),
        sizes=_options([(f"{side} px", side) for side in sizes], request.size),
        samplers=_options(PAGE_SAMPLERS.items(), request.sampler),
        seed=request.seed,
        steps=request.steps,
        strength=request.strength,
        max_seed=MAX_SEED,
        max_steps=MAX_STEPS,
        max_strength=MAX_STRENGTH,
    )


def _radios(name: str, choices: Sequence[tuple[str, str]], chosen: str, label: str) -> str:
    cells = _choices(name, choices, chosen)
    return f'<div id="{name}" role="radiogroup" aria-label="{label}"><div class="wrap">{cells}</div></div>'


def _choices(name: str, choices: Iterable[tuple[str, Any]], chosen: Any, *, number: bool = False) -> str:
    kind = " data-number" if number else ""
    return "".join(
        f'<label><input type="radio" name="{name}"{kind} value="{value}"'
        f"{' checked' if value == chosen else ''}><span>{label}</span></label>"
        for label, value in choices
    )


def _options(choices: Iterable[tuple[str, Any]], chosen: Any) -> str:
    return "".join(
        f'<option value="{value}"{" selected" if value == chosen else ""}>{label}</option>'
        for label, value in choices
    )
