"""The report as one self-contained HTML page: plots and pictures are embedded, and there are no scripts."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from fgsd.evidence.drawing import inline_svg
from fgsd.evidence.figures import PartResults, Picture, Plot, ReportResults, Table
from fgsd.evidence.text import best_cells, cell_text, check_text, format_number

STYLE = Path(__file__).parent / "page.css"
MAX_PICTURE_WIDTH = 700  # pixels: wider pictures scroll on a phone, since shrunk they would be unreadable

DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>fgsd: the evidence</title>
<style>
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def report_page(results: ReportResults, drawings: dict[str, str], picture: Callable[[str], bytes]) -> str:
    """The text of the HTML page.

    Parameters
    ----------
    results : ReportResults
        From `fgsd.evidence.report.report`.
    drawings : dict
        SVG of every plot, by its name.
    picture : callable
        Returns the contents of a picture file, by its name.
    """
    parts = results["parts"]
    body = [_head(results), _checks(parts)]
    body += [_part(name, part, drawings, picture) for name, part in parts.items()]
    body.append(_foot(results))
    style = STYLE.read_text(encoding="utf-8")
    return DOCUMENT.format(style=style, body="\n".join(body))


def _head(results: ReportResults) -> str:
    items = []
    for name, part in results["parts"].items():
        total = len(part["checks"])
        short = sum(not one["passed"] for one in part["checks"])
        verdict = f"{short} of {total} short" if short else f"{total} pass" if total else ""
        items.append(f'<li><a href="#{name}">{escape(part["title"])}</a> <small>{verdict}</small></li>')
    for name, missing in results["skipped"].items():
        if name not in results["parts"]:
            items.append(
                f"<li>{escape(name)} <small>not measured, networks missing: {len(missing)}</small></li>"
            )
    trial = ""
    if results["size"] != 1:
        percent = 100 * results["size"]
        trial = f"<p><b>A trial with {percent:g} % of the samples of a full report.</b></p>"
    return (
        "<header><h1>The evidence</h1>\n"
        "<p>Does feature guidance sample the conditional density, and how does it compare with a label and "
        "with classifier-free guidance (CFG)? Networks of the same size, trained on the same images for as "
        f"long. Every figure comes from <code>fgsd report</code>, seed {results['seed']}.</p>\n{trial}"
        f'<nav aria-label="Parts"><ul class="parts">{"".join(items)}</ul></nav></header>'
    )


def _checks(parts: dict[str, PartResults]) -> str:
    rows = []
    for part in parts.values():
        for one in part["checks"]:
            value, interval, target, verdict = check_text(one)
            rows.append(
                f'<tr><th scope="row">{escape(one["name"])}</th><td class="{verdict}">{verdict}</td>'
                f"{_value(value, interval)}<td>{escape(target)}</td></tr>"
            )
    title = "Figures with a target"
    box = _scroll(title, ("figure", "verdict", "value", "target"), rows)
    return f'<section id="targets"><h2>{title}</h2>{box}</section>'


def _part(name: str, part: PartResults, drawings: dict[str, str], picture: Callable[[str], bytes]) -> str:
    blocks = [
        f'<section id="{name}"><h2>{escape(part["title"])}</h2>',
        f'<p class="question">{escape(part["question"])}</p>',
        f'<p class="finding">{escape(part["answer"])}</p>',
        *(_table(one) for one in part["tables"]),
    ]
    if part["plots"]:
        plots = (
            f"<figure>{_caption(one)}{_scroll_box(one['title'])}"
            f"{inline_svg(drawings[one['name']], one['title'])}</div></figure>"
            for one in part["plots"]
        )
        blocks.append(f'<div class="plots">{"".join(plots)}</div>')
    blocks += [_picture(one, picture(one["file"])) for one in part["pictures"]]
    return "\n".join([*blocks, "</section>"])


def _table(table: Table) -> str:
    best = best_cells(table)
    rows = []
    for r, (name, *cells) in enumerate(table["rows"]):
        values = "".join(_value(*cell_text(c), best=(r, k) in best) for k, c in enumerate(cells, 1))
        rows.append(f'<tr><th scope="row">{escape(cell_text(name)[0])}</th>{values}</tr>')
    note = f'<p class="note">{escape(table["note"])}</p>' if table["note"] else ""
    return f"<h3>{escape(table['title'])}</h3>{_scroll(table['title'], table['columns'], rows)}{note}"


def _value(value: str, interval: str, *, best: bool = False) -> str:
    text = f"<b>{escape(value)}</b>" if best else escape(value)
    return f"<td>{text}<small>{escape(interval)}</small></td>" if interval else f"<td>{text}</td>"


def _scroll(name: str, columns: Sequence[str], rows: list[str]) -> str:
    """A table in a scrolling box, which takes the keyboard focus so that keys scroll it too."""
    heads = "".join(f'<th scope="col">{escape(one)}</th>' for one in columns)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(name, quote=True)}"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _scroll_box(name: str) -> str:
    """The start of a box that scrolls a plot or picture on a narrow screen, also by keys."""
    return f'<div role="region" tabindex="0" aria-label="{escape(name, quote=True)}">'


def _caption(one: Plot | Picture) -> str:
    return f"<figcaption><b>{escape(one['title'])}</b> {escape(one['note'])}</figcaption>"


def _picture(one: Picture, content: bytes) -> str:
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
        kind = Image.MIME[image.format or ""]
    wide = " wide" if width > MAX_PICTURE_WIDTH else ""
    source = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    alt = escape(one["title"], quote=True)
    return (
        f'<figure class="picture{wide}">{_caption(one)}{_scroll_box(one["title"])}'
        f'<img src="{source}" width="{width}" height="{height}" alt="{alt}"></div></figure>'
    )


def _foot(results: ReportResults) -> str:
    machine = results["machine"]
    libraries = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    rows = []
    for name, facts in results["networks"].items():
        cells = (
            f"{facts['parameters'] / 1e6:.2f} M",
            format_number(facts["dimension"]),
            format_number(facts["images"]),
            f"{facts['hours']:g} h",
            facts["digest"],
        )
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{"".join(_value(c, "") for c in cells)}</tr>')
    names = ("network", "parameters", "features", "training crops", "trained for", "SHA-256 begins")
    times = []
    for name, part in results["parts"].items():
        threads = f"{part['threads']} thread{'s' if part['threads'] > 1 else ''}"
        resumed = ", without what was measured before an interruption" if part["resumed"] else ""
        times.append(f"{name} {part['seconds'] / 60:.1f} min on {threads}{resumed}")
    return (
        "<footer><h2>How to repeat it</h2>\n"
        "<p>The first line trains the networks, the second measures them; both resume where they were "
        "interrupted. <code>--part</code> measures one part alone.</p>\n"
        f"<pre>fgsd study\nfgsd report --seed {results['seed']}{_size_option(results)}</pre>\n"
        f"<p>{escape(machine['cpu'])}, {machine['cores']} cores, {escape(machine['device'])}, "
        f"{escape(machine['system'])}, Python {escape(machine['python'])}; {escape(libraries)}.</p>\n"
        f"<p>{escape('; '.join(times))}.</p>\n<h3>The networks</h3>{_scroll('The networks', names, rows)}"
        '<p class="note">Every number, those behind the plots included, is in <code>report.json</code> '
        "beside this page.</p></footer>"
    )


def _size_option(results: ReportResults) -> str:
    return "" if results["size"] == 1 else f" --size {results['size']:g}"
