"""README.md and docs/results.md: code runs, figures are those of the evidence, the README is short."""

import json
import re
import shlex
from html import escape
from pathlib import Path

import pytest
from figures import COMMANDS, EVIDENCE, MARKS, SUMMARY, filled, parts_of
from PIL import Image

from fgsd.checkpoint import load_checkpoint
from fgsd.evidence.files import PAGE, read_report
from fgsd.evidence.parts import all_parts
from fgsd.evidence.questions import five_findings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
LONGEST = 150  # lines of the README


def test_the_readme_is_short():
    assert len(README.splitlines()) <= LONGEST


def test_the_python_example_runs(checkpoint_folder, tmp_path, monkeypatch):
    """On the tiny checkpoint, whose classes have other names than those that the shipped one knows."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "textures").symlink_to(checkpoint_folder)
    with Image.open(ROOT / "assets" / "textures" / "grass.webp") as image:
        image.convert("RGB").save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    names: dict = {}
    assert {"lava", "glacier"} <= set(load_checkpoint(ROOT / "checkpoints" / "textures").table.classes)
    example = example.replace("lava", "moss").replace("glacier", "slate")
    exec(compile(example, "README.md", "exec"), names)
    assert len(names["images"]) == 4
    assert sorted(p.name for p in tmp_path.glob("step*.png")) == [f"step{k:02}.png" for k in range(1, 17)]


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_the_figures_are_those_of_the_evidence(page):
    """If not: python tests/figures.py."""
    assert filled(page) == (ROOT / page).read_text(encoding="utf-8")


def test_every_file_of_figures_has_a_section_and_its_command():
    assert {path.name for path in EVIDENCE.glob("*.json")} == set(COMMANDS)
    assert sorted(name for name, _ in MARKS.findall(RESULTS)) == sorted(COMMANDS)
    for name, command in COMMANDS.items():
        assert f"`{command}`" in RESULTS, name


def test_tables_and_blocks_of_figures_stand_between_marks():
    for page in (README, RESULTS):
        rest = MARKS.sub("", page)
        assert "```text" not in rest and not re.search(r"^\|", rest, flags=re.MULTILINE)


def test_the_readme_has_one_short_table_of_figures():
    ((name, table),) = MARKS.findall(README)
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert name == "summary" and len(rows) == 2 + len(SUMMARY) <= 2 + 14


def test_no_figure_that_falls_short_is_left_out_of_the_readme():
    told = [figure.find() for figure in SUMMARY]
    short = [
        check
        for name in COMMANDS
        for part in parts_of(name).values()
        for check in part["checks"]
        if not check["passed"]
    ]
    assert short and [check["name"] for check in short if check not in told] == []


def test_the_command_of_each_row_measures_its_figure():
    for figure in SUMMARY:
        words, full = shlex.split(figure.command), shlex.split(COMMANDS[figure.file])
        assert words[:2] in (full[:2], full[3:5])  # "fgsd study && fgsd report"
        if "--part" in words:
            assert words[words.index("--part") + 1] == figure.part
        if "--checkpoint" in full:
            assert words[2:4] == full[2:4]


def test_the_report_lies_there_in_full_but_for_parts_that_it_names_as_skipped():
    results = read_report(EVIDENCE)
    assert list(results["parts"]) == [name for name in all_parts() if name not in results["skipped"]]
    assert {"truth", "textures"} <= set(results["parts"]) and results["size"] == 1
    page = (EVIDENCE / PAGE).read_text(encoding="utf-8")
    for part in results["parts"].values():
        assert escape(part["answer"]) in page
        files = [picture["file"] for picture in part["pictures"]]
        assert part["plots"] and all((EVIDENCE / name).is_file() for name in files)
        assert [name for name in files if f"../assets/evidence/{name})" not in RESULTS] == []
        assert [plot["name"] for plot in part["plots"] if f'id="{plot["name"]}"' not in page] == []


def test_the_report_opens_with_five_findings_made_from_its_figures():
    results = read_report(EVIDENCE)
    answers = five_findings(results)
    page = (EVIDENCE / PAGE).read_text(encoding="utf-8")
    assert len(answers) == 5 and page.count('<li id="finding-') == 5
    for one in answers:
        assert f"<b>{escape(one.verdict)}:</b> {escape(one.sentence)}" in page
    assert len(page.encode()) <= 6_000_000


def test_the_moving_picture_is_small():
    assert (ROOT / "assets" / "drag.webp").stat().st_size <= 2_000_000


def test_the_test_command_is_the_one_that_ci_reads():
    found = re.search(r"<!-- test-command -->\n```bash\n(pip install .*)\n```", README)
    assert found and found[1].endswith("pytest")


def test_the_two_commands_of_the_readme():
    assert "```bash\npip install . && fgsd app\n```" in README


def test_json_of_the_evidence_names_its_machine():
    for name in COMMANDS:
        machine = json.loads((EVIDENCE / name).read_text(encoding="utf-8"))["machine"]
        assert {"cpu", "cores", "torch"} <= set(machine)
