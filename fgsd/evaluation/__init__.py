"""How good a checkpoint is, in figures: what `fgsd evaluate` runs."""

from fgsd.evaluation.report import report_text
from fgsd.evaluation.run import PARTS, combine, evaluate

__all__ = ["PARTS", "combine", "evaluate", "report_text"]
