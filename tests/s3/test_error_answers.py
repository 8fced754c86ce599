"""Every error of the layers below has its S3 answer."""

from __future__ import annotations

import inspect
import logging

import pytest

from workspacesio.domain import errors
from workspacesio.nodes import errors as node_errors
from workspacesio.s3.error_answers import DOMAIN_ANSWERS, NODE_ANSWERS, error_answer, s3_error
from workspacesio.s3.error_codes import ErrorCode, S3Error


def _exceptions(module: object) -> set[type]:
    return {
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Exception) and member.__module__ == module.__name__  # type: ignore[attr-defined]
    }


def test_every_error_of_a_node_is_in_the_table() -> None:
    assert _exceptions(node_errors) == set(NODE_ANSWERS)


def test_every_error_of_the_domain_is_in_the_table() -> None:
    assert _exceptions(errors) == set(DOMAIN_ANSWERS)


def test_what_is_not_visible_answers_as_what_is_denied() -> None:
    hidden = s3_error(errors.NotFound("the workspace of carol was not found"))
    assert hidden is not None
    assert (hidden.status, hidden.message) == (403, ErrorCode.AccessDenied.message)


def test_the_reason_is_told_where_the_caller_may_act() -> None:
    answer = s3_error(node_errors.KeyNotPossible("A file is where a folder has to be."))
    assert answer is not None
    assert (answer.status, answer.message) == (400, "A file is where a folder has to be.")


@pytest.mark.parametrize("kind", [node_errors.KeyTooLong, node_errors.FileInTheWay, node_errors.FolderInTheWay])
def test_a_key_that_is_not_possible_says_why_in_words_and_code(kind: type[node_errors.KeyNotPossible]) -> None:
    answer = s3_error(kind("Because of this."))
    assert answer is not None
    assert answer.message == "Because of this."
    assert answer.code is not ErrorCode.InvalidArgument


def test_a_range_says_the_size() -> None:
    answer = s3_error(node_errors.RangeNotSatisfiable(5))
    assert answer is not None
    assert (answer.code, answer.fields) == (ErrorCode.InvalidRange, {"ActualObjectSize": "5"})


def test_the_unforeseen_is_logged_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = error_answer(ValueError("secret"), "R1")
    assert (answer.code, answer.status) == (ErrorCode.InternalError, 500)
    assert "secret" not in answer.message
    assert "R1" in caplog.text
    assert "ValueError" in caplog.text


def test_an_s3_error_stays_what_it_is() -> None:
    error = S3Error(ErrorCode.NoSuchKey)
    assert error_answer(error, "") is error
