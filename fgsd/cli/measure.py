"""Commands that measure a checkpoint and its page: `fgsd evaluate`, `fgsd sheet`, `fgsd bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fgsd.cli.options import (
    DEFAULT_CHECKPOINT,
    DEFAULT_DATA,
    Checkpoint,
    Data,
    one_line_errors,
    pipeline,
)
from fgsd.shipped import resolve_shipped


@one_line_errors
def evaluate(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    data: Data = DEFAULT_DATA,
    part: Annotated[
        list[str] | None, typer.Option(help="Only this part; may be repeated [default: all].")
    ] = None,
    per_class: Annotated[int, typer.Option(help="Samples of each class.")] = 32,
    steps: Annotated[int, typer.Option(help="Steps of the default sampler.", min=1)] = 16,
    seed: Annotated[int, typer.Option(help="Of samples and crops.", min=0)] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write JSON; parts in it that are not measured now stay."),
    ] = None,
) -> None:
    """Measure a checkpoint: are samples of their class, new, diverse, seamless, and fast?"""
    import json

    from tqdm import tqdm

    from fgsd.atomic import write_atomically
    from fgsd.data import TextureFolder
    from fgsd.evaluation import combine, report_text
    from fgsd.evaluation import evaluate as measure

    pipe = pipeline(checkpoint)
    folder = TextureFolder(resolve_shipped(data), pipe.info.data)
    results = measure(pipe, folder, per_class=per_class, steps=steps, seed=seed, parts=part, progress=tqdm)
    if output is not None:
        results = json.loads(json.dumps(results))
        if output.exists():
            results = combine(json.loads(output.read_text(encoding="utf-8")), results)
        text = json.dumps(results, indent=2) + "\n"
        write_atomically(output, lambda p: p.write_text(text, encoding="utf-8"))
    typer.echo(report_text(results))


@one_line_errors
def sheet(
    samples: Annotated[int, typer.Option(help="Samples beside each real crop.", min=1)] = 4,
    steps: Annotated[int, typer.Option(help="Steps of the sampler.", min=1)] = 16,
    seed: Annotated[int, typer.Option(help="Of the first sample of each class.", min=0)] = 0,
    sampler: Annotated[str, typer.Option(help="dpm2m, heun, ancestral or ascent.")] = "dpm2m",
    output: Annotated[Path, typer.Option("--output", "-o", help="File for the sheet.")] = Path("sheet.webp"),
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    data: Data = DEFAULT_DATA,
) -> None:
    """For each class, a real held-out crop beside samples."""
    import torch
    from tqdm import tqdm

    from fgsd.data import TextureFolder, to_images
    from fgsd.sheets import check_suffix, class_sheet, save_image

    check_suffix(output)
    pipe = pipeline(checkpoint)
    size = pipe.info.patch_size
    folder = TextureFolder(resolve_shipped(data), pipe.info.data)
    rows = []
    for name in tqdm([c for c in pipe.classes if c in folder.classes], unit="class"):
        crop = folder.crops(name, 1, torch.Generator().manual_seed(seed), split="test")
        drawn = pipe.sample(name, n=samples, steps=steps, size=size, seed=seed, sampler=sampler)
        rows.append((name, to_images(crop)[0], drawn))
    save_image(class_sheet(rows), output)
    typer.echo(f"{output}: {len(rows)} classes, a real crop and {samples} samples each")


@one_line_errors
def bench(
    what: Annotated[
        Literal["app", "serve", "soak"],
        typer.Argument(help="The page under a hand, how it serves many visitors, or whether it lasts."),
    ] = "app",
    moves: Annotated[
        int, typer.Option(help="app: of the pin, each of which waits for its picture.", min=1)
    ] = 200,
    visitors: Annotated[
        list[int] | None,
        typer.Option(
            help="How many at once; may be repeated for serve [default: 1, 2, 4, 8, 16, 32; soak: 8].", min=1
        ),
    ] = None,
    requests: Annotated[
        int, typer.Option(help="serve: of all visitors together, at each number of them.", min=1)
    ] = 32,
    minutes: Annotated[float, typer.Option(help="soak: how long visitors come and go.")] = 30.0,
    browsers: Annotated[
        int, typer.Option(help="soak: how many of them come in a browser; the others are programs.")
    ] = 3,
    seed: Annotated[int, typer.Option(help="app, soak: of what visitors do.", min=0)] = 0,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write JSON.")] = None,
    screenshot: Annotated[
        Path | None, typer.Option(help="app: PNG or JPEG file for a picture of the first screen.")
    ] = None,
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    data: Data = DEFAULT_DATA,
) -> None:
    """Measure the page: how it follows the hand, how it serves many visitors at once, or whether it lasts."""
    import json

    import gradio
    from tqdm import tqdm

    from fgsd.atomic import write_atomically
    from fgsd.evaluation import report_text
    from fgsd.evaluation.run import checkpoint_facts, machine

    if what == "soak" and len(visitors or []) > 1:
        raise ValueError(f"visitors={visitors}: a soak has one number of visitors")
    pipe = pipeline(checkpoint)
    folders = str(resolve_shipped(checkpoint)), str(resolve_shipped(data))
    results: dict[str, Any] = {"machine": machine(pipe.device), "checkpoint": checkpoint_facts(pipe)}
    text = report_text
    if what == "serve":
        from fgsd.benchmarks.load import VISITORS, bench_serve, serve_text

        results["machine"] |= {"gradio": gradio.__version__}
        counts = visitors or VISITORS
        results |= bench_serve(*folders, visitors=counts, requests=requests, progress=tqdm)
        text = serve_text
    elif what == "soak":
        from fgsd.benchmarks.soak import bench_soak

        count = visitors[0] if visitors else 8
        results |= {"seed": seed, "classes": len(pipe.classes)}
        results |= {"minutes": minutes, "visitors": count, "browsers": browsers}
        results["parts"] = bench_soak(
            *folders, minutes=minutes, visitors=count, browsers=browsers, seed=seed, progress=tqdm
        )
    else:
        from fgsd.benchmarks.page import bench_app

        results |= {"seed": seed, "moves": moves, "classes": len(pipe.classes)}
        picture = None if screenshot is None else str(screenshot)
        results["parts"] = bench_app(*folders, moves=moves, seed=seed, screenshot=picture, progress=tqdm)
    if output is not None:
        lines = json.dumps(results, indent=2) + "\n"
        write_atomically(output, lambda p: p.write_text(lines, encoding="utf-8"))
    typer.echo(text(results))
