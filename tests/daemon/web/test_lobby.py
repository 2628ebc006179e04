"""Who may stay when there is no room for all."""

from ipaddress import ip_address

import pytest

from jitney.daemon.counters import Counters
from jitney.daemon.web import lobby as rooms
from jitney.daemon.web.addresses import Addresses
from jitney.daemon.web.lobby import Lobby


class Person:
    """A connection that notes whether it was cut."""

    def __init__(self) -> None:
        self.out = False

    def turn_out(self) -> None:
        self.out = True


@pytest.fixture
def counters() -> Counters:
    return Counters()


def crowd(lobby: Lobby, number: int, *, at: str = "203.0.113.7", each: bool = False) -> list[Person]:
    people = [Person() for _ in range(number)]
    for index, person in enumerate(people):
        assert lobby.enter(person, ip_address(f"10.0.{index // 250}.{index % 250}" if each else at))
    return people


def out(people: list[Person]) -> list[int]:
    return [index for index, person in enumerate(people) if person.out]


def test_of_one_address_only_so_many_stay_and_the_oldest_that_waits_goes(counters: Counters) -> None:
    lobby = Lobby(counters, of_one=4)
    people = crowd(lobby, 6)
    assert out(people) == [0, 1]
    assert len(lobby) == 4
    assert counters.total("turned_away", reason="address") == 2


def test_who_is_being_served_is_not_sent_away(counters: Counters) -> None:
    lobby = Lobby(counters, of_one=4)
    people = crowd(lobby, 4)
    lobby.served(people[0])
    lobby.enter(late := Person(), ip_address("203.0.113.7"))
    assert out(people) == [1]
    for person in (*people[2:], late):
        lobby.served(person)
    assert not lobby.enter(Person(), ip_address("203.0.113.7"))
    lobby.waits(people[0])
    assert lobby.enter(Person(), ip_address("203.0.113.7"))
    assert people[0].out


def test_somebody_elses_crowd_makes_room_for_a_newcomer(counters: Counters) -> None:
    lobby = Lobby(counters, most=20)
    people = crowd(lobby, 20, each=True)
    assert lobby.enter(newcomer := Person(), ip_address("198.51.100.1"))
    assert (out(people), newcomer.out, len(lobby)) == ([0], False, 20)
    assert counters.total("turned_away", reason="connections") == 1


def test_a_trusted_proxy_may_come_as_often_as_there_is_room(counters: Counters) -> None:
    lobby = Lobby(counters, addresses=Addresses(proxies=["203.0.113.7"]), most=20, of_one=4)
    assert out(crowd(lobby, 20)) == []
    assert lobby.enter(Person(), ip_address("203.0.113.7"))
    assert len(lobby) == 20


def test_of_bodies_on_their_way_the_oldest_goes(counters: Counters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MOST_BODIES", 5)
    monkeypatch.setattr(rooms, "MOST_BODIES_OF_ONE", 2)
    lobby = Lobby(counters)
    people = crowd(lobby, 10, each=True)
    for person in people[:3]:
        lobby.reads(person, ip_address("203.0.113.7"))
    assert out(people) == [0]
    for index, person in enumerate(people[3:7]):
        lobby.reads(person, ip_address(f"198.51.100.{index}"))
    assert out(people) == [0, 1]
    lobby.has_read(people[2])
    lobby.reads(people[7], ip_address("198.51.100.9"))
    assert out(people) == [0, 1]
    assert counters.total("turned_away", reason="bodies") == 2


def test_nothing_is_remembered_of_who_has_gone(counters: Counters) -> None:
    lobby = Lobby(counters)
    people = crowd(lobby, 100, each=True)
    for person in people:
        lobby.served(person)
        lobby.reads(person, ip_address("203.0.113.7"))
    for person in people:
        lobby.leave(person)
        lobby.leave(person)
        lobby.waits(person)
    kept = [lobby._inside, lobby._groups, lobby._waiting, lobby._bodies, lobby._bodies_of]
    assert not any(kept)


def test_connections_never_take_the_last_files(counters: Counters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms.resource, "getrlimit", lambda _: (1024, 4096))
    assert Lobby(counters, most=5000)._most == 768
    monkeypatch.setattr(rooms.resource, "getrlimit", lambda _: (-1, -1))
    assert Lobby(counters)._most == 1024
