"""OpenVINO computes what the network computes; until it can, and where it cannot, another engine does."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from fgsd import Pipeline
from fgsd.engines import Engines
from fgsd.model.conditioning import Labels
from fgsd.model.matching import CentroidMatching, PeerMatching, RegionMatching
from fgsd.openvino_engine import OpenVinoEngine, can_convert

openvino = pytest.importorskip("openvino")  # there are machines that it is not made for

NAME = "fgsd-openvino"  # of its threads


@pytest.fixture(scope="module")
def shipped() -> Pipeline:
    return Pipeline.from_pretrained("checkpoints/textures", device="cpu")


def conditions(pipe: Pipeline) -> dict:
    classes = [pipe.table.of(name).at(0.7) for name in ("lava", "grass")]
    masks = torch.rand(1, 2, 32, 48, generator=torch.Generator().manual_seed(0))
    masks[..., 0] = 0
    masks[:, :, 10:13, 20:23] = torch.tensor([0.0, 1.0])[:, None, None]  # small parts are raised
    masks = (masks + 1e-3) / (masks + 1e-3).sum(dim=1, keepdim=True)
    return {
        "class": CentroidMatching(classes[0], 1.3),
        "by image": CentroidMatching(torch.stack(classes), torch.tensor([[1.0], [0.5]])),
        "one guided": CentroidMatching(classes[0], guided=torch.tensor([True, False])),
        "unguided": None,
        "regions": RegionMatching(masks, torch.stack(classes), 0.8),
        "regions by image": RegionMatching(masks, torch.stack([torch.stack(classes)] * 2)),
    }


def noise(height: int = 32, width: int = 48) -> torch.Tensor:
    return 0.8 * torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def refuse(*arguments, **options):
    raise AssertionError("the fallback is not to be called")


@pytest.fixture(scope="module")
def engines(shipped) -> dict[str, OpenVinoEngine]:
    """Engines whose graphs are compiled when they are first called."""
    networks = {"network": shipped.network, "student": shipped.student.network}
    return {name: OpenVinoEngine(network, refuse, waits=True) for name, network in networks.items()}


@pytest.mark.parametrize("tileable", [False, True])
@pytest.mark.parametrize(
    ("network", "name"),
    [
        *(("network", name) for name in ("class", "by image", "one guided", "unguided")),
        *(("network", name) for name in ("regions", "regions by image")),
        ("student", "class"),
    ],
)
def test_it_agrees_with_the_network(shipped, engines, network, name, tileable):
    condition, engine = conditions(shipped)[name], engines[network]
    for x in (noise(), noise().contiguous(memory_format=torch.channels_last)):
        for sigma in (0.7, torch.tensor([0.2, 5.0])):
            expected, phi = engine.network.denoise(x, sigma, condition, tileable=tileable)
            found, found_phi = engine(x, sigma, condition, tileable=tileable)
            torch.testing.assert_close(found, expected, atol=5e-5, rtol=0)
            torch.testing.assert_close(found_phi, phi, atol=5e-5, rtol=1e-4)


def test_bfloat16_agrees_to_its_precision(shipped):
    engine, condition = OpenVinoEngine(shipped.network, dtype=torch.bfloat16), conditions(shipped)["class"]
    engine.compile()
    expected, phi = shipped.network.denoise(noise(), 0.7, condition)
    found, found_phi = engine(noise(), 0.7, condition)
    assert (found - expected).abs().mean() < 0.005 and (found - expected).abs().max() < 0.1
    assert (found_phi - phi).abs().mean() < 0.01


def test_outputs_stay_when_the_next_are_computed(shipped):
    engine, condition = OpenVinoEngine(shipped.network), conditions(shipped)["class"]
    engine.compile()
    found, phi = engine(noise(), 0.7, condition)
    kept = found.clone(), phi.clone()
    engine(-noise(), 3.0, condition)
    assert torch.equal(found, kept[0]) and torch.equal(phi, kept[1])


@pytest.mark.parametrize("normalized", [False, True])
def test_networks_of_other_shapes_agree(lively, tiny, normalized):
    changes = {"normalization_levels": 4} if normalized else {}
    network = lively(replace(tiny, features=("down1", "up0"), film=True, **changes))
    engine = OpenVinoEngine(network, refuse)
    engine.compile()
    x, condition = noise(16, 24), CentroidMatching(torch.randn(network.config.dimension))
    expected = network.denoise(x, 0.7, condition)
    torch.testing.assert_close(engine(x, 0.7, condition), expected, atol=5e-5, rtol=1e-4)


def test_another_engine_evaluates_until_the_graph_is_compiled(lively, monkeypatch):
    network, calls, may_compile = lively(), [], threading.Event()
    compile_now = openvino.Core.compile_model

    def compile_later(*arguments):
        may_compile.wait(60)
        return compile_now(*arguments)

    def fallback(*arguments, **options):
        calls.append(1)
        return network.denoise(*arguments, **options)

    monkeypatch.setattr(openvino.Core, "compile_model", compile_later)
    engine, x = OpenVinoEngine(network, fallback), noise(16, 24)
    condition = CentroidMatching(torch.zeros(network.config.dimension))
    for _ in range(2):
        engine(x, 0.7, condition)
    assert len(calls) == 2
    assert sum(thread.name == NAME for thread in threading.enumerate()) == 1  # asked for once
    may_compile.set()
    engine.wait()
    engine.start()  # it is there already
    engine(x, 0.7, condition)
    assert len(calls) == 2


def test_another_engine_evaluates_what_openvino_cannot(lively, monkeypatch, caplog):
    monkeypatch.setattr(openvino.Core, "compile_model", refuse)
    network, x = lively(), noise(16, 24)
    engine, condition = OpenVinoEngine(network), CentroidMatching(torch.zeros(network.config.dimension))
    for _ in range(2):
        assert torch.equal(engine(x, 0.7, condition)[0], network.denoise(x, 0.7, condition)[0])
        engine.wait()
    assert caplog.text.count("OpenVINO cannot evaluate the network") == 1  # it is not tried again


def test_what_has_no_graph_goes_to_the_other_engine(lively, tiny):
    network, calls = lively(tiny), []

    def fallback(x, sigma, condition=None, *, tileable=False):
        calls.append(condition)
        return network.denoise(x, sigma, condition, tileable=tileable)

    engine, centroid = OpenVinoEngine(network, fallback), torch.zeros(network.config.dimension)
    engine.compile()
    engine(noise(16, 24), 0.7, PeerMatching(torch.eye(2)))
    assert len(calls) == 1
    narrow, condition = noise(network.config.multiple, 24), CentroidMatching(centroid)
    engine(narrow, 0.7, condition)  # one pixel of the coarsest level
    assert len(calls) == 2
    engine.compile(tileable=True)
    expected = network.denoise(narrow, 0.7, condition, tileable=True)
    torch.testing.assert_close(engine(narrow, 0.7, condition, tileable=True), expected, atol=5e-5, rtol=1e-4)
    assert len(calls) == 2


def test_an_image_has_the_same_pixels_in_any_batch_and_with_any_number_of_threads(shipped):
    """So a seed has them on the page too, whoever else is served in the same batch."""
    x = 0.8 * torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    centroids = torch.stack([shipped.table.of(name).at(0.7) for name in ("lava", "grass", "blue-ice")])
    outputs = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        engine = OpenVinoEngine(shipped.network, refuse, waits=True)
        outputs.append(engine(x, 0.7, CentroidMatching(centroids))[0])
        for k in range(3):
            alone, _ = engine(x[k : k + 1], 0.7, CentroidMatching(centroids[k]))
            assert torch.equal(alone[0], outputs[0][k])
    assert torch.equal(*outputs)


def test_calls_that_come_at_once_wait_for_one_graph(lively, monkeypatch):
    """No call is evaluated by anything else, so that equal calls have equal outputs."""
    network, built, x = lively(), [], noise(16, 24)
    condition = CentroidMatching(torch.zeros(network.config.dimension))
    build, may_build = openvino.Core.compile_model, threading.Event()

    def build_later(*arguments):
        may_build.wait(60)
        built.append(1)
        return build(*arguments)

    monkeypatch.setattr(openvino.Core, "compile_model", build_later)
    engine = OpenVinoEngine(network, refuse, waits=True)
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(engine, x, 0.7, condition) for _ in range(3)]
        may_build.set()
        outputs = [call.result()[0] for call in calls]
    assert len(built) == 1 and torch.equal(outputs[0], outputs[1]) and torch.equal(outputs[0], outputs[2])


def test_pictures_and_previews_have_it_where_it_can_evaluate_the_network(shipped, lively, tiny, monkeypatch):
    engines = Engines(shipped.network)
    assert isinstance(engines.quick, OpenVinoEngine) and isinstance(engines.exact, OpenVinoEngine)
    engines.start(preview=True)  # as the page does
    engines.wait()
    for engine in (engines.quick, engines.exact):
        engine.fallback = refuse
        assert torch.isfinite(engine(noise(), 0.7, conditions(shipped)["class"])[0]).all()
    monkeypatch.setattr("fgsd.engines.has_bfloat16", lambda device: False)
    engines = Engines(shipped.network)
    assert engines.quick is engines.exact  # one graph
    assert not can_convert(copy.deepcopy(shipped.network).double())
    labelled = lively(replace(tiny, labels=3))
    assert not can_convert(labelled) and not isinstance(Engines(labelled).exact, OpenVinoEngine)
    with pytest.raises(ValueError, match="labels=3"):
        OpenVinoEngine(labelled)
    with pytest.raises(ValueError, match="float16 must be"):
        OpenVinoEngine(shipped.network, dtype=torch.float16)
    labels = Labels(torch.full((2, 3), 1 / 3))
    assert torch.isfinite(Engines(labelled).quick(noise(16, 24), 0.7, labels)[0]).all()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    engines = Engines(shipped.network)
    assert not isinstance(engines.exact, OpenVinoEngine)
    engines.start()  # nothing
    engines.wait()
