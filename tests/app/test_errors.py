"""The decorator that turns errors into sentences."""

from __future__ import annotations

import inspect

import pytest

from fgsd.app.requests.errors import errors_as_sentences
from fgsd.app.requests.request import RequestError


def fail(error: Exception | None) -> dict:
    if error is not None:
        raise error
    return {"done": True}


def fail_later(error: Exception):
    yield "first"
    raise error


def test_an_error_of_the_request_becomes_its_sentence():
    call = errors_as_sentences()(fail)
    assert call(None) == {"done": True}
    assert call(RequestError("Choose a texture.")) == {"error": "Choose a texture."}


def test_another_error_is_raised_or_logged_with_a_sentence_in_its_place(caplog):
    with pytest.raises(OSError, match="private"):
        errors_as_sentences()(fail)(OSError("private"))
    call = errors_as_sentences(failure="This failed.")(fail)
    assert call(OSError("private")) == {"error": "This failed."}
    assert "fail failed" in caplog.text and "private" in caplog.text


def test_a_generator_yields_the_sentence_last():
    stream = errors_as_sentences(lambda sentence, error: (sentence, error))(fail_later)
    error = RequestError("Stop.")
    assert inspect.isgeneratorfunction(stream)
    assert list(stream(error)) == ["first", ("Stop.", error)]


def test_the_signature_is_that_of_the_function():
    assert inspect.signature(errors_as_sentences()(fail)) == inspect.signature(fail)


def test_the_response_may_raise_an_error_without_the_first_one_in_its_context():
    def respond(sentence: str, *arguments: object) -> None:
        raise KeyError(sentence)

    with pytest.raises(KeyError) as caught:
        errors_as_sentences(respond)(fail)(RequestError("Stop."))
    assert caught.value.__context__ is None
