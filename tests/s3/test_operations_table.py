"""The table of operations against the S3 catalogue, and NotImplemented by name for all that isn't done here."""

from __future__ import annotations

import re

import pytest
from botocore.loaders import Loader

from s3.world import BUCKET, World
from workspacesio.s3.canonical_request import RequestQuery
from workspacesio.s3.error_codes import S3Error
from workspacesio.s3.operations import IMPLEMENTED, NOT_IMPLEMENTED, SAME_AS, SUBRESOURCES, find_operation
from workspacesio.s3.request import Request
from workspacesio.s3.request_body import BodyLimits, RequestBody

MODEL = Loader().load_service_model("s3", "service-2")
CATALOGUE = {name: operation["http"] for name, operation in MODEL["operations"].items()}

OURS = {"ListenNotification", "ListenBucketNotification", "PostObject"}


def _required(name: str) -> tuple[list[str], list[str]]:
    """Query keys and headers that the operation's input can't do without."""
    operation = MODEL["operations"][name]
    if "input" not in operation:
        return [], []
    shape = MODEL["shapes"][operation["input"]["shape"]]
    members = [(shape["members"][member]) for member in shape.get("required", [])]
    query = [member["locationName"] for member in members if member.get("location") == "querystring"]
    headers = [member["locationName"].lower() for member in members if member.get("location") == "header"]
    return query, headers


def _target(name: str) -> str:
    uri = CATALOGUE[name]["requestUri"].replace("{Bucket}", BUCKET).replace("{Key+}", "ada/key")
    extra = [f"{key}=1" for key in _required(name)[0] if f"{key}=" not in uri]
    if not extra:
        return uri
    return uri + ("&" if "?" in uri else "?") + "&".join(extra)


def _request(method: str, target: str, headers: dict[str, str] | None = None) -> Request:
    path, _, query = target.partition("?")
    return Request(
        method=method,
        path=path,
        query=RequestQuery(query),
        headers=headers or {},
        body=RequestBody(None, {}, BodyLimits()),  # type: ignore[arg-type]
        request_id="",
    )


def test_the_catalogue_is_the_one_that_was_read() -> None:
    assert len(CATALOGUE) == 116, "botocore lists other operations: look at them and at the table"


def test_the_table_holds_every_operation_of_the_catalogue_and_no_other() -> None:
    ours = {row.name for row in (*IMPLEMENTED, *NOT_IMPLEMENTED)}
    assert (ours - OURS) | SAME_AS.keys() == CATALOGUE.keys()
    assert set(SAME_AS.values()) <= ours


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_each_request_finds_its_operation(name: str) -> None:
    headers = dict.fromkeys(_required(name)[1], "x")
    found = find_operation(_request(CATALOGUE[name]["method"], _target(name), headers))
    assert found.name == SAME_AS.get(name, name)


def test_implemented_rows_have_handlers_and_the_others_none() -> None:
    assert all(row.handler for row in IMPLEMENTED)
    assert not any(row.handler for row in NOT_IMPLEMENTED)
    assert not {row.name for row in IMPLEMENTED} & {row.name for row in NOT_IMPLEMENTED}


@pytest.mark.parametrize(
    ("method", "target"),
    [("POST", "/"), ("PUT", "/"), ("DELETE", "/"), ("HEAD", "/"), ("HEAD", "/b?acl"), ("PATCH", "/b/k")],
)
def test_other_methods_are_not_allowed(method: str, target: str) -> None:
    with pytest.raises(S3Error) as raised:
        find_operation(_request(method, target))
    assert raised.value.status == 405


def test_two_subresources_conflict() -> None:
    with pytest.raises(S3Error) as raised:
        find_operation(_request("GET", "/b/k?acl&tagging"))
    assert raised.value.code.name == "InvalidArgument"


def test_a_subresource_of_something_else_never_means_the_plain_operation() -> None:
    """`PUT /b/k?policy` must not store the policy as an object, nor `DELETE /b?uploadId` drop the bucket."""
    plain = {(row.method, row.place): row.name for row in IMPLEMENTED if not row.subresource and not row.header}
    for (method, place), name in plain.items():
        path = {"service": "/", "bucket": "/b", "object": "/b/k"}[place.value]
        for subresource in SUBRESOURCES:
            try:
                found = find_operation(_request(method, f"{path}?{subresource}"))
            except S3Error:
                continue
            assert found.name != name


MISSING = sorted({SAME_AS.get(name, name) for name in CATALOGUE} & {row.name for row in NOT_IMPLEMENTED})


def test_everything_else_is_not_implemented_by_name(world: World) -> None:
    """Pinned: what moves out of this list has been implemented."""
    for name in sorted(CATALOGUE):
        meant = SAME_AS.get(name, name)
        if meant not in MISSING:
            continue
        answer = world.raw(CATALOGUE[name]["method"], _target(name), body=b"x")
        assert (answer.status, answer.code) == (501, "NotImplemented"), name
        message = re.search(rb"<Message>(.*)</Message>", answer.body)
        assert message is not None
        assert meant.encode() in message[1]
    assert not world.rights.events


def test_nothing_is_told_to_strangers(world: World) -> None:
    """Who isn't identified doesn't even learn what is implemented."""
    for name in MISSING[:5]:
        if name in CATALOGUE:
            answer = world.raw(CATALOGUE[name]["method"], _target(name), sign=False)
            assert (answer.status, answer.code) == (403, "AccessDenied")
