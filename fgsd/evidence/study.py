"""The networks that the report compares: alike but for how they are told the class, and trained anew.

All see the same number of crops of the same images, from the same seed. Crops are half as large as those
of the shipped network, so that an evening on two cores is enough for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fgsd.data import DataConfig, TextureFolder
from fgsd.gaussians import GaussianSource, some_gaussians
from fgsd.model.network import NetworkConfig
from fgsd.training.loop import TrainingConfig, TrainingStep, train
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
DIMENSION_IMAGES = 36_000  # a fifth of the budget each: there are seven of them
SETTLE = 0.7  # of the budget: from then on centroids stand still

LAYERS = ("down0", "down1", "down2", "up1", "up0")  # that have gates

# crops that are matched to each other: what training does without running centroids
PAIRS: dict[str, Any] = dict(groups=18, group_size=2)


@dataclass(frozen=True)
class Study:
    """One network of the report."""

    name: str
    config: TrainingConfig
    gaussian: bool = False  # trained on `GAUSSIAN_SOURCE` instead of on images
    crops: int = 48  # averaged for each centroid of its checkpoint

    def data(self, folder: str | Path) -> TextureFolder | GaussianSource:
        """What it is trained on."""
        return GAUSSIAN_SOURCE if self.gaussian else TextureFolder(folder, self.config.data)

    def train(
        self, folder: str | Path, run: str | Path, *, device: str | None = None
    ) -> Iterator[TrainingStep]:
        """Train, or resume; see `fgsd.training.train`."""
        return train(GAUSSIAN_SOURCE if self.gaussian else folder, run, self.config, device=device)


def studies(*, classes: int = 64, images: int | None = None) -> dict[str, Study]:
    """All networks of the report by name.

    Ours and those with labels have gates in the same five layers, where the latter read their own channel
    means. Ours is matched in all five on textures, which makes its samples more accurate: "two-layers" is
    not, and its centroids never settle. On Gaussian classes matching near the pixels brings errors at the
    finest waves, settled centroids or not, as in "gaussians-five-layers": there ours is matched in the
    deepest layer alone. "layerwise" is ours without foresight: it hears of its target layer by layer, in four
    layers, its gates are not lit, and its centroids never settle. So do those by dimension. That called
    "gaussians-plain" has none of the remedies that the study brought: besides, crops are matched to a peer
    instead of to a running centroid, and what a layer reads of its means is not in units of the classes'
    spread. The unconditional one has no class to light its gates by.

    Parameters
    ----------
    classes : int
        In the folder of textures: a network with labels has to know.
    images : int, optional
        Another budget, in training crops, for every one.
    """
    gaussians = len(GAUSSIAN_SOURCE.classes)
    layerwise = _with(TEXTURES, standards=LEVELS)
    alike = _matched(*LAYERS)
    seen = _with(GAUSSIANS, standards=LEVELS, foresight=gaussians)
    found = [
        Study("features", replace(_with(layerwise, foresight=classes, **alike), settle=SETTLE)),
        Study("two-layers", _with(layerwise, foresight=classes, **_matched("down1", "down2"))),
        Study("layerwise", layerwise),
        Study("labels", _with(TEXTURES, labels=classes, **alike)),
        Study("unconditional", replace(_with(TEXTURES, features=LAYERS), guided_share=0.0)),
        Study("gaussians-features", _with(seen, **_matched("down2")), gaussian=True),
        Study("gaussians-five-layers", replace(_with(seen, **alike), settle=SETTLE), gaussian=True),
        Study("gaussians-layerwise", _with(GAUSSIANS, standards=LEVELS), gaussian=True),
        Study("gaussians-plain", _with(GAUSSIANS, **PAIRS), gaussian=True),
        Study("gaussians-labels", _with(GAUSSIANS, labels=gaussians, **alike), gaussian=True),
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
    """Settings of a network that is matched in these layers and has gates in all."""
    return dict(features=names, gated=tuple(one for one in LAYERS if one not in names), lit=True)


def _with(config: TrainingConfig, *, groups=None, group_size=None, **network) -> TrainingConfig:
    """The configuration with other settings of the network, and perhaps of the batch."""
    batch: dict[str, Any] = {} if groups is None else {"groups": groups, "group_size": group_size}
    return replace(config, network=replace(config.network, **network), **batch)
