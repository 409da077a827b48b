"""Write a site: a folder that any static web server serves, for any number of visitors."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fgsd.app.page import first_class, first_frames
from fgsd.app.render.map_data import MapData
from fgsd.app.render.thumbnails import thumbnails, training_images
from fgsd.app.requests.link import to_link
from fgsd.app.requests.request import SampleRequest, parse_request, sizes
from fgsd.app.site.arrays import pack_arrays, site_arrays, umap_arrays
from fgsd.app.site.config import paint_config, worker_config
from fgsd.app.site.map_files import add_map_files
from fgsd.app.site.markup import COUNTS, Links, page_html
from fgsd.app.site.readme import footer_html, readme
from fgsd.app.site.runtime import LICENSE, LICENSE_FILE, RUNTIMES, runtime_files
from fgsd.app.web_files import STYLES, WEB, bundle_of, plotly_script
from fgsd.atomic import write_together
from fgsd.onnx_graph import check_network, network_graph, weights_bytes, weights_dtype
from fgsd.onnx_regions import has_regions, regions_graph
from fgsd.pipeline import Pipeline

FORMAT = "fgsd-site-1"
MANIFEST = "site.json"  # names the files of a site, so that the next one replaces them
FIRST_SIZE = 128  # pixels of a side of the first picture, which is sampled here
# how the files of a build of the runtime are named, by their role in `web/site/runtimes.js`
RUNTIME_FILES = {"module": ("ort", ".mjs"), "threads": ("threads", ".mjs"), "code": ("ort", ".bin")}
PANELS = ("header/toolbar.js", "save/index.js", "map/index.js", "picture/index.js")
PAINT_PANELS = ("paint/button.js", "paint/index.js")  # where the network has regions
STYLE_FOLDERS = ("shared", "header", "map", "picture", "save", "paint", "controls")


@dataclass
class SiteFiles:
    """The files of a site by name; the names of all but a few hold a digest of their content."""

    contents: dict[str, bytes] = field(default_factory=dict)

    def add(self, name: str, suffix: str, content: bytes) -> str:
        """Add a file and return its name."""
        whole = f"{name}-{hashlib.sha256(content).hexdigest()[:12]}{suffix}"
        self.contents[whole] = content
        return whole

    def sized(self, name: str, suffix: str, content: bytes) -> dict[str, Any]:
        """Add a file that is loaded with its progress: {"name", "bytes"}."""
        return {"name": self.add(name, suffix, content), "bytes": len(content)}


def build_site(
    pipe: Pipeline,
    data_folder: str | Path | None,
    folder: Path,
    *,
    checkpoint: str = "checkpoints/textures",
    runtime: Path | None = None,
) -> dict[str, int]:
    """Write a site for a checkpoint, and return the bytes of its files by name.

    Files that are not of a site stay as they are: a folder may be a repository.

    Parameters
    ----------
    pipe : Pipeline
    data_folder : str, Path or None
        The images that the checkpoint was trained on, for thumbnails; with None they are grey.
    folder : Path
    checkpoint : str
        What the Python code that visitors copy loads.
    runtime : Path, optional
        See `runtime_files`.

    Raises
    ------
    FileNotFoundError, ValueError
        If the data holds no usable image, the runtime cannot be had, or the network has parts that a graph
        has not, see `check_network`.
    OSError
        If the system refuses a write; the site before is still there.
    """
    check_network(pipe.network)
    contents = site_contents(pipe, data_folder, runtime_files(runtime), checkpoint=checkpoint)
    former = site_files(folder) or []

    def write(content: bytes, path: Path) -> None:
        path.write_bytes(content)

    write_together(
        folder,
        {name: partial(write, content) for name, content in contents.items()},
        remove=[name for name in former if name not in contents],
    )
    return {name: len(content) for name, content in contents.items()}


def site_files(folder: Path) -> list[str] | None:
    """Return the names of the files of the site in a folder; None if there is none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT or not all(Path(name).name == name for name in manifest["files"]):
            return None
        return list(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def site_contents(
    pipe: Pipeline,
    data_folder: str | Path | None,
    runtime: dict[str, bytes],
    *,
    checkpoint: str = "checkpoints/textures",
) -> dict[str, bytes]:
    """Return the files of a site by name.

    Parameters
    ----------
    runtime : dict
        Files of ONNX Runtime Web, see `runtime_files`.
    checkpoint : str
        See `build_site`.
    """
    added = SiteFiles()
    images = training_images(data_folder, pipe.info)
    data = MapData(pipe, images)
    multiple = pipe.network.config.multiple
    # mirrored edges need two pixels where the network is coarsest
    offered = [side for side in sizes(multiple) if side > multiple] or [2 * multiple]
    size = max((side for side in offered if side <= FIRST_SIZE), default=offered[0])
    target = [{"name": first_class(pipe.classes), "weight": 50}]
    request = parse_request(target, classes=pipe.classes, multiple=multiple, n=1, size=size)
    link = to_link(request)
    numbers, places = pack_arrays(site_arrays(pipe))
    landmarks, landmark_places = pack_arrays(umap_arrays(pipe) if "umap" in pipe.map.projections else {})
    config: dict[str, Any] = {
        "checkpoint": checkpoint,
        "paint": paint_config() if has_regions(pipe.network) else None,
        **worker_config(pipe, sizes=offered, counts=COUNTS),
        "spacings": [pipe.table.nearest(pipe.table.of(name), 2)[-1][1] for name in pipe.classes],
        "target": target,
        "first": {"run": 0, "frames": _frames_before(pipe, request), "first": link},
        "arrays": places,
        "umapArrays": landmark_places,
        "files": {
            **_network_files(pipe, runtime, numbers, added),
            "umap": added.sized("umap", ".bin", landmarks) if landmarks else None,
        },
        "map": add_map_files(data, added.add),
        "worker": added.add("worker", ".js", worker_script().encode()),
    }
    links = Links(
        bundle=added.add("web", ".js", bundle_of("site/index.js", *PANELS, *PAINT_PANELS).encode()),
        style=added.add("style", ".css", _style().encode()),
        plotly=added.add("plotly", ".js", gzip.decompress(plotly_script()[0])),
    )
    first = [links.bundle, links.style, config["worker"], config["map"]["labels"]]
    first += config["map"]["points"].values()
    contents = added.contents
    contents["index.html"] = page_html(
        data,
        thumbnails(images, pipe.classes, pipe.info),
        request,
        link=link,
        sizes=offered,
        site=config,
        links=links,
        footer=footer_html(pipe),
    ).encode()
    contents["service-worker.js"] = _service_worker(sorted(contents), first).encode()
    contents["README.md"] = readme(pipe, loaded_bytes=_loaded_bytes(config["files"])).encode()
    contents[LICENSE_FILE] = LICENSE.encode()
    contents[".nojekyll"] = b""  # GitHub Pages then serves the folder as it is
    manifest = {"format": FORMAT, "files": sorted([*contents, MANIFEST])}
    contents[MANIFEST] = json.dumps(manifest, indent=1).encode()
    return contents


def _frames_before(pipe: Pipeline, request: SampleRequest) -> list[dict[str, Any]]:
    """Return the frames of the first picture, which say that no browser has computed them."""
    return [frame | {"device": "before"} for frame in first_frames(pipe, request)]


def _network_files(
    pipe: Pipeline, runtime: dict[str, bytes], numbers: bytes, site: SiteFiles
) -> dict[str, Any]:
    """Add what a browser samples with, see `Files` of `web/site/network.js`."""
    networks = [pipe.network, *([] if pipe.student is None else [pipe.student.network])]
    dtype = weights_dtype(networks)
    # by names of no known type, so that no server unpacks or changes the content
    weights = [site.sized("weights", ".bin", weights_bytes(network, dtype)) for network in networks]
    regions: dict[str, Any] = {}
    if has_regions(pipe.network):
        for role, tileable in (("regionsGraph", False), ("regionsTileGraph", True)):
            name = "graph-regions-tile" if tileable else "graph-regions"
            regions[role] = site.sized(name, ".bin", regions_graph(pipe.network, dtype, tileable=tileable))
    return {
        "graph": site.sized("graph", ".bin", network_graph(pipe.network, dtype)),
        "tileGraph": site.sized("graph-tile", ".bin", network_graph(pipe.network, dtype, tileable=True)),
        **regions,
        "network": weights[0],
        "student": weights[1] if len(weights) > 1 else None,
        "runtimes": {
            name: {
                role: site.sized(f"{word}-{name}", suffix, runtime[file])
                for (role, (word, suffix)), file in zip(RUNTIME_FILES.items(), files, strict=True)
            }
            for name, files in RUNTIMES.items()
        },
        "arrays": site.sized("centroids", ".bin", numbers),
    }


def _loaded_bytes(files: dict[str, Any]) -> dict[str, int]:
    """Return what a browser loads to sample, by the build of the runtime that it takes."""
    common = sum(file["bytes"] for role, file in files.items() if role != "runtimes" and file is not None)
    return {
        name: common + sum(file["bytes"] for file in build.values())
        for name, build in files["runtimes"].items()
    }


def worker_script() -> str:
    return bundle_of("site/worker.js") + 'modules["site/worker.js"].serve(globalThis);\n'


def _service_worker(files: list[str], first: list[str]) -> str:
    """A classic script: not every browser starts service workers from modules."""
    arguments = f"self, {json.dumps(files)}, {json.dumps(first)}"
    script = bundle_of("site/service_worker.js").removeprefix("export ")
    return f'{script}modules["site/service_worker.js"].serve({arguments});\n'


def _style() -> str:
    """The style sheets of the panels that the site has, after the rules that Gradio brings to the app."""
    chosen = [path for path in STYLES if path.parent.name in STYLE_FOLDERS]
    return "\n".join(path.read_text(encoding="utf-8") for path in [WEB / "site" / "site.css", *chosen])
