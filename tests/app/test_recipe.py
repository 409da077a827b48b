"""Recipe files, valid and forged."""

from __future__ import annotations

import base64
import json
import unicodedata

import numpy as np
import pytest
import torch
from PIL import Image

from fgsd.app.limits import MAX_RECIPE_CHARACTERS, MAX_USER_TEXTURES
from fgsd.app.render.encode import data_uri
from fgsd.app.render.frames import frames
from fgsd.app.render.recipe import FORMAT, fingerprint, from_recipe, to_recipe
from fgsd.app.render.user_textures import centroids, clean_name, locate_texture, make_texture
from fgsd.app.requests.request import RequestError, parse_request
from fgsd.pipeline import Pipeline

MARK = "0123456789abcdef"


@pytest.fixture(scope="module")
def textures(pipe):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    return {"mine": make_texture(pipe, data_uri(image, lossless=True), "mine", pipe.classes)}


@pytest.fixture(scope="module")
def request_(pipe):
    target = [{"name": "mine", "weight": 1}, {"name": "moss", "weight": 2, "move": [0.1, -0.2]}]
    classes = [*pipe.classes, "mine"]
    return parse_request(target, classes=classes, multiple=4, n=2, size=16, steps=4, seed=5, strength=1.2)


@pytest.fixture(scope="module")
def text(request_, textures):
    return to_recipe(request_, textures, MARK)


def last_picture(pipe, request, textures) -> str:
    *_, last = frames(pipe, request, user_centroids=centroids(textures), interval=0)
    return last[-1]["src"]


def test_it_opens_the_same_picture_to_the_bit(pipe, request_, textures, text):
    recipe = from_recipe(text, pipe, MARK, pipe.classes)
    opened = {part[0]: locate_texture(pipe, *part) for part in recipe.textures}
    request = parse_request(recipe.target, classes=[*pipe.classes, *opened], multiple=4, **recipe.settings)
    assert request == request_
    assert torch.equal(opened["mine"].centroid.values, textures["mine"].centroid.values)
    assert torch.equal(opened["mine"].centroid.colour, textures["mine"].centroid.colour)
    assert opened["mine"].near == textures["mine"].near
    assert last_picture(pipe, request, opened) == last_picture(pipe, request_, textures)


def test_it_is_small_and_holds_only_what_the_picture_needs(request_, textures, text):
    assert len(text) < 200_000
    others = {**textures, "other": textures["mine"]}
    assert to_recipe(request_, others, MARK) == text


def test_names_of_any_script_and_form_open(pipe, textures):
    name = "가" * 85  # as long as names of files can be
    target = [{"name": name, "weight": 1}, {"name": "moss", "weight": 1}]
    request = parse_request(target, classes=[*pipe.classes, name], multiple=4)
    text = to_recipe(request, {name: textures["mine"]}, MARK)
    for form in ("NFC", "NFD"):
        content = json.loads(text)
        content["own"][0]["name"] = unicodedata.normalize(form, name)
        recipe = from_recipe(json.dumps(content), pipe, MARK, pipe.classes)
        short = clean_name(name, [])
        assert [part["name"] for part in recipe.target] == [short, "moss"]
        assert [texture[0] for texture in recipe.textures] == [short]


def test_a_name_that_is_taken_is_changed_everywhere(pipe, text):
    recipe = from_recipe(text, pipe, MARK, [*pipe.classes, "mine"])
    assert [name for name, _, _ in recipe.textures] == ["mine 2"]
    assert [entry["name"] for entry in recipe.target] == ["mine 2", "moss"]


def test_a_texture_with_the_name_of_a_class_is_renamed(pipe, text):
    content = json.loads(text)
    content["own"][0]["name"] = "moss"
    recipe = from_recipe(json.dumps(content), pipe, MARK, pipe.classes)
    assert recipe.textures[0][0] == "moss 2"


def test_a_file_of_another_network_is_refused(pipe, text, lively):
    with pytest.raises(RequestError, match="made with another network"):
        from_recipe(text, pipe, "f" * 16, pipe.classes)
    other = Pipeline(lively(seed=3), pipe.table, pipe.info, "cpu")
    assert fingerprint(other) != fingerprint(pipe) == fingerprint(pipe)
    assert len(fingerprint(pipe)) == 16


NO_RECIPES = [
    "",
    "{",
    "hello",
    "[]",
    "null",
    "{}",
    '{"format": "fgsd-recipe-2"}',
    '{"format": []}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", [None, 3, [], *NO_RECIPES])
def test_other_content_is_refused(pipe, text):
    with pytest.raises(RequestError, match="no recipe that this page can open"):
        from_recipe(text, pipe, MARK, pipe.classes)


def test_a_file_that_is_too_large_is_refused(pipe, text):
    with pytest.raises(RequestError, match="too large"):
        from_recipe(text + " " * MAX_RECIPE_CHARACTERS, pipe, MARK, pipe.classes)


def numbers(values) -> str:
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()


def replaced(text: str, **changes) -> str:
    content = json.loads(text)
    content["own"][0] |= changes
    return json.dumps(content)


@pytest.mark.parametrize(
    "changes",
    [
        {"values": None},
        {"values": "not base64!"},
        {"values": "AAAA"},
        {"values": numbers([1, 2, 3])},
        {"values": numbers([1]) + "A"},
        {"colour": numbers([0, 0, np.nan])},
        {"colour": numbers([0, 0, np.inf])},
        {"colour": numbers([0, 0, 1e30])},
        {"colour": numbers([0, 0])},
        {"colour": [0, 0, 0]},
        {"name": None},
        {"name": ["mine"]},
        {"thumbnail": None},
        {"thumbnail": "javascript:alert(1)"},
        {"thumbnail": "data:image/png;base64,AAAA"},
        {"thumbnail": "data:image/png;base64," + "A" * 30_000},
    ],
)
def test_a_forged_texture_is_refused_in_one_short_sentence(pipe, text, changes):
    with pytest.raises(RequestError) as caught:
        from_recipe(replaced(text, **changes), pipe, MARK, pipe.classes)
    assert len(str(caught.value)) < 160 and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"link": None},
        {"link": "?seed=1"},
        {"link": ["?mix=moss:1"]},
        {"link": "?mix=" + "a" * 5000},
        {"own": None},
        {"own": {"name": "mine"}},
        {"own": [3]},
        {"own": [{"name": "mine"}] * (MAX_USER_TEXTURES + 1)},
        {"checkpoint": None},
        {"checkpoint": [MARK]},
    ],
)
def test_a_forged_file_is_refused(pipe, text, changes):
    content = {**json.loads(text), **changes}
    assert content["format"] == FORMAT
    with pytest.raises(RequestError):
        from_recipe(json.dumps(content), pipe, MARK, pipe.classes)


def test_a_texture_twice_is_refused(pipe, text):
    content = json.loads(text)
    content["own"] *= 2
    with pytest.raises(RequestError, match="different names"):
        from_recipe(json.dumps(content), pipe, MARK, pipe.classes)
