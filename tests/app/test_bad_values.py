"""Any value is refused with a sentence, or within its range: properties, checked with Hypothesis."""

from __future__ import annotations

import base64
import io
import json
import math
from typing import Any
from unicodedata import category

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fgsd.app.api.arguments import image_call, sample_call, strip_call
from fgsd.app.limits import (
    MAX_CLASSES,
    MAX_IMAGES,
    MAX_MOVE,
    MAX_NAME_CHARACTERS,
    MAX_POINTS,
    MAX_SEED,
    MAX_SIDE,
    MAX_STEPS,
    MAX_STRENGTH,
    MAX_SWITCH,
    MIN_DECODED_SIDE,
    MIN_POINTS,
    MIN_SWITCH,
)
from fgsd.app.panels.save import python_lines
from fgsd.app.render.map_data import MapData
from fgsd.app.render.recipe import FORMAT, from_recipe
from fgsd.app.render.user_textures import clean_name, read_image
from fgsd.app.requests.link import from_link, to_link
from fgsd.app.requests.request import (
    MODES,
    PAGE_SAMPLERS,
    SETTINGS,
    VIEWS,
    RequestError,
    SampleRequest,
    parse_request,
)
from fgsd.app.serving.admission import Admission
from fgsd.app.serving.preview import preview_function
from fgsd.app.serving.scheduler import Scheduler

CLASSES = ["brick", "moss", "slate", "50 %", "a,b:c&d"]
MULTIPLE = 4
# the same cases each time, and nothing is kept on the disk
settings.register_profile(
    "bad",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
bad = settings.get_profile("bad")

texts = st.text(st.characters(exclude_categories=()), max_size=60)  # lone surrogates too
plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts)
anything = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=8
)
names = st.sampled_from(CLASSES)
entries = st.fixed_dictionaries(
    {"name": names | anything, "weight": st.floats(0, 100) | anything},
    optional={"move": st.lists(st.floats(-2, 2), min_size=2, max_size=2) | anything},
)
targets = st.lists(entries, max_size=10) | anything
interpolation = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(list(MODES.values())) | anything,
        "switch": st.floats() | anything,
        "places": st.integers(0, 20) | anything,
    },
)
values = st.fixed_dictionaries(
    {},
    optional={
        "n": st.integers(-1, 20) | anything,
        "size": st.integers(0, 300) | anything,
        "seed": st.integers(0, MAX_SEED) | anything,
        "steps": st.integers(0, 120) | anything,
        "strength": st.floats() | anything,
        "sampler": st.sampled_from(["dpm2m", "ancestral", "heun", "ascent"]) | anything,
        "tileable": st.booleans() | anything,
        "view": st.sampled_from(["noise", "estimate", "both"]) | anything,
        "interpolation": interpolation | anything,
    },
)


def parse(target: Any, options: dict) -> SampleRequest:
    return parse_request(target, classes=CLASSES, multiple=MULTIPLE, **options)


def good(
    names_: list[str], weights: list[float], moves: list, options: dict, between_: dict
) -> SampleRequest:
    target = [
        {"name": name, "weight": weight} | ({"move": move} if move else {})
        for name, weight, move in zip(names_, weights, moves, strict=False)
    ]
    return parse(target, options | {"interpolation": between_})


requests = st.builds(
    good,
    st.lists(names, min_size=1, max_size=len(CLASSES), unique=True),
    st.lists(st.floats(1e-3, 100), min_size=len(CLASSES), max_size=len(CLASSES)),
    st.lists(
        st.none() | st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
        min_size=len(CLASSES),
        max_size=len(CLASSES),
    ),
    st.fixed_dictionaries(
        {
            "n": st.integers(1, MAX_IMAGES),
            "size": st.integers(1, MAX_SIDE // MULTIPLE).map(lambda k: k * MULTIPLE),
            "seed": st.integers(0, MAX_SEED),
            "steps": st.integers(1, MAX_STEPS),
            "strength": st.floats(0, MAX_STRENGTH),
            "sampler": st.sampled_from(list(PAGE_SAMPLERS.values())),
            "tileable": st.booleans(),
            "view": st.sampled_from(list(VIEWS.values())),
        }
    ),
    st.fixed_dictionaries(
        {
            "mode": st.sampled_from(list(MODES.values())),
            "switch": st.floats(MIN_SWITCH, MAX_SWITCH),
            "places": st.integers(MIN_POINTS, MAX_POINTS),
        }
    ),
)


def check_sentence(error: RequestError) -> None:
    sentence = str(error)
    assert 10 < len(sentence) < 240 and "\n" not in sentence
    sentence.encode()  # without lone surrogates


def check_ranges(request: SampleRequest) -> None:
    assert 1 <= len(request.weights) <= len(request.ends) <= MAX_CLASSES
    assert set(request.weights) <= set(request.ends) <= set(CLASSES)
    assert all(0 < weight <= 1 for weight in request.weights.values())
    assert sum(request.weights.values()) == pytest.approx(1, abs=1e-9)
    assert all(abs(v) <= MAX_MOVE for move in request.moves.values() for v in move)
    assert type(request.n) is int and 1 <= request.n <= MAX_IMAGES
    assert type(request.size) is int and MULTIPLE <= request.size <= MAX_SIDE
    assert request.size % MULTIPLE == 0
    assert type(request.seed) is int and 0 <= request.seed <= MAX_SEED
    assert type(request.steps) is int and 1 <= request.steps <= MAX_STEPS
    assert 0 <= request.strength <= MAX_STRENGTH
    assert request.sampler in PAGE_SAMPLERS.values() and request.view in VIEWS.values()
    assert type(request.tileable) is bool and request.mode in MODES.values()
    assert MIN_SWITCH <= request.switch <= MAX_SWITCH
    assert MIN_POINTS <= request.points <= MAX_POINTS


@bad
@given(targets, values)
def test_a_request_is_refused_in_a_sentence_or_within_its_ranges(target, options):
    try:
        request = parse(target, options)
    except RequestError as error:
        check_sentence(error)
    else:
        check_ranges(request)


@bad
@given(requests)
def test_a_request_comes_back_from_its_link(request):
    check_ranges(request)
    target, options = from_link(to_link(request))
    again = parse(target, options)
    if request.mode not in ("strip", "coarse-fine"):  # a link holds the parameter of its mode only
        assert again == type(again)(**{**vars_of(request), "points": again.points, "switch": again.switch})
    elif request.mode == "strip":
        assert again == type(again)(**{**vars_of(request), "switch": again.switch})
    else:
        assert again == type(again)(**{**vars_of(request), "points": again.points})


def vars_of(request: SampleRequest) -> dict:
    return {name: value for name, value in vars(request).items() if name != "label"}


@bad
@given(
    anything
    | texts.map(lambda text: f"?mix={text}")
    | st.dictionaries(st.sampled_from(["mix", "images", "size", "mode", "switch", "strength"]), anything)
    | st.lists(texts, max_size=4).map(lambda parts: "?mix=moss:1&" + "&images=".join(parts))
)
def test_a_link_is_no_link_or_refused_or_within_ranges(query):
    found = from_link(query)
    if found is None:
        return
    try:
        check_ranges(parse(found[0], found[1]))
    except RequestError as error:
        check_sentence(error)


weights = st.dictionaries(names | texts, st.floats(0, 1) | anything, max_size=4)
options = st.fixed_dictionaries(
    {},
    optional={name: anything for name in ("n", "steps", "size", "seed", "strength", "sampler", "tileable")},
)


@bad
@given(names | weights | anything, options)
def test_a_call_of_sample(target, options):
    try:
        request = sample_call(target, classes=CLASSES, multiple=MULTIPLE, **options)
    except RequestError as error:
        check_sentence(error)
    else:
        check_ranges(request)


@bad
@given(names | anything, names | anything, st.integers(3, 13) | anything, options)
def test_a_call_of_interpolate(a, b, points, options):
    try:
        request = strip_call(a, b, points, classes=CLASSES, multiple=MULTIPLE, **options)
    except RequestError as error:
        check_sentence(error)
    else:
        check_ranges(request)
        assert request.mode == "strip" and len(request.ends) == 2


@bad
@given(anything | st.fixed_dictionaries({"path": anything}) | texts.map(lambda text: {"path": "../" + text}))
def test_a_call_of_embed_reads_no_file_but_uploads(tmp_path, image):
    (tmp_path / "private").write_text("x")
    (tmp_path / "uploads").mkdir(exist_ok=True)
    with pytest.raises(RequestError) as caught:
        read_image(image_call(image, tmp_path / "uploads"))
    check_sentence(caught.value)


def saved(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((20, 16), 60).convert("RGB").save(buffer, kind)
    return buffer.getvalue()


WHOLE = {kind: saved(kind) for kind in ("PNG", "JPEG", "WEBP")}


@st.composite
def damaged(draw: Any) -> bytes:
    """An image with some of its bytes changed, or cut off."""
    content = bytearray(WHOLE[draw(st.sampled_from(sorted(WHOLE)))])
    for _ in range(draw(st.integers(0, 4))):
        content[draw(st.integers(0, min(len(content), 120) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content)


@bad
@given(damaged() | st.binary(max_size=60), st.sampled_from(["png", "jpeg", "webp", "svg", "x"]))
def test_an_image_is_refused_or_small_and_rgb(content, kind):
    try:
        image = read_image(f"data:image/{kind};base64,{base64.b64encode(content).decode()}")
    except RequestError as error:
        check_sentence(error)
    else:
        assert image.mode == "RGB" and min(image.size) < 2 * MIN_DECODED_SIDE


@bad
@given(anything, st.lists(texts, max_size=3))
def test_a_name_is_short_and_new(file_name, taken):
    name = clean_name(file_name, taken)
    assert 0 < len(name) <= MAX_NAME_CHARACTERS + 3
    assert name.casefold() not in {other.casefold() for other in taken}
    assert any(letter.isalnum() for letter in name)
    assert all(letter.isalnum() or letter == " " or category(letter)[0] == "M" for letter in name)
    name.encode()


@bad
@given(
    anything.map(json.dumps)
    | texts
    | st.fixed_dictionaries(
        {
            "format": st.just(FORMAT),
            "checkpoint": st.just("mark"),
            "link": st.just("?mix=moss:1") | anything,
            "own": st.lists(
                st.fixed_dictionaries(
                    {"name": anything, "values": anything, "colour": anything, "thumbnail": anything}
                )
                | anything,
                max_size=3,
            )
            | anything,
        }
    ).map(json.dumps)
)
def test_a_recipe_is_refused_or_holds_a_request_to_check(pipe, text):
    try:
        recipe = from_recipe(text, pipe, "mark", pipe.classes)
        parse_request(recipe.target, classes=pipe.classes, multiple=MULTIPLE, **recipe.settings)
    except RequestError as error:
        check_sentence(error)


queries = st.fixed_dictionaries(
    {},
    optional={
        "target": targets,
        "settings": st.lists(anything, min_size=len(SETTINGS), max_size=len(SETTINGS)) | anything,
        "interpolation": interpolation | anything,
        "visitor": anything,
        "projection": st.just("pca") | anything,
        **{key: st.integers(-1, 3) | anything for key in ("level", "index", "crop")},
    },
)


@bad
@given(anything | queries)
def test_functions_that_the_page_calls_return_plain_values(pipe, data, query):
    functions = [
        *MapData(pipe, data).server_functions(),
        preview_function(
            Admission(Scheduler(pipe)),
            multiple=MULTIPLE,
            make=lambda pipe, request, user_centroids: {"label": request.label},
            nearest=True,
        ),
        python_lines(pipe, "name"),
    ]
    for function in functions:
        result = function(query)
        assert isinstance(result, dict)
        json.dumps(result).encode()
        assert not any(isinstance(v, float) and not math.isfinite(v) for v in result.values())
