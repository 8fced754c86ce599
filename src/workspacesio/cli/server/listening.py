"""Where the service listens, checked before any part is started: a mistake there is one sentence, at once.

The API's process listens with SO_REUSEPORT, with which the kernel would let a second service of the same account
listen beside the first and take half of its requests. So each port is bound once here without it.
"""

import argparse
import errno
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from workspacesio.domain.errors import Conflict, Invalid, WorkspacesIOError


@dataclass(frozen=True, slots=True)
class Listening:
    """`host` as the operator wrote it and `address` what it stands for; the certificate and key, if any."""

    host: str
    address: str
    port: int
    s3_port: int
    certificate: Path | None
    key: Path | None

    @property
    def scheme(self) -> str:
        return "https" if self.certificate else "http"


def read_listening(arguments: argparse.Namespace) -> Listening:
    """What the command line says. Raises Invalid, and Conflict for a port that is taken."""
    listening = Listening(
        arguments.host,
        _address(arguments.host),
        arguments.port,
        arguments.s3_port,
        *_certificate(arguments),
    )
    if arguments.role in ("all", "api"):
        _check_free(listening.host, listening.address, listening.port, "--port")
    if arguments.role in ("all", "s3"):
        _check_free(listening.host, listening.address, listening.s3_port, "--s3-port")
    return listening


def _address(host: str) -> str:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Invalid(f"No machine is called {host!r}; --host is a name or an address of this one.") from error
    addresses = [str(address[0]) for *_, address in found]
    return next((address for address in addresses if ":" not in address), addresses[0])


def _certificate(arguments: argparse.Namespace) -> tuple[Path, Path] | tuple[None, None]:
    if bool(arguments.certificate) != bool(arguments.key):
        raise Invalid("--certificate and --key go together; give both.", code="certificate")
    if not arguments.certificate:
        return None, None
    certificate, key = Path(arguments.certificate).absolute(), Path(arguments.key).absolute()
    for file in (certificate, key):
        try:
            file.read_bytes()
        except OSError as error:
            raise Invalid(
                f"{file} can't be read ({error.strerror}); give a PEM file.", code="certificate"
            ) from error
    try:
        # Without a password it would ask for one on the terminal.
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        sentence = f"{certificate} and {key} are no certificate and its key; give PEM, without a password."
        raise _no_certificate(sentence) from error
    return certificate, key


def _no_certificate(sentence: str) -> Invalid:
    return Invalid(sentence, code="certificate")


def _check_free(host: str, address: str, port: int, option: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # What a stopped server left in TIME_WAIT takes no port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise _refused(error, host, port, option) from error


def _refused(error: OSError, host: str, port: int, option: str) -> WorkspacesIOError:
    match error.errno:
        case errno.EADDRINUSE:
            return Conflict(
                f"Port {port} is taken by another program; choose one with {option}.", code="port_taken"
            )
        case errno.EADDRNOTAVAIL:
            return Invalid(f"This machine has no address {host}; choose another with --host.", code="host")
        case errno.EACCES:
            return Invalid(f"Port {port} is not for this account; choose one with {option}.", code="port")
        case _:
            return Invalid(f"Port {port} of {host} can't be used ({error.strerror}).", code="port")
