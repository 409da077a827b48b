"""The browser half of the page: how its ES modules are served, mounted and called.

The modules of `fgsd/app/web` are served under an address with a digest of their contents, so that browsers
may keep them for ever and never run the modules of another version. Addresses are relative to the page, which
may lie behind a prefix.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

WEB = Path(__file__).parent / "web"
MODULES_PATTERN = r"web-[0-9a-f]{16}/[a-z_]+/[a-z_]+\.js"  # of addresses, for the middleware
HEADERS = {"Cache-Control": "public, max-age=31536000, immutable"}
STYLES = [
    WEB / f"{name}.css"
    for name in (
        "shared/style",
        "header/header",
        "user_textures/user_textures",
        "map/target",
        "map/map",
        "picture/picture",
        "save/save",
        "interpolation/interpolation",
        "controls/controls",
        "evidence/evidence",
        "shared/narrow",
    )
]


@functools.cache
def modules() -> dict[str, bytes]:
    """The JavaScript modules by their path below `fgsd/app/web`, such as "map/index.js"."""
    return {file.relative_to(WEB).as_posix(): file.read_bytes() for file in sorted(WEB.glob("*/*.js"))}


@functools.cache
def base() -> str:
    """The address of the modules, relative to the page: "web-" and a digest of their names and contents."""
    digest = hashlib.sha256()
    for name, content in modules().items():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return f"web-{digest.hexdigest()[:16]}"


def module_route() -> Route:
    """Serves the modules, and nothing else."""

    def serve(request: Request) -> Response:
        content = modules().get(request.path_params["name"])
        if content is None:
            raise HTTPException(404)
        return Response(content, media_type="text/javascript", headers=HEADERS)

    return Route(f"/{base()}/{{name:path}}", serve)


def preload_links() -> str:
    """Markup for the page's head that fetches all modules at once, so that their imports wait for nothing."""
    return "".join(f'<link rel="modulepreload" href="{base()}/{name}">' for name in modules())


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
    panel_properties = "{ element, trigger, props, server, upload, watch }"
    return f"{_import(f'{panel}/{module}')}.then(({{ mount }}) => mount({panel_properties}));"


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
    return f"async (...values) => (await {_import(module)}).{function}(...values)"


def _import(module: str) -> str:
    if module not in modules():
        raise ValueError(f"module={module!r} is none of {', '.join(modules())}")
    return f"import(new URL({json.dumps(f'{base()}/{module}')}, document.baseURI).href)"


NUMBER_REQUEST = call_script("shared/session.js", "numberRequest")
ANNOUNCE_SETTINGS = call_script("shared/session.js", "announceSettings")
PRESS_SAMPLE = call_script("shared/sample_button.js", "pressSample")
SAMPLE_ADDRESS = call_script("shared/sample_button.js", "sampleAddress")
SAMPLE_IF_ASKED = call_script("shared/sample_button.js", "sampleIfAsked")
