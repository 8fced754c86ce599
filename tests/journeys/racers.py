"""What the processes of a race do. Each function runs in a process of its own, and returns plain data."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import botocore.exceptions

from journeys import versions
from journeys.places import Place
from journeys.versions import BLOCK, Torn

KEYS = ("moved", "sed", "copied", "appended", "cut", "big-moved", "big-copied", "big-appended")
"""Named for what a shell does to them. `big` ones hold 8 to 12 MiB, the others up to 400 KiB."""

_WEIGHTS = [1 if key.startswith("big") else 5 for key in KEYS]

_BROKEN_OFF = (
    botocore.exceptions.ConnectionError,
    botocore.exceptions.HTTPClientError,
    botocore.exceptions.IncompleteReadError,
    botocore.exceptions.ResponseStreamingError,
)
_REFUSALS = ("PreconditionFailed", "412", "ServiceUnavailable", "503")


@dataclass(frozen=True)
class Race:
    """Until when (time.time()), on which workspace; where its files lie, and a folder on the same filesystem."""

    place: Place
    until: float
    folder: str
    scratch: str

    def goes_on(self) -> bool:
        return time.time() < self.until

    def named(self, key: str) -> dict[str, str]:
        return {"Bucket": self.place.bucket, "Key": self.place.key(key)}


def warm_up(number: int) -> int:
    time.sleep(0.3)
    return number


def keys_at_random(race: Race, chance: random.Random) -> Iterator[str]:
    """Each key once, then as the weights have it, while the race goes on."""
    yield from KEYS
    while race.goes_on():
        yield chance.choices(KEYS, _WEIGHTS)[0]


def new_content(maker: str, key: str, chance: random.Random) -> bytes:
    blocks = chance.randint(8_200, 12_000) if key.startswith("big") else chance.randint(1, 400)
    return versions.content(versions.new_name(maker), blocks)


# --- over the endpoint -------------------------------------------------------------------------------------


def write(race: Race, seed: int) -> Counter[str]:
    """Overwrites, without conditions or on condition of what was there before. Returns what came of it."""
    chance, s3, counts = random.Random(seed), race.place.client(), Counter[str]()
    for key in keys_at_random(race, chance):
        body = new_content("put", key, chance)
        try:
            if chance.random() < 0.5:
                s3.put_object(**race.named(key), Body=body)
            else:
                etag = s3.head_object(**race.named(key))["ETag"]
                s3.put_object(**race.named(key), Body=body, IfMatch=etag)
            counts["put"] += 1
        except botocore.exceptions.ClientError as error:
            counts[_refusal(error)] += 1
        time.sleep(0.01)
    return counts


def read(race: Race, seed: int) -> Counter[str]:
    """Reads the whole, ranges, and on conditions. Raises Torn for a GET that ended and isn't of one version."""
    chance, s3, counts = random.Random(seed), race.place.client(), Counter[str]()
    for key in keys_at_random(race, chance):
        kind = chance.choice((_read_whole, _read_range, _read_if_match))
        try:
            kind(race, s3, key, chance)
            counts[key] += 1
        except botocore.exceptions.ClientError as error:
            counts[_refusal(error)] += 1
        except _BROKEN_OFF:
            counts["broken off"] += 1
    return counts


def _read_whole(race: Race, s3: Any, key: str, chance: random.Random) -> None:
    answer = s3.get_object(**race.named(key))
    check(key, answer["Body"].read(), answer["ETag"])


def _read_if_match(race: Race, s3: Any, key: str, chance: random.Random) -> None:
    etag = s3.head_object(**race.named(key))["ETag"]
    answer = s3.get_object(**race.named(key), IfMatch=etag)
    if answer["ETag"] != etag:
        raise Torn(f"{key}: {answer['ETag']} was given on condition of {etag}")
    check(key, answer["Body"].read(), etag)


def _read_range(race: Race, s3: Any, key: str, chance: random.Random) -> None:
    """Blocks from the middle; the answer says of which version, by its ETag and by the size of the whole."""
    first = chance.randint(0, 8_000) if key.startswith("big") else 0
    last = first + chance.randint(1, 9_000)
    wanted = f"bytes={first * BLOCK}-{last * BLOCK - 1}"
    try:
        answer = s3.get_object(**race.named(key), Range=wanted)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "InvalidRange" and key.endswith(("copied", "cut")):
            return  # the file is shorter just now
        raise
    data, etag = answer["Body"].read(), answer["ETag"].strip('"')
    size = int(answer["ContentRange"].rpartition("/")[2])
    if key.endswith(("appended", "cut")):
        return
    name, blocks = versions.name_of(data, first=first)
    if size != blocks * BLOCK and not name.startswith("cp"):
        raise Torn(f"{key}: a range of {name} with {blocks} blocks says that {size} bytes are the whole")
    if name.startswith("put") and etag != versions.md5(name, blocks):
        raise Torn(f"{key}: a range of {name} has the ETag {etag}")


def check(key: str, data: bytes, etag: str) -> None:
    """Raises Torn unless `data` is what the file held at one moment.

    A file that `cp` writes over is empty first and then grows; `truncate` leaves a beginning; `echo >>` appends
    one block. All else replaces one whole version by another.
    """
    etag = etag.strip('"')
    if "-" not in etag and etag != hashlib.md5(data).hexdigest():
        raise Torn(f"{key}: {len(data)} bytes have the ETag {etag}, which is not their MD5")
    if not data and key.endswith(("copied", "cut")):
        return
    if key.endswith("appended"):
        versions.with_echoes(data)
        return
    name, _ = versions.name_of(data)
    if not (key.endswith("cut") or (key.endswith("copied") and name.startswith("cp"))):
        versions.whole(data)
        if name.startswith("put") and "-" in etag:
            raise Torn(f"{key}: {name} lost its ETag")


# --- in a shell --------------------------------------------------------------------------------------------


def edit(race: Race, seed: int) -> Counter[str]:
    """What people do to files on a share while others use S3."""
    chance, counts = random.Random(seed), Counter[str]()
    for key in keys_at_random(race, chance):
        target, source = os.path.join(race.folder, key), os.path.join(race.scratch, f"{key}-{seed}")
        command = ["sh", "-c", _command(key, source, chance)]
        subprocess.run(command, env={**os.environ, "T": target}, check=True)
        counts[key] += 1
        time.sleep(chance.uniform(0.02, 0.08))
    return counts


def write_in_pieces(race: Race, key: str) -> list[str]:
    """Writes versions over the file, in two pieces a moment apart, as programs do that know of nobody else.

    Returns the names of those where the moment was so long that a reader could take the half for all there is.
    """
    slow = []
    chance = random.Random(key)
    while race.goes_on():
        name, blocks = versions.new_name("slowly"), chance.randint(2, 100)
        data = versions.content(name, blocks)
        half = blocks // 2 * BLOCK
        begun = time.monotonic()
        with open(os.path.join(race.folder, key), "wb", buffering=0) as file:
            file.write(data[:half])
            time.sleep(0.003)
            file.write(data[half:])
        if time.monotonic() - begun > 0.015:
            slow.append(name)
        time.sleep(chance.uniform(0.02, 0.06))
    return slow


def read_halves(race: Race, key: str) -> tuple[int, list[str]]:
    """Reads it all the time. Returns how often it was whole, and the names of what was not."""
    s3, whole, halves = race.place.client(), 0, []
    while race.goes_on():
        try:
            data = s3.get_object(**race.named(key))["Body"].read()
        except botocore.exceptions.ClientError as error:
            _refusal(error)
            continue
        if not data:
            halves.append("")
            continue
        name, blocks = versions.name_of(data)
        if len(data) == blocks * BLOCK:
            whole += 1
        else:
            halves.append(name)
    return whole, halves


def _command(key: str, source: str, chance: random.Random) -> str:
    kind = key.removeprefix("big-")
    if kind in ("moved", "copied"):
        command = "mv" if kind == "moved" else "cp"
        with open(source, "wb") as file:
            file.write(new_content(command, key, chance))
        return f'{command} {source} "$T"'
    if kind == "sed":
        return f"sed -i -E 's/(put|sed)-[0-9a-f]{{12}}/{versions.new_name('sed')}/g' \"$T\""
    if kind == "cut":
        return f'truncate -s "<$(( $(stat -c %s "$T") / {BLOCK} / 2 * {BLOCK} ))" "$T"'
    return f"echo '{versions.echo(versions.new_name('echo'))}' >> \"$T\""


# --- conditions --------------------------------------------------------------------------------------------


def count_up(place: Place, key: str, blocks: int, times: int) -> list[int]:
    """Raises the number in an object by If-Match, `times` times. Returns the numbers that were written."""
    s3, written = place.client(), []
    named = {"Bucket": place.bucket, "Key": place.key(key)}
    while len(written) < times:
        seen = s3.get_object(**named)
        name, _ = versions.whole(seen["Body"].read())
        number = int(name.partition("-")[2], 16) + 1
        body = versions.content(f"count-{number:012x}", blocks)
        try:
            s3.put_object(**named, Body=body, IfMatch=seen["ETag"])
            written.append(number)
        except botocore.exceptions.ClientError as error:
            _refusal(error)
    return written


def create(place: Place, kind: str, folder: str, meeting: str, racing: int, rounds: int) -> list[int]:
    """Tries to be the one who makes `new-N`, at the same moment as others. Returns the rounds that were won.

    Each round begins when all that are `racing` have said in the folder `meeting` that they are prepared.
    """
    s3, won = place.client(), []
    maker = f"{kind}{os.getpid():x}".translate(str.maketrans("0123456789", "ghijklmnop"))
    for number in range(rounds):
        key, data = f"new-{number}", versions.content(versions.new_name(maker), 20)
        attempt = _prepared(s3, place, kind, key, data, folder)
        _meet(os.path.join(meeting, str(number)), racing)
        try:
            if attempt():
                won.append(number)
        except botocore.exceptions.ClientError as error:
            if _refusal(error) not in ("PreconditionFailed", "412"):
                raise
    return won


def _meet(folder: str, racing: int) -> None:
    os.makedirs(folder, exist_ok=True)
    descriptor, _ = tempfile.mkstemp(dir=folder)
    os.close(descriptor)
    until = time.monotonic() + 60
    while len(os.listdir(folder)) < racing:
        assert time.monotonic() < until, "the others did not come"
        time.sleep(0.001)


def _prepared(s3: Any, place: Place, kind: str, key: str, data: bytes, folder: str) -> Any:
    named = {"Bucket": place.bucket, "Key": place.key(key)}
    own = f"of-{os.getpid()}/{key}"
    if kind == "put":
        return lambda: s3.put_object(**named, Body=data, IfNoneMatch="*")
    if kind == "parts":
        upload = s3.create_multipart_upload(**named)["UploadId"]
        part = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=data)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        return lambda: s3.complete_multipart_upload(
            **named, UploadId=upload, MultipartUpload=parts, IfNoneMatch="*"
        )
    s3.put_object(Bucket=place.bucket, Key=place.key(own), Body=data)
    if kind == "copy":
        source = {"Bucket": place.bucket, "Key": place.key(own)}
        return lambda: s3.copy_object(**named, CopySource=source, IfNoneMatch="*")
    command = ["ln", os.path.join(folder, own), os.path.join(folder, key)]
    return lambda: subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def see_own_writes(place: Place, key: str, rounds: int) -> int:
    """Writes, and reads over new connections, which reach any worker. Returns how many reads were right."""
    right = 0
    named = {"Bucket": place.bucket, "Key": place.key(key)}
    s3 = place.client()
    for _ in range(rounds):
        body = versions.content(versions.new_name("put"), 1)
        s3.put_object(**named, Body=body)
        for _ in range(3):
            s3.close()  # only its connections
            right += s3.get_object(**named)["Body"].read() == body
            right += s3.head_object(**named)["ETag"].strip('"') == hashlib.md5(body).hexdigest()
        s3.delete_object(**named)
        listed = s3.list_objects_v2(Bucket=place.bucket, Prefix=named["Key"])
        right += listed["KeyCount"] == 0
    return right


def _refusal(error: botocore.exceptions.ClientError) -> str:
    """The code of a refusal that a race may bring; raises any other."""
    code = str(error.response["Error"]["Code"])
    if code not in _REFUSALS:
        raise error
    return code
