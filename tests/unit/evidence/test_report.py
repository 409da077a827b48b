"""The report as a whole: which parts it measures, keeps and skips. Parts have tests of their own."""

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
from fgsd.evidence.report import digest, missing_networks, to_json
from fgsd.evidence.study import studies


@pytest.fixture(scope="module")
def networks(checkpoint_folder, tmp_path_factory):
    """Both networks that `some_parts` need."""
    return copies(checkpoint_folder, tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def results(networks, tmp_path_factory):
    """Results of all parts."""
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
    # facts that do not affect figures would prevent parts of one report from being combined
    assert "threads" not in results["machine"] and "date" not in json.dumps(results)
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_parts_that_were_measured_before_are_kept_in_order(networks, tmp_path):
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


def test_parts_are_kept_where_settings_of_the_shipped_network_have_other_names(networks, tmp_path):
    """Reports in which the network's settings have the names of an earlier version stay valid."""
    shipped = networks / "features"
    first = reported(networks, tmp_path, ["other"], shipped=shipped)
    renamed = first | {"shipped": first["shipped"] | {"network": {"old_name": 1}}}
    both = reported(networks, tmp_path, ["counted"], shipped=shipped, previous=renamed)
    assert list(both["parts"]) == ["counted", "other"]
    another = first | {"shipped": first["shipped"] | {"digest": "0"}}
    alone = reported(networks, tmp_path, ["counted"], shipped=shipped, previous=another)
    assert list(alone["parts"]) == ["counted"]


def test_a_part_is_kept_if_its_networks_are_gone_but_not_if_they_have_changed(checkpoint_folder, tmp_path):
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


def test_a_part_whose_networks_are_missing_is_skipped(networks, tmp_path):
    parts = {
        **some_parts(),
        "third": Part(counted, ("features", "nowhere", "gone")),
        "few": Part(counted, ("features",), optional=("labels", "a", "b"), min_optional=2),
        "enough": Part(
            lambda context: plain_part("enough"), ("features",), optional=("labels", "a"), min_optional=1
        ),
    }
    results = reported(networks, tmp_path, parts=parts)
    assert list(results["parts"]) == ["counted", "other", "enough"]
    assert results["parts"]["enough"]["networks"] == ["features", "labels"]
    assert results["skipped"] == {"third": ["nowhere", "gone"], "few": ["a", "b"]}
    assert missing_networks(parts, networks) == results["skipped"]
    with pytest.raises(ValueError, match="not enough values"):  # nothing is yielded
        reported(networks, tmp_path, ["third"], parts=parts)


def test_an_interrupted_part_resumes(networks, tmp_path):
    made, cut = [], []

    def measure(context) -> dict:
        for k in range(3):
            context.cache.get(f"unit {k}", lambda k=k: made.append(k) or {"k": k})
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
    reported(networks, tmp_path, parts=parts, seed=7)  # other figures
    assert made == [0, 1, 2, 0, 1, 2]


def test_there_is_a_report_after_each_part(networks, tmp_path):
    def fail(context):
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


def test_a_missing_library_is_named_before_anything_is_measured(networks, tmp_path, monkeypatch):
    monkeypatch.setattr("fgsd.evidence.report.LIBRARIES", ("numpy", "no-such-library"))
    with pytest.raises(ImportError, match=r"'no-such-library': install fgsd\[evaluate\]"):
        reported(networks, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_parts_of_the_report_need_networks_of_the_study():
    parts = all_parts()
    assert list(parts) == ["truth", "textures", "embedding", "between", "dimension"]
    for part in parts.values():
        assert part.networks and {*part.networks, *part.optional} <= studies().keys()
        assert part.min_optional <= len(part.optional)
    assert list(choose(["dimension", "truth"], parts)) == ["truth", "dimension"]


def test_a_digest_depends_on_names_and_contents_but_not_on_the_folder(tmp_path):
    for folder, name, content in (("a", "x", "1"), ("b", "x", "1"), ("c", "y", "1"), ("d", "x", "2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(content)
    same, also, renamed, changed = (digest(tmp_path / folder) for folder in "abcd")
    assert same == also and len({same, renamed, changed}) == 3


def test_values_that_json_does_not_have_become_none():
    found = to_json({"a": (1.0, float("nan")), 2: [float("-inf"), "x", None, True]})
    assert found == {"a": [1.0, None], "2": [None, "x", None, True]}


# --- the command ----------------------------------------------------------------------------------------


def run(capsys, folder, networks, *arguments) -> tuple[int, str, str]:
    folders = ["--networks", networks, "-o", folder / "out", "--scratch", folder / "scratch"]
    folders += ["-d", folder / "none", "-c", folder / "none"]
    with pytest.raises(SystemExit) as exit_:
        main([str(one) for one in ("report", *arguments, *folders)])
    captured = capsys.readouterr()
    return exit_.value.code, captured.out, captured.err


@pytest.fixture
def small_parts(monkeypatch):
    """The command measures `some_parts`."""
    monkeypatch.setattr(parts_module, "all_parts", some_parts)
    monkeypatch.setattr("fgsd.evidence.report.all_parts", some_parts)


def test_the_command_writes_the_report_and_keeps_other_parts(capsys, tmp_path, networks, small_parts):
    code, out, _ = run(capsys, tmp_path, networks, "--part", "counted")
    assert code == 0 and "seconds of nothing" in out and "report.html" in out
    code, out, err = run(capsys, tmp_path, networks, "--part", "other")
    assert code == 0 and "seconds of nothing" in out and "other: other" in out and "not kept" not in err
    assert list(read_report(tmp_path / "out")["parts"]) == ["counted", "other"]
    code, _, err = run(capsys, tmp_path, networks, "--part", "other", "--seed", 3)
    assert code == 0 and "dropped, because they were measured with other settings: counted" in err


def test_the_command_names_networks_to_train(capsys, tmp_path, checkpoint_folder, small_parts):
    shutil.copytree(checkpoint_folder, tmp_path / "networks" / "labels")
    code, _, err = run(capsys, tmp_path, tmp_path / "networks")
    assert code == 0 and "counted is skipped; it requires: fgsd study features" in err
    before = (tmp_path / "out" / "report.json").read_bytes()
    code, out, err = run(capsys, tmp_path, tmp_path / "networks", "--part", "counted")
    assert code == 1 and "fgsd study features" in err and out == ""
    assert (tmp_path / "out" / "report.json").read_bytes() == before


def test_the_command_names_bad_input(capsys, tmp_path, networks, small_parts):
    code, _, err = run(capsys, tmp_path, networks, "--part", "nothing")
    assert code == 2 and "there are counted, other" in err and "Traceback" not in err
    assert cli_report.DEFAULT_STUDY.parts == ("checkpoints", "study")
