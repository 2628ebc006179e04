"""Whose everything is: rules, then persons, then who did it; and a state's owner does not move about."""

import msgspec
import pytest
from msgspec import Raw

from jitney.adapters.base import Owner
from jitney.adapters.homeassistant import session
from jitney.adapters.homeassistant.config import Identity
from jitney.adapters.homeassistant.owners import Owners
from jitney.adapters.homeassistant.persons import Persons
from jitney.adapters.homeassistant.places import Places
from jitney.topics import HOUSE
from tests.adapters.homeassistant.following import adapter_for, context, online, published
from tests.fakes.homeassistant import FakeHomeAssistant

IN_HER_ROOM = Owner("alice", "Alice", Identity(person="person.alice", areas=("alice_room",)))


async def test_persons_and_their_trackers_belong_to_their_owner() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        owners = {entity_id: owner for entity_id, (owner, _) in published(ctx).items()}
        assert owners["person.alice"] == owners["device_tracker.alice_phone"] == "alice"
        assert owners["person.bob"] == owners["device_tracker.bob_phone"] == "bob"
        assert owners["person.owner"] == owners["zone.home"] == HOUSE
        home.set_state("device_tracker.bob_phone", "home")
        (event,) = await ctx.until_events(1)
        assert event.owner == "bob"


async def test_trackers_are_known_from_the_list_where_a_person_has_no_such_attribute() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("person.bob", "home", attributes={"id": "bob"})
        async with online(adapter_for(home), ctx := context()):
            assert published(ctx)["device_tracker.bob_phone"] == ("bob", "not_home")


async def test_what_a_user_does_belongs_to_them_but_the_state_stays_where_it_was() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.hall", "off")
        async with online(adapter_for(home), ctx := context()):
            home.set_state("light.hall", "on", user="Alice")
            (event,) = await ctx.until_events(1)
            assert (event.owner, event.actor) == ("alice", "alice")
            assert published(ctx)["light.hall"] == (HOUSE, "on")


async def test_a_rule_decides_over_who_did_it_and_the_actor_says_who() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.alice_bed", "off")
        async with online(adapter_for(home), ctx := context()):
            home.set_state("light.alice_bed", "on", user="Bob")
            (event,) = await ctx.until_events(1)
            assert (event.owner, event.actor) == ("alice", "bob")
            assert published(ctx)["light.alice_bed"] == ("alice", "on")


async def test_persons_and_users_who_are_nobody_here_are_told() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        assert ctx.strangers == {("person", "person.owner"): ""}
        home.set_state("light.hall", "on", user="Owner")
        home.set_state("light.hall", "off", user="Alice")
        await ctx.until_events(2)
        assert ctx.strangers.keys() == {("person", "person.owner"), ("user", home.users["Owner"].id)}


async def test_a_user_nobody_is_known_for_is_named_by_their_id() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        home.set_state("light.hall", "on", user="Owner")
        (event,) = await ctx.until_events(1)
        assert (event.owner, event.actor) == (HOUSE, home.users["Owner"].id)


async def test_what_an_automation_does_belongs_to_who_triggered_it_over_several_steps() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context()):
        pressed = home.set_state("input_button.press", "1", user="Bob")
        automation = home.fire("automation_triggered", {"name": "evening"}, parent=pressed)
        script = home.fire("script_started", {"name": "lights"}, parent=automation)
        home.set_state("light.hall", "on", context=script)
        events = await ctx.until_events(4)
        assert [(event.owner, event.actor) for event in events] == [("bob", "bob")] * 4


async def test_what_nobody_caused_belongs_to_the_adapters_own_owner() -> None:
    async with FakeHomeAssistant() as home, online(adapter_for(home), ctx := context(default_owner="bob")):
        home.set_state("light.hall", "on")
        home.fire("doorbell", {})
        events = await ctx.until_events(2)
        assert [event.owner for event in events] == ["bob", "bob"]


async def test_an_event_belongs_to_the_owner_of_the_entity_it_names() -> None:
    async with FakeHomeAssistant() as home:
        home.set_state("light.alice_bed", "off")
        async with online(adapter_for(home), ctx := context()):
            home.fire("alarm", {"entity_id": "light.alice_bed"})
            home.fire("alarm", {"entity_id": ["light.alice_bed"]})
            home.fire("alarm", {"entity_id": ["light.alice_bed", "person.bob"]})
            home.fire("alarm", {"entity_id": 5})
            events = await ctx.until_events(4)
            assert [event.owner for event in events] == ["alice", "alice", HOUSE, HOUSE]


async def test_areas_give_entities_and_devices_their_owner() -> None:
    async with FakeHomeAssistant() as home:
        home.registries.add_area("alice_room")
        lamp = home.registries.add_device("lamp", area="alice_room")
        home.add_entity("light.lamp", device=lamp)
        home.add_entity("sensor.air", "5", area="alice_room")
        home.add_entity("light.hall")
        async with online(adapter_for(home), ctx := context([IN_HER_ROOM])):
            owners = {entity_id: owner for entity_id, (owner, _) in published(ctx).items()}
            assert owners["light.lamp"] == owners["sensor.air"] == "alice"
            assert owners["light.hall"] == HOUSE
            home.fire("zha_event", {"device_id": lamp})
            (event,) = await ctx.until_events(1)
            assert event.owner == "alice"


async def test_an_entity_that_moves_takes_its_state_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "SETTLE", 0.01)
    async with FakeHomeAssistant() as home:
        home.registries.add_area("alice_room")
        home.add_entity("light.lamp", "on", attributes={"brightness": 9})
        async with online(adapter_for(home), ctx := context([IN_HER_ROOM])):
            assert published(ctx)["light.lamp"] == (HOUSE, "on")
            home.registries.move("light.lamp", "alice_room")
            await ctx.until(lambda: published(ctx)["light.lamp"] == ("alice", "on"))
            await ctx.until(lambda: (HOUSE, "light.lamp") in ctx.removed)
            assert ctx.events == []


async def test_a_person_who_gets_another_tracker_gets_its_state_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "SETTLE", 0.01)
    async with FakeHomeAssistant() as home:
        home.set_state("device_tracker.watch", "home")
        async with online(adapter_for(home), ctx := context()):
            attributes = {**home.states["person.bob"].attributes, "device_trackers": ["device_tracker.watch"]}
            home.set_state("person.bob", "home", attributes=attributes)
            await ctx.until(lambda: published(ctx)["device_tracker.watch"] == ("bob", "home"))
            await ctx.until(lambda: published(ctx)["device_tracker.bob_phone"][0] == HOUSE)


async def test_an_area_that_does_not_exist_is_named_with_those_that_do() -> None:
    async with FakeHomeAssistant() as home:
        home.registries.add_area("kitchen")
        async with online(adapter_for(home), ctx := context([IN_HER_ROOM])):
            assert ctx.warnings() == [
                {"event": "Home Assistant has no such area", "area": "alice_room", "known": "kitchen"}
            ]


def test_a_name_beats_a_pattern_and_the_first_owner_wins() -> None:
    first = Owner("alice", "Alice", Identity(entities=("light.*", "sensor.x")))
    second = Owner("bob", "Bob", Identity(entities=("light.desk", "light.d*", "sensor.x")))
    owners = Owners([first, second], Places(), Persons())
    assert owners.of_entity("light.desk") == "bob"
    assert owners.of_entity("light.door") == "alice"
    assert owners.of_entity("sensor.x") == "alice"
    assert owners.of_entity("switch.x") == ""


def test_a_user_that_is_listed_makes_their_person_and_trackers_known() -> None:
    user = "0" * 32
    persons = Persons()
    owners = Owners([Owner("alice", "Alice", Identity(users=(user,)))], Places(), persons)
    attributes = {"user_id": user, "device_trackers": ["device_tracker.x"]}
    assert persons.note("person.al", Raw(msgspec.json.encode(attributes)), lambda *odd: pytest.fail(str(odd)))
    owners.refresh()
    assert owners.of_entity("person.al") == owners.of_entity("device_tracker.x") == owners.of_user(user) == "alice"
