"""Sockets that are handed over, as systemd does it."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from jitney.daemon.service.sockets import handed_over

FAR = 200


@pytest.fixture
def handing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def hand(*sockets: int, first: int = FAR) -> None:
    """Put descriptors where systemd would, but further up, where the test has none of its own."""
    for number, descriptor in enumerate(sockets):
        os.dup2(descriptor, first + number)


def listening(stack: ExitStack) -> socket.socket:
    one = stack.enter_context(socket.socket())
    one.bind(("127.0.0.1", 0))
    one.listen()
    return one


def environment(number: int, names: str, pid: int | None = None) -> dict[str, str]:
    pid = os.getpid() if pid is None else pid
    return {"LISTEN_PID": str(pid), "LISTEN_FDS": str(number), "LISTEN_FDNAMES": names, "HOME": "/"}


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_the_one_with_the_name_is_taken_and_no_child_gets_it(handing: ExitStack) -> None:
    one = listening(handing)
    hand(one.fileno())
    environ = environment(1, "webhook")
    (found,) = handed_over(environ, first=FAR)
    with found:
        assert found.getsockname() == one.getsockname()
        assert (found.getblocking(), found.get_inheritable()) == (False, False)
    assert environ == {"HOME": "/"}


def test_every_one_with_the_name_is_taken_and_all_others_are_closed(handing: ExitStack) -> None:
    first, other, second = (listening(handing) for _ in range(3))
    hand(first.fileno(), other.fileno(), second.fileno())
    found = handed_over(environment(3, "webhook:metrics:webhook"), first=FAR)
    assert [one.getsockname() for one in found] == [first.getsockname(), second.getsockname()]
    assert not is_open(FAR + 1)
    for one in found:
        one.close()


@pytest.mark.parametrize("names", ["webhook", ""])
def test_what_nobody_can_connect_to_is_not_taken_whatever_it_is_called(handing: ExitStack, names: str) -> None:
    plain = handing.enter_context(socket.socket())
    file = os.open(os.devnull, os.O_RDONLY)
    handing.callback(os.close, file)
    hand(plain.fileno(), file)
    assert handed_over(environment(2, f"{names}:{names}"), first=FAR) == ()
    assert not is_open(FAR)
    assert not is_open(FAR + 1)


@pytest.mark.parametrize(
    "environ", [environment(1, "webhook", pid=1), environment(0, ""), {"LISTEN_FDS": "1"}, {"LISTEN_FDS": "x"}, {}]
)
def test_what_was_meant_for_another_process_is_left_alone(handing: ExitStack, environ: dict[str, str]) -> None:
    one = listening(handing)
    hand(one.fileno())
    assert handed_over(dict(environ), first=FAR) == ()
    assert is_open(FAR)
    os.close(FAR)
