"""The report as one HTML page that loads nothing: plots, pictures and plotly's script are in it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from fgsd.evidence.drawing import DARK, draw_plot
from fgsd.evidence.figures import PartResults, Picture, Plot, ReportResults, Table
from fgsd.evidence.questions import Finding, five_findings
from fgsd.evidence.text import best_cells, cell_text, check_text, format_number

STYLE, SCRIPT = (Path(__file__).parent / name for name in ("page.css", "page.js"))
MAX_PICTURE_WIDTH = 700  # pixels: wider pictures scroll on a phone, since shrunk they would be unreadable

# Plotly is packed, since it would be three quarters of the page. Both scripts may run because the policy has
# their digests; no other script may.
DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {digests}">
<title>fgsd: the evidence</title>
<style>
{style}</style>
</head>
<body>
{body}
<script type="application/json" id="plots">{plots}</script>
<script type="text/plain" id="plotly">{plotly}</script>
<script>{script}</script>
</body>
</html>
"""


def report_page(results: ReportResults, picture: Callable[[str], bytes]) -> str:
    """The text of the HTML page.

    Parameters
    ----------
    results : ReportResults
        From `fgsd.evidence.report.report`.
    picture : callable
        Returns the contents of a picture file, by its name.
    """
    from plotly.offline import get_plotlyjs

    parts, findings = results["parts"], five_findings(results)
    body = [_head(results), _findings(findings, parts), _navigation(results), _checks(parts)]
    body += [_part(name, part, picture) for name, part in parts.items()]
    body.append(_foot(results))
    plotly, script = get_plotlyjs(), SCRIPT.read_text(encoding="utf-8")
    plots = [*(one.plot for one in findings), *(one for part in parts.values() for one in part["plots"])]
    return DOCUMENT.format(
        digests=" ".join(_digest(text) for text in (plotly, script)),
        style=STYLE.read_text(encoding="utf-8"),
        body="\n".join(body),
        plots=_plots_json(plots),
        plotly=base64.b64encode(gzip.compress(plotly.encode(), mtime=0)).decode(),
        script=script,
    )


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _plots_json(plots: Sequence[Plot]) -> str:
    """What `page.js` draws: figures by name, and the colours of the dark page."""
    figures = {one["name"]: json.loads(draw_plot(one).to_json()) for one in plots}
    for figure in figures.values():
        figure["layout"].pop("template", None)  # the theme of notebooks, 7 kB in each
    text = json.dumps({"dark": DARK, "plots": figures}, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _head(results: ReportResults) -> str:
    trial = ""
    if results["size"] != 1:
        percent = 100 * results["size"]
        trial = f"<p><b>A trial with {percent:g} % of the samples of a full report.</b></p>\n"
    return f"<header><h1>The evidence</h1>\n{trial}</header>"


def _findings(findings: Sequence[Finding], parts: dict[str, PartResults]) -> str:
    if not findings:
        return ""
    rows = []
    for one in findings:
        link = f'<a href="#{one.part}">{escape(parts[one.part]["title"])}</a>'
        rows.append(
            f'<li id="finding-{one.name}"><div><h3>{escape(one.question)}</h3>'
            f'<p class="finding"><b>{escape(one.verdict)}:</b> {escape(one.sentence)}</p>'
            f"<p>More: {link}</p></div>{_figure(one.plot, small=True)}</li>"
        )
    return f'<section class="findings" aria-label="Five questions"><ol>{"".join(rows)}</ol></section>'


def _navigation(results: ReportResults) -> str:
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
    return (
        "<section><h2>How it was measured</h2>\n"
        "<p>Does feature guidance sample the conditional density, and how does it compare with a label and "
        "with classifier-free guidance (CFG)? Networks of the same size, trained on the same images for as "
        f"long. Every figure comes from <code>fgsd report</code>, seed {results['seed']}. In a plot, point "
        "at a mark to read it, drag to zoom, click twice to zoom out; the names under it switch its "
        "series.</p>\n"
        "<noscript><p><b>The plots need JavaScript; the tables have their figures.</b></p></noscript>\n"
        f'<nav aria-label="Parts"><ul class="parts">{"".join(items)}</ul></nav></section>'
    )


def _figure(one: Plot, *, small: bool = False) -> str:
    """The place of a plot, which `page.js` draws once it is nearly in view.

    Its height is that of the plot, so that nothing moves then.
    """
    panels = len({line.get("panel", "") for line in one["series"]})
    bars = sum(len(line["x"]) for line in one["series"] if line["style"] == "bars")
    kind = " panels" if panels > 1 else " bars" if bars else ""
    title = escape(one["title"], quote=True)
    label = f'role="group" aria-label="{title}"'
    caption = "" if small and not bars else _caption(one)  # bars have no title of an axis
    anchor = "" if small else f' id="{one["name"]}"'
    return (
        f'<figure{anchor} class="plot{kind}">{caption}'
        f'<div role="region" tabindex="0" aria-label="{title}">'
        f'<div class="drawing" data-plot="{one["name"]}" {label}></div></div></figure>'
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
    short = sum(not one["passed"] for part in parts.values() for one in part["checks"])
    count = f"{len(rows) - short} of {len(rows)} pass, {short} short" if short else f"all {len(rows)} pass"
    box = _folded(count, title, ("figure", "verdict", "value", "target"), rows)
    return f'<section id="targets"><h2>{title}</h2>{box}</section>'


def _part(name: str, part: PartResults, picture: Callable[[str], bytes]) -> str:
    blocks = [
        f'<section id="{name}"><h2>{escape(part["title"])}</h2>',
        f'<p class="question">{escape(part["question"])}</p>',
        f'<p class="finding">{escape(part["answer"])}</p>',
    ]
    if part["plots"]:
        blocks.append(f'<div class="plots">{"".join(map(_figure, part["plots"]))}</div>')
    blocks += map(_table, part["tables"])
    blocks += [_picture(one, picture(one["file"])) for one in part["pictures"]]
    return "\n".join([*blocks, "</section>"])


def _table(table: Table) -> str:
    best = best_cells(table)
    rows = []
    for r, (name, *cells) in enumerate(table["rows"]):
        values = "".join(_value(*cell_text(c), best=(r, k) in best) for k, c in enumerate(cells, 1))
        rows.append(f'<tr><th scope="row">{escape(cell_text(name)[0])}</th>{values}</tr>')
    note = f'<p class="note">{escape(table["note"])}</p>' if table["note"] else ""
    return _folded(table["title"], table["title"], table["columns"], rows, note)


def _value(value: str, interval: str, *, best: bool = False) -> str:
    text = f"<b>{escape(value)}</b>" if best else escape(value)
    return f"<td>{text}<small>{escape(interval)}</small></td>" if interval else f"<td>{text}</td>"


def _folded(summary: str, name: str, columns: Sequence[str], rows: list[str], note: str = "") -> str:
    """A table that opens when its title is chosen."""
    box = _scroll(name, columns, rows)
    return f"<details><summary>{escape(summary)}</summary>{box}{note}</details>"


def _scroll(name: str, columns: Sequence[str], rows: list[str]) -> str:
    """A table in a scrolling box, which takes the keyboard focus so that keys scroll it too."""
    heads = "".join(f'<th scope="col">{escape(one)}</th>' for one in columns)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(name, quote=True)}"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


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
        f'<figure class="picture{wide}">{_caption(one)}<div role="region" tabindex="0" aria-label="{alt}">'
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
        f"<p>{escape('; '.join(times))}.</p>\n{_folded('The networks', 'The networks', names, rows)}"
        '<p class="note">Every number, those behind the plots included, is in <code>report.json</code> '
        "beside this page.</p></footer>"
    )


def _size_option(results: ReportResults) -> str:
    return "" if results["size"] == 1 else f" --size {results['size']:g}"
