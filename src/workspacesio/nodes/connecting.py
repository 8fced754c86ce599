"""A connection to a node's server, made only to an address that was judged.

The name is resolved once, what it resolves to is judged, and connected is to one of these very addresses: nothing
is looked up again in between, and an address that isn't allowed gets not even an empty connection.
"""

import socket
import time
from typing import Any

from workspacesio.nodes.addresses import AllowedAddresses
from workspacesio.nodes.errors import AddressNotAllowed

MAX_ADDRESSES = 8
"""So many of a name's addresses are tried, in the time of one."""


def connect(allowed: AllowedAddresses, host: str, port: int, seconds: float) -> socket.socket:
    """A TCP connection. Raises AddressNotAllowed, `socket.gaierror`, TimeoutError and other OSErrors."""
    until = time.monotonic() + seconds
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    permitted = [one for one in found if allowed.permits(host, str(one[4][0]), port)]
    if allowed.is_public_alone:
        permitted = [one for one in permitted if not _is_this_machine(one[0], one[4])]
    if not permitted:
        raise AddressNotAllowed(
            "This server may not connect to the node's address; WIO_NODE_ADDRESSES lists what is allowed."
        )
    failure: OSError = TimeoutError("no address answered in time")
    for family, kind, protocol, _, address in permitted[:MAX_ADDRESSES]:
        left = until - time.monotonic()
        if left <= 0:
            break
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(left)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
            continue
        connection.settimeout(seconds)
        return connection
    raise failure


def _is_this_machine(family: int, address: Any) -> bool:
    """Whether packets to the address stay here: then they come from it, too. Nothing is sent to find out."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(address)
        except OSError:
            return False
        return bool(probe.getsockname()[0] == address[0])
