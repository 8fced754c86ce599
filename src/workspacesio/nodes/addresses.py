"""To which addresses this server connects on behalf of a node: never to link-local or metadata services.

A node's address is typed by a user, so the server could be made to call places that only it reaches. A name is
resolved once for each connection and judged by what it resolves to, as names can be pointed elsewhere after they
were looked at; connected is to an address that was judged (`connecting.py`).

Listed entries are a host name, an address or a network, each with or without a port: `minio.example.org`,
`10.1.2.3:9000`, `[fd00::7]:9000`, `10.0.0.0/8`, `[fd00::/8]:9000`. Without any, what isn't always refused is
allowed, or with `public_only` what everybody on the internet reaches and no port that other services have.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
"""Metadata services outside of the link-local networks: Alibaba, Azure, Oracle, Amazon (IPv6), Google (IPv6)."""

_TRANSLATED = tuple(ipaddress.ip_network(text) for text in ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96"))
"""Networks whose last 32 bits are an IPv4 address: RFC 6052, RFC 4291 (2.5.5.1), RFC 2765."""

_NO_PLACE = tuple(ipaddress.ip_network(text) for text in ("64:ff9b:1::/48", "192.88.99.0/24", "2001::/32"))
"""Translations that nobody can judge here: RFC 8215, RFC 7526, RFC 4380."""

_ENTRY = re.compile(r"(?:\[(?P<wrapped>[^\]]+)\]|(?P<plain>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_WEB_PORTS = frozenset({80, 443})
_FIRST_UNRESERVED_PORT = 1024


@dataclass(frozen=True, slots=True)
class AllowedAddresses:
    """`names` and `networks` that nodes may have, each with a port or None for any."""

    names: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[tuple[IPNetwork, int | None], ...] = ()
    public_only: bool = False

    @classmethod
    def of(cls, entries: Iterable[str], *, public_only: bool = False) -> "AllowedAddresses":
        """Raises ValueError for what is no entry. `public_only` counts where nothing is listed."""
        names: set[tuple[str, int | None]] = set()
        networks: list[tuple[IPNetwork, int | None]] = []
        for entry in entries:
            place, port = _parsed(entry)
            if isinstance(place, str):
                names.add((place, port))
            else:
                networks.append((place, port))
        return cls(frozenset(names), tuple(networks), public_only)

    @property
    def is_public_alone(self) -> bool:
        return self.public_only and not self.names and not self.networks

    def permits(self, host: str, address: str, port: int | None = None) -> bool:
        """May a connection to `host`, which resolved to `address`, be made? Without a port it isn't judged."""
        found = plain_address(address)
        if is_never_allowed(found):
            return False
        if not self.names and not self.networks:
            return not self.public_only or (is_public(found) and _is_open_port(port))
        ports = [wanted for name, wanted in self.names if name == spelled_host(host)]
        ports += [wanted for network, wanted in self.networks if _is_in(found, [network])]
        return any(wanted is None or port is None or wanted == port for wanted in ports)


def plain_address(address: str) -> IPAddress:
    """The address that packets go to: the IPv4 one where an IPv6 one only wraps it."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped
        if found.sixtofour is not None:
            return found.sixtofour
        is_own = found.is_loopback or found.is_unspecified
        if not is_own and any(found in network for network in _TRANSLATED):
            return ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
    return found


def is_never_allowed(address: IPAddress) -> bool:
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address in _METADATA
        or _is_in(address, _NO_PLACE)
        or (isinstance(address, ipaddress.IPv4Address) and int(address) == 0xFFFF_FFFF)
    )


def is_public(address: IPAddress) -> bool:
    """Whether everybody on the internet reaches it, by IANA's registries of special addresses."""
    is_site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not (address.is_reserved or is_site_local)


def spelled_host(host: str) -> str:
    """As names are compared: in small letters, without the final dot."""
    return host.lower().rstrip(".")


def is_host(host: str) -> bool:
    """A name of letters, digits, '.', '-' and '_', or an address; nothing that libraries read differently."""
    return _is_address(host) or _HOST_NAME.fullmatch(spelled_host(host)) is not None


def _parsed(entry: str) -> tuple[str | IPNetwork, int | None]:
    """Raises ValueError."""
    if entry.count(":") > 1 and not entry.startswith("["):
        return ipaddress.ip_network(entry, strict=False), None
    match = _ENTRY.fullmatch(entry)
    port = int(match["port"]) if match and match["port"] else None
    if match is None or port == 0 or (port or 0) > 0xFFFF:
        raise ValueError(f"{entry!r} is no host name, address or network")
    place = match["wrapped"] or match["plain"]
    if "/" in place or _is_address(place):
        return ipaddress.ip_network(place, strict=False), port
    if match["wrapped"] or not is_host(place):
        raise ValueError(f"{entry!r} is no host name, address or network")
    return spelled_host(place), port


def _is_open_port(port: int | None) -> bool:
    """Below 1,024 are mail, shells and directories, which may take a request for something else."""
    return port is None or port in _WEB_PORTS or port >= _FIRST_UNRESERVED_PORT


def _is_in(address: IPAddress, networks: Iterable[IPNetwork]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _is_address(entry: str) -> bool:
    try:
        ipaddress.ip_address(entry)
    except ValueError:
        return False
    return True
