"""What the parts of the report share: networks, images, features, and the folder for pictures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from fgsd.atomic import current_path, write_atomically
from fgsd.checkpoint import MODEL_FILE, Checkpoint, load_checkpoint
from fgsd.data import TextureFolder
from fgsd.device import best_device
from fgsd.evaluation.context import FeatureFunction, real_crops, silent
from fgsd.evidence.methods import Trained
from fgsd.evidence.reference_metrics import ReferenceMetrics
from fgsd.evidence.result_cache import ResultCache
from fgsd.evidence.study import studies

log = logging.getLogger(__name__)

PICTURES = ".pictures"  # folder in that of the report
CFG_WEIGHTS = (1.5, 2.0, 3.0)  # of classifier-free guidance; weight 1 is the label alone
REFERENCE_CROPS = 48  # of each class
VARIANTS = {  # of our method, by name in the study
    "five-layers": "features, five layers matched",
    "two-layers": "features, two layers matched",
    "layerwise": "features, layer by layer",
    "plain": "features, plain",
}


@dataclass(kw_only=True)
class ReportContext:
    """Networks, images and features, each loaded or computed on first use and then kept.

    Parameters
    ----------
    networks : Path
        Folder of the networks of the study, each in a folder of its name; see `fgsd.evidence.study`.
    textures : Path
        Folder of images that they were trained on.
    out : Path
        Folder for pictures.
    features : callable
        Images (N, 3, H, W) in [-1, 1] to features (N, F), by a network that is independent of ours.
    cache : ResultCache
        Of the part that is being measured.
    seed : int
    size : float
        Numbers of samples and of real crops, as a share of those of a full report; small in tests.
    shipped : Path
        Folder of the checkpoint that `fgsd app` shows, which was trained far longer; it may be missing.
    progress : callable
        Wraps an iterable, called as `tqdm` is: `progress(items, desc=...)`.
    """

    networks: Path
    textures: Path
    out: Path
    features: FeatureFunction
    cache: ResultCache = field(default_factory=ResultCache)
    seed: int = 0
    size: float = 1.0
    shipped: Path = Path("checkpoints/textures")
    progress: Callable = silent
    _loaded: dict[Path, Checkpoint] = field(default_factory=dict)

    def scaled(self, n: int, *, at_least: int = 2) -> int:
        """A number of samples, scaled by `size`."""
        return max(at_least, round(n * self.size))

    def checkpoint(self, name: str) -> Checkpoint:
        """A network of the study; `CheckpointError` if it is not trained yet."""
        return self._load(self.networks / name)

    def is_trained(self, name: str) -> bool:
        """Whether a network of the study has weights."""
        return current_path(self.networks / name, MODEL_FILE).exists()

    def shipped_checkpoint(self) -> Checkpoint | None:
        """The checkpoint in `shipped`; None if there is none, or if some of its classes have no images."""
        if not self.shipped.is_dir():
            return None
        checkpoint = self._load(self.shipped)
        return checkpoint if set(checkpoint.table.classes) <= set(self.data.classes) else None

    def _load(self, path: Path) -> Checkpoint:
        if path not in self._loaded:
            checkpoint = load_checkpoint(path)
            network = checkpoint.network.eval().requires_grad_(False)
            network.to(best_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._loaded[path] = checkpoint
        return self._loaded[path]

    def methods(self, prefix: str = "") -> list[Trained]:
        """Guidance by features, by the label alone, and by classifier-free guidance at several weights."""
        features, labels = self.checkpoint(f"{prefix}features"), self.checkpoint(f"{prefix}labels")
        return [
            Trained("features (ours)", features),
            Trained("label", labels),
            *(Trained(f"label, CFG {weight:g}", labels, weight) for weight in CFG_WEIGHTS),
        ]

    def variants(self, prefix: str = "") -> list[Trained]:
        """Variants of our method that are trained: other layers matched, or parts left out; see `studies`."""
        known = studies()
        return [
            Trained(title, self.checkpoint(prefix + name))
            for name, title in VARIANTS.items()
            if prefix + name in known and self.is_trained(prefix + name)
        ]

    def conditioning_note(self, prefix: str = "") -> str:
        """A sentence on how our network gets its target, which a comparison with labels has to state."""
        if not self.checkpoint(f"{prefix}features").network.config.target_embedding:
            return " Guided by features, the network gets its target layer by layer: no target embedding."
        return (
            " Our network gets its target before the first block, as coordinates among the classes' "
            "centroids. These identify a training class almost as a label does: our network knows as much of "
            "the class as one with labels, and its features are matched besides."
        )

    @cached_property
    def data(self) -> TextureFolder:
        """The images, cut as the networks of the study saw them."""
        data = TextureFolder(self.textures, self.checkpoint("features").info.data)
        for line in data.skipped:
            log.warning("skipped %s", line)
        return data

    @property
    def classes(self) -> list[str]:
        return self.checkpoint("features").table.classes

    @cached_property
    def reference(self) -> ReferenceMetrics:
        """Real training crops, and metrics against them."""
        crops = self.scaled(REFERENCE_CROPS, at_least=8)
        return ReferenceMetrics(self.data, self.classes, self.features, crops_per_class=crops, seed=self.seed)

    def real_crops(self, n: int, *, split: str, classes: Sequence[str] | None = None) -> Tensor:
        """Real crops (C, n, 3, H, W) with the report's seed, of some classes or of all.

        Crops of split "test" come from strips of the images that no network saw.
        """
        names = self.classes if classes is None else classes
        return real_crops(self.data, names, n, split=split, seed=self.seed)

    def save_picture(self, name: str, image: Image.Image) -> str:
        """Save a picture for `write_report`, which puts it beside the report; returns its file name."""
        path = self.out / PICTURES / f"{name}.webp"
        write_atomically(path, lambda p: image.save(p, "WEBP", quality=88, method=6))
        return path.name
