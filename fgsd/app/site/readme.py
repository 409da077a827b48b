"""What a site says of itself: its README, and the line at the foot of its page."""

from __future__ import annotations

import html
import re

from fgsd.app.site.runtime import LICENSE_FILE, VERSION
from fgsd.onnx_regions import has_regions
from fgsd.pipeline import Pipeline

LACKS = (
    "no own textures: learning needs gradients, which the network of this site does not give",
    "no strips, grids and loops between textures",
    "no contact sheets, GIF and MP4 files",
    "no colours of the crops by single features, and no depth of UMAP in three dimensions",
    "at most 4 pictures of 256 pixels at once",
)
PAINTINGS = "no paintings of more than 256 pixels"
NO_PAINTING = "no painting: this network knows no regions"
README = """# A map of {classes} textures, in a folder

`fgsd site` has written this folder. It is a web page that needs no server of its own: any server of files,
such as GitHub Pages, a static Space or `python -m http.server`, serves it for any number of visitors. Their
own browsers sample the pictures, and nothing that they do is sent anywhere.

- The first screen needs no network: its picture was sampled beforehand. With the first drag or click the
  browser loads what it samples with, {wasm} MB, once; so does a link to a picture. On a connection
  that it knows to be metered it asks before. After that the page works without internet.
- Where the browser has WebGPU it samples with the graphics processor, if that gives the same pixels and is
  faster than the processor, which it tries. It loads {jspi} MB then, or {asyncify} MB where its WebAssembly
  cannot wait for promises.
- A seed gives the same picture as `fgsd sample`, to two grey levels.
- The browser uses one thread at the first visit. From the second one on the page is isolated from others, as
  browsers require it for more: the service worker adds the headers that a server of files does not send.
- Files have a digest of their content in their names, and may be kept by browsers for ever; all but
  `index.html` and `service-worker.js`, which should not be.

## What the page of a server has beside this

{lacks}.

`fgsd app` serves that page.

## Publish it

GitHub Pages: commit this folder, or its content to the branch `gh-pages`, and choose it under Settings,
Pages. A static Space: upload its content to a Space with `sdk: static`. Elsewhere: copy it to a server of
files.

## Licenses

Textures and weights: {license}. {attribution}

ONNX Runtime Web {runtime_version} evaluates the network: `{license_file}`. The page is that of fgsd, under
Apache-2.0; plotly.js, under the MIT license, draws the map in three dimensions.
"""


def readme(pipe: Pipeline, *, loaded_bytes: dict[str, int]) -> str:
    """Return the README of a site in Markdown.

    Parameters
    ----------
    loaded_bytes : dict
        What a browser loads to sample, by the build of the runtime that it takes, see `RUNTIMES`.
    """
    return README.format(
        classes=len(pipe.classes),
        **{name: f"{count / 1e6:.1f}" for name, count in loaded_bytes.items()},
        lacks=";\n".join(f"- {words}" for words in lacks(pipe)),
        license=pipe.info.license,
        attribution=pipe.info.attribution,
        runtime_version=VERSION,
        license_file=LICENSE_FILE,
    )


def lacks(pipe: Pipeline) -> list[str]:
    """Return what the page of a server has beside a site of this checkpoint."""
    painting = PAINTINGS if has_regions(pipe.network) else NO_PAINTING
    return [*LACKS, painting]


def footer_html(pipe: Pipeline) -> str:
    """Return the foot of the page: what samples, what the page lacks, and whose the textures are."""
    info = pipe.info
    items = "".join(f"<li>{html.escape(words)}</li>" for words in lacks(pipe))
    attribution = html.escape(info.attribution.replace("`", ""))
    linked = re.sub(r"\((https?://[^\s()]+)\)", r'(<a href="\1" rel="noopener">\1</a>)', attribution)
    return (
        "<p>Your browser samples by itself, with <span data-megabytes>a few MB</span> that it loads once.</p>"
        f"<details><summary>What this page lacks beside that of a server</summary><ul>{items}</ul></details>"
        f"<p>License of the textures and weights: {html.escape(info.license)}. {linked}</p>"
    )
