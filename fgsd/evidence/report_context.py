"""What the parts of the report share: networks, images, features, and where pictures go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from fgsd.atomic import write_atomically
from fgsd.checkpoint import Checkpoint, load_checkpoint
from fgsd.data import TextureFolder
from fgsd.device import best_device
from fgsd.evaluation.classifier import Judge
from fgsd.evaluation.context import FeatureFunction, real_crops, silent
from fgsd.evidence.methods import Trained
from fgsd.evidence.reference_metrics import Yardstick
from fgsd.evidence.result_cache import Units

WEIGHTS = (1.5, 2.0, 3.0)  # of classifier-free guidance; 1 is the label alone


@dataclass
class Workbench:
    """Networks, images and features, each made when first asked for and then kept.

    Parameters
    ----------
    folder : Path
        Of the networks, each in a folder of its name; see `fgsd.evidence.study`.
    textures : Path
        Folder of images that they were trained on.
    out : Path
        Where pictures go.
    units : Units
    features : callable
        Images (N, 3, H, W) in [-1, 1] to features (N, F), of a network that has nothing to do with ours.
    seed : int
    size : float
        Of the samples and of what they are compared with, as a share of a full report: less for tests.
    shipped : Path
        Folder of the checkpoint that `fgsd app` shows, which was trained far longer; it may be missing.
    """

    folder: Path
    textures: Path
    out: Path
    units: Units
    features: FeatureFunction
    seed: int = 0
    size: float = 1.0
    shipped: Path = Path("checkpoints/textures")
    progress: Callable = silent
    _networks: dict[Path, Checkpoint] = field(default_factory=dict)

    def some(self, n: int, least: int = 2) -> int:
        """A number of samples, scaled by `size`."""
        return max(least, round(n * self.size))

    def checkpoint(self, name: str) -> Checkpoint:
        """A network of the study; `CheckpointError` if it was not trained yet."""
        return self._loaded(self.folder / name)

    def shipped_checkpoint(self) -> Checkpoint | None:
        """The one of `shipped`; None if there is none, or if it knows classes that there are no images of."""
        if not self.shipped.is_dir():
            return None
        found = self._loaded(self.shipped)
        return found if set(found.table.classes) <= set(self.data.classes) else None

    def _loaded(self, path: Path) -> Checkpoint:
        if path not in self._networks:
            found = load_checkpoint(path)
            found.network.eval().requires_grad_(False)
            found.network.to(best_device(), memory_format=torch.channels_last)
            self._networks[path] = found
        return self._networks[path]

    def methods(self, prefix: str = "") -> list[Trained]:
        """Guidance by features, the label alone, and classifier-free guidance at several weights."""
        features, labels = self.checkpoint(f"{prefix}features"), self.checkpoint(f"{prefix}labels")
        return [
            Trained("features (ours)", features),
            Trained("label", labels),
            *(Trained(f"label, CFG {weight:g}", labels, weight) for weight in WEIGHTS),
        ]

    def variants(self, prefix: str = "") -> list[Trained]:
        """Ours matched in other layers, or without some or all remedies of the study, if they were trained;
        see `studies`."""
        names = {
            "five-layers": "features, five layers matched",
            "two-layers": "features, two layers matched",
            "layerwise": "features, layer by layer",
            "plain": "features, plain",
        }
        return [
            Trained(title, self.checkpoint(prefix + name))
            for name, title in names.items()
            if (self.folder / (prefix + name) / "model.safetensors").exists()
        ]

    def telling(self, prefix: str = "") -> str:
        """A sentence on how ours is told the class, which a comparison with labels has to say."""
        if not self.checkpoint(f"{prefix}features").network.config.foresight:
            return " Guided by features, the network hears of its target layer by layer, without foresight."
        return (
            " Ours reads its target before the first block, by coordinates among the classes' centroids. "
            "These name a class of the training nearly as a label does: it is told as much as a label tells, "
            "and matched besides."
        )

    @cached_property
    def data(self) -> TextureFolder:
        """The images, cut as the networks of the study saw them."""
        return TextureFolder(self.textures, self.checkpoint("features").info.data)

    @property
    def classes(self) -> list[str]:
        return self.checkpoint("features").table.classes

    def training(self, n: int) -> Tensor:
        """Real training crops (C, n, 3, H, W)."""
        return real_crops(self.data, self.classes, n, split="train", seed=self.seed)

    def held_out(self, n: int) -> Tensor:
        """Real crops (C, n, 3, H, W) of the strips that no network saw."""
        return real_crops(self.data, self.classes, n, split="test", seed=self.seed)

    def measured(self, images: Tensor):
        """Features (C, n, F) of images (C, n, 3, H, W)."""
        return self.features(images.flatten(0, 1)).reshape(*images.shape[:2], -1)

    @cached_property
    def yardstick(self) -> Yardstick:
        """Real training crops, which samples are held against."""
        return Yardstick(self.data, self.classes, self.features, crops=self.some(48, 8), seed=self.seed)

    @property
    def judge(self) -> Judge:
        """A classifier of real training crops, in features of a network that has nothing to do with ours."""
        return self.yardstick.judge

    def picture(self, name: str, image: Image.Image) -> str:
        """Keep a picture beside the figures; returns its file name."""
        path = self.out / f"{name}.webp"
        write_atomically(path, lambda p: image.save(p, "WEBP", quality=88, method=6))
        return path.name
