"""Small JSON files in an opened folder: read, replaced as a whole, or made once."""

import os
import secrets
from typing import Any

import orjson


def read_json(folder_fd: int, name: bytes) -> Any:
    """What the file holds. Raises OSError, and ValueError for what is no JSON."""
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
    with open(fd, "rb") as file:
        return orjson.loads(file.read())


def write_json(folder_fd: int, name: bytes, content: object, *, durable: bool) -> None:
    """Replace the file as a whole."""
    temporary = b"tmp-" + secrets.token_hex(8).encode()
    _write_new(folder_fd, temporary, content, durable=durable)
    os.rename(temporary, name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    if durable:
        os.fsync(folder_fd)


def _write_new(folder_fd: int, name: bytes, content: object, *, durable: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    fd = os.open(name, flags, 0o600, dir_fd=folder_fd)
    with open(fd, "wb") as file:
        file.write(orjson.dumps(content))
        file.flush()
        if durable:
            os.fsync(fd)


def create_json(folder_fd: int, name: bytes, content: object) -> bool:
    """Make the file with this content, whole from the first; False when it is there already."""
    temporary = b"tmp-" + secrets.token_hex(8).encode()
    _write_new(folder_fd, temporary, content, durable=False)
    try:
        os.link(temporary, name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd, follow_symlinks=False)
    except FileExistsError:
        return False
    finally:
        os.unlink(temporary, dir_fd=folder_fd)
    return True
