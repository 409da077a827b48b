"""Calls of the network by several samplers, and how they are evaluated as one batch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from threading import Event

import torch
from torch import Tensor

from fgsd.guidance import Evaluate
from fgsd.learning import centroid_gradient
from fgsd.model.matching import CentroidMatching, Matching
from fgsd.pipeline import Pipeline

log = logging.getLogger(__name__)

Output = tuple[Tensor, Tensor]  # denoised images and feature vectors; of a `GradientCall` loss and gradient
GRADIENT_COST = 3  # time of a gradient over that of an evaluation: 2.4 on two cores


def guarded(is_cancelled: Callable[[], bool]) -> Callable[[], bool]:
    """Make errors of a callable count as True: it is called where an error would end other requests."""

    def call() -> bool:
        try:
            return is_cancelled()
        except Exception:
            log.exception("a request is cancelled, since it cannot be told whether anybody waits for it")
            return True

    return call


class Request:
    """A request that is under way; its sampler calls the network step by step.

    Parameters
    ----------
    visitor : hashable
    preview : bool
    is_cancelled : callable
        Returns True once nobody waits any more.
    number : int
        Counts the requests in the order of their arrival.
    """

    def __init__(
        self, visitor: Hashable, *, preview: bool, is_cancelled: Callable[[], bool], number: int
    ) -> None:
        self.visitor, self.preview, self.number = visitor, preview, number
        self.is_cancelled = guarded(is_cancelled)
        self.batch_key: Hashable = None  # of the last call
        self.pixels = 0  # of the last call


class Call:
    """One call of the network by a sampler, and its output."""

    def __init__(
        self,
        request: Request,
        x: Tensor,
        sigma: float | Tensor,
        matching: Matching,
        tileable: bool,
        *,
        student: bool = False,
    ) -> None:
        self.request, self.x, self.sigma, self.matching, self.tileable = request, x, sigma, matching, tileable
        self.student = student  # whether the student of the checkpoint is called
        self.pixels = len(x) * x.shape[-2] * x.shape[-1]
        self.batch_key: Hashable = None  # calls with equal keys may share a batch; None shares with none
        if matching is None or isinstance(matching, CentroidMatching):
            guided = matching is not None
            # previews share with previews only: in a batch with full renders they would wait for them
            self.batch_key = (*x.shape[1:], x.dtype, x.device, guided, tileable, request.preview, student)
        request.batch_key, request.pixels = self.batch_key, self.pixels
        self.number = 0  # counts the calls in the order in which they begin to wait
        self.output: Output | None = None
        self.error: Exception | None = None
        self.done = Event()

    def compute(self, pipe: Pipeline) -> Output:
        """Return the output of this call alone."""
        return engine_for(self, pipe)(self.x, self.sigma, self.matching, tileable=self.tileable)

    def succeed(self, output: Output) -> None:
        """Hand the output to the thread that waits for it."""
        self.output = output
        self.done.set()

    def fail(self, error: Exception) -> None:
        """Raise an error in the thread that waits for the output."""
        self.error = error
        self.done.set()


class GradientCall(Call):
    """A call of `fgsd.learning.centroid_gradient`, which shares a batch with no other call."""

    def __init__(self, request: Request, x0: Tensor, x: Tensor, sigma: Tensor, centroid: Tensor) -> None:
        super().__init__(request, x, sigma, None, False)
        self.x0, self.centroid = x0, centroid
        self.batch_key = request.batch_key = None
        self.pixels = request.pixels = GRADIENT_COST * self.pixels

    def compute(self, pipe: Pipeline) -> Output:
        """Return the loss, and its gradient with respect to the centroids."""
        return centroid_gradient(pipe.network, self.x0, self.x, torch.as_tensor(self.sigma), self.centroid)


def engine_for(call: Call, pipe: Pipeline) -> Evaluate:
    """Return how a network is evaluated: for previews, which are replaced at once, in the quickest way."""
    engines = (call.student and pipe.student_engines) or pipe.engines
    return engines.quick if call.request.preview else engines.exact


@torch.no_grad()
def evaluate_batch(pipe: Pipeline, batch: Sequence[Call]) -> list[Output]:
    """Return the output of each call; for a single call it is exactly that of `Pipeline.sample`."""
    first = batch[0]
    if len(batch) == 1:
        outputs = [first.compute(pipe)]
    else:
        x, sizes = torch.cat([call.x for call in batch]), [len(call.x) for call in batch]
        sigma = torch.cat([_per_image(call.sigma, call) for call in batch])
        evaluate = engine_for(first, pipe)
        denoised, phi = evaluate(x, sigma, joint_matching(batch), tileable=first.tileable)
        outputs = list(zip(denoised.split(sizes), phi.split(sizes), strict=True))
    if pipe.device.type == "cuda":
        # wait for the GPU, so that times are true and an error belongs to this batch
        torch.cuda.synchronize(pipe.device)
    return outputs


def joint_matching(batch: Sequence[Call]) -> Matching:
    """Return the matchings of several calls as one, with a centroid and a strength for each image."""
    centroids, strengths, coordinates = [], [], []
    for call in batch:
        if not isinstance(call.matching, CentroidMatching):
            return None
        centroids.append(call.matching.centroid.expand(len(call.x), -1))
        strengths.append(_per_image(call.matching.strength, call)[:, None])
        if call.matching.coordinates is not None:
            coordinates.append(call.matching.coordinates.expand(len(call.x), -1))
    return CentroidMatching(
        torch.cat(centroids), torch.cat(strengths), torch.cat(coordinates) if coordinates else None
    )


def _per_image(value: float | Tensor, call: Call) -> Tensor:
    """Return a number, or one number for each image, as a tensor (B,)."""
    return torch.as_tensor(value, dtype=call.x.dtype, device=call.x.device).reshape(-1).expand(len(call.x))
