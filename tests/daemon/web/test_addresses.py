"""Who asks, also behind a proxy, and who may see what names people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from jitney.daemon.web.addresses import HERE, Addresses, house, of_peer, parsed

HOUSE = Addresses(proxies=["127.0.0.1", "10.0.0.0/8"], near=["127.0.0.0/8", "::1", "192.168.1.0/24"])


def asked(peer: str, *forwarded: str, of: Addresses = HOUSE, **headers: str) -> tuple[str, bool]:
    """Return whom a request is counted for, and whether they may see names."""
    given = CIMultiDict[str]([("X-Forwarded-For", one) for one in forwarded])
    given.extend({name.replace("_", "-"): value for name, value in headers.items()})
    address = of_peer((peer, 1))
    return str(of.client(address, given)), of.may_see(address, given)


def test_who_comes_without_a_proxy_is_who_the_socket_says() -> None:
    assert asked("127.0.0.1") == ("127.0.0.1", True)
    assert asked("::1") == ("::1", True)
    assert asked("192.168.1.20") == ("192.168.1.20", True)
    assert asked("203.0.113.7") == ("203.0.113.7", False)


def test_what_a_trusted_proxy_says_is_believed() -> None:
    assert asked("127.0.0.1", "203.0.113.7") == ("203.0.113.7", False)
    assert asked("127.0.0.1", "192.168.1.20") == ("192.168.1.20", True)


def test_what_anybody_else_says_is_not() -> None:
    assert asked("203.0.113.7", "192.168.1.20") == ("203.0.113.7", False)
    assert asked("192.168.1.20", "192.168.1.21") == ("192.168.1.20", False)


def test_of_a_chain_the_last_one_counts_that_is_not_our_own_proxy() -> None:
    assert asked("127.0.0.1", "1.2.3.4, 203.0.113.7, 10.1.2.3")[0] == "203.0.113.7"
    assert asked("127.0.0.1", "127.0.0.1, 203.0.113.7")[0] == "203.0.113.7"


def test_a_second_header_goes_on_where_the_first_one_ends() -> None:
    assert asked("127.0.0.1", "192.168.1.20", "203.0.113.7") == ("203.0.113.7", False)


def test_that_somebody_behind_a_proxy_were_on_this_machine_is_not_believed() -> None:
    assert asked("127.0.0.1", "127.0.0.1") == ("127.0.0.1", False)
    assert asked("127.0.0.1", "::ffff:127.0.0.2") == ("127.0.0.2", False)


@pytest.mark.parametrize("header", ["Forwarded", "Via", "X_Real_IP"])
def test_a_proxy_that_does_not_say_for_whom_it_asks_sees_no_names(header: str) -> None:
    assert not asked("127.0.0.1", **{header: "192.168.1.20"})[1]
    assert not asked("127.0.0.1", of=Addresses(near=["127.0.0.0/8"]), **{header: "1.1 x"})[1]


def test_a_proxy_that_is_not_trusted_sees_no_names_even_on_this_machine() -> None:
    assert not asked("127.0.0.1", "127.0.0.1", of=Addresses(near=["127.0.0.0/8"]))[1]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" 203.0.113.7 ", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ('"2001:db8::1"', "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("unknown", "None"),
        ("", "None"),
    ],
)
def test_an_address_is_read_however_it_is_written(text: str, address: str) -> None:
    assert str(parsed(text)) == address


def test_who_comes_through_a_unix_socket_is_here() -> None:
    assert of_peer("") == of_peer(None) == HERE


def test_all_of_one_ipv6_prefix_are_one() -> None:
    one, other, else_ = (parsed(text) for text in ("2001:db8:0:1::5", "2001:db8:0:1:ffff::9", "2001:db8:0:2::5"))
    assert one is not None
    assert other is not None
    assert else_ is not None
    assert house(one) == house(other) != house(else_)


@given(st.lists(st.text(max_size=60), max_size=3), st.ip_addresses())
def test_whatever_a_header_says_somebody_is_counted(lines: list[str], peer: object) -> None:
    assert asked(str(peer), *lines)[0]
