"""The browser half as it is sent: one file that holds all modules, and nothing beside."""

from __future__ import annotations

import re

import pytest
from plotly.offline import get_plotlyjs
from starlette.applications import Starlette
from starlette.testclient import TestClient

from fgsd.app import web_files
from fgsd.app.http.middleware import OPEN_ROUTES
from fgsd.app.web_files import (
    PLOTLY_ADDRESS,
    address,
    bundle,
    bundle_of,
    call_script,
    module_route,
    modules,
    mount_script,
    plotly_route,
)


def test_each_module_comes_once_and_after_those_that_it_imports():
    order = re.findall(r'^modules\["([^"]+)"\] = ', bundle(), re.MULTILINE)
    app = {path: source for path, source in modules().items() if not path.startswith("site/")}
    assert sorted(order) == sorted(app) and len(order) > 50
    for path, source in app.items():
        for name in re.findall(r'from "\.\./shared/([^"]+)"', source):
            assert order.index(f"shared/{name}") < order.index(path)
    assert not re.search(r"^import\b", bundle(), re.MULTILINE)
    assert re.findall(r"^export\b.*", bundle(), re.MULTILINE) == ["export const modules = {};"]


def test_a_bundle_of_some_modules_holds_what_they_import_and_nothing_else():
    order = re.findall(r'^modules\["([^"]+)"\] = ', bundle_of("site/worker.js"), re.MULTILINE)
    assert order[-1] == "site/worker.js" and "site/network.js" in order
    assert {path.partition("/")[0] for path in order} == {"site"}  # a worker has no document


def test_imports_and_exports_of_a_module_become_a_block(monkeypatch):
    sources = {
        "map/a.js": 'import { find as seek, make } from "../shared/b.js";\nexport const one = 1;\n'
        "export async function two() {}\nexport class Three {}\n",
        "shared/b.js": "export function find() {}\nexport function make() {}\n",
    }
    monkeypatch.setattr(web_files, "modules", lambda: sources)
    first, second = bundle.__wrapped__().split("// map/a.js\n")
    assert first.startswith("export const modules = {};\n// shared/b.js\n{\nfunction find() {}\n")
    assert 'modules["shared/b.js"] = { find, make };\n}' in first
    assert 'const { find: seek, make } = modules["shared/b.js"];' in second
    assert 'modules["map/a.js"] = { one, two, Three };' in second


@pytest.mark.parametrize(
    "line",
    [
        "export default 3;",
        "export let count = 0;",
        'export { a } from "./b.js";',
        'import b from "./b.js";',
        'import "./b.js";',
    ],
)
def test_other_forms_of_import_and_export_are_refused(monkeypatch, line):
    monkeypatch.setattr(web_files, "modules", lambda: {"map/a.js": f"{line}\n", "map/b.js": ""})
    with pytest.raises(ValueError, match=r"map/a\.js: this form of import or export is not supported"):
        bundle.__wrapped__()


def test_the_address_holds_a_digest_and_is_open_to_visitors(monkeypatch):
    before = address()
    assert OPEN_ROUTES.fullmatch(f"/{before}")
    for path in ("/web-0123/x.js", f"/{before}/map.css", "/web/map/index.js", f"/{before}x"):
        assert not OPEN_ROUTES.fullmatch(path)
    monkeypatch.setattr(web_files, "bundle", lambda: "export const modules = { changed: true };")
    assert address.__wrapped__() != before


def test_the_bundle_is_served_as_a_script_that_browsers_keep():
    with TestClient(Starlette(routes=[module_route()])) as client:
        response = client.get(f"/{address()}")
        assert response.text == bundle()
        assert response.headers["content-type"].startswith("text/javascript")
        assert "immutable" in response.headers["cache-control"]
        assert client.get("/web-0000000000000000.js").status_code == 404


def test_scripts_name_modules_that_are_there():
    assert 'modules["map/index.js"].mount({ element' in mount_script("map")
    assert 'modules["interpolation/modes.js"].mount(' in mount_script("interpolation", "modes.js")
    with pytest.raises(ValueError, match=r"module='map/none\.js' is none of"):
        mount_script("map", "none.js")
    with pytest.raises(ValueError, match=r"module='shared/none\.js'"):
        call_script("shared/none.js", "numberRequest")


def test_plotly_is_sent_from_the_installed_package_once():
    client = TestClient(Starlette(routes=[plotly_route()]))
    assert OPEN_ROUTES.fullmatch(f"/{PLOTLY_ADDRESS}") and not OPEN_ROUTES.fullmatch("/plotly.min.js")
    answer = client.get(f"/{PLOTLY_ADDRESS}")
    assert answer.text == get_plotlyjs() and answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"] and answer.headers["content-encoding"] == "gzip"
    plain = client.get(f"/{PLOTLY_ADDRESS}", headers={"Accept-Encoding": "identity"})
    assert plain.content == answer.content and "content-encoding" not in plain.headers
    known = client.get(f"/{PLOTLY_ADDRESS}", headers={"If-None-Match": answer.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
