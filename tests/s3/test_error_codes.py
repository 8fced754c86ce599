"""The catalogue says what Amazon's does, and an error shows what it was given and nothing else."""

import re
from http import HTTPStatus

import botocore.session
import pytest

from workspacesio.s3.error_codes import FOREIGN, ErrorCode, S3Error

MODEL = botocore.session.get_session().get_service_model("s3")


def documented() -> dict[str, int]:
    """Codes and statuses from the service description: the "Error" structure's list of codes."""
    text = MODEL.shape_for("Error").members["Code"].documentation
    plain = re.sub(r"<[^>]+>", " ", text)
    entries = re.findall(
        r"Code:\s+(\w+)\s+Description:(?:(?!Code:\s+\w+\s+Description).)*?HTTP Status Code:\s+(\d{3})", plain
    )
    return {code: int(status) for code, status in entries}


def test_statuses_are_those_of_the_service_description() -> None:
    listed = documented()
    assert len(listed) > 50
    shared = [code for code in ErrorCode if code.name in listed]
    assert len(shared) > 35
    for code in shared:
        assert code.status == listed[code.name], code.name


def test_modelled_errors_have_their_statuses() -> None:
    modelled = {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in MODEL.error_shapes}
    shared = [code for code in ErrorCode if code.name in modelled]
    assert len(shared) > 5
    for code in shared:
        assert code.status == modelled[code.name], code.name


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_entry_is_whole(code: ErrorCode) -> None:
    assert HTTPStatus(code.status)
    assert re.fullmatch(r"[A-Z][A-Za-z0-9]+", code.name)
    assert re.fullmatch(r"[A-Z].*\.", code.message)


def test_error_carries_what_it_was_given() -> None:
    error = S3Error(ErrorCode.NoSuchKey, Key="a/b", PartNumber=3)
    assert (error.code, error.status) == (ErrorCode.NoSuchKey, 404)
    assert error.message == ErrorCode.NoSuchKey.message
    assert error.fields == {"Key": "a/b", "PartNumber": "3"}
    assert str(error) == "NoSuchKey: The specified key does not exist."


def test_message_can_be_said_better() -> None:
    error = S3Error(ErrorCode.InvalidRequest, "Say it like this.")
    assert error.message == "Say it like this."
    assert error.fields == {}


def test_the_codes_that_amazon_has_not_are_named_as_such() -> None:
    assert {code.name for code in FOREIGN} & set(documented()) == set()
    assert list(ErrorCode)[-len(FOREIGN) :] == list(FOREIGN), "they stand at the end of the catalogue"
