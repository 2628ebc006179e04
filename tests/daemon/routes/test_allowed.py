"""Where webhooks may go: to what is on the list, and never by a detour into the house."""

import re
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.routes.allowed import AllowList, Pattern, is_public


def allowing(*patterns: str) -> AllowList:
    return AllowList(map(Pattern.parse, patterns))


HOOKS = allowing("https://hooks.example.org/*", "https://*.example.net/in/*/x", "http://192.168.1.5:1880/hook")


@pytest.mark.parametrize(
    ("scheme", "host", "port", "path", "permitted"),
    [
        ("https", "hooks.example.org", 443, "/", True),
        ("https", "hooks.example.org", 443, "/a/b?c=d", True),
        ("https", "HOOKS.example.org", 443, "/a", True),
        ("http", "hooks.example.org", 443, "/", False),
        ("https", "hooks.example.org", 8443, "/", False),
        ("https", "hooks.example.org.evil.org", 443, "/", False),
        ("https", "evil-hooks.example.org", 443, "/", False),
        ("https", "hooks.example.org.", 443, "/", False),
        ("https", "a.example.net", 443, "/in/1/x", True),
        ("https", "a.b.example.net", 443, "/in/1/2/x", True),
        ("https", "example.net", 443, "/in/1/x", False),
        ("https", "a.example.net", 443, "/in/1/y", False),
        ("https", "a.example.net", 443, "/in/../out/x", False),
        ("https", "a.example.net", 443, "/in/%2e%2e/x", False),
        ("https", "a.example.net", 443, "/in/..%2fout/x", False),
        ("https", "a.example.net", 443, "/in/..\\out/x", False),
        ("http", "192.168.1.5", 1880, "/hook", True),
        ("http", "192.168.1.5", 1880, "/hook?x=1", False),
        ("http", "192.168.1.5", 80, "/hook", False),
    ],
)
def test_only_what_is_on_the_list_is_permitted(
    scheme: str, host: str, port: int, path: str, *, permitted: bool
) -> None:
    assert HOOKS.permits(scheme, host, port, path=path) is permitted


def test_an_empty_list_permits_nothing() -> None:
    assert not allowing().permits("https", "hooks.example.org", 443, path="/")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hooks.example.org",
        "ftp://hooks.example.org/",
        "https://hooks.example.org",
        "https://alice:x@hooks.example.org/*",
        "https://hooks.example.org:0/*",
        "https://hooks.example.org:70000/*",
        "https://hooks*.example.org/*",
        "https://hooks.*/x",
        "https://a b/*",
        "https://a/*/*/*/*/*",
        "https://a/" + "x" * 3000,
    ],
)
def test_an_entry_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Pattern.parse(text)


@pytest.mark.parametrize(
    ("host", "port", "address", "reached"),
    [
        ("hooks.example.org", 443, "93.184.215.14", True),
        ("hooks.example.org", 443, "192.168.1.5", False),
        ("hooks.example.org", 443, "127.0.0.1", False),
        ("hooks.example.org", 443, "::1", False),
        ("nas.example.org", 443, "192.168.1.9", True),
        ("nas.example.org", 80, "192.168.1.9", False),
        ("192.168.1.9", 443, "192.168.1.9", True),
        ("192.168.1.8", 443, "192.168.1.8", False),
        ("nodered.local", 1880, "192.168.1.7", True),
        ("nodered.local", 1881, "192.168.1.7", False),
        ("localhost", 1880, "127.0.0.1", True),
        ("other.local", 1880, "192.168.1.7", False),
        ("pi", 1880, "fd00::1", False),
    ],
)
def test_a_private_address_is_reached_only_when_the_list_names_it_or_a_host_of_the_house(
    host: str, port: int, address: str, *, reached: bool
) -> None:
    some = allowing(
        "https://hooks.example.org/*",
        "https://nas.example.org/*",
        "https://192.168.1.9/*",
        "http://nodered.local:1880/*",
        "http://localhost:1880/*",
        "http://*/*",
        "https://*/*",
    )
    assert some.reaches(host, port, address) is reached


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - an address that is tried, not one to listen on
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:192.168.1.1",
        "2002:c0a8:0101::1",
        "64:ff9b::10.0.0.1",
        "::127.0.0.1",
        "2001:db8::1",
        "127.1",
        "localhost",
        "",
    ],
)
def test_an_address_of_this_machine_or_house_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "64:ff9b::1.1.1.1"])
def test_an_address_of_the_world_is_public(address: str) -> None:
    assert is_public(address)


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_no_private_address_is_public_however_it_is_wrapped(address: IPv4Address | IPv6Address) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(str(address))
        if isinstance(address, IPv4Address):
            assert not is_public(f"::ffff:{address}")
            assert not is_public(f"64:ff9b::{address}")


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_a_pattern_or_a_value_error(text: str, path: str) -> None:
    try:
        pattern = Pattern.parse(text)
    except ValueError:
        return
    AllowList([pattern]).permits(pattern.scheme, pattern.host, pattern.port, path=path)


@given(st.from_regex(re.compile(r"/[a-z*.%/\\]{0,30}", re.ASCII), fullmatch=True))
def test_a_path_that_climbs_is_never_permitted(path: str) -> None:
    if "/../" in f"{path}/":
        assert not allowing("https://a/*").permits("https", "a", 443, path=path)
