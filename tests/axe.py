"""axe-core, which finds faults of accessibility in what a page shows."""

from __future__ import annotations

from pathlib import Path

AXE = Path(__file__).parent / "js" / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    return violations.filter(({ impact }) => ['serious', 'critical'].includes(impact)).flatMap(
        ({ id, nodes }) => nodes.map(
            node => `${id}: ${node.html.slice(0, 160)} ${node.any[0]?.message ?? ''}`));
}"""


def faults(frame) -> list[str]:
    """The serious and critical faults that axe finds in what is shown now."""
    frame.evaluate(AXE.read_text(encoding="utf-8"))
    return frame.evaluate(RUN)
