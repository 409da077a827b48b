"""The files of a site without a server, and the command that writes them; see tests/browser/test_site.py."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from cli_help import run

from fgsd.app.site import build
from fgsd.app.site.build import MANIFEST, build_site, site_contents, site_files
from fgsd.app.site.runtime import RUNTIMES, runtime_files
from fgsd.centroids import compute_table
from fgsd.checkpoint import CheckpointInfo
from fgsd.feature_map import fit_map
from fgsd.levels import noise_levels
from fgsd.pipeline import Pipeline

RUNTIME = {name: name.encode() for files in RUNTIMES.values() for name in files}


@pytest.fixture(scope="module")
def contents(pipe, texture_folder) -> dict[str, bytes]:
    return site_contents(pipe, texture_folder, RUNTIME)


def loaded_files(files: dict) -> list[dict]:
    """What browsers load to sample, by any build of the runtime."""
    builds = [file for build in files["runtimes"].values() for file in build.values()]
    return [*builds, *(file for role, file in files.items() if file and role != "runtimes")]


def names_in(value) -> set[str]:
    """All names of files in the data of the page."""
    if isinstance(value, dict):
        return set().union(*map(names_in, value.values())) if value else set()
    if isinstance(value, list):
        return set().union(*map(names_in, value)) if value else set()
    return {value} if isinstance(value, str) and re.fullmatch(r"[\w-]+\.[a-z]+", value) else set()


def test_the_page_names_files_that_are_there_and_asks_nobody_else(contents):
    page = contents["index.html"].decode()
    data = json.loads(re.search(r'id="site-data">(.*?)</script>', page, re.DOTALL)[1])
    named = names_in(data) | set(re.findall(r'(?:href|src)="([\w-]+-[0-9a-f]{12}\.\w+)"', page))
    assert len(named) >= 12 and named <= set(contents)
    files = loaded_files(data["files"])
    assert [file["bytes"] for file in files] == [len(contents[file["name"]]) for file in files]
    addresses = re.findall(r'(?:src|href|url)=?["(]?((?:https?:)?//[^"\s)]+)', page)
    assert all(f'href="{address}" rel="noopener"' in page for address in addresses)  # links to follow
    manifest = json.loads(contents[MANIFEST])
    assert sorted(contents) == manifest["files"]


def test_the_service_worker_keeps_every_file_with_a_digest_in_its_name(contents):
    script = contents["service-worker.js"].decode()
    listed, first = (
        json.loads(part) for part in re.search(r"serve\(self, (\[.*?\]), (\[.*?\])\)", script).groups()
    )
    hashed = {name for name in contents if re.search(r"-[0-9a-f]{12}\.\w+$", name)}
    assert hashed <= set(listed) and set(first) <= hashed
    assert "export" not in re.sub(r"//.*", "", script)  # it is no module


def test_no_control_is_there_that_needs_a_server(contents):
    page = contents["index.html"].decode()
    kinds = re.findall(r'data-save="(\w+)"', page)
    assert kinds == ["png", "film", "plan", "python", "link"]
    assert re.search(r'<label class="colour" hidden', page)
    assert "needs a server" not in page


def test_painting_is_there_where_the_network_has_regions(contents, lively, tiny, data):
    page = contents["index.html"].decode()
    assert 'class="paint"' in page and any(name.startswith("graph-regions-tile-") for name in contents)
    assert re.findall(r'value="(\d+)" selected>\d+ px<', page) == ["128", "128"]  # of samples, of paintings
    network = lively(replace(tiny, features=("down0", "down1"), gated=("up0",)))
    table = compute_table(network, data, noise_levels(0.02, 4.0, 2), crops=2)
    info = CheckpointInfo(patch_size=16, image_size=48)
    pipe = Pipeline(network, table, info, "cpu", map=fit_map(network, table, data, crops=2))
    without = site_contents(pipe, None, RUNTIME)
    assert not any(name.startswith("graph-regions") for name in without)
    page = without["index.html"].decode()
    assert 'class="paint' not in page and "in Paint" not in page and 'data-save="plan"' not in page
    assert "no painting" in without["README.md"].decode()


def test_a_new_site_replaces_the_old_one_and_nothing_else(pipe, texture_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "runtime_files", lambda archive: RUNTIME)
    folder = tmp_path / "site"
    written = build_site(pipe, texture_folder, folder)
    assert {path.name for path in folder.iterdir()} == set(written)
    (folder / "CNAME").write_text("example.org", encoding="utf-8")
    monkeypatch.setattr(build, "runtime_files", lambda archive: {**RUNTIME, RUNTIMES["wasm"][0]: b"other"})
    again = build_site(pipe, None, folder)
    assert {path.name for path in folder.iterdir()} == {*again, "CNAME"}
    assert set(written) - set(again) and site_files(folder) == sorted(again)


def test_the_command_refuses_what_it_cannot_use(capsys, checkpoint_folder, texture_folder, tmp_path):
    """Before it computes anything."""
    (tmp_path / "index.html").write_text("another page", encoding="utf-8")
    arguments = ("site", checkpoint_folder, "-d", texture_folder)
    code, _, err = run(capsys, *arguments, "-o", tmp_path)
    assert code == 2 and "not that of a site" in err
    archive = tmp_path / "other.tgz"
    archive.write_bytes(b"another package")
    code, _, err = run(capsys, *arguments, "-o", tmp_path / "site", "--runtime", archive)
    assert code == 2 and "npm pack" in err and not (tmp_path / "site").exists()


def test_the_runtime_is_fetched_once_and_its_digest_is_checked(monkeypatch, tmp_path):
    import httpx

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = []

    def get(url, **options):
        asked.append(url)
        return httpx.Response(200, content=b"not the package", request=httpx.Request("GET", url))

    monkeypatch.setattr(httpx, "get", get)
    with pytest.raises(ValueError, match="npm pack"):
        runtime_files()
    assert asked == ["https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-1.30.0.tgz"]
    assert not list(tmp_path.rglob("*.tgz"))
