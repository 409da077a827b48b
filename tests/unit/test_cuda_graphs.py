"""CUDA graphs: all but the recording itself, which needs a GPU, is tested on the CPU.

There a function is "recorded" by calling it again. That nothing in an evaluation forbids a recording is
tested on the device "meta", which has no values: there, too, reading one raises an error.
"""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fgsd import Pipeline
from fgsd.cuda_graphs import MAX_PIXELS, CudaGraphEngine, Recording
from fgsd.engine_inputs import engine_inputs
from fgsd.engines import Engines
from fgsd.model.conditioning import Labels
from fgsd.model.matching import CentroidMatching, PeerMatching, RegionMatching


class Recorder:
    """Records by calling a function again, as a CUDA graph launches its kernels again; counts recordings."""

    def __init__(self, error: float = 0.0) -> None:
        self.recordings, self.launches, self.error = 0, 0, error

    def __call__(self, evaluate):
        self.recordings += 1
        outputs = evaluate()

        def launch() -> None:
            self.launches += 1
            for output, value in zip(outputs, evaluate(), strict=True):
                output.copy_(value + self.error)

        return outputs, launch


@pytest.fixture(scope="module")
def shipped() -> Pipeline:
    return Pipeline.from_pretrained("checkpoints/textures", device="cpu")


def noise(seed: int = 0, batch: int = 2, height: int = 32, width: int = 48) -> torch.Tensor:
    return 0.8 * torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def conditions(dimension: int, seed: int = 0) -> dict:
    generator = torch.Generator().manual_seed(seed)
    centroids = 0.3 * torch.randn(2, dimension, generator=generator)
    masks = torch.rand(1, 2, 32, 48, generator=generator)
    masks[:, :, 10:13, 20:23] = torch.tensor([0.0, 1.0])[:, None, None]  # small parts are raised
    masks = (masks + 1e-3) / (masks + 1e-3).sum(dim=1, keepdim=True)
    return {
        "class": CentroidMatching(centroids[0], 1.3),
        "by image": CentroidMatching(centroids, torch.tensor([[1.0], [0.5]])),
        "one guided": CentroidMatching(centroids[0], guided=torch.tensor([True, False])),
        "unguided": None,
        "regions": RegionMatching(masks, centroids, 0.8),
        "regions by image": RegionMatching(masks, torch.stack([centroids, -centroids])),
    }


KINDS = list(conditions(1))


@pytest.mark.parametrize("tileable", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_agrees_with_the_network_for_other_inputs_of_its_shape(shipped, kind, tileable):
    network, recorder = shipped.network, Recorder()
    engine = CudaGraphEngine(network, record=recorder)
    kept = []
    for seed, sigma in ((0, 0.7), (1, torch.tensor([0.2, 5.0])), (2, torch.tensor(3.0))):
        x, condition = noise(seed), conditions(network.config.dimension, seed)[kind]
        expected = network.denoise(x, sigma, condition, tileable=tileable)
        found = engine(x, sigma, condition, tileable=tileable)
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-5)
        kept.append((found, [value.clone() for value in found]))
    assert recorder.recordings == 1 and recorder.launches == 4  # the first is compared with the network
    for found, before in kept:  # the next call has not changed them
        assert all(torch.equal(*pair) for pair in zip(found, before, strict=True))


def test_each_shape_is_recorded_once_and_the_last_are_kept(lively):
    network, recorder = lively(), Recorder()
    engine, condition = CudaGraphEngine(network, record=recorder, limit=2), None
    for height in (16, 24, 16, 24):
        engine(noise(height=height), 0.7, condition)
    assert recorder.recordings == 2
    engine(noise(height=32), 0.7, condition)  # 16 goes
    engine(noise(height=24), 0.7, condition)
    assert recorder.recordings == 3
    engine(noise(height=16), 0.7, condition)
    assert recorder.recordings == 4
    engine(noise(height=16), 0.7, condition, tileable=True)
    assert recorder.recordings == 5


def test_changed_weights_need_no_recording(lively):
    network, recorder, x = lively(), Recorder(), noise()
    engine = CudaGraphEngine(network, record=recorder)
    before, _ = engine(x, 0.7)
    network.stem.weight.mul_(1.5)
    after, _ = engine(x, 0.7)
    torch.testing.assert_close(after, network.denoise(x, 0.7)[0], atol=2e-5, rtol=0)
    assert (after - before).abs().max() > 0.01 and recorder.recordings == 1


def refuse(evaluate):
    raise RuntimeError("operation not permitted when stream is capturing")


@pytest.mark.parametrize("record", [refuse, Recorder(error=0.1), Recorder(error=float("nan"))])
def test_the_network_evaluates_once_a_recording_has_failed(lively, caplog, record):
    network = lively()
    engine = CudaGraphEngine(network, record=record)
    for seed in range(2):
        found, expected = engine(noise(seed), 0.7), network.denoise(noise(seed), 0.7)
        assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
    assert caplog.text.count("CUDA graphs cannot evaluate the network; PyTorch does") == 1


def test_what_is_not_recorded_goes_to_the_network(lively, tiny):
    network, recorder = lively(), Recorder()
    engine = CudaGraphEngine(network, record=recorder)
    peers = PeerMatching(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    assert torch.equal(engine(noise(), 0.7, peers)[0], network.denoise(noise(), 0.7, peers)[0])
    large = noise(batch=MAX_PIXELS // (32 * 48) + 1)
    assert torch.equal(engine(large, 0.7)[0], network.denoise(large, 0.7)[0])
    labelled = lively(replace(tiny, labels=3))
    labels, engine = Labels(torch.eye(3)[:2]), CudaGraphEngine(labelled, record=recorder)
    assert torch.equal(engine(noise(), 0.7, labels)[0], labelled.denoise(noise(), 0.7, labels)[0])
    assert recorder.recordings == 0
    with pytest.raises(ValueError, match="multiple"):
        engine(noise(height=30), 0.7)


def test_threads_get_the_outputs_of_their_own_inputs(lively):
    network = lively()
    engine = CudaGraphEngine(network, record=Recorder())
    expected = [network.denoise(noise(seed), 0.7)[0] for seed in range(4)]

    def evaluate(seed: int) -> torch.Tensor:
        return engine(noise(seed % 4), 0.7)[0]

    with ThreadPoolExecutor(4) as pool:
        for seed, found in enumerate(pool.map(evaluate, range(40))):
            torch.testing.assert_close(found, expected[seed % 4], atol=2e-5, rtol=0)


class OneDevice(TorchDispatchMode):
    """Fails where a tensor of another device takes part: a recording cannot contain its copy."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        outputs = function(*args, **(kwargs or {}))
        tensors = torch.utils._pytree.tree_leaves((args, kwargs, outputs))
        devices = {value.device.type for value in tensors if isinstance(value, torch.Tensor)}
        assert devices <= {"meta"}, f"{function} has tensors on {devices}"
        return outputs


@pytest.mark.parametrize("tileable", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("normalized", [False, True])
def test_nothing_in_an_evaluation_leaves_the_device(shipped, lively, tiny, normalized, kind, tileable):
    other = replace(tiny, normalization_levels=4, film=True)
    network = lively(other) if normalized else shipped.network
    condition = conditions(network.config.dimension)[kind]
    inputs = engine_inputs(network, noise(), 0.7, condition)
    if isinstance(condition, RegionMatching):
        inputs += [
            condition.pooled_by(2 ** (k + 1), torch.float32) for k in range(len(network.config.widths))
        ]

    def record(evaluate):
        with OneDevice():
            outputs = evaluate()
        raise Recorded(outputs)

    with pytest.raises(Recorded) as recorded:
        on_meta = copy.deepcopy(network).to("meta")
        Recording(on_meta, [value.to("meta") for value in inputs], tileable, record)
    denoised, phi = recorded.value.outputs
    assert denoised.shape == (2, 3, 32, 48) and phi.shape[-1] == network.config.dimension


class Recorded(Exception):
    def __init__(self, outputs) -> None:
        self.outputs = outputs


def test_the_check_for_one_device_can_fail():
    with OneDevice(), pytest.raises(AssertionError, match="tensors on"):
        torch.zeros(2, device="meta") * torch.tensor(2.0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu():
    pipe = Pipeline.from_pretrained("checkpoints/textures", device="cuda")
    engines = Engines(pipe.network)
    assert isinstance(engines.exact, CudaGraphEngine) and engines.quick is engines.exact
    for kind in KINDS:
        condition = conditions(pipe.network.config.dimension)[kind]
        if isinstance(condition, RegionMatching):
            condition = replace(condition, masks=condition.masks.cuda(), centroids=condition.centroids.cuda())
        elif condition is not None:
            moved = {"centroid": condition.centroid.cuda()}
            if condition.guided is not None:
                moved["guided"] = condition.guided.cuda()
            if isinstance(condition.strength, torch.Tensor):
                moved["strength"] = condition.strength.cuda()
            condition = replace(condition, **moved)
        for seed in range(3):
            x = noise(seed).cuda()
            expected, found = pipe.network.denoise(x, 0.7, condition), engines.exact(x, 0.7, condition)
            torch.testing.assert_close(found, expected, atol=5e-3, rtol=1e-2)
    assert not engines.exact._has_failed
