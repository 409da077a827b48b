"""Errors as sentences for the visitor: one decorator for handlers, endpoints and functions of the page."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from fgsd.app.requests.request import RequestError

log = logging.getLogger(__name__)

Handler = TypeVar("Handler", bound=Callable[..., Any])


def error_values(sentence: str, *arguments: Any) -> dict[str, Any]:
    """Return {"error": sentence}, as functions do that the page calls directly."""
    return {"error": sentence}


def errors_as_sentences(
    respond: Callable[..., Any] = error_values, *, failure: str | None = None
) -> Callable[[Handler], Handler]:
    """Decorate a function or a generator so that an error becomes a sentence for the visitor.

    Parameters
    ----------
    respond : callable
        `respond(sentence, *arguments)`, with the arguments of the call, gives what the function then returns,
        or what the generator yields last; by default `error_values`. It may raise an error instead.
    failure : str, optional
        Sentence for an error other than `RequestError`, which is then logged with its traceback. Without a
        sentence such an error is raised.
    """

    def decorate(function: Handler) -> Handler:
        def sentence_of(error: Exception) -> str:
            if isinstance(error, RequestError):
                return str(error)
            if failure is None:
                raise error
            log.error("%s failed", function.__name__, exc_info=error)
            return failure

        @functools.wraps(function)  # Gradio reads the signature of the function
        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except Exception as error:
                sentence = sentence_of(error)
            return respond(sentence, *arguments)

        @functools.wraps(function)
        def stream(*arguments: Any) -> Any:
            try:
                yield from function(*arguments)
                return
            except Exception as error:
                sentence = sentence_of(error)
            yield respond(sentence, *arguments)

        return stream if inspect.isgeneratorfunction(function) else call  # type: ignore[return-value]

    return decorate
