"""Which addresses a connector may reach.

The table is our own because ``ipaddress`` answers another question: ``is_private`` lets NAT64
(``64:ff9b::/96``) and 6to4 through in some versions of Python, and both lead to IPv4 addresses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..connector import NetworkPermission

Address = IPv4Address | IPv6Address

CURE = "name it in private_hosts of the connector, or set allow_private_network in development"

_IPV4: Mapping[IPv4Network, str] = {
    IPv4Network(network): source
    for network, source in {
        "0.0.0.0/8": "this host on this network, RFC 1122 §3.2.1.3",
        "10.0.0.0/8": "private use, RFC 1918",
        "100.64.0.0/10": "shared address space, RFC 6598",
        "127.0.0.0/8": "loopback, RFC 1122 §3.2.1.3",
        "168.63.129.16/32": "Azure's host agent, answers inside every Azure network",
        "169.254.0.0/16": "link-local, RFC 3927; the metadata services of most clouds",
        "172.16.0.0/12": "private use, RFC 1918",
        "192.0.0.0/24": "IETF protocol assignments, RFC 6890 §2.1",
        "192.0.2.0/24": "documentation, RFC 5737",
        "192.88.99.0/24": "6to4 relay anycast, RFC 7526",
        "192.168.0.0/16": "private use, RFC 1918",
        "198.18.0.0/15": "benchmarking, RFC 2544",
        "198.51.100.0/24": "documentation, RFC 5737",
        "203.0.113.0/24": "documentation, RFC 5737",
        "224.0.0.0/4": "multicast, RFC 5771",
        "240.0.0.0/4": "reserved, RFC 1112 §4, with the limited broadcast address, RFC 919",
    }.items()
}

_GLOBAL_UNICAST = IPv6Network("2000::/3")

_IPV6: Mapping[IPv6Network, str] = {
    IPv6Network(network): source
    for network, source in {
        "::/128": "unspecified, RFC 4291 §2.5.2",
        "::1/128": "loopback, RFC 4291 §2.5.3",
        "::/96": "IPv4-compatible, RFC 4291 §2.5.5.1",
        "::ffff:0:0/96": "IPv4-mapped, RFC 4291 §2.5.5.2",
        "64:ff9b::/96": "NAT64, leads to an IPv4 address, RFC 6052",
        "64:ff9b:1::/48": "local-use NAT64, RFC 8215",
        "100::/64": "discard-only, RFC 6666",
        "2001::/32": "Teredo, leads to an IPv4 address, RFC 4380",
        "2001::/23": "IETF protocol assignments, RFC 2928",
        "2001:db8::/32": "documentation, RFC 3849",
        "2002::/16": "6to4, leads to an IPv4 address, RFC 3056",
        "3ffe::/16": "the former 6bone, RFC 3701",
        "3fff::/20": "documentation, RFC 9637",
        "fc00::/7": "unique local, RFC 4193",
        "fe80::/10": "link-local, RFC 4291 §2.5.6",
        "fec0::/10": "site-local, RFC 3879",
        "ff00::/8": "multicast, RFC 4291 §2.7",
    }.items()
}


def is_public(address: Address) -> bool:
    """Tell whether an address belongs to the public internet.

    For IPv6 that is global unicast (``2000::/3``) alone. An address that carries an IPv4 address
    (mapped, NAT64, 6to4, Teredo) is never public, whichever it carries. IANA IPv4 and IPv6
    Special-Purpose Address Registries, RFC 6890.
    """
    return not why_not_public(address)


def why_not_public(address: Address) -> str:
    """Return what an address is for and the source of that, or "" for a public one."""
    if isinstance(address, IPv4Address):
        return next((source for network, source in _IPV4.items() if address in network), "")
    if address.scope_id is not None:
        return "has a zone, RFC 4007"
    for network, source in _IPV6.items():
        if address in network:
            return source
    return "" if address in _GLOBAL_UNICAST else "outside global unicast, RFC 4291 §2.4"


_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")


@lru_cache(maxsize=1024)
def read_host(host: str) -> Address | None:
    """Return the literal address a URL's host is (without brackets), or None where it is a name.

    Raises ValueError for anything that resolvers read as an address but that is not its canonical
    notation (``2130706433``, ``0x7f.1``, ``127.0.0.1.``), for zones, and for characters that no
    host has. RFC 3986 §3.2.2, WHATWG URL "ends in a number".
    """
    if not _HOST.fullmatch(host):
        raise ValueError("is not a host name")
    if ":" in host:
        return IPv6Address(host)
    if _NUMERIC_LABEL.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return IPv4Address(host)
    return None


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """A ``NetworkPermission``, read once: what may be reached though it is not public.

    A listed name allows every address that this name resolves to. A listed address or network
    allows those addresses under whichever name; listing ``64:ff9b::/96``, as a host behind
    DNS64 must, allows with it every IPv4 address behind the translator.
    """

    everything: bool
    names: frozenset[str]
    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def of(cls, permission: NetworkPermission) -> AddressGuard:
        names, networks = set(), []
        for entry in permission.hosts:
            host = entry.strip().strip("[]").rstrip(".").lower()
            try:
                networks.append(ip_network(host, strict=False))
            except ValueError:
                names.add(host)
        return cls(permission.private, frozenset(names), tuple(networks))

    def lists(self, name: str) -> bool:
        """Tell whether a host name is allowed whatever it resolves to."""
        return self.everything or name.rstrip(".").lower() in self.names

    def refusal(self, name: str, address: str) -> str:
        """Return why ``address`` must not be reached under ``name``, or "" where it may be."""
        try:
            literal = ip_address(address)
        except ValueError:
            return "is not a literal address"
        reason = why_not_public(literal)
        if not reason or self.lists(name) or any(literal in network for network in self.networks):
            return ""
        return f"is not public ({reason}); {CURE}"
