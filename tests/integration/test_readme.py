"""What the README says is true: its code runs, its figures are those of the evidence, its files exist."""

import json
import re
from html import escape
from pathlib import Path

from bad_visitors import assault_text
from PIL import Image

from fgsd.benchmarks.load import serve_text
from fgsd.checkpoint import load_checkpoint
from fgsd.evaluation import report_text
from fgsd.evidence.files import PAGE, read_report
from fgsd.evidence.parts import all_parts
from fgsd.evidence.text import readme_section
from fgsd.images import load_image

ROOT = Path(__file__).parents[2]
EVIDENCE = ROOT / "assets" / "evidence"
MARKED = ("report.json", "serve.json")  # which stand between marks of their own
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_python_example_runs(checkpoint_folder, tmp_path, monkeypatch):
    """On the tiny checkpoint, whose classes have other names than those that the shipped one knows."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "textures").symlink_to(checkpoint_folder)
    with Image.open(ROOT / "assets" / "textures" / "grass.webp") as image:
        image.convert("RGB").save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
    names: dict = {}
    assert {"lava", "glacier"} <= set(load_checkpoint(ROOT / "checkpoints" / "textures").table.classes)
    example = example.replace("lava", "moss").replace("glacier", "slate")
    exec(compile(example, "README.md", "exec"), names)
    assert len(names["images"]) == 4
    assert sorted(p.name for p in tmp_path.glob("step*.png")) == [f"step{k:02}.png" for k in range(1, 17)]


def test_programs_can_do_what_it_says(server, tmp_path, monkeypatch):
    Image.new("RGB", (48, 48), "brown").save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for example in blocks("py"):
        example = example.replace("http://127.0.0.1:7860", server.url.rstrip("/"))
        example = example.replace("lava", "moss").replace("glacier", "slate")  # of the tiny checkpoint
        exec(compile(example, "README.md", "exec"), names)
    assert [load_image(path).size for path in names["images"]] == [(64, 64)] * 4
    assert load_image(names["strip"]).size == (7 * 64, 64)
    assert [near["class"] for near in names["nearest"]] and names["names"] == ["brick", "moss", "slate"]
    event, data = names["answer"].strip().split("\n")[-2:]
    assert event == "event: complete"
    assert len(json.loads(data.removeprefix("data: "))[0]) == 4


def test_the_figures_are_those_of_the_evidence():
    """Every file of figures is told in a block of text, and no block tells anything else."""
    texts = []
    for path in EVIDENCE.glob("*.json"):
        if path.name not in MARKED:
            told = assault_text if path.name == "fuzz.json" else report_text
            texts.append(told(json.loads(path.read_text(encoding="utf-8"))).strip())
    assert sorted(texts) == sorted(block.strip() for block in blocks("text"))


def test_what_stands_between_the_marks_is_the_report():
    [section] = re.findall(r"<!-- evidence -->\n(.*?)<!-- /evidence -->", README, flags=re.DOTALL)
    assert section.strip() == readme_section(read_report(EVIDENCE)).strip()


def test_the_table_of_visitors_is_what_was_measured():
    [section] = re.findall(r"<!-- serve -->\n(.*?)<!-- /serve -->", README, flags=re.DOTALL)
    measured = json.loads((EVIDENCE / "serve.json").read_text(encoding="utf-8"))
    assert section.strip() == serve_text(measured)


def test_the_report_lies_there_in_full_but_for_parts_that_it_names_as_skipped():
    results = read_report(EVIDENCE)
    assert list(results["parts"]) == [name for name in all_parts() if name not in results["skipped"]]
    assert {"truth", "textures"} <= set(results["parts"]) and results["size"] == 1
    page = (EVIDENCE / PAGE).read_text(encoding="utf-8")
    for part in results["parts"].values():
        assert escape(part["answer"]) in page
        drawn = [f"{plot['name']}.svg" for plot in part["plots"]]
        files = drawn + [picture["file"] for picture in part["pictures"]]
        assert files and all((EVIDENCE / name).is_file() for name in files)


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) > 10
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert missing == []


def test_every_command_of_the_readme_exists():
    from fgsd.cli.main import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    used = set(re.findall(r"^(?:.*&& )?fgsd (\w+)", "\n".join(blocks("bash")), flags=re.MULTILINE))
    assert used and used <= known
