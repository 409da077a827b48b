"""Measures of a checkpoint's quality: the code of `fgsd evaluate`, one file for each question."""

from fgsd.evaluation.report import report_text
from fgsd.evaluation.run import PARTS, combine, evaluate

__all__ = ["PARTS", "combine", "evaluate", "report_text"]
