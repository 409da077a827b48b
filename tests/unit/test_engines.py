"""Engines: they agree with the network, and where they cannot be had, the network itself is evaluated."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from fgsd import Pipeline
from fgsd.app.serving.scheduler import Scheduler
from fgsd.engines import Engines, PackedEngine, can_pack
from fgsd.model.matching import CentroidMatching, RegionMatching
from fgsd.openvino_engine import OpenVinoEngine

PACKS = torch.backends.mkldnn.is_available()
needs_packing = pytest.mark.skipif(not PACKS, reason="PyTorch without oneDNN")


@pytest.fixture(scope="module")
def shipped() -> Pipeline:
    return Pipeline.from_pretrained("checkpoints/textures", device="cpu")


def cases(pipe: Pipeline):
    """Inputs of `denoise`: unguided, a class, a centroid for each image, regions; each also tileable."""
    generator = torch.Generator().manual_seed(0)
    classes = [pipe.table.of(name).at(0.7) for name in ("lava", "grass")]
    masks = torch.rand(1, 2, 32, 48, generator=generator)
    masks = masks / masks.sum(dim=1, keepdim=True)
    matchings = {
        "unguided": None,
        "class": CentroidMatching(classes[0], 1.3),
        "by image": CentroidMatching(torch.stack(classes), torch.tensor([[1.0], [0.5]])),
        "regions": RegionMatching(masks, torch.stack(classes)),
    }
    x = 0.8 * torch.randn(2, 3, 32, 48, generator=generator)
    return [(x, matching, tileable) for matching in matchings.values() for tileable in (False, True)]


@needs_packing
class TestPackedEngine:
    def test_it_agrees_with_the_network_to_rounding(self, shipped):
        engine = PackedEngine(shipped.network)
        for x, matching, tileable in cases(shipped):
            expected, phi = shipped.network.denoise(x, 0.7, matching, tileable=tileable)
            found, found_phi = engine(x, 0.7, matching, tileable=tileable)
            assert found.dtype == torch.float32
            torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)
            torch.testing.assert_close(found_phi, phi, atol=2e-5, rtol=1e-5)
            again, again_phi = engine(x, 0.7, matching, tileable=tileable)
            assert torch.equal(again, found) and torch.equal(again_phi, found_phi)

    def test_bfloat16_agrees_to_its_precision(self, shipped):
        engine = PackedEngine(shipped.network, dtype=torch.bfloat16)
        for x, matching, tileable in cases(shipped):
            expected, phi = shipped.network.denoise(x, 0.7, matching, tileable=tileable)
            found, found_phi = engine(x, 0.7, matching, tileable=tileable)
            assert found.dtype == found_phi.dtype == torch.float32
            assert (found - expected).abs().mean() < 0.005 and (found - expected).abs().max() < 0.1
            assert (found_phi - phi).abs().mean() < 0.01

    def test_a_small_batch_has_one_thread_instead_of_two(self, shipped, monkeypatch):
        seen, denoise = [], type(shipped.network).denoise

        def record(network, x, *arguments, **options):
            seen.append((x.shape[-1], torch.get_num_threads()))
            return denoise(network, x, *arguments, **options)

        monkeypatch.setattr(type(shipped.network), "denoise", record)
        engine = PackedEngine(shipped.network)
        for threads in (2, 3):
            torch.set_num_threads(threads)
            for size in (64, 72):
                engine(torch.zeros(1, 3, size, size), 0.7)
                assert torch.get_num_threads() == threads
        torch.set_num_threads(1)
        assert seen == [(64, 1), (72, 2), (64, 3), (72, 3)]

    def test_changed_weights_are_packed_again(self, shipped):
        network = copy.deepcopy(shipped.network)
        engine, x = PackedEngine(network), cases(shipped)[0][0]
        before, _ = engine(x, 0.7)
        network.stem.weight.mul_(1.5)
        after, _ = engine(x, 0.7)
        assert (after - before).abs().max() > 0.01
        torch.testing.assert_close(after, network.denoise(x, 0.7)[0], atol=2e-5, rtol=0)

    def test_weights_are_shared_but_for_convolutions(self, shipped):
        packed = PackedEngine(shipped.network)._current()
        assert packed.embed.hidden.weight is shipped.network.embed.hidden.weight
        assert all(not isinstance(module, torch.nn.Conv2d) for module in packed.modules())

    def test_images_of_another_dtype_go_to_the_network(self, shipped):
        network = copy.deepcopy(shipped.network)
        engine, x = PackedEngine(network), cases(shipped)[0][0]
        network.double()
        assert torch.equal(engine(x.double(), 0.7)[0], network.denoise(x.double(), 0.7)[0])

    def test_pixels_of_both_engines_of_a_pipeline(self, shipped, monkeypatch):
        """Full pictures differ from those of PyTorch by a grey level at most, previews by few."""

        def picture(evaluate) -> np.ndarray:
            monkeypatch.setattr(shipped.engines, "exact", evaluate)
            return np.asarray(shipped.sample("lava", size=64, steps=5, seed=3)[0]).astype(int)

        engines = Engines(shipped.network)
        reference, exact = picture(shipped.network.denoise), picture(engines.exact)
        assert np.abs(exact - reference).max() <= 1
        quick = [picture(engines.quick)]
        if isinstance(engines.quick, OpenVinoEngine):  # by its fallback so far
            engines.quick.compile()
            quick.append(picture(engines.quick))
        for found in quick:
            assert np.abs(found - reference).mean() < 1 and np.abs(found - reference).max() <= 12


class TestWithoutPacking:
    def test_a_network_that_cannot_be_packed_is_evaluated_by_pytorch(self, shipped, monkeypatch):
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
        monkeypatch.setattr("fgsd.engines.can_convert", lambda network: False)
        engines = Engines(shipped.network)
        assert engines.exact == engines.quick == shipped.network.denoise
        with pytest.raises(ValueError, match="float32 on a CPU"):
            PackedEngine(shipped.network)

    def test_other_dtypes_cannot_be_packed(self, shipped):
        assert can_pack(shipped.network) == PACKS
        assert not can_pack(copy.deepcopy(shipped.network).double())

    def test_without_bfloat16_and_openvino_previews_have_the_exact_engine(self, shipped, monkeypatch):
        monkeypatch.setattr("fgsd.engines.can_convert", lambda network: False)
        monkeypatch.setattr("fgsd.engines.has_bfloat16", lambda device: False)
        engines = Engines(shipped.network)
        assert engines.quick is engines.exact


def test_the_scheduler_evaluates_previews_by_the_quick_engine(shipped, monkeypatch):
    seen = []
    for name in ("exact", "quick"):

        def record(*arguments, name=name, **options):
            seen.append(name)
            return shipped.network.denoise(*arguments, **options)

        monkeypatch.setattr(shipped.engines, name, record)
    scheduler = Scheduler(shipped)
    for preview in (False, True):
        with scheduler.lend("a", preview=preview) as lent:
            lent.sample("lava", size=16, steps=1, seed=0)
    scheduler.close()
    assert seen == ["exact", "quick"]
