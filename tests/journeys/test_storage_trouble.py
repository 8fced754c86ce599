"""A disk that is full, read-only, unmounted, swapped, closed or broken: a clear refusal, and nothing is lost."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

from journeys.disks import MIB, Disk, disk
from journeys.places import Place, own_workspace, place_of
from journeys.processes import wait_until
from journeys.test_tree_stays_as_it_is import picture
from servers.clients import CLIENTS, Refused
from servers.service import Person, Service

KEPT = b"what was there before\n" * 100_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    with disk(str(tmp_path)) as mounted:
        os.chmod(mounted.point, 0o755)
        yield mounted


@pytest.fixture
def on_disk(small_disk: Disk, tmp_path: Path) -> Iterator[Service]:
    """A service on the disk, with one workspace `work` of ada's that holds `kept`."""
    (tmp_path / "service").mkdir()
    service = Service(small_disk.point, base=str(tmp_path / "service"))
    service.start()
    try:
        place = own_workspace(service.administrator(), "work")
        place.client().put_object(**named(place, "kept"), Body=KEPT)
        yield service
    finally:
        service.stop()


def named(place: Place, key: str) -> dict[str, str]:
    return {"Bucket": place.bucket, "Key": place.key(key)}


def refusal(call: Callable[[], Any]) -> tuple[int, str, str]:
    """Status, code and sentence with which S3 refuses the call."""
    with pytest.raises(ClientError) as refused:
        call()
    answer = refused.value.response
    error = answer["Error"]
    return answer["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error.get("Message", "")


def begun_upload(place: Place) -> dict[str, str]:
    """An upload of `kept` with its first part, `1`."""
    s3, kept = place.client(), named(place, "kept")
    upload = {**kept, "UploadId": s3.create_multipart_upload(**kept)["UploadId"]}
    s3.upload_part(**upload, PartNumber=1, Body=b"1")
    return upload


def writes(place: Place, of_upload: dict[str, str]) -> dict[str, Callable[[], Any]]:
    """Every write there is, by the operation's name."""
    s3, kept, new = place.client(), named(place, "kept"), named(place, "folder/new")
    part = {"Parts": [{"PartNumber": 1, "ETag": hashlib.md5(b"1").hexdigest()}]}
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    return {
        "PutObject": lambda: s3.put_object(**new, Body=b"1"),
        "PutObject over another": lambda: s3.put_object(**kept, Body=b"2" * 3 * MIB),
        "PutObject of a folder": lambda: s3.put_object(**named(place, "marker/")),
        "CopyObject": lambda: s3.copy_object(**new, CopySource=kept),
        "CopyObject onto itself": lambda: s3.copy_object(
            **kept, CopySource=kept, MetadataDirective="REPLACE", Metadata={"a": "b"}
        ),
        "PutObjectTagging": lambda: s3.put_object_tagging(**kept, Tagging=tags),
        "DeleteObjectTagging": lambda: s3.delete_object_tagging(**kept),
        "DeleteObject": lambda: s3.delete_object(**kept),
        "CreateMultipartUpload": lambda: s3.create_multipart_upload(**new),
        "UploadPart": lambda: s3.upload_part(**of_upload, PartNumber=1, Body=b"1"),
        "UploadPartCopy": lambda: s3.upload_part_copy(**of_upload, PartNumber=1, CopySource=kept),
        "CompleteMultipartUpload": lambda: s3.complete_multipart_upload(**of_upload, MultipartUpload=part),
        "AbortMultipartUpload": lambda: s3.abort_multipart_upload(**of_upload),
    }


def reads(place: Place) -> dict[str, Callable[[], Any]]:
    s3, kept = place.client(), named(place, "kept")
    return {
        "GetObject": lambda: s3.get_object(**kept),
        "GetObjectTagging": lambda: s3.get_object_tagging(**kept),
        "ListObjectsV2": lambda: s3.list_objects_v2(Bucket=place.bucket, Prefix=place.prefix),
        "ListObjects": lambda: s3.list_objects(Bucket=place.bucket, Prefix=place.prefix),
        "ListMultipartUploads": lambda: s3.list_multipart_uploads(Bucket=place.bucket, Prefix=place.prefix),
        "ListBuckets": s3.list_buckets,
    }


def staged(point: str) -> list[str]:
    return [name for _, _, files in os.walk(os.path.join(point, ".workspacesio")) for name in files]


# --- full --------------------------------------------------------------------------------------------------


def test_a_full_disk_refuses_with_a_clear_error_and_keeps_the_old(
    on_disk: Service, small_disk: Disk, mc_path: str
) -> None:
    ada = on_disk.person("ada")
    place = place_of(ada, "work")
    s3, too_much = place.client(), b"2" * (60 * MIB)
    free = small_disk.free()
    full = (507, "InsufficientStorage", "The filesystem is full.")

    assert refusal(lambda: s3.put_object(**named(place, "kept"), Body=too_much)) == full
    assert refusal(lambda: s3.put_object(**named(place, "new/one"), Body=too_much)) == full
    for name, make in CLIENTS.items():
        client = make(place.credential)
        with pytest.raises(Exception, match=r"The filesystem is full\.|InsufficientStorage"):
            client.write(place.bucket, place.key(f"by-{name}"), too_much)
        assert client.list(place.bucket, place.prefix) == {place.key("kept")}, name
    wait_until(lambda: staged(small_disk.point) == [], "nothing is left in the staging folder")
    wait_until(lambda: small_disk.free() >= free - MIB // 2, "the space is given back")

    size, number, refused = 4 * MIB, 0, set()
    while size >= 1024:
        try:
            s3.put_object(**named(place, f"filling/{number}"), Body=b"3" * size)
            number += 1
        except ClientError as error:
            refused.add(error.response["Error"]["Code"])
            size //= 2
    assert refused == {"InsufficientStorage"}
    assert refusal(lambda: s3.create_multipart_upload(**named(place, "parts"))) == full
    assert refusal(lambda: s3.copy_object(**named(place, "copy"), CopySource=named(place, "kept"))) == full

    assert s3.get_object(**named(place, "kept"))["Body"].read() == KEPT
    listed = s3.list_objects_v2(Bucket=place.bucket, Prefix=place.prefix)["Contents"]
    assert {entry["Key"] for entry in listed} == {
        place.key("kept"),
        *(place.key(f"filling/{filled}") for filled in range(number)),
    }
    assert ada.json("workspace", "show", "work")["name"] == "work"

    s3.delete_object(**named(place, "filling/0"))
    s3.put_object(**named(place, "kept"), Body=b"there is room again")
    assert s3.get_object(**named(place, "kept"))["Body"].read() == b"there is room again"
    assert staged(small_disk.point) == []


def test_a_part_that_does_not_fit_is_refused_and_the_upload_goes_on(on_disk: Service, small_disk: Disk) -> None:
    place = place_of(on_disk.person("ada"), "work")
    s3, upload = place.client(), named(place, "parts")
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    first = s3.upload_part(**upload, PartNumber=1, Body=b"1" * 5 * MIB)
    assert refusal(lambda: s3.upload_part(**upload, PartNumber=2, Body=b"2" * 45 * MIB))[0] == 507
    second = s3.upload_part(**upload, PartNumber=2, Body=b"2" * 5 * MIB)
    parts = [{"PartNumber": n, "ETag": part["ETag"]} for n, part in enumerate((first, second), 1)]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    whole = s3.get_object(**named(place, "parts"))["Body"].read()
    assert whole == b"1" * 5 * MIB + b"2" * 5 * MIB


# --- read-only ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["option", "option on a read-only mount", "read-only mount alone"])
def test_read_only_reads_and_refuses_every_write(
    on_disk: Service, small_disk: Disk, mc_path: str, how: str
) -> None:
    ada = on_disk.person("ada")
    ada.environment["WIO_MC"] = mc_path
    os.makedirs(os.path.join(small_disk.point, "plates"))
    Path(small_disk.point, "plates", "x").write_text("x")
    begun = place_of(ada, "work")
    upload = begun_upload(begun)
    on_disk.stop()
    if "mount" in how:
        small_disk.unmount()
        small_disk.mount("ro")
    if "option" in how:
        on_disk.options = ["--read-only"]
    os.unlink(on_disk.log_path)
    on_disk.start()
    before = picture(small_disk.point)

    place = place_of(ada, "work")
    for name, make in CLIENTS.items():
        client = make(place.credential)
        assert client.read(place.bucket, place.key("kept")) == KEPT, name
        assert client.list(place.bucket, place.prefix) == {place.key("kept")}, name
        with pytest.raises(Refused):
            client.write(place.bucket, place.key(f"by-{name}"), b"1")
    for name, read in reads(place).items():
        assert read(), name
    sentence = "This node takes no writes." if "option" in how else "The filesystem is mounted read-only."
    for name, write in writes(place, upload).items():
        assert refusal(write) == (403, "StorageReadOnly", sentence), name
    errors = place.client().delete_objects(Bucket=place.bucket, Delete={"Objects": [{"Key": place.key("kept")}]})[
        "Errors"
    ]
    assert [(error["Code"], error["Message"]) for error in errors] == [("StorageReadOnly", sentence)]

    source = Path(ada.home, "file")
    source.write_text("new")
    for arguments in (
        ("mc", "cp", str(source), "work/new"),
        ("mc", "mv", "work/kept", "work/moved"),
        ("mc", "rm", "work/kept"),
    ):
        assert sentence in ada.refused(*arguments), arguments
    said = f"wio: {'This service is read-only.' if 'option' in how else sentence}"
    assert ada.refused("workspace", "delete", "work", "--delete-objects", "--yes") == said
    assert ada.refused("create", "another") == said
    assert "work" in ada.wio("ls")
    assert "is new" in ada.wio("root", "import", "existing", "plates")
    assert place_of(ada, "plates").client().get_object(Bucket=place.bucket, Key="plates/x")["Body"].read() == b"x"

    assert picture(small_disk.point) == before
    assert "Traceback" not in on_disk.log()
    if "option" in how:
        assert "takes no writes" not in on_disk.log()


# --- unmounted, swapped, gone ------------------------------------------------------------------------------


def check_down(place: Place, ada: Person, point: str, why: str) -> None:
    """Nothing is read, listed or written, and everybody is told."""
    before = picture(point) if os.path.exists(point) else None
    answers = {**reads(place), **writes(place, {**named(place, "kept"), "UploadId": "0" * 32})}
    for name, call in answers.items():
        assert refusal(call) == (503, "ServiceUnavailable", why), name
    s3 = place.client()
    assert refusal(lambda: s3.head_object(**named(place, "kept")))[0] == 503
    assert refusal(lambda: s3.head_bucket(Bucket=place.bucket))[0] == 503
    several = s3.delete_objects(Bucket=place.bucket, Delete={"Objects": [{"Key": place.key("kept")}]})
    assert [error["Code"] for error in several["Errors"]] == ["ServiceUnavailable"]
    for arguments in (
        ("create", "another"),
        ("root", "import", "existing", "--all"),
        ("workspace", "delete", "work", "--delete-objects", "--yes"),
    ):
        assert ada.refused(*arguments) == f"wio: The node can't be used at the moment: {why}"
    assert [(node["name"], node["state"]) for node in ada.json("node", "ls")] == [("local", "down")]
    assert (picture(point) if os.path.exists(point) else None) == before


def check_up(place: Place) -> None:
    s3 = place.client()
    assert s3.get_object(**named(place, "kept"))["Body"].read() == KEPT
    s3.put_object(**named(place, "after"), Body=b"after")
    listed = s3.list_objects_v2(Bucket=place.bucket, Prefix=place.prefix)["Contents"]
    assert {entry["Key"] for entry in listed} == {place.key("kept"), place.key("after")}
    s3.delete_object(**named(place, "after"))


SWAPPED = "Another filesystem is at the node's path than the one that was added."
MISSING = "The node's folder is missing or can't be reached."


def test_an_unmounted_disk_is_down_until_it_is_mounted_again(
    on_disk: Service, small_disk: Disk, tmp_path: Path
) -> None:
    ada = on_disk.person("ada")
    place = place_of(ada, "work")
    small_disk.unmount()
    check_down(place, ada, small_disk.point, SWAPPED)
    assert os.listdir(small_disk.point) == []
    small_disk.mount()
    check_up(place)

    small_disk.unmount()
    with disk(str(tmp_path), "other") as other:
        other.unmount()
        other.mount(at=small_disk.point)
        foreign = Path(small_disk.point, place.prefix)
        foreign.mkdir(parents=True)
        (foreign / "kept").write_text("of another disk")
        check_down(place, ada, small_disk.point, SWAPPED)
        other.unmount(at=small_disk.point)

    on_disk.restart()
    check_down(place, ada, small_disk.point, SWAPPED)
    small_disk.mount()
    check_up(place)


def test_an_upload_that_began_before_the_disk_went_is_refused(on_disk: Service, small_disk: Disk) -> None:
    place = place_of(on_disk.person("ada"), "work")
    s3, upload = place.client(), named(place, "parts")
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = s3.upload_part(**upload, PartNumber=1, Body=b"1" * MIB)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    small_disk.unmount()
    refused = refusal(lambda: s3.complete_multipart_upload(**upload, MultipartUpload=parts))
    assert refused == (503, "ServiceUnavailable", SWAPPED)
    small_disk.mount()
    s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    assert s3.get_object(**named(place, "parts"))["Body"].read() == b"1" * MIB


def test_a_folder_that_vanished_is_down_until_it_is_back(running: Service, tree: str) -> None:
    ada = running.administrator()
    place = own_workspace(ada, "work")
    place.client().put_object(**named(place, "kept"), Body=KEPT)
    os.rename(tree, tree + "-away")
    check_down(place, ada, tree, MISSING)
    assert not os.path.exists(tree)
    os.mkdir(tree)
    check_down(place, ada, tree, SWAPPED)
    assert os.listdir(tree) == []
    os.rmdir(tree)
    os.rename(tree + "-away", tree)
    check_up(place)


# --- closed ------------------------------------------------------------------------------------------------


def test_what_the_system_does_not_permit_is_refused_and_named(running: Service, tree: str) -> None:
    """Root without the capabilities that let it pass every mode is an account like any other."""
    running.stop()
    os.unlink(running.log_path)
    running.before_command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner", "--"]
    running.start()
    ada = running.administrator()
    ada.wio("root", "import", "existing", "plates", "--owner", "ada")
    place = place_of(ada, "plates")
    s3 = place.client()
    for path in ("plates/raw", "plates/2026-01/plate-1.csv"):
        os.chown(os.path.join(tree, path), 12345, 12345)
    os.chmod(os.path.join(tree, "plates/raw"), 0o750)
    os.chmod(os.path.join(tree, "plates/2026-01/plate-1.csv"), 0o640)

    unreadable = refusal(lambda: s3.get_object(**named(place, "2026-01/plate-1.csv")))
    assert unreadable == (403, "AccessDenied", "The operating system does not permit this.")
    assert refusal(lambda: s3.put_object(**named(place, "raw/new"), Body=b"1"))[:2] == (403, "AccessDenied")
    assert refusal(lambda: s3.get_object(**named(place, "raw/a0")))[:2] == (404, "NoSuchKey")
    listed = s3.list_objects_v2(Bucket=place.bucket, Prefix=place.prefix)["Contents"]
    assert place.key("2026-01/plate-2.csv") in {entry["Key"] for entry in listed}
    assert not [entry["Key"] for entry in listed if entry["Key"].startswith(place.key("raw/"))]

    os.chown(tree, 12345, 12345)
    os.chmod(tree, 0o700)
    readable = named(place, "2026-01/plate-2.csv")
    for call in (
        lambda: s3.get_object(**readable),
        lambda: s3.list_objects_v2(Bucket=place.bucket, Prefix=place.prefix),
        lambda: s3.put_object(**named(place, "new"), Body=b"1"),
        lambda: s3.delete_object(**readable),
    ):
        assert refusal(call) == (503, "ServiceUnavailable", "The node's folder can't be opened.")
    os.chmod(tree, 0o755)
    assert s3.get_object(**named(place, "2026-01/plate-2.csv"))["Body"].read()
    assert "Traceback" not in running.log()


def test_a_disk_that_fails_breaks_off_and_is_said_to_fail(on_disk: Service, small_disk: Disk) -> None:
    """The image under the mount is cut off: reads beyond give EIO, as a broken disk does."""
    place = place_of(on_disk.person("ada"), "work")
    s3 = place.client(timeout=10)
    s3.put_object(**named(place, "small"), Body=b"1" * 100_000)
    subprocess.run(["sync", "-f", small_disk.point], check=True)
    os.truncate(small_disk.image, MIB // 2)
    Path("/proc/sys/vm/drop_caches").write_text("1")
    failed = refusal(lambda: s3.get_object(**named(place, "small")))
    assert failed == (503, "ServiceUnavailable", "The storage failed (EIO).")
    with pytest.raises((ResponseStreamingError, IncompleteReadError)):
        s3.get_object(**named(place, "kept"))["Body"].read()
    assert "Traceback" not in on_disk.log()
