"""The API of a served page, called by `gradio_client`, over plain HTTP and by an MCP client.

The server has proxies in its environment (`app_server.PROXIES`), which it must not ask: it requests its own
address when it starts and at each call of a tool.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import io
import json
import math
import zlib
from dataclasses import replace

import httpx
import numpy as np
import pytest
import torch
from api_help import API, called, encoded, fetched, pixels, uri
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from fgsd.app.api.arguments import sample_call, strip_call
from fgsd.app.limits import MAX_BODY_BYTES, MAX_UPLOAD_BYTES, MAX_UPLOAD_CHARACTERS, MAX_UPLOAD_PIXELS
from fgsd.app.render.user_textures import CROPS, FORMAT_WORDS
from fgsd.centroids import mean_centroid
from fgsd.texture import Texture

SMALL = {"size": 16, "steps": 2}


def picture(width: int = 48, height: int = 48) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def bomb(side: int) -> bytes:
    """A PNG of a few kB whose header claims a side of that many pixels."""
    content = bytearray(encoded(picture()))
    content[16:24] = side.to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


@pytest.fixture(scope="module")
def web(server):
    with httpx.Client(base_url=server.url, timeout=30) as web:
        yield web


@pytest.fixture(scope="module")
def client(server, tmp_path_factory) -> Client:
    return Client(server.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def test_there_are_six_endpoints_and_no_others(web):
    info = web.get(f"{API}/info").json()
    names = ["/sample", "/interpolate", "/paint", "/embed", "/learn", "/classes"]
    assert list(info["named_endpoints"]) == names
    assert info["unnamed_endpoints"] == {}
    names = [p["parameter_name"] for p in info["named_endpoints"]["/sample"]["parameters"]]
    assert names == ["target", "n", "steps", "size", "seed", "strength", "sampler", "tileable", "texture"]


class TestSample:
    def test_the_same_call_gives_the_same_bits_as_the_library(self, client, pipe):
        options = {"n": 3, "size": 32, "steps": 4, "seed": 7, "strength": 1.5, "tileable": True}
        mixture = {"moss": 0.25, "slate": 0.75}
        first, link = client.predict(mixture, **options, api_name="/sample")
        again, _ = client.predict(mixture, **options, api_name="/sample")
        library = pipe.sample(mixture, **options)
        assert len(first) == len(again) == len(library) == 3
        for one, other, image in zip(first, again, library, strict=True):
            assert np.array_equal(pixels(Image.open(one)), pixels(image))
            assert np.array_equal(pixels(Image.open(other)), pixels(image))
        assert link.startswith("?mix=moss:0.25,slate:0.75&images=3&size=32&seed=7")

    def test_over_http_missing_arguments_take_their_defaults(self, web, pipe):
        event, (files, _) = called(web, "sample", ["moss"])
        assert event == "complete"
        assert np.array_equal(fetched(web, files[0]), pixels(pipe.sample("moss")[0]))

    def test_over_http_arguments_may_be_named(self, web, pipe):
        event, (files, _) = called(web, "sample", {"target": "brick", "seed": 3, **SMALL})
        assert event == "complete"
        assert np.array_equal(fetched(web, files[0]), pixels(pipe.sample("brick", seed=3, **SMALL)[0]))


class TestInterpolate:
    def test_it_is_a_strip_from_one_class_to_the_other(self, client, pipe):
        path, link = client.predict("moss", "brick", points=5, seed=2, **SMALL, api_name="/interpolate")
        ends = pipe.centroid("moss"), pipe.centroid("brick")
        mixed = [mean_centroid([(ends[0], 1 - w), (ends[1], w)]) for w in (0, 0.25, 0.5, 0.75, 1)]
        library = pipe.sample(mixed, n=5, seed=[2] * 5, **SMALL)
        assert np.array_equal(pixels(Image.open(path)), np.concatenate([pixels(i) for i in library], axis=1))
        assert link.endswith("&mode=strip&places=5")


class TestEmbed:
    def test_an_uploaded_file_lies_at_its_class(self, client, pipe, texture_folder):
        path = texture_folder / "slate.png"
        result = client.predict(handle_file(path), api_name="/embed")
        centroid = pipe.centroid_of(path, crops=CROPS, scale=1.0)
        assert [near["class"] for near in result["nearest"]] == [n for n, _ in pipe.nearest(centroid, 3)]
        assert result["nearest"][0]["class"] == "slate"
        assert result["nearest"][0]["distance"] == pytest.approx(pipe.nearest(centroid, 1)[0][1], abs=1e-3)
        level = pipe.map.start_level
        place = pipe.map.project_centroid("pca", centroid)[level]
        assert result["place"]["pca"] == pytest.approx(place, abs=1e-3)
        assert result["sigma"] == pytest.approx(float(pipe.map.sigmas[level]), abs=1e-3)

    @pytest.mark.parametrize("kind", ["PNG", "WEBP"])
    def test_the_format_of_a_data_uri_is_detected_from_its_content(self, web, client, tmp_path, kind):
        picture().save(tmp_path / "same.png")
        same = client.predict(handle_file(tmp_path / "same.png"), api_name="/embed")
        content = encoded(picture(), kind, **({"lossless": True} if kind == "WEBP" else {}))
        assert called(web, "embed", [uri(content, "jpeg")]) == ("complete", [same])

    def test_a_photograph_is_turned_upright(self, web):
        turned = Image.Exif()
        turned[0x0112] = 6  # a quarter turn
        sideways = encoded(picture(60, 40), "JPEG", exif=turned)
        upright = Image.open(io.BytesIO(sideways)).transpose(Image.Transpose.ROTATE_270)
        assert called(web, "embed", [uri(sideways)]) == called(web, "embed", [uri(encoded(upright))])

    def test_of_an_animation_the_first_frame_counts(self, web):
        frames = [picture(), Image.new("RGB", (48, 48), "red")]
        moving = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
        assert called(web, "embed", [uri(moving)]) == called(web, "embed", [uri(encoded(frames[0]))])


class TestLearn:
    def test_a_texture_is_learned_with_its_progress_and_sampled_from_its_file(self, client, pipe, tmp_path):
        picture(60, 50).save(tmp_path / "wall.png")
        job = client.submit(
            handle_file(tmp_path / "wall.png"), "my-wall", steps=5, n=2, seed=3, api_name="/learn"
        )
        progress, path, files = job.result(timeout=60)
        assert progress["step"] == progress["steps"] == 5 and progress["loss"] > 0
        first, *rest = job.outputs()[0]  # at least one message before the end
        assert first.keys() == progress.keys() and first["step"] < 5 and rest == [None, []]
        texture = Texture.load(path)
        assert texture.name == "my-wall" and path.endswith(".fgsd.safetensors")
        *_, last = pipe.learn(tmp_path / "wall.png", name="my-wall", steps=5, scale=1.0, seed=3)
        # gradients come in parts, which changes their rounding
        assert torch.allclose(texture.centroid.values, last.texture.centroid.values, rtol=0.02, atol=0.02)
        for file, image in zip(files, pipe.sample(texture, n=2, seed=3), strict=True):
            assert np.array_equal(pixels(Image.open(file)), pixels(image))
        mixture = {"my-wall": 0.5, "moss": 0.5}
        [one], _ = client.predict(mixture, texture=handle_file(path), **SMALL, api_name="/sample")
        centroid = mean_centroid([(texture.centroid, 0.5), (pipe.table.of("moss"), 0.5)])
        assert np.array_equal(pixels(Image.open(one)), pixels(pipe.sample(centroid, **SMALL)[0]))

    def test_a_texture_file_may_come_as_a_data_uri_but_not_with_the_name_of_a_class(self, web, pipe):
        texture = Texture("wall", pipe.centroid_of(picture()), picture(64, 64), pipe.network_digest)
        values = {"target": "wall", "texture": uri(texture.to_bytes()), **SMALL}
        _, (files, _) = called(web, "sample", values)
        assert np.array_equal(fetched(web, files[0]), pixels(pipe.sample(texture, **SMALL)[0]))
        event, text = called(
            web, "sample", values | {"texture": uri(replace(texture, name="moss").to_bytes())}
        )
        assert event == "error" and "texture: there is a class named 'moss'" in text["error"]


def test_classes(client, web, pipe):
    assert client.predict(api_name="/classes") == pipe.classes
    assert called(web, "classes", []) == ("complete", [pipe.classes])


def test_a_class_is_found_in_both_unicode_forms():
    rules = {"classes": ["Caf\u00e9", "moss"], "multiple": 8}
    for name in ("Caf\u00e9", "Cafe\u0301"):
        assert sample_call(name, **rules) == sample_call("Caf\u00e9", **rules)
        assert strip_call(name, "moss", 5, **rules).ends == ("Caf\u00e9", "moss")


FOREIGN = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
BAD = [
    ("sample", [], "target must be the name of a class"),
    ("sample", ["gold"], "target: there is no class named 'gold'"),
    ("sample", [["moss"]], "target must be"),
    ("sample", [3], "target must be"),
    ("sample", [{}], "target must be"),
    ("sample", [{"gold": 1}], "target: there is no class named 'gold'"),
    ("sample", [{"moss": math.nan}], "weight of 'moss' must be a number from 0 to 1; nan came"),
    ("sample", [{"moss": math.inf}], "weight of 'moss' must be a number from 0 to 1; inf came"),
    ("sample", [{"moss": 1.5, "brick": -0.5}], "weight of 'moss' must be a number from 0 to 1; 1.5 came"),
    ("sample", [{"brick": -0.5, "moss": 1}], "weight of 'brick' must be"),
    ("sample", [{"moss": 0.5}], "the weights sum to 0.5; they must sum to 1"),
    ("sample", [{"moss": 0.7, "brick": 0.7}], "the weights sum to 1.4"),
    ("sample", [{"moss": "1"}], "weight of 'moss'"),
    ("sample", [{"moss": True}], "weight of 'moss'"),
    ("sample", ["moss", 10**9], "n must be a whole number from 1 to 16; 1000000000 came"),
    ("sample", ["moss", 0], "n must be"),
    ("sample", ["moss", "4"], "n must be a whole number from 1 to 16; '4' came"),
    ("sample", ["moss", 10**400], "n must be"),
    ("sample", ["moss", None], "n must be a whole number from 1 to 16; nothing came"),
    ("sample", ["moss", 1, 10**6], "steps must be a whole number from 1 to 100"),
    ("sample", ["moss", 1, math.nan], "steps must be"),
    ("sample", ["moss", 1, 2.5], "steps must be"),
    ("sample", ["moss", 1, 4, 4096], "size must be a whole number from 4 to 256; 4096 came"),
    ("sample", ["moss", 1, 4, 30], "size must be a multiple of 4 pixels; the nearest to 30 is 32"),
    ("sample", ["moss", 1, 4, [64, 64]], "size must be"),
    ("sample", ["moss", 16, 100, 256], "steps=100 is too much for one call with 16 images of 256 pixels"),
    ("sample", ["moss", 1, 4, 16, -1], "seed must be"),
    ("sample", ["moss", 1, 4, 16, 0, math.inf], "strength must be a number from 0 to 2; inf came"),
    ("sample", ["moss", 1, 4, 16, 0, 1, "ascent"], "sampler must be dpm2m or ancestral or heun"),
    ("sample", ["moss", 1, 4, 16, 0, 1, "dpm2m", "yes"], "tileable must be False or True; 'yes' came"),
    ("sample", ["moss", 1, 4, 16, 0, 1, "dpm2m", False, None, 0], "/sample takes at most 9 values; 10 came"),
    ("sample", {"target": "moss", "texture": "x"}, "texture must be an uploaded texture file"),
    ("sample", {"target": "moss", "texture": {"path": "/etc/passwd"}}, "texture must be a file that was"),
    ("sample", {"target": "moss", "texture": "data:a/b;base64,!"}, "This is no texture file"),
    ("sample", {"target": "moss", "texture": "data:a/b;base64,AAAA"}, "This file: damaged"),
    ("learn", [], "image must be a data URI"),
    ("learn", [uri(b"x")], "This image cannot be read"),
    ("learn", [uri(encoded(picture(8, 60)))], "8 x 60 pixels; at least 16 x 16 are"),
    ("learn", [uri(encoded(picture())), ""], "name must have 1 to 100 printable characters; '' came"),
    ("learn", [uri(encoded(picture())), "moss"], "name: there is a class named 'moss'"),
    ("learn", [uri(encoded(picture())), "a", 0], "steps must be a whole number from 1 to 400; 0 came"),
    ("learn", [uri(encoded(picture())), "a", 2, 99], "n must be a whole number from 1 to 16; 99 came"),
    ("learn", [uri(encoded(picture())), "a", 2, 1, -1], "seed must be a whole number"),
    ("sample", [FOREIGN], "a file must be uploaded"),
    ("sample", {"taget": "moss"}, "`taget` is not a valid key-word argument"),
    ("interpolate", ["moss"], "b: there is no class named nothing"),
    ("interpolate", ["moss", "moss"], "a and b must be two classes; 'moss' came twice"),
    ("interpolate", ["moss", "gold"], "b: there is no class named 'gold'"),
    ("interpolate", ["moss", "brick", 4], "points must be a whole number from 5 to 11; 4 came"),
    ("interpolate", ["moss", "brick", None], "points must be a whole number; nothing came"),
    ("interpolate", {"a": "moss"}, "No value provided for required argument: b"),
    ("embed", [], "image must be a data URI"),
    ("embed", ["moss.png"], "image must be a data URI"),
    ("embed", [FOREIGN], "a file must be uploaded to this server first"),
    ("embed", [{"path": "/etc/passwd"}], "image must be a file that was uploaded"),
    ("embed", [{"path": "\0"}], "image must be a file that was uploaded"),
    ("embed", [{"path": "a" * 9_000}], "image must be a file that was uploaded"),
    ("embed", [{**FOREIGN, "path": "http://127.0.0.1:1/a.png"}], "This server downloads no addresses"),
    ("embed", [uri(encoded(picture())[:900])], "cannot be read; is the file complete?"),
    ("embed", ["data:image/svg+xml;base64,PHN2Zy8+"], "What came is no image"),
    ("embed", [uri(b"<svg xmlns='http://www.w3.org/2000/svg'/>")], "cannot be read"),
    ("embed", [uri(bomb(9_000))], "9000 x 9000 pixels; at most 64,000,000 can be taken"),
    ("embed", [uri(bomb(60_000))], "cannot be read"),
    ("embed", [uri(encoded(picture(8, 60)))], "8 x 60 pixels; at least 16 x 16 are needed"),
    ("embed", [uri(encoded(picture(), "TIFF"))], "it must be a PNG, JPEG, WebP, AVIF or GIF"),
    ("nothing", [], "There is no such endpoint"),
    ("nothing", {}, "There is no such endpoint"),
]


@pytest.mark.parametrize(("name", "values", "words"), BAD)
def test_a_bad_call_gets_a_sentence(web, name, values, words):
    event, text = called(web, name, values)
    sentence = text["error"] if event == "error" else text
    assert event in ("error", "400", "404")
    assert words in sentence
    assert len(sentence) < 200 and "\n" not in sentence


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # Gradio leaves event loops to the collector
def test_programs_share_the_queues_of_visitors_and_leave_nothing_behind(pipe):
    from gradio.state_holder import SessionState

    from fgsd.app.page import build_page

    page = build_page(pipe, None)
    queues: dict[str, set[str]] = {}
    for function in page.fns.values():
        queues.setdefault(function.concurrency_id, set()).add(function.name)
        if function.concurrency_id == "sampling":
            assert function.concurrency_limit is None  # the scheduler chooses among all requests
    assert queues["sampling"] == {"run", "sample", "interpolate", "paint", "paint_plan"}
    assert "embed" in queues["images"] and len(queues["images"]) > 1

    embed = next(function for function in page.fns.values() if function.api_name == "embed")
    state = SessionState(page)
    long = uri(encoded(picture()))
    assert asyncio.run(page.preprocess_data(embed, [long], state)) == [long]
    assert long not in [config["props"].get("value") for config in state.components]
    del page
    gc.collect()  # now, and not during another test


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_photograph_of_many_megabytes_is_embedded(client, tmp_path, pipe, kind):
    noise = np.random.default_rng(0).integers(0, 256, (1400, 2100, 3), dtype=np.uint8)
    photo = Image.fromarray(noise)
    photo.save(tmp_path / "photo", kind, quality=98)
    size = (tmp_path / "photo").stat().st_size
    assert size > MAX_BODY_BYTES
    near = client.predict(handle_file(tmp_path / "photo"), api_name="/embed")["nearest"]
    expected = pipe.nearest(pipe.centroid_of(tmp_path / "photo", crops=CROPS, scale=1.0), 3)
    assert [(entry["class"], entry["distance"]) for entry in near] == [
        (name, pytest.approx(distance, abs=1e-3)) for name, distance in expected
    ]


def test_the_description_of_embed_has_its_formats_and_limits(web):
    page = web.get(f"{API}/info").json()["named_endpoints"]["/embed"]
    words = page["description"]
    assert FORMAT_WORDS in words
    for limit in (f"{MAX_UPLOAD_BYTES / 1e6:.0f} MB", f"{MAX_UPLOAD_PIXELS / 1e6:.0f} megapixels"):
        assert limit in words
    assert f"{MAX_UPLOAD_CHARACTERS:,} characters" in words


def test_a_file_beyond_the_limit_is_refused_with_the_limit(client, web, tmp_path):
    (tmp_path / "large.png").write_bytes(bytes(MAX_UPLOAD_BYTES + 1))
    with pytest.raises(ValueError, match=str(MAX_UPLOAD_BYTES)):
        client.predict(handle_file(tmp_path / "large.png"), api_name="/embed")
    files = {"files": ("large.png", bytes(MAX_UPLOAD_BYTES + 100_000))}
    response = web.post(f"{API}/upload", files=files)
    assert response.status_code == 413
    assert response.json()["error"] == "This file is too large; an image may have at most 25,000,000 bytes."


def test_an_uploaded_file_that_is_no_image_is_refused(client, tmp_path):
    (tmp_path / "photo.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    with pytest.raises(AppError, match="This image cannot be read"):
        client.predict(handle_file(tmp_path / "photo.png"), api_name="/embed")


def test_the_events_of_the_page_are_not_for_programs(web):
    event, text = called(web, "run", [])
    assert event == "error" and text["error"].startswith("This input cannot be read")


def test_agents_find_the_tools_and_see_the_pictures(server, pipe):
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def visit() -> tuple:
        async with (
            streamable_http_client(f"{server.url}{API}/mcp/") as (incoming, outgoing, _),
            ClientSession(incoming, outgoing) as session,
        ):
            await session.initialize()
            tools = (await session.list_tools()).tools
            calls = (
                ("classes", {}),
                ("sample", {"target": {"moss": 1}, "n": 2, **SMALL}),
                ("interpolate", {"a": "moss", "b": "brick", **SMALL}),
                ("embed", {"image": uri(encoded(picture()))}),
                ("sample", {"target": "gold"}),
                ("learn", {"image": uri(encoded(picture())), "steps": 2, "n": 1}),
                ("paint", {"gradient": ["moss", "brick"], "height": 16, "width": 32, "steps": 2}),
            )
            return tools, [await session.call_tool(name, values) for name, values in calls]

    tools, (names, sampled, strip, embedded, refused, learned, painted) = asyncio.run(visit())
    assert [tool.name for tool in tools] == ["sample", "interpolate", "paint", "embed", "learn", "classes"]
    schema = tools[0].inputSchema
    assert schema["required"] == ["target"]
    assert all(part["description"] for tool in tools for part in tool.inputSchema["properties"].values())
    assert [part.text for part in names.content] == pipe.classes
    assert [part.type for part in sampled.content] == ["image", "text", "image", "text", "text"]
    images = [Image.open(io.BytesIO(base64.b64decode(p.data))) for p in sampled.content if p.type == "image"]
    for image, expected in zip(images, pipe.sample("moss", n=2, **SMALL), strict=True):
        assert np.array_equal(pixels(image), pixels(expected))
    assert strip.content[0].type == "image"
    assert json.loads(embedded.content[0].text)["nearest"][0]["class"] in pipe.classes
    assert [part.type for part in learned.content] == ["text", "text", "image", "text"]
    assert json.loads(learned.content[0].text)["step"] == 2
    assert ".fgsd.safetensors" in learned.content[1].text
    assert painted.content[0].type == "image"
    assert refused.isError and "no class named 'gold'" in refused.content[0].text
