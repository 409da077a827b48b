"""The report as a whole: what it runs, keeps and skips; parts are measured in tests of their own."""

from __future__ import annotations

import json
import shutil

import pytest
from evidence_help import copies, counted, plain_part, reported, some_parts

from fgsd.cli import report as cli_report
from fgsd.cli.main import main
from fgsd.evidence import parts as parts_module
from fgsd.evidence.files import read_report
from fgsd.evidence.parts import Part, all_parts, choose
from fgsd.evidence.report import digest, lacking, plain
from fgsd.evidence.study import studies


@pytest.fixture(scope="module")
def networks(checkpoint_folder, tmp_path_factory):
    """Both networks that the parts of `evidence_help` need."""
    return copies(checkpoint_folder, tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def results(networks, tmp_path_factory):
    """Of all parts."""
    return reported(networks, tmp_path_factory.mktemp("evidence"))


# --- what is measured -----------------------------------------------------------------------------------


def test_results_say_what_was_measured_on_what_and_with_what(results):
    assert list(results["parts"]) == ["counted", "other"]
    assert results["seed"] == 0 and results["size"] == 1.0
    assert results["machine"]["cpu"] and results["machine"]["device"]
    assert {"fgsd", "torch", "numpy", "scikit-learn", "torchmetrics", "plenoptic"} <= results[
        "versions"
    ].keys()
    assert results["versions"]["torch"].startswith("2.")
    facts = results["networks"]["features"]
    assert facts["dimension"] == results["parts"]["counted"]["figures"]["dimension"]
    assert {"parameters", "images", "hours", "digest"} <= facts.keys()
    assert results["parts"]["counted"]["networks"] == ["features"]
    assert results["parts"]["counted"]["seconds"] >= 0 and not results["parts"]["counted"]["resumed"]
    assert results["passed"] is False and results["skipped"] == {}
    # what does not decide a figure would keep parts of one report from being put together
    assert "threads" not in results["machine"] and "date" not in json.dumps(results)
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_a_part_alone_keeps_those_measured_before_in_order(networks, tmp_path):
    first = reported(networks, tmp_path, ["other"])
    assert list(first["parts"]) == ["other"] and list(first["networks"]) == ["labels"]
    both = reported(networks, tmp_path, ["counted"], previous=first)
    assert list(both["parts"]) == ["counted", "other"]
    assert both["parts"]["other"] == first["parts"]["other"]
    assert both["networks"].keys() == {"features", "labels"}
    for changed in ({"seed": 1}, {"size": 0.5}):
        assert list(reported(networks, tmp_path, ["counted"], previous=first, **changed)["parts"]) == [
            "counted"
        ]
    other_machine = first | {"machine": first["machine"] | {"cpu": "another"}}
    assert list(reported(networks, tmp_path, ["counted"], previous=other_machine)["parts"]) == ["counted"]


def test_a_part_of_networks_trained_anew_is_not_kept_and_of_lost_ones_is(checkpoint_folder, tmp_path):
    networks = copies(checkpoint_folder, tmp_path / "networks")
    first = reported(networks, tmp_path)
    weights = networks / "labels" / "centroids.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-4] + b"\0\0\0\0")
    assert list(reported(networks, tmp_path, ["counted"], previous=first)["parts"]) == ["counted"]
    shutil.rmtree(networks / "labels")
    kept = reported(networks, tmp_path, previous=first)
    assert kept["parts"]["other"] == first["parts"]["other"]
    assert kept["networks"]["labels"] == first["networks"]["labels"]
    assert kept["skipped"] == {"other": ["labels"]}


def test_a_part_that_lacks_networks_is_skipped(networks, tmp_path):
    parts = {
        **some_parts(),
        "third": Part(counted, ("features", "nowhere", "gone")),
        "few": Part(counted, ("features",), optional=("labels", "a", "b"), least=2),
        "enough": Part(lambda bench: plain_part("enough"), ("features",), optional=("labels", "a"), least=1),
    }
    results = reported(networks, tmp_path, parts=parts)
    assert list(results["parts"]) == ["counted", "other", "enough"]
    assert results["parts"]["enough"]["networks"] == ["features", "labels"]
    assert results["skipped"] == {"third": ["nowhere", "gone"], "few": ["a", "b"]}
    assert lacking(parts, networks) == results["skipped"]
    with pytest.raises(ValueError, match="not enough values"):  # nothing is yielded, so nothing is written
        reported(networks, tmp_path, ["third"], parts=parts)


def test_what_was_cut_off_goes_on(networks, tmp_path):
    made, cut = [], []

    def measure(bench) -> dict:
        for k in range(3):
            bench.units.get(f"unit {k}", lambda k=k: made.append(k) or {"k": k})
            if made == [0, 1] and k == 1 and not cut:
                cut.append(True)
                raise RuntimeError("no power")
        return plain_part("cut")

    parts = {"cut": Part(measure, ("features",))}
    with pytest.raises(RuntimeError, match="no power"):
        reported(networks, tmp_path, parts=parts)
    assert made == [0, 1]
    assert reported(networks, tmp_path, parts=parts)["parts"]["cut"]["resumed"]
    assert made == [0, 1, 2]
    reported(networks, tmp_path, parts=parts, seed=7)  # other figures altogether
    assert made == [0, 1, 2, 0, 1, 2]


def test_after_each_part_there_is_a_report(networks, tmp_path):
    def fail(bench):
        raise RuntimeError("no power")

    parts = {**some_parts(), "last": Part(fail, ("features",))}
    from fgsd.evidence.report import report

    steps = report(
        networks=networks,
        textures=tmp_path,
        shipped=tmp_path,
        out=tmp_path / "out",
        scratch=tmp_path / "scratch",
        parts=parts,
    )
    assert [list(next(steps)["parts"]) for _ in range(2)] == [["counted"], ["counted", "other"]]
    with pytest.raises(RuntimeError, match="no power"):
        next(steps)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"chosen": ["nothing"]}, r"parts=\['nothing'\] are unknown; there are counted, other"),
        ({"chosen": []}, "parts is empty"),
        ({"seed": -1}, "seed=-1"),
        ({"size": 0.0}, r"size=0\.0"),
        ({"size": float("nan")}, "size=nan"),
    ],
)
def test_bad_arguments_are_named(networks, tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        reported(networks, tmp_path, **options)


def test_a_library_that_is_missing_is_named_before_anything_is_measured(networks, tmp_path, monkeypatch):
    monkeypatch.setattr("fgsd.evidence.report.LIBRARIES", ("numpy", "no-such-library"))
    with pytest.raises(ImportError, match=r"'no-such-library': install fgsd\[evaluate\]"):
        reported(networks, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_parts_of_the_report_need_networks_of_the_study():
    parts = all_parts()
    assert list(parts) == ["truth", "textures", "embedding", "between", "dimension"]
    for part in parts.values():
        assert part.networks and {*part.networks, *part.optional} <= studies().keys()
        assert part.least <= len(part.optional)
    assert list(choose(["dimension", "truth"], parts)) == ["truth", "dimension"]


def test_a_digest_knows_names_and_contents_but_not_the_place(tmp_path):
    for place, name, content in (("a", "x", "1"), ("b", "x", "1"), ("c", "y", "1"), ("d", "x", "2")):
        (tmp_path / place).mkdir()
        (tmp_path / place / name).write_text(content)
    same, also, renamed, changed = (digest(tmp_path / place) for place in "abcd")
    assert same == also and len({same, renamed, changed}) == 3


def test_what_json_does_not_know_becomes_nothing():
    found = plain({"a": (1.0, float("nan")), 2: [float("-inf"), "x", None, True]})
    assert found == {"a": [1.0, None], "2": [None, "x", None, True]}


# --- the command ----------------------------------------------------------------------------------------


def run(capsys, folder, networks, *arguments) -> tuple[int, str, str]:
    places = ["--networks", networks, "-o", folder / "out", "--scratch", folder / "scratch"]
    places += ["-d", folder / "none", "-c", folder / "none"]
    with pytest.raises(SystemExit) as exit_:
        main([str(one) for one in ("report", *arguments, *places)])
    captured = capsys.readouterr()
    return exit_.value.code, captured.out, captured.err


@pytest.fixture
def own_parts(monkeypatch):
    monkeypatch.setattr(parts_module, "all_parts", some_parts)
    monkeypatch.setattr("fgsd.evidence.report.all_parts", some_parts)


def test_the_command_writes_the_report_and_keeps_other_parts(capsys, tmp_path, networks, own_parts):
    code, out, _ = run(capsys, tmp_path, networks, "--part", "counted")
    assert code == 0 and "seconds of nothing" in out and "report.html" in out
    code, out, err = run(capsys, tmp_path, networks, "--part", "other")
    assert code == 0 and "seconds of nothing" in out and "other: other" in out and "not kept" not in err
    assert list(read_report(tmp_path / "out")["parts"]) == ["counted", "other"]
    code, _, err = run(capsys, tmp_path, networks, "--part", "other", "--seed", 3)
    assert code == 0 and "dropped, because they were measured with other settings: counted" in err


def test_the_command_says_what_to_train(capsys, tmp_path, checkpoint_folder, own_parts):
    shutil.copytree(checkpoint_folder, tmp_path / "networks" / "labels")
    code, _, err = run(capsys, tmp_path, tmp_path / "networks")
    assert code == 0 and "counted is skipped; it requires: fgsd study features" in err
    before = (tmp_path / "out" / "report.json").read_bytes()
    code, out, err = run(capsys, tmp_path, tmp_path / "networks", "--part", "counted")
    assert code == 1 and "fgsd study features" in err and out == ""
    assert (tmp_path / "out" / "report.json").read_bytes() == before


def test_the_command_names_bad_input(capsys, tmp_path, networks, own_parts):
    code, _, err = run(capsys, tmp_path, networks, "--part", "nothing")
    assert code == 2 and "there are counted, other" in err and "Traceback" not in err
    assert cli_report.DEFAULT_STUDY.parts == ("checkpoints", "study")
