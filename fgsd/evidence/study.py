"""The networks that the report compares: they differ in how they get the class, and are trained alike.

All see the same number of crops of the same images, from the same seed. Crops are half as large as those of
the shipped network, so that all networks train in an evening on two cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fgsd.data import DataConfig, TextureFolder
from fgsd.gaussians import GaussianSource, some_gaussians
from fgsd.model.network import NetworkConfig
from fgsd.training.config import TrainingConfig
from fgsd.training.loop import TrainingStep, train
from fgsd.training.running_centroids import LEVELS

TEXTURES = TrainingConfig(
    network=NetworkConfig(widths=(48, 96, 192)),
    data=DataConfig(image_size=96, patch_size=32),
    images=180_000,
    validate_every=1000,
)
GAUSSIAN_SOURCE = GaussianSource(some_gaussians(6, size=32))
GAUSSIANS = TrainingConfig(
    network=NetworkConfig(widths=(32, 64, 128)),
    data=GAUSSIAN_SOURCE.config,
    images=150_000,
    sigma_log_mean=-0.7,
    crop_sizes=((0.0, 1.0),),
    tileable=True,
)
DIMENSION_IMAGES = 36_000  # training crops for each of the seven networks by dimension: a fifth of the others
FREEZE_AT = 0.7  # share of the training after which running centroids are frozen, where they are

LAYERS = ("down0", "down1", "down2", "up1", "up0")  # all layers that can have a gate


@dataclass(frozen=True)
class Study:
    """One network of the report."""

    name: str
    config: TrainingConfig
    gaussian: bool = False  # trained on `GAUSSIAN_SOURCE` instead of on images
    crops: int = 48  # averaged for each centroid of its checkpoint

    def data(self, folder: str | Path) -> TextureFolder | GaussianSource:
        """The training data."""
        return GAUSSIAN_SOURCE if self.gaussian else TextureFolder(folder, self.config.data)

    def train(
        self, folder: str | Path, run: str | Path, *, device: str | None = None
    ) -> Iterator[TrainingStep]:
        """Train, or resume; see `fgsd.training.train`."""
        return train(GAUSSIAN_SOURCE if self.gaussian else folder, run, self.config, device=device)


def studies(*, classes: int = 64, images: int | None = None) -> dict[str, Study]:
    """All networks of the report by name.

    "features"
        Ours, on textures: matched in all five layers, which makes its samples more accurate.
    "labels"
        Has gates in the same five layers, which read the image's own channel means, and gets a label.
    "unconditional"
        Has the same gates, but neither labels nor matching.
    "two-layers"
        Ours, matched in two layers; its centroids are never frozen.
    "layerwise"
        Ours without target embedding: it gets its target layer by layer, in four layers. Its gates are
        not modulated by the context, and its centroids are never frozen.
    "gaussians-features"
        Ours, on Gaussian classes: matched in the deepest layer alone, because matching near the pixels
        brings errors at the highest frequencies, with frozen centroids or without.
    "gaussians-five-layers", "gaussians-labels", "gaussians-layerwise"
        As "features", "labels" and "layerwise", on Gaussian classes.
    "gaussians-plain"
        As "gaussians-layerwise", but crops are matched to each other instead of to a running centroid, and
        gates read channel means that are not normalised.
    "dimension-..."
        As "layerwise", with other matched layers or a share of their channels, and a shorter training.

    Parameters
    ----------
    classes : int
        Number of classes in the folder of textures, which a network with labels needs to know.
    images : int, optional
        Training crops for every network, instead of the budgets above.
    """
    gaussians = len(GAUSSIAN_SOURCE.classes)
    layerwise = _with(TEXTURES, normalization_levels=LEVELS)
    five_layers = _matched(*LAYERS)
    embedded = _with(GAUSSIANS, normalization_levels=LEVELS, target_embedding=gaussians)
    found = [
        Study("features", _frozen(_with(layerwise, target_embedding=classes, **five_layers))),
        Study("two-layers", _with(layerwise, target_embedding=classes, **_matched("down1", "down2"))),
        Study("layerwise", layerwise),
        Study("labels", _with(TEXTURES, labels=classes, **five_layers)),
        Study("unconditional", replace(_with(TEXTURES, features=LAYERS), guided_share=0.0)),
        Study("gaussians-features", _with(embedded, **_matched("down2")), gaussian=True),
        Study("gaussians-five-layers", _frozen(_with(embedded, **five_layers)), gaussian=True),
        Study("gaussians-layerwise", _with(GAUSSIANS, normalization_levels=LEVELS), gaussian=True),
        Study("gaussians-plain", replace(GAUSSIANS, groups=18, group_size=2), gaussian=True),
        Study("gaussians-labels", _with(GAUSSIANS, labels=gaussians, **five_layers), gaussian=True),
    ]
    shorter = replace(layerwise, images=DIMENSION_IMAGES)
    for name, features, share in (
        ("1-layer", ("down2",), 1.0),
        ("2-layers", ("down1", "down2"), 1.0),
        ("4-layers", ("down0", "down1", "down2", "up1"), 1.0),
        ("5-layers", LAYERS, 1.0),
        ("half-of-the-channels", TEXTURES.network.features, 1 / 2),
        ("eighth-of-the-channels", TEXTURES.network.features, 1 / 8),
        ("32nd-of-the-channels", TEXTURES.network.features, 1 / 32),
    ):
        config = _with(shorter, features=features, feature_share=share)
        found.append(Study(f"dimension-{name}", config, crops=16))
    if images is not None:
        found = [replace(one, config=replace(one.config, images=images)) for one in found]
    return {one.name: one for one in found}


def _matched(*names: str) -> dict[str, Any]:
    """Settings of a network that is matched in these layers and has modulated gates in all."""
    return dict(features=names, gated=tuple(one for one in LAYERS if one not in names), film=True)


def _with(config: TrainingConfig, **network: Any) -> TrainingConfig:
    """The configuration with other settings of the network."""
    return replace(config, network=replace(config.network, **network))


def _frozen(config: TrainingConfig) -> TrainingConfig:
    return replace(config, freeze_centroids_at=FREEZE_AT)
