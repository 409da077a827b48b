"""Commands that measure and show a checkpoint and its page: `fgsd evaluate`, `sheet`, `bench` and `film`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fgsd.cli.options import (
    DEFAULT_CHECKPOINT,
    DEFAULT_DATA,
    Checkpoint,
    Data,
    load_pipeline,
    load_textures,
    one_line_errors,
    read_names,
)
from fgsd.shipped import resolve_shipped

if TYPE_CHECKING:
    from fgsd.data import TextureFolder
    from fgsd.pipeline import Pipeline, Target

Unseen = Annotated[
    Path | None,
    typer.Option(help="Text file of classes of the data that the checkpoint was not trained on, one a line."),
]
PLAN_COLOURS = ("#0072b2", "#e69f00")  # of two regions, as on the page
Json = Annotated[Path | None, typer.Option("--output", "-o", help="Also write JSON.")]


@one_line_errors
def evaluate(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    data: Data = DEFAULT_DATA,
    part: Annotated[
        list[str] | None, typer.Option(help="Part to measure; may be repeated [default: all].")
    ] = None,
    per_class: Annotated[int, typer.Option(help="Samples per class.")] = 32,
    steps: Annotated[int, typer.Option(help="Steps of the default sampler.", min=1)] = 16,
    seed: Annotated[int, typer.Option(help="Seed of samples and crops.", min=0)] = 0,
    unseen: Unseen = None,
    learning_steps: Annotated[
        list[int] | None,
        typer.Option(
            help="Steps of learning that the part learned compares; may be repeated [default: 0, 20, 60].",
            min=0,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write JSON; other parts of an earlier file stay."),
    ] = None,
) -> None:
    """Measure the samples and the speed of a checkpoint.

    Parts: speed, classifier, memorisation, diversity, seams, paths, unseen, learned, painting and few_steps.
    Without --unseen, all classes of the data that the checkpoint does not know count as unseen.
    """
    import json

    from tqdm import tqdm

    from fgsd.cli.outputs import stored_results
    from fgsd.evaluation import combine, report_text
    from fgsd.evaluation import evaluate as measure

    earlier = None if output is None else stored_results("--output", output)
    pipe = load_pipeline(checkpoint)
    folder = load_textures(resolve_shipped(data), pipe.info.data)
    if unseen is not None:
        folder = _with_unseen(folder, pipe.classes, unseen)
    options: dict[str, Any] = {"learning_steps": learning_steps} if learning_steps else {}
    options |= {"per_class": per_class, "steps": steps, "seed": seed, "parts": part, "progress": tqdm}
    results = measure(pipe, folder, **options)
    if output is not None:
        results = json.loads(json.dumps(results))
        if earlier is not None:
            results = combine(earlier, results)
    typer.echo(report_text(results))  # first: a full disk must not cost the measurement
    if output is not None:
        _write_json(results, output)


def _with_unseen(data: TextureFolder, classes: list[str], file: Path) -> TextureFolder:
    """Return a folder with the classes of a checkpoint and those that a file names, which must be others.

    Classes that the checkpoint was trained on and does not name are left out: they count as neither.
    """
    names = read_names("--unseen", file, data)
    if known := [name for name in names if name in classes]:
        raise ValueError(f"--unseen {file}: the checkpoint was trained on {', '.join(known[:3])}")
    return data.only([name for name in data.classes if name in classes or name in names])


@one_line_errors
def sheet(
    samples: Annotated[int, typer.Option(help="Samples per class.", min=1)] = 4,
    steps: Annotated[int, typer.Option(help="Sampling steps.", min=1)] = 16,
    seed: Annotated[int, typer.Option(help="Seed of the first sample of each class.", min=0)] = 0,
    sampler: Annotated[str, typer.Option(help="Sampler: dpm2m, heun, ancestral or ascent.")] = "dpm2m",
    unseen: Unseen = None,
    learn: Annotated[
        int, typer.Option(help="Also samples of textures that are learned in this many steps.", min=0)
    ] = 0,
    borders: Annotated[
        int,
        typer.Option(help="In place of classes, so many borders of two, painted and blended.", min=0),
    ] = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="File for the sheet.")] = Path("sheet.webp"),
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    data: Data = DEFAULT_DATA,
) -> None:
    """Draw a real crop and samples of each class.

    The real crops are held-out ones, unless the checkpoint was trained with test_share=0. With --unseen, the
    classes are those of the file, and with --learn alone those that the checkpoint does not know. The
    centroid of each is then measured from the rest of its image; with --learn it is also learned from there,
    and its samples come last. With --borders, each row has two classes side by side.
    """
    import torch
    from tqdm import tqdm

    from fgsd.cli.outputs import check_file
    from fgsd.data import to_images
    from fgsd.sheets import check_size, check_suffix, class_sheet, class_sheet_size, save_image

    check_suffix(output)
    check_file("--output", output)
    pipe = load_pipeline(checkpoint)
    size = pipe.info.patch_size
    if borders:
        _border_sheet(pipe, borders, output, steps=steps, seed=seed)
        return
    folder = load_textures(resolve_shipped(data), pipe.info.data)
    split, kind = ("test", "held-out") if pipe.info.test_share else ("train", "training")
    names, rows = [name for name in pipe.classes if name in folder.classes], []
    if unseen is not None:
        names = read_names("--unseen", unseen, folder)
    elif learn:
        names = [name for name in folder.classes if name not in pipe.classes]
        if not names:
            raise ValueError(f"--learn {learn}: the checkpoint knows all classes of {data}")
    check_size(output, class_sheet_size(len(names), samples * (2 if learn else 1), (size, size)))
    for name in tqdm(names, unit="class"):
        crop = folder.crops(name, 1, torch.Generator().manual_seed(seed), split=split)
        regions = [to_images(region[None])[0] for region in folder.regions(name)]
        targets: list[Target] = [name]
        if unseen is not None or learn:
            targets = [pipe.centroid_of(regions, scale=1.0, seed=seed)]
        if learn:
            *_, step = pipe.learn(regions, steps=learn, scale=1.0, seed=seed)
            targets.append(step.texture)
        options: dict[str, Any] = {"steps": steps, "size": size, "seed": seed, "sampler": sampler}
        images = [image for target in targets for image in pipe.sample(target, n=samples, **options)]
        rows.append((name, to_images(crop)[0], images))
    save_image(class_sheet(rows), output)
    classes = "1 class" if len(rows) == 1 else f"{len(rows)} classes"
    learned = f" and {samples} of it learned" if learn else ""
    typer.echo(f"{output}: {classes}, a {kind} crop and {samples} samples{learned} each")


def _border_sheet(pipe: Pipeline, count: int, output: Path, *, steps: int, seed: int) -> None:
    """Draw two classes side by side: the plan, painted as regions, and their samples blended and pasted."""
    from PIL import Image
    from tqdm import tqdm

    from fgsd.data import to_images
    from fgsd.evaluation.painting import half_planes
    from fgsd.evaluation.paths import random_pairs
    from fgsd.sheets import captioned_rows, save_image

    size, rows = (pipe.info.patch_size, 2 * pipe.info.patch_size), []
    for k, names in enumerate(tqdm(random_pairs(pipe.classes, count, seed=seed), unit="pair")):
        _, images = half_planes(pipe, names, size, steps=steps, seed=seed + k)
        plan = Image.new("RGB", (size[1], size[0]), PLAN_COLOURS[0])
        plan.paste(PLAN_COLOURS[1], (size[1] // 2, 0, size[1], size[0]))
        pictures = [plan, *(to_images(images[kind][None])[0] for kind in ("painted", "blended", "pasted"))]
        rows.append((f"{names[0]} | {names[1]}: plan, painted, blended, pasted", pictures))
    save_image(captioned_rows(rows), output)
    typer.echo(f"{output}: {len(rows)} borders, painted, and their samples blended and pasted in pixels")


@one_line_errors
def bench(
    what: Annotated[
        Literal["app", "serve", "soak", "engine", "map", "site"],
        typer.Argument(
            help="app: latency; serve: throughput with many visitors; soak: endurance; "
            "engine: one evaluation of the network; map: frames a second; "
            "site: a site without a server."
        ),
    ] = "app",
    moves: Annotated[int, typer.Option(help="app: moves of the pin per measurement.", min=1)] = 200,
    visitors: Annotated[
        list[int] | None,
        typer.Option(
            help="Simultaneous visitors; may be repeated for serve [default: 1, 2, 4, 8, 16, 32; soak: 8].",
            min=1,
        ),
    ] = None,
    requests: Annotated[
        int, typer.Option(help="serve: requests of all visitors together, at each number of them.", min=1)
    ] = 32,
    rounds: Annotated[int, typer.Option(help="engine: evaluations of each kind.", min=1)] = 7,
    compile: Annotated[
        bool, typer.Option("--compile", help="engine: measure torch.compile too; needs a C++ compiler.")
    ] = False,
    crops: Annotated[
        list[int] | None,
        typer.Option(help="map: crops on it; may be repeated [default: 10000, 100000].", min=1),
    ] = None,
    minutes: Annotated[float, typer.Option(help="soak: duration in minutes.")] = 30.0,
    browsers: Annotated[
        int, typer.Option(help="soak: visitors with a browser; the others call the API.")
    ] = 3,
    seed: Annotated[
        int, typer.Option(help="app, soak: seed of what visitors do; map: of the crops.", min=0)
    ] = 0,
    runtime: Annotated[Path | None, typer.Option(help="site: as for `fgsd site`.", exists=True)] = None,
    site: Annotated[
        Path | None,
        typer.Option(help="app: as for `fgsd app`; measures previews by the visitor's machine too."),
    ] = None,
    output: Json = None,
    screenshot: Annotated[
        Path | None, typer.Option(help="app: PNG or JPEG file for a screenshot of the first screen.")
    ] = None,
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    data: Data = DEFAULT_DATA,
) -> None:
    """Measure the page, its load or its map; the network by several engines; or a site."""
    from importlib.metadata import version

    from tqdm import tqdm

    from fgsd.cli.outputs import check_file
    from fgsd.evaluation import report_text
    from fgsd.evaluation.run import checkpoint_facts, machine
    from fgsd.sheets import check_suffix

    if output is not None:
        check_file("--output", output)
    if screenshot is not None:
        check_suffix(screenshot, {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"})
        check_file("--screenshot", screenshot)
    if what == "soak" and len(visitors or []) > 1:
        raise ValueError(f"visitors={visitors}: a soak has one number of visitors")
    pipe = load_pipeline(checkpoint)
    folders = str(resolve_shipped(checkpoint)), str(resolve_shipped(data))
    results: dict[str, Any] = {"machine": machine(pipe.device), "checkpoint": checkpoint_facts(pipe)}
    text = report_text
    if what == "serve":
        from fgsd.benchmarks.load import VISITORS, bench_serve, serve_text

        results["machine"] |= {"gradio": version("gradio")}
        counts = visitors or VISITORS
        results |= bench_serve(*folders, visitors=counts, requests=requests, progress=tqdm)
        text = serve_text
    elif what == "engine":
        from fgsd.benchmarks.engine import bench_engine, engine_text, variants

        device = "cuda" if pipe.device.type == "cuda" else "cpu"
        engines = variants(device, compile=compile)
        results |= bench_engine(folders[0], device=device, rounds=rounds, engines=engines, progress=tqdm)
        text = engine_text
    elif what == "site":
        from fgsd.benchmarks.site import bench_site, site_text

        results |= bench_site(pipe, folders[1], runtime=runtime, progress=tqdm)
        text = site_text
    elif what == "soak":
        from fgsd.benchmarks.soak import bench_soak

        count = visitors[0] if visitors else 8
        results |= {"seed": seed, "classes": len(pipe.classes)}
        results |= {"minutes": minutes, "visitors": count, "browsers": browsers}
        results["parts"] = bench_soak(
            *folders, minutes=minutes, visitors=count, browsers=browsers, seed=seed, progress=tqdm
        )
    elif what == "map":
        from fgsd.benchmarks.map_frames import CROPS, bench_map

        counts = crops or list(CROPS)
        results |= {"seed": seed, "classes": len(pipe.classes), "crops": counts}
        results["parts"] = bench_map(*folders, crops=counts, seed=seed, progress=tqdm)
    else:
        from fgsd.benchmarks.page import bench_app

        results |= {"seed": seed, "moves": moves, "classes": len(pipe.classes)}
        file = None if screenshot is None else str(screenshot)
        results["parts"] = bench_app(
            *folders,
            moves=moves,
            seed=seed,
            screenshot=file,
            site=None if site is None else str(site),
            progress=tqdm,
        )
    typer.echo(text(results))
    if output is not None:
        _write_json(results, output)


@one_line_errors
def film(
    output: Annotated[Path, typer.Option("--output", "-o", help="WebP file for the film.")] = Path(
        "drag.webp"
    ),
    texture: Annotated[
        list[str] | None,
        typer.Option(help="Class on the path of the pin; may be repeated [default: some colourful ones]."),
    ] = None,
    rate: Annotated[float, typer.Option(help="Frames per second.", min=1, max=30)] = 12.0,
    megabytes: Annotated[
        float, typer.Option(help="Largest size of the file; the quality is lowered to fit.", min=0.01)
    ] = 2.0,
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    data: Data = DEFAULT_DATA,
) -> None:
    """Film a drag over the map, in real time.

    A browser without a window opens the page, drags the ring past some textures and releases it. The film is
    neither sped up nor slowed down: each frame is shown for as long as it was on the screen of this machine.
    It plays in a loop.
    """
    from fgsd.benchmarks.film import check_film_path, record_film, save_film
    from fgsd.cli.outputs import check_file

    check_film_path(output)
    check_file("--output", output)
    folders = str(resolve_shipped(checkpoint)), str(resolve_shipped(data))
    recorded = record_film(*folders, textures=texture or (), rate=rate)
    saved = save_film(recorded, output, max_bytes=round(1e6 * megabytes))
    typer.echo(
        f"{output}: {saved.frames} frames of {saved.width} x {saved.height} pixels in {saved.seconds:.1f} s, "
        f"{saved.size / 1e6:.2f} MB at quality {saved.quality}"
    )


def _write_json(results: dict[str, Any], path: Path) -> None:
    import json

    from fgsd.atomic import write_atomically

    text = json.dumps(results, indent=2) + "\n"
    write_atomically(path, lambda p: p.write_text(text, encoding="utf-8"))
