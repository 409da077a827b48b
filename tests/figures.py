"""The figures that README.md and docs/results.md quote, made from the JSON files in assets/evidence.

Run `python tests/figures.py` after a measurement: it replaces what stands between the marks
`<!-- figures: NAME -->` and `<!-- /figures -->` in both pages. `test_readme.py` checks that they agree.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from bad_visitors import assault_text

from fgsd.benchmarks.engine import engine_text
from fgsd.benchmarks.load import serve_text
from fgsd.benchmarks.site import site_text
from fgsd.evaluation import report_text
from fgsd.evidence.files import read_report
from fgsd.evidence.text import check_text, readme_section

ROOT = Path(__file__).parents[1]
EVIDENCE = ROOT / "assets" / "evidence"
MARKS = re.compile(r"<!-- figures: (\S+) -->\n(.*?)<!-- /figures -->", flags=re.DOTALL)
# the command that measures each file; docs/results.md quotes it
COMMANDS = {
    "bench.json": "fgsd bench app -o assets/evidence/bench.json --screenshot assets/explorer.jpg",
    "map.json": "fgsd bench map --checkpoint checkpoints/world --data assets/world "
    "-o assets/evidence/map.json",
    "serve.json": "fgsd bench serve -o assets/evidence/serve.json",
    "engine.json": "fgsd bench engine -o assets/evidence/engine.json",
    "site.json": "fgsd bench site -o assets/evidence/site.json",
    "soak.json": "fgsd bench soak -o assets/evidence/soak.json",
    "fuzz.json": "python tests/bad_visitors.py --inputs 10000 -o assets/evidence/fuzz.json",
    "evaluate.json": "fgsd evaluate -o assets/evidence/evaluate.json",
    "paths.json": "fgsd evaluate --part paths -o assets/evidence/paths.json",
    "schedules.json": "fgsd evaluate --part schedules -o assets/evidence/schedules.json",
    "distilled.json": "fgsd evaluate --part distilled -o assets/evidence/distilled.json",
    "unseen.json": "fgsd evaluate --checkpoint checkpoints/world --data assets/world "
    "--unseen assets/world/unseen.txt --part unseen --part learned -o assets/evidence/unseen.json",
    "world.json": "fgsd evaluate --checkpoint checkpoints/world --data assets/world --per-class 8 "
    "--part classifier --part memorisation --part diversity -o assets/evidence/world.json",
    "learned.json": "fgsd evaluate --data assets/world --unseen assets/world/unseen.txt --part learned "
    + "".join(f"--learning-steps {steps} " for steps in (0, 20, 40, 60))
    + "-o assets/evidence/learned.json",
    "painting.json": "fgsd evaluate --part painting -o assets/evidence/painting.json",
    "extended-known.json": "fgsd evaluate --checkpoint checkpoints/extended --per-class 16 --part classifier "
    "-o assets/evidence/extended-known.json",
    "extended-new.json": "fgsd evaluate --checkpoint checkpoints/extended --data unseen40 --per-class 16 "
    "--part classifier --part diversity --part memorisation -o assets/evidence/extended-new.json",
    "report.json": "fgsd study && fgsd report",
}


@dataclass(frozen=True)
class Figure:
    """A row of the README's table."""

    file: str  # in assets/evidence
    part: str
    check: str  # a piece of the check's name that no other check of the part has
    words: str  # what the README calls it
    command: str  # short form of that in `COMMANDS`

    def find(self) -> dict:
        """The check, as its file holds it."""
        (check,) = [c for c in parts_of(self.file)[self.part]["checks"] if self.check in c["name"]]
        return check


SUMMARY = (
    Figure(
        "evaluate.json",
        "classifier",
        "accuracy of samples",
        "Class accuracy of samples / of held-out crops, by an independent classifier",
        "fgsd evaluate --part classifier",
    ),
    Figure(
        "report.json",
        "embedding",
        "exact divergences, Gaussian",
        "Rank correlation of squared centroid distances with exact divergences of Gaussian classes",
        "fgsd report --part embedding",
    ),
    Figure(
        "evaluate.json",
        "memorisation",
        "nearest training crop",
        "Copies: distance of samples to the nearest training crop / that of held-out crops",
        "fgsd evaluate --part memorisation",
    ),
    Figure(
        "evaluate.json",
        "few_steps",
        "distance, 16 evaluations",
        "The same ratio, 16 samples; target: that of the authors' sampler, thousands of evaluations",
        "fgsd evaluate --part few_steps",
    ),
    Figure(
        "world.json",
        "classifier",
        "accuracy of samples",
        "Class accuracy of samples / of held-out crops, of the 335 classes of `checkpoints/world`",
        "fgsd evaluate --checkpoint checkpoints/world --data assets/world --part classifier",
    ),
    Figure(
        "learned.json",
        "learned",
        "accuracy of textures learned",
        "The same of unseen textures, each learned from an image in 60 steps; shipped checkpoint",
        "fgsd evaluate --data assets/world --part learned",
    ),
    Figure(
        "extended-known.json",
        "classifier",
        "accuracy of samples",
        "The 64 classes after the same 40 textures were added as classes, in 20 minutes; 0.931 before",
        "fgsd evaluate --checkpoint checkpoints/extended --part classifier",
    ),
    Figure(
        "extended-new.json",
        "classifier",
        "accuracy of samples",
        "The 40 classes that were added",
        "fgsd evaluate --checkpoint checkpoints/extended --data unseen40 --part classifier",
    ),
    Figure(
        "painting.json",
        "painting",
        "borders",
        "Borders of painted regions: how much less grown they look than a blend of pixels, by two measures",
        "fgsd evaluate --part painting",
    ),
    Figure(
        "painting.json",
        "painting",
        "radius 4 px",
        "Painted discs of radius 4 pixels: their colour, from that around them (0) to their own (1)",
        "fgsd evaluate --part painting",
    ),
    Figure(
        "unseen.json",
        "learned",
        "lower error on held-out crops after 10",
        "Unseen textures whose error 10 of 60 steps lower below the calibrated start; `checkpoints/world`",
        "fgsd evaluate --checkpoint checkpoints/world --part learned",
    ),
    Figure(
        "learned.json",
        "learned",
        "lower error on held-out crops after 10",
        "The same by the shipped checkpoint",
        "fgsd evaluate --data assets/world --part learned",
    ),
    Figure(
        "unseen.json",
        "unseen",
        "nearest to themselves",
        "Textures outside of the training set most of whose samples are nearest to themselves",
        "fgsd evaluate --checkpoint checkpoints/world --part unseen",
    ),
    Figure(
        "engine.json",
        "engine",
        "engine of pictures",
        "Time of an evaluation for a picture / of PyTorch's own, worst case over its target (0.4 to 1)",
        "fgsd bench engine",
    ),
)


def parts_of(file: str) -> dict:
    """The parts that a file of figures holds; {} if it has no checks."""
    return json.loads((EVIDENCE / file).read_text(encoding="utf-8")).get("parts", {})


def section(name: str) -> str:
    """What stands between the marks of this name, with a line break at its end."""
    if name == "summary":
        return summary_table()
    results = json.loads((EVIDENCE / name).read_text(encoding="utf-8"))
    if name == "report.json":
        return readme_section(read_report(EVIDENCE), folder="../assets/evidence").strip() + "\n"
    if name == "serve.json":
        return serve_text(results).strip() + "\n"
    if name == "engine.json":
        return engine_text(results).strip() + "\n"
    if name == "site.json":
        return f"```text\n{site_text(results).strip()}\n```\n"
    text = assault_text(results) if name == "fuzz.json" else report_text(results)
    return f"```text\n{text.strip()}\n```\n"


def summary_table() -> str:
    """The README's table, and the machines that measured it."""
    rows = ["| | figure | 95 % | target | | measured by |", "| --- | --: | --: | --: | --- | --- |"]
    machines: dict[str, list[str]] = {}
    for figure in SUMMARY:
        value, interval, target, verdict = check_text(figure.find())
        verdict = f"**{verdict}**" if verdict == "short" else verdict
        rows.append(f"| {figure.words} | {value} | {interval} | {target} | {verdict} | `{figure.command}` |")
        machine = json.loads((EVIDENCE / figure.file).read_text(encoding="utf-8"))["machine"]
        words = f"{machine['cpu']}, {machine['cores']} cores, {machine['device']}, torch {machine['torch']}"
        files = machines.setdefault(words, [])
        if figure.file not in files:
            files.append(figure.file)
    measured = "; ".join(f"{', '.join(files)}: {words}" for words, files in machines.items())
    return "\n".join([*rows, "", f"*From assets/evidence. Machines: {measured}.*"]) + "\n"


def filled(page: str) -> str:
    """The text of a page with all that stands between marks made anew."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return MARKS.sub(lambda m: f"<!-- figures: {m[1]} -->\n{section(m[1])}<!-- /figures -->", text)


def main() -> None:
    for page in ("README.md", "docs/results.md"):
        new = filled(page)
        changed = new != (ROOT / page).read_text(encoding="utf-8")
        (ROOT / page).write_text(new, encoding="utf-8")
        print(f"{page}: {'written' if changed else 'unchanged'}")


if __name__ == "__main__":
    sys.exit(main())
