"""A picture of samples of several methods side by side, class by class, beside real crops."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from PIL import Image, ImageDraw, ImageFont

from fgsd.data import to_images
from fgsd.evidence.figures import Picture
from fgsd.evidence.methods import Method
from fgsd.evidence.report_context import ReportContext
from fgsd.sheets import image_grid

CLASSES, EACH, SCALE = 8, 3, 2  # classes, images of each method and class, and factor of enlargement


def texture_picture(context: ReportContext, methods: Sequence[Method], *, steps: int) -> Picture:
    """Classes evenly over the alphabet: real held-out crops, then samples of each method."""
    count = min(CLASSES, len(context.classes))
    rows = [math.floor((k + 0.5) * len(context.classes) / count) for k in range(count)]
    size, mixtures = context.reference.size, torch.eye(len(context.classes))[rows]
    columns = {"real, held out": context.real_crops(EACH, split="test")[rows]}
    for method in context.progress(methods, desc="samples side by side"):
        columns[method.name] = method.sample(mixtures, EACH, size=size, steps=steps, seed=context.seed)
    images = {name: [to_images(of_class) for of_class in column] for name, column in columns.items()}
    sheet = comparison_sheet([context.classes[row] for row in rows], images)
    return {
        "file": context.save_picture("textures-samples", sheet),
        "title": "Samples side by side",
        "note": f"{size} x {size} pixels, enlarged {SCALE} times; {steps} steps, and twice as many "
        "evaluations for classifier-free guidance. The samples are not selected or sorted: the seeds are the "
        "first ones, the same for every method.",
    }


def comparison_sheet(
    classes: Sequence[str], columns: Mapping[str, Sequence[Sequence[Image.Image]]], *, gap: int = 2
) -> Image.Image:
    """An image with a row for each class and a column for each method, with its name on top.

    Parameters
    ----------
    classes : C names
    columns : mapping of name to C sequences of images
        All of the same length, with images of the same size, which are enlarged by `SCALE`.

    Raises
    ------
    ValueError
        If there is no class or no column.
    """
    if not classes or not columns:
        raise ValueError(f"classes={list(classes)} and columns={list(columns)}: give at least one of each")
    font = ImageFont.load_default(size=13)
    blocks = {
        name: [
            image_grid([_enlarged(image) for image in images], columns=len(images), gap=gap)
            for images in rows
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


def _enlarged(image: Image.Image) -> Image.Image:
    return image.resize((SCALE * image.width, SCALE * image.height), Image.Resampling.BICUBIC)
