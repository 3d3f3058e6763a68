from __future__ import annotations

import contextlib
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.connector import NetworkPermission
from connectors_core.http.addresses import AddressGuard, is_public, read_host, why_not_public

NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3ffe::1",
    "3fff::1",
    "5f00::1",
    "4000::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80e::200e",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_non_public_addresses_are_told_with_their_source(address: str) -> None:
    assert not is_public(ip_address(address))
    assert "RFC" in why_not_public(ip_address(address)) or "Azure" in why_not_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address))


_SPECIAL = ("is_private", "is_loopback", "is_link_local", "is_multicast", "is_reserved", "is_unspecified")
_NEAR_THE_EDGES = st.builds(
    lambda edge, step: IPv6Address((int(ip_address(edge.partition("%")[0])) + step) % 2**128),
    st.sampled_from([address for address in NOT_PUBLIC if ":" in address]),
    st.integers(-(2**20), 2**20),
)


@given(st.one_of(st.ip_addresses(), st.ip_addresses(v=6), _NEAR_THE_EDGES))
def test_nothing_that_the_standard_library_calls_special_is_public(
    address: IPv4Address | IPv6Address,
) -> None:
    if any(getattr(address, name) for name in _SPECIAL):
        assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_that_carries_an_ipv4_address_is_never_public(address: IPv4Address) -> None:
    octets = address.packed
    for prefix, suffix in [
        (bytes(12), b""),
        (bytes(10) + b"\xff\xff", b""),
        (bytes.fromhex("0064ff9b") + bytes(8), b""),
        (bytes.fromhex("2002"), bytes(10)),
    ]:
        assert not is_public(IPv6Address(prefix + octets + suffix))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", IPv4Address("127.0.0.1")),
        ("::1", IPv6Address("::1")),
        ("::ffff:127.0.0.1", IPv6Address("::ffff:127.0.0.1")),
        ("localhost", None),
        ("login.example.", None),
        ("a_b.example", None),
        ("1.example", None),
    ],
)
def test_a_host_is_a_name_or_a_canonical_address(host: str, address: object) -> None:
    assert read_host(host) == address


@pytest.mark.parametrize(
    "host",
    [
        "",
        "0",
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.1",
        "0x",
        "127.1",
        "127.0.0.01",
        "127.0.0.1.",
        "127.0.0.256",
        "1.2.3.4.5",
        "a.0x7f",
        "１２７.0.0.1",
        "١٢٧.0.0.1",
        "127。0。0。1",
        "fe80::1%eth0",
        "fe80::1%25eth0",
        "::1%25lo",
        ":::",
        "%6c%6fcalhost",
        "localhost%00.example",
        "exa mple",
        "a/b",
        "user@host",
        "[::1]",
        "host\n",
    ],
)
def test_other_notations_are_no_hosts(host: str) -> None:
    with pytest.raises(ValueError):
        read_host(host)


@given(st.text(max_size=40))
def test_reading_a_host_is_total(host: str) -> None:
    with contextlib.suppress(ValueError):
        read_host(host)


def guard(*hosts: str, private: bool = False) -> AddressGuard:
    return AddressGuard.of(NetworkPermission(private=private, hosts=frozenset(hosts)))


@pytest.mark.parametrize(
    ("permission", "name", "address", "allowed"),
    [
        (guard(), "idp.example", "8.8.8.8", True),
        (guard(), "idp.example", "10.0.0.1", False),
        (guard(private=True), "idp.example", "10.0.0.1", True),
        (guard("idp.internal"), "idp.internal", "10.0.0.1", True),
        (guard("IdP.Internal."), "idp.internal", "10.0.0.1", True),
        (guard("idp.internal"), "IDP.INTERNAL.", "10.0.0.1", True),
        (guard("idp.internal"), "evil.example", "10.0.0.1", False),
        (guard("idp.internal"), "sub.idp.internal", "10.0.0.1", False),
        (guard("10.0.0.5"), "idp.internal", "10.0.0.5", True),
        (guard("10.0.0.5"), "idp.internal", "10.0.0.6", False),
        (guard("10.0.0.0/8"), "any.example", "10.9.9.9", True),
        (guard("10.1.2.3/8"), "any.example", "10.9.9.9", True),
        (guard("10.0.0.0/8"), "any.example", "::ffff:10.0.0.1", False),
        (guard("10.0.0.0/8"), "any.example", "127.0.0.1", False),
        (guard("[::1]"), "::1", "::1", True),
        (guard("fd00::/8"), "any.example", "fd00::1", True),
        (guard(private=True), "idp.example", "not-an-address", False),
    ],
)
def test_a_permission_opens_what_it_lists_and_no_more(
    permission: AddressGuard, name: str, address: str, allowed: bool
) -> None:
    assert (permission.refusal(name, address) == "") is allowed
