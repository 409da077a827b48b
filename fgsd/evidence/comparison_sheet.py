"""A picture for the eye: samples of several methods side by side, class by class, beside real crops."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont

from fgsd.data import to_images
from fgsd.evidence.methods import Method
from fgsd.evidence.report_context import Workbench
from fgsd.sheets import image_grid

CLASSES, EACH, SCALE = 8, 3, 2  # classes, images of each method and class, and how much they are enlarged


def texture_picture(bench: Workbench, methods: Sequence[Method], *, steps: int) -> dict:
    """Classes evenly over the alphabet: real held-out crops, then samples of each method."""
    count = min(CLASSES, len(bench.classes))
    rows = [math.floor((k + 0.5) * len(bench.classes) / count) for k in range(count)]
    size, asked = bench.yardstick.size, torch.eye(len(bench.classes))[rows]
    columns = {"real, held out": bench.held_out(EACH)[rows]}
    for method in bench.progress(methods, desc="samples side by side"):
        columns[method.name] = method.sample(asked, EACH, size=size, steps=steps, seed=bench.seed)
    pictures = {name: [to_images(images) for images in many] for name, many in columns.items()}
    sheet = comparison_sheet([bench.classes[row] for row in rows], pictures)
    return {
        "file": bench.picture("textures-samples", sheet),
        "title": "Samples side by side",
        "note": f"{size} x {size} pixels, enlarged {SCALE} times; {steps} steps, and twice as many "
        "evaluations for classifier-free guidance. Neither chosen nor sorted: the seeds are the first ones, "
        "the same for every method.",
    }


def comparison_sheet(
    classes: Sequence[str], columns: dict[str, Sequence[Sequence[Image.Image]]], *, gap: int = 2
) -> Image.Image:
    """Classes from top to bottom; in each column, under its name, the images of a method, as many each.

    Parameters
    ----------
    classes : C names
    columns : dict of name to C sequences of images
        All images of one size; they are enlarged by `SCALE`.
    """
    if not classes or not columns:
        raise ValueError(
            f"classes={list(classes)} and columns={list(columns)}: at least one of each is needed"
        )
    font = ImageFont.load_default(size=13)
    blocks = {
        name: [
            image_grid([_larger(image) for image in images], columns=len(images), gap=gap) for images in rows
        ]
        for name, rows in columns.items()
    }
    width, height = next(iter(blocks.values()))[0].size
    label, head, margin = math.ceil(max(font.getlength(c) for c in classes)) + 10, 22, 12
    width = max(width, *(math.ceil(font.getlength(name)) for name in blocks))
    size = (
        label + len(blocks) * (width + margin) - margin,
        head + len(classes) * (height + gap) - gap,
    )
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for j, (name, rows) in enumerate(blocks.items()):
        left = label + j * (width + margin)
        draw.text((left, 2), name, fill="#222222", font=font)
        for k, block in enumerate(rows):
            sheet.paste(block, (left, head + k * (height + gap)))
    for k, name in enumerate(classes):
        middle = head + k * (height + gap) + height // 2
        draw.text((0, middle), name, fill="#222222", font=font, anchor="lm")
    return sheet


def _larger(image: Image.Image) -> Image.Image:
    return image.resize((SCALE * image.width, SCALE * image.height), Image.Resampling.BICUBIC)
