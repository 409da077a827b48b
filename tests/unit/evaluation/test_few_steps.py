"""The default sampler is compared with the reference."""

from __future__ import annotations

import pytest
from evaluation_help import RealPipe, simple_features

from fgsd.evaluation.context import EvaluationContext
from fgsd.evaluation.few_steps import measure_few_steps


@pytest.mark.parametrize(("worse", "passed"), [("ascent", True), ("ancestral", True), ("dpm2m", False)])
def test_the_default_sampler_is_held_to_the_reference(untrained, data, worse, passed):
    class OneWorse(RealPipe):
        """One of the samplers brings another class than it was asked for."""

        def stream(self, target, *, sampler, **options):
            other = [data.classes[0] if t != data.classes[0] else data.classes[1] for t in target]
            yield from super().stream(other if sampler == worse else target, sampler=sampler, **options)

    real = OneWorse(untrained, data, "test")
    real.evaluations = {"dpm2m": 8, "ancestral": 9, "ascent": 4000}
    found = measure_few_steps(EvaluationContext(real, data, simple_features, reference=(3, 4)))
    accuracy = found["checks"][0]
    assert accuracy["passed"] is passed
    assert found["samplers"][worse]["accuracy"] == 0
    assert {s: one["evaluations"] for s, one in found["samplers"].items()} == {
        "dpm2m": 16,
        "ancestral": 18,
        "ascent": 8000,
    }
    assert found["samplers"]["ancestral"]["seconds"] > 0


def test_a_reference_that_does_not_arrive_is_reported_and_fails(untrained, data):
    real = RealPipe(untrained, data, "test")
    found = measure_few_steps(EvaluationContext(real, data, simple_features, reference=(2, 2)))
    assert "did not reach" in found["note"] and list(found["samplers"]) == ["dpm2m", "ancestral"]
    assert [one["passed"] for one in found["checks"]] == [False] * 3


def test_all_samplers_but_the_reference_run_on_a_real_pipeline(untrained, data, monkeypatch):
    stream = untrained.stream

    def shortened(*args, sampler, sampler_options, **options):
        assert (sampler_options is None) == (sampler != "ascent")
        return stream(*args, sampler="heun" if sampler == "ascent" else sampler, **options)

    monkeypatch.setattr(untrained, "stream", shortened)
    found = measure_few_steps(EvaluationContext(untrained, data, simple_features, steps=3, reference=(2, 2)))
    assert [one["evaluations"] for one in found["samplers"].values()] == [3, 3, 5]
