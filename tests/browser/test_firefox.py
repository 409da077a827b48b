"""The page in Debian's Firefox: it opens, a drag of the ring changes the picture, and no script fails."""

from __future__ import annotations

import pytest
from browser_help import DESKTOP
from firefox import Firefox, firefox_path
from tools import skip_without

pytestmark = [pytest.mark.browser, pytest.mark.integration]
DONE = "document.querySelector('.picture')?.dataset.done === 'true'"
MIDDLE = """(() => { const b = document.querySelector('%s').getBoundingClientRect();
                     return [b.x + b.width / 2, b.y + b.height / 2]; })()"""
PIXELS = """(() => { const c = document.querySelector('.picture canvas');
                     return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; })()"""


@pytest.fixture
def firefox(tmp_path):
    skip_without(firefox_path(), "Firefox: apt-get install firefox-esr")
    profile = tmp_path / "profile"
    profile.mkdir()
    firefox = Firefox(profile)
    yield firefox
    firefox.close()


def test_a_drag_of_the_ring_changes_the_picture(firefox, server):
    firefox.open(server.url, **DESKTOP)
    firefox.wait_for(DONE)
    before, run = firefox.evaluate(PIXELS), firefox.evaluate("document.querySelector('.picture').dataset.run")
    assert len(set(before)) > 16  # there is a picture
    ring, other = (firefox.evaluate(MIDDLE % name) for name in (".ring", '.dot[aria-pressed="false"]'))
    firefox.drag(ring, other)
    firefox.wait_for(f"{DONE} && document.querySelector('.picture').dataset.run !== {run!r}")
    after = firefox.evaluate(PIXELS)
    assert len(after) == len(before) and after != before
    thumbnail = firefox.evaluate("getComputedStyle(document.querySelector('.dot i')).backgroundImage")
    assert thumbnail.startswith('url("blob:')  # the sheet of thumbnails, by its short address
    assert not firefox.errors
