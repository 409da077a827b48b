"""Settings of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fgsd.augmentation import Augmentation
from fgsd.data import DataConfig
from fgsd.model.network import NetworkConfig
from fgsd.training.running_centroids import LEVELS


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that determines the weights, besides the images."""

    network: NetworkConfig = field(default_factory=lambda: NetworkConfig(normalization_levels=LEVELS))
    data: DataConfig = field(default_factory=DataConfig)
    augmentation: Augmentation | None = None  # random transforms of the crops, one per group; None: none
    images: int | None = 1_000_000  # budget in training crops over all processes
    hours: float | None = None  # budget in hours of training; set one of the two, the other None
    # groups in a batch, each of one class at one noise level, per process. For a given batch size, many
    # classes and noise levels teach faster than many crops of one
    groups: int = 36
    # crops in a group. Crops of a group are matched to each other; a crop that is alone in its group is
    # matched to the running centroid of its class
    group_size: int = 1
    # names of classes, such as those that are added to a checkpoint, and the fraction of the groups that has
    # one of them; the other groups have the other classes
    focus: tuple[str, ...] = ()
    focus_share: float = 0.0
    # match crops to centroids that are given, in place of running ones. With groups of several crops, every
    # second step does so with single crops, which keep their scale, turn and colours
    given_centroids: bool = False
    # peak learning rate of given centroids, in spreads of a feature within a class; 0: they stay as they are
    centroid_lr: float = 0.0
    guided_share: float = 0.9  # fraction of groups that are matched or labelled; the rest is unguided
    # fraction of the budget after which running centroids are frozen. While they change, every step moves the
    # targets of the next, which no gradient accounts for: errors remain that more training does not remove.
    # The price: features continue to change, so that their means drift away from the centroids
    freeze_centroids_at: float = 1.0
    # (fraction of the budget from which it holds, side of the crops as a fraction of data.patch_size): small
    # crops first, since many cheap steps teach colours and edges sooner
    crop_sizes: tuple[tuple[float, float], ...] = ((0.0, 0.5), (0.2, 0.75), (0.6, 1.0))
    tileable: bool = False  # whether the crops themselves wrap round at their edges
    sigma_log_mean: float = 0.2  # noise levels are log-normal: mean of log(sigma)
    sigma_log_std: float = 1.3  # and its standard deviation; most steps are where structure is learned
    sigma_min: float = 0.015  # noise levels are clipped to [sigma_min, sigma_max]
    # sampling begins at sigma_max, so the noise must drown the coarsest waves of a crop too. Their
    # amplitudes (of an orthonormal transform) reach 13 in the shipped textures; samples that began at 4 had
    # two thirds of the contrast
    sigma_max: float = 20.0
    muon_lr: float = 0.02  # peak learning rate of the convolution kernels
    adam_lr: float = 0.0015  # peak learning rate of all other parameters
    warmup: int = 100  # steps over which both rise
    # largest norm of a gradient; typical norms are 1 to 2, and one outlier would steer Muon for many steps
    clip: float = 3.0
    ema: float = 0.999  # decay of the average of the weights, per step
    seed: int = 0
    precision: str = "auto"  # "float32", "bfloat16", or "auto": bfloat16 where the hardware supports it
    compile: bool = False  # torch.compile: faster on GPUs and on CPUs with bfloat16
    save_every: int = 250  # steps between saved states
    validate_every: int = 1500  # steps between validations

    def __post_init__(self) -> None:
        if (self.images is None) == (self.hours is None):
            raise ValueError(f"images={self.images} and hours={self.hours}: set exactly one of the two")
        if not (self.images or self.hours or 0) > 0:
            raise ValueError(f"the budget must be positive, got images={self.images}, hours={self.hours}")
        if self.groups < 1 or self.group_size < 1:
            raise ValueError(f"groups={self.groups} and group_size={self.group_size} must be at least 1")
        if not self.clip > 0:
            raise ValueError(f"clip={self.clip} must be positive")
        if not 0 <= self.guided_share <= 1:
            raise ValueError(f"guided_share={self.guided_share} must be between 0 and 1")
        if not 0 <= self.focus_share < 1 or (self.focus_share > 0) != bool(self.focus):
            raise ValueError(
                f"focus_share={self.focus_share} must be above 0 and below 1 with classes in "
                f"focus={self.focus}, and 0 without"
            )
        if self.given_centroids and not self._without_classes:
            raise ValueError("given_centroids=True needs a network without labels and target embedding")
        if not self.centroid_lr >= 0 or (self.centroid_lr and not self.given_centroids):
            raise ValueError(
                f"centroid_lr={self.centroid_lr} must be 0, or above 0 with given_centroids=True; got "
                f"given_centroids={self.given_centroids}"
            )
        if self.given_centroids and self.augmentation and self.group_size == 1:
            raise ValueError(
                "given_centroids=True with augmentation needs group_size above 1, got 1: transformed crops "
                "have other centroids, so they are matched to each other"
            )
        if not 0 < self.sigma_min < self.sigma_max:
            raise ValueError(
                f"sigma_min={self.sigma_min} must be positive and below sigma_max={self.sigma_max}"
            )
        if not -10 <= self.sigma_log_mean <= 10:
            raise ValueError(f"sigma_log_mean={self.sigma_log_mean} must be from -10 to 10")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"precision={self.precision!r} must be auto, float32 or bfloat16")
        starts = [start for start, _ in self.crop_sizes]
        if starts != sorted(starts) or starts[:1] != [0.0] or not all(0 < k <= 1 for _, k in self.crop_sizes):
            raise ValueError(
                f"crop_sizes={self.crop_sizes} must begin at 0.0, rise, and hold sizes above 0 and up to 1"
            )
        frozen_at = self.freeze_centroids_at
        if not 0 < frozen_at <= 1 or (frozen_at < 1 and not self.network.target_embedding):
            raise ValueError(
                f"freeze_centroids_at={frozen_at} must be above 0 and at most 1, and below 1 needs "
                "network.target_embedding: without it, exported centroids are not those of training"
            )
        if self.network.target_embedding and not self.uses_running_centroids:
            raise ValueError(
                f"network.target_embedding={self.network.target_embedding} needs running centroids: set "
                f"group_size=1 and guided_share above 0; got {self.group_size} and {self.guided_share}"
            )
        if self.seed < 0:
            raise ValueError(f"seed={self.seed} must not be negative")

    @property
    def uses_running_centroids(self) -> bool:
        """Whether crops are matched to running centroids."""
        grouped = self.group_size > 1 or self.given_centroids
        return not grouped and not self.network.labels and self.guided_share > 0

    @property
    def _without_classes(self) -> bool:
        """Whether the network was not made for a fixed number of classes."""
        return not self.network.labels and not self.network.target_embedding

    @property
    def max_crop(self) -> int:
        """Side, in pixels, of the largest crop that training cuts from an image."""
        size = self.data.patch_size
        return size if self.augmentation is None else self.augmentation.largest_crop(size)

    def check_classes(self, classes: Sequence[str]) -> None:
        """Raise `ValueError` if the settings are for another number of classes, or for other ones."""
        for name in ("labels", "target_embedding"):
            if (value := getattr(self.network, name)) not in (0, len(classes)):
                raise ValueError(f"network.{name}={value} must be 0 or the number of classes, {len(classes)}")
        if self.focus and not set(self.focus) < set(classes):
            raise ValueError(f"focus={self.focus} must name some of the classes, {', '.join(classes)}")

    def of_step(self, step: int) -> TrainingConfig:
        """Return the settings of one step, which has as many crops as any other.

        With given centroids and groups of several crops, the crops of odd steps are matched to each other, so
        that the network goes on to read features, and those of even steps to the given centroids.
        """
        if not self.given_centroids or self.group_size == 1:
            return self
        if step % 2:
            return replace(self, given_centroids=False, centroid_lr=0.0)
        return replace(self, groups=self.groups * self.group_size, group_size=1, augmentation=None)

    def crop_size(self, progress: float) -> int:
        """Return the side of the crops, in pixels, after a fraction `progress` of the budget."""
        share = [size for start, size in self.crop_sizes if start <= progress][-1]
        multiple = self.network.multiple
        return max(multiple, round(share * self.data.patch_size / multiple) * multiple)
