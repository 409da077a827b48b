"""Border jumps of ramps and of noise that tiles or does not."""

from __future__ import annotations

import pytest
import torch
from evaluation_help import uniform

from fgsd.evaluation.seams import measure_seams, seam_ratios


def test_a_ramp_jumps_back_over_its_whole_height():
    ramp = torch.linspace(-1, 1, 9)[:, None].expand(9, 12)[None, None].expand(1, 3, 9, 12)
    rows, columns = seam_ratios(ramp)
    assert rows[0] == pytest.approx(8, rel=1e-4)  # 8 steps up inside, all of them down at the border
    assert columns[0] == 1.0  # no jumps at all along the rows
    rows, columns = seam_ratios(ramp.transpose(2, 3))
    assert rows[0] == 1.0 and columns[0] == pytest.approx(8, rel=1e-4)


def smoothed(x: torch.Tensor, mode: str) -> torch.Tensor:
    for _ in range(3):
        x = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(x, (1, 1, 1, 1), mode=mode), 3, 1)
    return x


def test_noise_smoothed_round_the_border_has_no_seam():
    figures = measure_seams(smoothed(uniform(300, 3, 24, 24), "circular"))
    assert figures["checks"][0]["value"] == pytest.approx(1, abs=0.04)
    assert figures["checks"][0]["passed"]
    assert figures["share_at_or_below"] == pytest.approx(0.5, abs=0.1)


def test_noise_smoothed_up_to_the_border_has_a_seam():
    figures = measure_seams(smoothed(uniform(40, 3, 24, 24), "reflect"))
    assert figures["checks"][0]["value"] > 2 and not figures["checks"][0]["passed"]
    assert figures["share_at_or_below"] == 0
    with pytest.raises(ValueError, match="3 x 3"):
        measure_seams(uniform(1, 3, 2, 8))
