"""What the README says is true: its code runs, its figures are those of the evidence, its files exist."""

import json
import re
from pathlib import Path

from PIL import Image

from fgsd.evaluation import report_text

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_python_example_runs_as_written(tmp_path, monkeypatch):
    (tmp_path / "checkpoints").symlink_to(ROOT / "checkpoints")
    with Image.open(ROOT / "assets" / "textures" / "grass.webp") as image:
        image.convert("RGB").save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
    names: dict = {}
    exec(compile(example, "README.md", "exec"), names)
    assert len(names["images"]) == 4
    assert sorted(p.name for p in tmp_path.glob("step*.png")) == [f"step{k:02}.png" for k in range(1, 17)]


def test_the_figures_are_those_of_the_evidence():
    evidence = sorted((ROOT / "assets" / "evidence").glob("*.json"))
    reports = [report_text(json.loads(path.read_text(encoding="utf-8"))).strip() for path in evidence]
    assert reports == [block.strip() for block in blocks("text")]


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) > 10
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert missing == []


def test_every_command_of_the_readme_exists():
    from fgsd.cli import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    used = set(re.findall(r"^(?:.*&& )?fgsd (\w+)", "\n".join(blocks("bash")), flags=re.MULTILINE))
    assert used and used <= known
