"""Gaussian classes, where the conditional density is known: denoisers, spectra and divergences of samples."""

from __future__ import annotations

import torch
from torch import Tensor

from fgsd.evaluation.checks import check
from fgsd.evidence.colour_plane import plane_picture
from fgsd.evidence.figures import over_seeds, plot, series, table
from fgsd.evidence.methods import Exact, Method, Trained
from fgsd.evidence.report_context import WEIGHTS, Workbench
from fgsd.evidence.study import GAUSSIAN_SOURCE
from fgsd.gaussians import GaussianClasses, fitted, gaussian_divergence

SIGMAS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0)
EXCESS_TARGET = 0.05  # of the exact denoiser's own error
SEEDS, EACH, STEPS = 3, 64, 32
IMAGES = 64  # noisy images of each class and noise level that denoisers are held against the exact one on


def truth(bench: Workbench) -> dict:
    """What the report says of Gaussian classes."""
    gaussians = GAUSSIAN_SOURCE.gaussians
    methods, variants = bench.methods("gaussians-"), bench.variants("gaussians-")
    excess = bench.units.get(
        "truth: denoisers",
        lambda: denoiser_excess(gaussians, [*methods, *variants], n=bench.some(IMAGES, 8), seed=bench.seed),
    )
    exact = [Exact("exact conditional", gaussians), *(_exact_cfg(gaussians, w) for w in WEIGHTS)]
    each, samples = bench.some(EACH, 8), {}
    for method in bench.progress([*methods, *variants, *exact], desc="samples of Gaussian classes"):
        samples[method.name] = [
            bench.units.get(
                f"truth: samples of {method.name}, {seed}",
                lambda method=method, seed=seed: sample_figures(gaussians, method, each, seed=seed),
            )
            for seed in _seeds(bench.seed, each * len(gaussians.classes))
        ]
    samples["true images"] = [
        true_figures(gaussians, each, seed=seed) for seed in range(bench.seed, bench.seed + SEEDS)
    ]
    guided = _mean(excess[methods[0].name])
    divergence = {name: over_seeds([one["divergence"] for one in runs]) for name, runs in samples.items()}
    best = min((m.name for m in methods[2:]), key=lambda name: divergence[name][0])
    picture = plane_picture(bench, gaussians, [exact[0], *methods, exact[-1]])
    return {
        "title": "Gaussian classes, where the truth is known",
        "question": "Does it sample the conditional density?",
        "answer": (
            f"On {len(gaussians.classes)} classes of Gaussian images the guided denoiser's error exceeds "
            f"that of the exact one by {100 * guided:.1f} %. A Gaussian fitted to guided samples is "
            f"{divergence[methods[0].name][0]:.1f} nats an image from the truth; with a label it is "
            f"{divergence[methods[1].name][0]:.1f}, with classifier-free guidance at its best weight "
            f"{divergence[best][0]:.1f}; as many true images leave {divergence['true images'][0]:.1f}."
        ),
        "checks": [
            check(
                "guided denoiser's excess error / exact error, mean over sigma and classes",
                guided,
                at_most=EXCESS_TARGET,
            ),
            check(
                f"divergence of guided samples / of the best CFG ({best.removeprefix('label, ')})",
                divergence[methods[0].name][0] / divergence[best][0],
                at_most=1.0,
            ),
        ],
        "tables": [_sample_table(samples, methods, bench.telling("gaussians-")), _excess_table(excess)],
        "plots": [_excess_plot(excess), _spectrum_plot(gaussians, samples, methods)],
        "pictures": [picture],
        "figures": {"sigmas": list(SIGMAS), "excess": excess, "samples": samples},
    }


def _seeds(first: int, images: int) -> range:
    """First seeds of runs that share no image's seed."""
    return range(first, first + SEEDS * images, images)


def _exact_cfg(gaussians: GaussianClasses, weight: float) -> Exact:
    return Exact(f"exact, CFG {weight:g}", gaussians, weight)


@torch.no_grad()
def denoiser_excess(
    gaussians: GaussianClasses, methods: list[Trained], *, n: int, seed: int
) -> dict[str, list[float]]:
    """By noise level of `SIGMAS`, the mean squared distance from the exact denoiser as a share of its error.

    The first of `methods` must be the one that is guided by features; its network is also measured without
    guidance, against the exact denoiser of the mixture and against that of the class (what guidance is
    worth).
    """
    told = [m for m in methods if m.weight == 1]
    untold = Trained("", methods[0].checkpoint, unguided=True).denoiser(torch.eye(1), tileable=True)
    mixed, without = "unguided, against the mixture", "unguided, against the class"
    rows: dict[str, list[float]] = {name: [] for name in (*(m.name for m in told), mixed, without)}
    generator = torch.Generator().manual_seed(seed)
    clean = {name: gaussians.sample(name, n, generator) for name in gaussians.classes}
    noise = {name: torch.randn(x0.shape, generator=generator) for name, x0 in clean.items()}
    eye = torch.eye(len(gaussians.classes))
    for sigma in SIGMAS:
        shares: dict[str, list[float]] = {name: [] for name in rows}
        for row, (name, x0) in zip(eye, clean.items(), strict=True):
            x = x0 + sigma * noise[name]
            conditional, mixture = gaussians.denoise(x, sigma, name), gaussians.mixture_denoise(x, sigma)
            exact = gaussians.expected_error(name, sigma)
            for method in told:
                found = method.denoiser(row, tileable=True)(x, sigma)[0]
                shares[method.name].append(_distance(found, conditional) / exact)
            found = untold(x, sigma)[0]
            shares[mixed].append(_distance(found, mixture) / (mixture - x0).square().mean().item())
            shares[without].append(_distance(found, conditional) / exact)
        for key, values in shares.items():
            rows[key].append(_mean(values))
    return rows


def sample_figures(gaussians: GaussianClasses, method: Method, each: int, *, seed: int) -> dict:
    """How far `each` samples of every class are from its density; means over classes."""
    eye = torch.eye(len(gaussians.classes))
    size = gaussians.size[0]
    x = method.sample(eye, each, size=size, steps=STEPS, seed=seed, tileable=True, rounded=False)
    return departures(gaussians, x)


def true_figures(gaussians: GaussianClasses, each: int, *, seed: int) -> dict:
    """The same of true images: what the number of images alone costs."""
    generator = torch.Generator().manual_seed(seed)
    return departures(
        gaussians, torch.stack([gaussians.sample(c, each, generator) for c in gaussians.classes])
    )


def departures(gaussians: GaussianClasses, images: Tensor) -> dict:
    """Of images (C, n, 3, H, W) from the classes' densities, mean over classes.

    Returns
    -------
    dict
        `divergence` of the fitted Gaussian from the class, in nats an image; `colour`: the same of the mean
        colour alone; `mean`: root mean square error of the mean colour; `covariance`: relative Frobenius
        error of the covariance between pixels; `contrast`: standard deviation of pixels, 1 if right;
        `channels`: root mean square correlation between channels, which have none; `spectrum`: power over
        true power by frequency in cycles an image, geometric mean over directions and channels.
    """
    found: dict[str, list] = {}
    off_diagonal = ~torch.eye(3, dtype=torch.bool)
    for row, x in enumerate(images):
        mean, power = fitted(x)
        true_mean, true = gaussians.means[row], gaussians.power[row]
        colours = (x - x.mean(dim=(0, 2, 3), keepdim=True)).double().transpose(0, 1).flatten(1)
        one = {
            "divergence": gaussian_divergence(mean, power, true_mean, true),
            "colour": colour_divergence(gaussians, row, x),
            "mean": (mean - true_mean).square().mean().sqrt().item(),
            # stationary: the covariance is diagonal in the Fourier domain, with the power on its diagonal
            "covariance": ((power - true).norm() / true.norm()).item(),
            "contrast": (power.mean() / true.mean()).sqrt().item(),
            "channels": torch.corrcoef(colours)[off_diagonal].square().mean().sqrt().item(),
            "spectrum": by_frequency((power / true).log()).exp().tolist(),
        }
        for key, value in one.items():
            found.setdefault(key, []).append(value)
    means = {key: torch.tensor(values).mean(dim=0).tolist() for key, values in found.items()}
    return means | {"divergence_by_class": dict(zip(gaussians.classes, found["divergence"], strict=True))}


def colour_divergence(gaussians: GaussianClasses, row: int, x: Tensor) -> float:
    """Of the Gaussian fitted to the images' mean colours from that of the class, which is known: in nats.

    Most of an image's dimensions are fine detail, on which classes agree; these three they do not share.
    """
    from torch.distributions import MultivariateNormal, kl_divergence

    height, width = gaussians.size
    colours = x.double().mean(dim=(2, 3))
    found = MultivariateNormal(colours.mean(dim=0), colours.T.cov())
    spread = torch.diag(gaussians.power[row][:, 0, 0] / (height * width))
    return kl_divergence(found, MultivariateNormal(gaussians.means[row], spread)).item()


def by_frequency(values: Tensor) -> Tensor:
    """Mean (H // 2 + 1,) of values (3, H, H) over channels and directions, by rounded cycles an image."""
    size = values.shape[-1]
    line = torch.fft.fftfreq(size, dtype=torch.float64) * size
    radius = (line[:, None].square() + line.square()).sqrt().round().long().clamp(max=size // 2)
    return torch.stack([values[:, radius == r].mean() for r in range(size // 2 + 1)])


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _distance(found: Tensor, exact: Tensor) -> float:
    return (found.double().cpu() - exact).square().mean().item()


def _sample_table(samples: dict[str, list[dict]], methods: list[Trained], telling: str) -> dict:
    columns = {
        "divergence": "KL divergence from the class, nats",
        "colour": "of the mean colour alone, nats",
        "covariance": "error of covariance",
        "contrast": "contrast (1 is right)",
        "channels": "correlation of channels",
    }
    evaluations = {m.name: STEPS * m.evaluations for m in methods}
    rows = [
        [name, evaluations.get(name), *(over_seeds([one[key] for one in runs]) for key in columns)]
        for name, runs in samples.items()
    ]
    return table(
        "Samples of Gaussian classes",
        ["method", "evaluations", *columns.values()],
        rows,
        best={columns[key]: "low" for key in ("divergence", "colour", "covariance", "channels")},
        compared=range(len(methods)),
        note=f"{STEPS} steps of DPM-Solver++ (2M); means over classes, 95 % intervals over {SEEDS} seeds. "
        "The exact denoisers show what belongs to the method and not to the training: with them too, "
        "classifier-free guidance misses the mean colour. True images show what their number alone costs."
        + telling,
    )


def _excess_table(excess: dict[str, list[float]]) -> dict:
    return table(
        "Excess error of denoisers over the exact one, as a share of its error",
        ["denoiser", *(f"σ = {s:g}" for s in SIGMAS), "mean"],
        [[name, *values, _mean(values)] for name, values in excess.items()],
    )


def _excess_plot(excess: dict[str, list[float]]) -> dict:
    target = series("target", SIGMAS, [EXCESS_TARGET] * len(SIGMAS), style="dashes")
    return plot(
        "truth-excess",
        "How far the denoisers are from the exact ones",
        [*(series(name, SIGMAS, values) for name, values in excess.items()), target],
        x="noise level σ",
        y="excess error / exact error",
        log_x=True,
        log_y=True,
    )


def _spectrum_plot(
    gaussians: GaussianClasses, samples: dict[str, list[dict]], methods: list[Trained]
) -> dict:
    waves = range(1, gaussians.size[0] // 2 + 1)
    lines = []
    for name in (*(m.name for m in methods), "exact, CFG 2", "true images"):
        runs = torch.tensor([one["spectrum"] for one in samples[name]]).mean(dim=0).tolist()
        lines.append(series(name, waves, [runs[k] for k in waves]))
    return plot(
        "truth-spectrum",
        "Power of the samples over the true power (1 is right)",
        lines,
        x="cycles an image",
        y="power / true power",
        log_y=True,
    )
