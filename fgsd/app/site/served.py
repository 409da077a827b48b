"""What `fgsd app --site` serves of a site, so that browsers make previews where they are faster.

The large files come from the folder that `fgsd site` has written. The script of the worker, the numbers of
the centroids and the page's data are made here, so that they are of this version and of this checkpoint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fgsd.app.http.isolation import ISOLATED
from fgsd.app.limits import MAX_IMAGES
from fgsd.app.render.frames import last_frame
from fgsd.app.requests.request import SETTINGS, parse_request, sizes
from fgsd.app.serving.picture_sizes import PreviewPart
from fgsd.app.serving.preview import preview_settings
from fgsd.app.site.arrays import pack_arrays, site_arrays, umap_arrays
from fgsd.app.site.build import RUNTIME_FILES, SiteFiles, site_files, worker_script
from fgsd.app.site.config import worker_config
from fgsd.app.site.runtime import RUNTIMES
from fgsd.app.web_files import HEADERS, bundle_of
from fgsd.onnx_graph import weights_bytes, weights_dtype
from fgsd.pipeline import Pipeline

GRAPHS = {"graph": "graph", "tileGraph": "graph-tile"}  # role in `Files` of `web/site/network.js`: name
REFERENCE_STEPS = 4  # of the run that a browser has to reach
MEDIA_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json"}


@dataclass(frozen=True)
class ServedSite:
    """Files by name, and which of them holds the data of `web/site/previews.js`."""

    files: Mapping[str, bytes]
    config: str

    def routes(self) -> list[Route]:
        """Routes that serve these files and nothing else, for browsers to keep for ever."""
        return [_route(name, content) for name, content in self.files.items()]


def _route(name: str, content: bytes) -> Route:
    media_type = MEDIA_TYPES.get(Path(name).suffix, "application/octet-stream")

    def serve(request: Request) -> Response:
        return Response(content, media_type=media_type, headers={**HEADERS, **ISOLATED})

    return Route(f"/{name}", serve)


def read_site(folder: str | Path, pipe: Pipeline) -> ServedSite:
    """Read what browsers need from a folder that `fgsd site` has written for the same checkpoint.

    Raises
    ------
    ValueError
        If the folder holds no site, one of another checkpoint, or a damaged one; the message says what to do.
    """
    folder = Path(folder)
    names = site_files(folder)
    if names is None:
        raise ValueError(f"site={str(folder)!r}: this folder holds no site; write one by: fgsd site")
    added = SiteFiles()
    networks = [pipe.network, *([] if pipe.student is None else [pipe.student.network])]
    dtype = weights_dtype(networks)
    weights = [added.sized("weights", ".bin", weights_bytes(network, dtype)) for network in networks]
    if not all(file["name"] in names for file in weights):
        raise ValueError(
            f"site={str(folder)!r}: this site is of another checkpoint; write one of this by: fgsd site"
        )
    files: dict[str, Any] = {
        "network": weights[0],
        "student": weights[1] if weights[1:] else None,
    }

    def copied(name: str, suffix: str) -> dict[str, Any]:
        pattern = re.compile(re.escape(name) + "-[0-9a-f]{12}" + re.escape(suffix))
        found = next(filter(pattern.fullmatch, names), None)
        content = None if found is None else _content(folder / found)
        if content is None or added.add(name, suffix, content) != found:
            raise ValueError(
                f"site={str(folder)!r}: its {found or name + suffix} is missing or damaged; write the site "
                "anew by: fgsd site"
            )
        return {"name": found, "bytes": len(content)}

    files |= {role: copied(name, ".bin") for role, name in GRAPHS.items()}
    files["runtimes"] = {
        name: {role: copied(f"{word}-{name}", suffix) for role, (word, suffix) in RUNTIME_FILES.items()}
        for name in RUNTIMES
    }
    numbers, places = pack_arrays(site_arrays(pipe))
    files["arrays"] = added.sized("centroids", ".bin", numbers)
    landmarks, landmark_places = pack_arrays(umap_arrays(pipe) if "umap" in pipe.map.projections else {})
    files["umap"] = added.sized("umap", ".bin", landmarks) if landmarks else None
    config = {
        **worker_config(pipe, sizes=sizes(pipe.network.config.multiple), counts=range(1, MAX_IMAGES + 1)),
        "arrays": places,
        "umapArrays": landmark_places,
        "files": files,
        "worker": added.add("worker", ".js", worker_script().encode()),
        "script": added.add("previews", ".js", bundle_of("site/previews.js").encode()),
        **_references(pipe),
    }
    name = added.add("previews", ".json", json.dumps(config, separators=(",", ":")).encode())
    return ServedSite(added.contents, name)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _references(pipe: Pipeline) -> dict[str, Any]:
    """Return a preview and a run, whose pixels a browser has to reach.

    A browser computes in float32, as `Pipeline.sample` does; previews of the server may be of bfloat16.
    """
    multiple = pipe.network.config.multiple
    offered = sizes(multiple)
    size = next((side for side in offered if side > multiple), offered[-1])
    target = [{"name": name, "weight": 50} for name in pipe.classes[:2]]
    request = parse_request(
        target, classes=pipe.classes, multiple=multiple, n=1, size=size, steps=REFERENCE_STEPS
    )
    part = PreviewPart(1, size, request, multiple)
    made = {
        "reference": part.preview(preview_settings(pipe, request.strength)),
        "runReference": request,
    }
    settings = [getattr(request, name) for name in SETTINGS]
    asked = {
        "target": target,
        "settings": settings,
        "part": {"n": 1, "size": size, "finished": part.finished()},
    }
    return {name: asked | {"src": last_frame(pipe, run)["src"]} for name, run in made.items()}
