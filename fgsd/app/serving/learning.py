"""Learning: one texture is learned at a time, and the others wait in the order in which they came.

Its gradients are calls of the scheduler, so that previews and samples of all visitors go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Condition

from fgsd.app.gradio_internals import event_is_alive
from fgsd.app.limits import LEARNING_POLL_S, MAX_LEARNERS
from fgsd.app.render.learned import LearnRequest, learning_steps
from fgsd.app.serving.admission import Admission, BusyError
from fgsd.app.serving.batch import guarded
from fgsd.steps import TextureStep


@dataclass(frozen=True)
class Waiting:
    """A texture waits until those before it are learned."""

    position: int  # 1 for the next one


@dataclass(frozen=True, eq=False)
class _Learner:
    """A texture that is learned or waits, and whether its visitor has gone."""

    is_over: Callable[[], bool]


class LearningQueue:
    """The line of textures that are learned.

    Parameters
    ----------
    admission : Admission
    max_learners : int
        Textures that are learned or wait.
    """

    def __init__(self, admission: Admission, *, max_learners: int = MAX_LEARNERS) -> None:
        self._max_learners = max_learners
        self._run = admission.stream(learning_steps)
        self._line: list[_Learner] = []
        self._changed = Condition()

    def learn(
        self, visitor: str, request: LearnRequest, *, is_cancelled: Callable[[], bool]
    ) -> Iterator[Waiting | TextureStep]:
        """Learn a texture when its turn has come; until then, yield its position in the line when it changes.

        Parameters
        ----------
        visitor : str
            Whose network time is counted, apart from that of their samples: those are served first.
        is_cancelled : callable
            Asked at each step, and while the texture waits; once it returns True, the generator ends. It also
            ends once the client is gone.

        Raises
        ------
        BusyError
            If too many textures wait.
        """
        is_alive = event_is_alive()
        learner = _Learner(guarded(lambda: is_cancelled() or not is_alive()))
        with self._changed:
            if len(self._alive()) >= self._max_learners:
                raise BusyError("Many textures wait to be learned; try again in a moment.")
            self._line.append(learner)
        try:
            yield from self._wait(learner)
            if not learner.is_over():
                yield from self._run(f"learning of {visitor}", request, is_cancelled=is_cancelled)
        finally:
            with self._changed:
                self._line.remove(learner)
                self._changed.notify_all()

    def _wait(self, learner: _Learner) -> Iterator[Waiting]:
        told = None
        while not learner.is_over():
            with self._changed:
                # a generator whose client has gone may never be asked for its next step: it counts no more
                position = next((k for k, other in enumerate(self._alive()) if other is learner), 0)
                if position == told:
                    self._changed.wait(LEARNING_POLL_S)
                    continue
            if position == 0:
                return
            told = position
            yield Waiting(position)

    def _alive(self) -> list[_Learner]:
        return [learner for learner in self._line if not learner.is_over()]
