"""What the pipeline yields: a step of sampling, a step of learning."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from fgsd.data import to_images
from fgsd.sampling import SamplingStep
from fgsd.texture import Texture


@dataclass(frozen=True)
class TextureStep:
    """One step of `Pipeline.learn`."""

    index: int  # 1 for the first step
    steps: int  # number of steps
    loss: float  # denoising loss of the step's crops, which differ from step to step
    seconds: float  # since the first step began
    texture: Texture  # as it is after the step


@dataclass(frozen=True)
class PipelineStep:
    """One sampling step, as `Pipeline.stream` yields it."""

    step: SamplingStep  # the tensors
    distance: Tensor | None  # (B,): distance of phi to the target in spreads within a class; None: unguided
    # the same, as a share of the usual distance between two classes at this noise level; None if there is one
    relative_distance: Tensor | None = None

    @property
    def index(self) -> int:
        """1 for the first step."""
        return self.step.index

    @property
    def steps(self) -> int:
        """Number of steps; see `SamplingStep`."""
        return self.step.steps

    @property
    def sigma(self) -> float:
        """Noise level of the step, in the units of images in [-1, 1]."""
        return self.step.sigma

    @property
    def noisy(self) -> list[Image.Image]:
        """Images before the step, with their noise."""
        return to_images(self.step.noisy)

    @property
    def denoised(self) -> list[Image.Image]:
        """Estimates of the clean images."""
        return to_images(self.step.denoised)

    @property
    def images(self) -> list[Image.Image]:
        """Images after the step; after the last step, the samples."""
        return to_images(self.step.x)
