"""Requests of visitors and programs: validation, links, targets, equivalent Python code."""
