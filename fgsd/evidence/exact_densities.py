"""Gaussian classes, whose conditional density is known: denoisers, spectra and divergences of samples."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from fgsd.evaluation.checks import check
from fgsd.evidence.colour_plane import colour_plane_plot
from fgsd.evidence.comparison import first_seeds
from fgsd.evidence.figures import Cell, PartFigures, Plot, Table, mean_over_seeds, plot, series, table
from fgsd.evidence.methods import Exact, Method, Trained
from fgsd.evidence.report_context import CFG_WEIGHTS, ReportContext
from fgsd.evidence.study import GAUSSIAN_SOURCE
from fgsd.gaussians import GaussianClasses, fitted, gaussian_divergence

PART = "truth"  # name of the part in report.json, on the command line, and in the names of its files
SIGMAS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0)
MAX_EXCESS = 0.05  # of the exact denoiser's own error
EACH, STEPS = 64, 32  # samples of each class, for each seed
IMAGES = 64  # noisy images of each class and noise level, for the error of denoisers
TRUE_IMAGES = "true images"


def exact_densities(context: ReportContext) -> PartFigures:
    """The part of the report on Gaussian classes."""
    gaussians = GAUSSIAN_SOURCE.gaussians
    methods, variants = context.methods("gaussians-"), context.variants("gaussians-")
    images = context.scaled(IMAGES, at_least=8)
    excess = context.cache.get(
        f"{PART}: denoisers",
        lambda: denoiser_excess(gaussians, [*methods, *variants], n=images, seed=context.seed),
    )
    conditional = Exact("exact conditional", gaussians)
    exact_cfg = [Exact(f"exact, CFG {weight:g}", gaussians, weight) for weight in CFG_WEIGHTS]
    each, samples = context.scaled(EACH, at_least=8), {}
    all_methods: list[Method] = [*methods, *variants, conditional, *exact_cfg]
    seeds = first_seeds(context.seed, each * len(gaussians.classes))
    for method in context.progress(all_methods, desc="samples of Gaussian classes"):
        samples[method.name] = [
            context.cache.get(
                f"{PART}: samples of {method.name}, {seed}",
                functools.partial(sample_figures, gaussians, method, each, seed=seed),
            )
            for seed in seeds
        ]
    samples[TRUE_IMAGES] = [true_figures(gaussians, each, seed=context.seed + k) for k in range(len(seeds))]
    guided = _mean(excess[methods[0].name])
    divergence = {
        name: mean_over_seeds([one["divergence"] for one in runs]) for name, runs in samples.items()
    }
    best = min((m.name for m in methods[2:]), key=lambda name: divergence[name][0])
    plane = colour_plane_plot(context, gaussians, [conditional, *methods, exact_cfg[-1]], part=PART)
    return {
        "title": "Gaussian classes, whose density is known",
        "question": "Does it sample the conditional density?",
        "answer": (
            f"On {len(gaussians.classes)} classes of Gaussian images the guided denoiser's error exceeds "
            f"that of the exact one by {100 * guided:.1f} %. A Gaussian fitted to guided samples is "
            f"{divergence[methods[0].name][0]:.1f} nats an image from the true density; with a label it is "
            f"{divergence[methods[1].name][0]:.1f}, with classifier-free guidance at its best weight "
            f"{divergence[best][0]:.1f}, and with as many true images {divergence[TRUE_IMAGES][0]:.1f}."
        ),
        "checks": [
            check(
                "guided denoiser's excess error / exact error, mean over sigma and classes",
                guided,
                at_most=MAX_EXCESS,
            ),
            check(
                f"divergence of guided samples / of the best CFG ({best.removeprefix('label, ')})",
                divergence[methods[0].name][0] / divergence[best][0],
                at_most=1.0,
            ),
        ],
        "tables": [
            _sample_table(samples, methods, context.conditioning_note("gaussians-"), seeds=len(seeds)),
            _excess_table(excess),
        ],
        "plots": [_excess_plot(excess), _spectrum_plot(gaussians, samples, methods), plane],
        "pictures": [],
        "figures": {"sigmas": list(SIGMAS), "excess": excess, "samples": samples},
    }


@torch.no_grad()
def denoiser_excess(
    gaussians: GaussianClasses, methods: list[Trained], *, n: int, seed: int
) -> dict[str, list[float]]:
    """Mean squared distance from the exact denoiser, as a share of its error, at each of `SIGMAS`.

    Methods with classifier-free guidance are left out. The first of `methods` must be guided by features. Its
    network is also measured without guidance: against the exact denoiser of the mixture, and against that of
    the class, which shows what guidance contributes.
    """
    guided = [m for m in methods if m.weight == 1]
    unguided = Trained("", methods[0].checkpoint, unguided=True).denoiser(torch.eye(1), tileable=True)
    against_mixture, against_class = "unguided, against the mixture", "unguided, against the class"
    names = [*(m.name for m in guided), against_mixture, against_class]
    rows: dict[str, list[float]] = {name: [] for name in names}
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
            for method in guided:
                denoised = method.denoiser(row, tileable=True)(x, sigma)[0]
                shares[method.name].append(_distance(denoised, conditional) / exact)
            denoised = unguided(x, sigma)[0]
            mixture_error = (mixture - x0).square().mean().item()
            shares[against_mixture].append(_distance(denoised, mixture) / mixture_error)
            shares[against_class].append(_distance(denoised, conditional) / exact)
        for key, values in shares.items():
            rows[key].append(_mean(values))
    return rows


def sample_figures(gaussians: GaussianClasses, method: Method, each: int, *, seed: int) -> dict:
    """`density_errors` of `each` samples of every class."""
    eye = torch.eye(len(gaussians.classes))
    size = gaussians.size[0]
    x = method.sample(eye, each, size=size, steps=STEPS, seed=seed, tileable=True, rounded=False)
    return density_errors(gaussians, x)


def true_figures(gaussians: GaussianClasses, each: int, *, seed: int) -> dict:
    """`density_errors` of true images, which come from their limited number alone."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.stack([gaussians.sample(c, each, generator) for c in gaussians.classes])
    return density_errors(gaussians, images)


def density_errors(gaussians: GaussianClasses, images: Tensor) -> dict:
    """How far images (C, n, 3, H, W) are from the densities of their classes, mean over classes.

    Returns
    -------
    dict
        `divergence`: of the fitted Gaussian from the class, in nats an image; `colour`: divergence of the
        mean colour alone; `mean`: root mean square error of the mean colour; `covariance`: relative Frobenius
        error of the covariance between pixels; `contrast`: standard deviation of pixels over the true one;
        `channels`: root mean square correlation between channels, which is truly 0; `spectrum`: power over
        true power by frequency in cycles an image, geometric mean over directions and channels;
        `divergence_by_class`: `divergence` of each class.
    """
    by_class: dict[str, list] = {}
    off_diagonal = ~torch.eye(3, dtype=torch.bool)
    for row, x in enumerate(images):
        mean, power = fitted(x)
        true_mean, true = gaussians.means[row], gaussians.power[row]
        colours = (x - x.mean(dim=(0, 2, 3), keepdim=True)).double().transpose(0, 1).flatten(1)
        one = {
            "divergence": gaussian_divergence(mean, power, true_mean, true),
            "colour": colour_divergence(gaussians, row, x),
            "mean": (mean - true_mean).square().mean().sqrt().item(),
            # a stationary covariance is diagonal in the Fourier domain, with the power on the diagonal
            "covariance": ((power - true).norm() / true.norm()).item(),
            "contrast": (power.mean() / true.mean()).sqrt().item(),
            "channels": torch.corrcoef(colours)[off_diagonal].square().mean().sqrt().item(),
            "spectrum": by_frequency((power / true).log()).exp().tolist(),
        }
        for key, value in one.items():
            by_class.setdefault(key, []).append(value)
    means = {key: torch.tensor(values).mean(dim=0).tolist() for key, values in by_class.items()}
    return means | {"divergence_by_class": dict(zip(gaussians.classes, by_class["divergence"], strict=True))}


def colour_divergence(gaussians: GaussianClasses, row: int, x: Tensor) -> float:
    """Divergence of the Gaussian fitted to the images' mean colours from the known one of the class, in nats.

    Most dimensions of an image are fine detail, which classes share; the three of the mean colour differ.
    """
    from torch.distributions import MultivariateNormal, kl_divergence

    height, width = gaussians.size
    colours = x.double().mean(dim=(2, 3))
    fit = MultivariateNormal(colours.mean(dim=0), colours.T.cov())
    covariance = torch.diag(gaussians.power[row][:, 0, 0] / (height * width))
    return kl_divergence(fit, MultivariateNormal(gaussians.means[row], covariance)).item()


def by_frequency(values: Tensor) -> Tensor:
    """Mean (H // 2 + 1,) of values (3, H, H) over channels and directions, by rounded cycles an image.

    Frequencies above H // 2, towards the corners, count as H // 2.
    """
    size = values.shape[-1]
    line = torch.fft.fftfreq(size, dtype=torch.float64) * size
    radius = (line[:, None].square() + line.square()).sqrt().round().long().clamp(max=size // 2)
    return torch.stack([values[:, radius == r].mean() for r in range(size // 2 + 1)])


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _distance(denoised: Tensor, exact: Tensor) -> float:
    return (denoised.double().cpu() - exact).square().mean().item()


def _sample_table(samples: dict[str, list[dict]], methods: list[Trained], note: str, *, seeds: int) -> Table:
    columns = {
        "divergence": "KL divergence from the class, nats",
        "colour": "of the mean colour alone, nats",
        "covariance": "error of covariance",
        "contrast": "contrast (1 is right)",
        "channels": "correlation of channels",
    }
    evaluations = {m.name: STEPS * m.evaluations for m in methods}
    rows: list[list[Cell]] = [
        [name, evaluations.get(name), *(mean_over_seeds([one[key] for one in runs]) for key in columns)]
        for name, runs in samples.items()
    ]
    return table(
        "Samples of Gaussian classes",
        ["method", "evaluations", *columns.values()],
        rows,
        best={columns[key]: "low" for key in ("divergence", "colour", "covariance", "channels")},
        compared=range(len(methods)),
        note=f"{STEPS} steps of DPM-Solver++ (2M); means over classes, 95 % intervals over {seeds} seeds. "
        "The exact denoisers show the error of the method without that of training: with them too, "
        "classifier-free guidance misses the mean colour. True images show the error that comes from the "
        "number of images alone." + note,
    )


def _excess_table(excess: dict[str, list[float]]) -> Table:
    return table(
        "Excess error of denoisers over the exact one, as a share of its error",
        ["denoiser", *(f"σ = {s:g}" for s in SIGMAS), "mean"],
        [[name, *values, _mean(values)] for name, values in excess.items()],
    )


def _excess_plot(excess: dict[str, list[float]]) -> Plot:
    target = series("target", SIGMAS, [MAX_EXCESS] * len(SIGMAS), style="dashes")
    return plot(
        f"{PART}-excess",
        "How far the denoisers are from the exact ones",
        [*(series(name, SIGMAS, values) for name, values in excess.items()), target],
        x="noise level σ",
        y="excess error / exact error",
        log_x=True,
        log_y=True,
    )


def _spectrum_plot(
    gaussians: GaussianClasses, samples: dict[str, list[dict]], methods: list[Trained]
) -> Plot:
    frequencies = range(1, gaussians.size[0] // 2 + 1)
    lines = []
    for name in (*(m.name for m in methods), "exact, CFG 2", TRUE_IMAGES):
        spectrum = torch.tensor([one["spectrum"] for one in samples[name]]).mean(dim=0).tolist()
        lines.append(series(name, frequencies, [spectrum[k] for k in frequencies]))
    return plot(
        f"{PART}-spectrum",
        "Power of the samples over the true power (1 is right)",
        lines,
        x="cycles an image",
        y="power / true power",
        log_y=True,
    )
