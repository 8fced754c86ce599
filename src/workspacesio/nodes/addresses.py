"""To which addresses this server connects on behalf of a node: never to link-local or metadata services.

A node's address is typed by a user, so the server could be made to call places that only it reaches. A name is
judged by what it resolves to at each connection, as names can be pointed elsewhere after they were looked at.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
"""Metadata services outside of the link-local networks: Alibaba, Oracle, Amazon (IPv6), Google (IPv6)."""


@dataclass(frozen=True, slots=True)
class AllowedAddresses:
    """`names` and `networks` that nodes may have; without both, every address that is not always refused."""

    names: frozenset[str] = frozenset()
    networks: tuple[IPNetwork, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> "AllowedAddresses":
        """From host names, addresses and networks such as `10.0.0.0/8`; raises ValueError for none of these."""
        names: set[str] = set()
        networks: list[IPNetwork] = []
        for entry in entries:
            if "/" in entry or _is_address(entry):
                networks.append(ipaddress.ip_network(entry, strict=False))
            else:
                names.add(_spelled(entry))
        return cls(frozenset(names), tuple(networks))

    def permits(self, host: str, address: str) -> bool:
        """May a connection to `host`, which resolved to `address`, be used?"""
        found = plain_address(address)
        if is_never_allowed(found):
            return False
        if not self.names and not self.networks:
            return True
        return _spelled(host) in self.names or any(
            found in network for network in self.networks if network.version == found.version
        )


def plain_address(address: str) -> IPAddress:
    """The address that packets go to: the IPv4 one where an IPv6 one only wraps it."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped
        if found.sixtofour is not None:
            return found.sixtofour
        if found in ipaddress.ip_network("64:ff9b::/96"):
            return ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
    return found


def is_never_allowed(address: IPAddress) -> bool:
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address in _METADATA
        or (isinstance(address, ipaddress.IPv4Address) and int(address) == 0xFFFF_FFFF)
    )


def _spelled(host: str) -> str:
    return host.lower().rstrip(".")


def _is_address(entry: str) -> bool:
    try:
        ipaddress.ip_address(entry)
    except ValueError:
        return False
    return True
