"""Sizes of pictures by the speed of the device."""

from __future__ import annotations

import pytest

from fgsd.app.limits import MAX_FIRST_S
from fgsd.app.serving.picture_sizes import FIRST_STEPS, first_size


@pytest.mark.parametrize("side", [64, 96, 128, 192, 256])
def test_the_first_picture_is_as_large_as_its_time_allows(side):
    just = MAX_FIRST_S / FIRST_STEPS / side**2
    assert first_size(0.99 * just, 8) == side
    assert first_size(1.01 * just, 8) == max((s for s in (64, 96, 128, 192) if s < side), default=64)


def test_a_very_slow_or_fast_device_keeps_to_what_the_page_offers():
    assert first_size(1.0, 8) == 64
    assert first_size(1e-12, 8) == 256
    assert first_size(1e-12, 48) % 48 == 0
