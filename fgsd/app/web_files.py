"""The browser half of the page: how its ES modules are served, mounted and called.

The modules of `fgsd/app/web` are sent as one file: seventy requests would delay the first screen by seconds
on a slow line. Its address has a digest of the contents, so that browsers may keep it for ever and never run
the modules of another version. The address is relative to the page, which may lie behind a prefix.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.metadata
import importlib.util
import json
import posixpath
import re
from graphlib import TopologicalSorter
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

WEB = Path(__file__).parent / "web"
MODULES_PATTERN = r"web-[0-9a-f]{16}\.js"  # of the address, for the middleware
# addresses of what `fgsd.app.site.served` serves, for the middleware
SITE_PATTERN = r"[a-z]+(?:-[a-z]+)?-[0-9a-f]{12}\.(?:bin|js|mjs|json)"
PLOTLY_ADDRESS = f"plotly-{importlib.metadata.version('plotly')}.min.js"  # relative to the page
HEADERS = {"Cache-Control": "public, max-age=31536000, immutable"}
# the forms of `import` and `export` that the modules use
IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) (\w+))", re.MULTILINE)
OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
STYLES = [
    WEB / f"{name}.css"
    for name in (
        "shared/style",
        "header/header",
        "user_textures/user_textures",
        "map/toolbar",
        "map/map",
        "map/families",
        "map/space",
        "picture/picture",
        "shared/timeline",
        "save/save",
        "interpolation/interpolation",
        "paint/paint",
        "controls/controls",
        "evidence/evidence",
        "shared/narrow",
    )
]


@functools.cache
def modules() -> dict[str, str]:
    """The JavaScript modules by their path below `fgsd/app/web`, such as "map/index.js"."""
    files = sorted(WEB.glob("*/*.js"))
    return {file.relative_to(WEB).as_posix(): file.read_text(encoding="utf-8") for file in files}


@functools.cache
def bundle() -> str:
    """The modules of the app as one; those of `web/site` are for a site without a server."""
    return bundle_of(*(path for path in modules() if not path.startswith("site/")))


def bundle_of(*roots: str) -> str:
    """Some modules and all that they import as one, which exports an object of them, `modules`, by path.

    Each module becomes a block, after those that it imports. Its imports are taken from the object, and its
    exports entered into it.
    """
    imports: dict[str, list[str]] = {}
    found = list(roots)
    while found:
        if (path := found.pop()) not in imports:
            names = [name for _, name in IMPORT.findall(modules()[path])]
            imports[path] = [_resolve(path, name) for name in names]
            found += imports[path]
    order = TopologicalSorter(imports).static_order()
    return "export const modules = {};\n" + "".join(_block(path, modules()[path]) for path in order)


def _resolve(path: str, name: str) -> str:
    """The path of a module that the one at `path` imports by a relative name."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))


def _block(path: str, source: str) -> str:
    def take(found: re.Match[str]) -> str:
        names = found[1].replace(" as ", ": ")
        return f"const {{{names}}} = modules[{json.dumps(_resolve(path, found[2]))}];"

    body = EXPORT.sub("", IMPORT.sub(take, source))
    if other := OTHER.search(body):
        raise ValueError(f"{path}: this form of import or export is not supported: {other[0]}")
    exports = ", ".join(EXPORT.findall(source))
    return f"// {path}\n{{\n{body}\nmodules[{json.dumps(path)}] = {{ {exports} }};\n}}\n"


@functools.cache
def address() -> str:
    """The address of the bundle, relative to the page: "web-", a digest of its contents, ".js"."""
    return f"web-{hashlib.sha256(bundle().encode()).hexdigest()[:16]}.js"


def module_route() -> Route:
    """Serves the bundle, and nothing else."""

    def serve(request: Request) -> Response:
        return Response(bundle(), media_type="text/javascript", headers=HEADERS)

    return Route(f"/{address()}", serve)


@functools.cache
def plotly_script() -> tuple[bytes, str]:
    """The script of the installed plotly package, gzipped, and its ETag."""
    spec = importlib.util.find_spec("plotly")
    assert spec is not None and spec.submodule_search_locations  # fgsd depends on it
    script = Path(spec.submodule_search_locations[0], "package_data", "plotly.min.js").read_bytes()
    return gzip.compress(script, 6, mtime=0), f'"{hashlib.sha256(script).hexdigest()[:16]}"'


def plotly_route() -> Route:
    """Serves plotly's script, which the browser asks for when a visitor opens the map in 3D."""

    def serve(request: Request) -> Response:
        zipped, tag = plotly_script()
        headers = {**HEADERS, "ETag": tag, "Vary": "Accept-Encoding"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(gzip.decompress(zipped), media_type="text/javascript", headers=headers)
        headers["Content-Encoding"] = "gzip"
        return Response(zipped, media_type="text/javascript", headers=headers)

    return Route(f"/{PLOTLY_ADDRESS}", serve)


def preload_link() -> bytes:
    """Value of the header `Link` that makes a browser fetch the bundle before the first panel asks for it.

    Markup in the head of the page would come too late: Gradio adds it in the browser.
    """
    return f"<{address()}>; rel=modulepreload".encode()


def mount_script(panel: str, module: str = "index.js") -> str:
    """A `js_on_load` for `gr.HTML` that imports a panel's module and calls its `mount`.

    Parameters
    ----------
    panel : str
        A folder of `fgsd/app/web`.
    module : str
        A file in it that exports `mount`; see `Panel` in shared/dom.js for what that takes.

    Raises
    ------
    ValueError
        If there is no such module.
    """
    gradio = "{ element, trigger, props, server, upload, watch }"
    return f"{_import()}.then(({{ modules }}) => {_module(f'{panel}/{module}')}.mount({gradio}));"


def call_script(module: str, function: str) -> str:
    """A function for the `js` of a Gradio event that calls one of a module, with the values of its inputs.

    Parameters
    ----------
    module : str
        Its path below `fgsd/app/web`, such as "shared/session.js".
    function : str
        One of its exports.

    Raises
    ------
    ValueError
        If there is no such module.
    """
    call = f"{_module(module)}.{function}(...values)"
    return f"async (...values) => {{ const {{ modules }} = await {_import()}; return {call}; }}"


def _import() -> str:
    return f"import(new URL({json.dumps(address())}, document.baseURI).href)"


def _module(path: str) -> str:
    if path not in modules():
        raise ValueError(f"module={path!r} is none of {', '.join(modules())}")
    return f"modules[{json.dumps(path)}]"


NUMBER_REQUEST = call_script("shared/session.js", "numberRequest")
NUMBER_RUN = call_script("shared/run_maker.js", "numberRun")
ANNOUNCE_SETTINGS = call_script("shared/session.js", "announceSettings")
TEXTURES_RESTORED = call_script("shared/session.js", "texturesRestored")
PRESS_SAMPLE = call_script("shared/sample_button.js", "pressSample")
SAMPLE_ADDRESS = call_script("shared/sample_button.js", "sampleAddress")
SAMPLE_OPENED = call_script("shared/sample_button.js", "sampleOpened")
SAMPLE_IF_ASKED = call_script("shared/sample_button.js", "sampleIfAsked")
