"""The report's files, its HTML page, and its text for a terminal and for the README."""

from __future__ import annotations

import base64
import copy
import gzip
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from itertools import count

import pytest
from evidence_help import QUESTION, copies, counted, reported, some_parts
from interruptions import Interruption, Killed
from PIL import Image

from fgsd.atomic import current_path
from fgsd.evidence import page as page_module
from fgsd.evidence.files import asset_names, read_report, write_report
from fgsd.evidence.parts import Part
from fgsd.evidence.report import to_json
from fgsd.evidence.report_context import PICTURES
from fgsd.evidence.text import (
    best_cells,
    cell_text,
    format_number,
    markdown_table,
    readme_section,
    report_text,
)


@pytest.fixture(scope="module")
def networks(checkpoint_folder, tmp_path_factory):
    """Both networks that `some_parts` need."""
    return copies(checkpoint_folder, tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def written(networks, tmp_path_factory):
    """A report in a folder: (results, folder)."""
    folder = tmp_path_factory.mktemp("evidence")
    results = reported(networks, folder)
    write_report(results, folder)
    return results, folder


# --- files and the page ---------------------------------------------------------------------------------


class Page(HTMLParser):
    """Tags, text, and every URL that a browser would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.urls, self.text, self.bold, self.drawn = [], [], "", [], []
        self.scripts: dict[str, str] = {}  # contents by id, "" for that of the page
        self._open: list[str] = []
        self._script = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "img", "use", "path", "link"):
            self._open.append(tag)
        if tag == "script":
            self._script = dict(attributes).get("id", "")
        for name, value in attributes:
            if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
                self.urls.append(value)
            if name == "data-plot":
                self.drawn.append(value)
            if name == "style":
                self.urls += re.findall(r"url\(([^)]*)\)", value)

    def handle_endtag(self, tag) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data) -> None:
        if self._open and self._open[-1] == "style":
            return
        if self._open and self._open[-1] == "script":
            self.scripts[self._script] = self.scripts.get(self._script, "") + data
            return
        self.text += data
        if self._open and self._open[-1] == "b":
            self.bold.append(data)


def test_the_folder_holds_json_pictures_and_the_page(written):
    results, folder = written
    names = {path.name for path in folder.iterdir() if path.is_file()}
    assert names == {"report.json", "report.html", "counted-picture.webp"}
    assert read_report(folder) == results
    with Image.open(folder / "counted-picture.webp") as image:
        assert image.size == (60, 40)


def test_writing_again_gives_the_same_bytes(written, tmp_path):
    results, folder = written
    shutil.copy(folder / "counted-picture.webp", tmp_path)
    write_report(results, tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_files_of_the_previous_report_alone_are_removed(networks, tmp_path):
    write_report(reported(networks, tmp_path), tmp_path)
    (tmp_path / "mine.webp").write_text("mine")
    write_report(reported(networks, tmp_path, ["other"], seed=1), tmp_path)
    names = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert names == {"report.json", "report.html", "mine.webp"}


@pytest.mark.parametrize("kill", [True, False])
def test_cut_off_at_any_change_of_the_disk_it_is_the_old_report_or_the_new_one(
    networks, tmp_path, monkeypatch, kill
):
    """A new report with another picture over an older one that had a picture more."""
    monkeypatch.setattr("plotly.offline.get_plotlyjs", lambda: "plotly")  # four megabytes each time
    out = tmp_path / "out"
    newer, older = reported(networks, tmp_path / "new"), reported(networks, out, size=0.5)
    pictures = older["parts"]["counted"]["pictures"]
    pictures.append(pictures[0] | {"file": "extra.webp"})
    shutil.copy(out / PICTURES / "counted-picture.webp", out / PICTURES / "extra.webp")
    write_report(older, out)
    for number in count():
        cut = shutil.copytree(out, tmp_path / f"cut-{number}")
        (cut / PICTURES).mkdir()
        Image.new("RGB", (60, 40), "red").save(cut / PICTURES / "counted-picture.webp", lossless=True)
        with pytest.MonkeyPatch.context() as patch:
            interruption = Interruption(patch, number, kill=kill)
            try:
                write_report(newer, cut)
            except (OSError, Killed):
                assert interruption.happened
        found = read_report(cut)
        assert found in (older, newer)
        with Image.open(current_path(cut, "counted-picture.webp")) as image:
            assert (image.convert("RGB").getpixel((0, 0)) == (255, 0, 0)) == (found == newer)
        page = current_path(cut, "report.html").read_text(encoding="utf-8")
        assert ("A trial with 50 % of the samples" in page) == (found == older)
        assert all(current_path(cut, name).is_file() for name in asset_names(found))
        if not interruption.happened:
            break
    assert number > 12


@pytest.mark.parametrize("content", ["{", "[]", '{"parts": 3}', None])
def test_a_damaged_report_counts_as_none(tmp_path, content):
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    assert read_report(tmp_path) is None


def test_the_page_shows_every_table_plot_picture_and_check(written):
    results, folder = written
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    parts = results["parts"].values()
    figures = json.loads(page.scripts["plots"])["plots"]
    assert list(figures) == [one["name"] for p in parts for one in p["plots"]] and len(figures) == 2
    assert page.drawn == list(figures)
    assert page.tags.count("img") == sum(len(p["pictures"]) for p in parts) == 1
    assert page.tags.count("table") == 1 + sum(len(p["tables"]) for p in parts) + 1  # targets, networks
    assert page.tags.count("details") == page.tags.count("table")  # tables are folded
    assert page.tags.count("h1") == 1 and page.tags.count("h2") == 2 + len(parts) + 1
    for part in parts:
        assert all(part[key] in page.text for key in ("title", "question", "answer"))
        for one in part["checks"]:
            assert one["name"] in page.text
        for one in (*part["tables"], *part["plots"], *part["pictures"]):
            assert one["title"] in page.text and one["note"] in page.text
        for table in part["tables"]:
            assert all(word in page.text for row in table["rows"] for c in row for word in cell_text(c))
    assert QUESTION in page.text
    # in words, not by colour alone
    assert page.text.count("short") == 3 and "1 of 2 short" in page.text and "2 of 3 pass" in page.text
    assert "0.912" in page.bold and "0.125" in page.bold and "0.999" not in page.bold
    assert "fgsd report --seed 0" in page.text and results["machine"]["cpu"] in page.text


def test_the_page_loads_nothing_and_runs_no_other_script(written):
    text = (written[1] / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.urls and all(one.startswith(("data:", "#")) for one in page.urls)
    assert not {"link", "iframe", "object"} & set(page.tags) and page.scripts.keys() == {
        "plots",
        "plotly",
        "",
    }
    assert "default-src 'none'" in text and "@import" not in text and "url(http" not in text
    plotly = gzip.decompress(base64.b64decode(page.scripts["plotly"]))
    for script in (plotly, page.scripts[""].encode()):
        digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
        assert f"'sha256-{digest}'" in text
    assert "unsafe-inline'; script-src 'sha256-" in text and "eval" not in text.split("script-src")[1][:200]
    assert len(text.encode()) <= 6_000_000


def test_words_of_a_plot_are_no_markup_of_the_page(written):
    """A name such as </script> would end the data."""
    from fgsd.evidence.figures import plot, series

    results = copy.deepcopy(written[0])
    name = "</script><b>"
    one = plot("p", name, [series(name, [1], [2], points=[name])], x=name, y=name)
    results["parts"]["other"]["plots"] = [to_json(one)]
    page = Page(
        page_module.report_page(results, lambda _: (written[1] / "counted-picture.webp").read_bytes())
    )
    [trace] = json.loads(page.scripts["plots"])["plots"]["p"]["data"]
    assert trace["legendgroup"] == name and trace["name"] == "&lt;/script&gt;&lt;b&gt;"


def test_the_page_names_trials_and_missing_parts(networks, tmp_path):
    parts = {**some_parts(), "third": Part(counted, ("nowhere",))}
    write_report(reported(networks, tmp_path, size=0.25, parts=parts), tmp_path)
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "A trial with 25 % of the samples" in text and "--size 0.25" in text
    assert "third not measured" in text


# --- as text --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0"),
        (150_000, "150,000"),
        (0.0, "0"),
        (0.9123, "0.912"),
        (0.00123, "0.0012"),
        (-1.239, "-1.24"),
        (12.34, "12.3"),
        (1234.5, "1,234"),
        (0.000012, "1.2e-05"),
    ],
)
def test_numbers_have_two_or_three_significant_digits(value, text):
    assert format_number(value) == text


def test_a_table_in_markdown(written):
    [table] = written[0]["parts"]["counted"]["tables"]
    assert markdown_table(table).splitlines() == [
        "| method | evaluations | accuracy | error |",
        "| --- | --: | --: | --: |",
        "| ours | 16 | **0.912** (0.900 to 0.930) | 0.250 |",
        "| theirs | 32 | 0.874 (0.850 to 0.900) | **0.125** |",
        "| real | – | 0.999 | 0 |",
    ]


def test_figures_that_print_alike_are_equally_good(written):
    [table] = written[0]["parts"]["counted"]["tables"]
    rows = [["a", 1, [0.9121], 0.2], ["b", 1, [0.9124], 0.3], ["d", 1, [0.8], None], ["c", 1, [0.95], 0.1]]
    assert best_cells(table | {"rows": rows, "compared": [0, 1, 2]}) == {(0, 2), (1, 2), (0, 3)}
    equal = [["a", 1, [0.9121], 0.2], ["b", 1, [0.9124], 0.2], ["c", 1, [0.95], 0.1]]
    assert best_cells(table | {"rows": equal}) == set()


def test_the_section_of_the_readme_has_all_answers_and_checks(written):
    results, _ = written
    text = readme_section(results)
    for part in results["parts"].values():
        assert f"**{part['question']}** {part['answer']}" in text
        assert all(f"| {one['name']} |" in text for one in part["checks"])
    assert markdown_table(results["parts"]["counted"]["tables"][0]) in text
    assert re.findall(r"\]\(([^)]+)\)", text) == ["assets/evidence/report.html"]
    assert "Lines & marks; Points" in text
    assert "| 2.50 s | 2.25 to 2.75 | at most 1.00 s | short |" in text


def test_the_text_for_a_terminal(written):
    lines = report_text(written[0]).splitlines()
    assert any("seconds of nothing" in line and line.endswith("short") for line in lines)
    assert any("other: other" in line and line.endswith("pass") for line in lines)
