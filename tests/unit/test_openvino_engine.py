"""OpenVINO computes what the network computes; until it can, and where it cannot, another engine does."""

from __future__ import annotations

import copy
import threading
from dataclasses import replace

import pytest
import torch

from fgsd import Pipeline
from fgsd.engines import Engines
from fgsd.model.conditioning import Labels
from fgsd.model.matching import CentroidMatching, PeerMatching, RegionMatching
from fgsd.openvino_engine import OpenVinoEngine, can_convert, graph_inputs

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
        "regions": RegionMatching(masks, torch.stack(classes), 0.8),
        "regions by image": RegionMatching(masks, torch.stack([torch.stack(classes)] * 2)),
    }


def noise(height: int = 32, width: int = 48) -> torch.Tensor:
    return 0.8 * torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def refuse(*arguments, **options):
    raise AssertionError("the fallback is not to be called")


@pytest.mark.parametrize("tileable", [False, True])
@pytest.mark.parametrize("name", ["class", "by image", "regions", "regions by image"])
@pytest.mark.parametrize("network", ["network", "student"])
def test_it_agrees_with_the_network(shipped, name, network, tileable):
    network = shipped.network if network == "network" else shipped.student.network
    condition = conditions(shipped)[name]
    engine = OpenVinoEngine(network, refuse)
    engine.compile(regions=isinstance(condition, RegionMatching), tileable=tileable)
    for x in (noise(), noise().contiguous(memory_format=torch.channels_last)):
        for sigma in (0.7, torch.tensor([0.2, 5.0])):
            expected, phi = network.denoise(x, sigma, condition, tileable=tileable)
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
    compile_now = OpenVinoEngine.compile

    def compile_later(engine, **kind):
        may_compile.wait(60)
        compile_now(engine, **kind)

    def fallback(*arguments, **options):
        calls.append(1)
        return network.denoise(*arguments, **options)

    monkeypatch.setattr(OpenVinoEngine, "compile", compile_later)
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
    some = CentroidMatching(centroid, guided=torch.tensor([True, False]))
    for condition in (None, some, PeerMatching(torch.eye(2))):
        engine(noise(16, 24), 0.7, condition)
    assert len(calls) == 3
    narrow, condition = noise(network.config.multiple, 24), CentroidMatching(centroid)
    engine(narrow, 0.7, condition)  # one pixel of the coarsest level
    assert len(calls) == 4
    engine.compile(tileable=True)
    expected = network.denoise(narrow, 0.7, condition, tileable=True)
    torch.testing.assert_close(engine(narrow, 0.7, condition, tileable=True), expected, atol=5e-5, rtol=1e-4)
    assert len(calls) == 4
    with pytest.raises(TypeError, match="condition=None: a graph takes"):
        graph_inputs(noise(), 0.7, None)


def test_changed_weights_are_compiled_again(shipped):
    network, condition = copy.deepcopy(shipped.network), conditions(shipped)["class"]
    engine = OpenVinoEngine(network)
    engine.compile()
    before = engine(noise(), 0.7, condition)[0]
    with torch.no_grad():
        network.stem.weight.mul_(1.5)
    expected = network.denoise(noise(), 0.7, condition)[0]
    assert (expected - before).abs().max() > 0.01
    for _ in range(2):  # by the network, then by the new graph
        torch.testing.assert_close(engine(noise(), 0.7, condition)[0], expected, atol=5e-5, rtol=0)
        engine.wait()


def test_errors_are_those_of_the_network(shipped):
    engine = OpenVinoEngine(shipped.network)
    with pytest.raises(ValueError, match="multiple"):
        engine(noise(30, 48), 0.7, conditions(shipped)["class"])
    with pytest.raises(ValueError, match="masks of"):
        engine(noise(48, 48), 0.7, conditions(shipped)["regions"])


def test_previews_have_it_where_it_can_evaluate_the_network(shipped, lively, tiny, monkeypatch):
    engines = Engines(shipped.network)
    assert isinstance(engines.quick, OpenVinoEngine) and not isinstance(engines.exact, OpenVinoEngine)
    engines.start()  # as the page does
    engines.wait()
    engines.quick.fallback = refuse
    assert torch.isfinite(engines.quick(noise(), 0.7, conditions(shipped)["class"])[0]).all()
    assert not can_convert(copy.deepcopy(shipped.network).double())
    labelled = lively(replace(tiny, labels=3))
    assert not can_convert(labelled) and not isinstance(Engines(labelled).quick, OpenVinoEngine)
    with pytest.raises(ValueError, match="labels=3"):
        OpenVinoEngine(labelled)
    with pytest.raises(ValueError, match="float16 must be"):
        OpenVinoEngine(shipped.network, dtype=torch.float16)
    labels = Labels(torch.full((2, 3), 1 / 3))
    assert torch.isfinite(Engines(labelled).quick(noise(16, 24), 0.7, labels)[0]).all()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    engines = Engines(shipped.network)
    assert not isinstance(engines.quick, OpenVinoEngine)
    engines.start()  # nothing
    engines.wait()
