"""What the code before it was rearranged gave: the same pixels, links and files come out of it now."""

from __future__ import annotations

import json
from pathlib import Path

import golden
import numpy as np
import pytest
import typer
from safetensors.numpy import load_file

from fgsd import Pipeline
from fgsd.app.requests.link import to_link
from fgsd.cli.main import app

# Another processor makes sums in another order: `python tests/golden.py` asks for every bit instead.
ROUNDING = 3  # grey levels
QUICK = ("class-odd-size", "zero-strength", "by-image", "page-estimate", "preview", "switch", "recipe")


@pytest.fixture(scope="module")
def shipped() -> Pipeline:
    return golden.shipped()


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    return load_file(golden.PIXELS)


def close(now: np.ndarray, then: np.ndarray) -> bool:
    return now.shape == then.shape and np.abs(now.astype(int) - then.astype(int)).max() <= ROUNDING


@pytest.mark.parametrize("name", QUICK)
def test_the_same_pixels(shipped, recorded, name):
    assert close(dict(golden.pictures(shipped))[name](), recorded[name])


@pytest.mark.slow
def test_the_same_pixels_of_every_request(shipped, recorded):
    assert {name for name, _ in golden.pictures(shipped)} == set(recorded)
    assert not [name for name, make in golden.pictures(shipped) if not close(make(), recorded[name])]


def test_links_made_before_still_open(shipped):
    links = json.loads(golden.LINKS.read_text(encoding="utf-8"))
    assert links == golden.links(shipped)
    assert {name: to_link(golden.opened(shipped, link)) for name, link in links.items()} == links


def test_checkpoints_made_before_still_load():
    folders = sorted((Path(golden.ROOT) / "checkpoints").rglob("config.json"))
    assert len(folders) == 9
    for config in folders:
        pipe = Pipeline.from_pretrained(config.parent, device="cpu")
        [image] = pipe.sample(None, steps=1, size=pipe.network.config.multiple * 4)
        assert np.asarray(image).std() > 0


def test_every_command_and_option_of_before_is_still_there():
    def options(command, path: tuple[str, ...]) -> dict[str, set[str]]:
        found = {" ".join(path): {o for p in command.params for o in [*p.opts, *p.secondary_opts]}}
        for name, inner in getattr(command, "commands", {}).items():
            found |= options(inner, (*path, name))
        return found

    now = options(typer.main.get_command(app), ())
    before = json.loads((golden.HERE / "commands.json").read_text(encoding="utf-8"))
    lost = {command: set(then) - now.get(command, set()) for command, then in before.items()}
    assert not {command: missing for command, missing in lost.items() if missing or command not in now}
