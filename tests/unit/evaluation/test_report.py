"""The text of the results."""

from __future__ import annotations

import json

from evaluation_help import RealPipe, simple_features

from fgsd.evaluation import evaluate, report_text


def test_the_report_has_every_figure_with_its_target_and_verdict(untrained, data):
    real = RealPipe(untrained, data, "train")
    parts = ["classifier", "memorisation", "diversity", "few_steps"]
    found = evaluate(real, data, per_class=6, parts=parts, features=simple_features)
    text = report_text(json.loads(json.dumps(found)))
    for part in parts:
        for one in found["parts"][part]["checks"]:
            [line] = [x for x in text.splitlines() if x.startswith(f"{part}: {one['name']}  ")]
            assert line.endswith("pass" if one["passed"] else "short")
            assert f"{one['relation']} {one['target']:.3f}" in line
            assert ("–" if one["value"] is None else f"{one['value']:.3f}") in line
    assert "did not reach" in text
    assert max(len(line) for line in text.splitlines()) < 200
