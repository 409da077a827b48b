"""Results of an evaluation as a text table."""

from __future__ import annotations

from statistics import median


def report_text(results: dict) -> str:
    """Format every check with its figure and target, followed by details of each part.

    Parameters
    ----------
    results : dict
        Results of `evaluate` or `fgsd bench`, or their parsed JSON.
    """
    machine, checkpoint = results["machine"], results["checkpoint"]
    lines = [
        _settings(results),
        f"checkpoint: {checkpoint['parameters'] / 1e6:.2f} M parameters, {checkpoint['dimension']} features, "
        f"{checkpoint['images']:,} training crops in {checkpoint['hours']} h",
        f"machine: {machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads, "
        f"{machine['device']}, torch {machine['torch']}",
        "",
    ]
    if any(part["checks"] for part in results["parts"].values()):
        lines += [*check_lines(results["parts"]), ""]
    lines += _details(results["parts"])
    return "\n".join(lines).rstrip() + "\n"


def check_lines(parts: dict) -> list[str]:
    """Table of the checks of some parts: a line of headings, then one line per check."""
    rows = [("", "figure", "95 %", "target", "")]
    for part, figures in parts.items():
        for one in figures["checks"]:
            rows.append(
                (
                    f"{part}: {one['name']}",
                    "–" if one["value"] is None else f"{one['value']:.3f}{_unit(one)}",
                    "" if one["interval"] is None else "{:.3f} to {:.3f}".format(*one["interval"]),
                    f"{one['relation']} {one['target']:.3f}{_unit(one)}",
                    "pass" if one["passed"] else "short",
                )
            )
    widths = [max(len(row[k]) for row in rows) for k in range(5)]
    lines = []
    for name, figure, interval, target, verdict in rows:
        line = (
            f"{name:<{widths[0]}}  {figure:>{widths[1]}}  {interval:<{widths[2]}}  "
            f"{target:<{widths[3]}}  {verdict}"
        )
        lines.append(line.rstrip())
    return lines


def _settings(results: dict) -> str:
    if "visitors" in results:
        return (
            f"{results['classes']} classes, {results['visitors']} visitors ({results['browsers']} of them in "
            f"a browser) for {results['minutes']:g} minutes, seed {results['seed']}"
        )
    if "crops" in results:
        return f"{results['classes']} textures, seed {results['seed']}"
    if "moves" in results:
        return f"{results['classes']} classes, {results['moves']} moves of the pin, seed {results['seed']}"
    return (
        f"{results['classes']} classes, {results['per_class']} samples each, {results['steps']} steps, "
        f"seed {results['seed']}"
    )


def _unit(one: dict) -> str:
    return f" {one['unit']}" if one["unit"] else ""


def _row(name: str, values: list[float]) -> str:
    return f"{name:<28}" + "".join(f"{value:7.2f}" for value in values)


def _details(parts: dict) -> list[str]:
    """A few lines about each part that was measured."""
    lines = []
    if figures := parts.get("classifier"):
        lines.append(
            f"classifier: top-1 of samples {figures['accuracy']:.3f}, of held-out crops "
            f"{figures['ceiling']:.3f}"
        )
        worst = list(figures["confused"].items())[:5]
        for name, one in worst:
            lines.append(f"  {name}: {one['accuracy']:.2f}, most often taken for {one['taken_for']}")
    if figures := parts.get("memorisation"):
        low = figures["lowest"]
        lines.append(
            f"memorisation: {100 * figures['copies']:.1f} % of samples are copies; nearest of all: "
            f"{low['class']}, sample {low['sample']}, {low['ratio']:.2f} of the usual distance"
        )
    if figures := parts.get("diversity"):
        below = figures["classes_below_target"]
        more = f", {', '.join(below[:6])}{', ...' if len(below) > 6 else ''}" if below else ""
        lines.append(
            f"diversity: {len(below)} classes below the target{more}; "
            f"ratio to held-out crops {figures['ratio_to_held_out']:.3f}"
        )
    if figures := parts.get("seams"):
        lines.append(
            f"seams: {figures['tiles']} tiles, rows {figures['rows']:.3f}, columns {figures['columns']:.3f}, "
            f"{100 * figures['share_at_or_below']:.0f} % at or below the median inner jump (ideal: 50 %)"
        )
    if figures := parts.get("paths"):
        if "note" in figures:
            lines.append(f"paths: {figures['note']}")
        else:
            worst = figures["worst"]
            lines += [
                f"paths: {len(figures['weights'])} weights a pair, {figures['each']} samples at each; worst: "
                f"{worst['pair']}, {worst['correlation']:.3f}",
                _row("  weight of the second class", figures["weights"]),
                _row("  place on the line, mean", figures["places"]),
                f"  largest step between neighbours {figures['largest_step']:.2f}, on average (even steps: "
                f"{1 / (len(figures['weights']) - 1):.2f}, a leap: 1); beside the line by "
                f"{figures['beside']:.2f} of its length",
            ]
    if figures := parts.get("breakdown"):
        whole = f"{figures['whole']:.0f} ms in all, an answer of {figures['bytes']:,} bytes"
        lines.append(f"breakdown of a drag: {whole}; medians of the parts")
        lines += [f"{ms:7.1f} ms  {words}" for words, ms in figures["milliseconds"].items()]
    if figures := parts.get("schedules"):
        lines.append(
            f"schedules: {figures['each']} samples a class, against {figures['steps']} steps from the same "
            "noise; structure 0 is the same picture, contrast of the detail 1"
        )
        lines += [
            f"  {name}: structure {one['structure']:.3f}, contrast {one['contrast']:.3f}"
            for name, one in figures["schedules"].items()
        ]
        lines += [
            f"  previews of the centre, {name} pixels: structure {one['structure']:.3f}, contrast "
            f"{one['contrast']:.3f}"
            for name, one in figures.get("centres", {}).items()
        ]
    if figures := parts.get("distilled"):
        said = figures.get("note") or f"{figures['each']} samples a class, all from the same noise"
        lines.append(f"distilled: {said}")
        lines += [
            f"  {name}: top-1 {one['accuracy']:.3f}, diversity {one['diversity']:.3f} of that of "
            f"{figures['steps']} steps"
            for name, one in figures.get("classes", {}).items()
        ]
        lines += [
            f"  {kind}, {name}: structure {one['structure']:.3f}, contrast {one['contrast']:.3f}"
            for kind, ways in figures.get("pictures", {}).items()
            for name, one in ways.items()
        ]
    if figures := parts.get("painting"):
        if "note" in figures:
            lines.append(f"painting: {figures['note']}")
        else:
            halves, gradients, cost = (figures[name] for name in ("half_planes", "gradients", "cost"))
            worst = gradients["worst"]
            lines += [
                f"painting: {halves['pairs']} pairs of half planes; top-1 of crops of regions "
                f"{halves['accuracy']['regions']:.3f}, of whole samples {halves['accuracy']['whole']:.3f}",
                *(
                    f"  borders, {kind}: gradient {halves['gradient'][kind]:.2f} of that inside, "
                    f"{halves['gradient_off'][kind]:.2f} off in the logarithm; distance of the crop on the "
                    f"border from both sides {halves['distance'][kind]:.2f} of that inside"
                    for kind in halves["gradient"]
                ),
                f"  gradients; worst: {worst['pair']}, {worst['correlation']:.3f}",
                _row("    weight of the second class", gradients["weights"]),
                _row("    place on the line, mean", gradients["places"]),
                *(
                    f"  cost at {side} px, one region {one['milliseconds']:.1f} ms: "
                    + ", ".join(f"{n} regions {one[n]:.2f}" for n in one if n != "milliseconds")
                    for side, one in cost.items()
                ),
            ]
            if discs := figures.get("discs"):
                places = ", ".join(f"{radius} px {value:.2f}" for radius, value in discs["colour"].items())
                lines.append(f"  discs, {discs['pairs']} pairs, median place of their colour: {places}")
            if change := figures.get("change"):
                lines.append(
                    f"  another texture in a region changes it by {change['inside']:.0f} grey levels, and "
                    f"what is far from it by {change['elsewhere']:.2f}"
                )
            if (memory := figures.get("memory")) and memory["gigabytes"] is not None:
                lines.append(
                    f"  memory of an evaluation of {memory['side']} x {memory['side']} pixels with "
                    f"{memory['regions']} regions: {memory['gigabytes']:.1f} GB"
                )
    if figures := parts.get("speed"):
        lines.append(
            f"speed: guided {figures['milliseconds_guided']:.1f} ms a step, unguided "
            f"{figures['milliseconds_unguided']:.1f} ms, {figures['pairs']} pairs; "
            f"fastest sample {figures['seconds_fastest']:.3f} s"
        )
    if figures := parts.get("few_steps"):
        lines.append(f"few_steps: {figures['each']} samples each of {', '.join(figures['classes'])}")
        for sampler, one in figures["samplers"].items():
            lines.append(
                f"  {sampler:<9}  {one['evaluations']:>6,} evaluations  {one['seconds']:8.2f} s an image  "
                f"accuracy {one['accuracy']:.3f}  probability {one['probability']:.3f}  "
                f"diversity {one['diversity']:.3f}  distance {one['distance']:.3f}"
            )
        if "note" in figures:
            lines.append(f"  the reference: {figures['note']}")
    if figures := parts.get("unseen"):
        if "note" in figures:
            lines.append(f"unseen: {figures['note']}")
        else:
            lines.append(
                f"unseen: {100 * figures['share_own']:.0f} % of samples nearest to their own texture; by the "
                f"classifier, {100 * figures['won_by_classifier']:.0f} % of the textures come first"
            )
            if "accuracy" in figures:
                lines[-1] += (
                    f"; a classifier of these textures alone is right for {100 * figures['accuracy']:.0f} % "
                    f"of the samples and {100 * figures['ceiling']:.0f} % of held-out crops"
                )
            if "uncalibrated" in figures:
                lines[-1] += f"; without calibration for {100 * figures['uncalibrated']:.0f} % of the samples"
            for name, one in figures["textures"].items():
                other = f", {one['other']} {one['other_most']}" if one["other"] else ""
                lines.append(f"  {name} {one['own']} of {figures['each']}{other}")
    if figures := parts.get("learned"):
        lines.append(f"learned: {figures.get('note', '')}".rstrip(" :"))
        for steps, one in figures.get("steps", {}).items():
            accuracy, diversity = one["accuracy"], one["diversity"]["per_class"]
            seconds = f", {one['seconds']['mean']:.1f} s a texture" if "seconds" in one else ""
            lines.append(
                f"  {steps:>3} steps: accuracy {accuracy['accuracy']:.3f} (held-out crops "
                f"{accuracy['ceiling']:.3f}), median diversity {median(diversity.values()):.3f}, "
                f"{100 * one['memorisation']['copies']:.1f} % copies, Fréchet distance "
                f"{one['frechet']['samples']:.0f} (held-out crops {one['frechet']['held_out']:.0f}){seconds}"
            )
        if "errors" in figures:
            errors = ", ".join(f"{error:.4f} ({steps})" for steps, error in figures["errors"].items())
            lines.append(f"  error on held-out crops while learning, after steps: {errors}")
    return lines
