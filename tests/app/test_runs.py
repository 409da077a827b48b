"""Handlers of the Sample button and the Stop button, without a browser."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import gradio as gr
import pytest

VISITOR = SimpleNamespace(session_hash="a")
SKIP = gr.skip()
MOSS = [{"name": "moss", "weight": 50}]
BOTH = [*MOSS, {"name": "brick", "weight": 50}]


@pytest.fixture(scope="module")
def handlers(pipe):
    from fgsd.app.page import build_page

    page = build_page(pipe, None)
    yield {function.name: function.fn for function in page.fns.values() if function.fn is not None}
    del page
    gc.collect()  # now, and not during another test


def values(mode: dict, client_seq: int, by_browser: bool = False, **changes) -> list:
    settings = {"n": 1, "size": 16, "seed": 0, "steps": 3, "strength": 1.0, "sampler": "dpm2m"}
    return [*(settings | changes).values(), "noise", False, mode, client_seq, by_browser]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # Gradio leaves event loops to the collector
class TestRun:
    def test_a_sample_changes_the_picture_alone(self, handlers):
        outputs = list(handlers["run"](VISITOR, MOSS, *values({"mode": "sample"}, 1)))
        assert all(other == SKIP for _, other in outputs)
        first, *_, last = (value for value, _ in outputs)
        assert first == {"run": last["run"], "frames": []}
        assert list(last["frames"]) == ["1", "2", "3"] and last["link"].startswith("?mix=moss:1.0&")

    def test_a_strip_changes_the_interpolation_alone(self, handlers):
        outputs = list(handlers["run"](VISITOR, BOTH, *values({"mode": "strip", "places": 5}, 2)))
        assert all(other == SKIP for other, _ in outputs)
        first, *_, last = (value for _, value in outputs)
        assert first == {"run": last["run"]}
        assert last["frame"]["last"] and last["frame"]["mode"] == "strip"

    def test_a_run_of_the_browser_is_numbered_and_checked_alone(self, handlers):
        outputs = list(handlers["run"](VISITOR, MOSS, *values({"mode": "sample"}, 3, by_browser=True)))
        [(value, other)] = outputs
        assert other == SKIP and value["frames"] == [] and value["browser"].startswith("?mix=moss:1.0&")
        assert handlers["stop"](VISITOR, 3)[0]["run"] == value["run"]  # the newest of the visitor
        [(wrong, _)] = handlers["run"](VISITOR, MOSS, *values({"mode": "sample"}, 3, True, steps=-1))
        assert set(wrong) == {"run", "error"}

    def test_a_mode_that_lacks_textures_says_so(self, handlers):
        *_, (other, last) = handlers["run"](VISITOR, MOSS, *values({"mode": "strip"}, 3))
        assert other == SKIP and last["need"]["button"] == "Add the most different texture"

    @pytest.mark.parametrize(
        ("mode", "index", "client_seq"), [({"mode": "sample"}, 0, 4), ({"mode": "loop"}, 1, 5), ("x", 0, 6)]
    )
    def test_an_error_is_a_sentence_in_the_panel_of_the_mode(self, handlers, mode, index, client_seq):
        *_, last = handlers["run"](VISITOR, BOTH, *values(mode, client_seq, steps=-1))
        assert set(last[index]) == {"run", "error"} and last[1 - index] == SKIP

    def test_a_request_that_arrives_late_changes_nothing(self, handlers):
        list(handlers["run"](VISITOR, MOSS, *values({"mode": "sample"}, 9)))
        assert list(handlers["run"](VISITOR, MOSS, *values({"mode": "sample"}, 8))) == [(SKIP, SKIP)]
        assert handlers["stop"](VISITOR, 8) == (SKIP, SKIP)

    def test_stop_ends_the_run_in_both_panels(self, handlers):
        run = handlers["run"](VISITOR, MOSS, *values({"mode": "sample"}, 20, steps=100))
        (first, _), _ = next(run), next(run)
        stopped, same = handlers["stop"](VISITOR, 21)
        assert stopped == same == {"run": first["run"] + 1, "stopped": True}
        assert not any("99" in value["frames"] for value, _ in run)

    def test_a_new_run_of_another_mode_cancels_the_one_before(self, handlers):
        run = handlers["run"](VISITOR, MOSS, *values({"mode": "sample"}, 30, steps=100))
        next(run), next(run)
        list(handlers["run"](VISITOR, BOTH, *values({"mode": "coarse-fine"}, 31)))
        assert not any("99" in value["frames"] for value, _ in run)
