"""What `fgsd app --site` serves; see tests/browser/test_local_previews.py."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from page_help import opened
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from fgsd.app.http.isolation import IsolationMiddleware
from fgsd.app.http.middleware import OPEN_ROUTES
from fgsd.app.server import launch
from fgsd.app.serving.preview import STEPS, preview_sigma_max
from fgsd.app.site.build import site_contents
from fgsd.app.site.runtime import RUNTIMES
from fgsd.app.site.served import read_site
from fgsd.pipeline import Pipeline
from fgsd.student import Student

RUNTIME = {name: name.encode() for files in RUNTIMES.values() for name in files}


@pytest.fixture
def folder(pipe, texture_folder, tmp_path) -> Path:
    for name, content in site_contents(pipe, texture_folder, RUNTIME).items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_the_files_that_the_page_names_are_served_and_kept(folder, pipe):
    site = read_site(folder, pipe)
    config = json.loads(site.files[site.config])
    builds = config["files"].pop("runtimes").values()
    files = [*filter(None, config["files"].values()), *(file for build in builds for file in build.values())]
    named = {file["name"] for file in files} | {config["worker"], config["script"]}
    assert named | {site.config} == set(site.files)
    app = Starlette(routes=site.routes(), middleware=[Middleware(IsolationMiddleware)])
    client = TestClient(app)
    for name, content in site.files.items():
        assert OPEN_ROUTES.fullmatch(f"/{name}")
        answer = client.get(f"/{name}")
        assert answer.content == content and "immutable" in answer.headers["cache-control"]
        assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
        if name.endswith("js"):
            assert answer.headers["content-type"].startswith("text/javascript")
    reference = config["reference"]
    size = reference["part"]["size"]
    mix = {name: 0.5 for name in pipe.classes[:2]}
    [expected] = pipe.sample(mix, size=size, steps=STEPS, sigma_max=preview_sigma_max(pipe))
    assert np.array_equal(np.asarray(opened(reference["src"])), np.asarray(expected))


def test_the_folder_must_be_a_site_of_the_checkpoint(folder, pipe, lively, tmp_path_factory):
    with pytest.raises(ValueError, match=r"site='.*': this folder holds no site; write one by: fgsd site"):
        read_site(tmp_path_factory.mktemp("empty"), pipe)
    other = Pipeline(lively(seed=5), pipe.table, pipe.info, device="cpu", map=pipe.map)
    with pytest.raises(ValueError, match="this site is of another checkpoint; write one of this"):
        read_site(folder, other)
    taught = Pipeline(
        pipe.network,
        pipe.table,
        pipe.info,
        device="cpu",
        map=pipe.map,
        student=Student(other.network, (2.0, 0.5)),
    )
    with pytest.raises(ValueError, match="another checkpoint"):
        read_site(folder, taught)
    [graph] = [path for path in folder.iterdir() if re.fullmatch(r"graph-[0-9a-f]{12}\.bin", path.name)]
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(ValueError, match=f"its {graph.name} is missing or damaged"):
        read_site(folder, pipe)
    graph.unlink()
    with pytest.raises(ValueError, match=f"its {graph.name} is missing or damaged"):
        read_site(folder, pipe)


def test_a_folder_that_is_no_site_ends_the_start(checkpoint_folder, tmp_path):
    with pytest.raises(ValueError, match="holds no site"):
        launch(checkpoint_folder, None, port=None, device="cpu", block=False, site=tmp_path)


def test_a_page_in_a_frame_of_another_is_not_isolated():
    routes = [Route(path, lambda request: PlainTextResponse("x")) for path in ("/", "/evidence.html")]
    client = TestClient(Starlette(routes=routes, middleware=[Middleware(IsolationMiddleware)]))
    framed = {"Sec-Fetch-Dest": "iframe"}
    assert client.get("/").headers["cross-origin-opener-policy"] == "same-origin"
    assert "cross-origin-opener-policy" not in client.get("/", headers=framed).headers
    # the report, in a frame of the page, has to be isolated as the page is
    report = client.get("/evidence.html", headers=framed)
    assert report.headers["cross-origin-embedder-policy"] == "require-corp"
