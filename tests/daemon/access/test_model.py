from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from jitney.adapters import registry
from jitney.adapters.errors import MisconfiguredError
from jitney.daemon.access.model import ADMINISTRATOR, DAEMON, HOME, Model, model
from jitney.daemon.access.render import render
from jitney.daemon.config.schema import (
    AdapterSettings,
    BusSettings,
    Config,
    DiscoverySettings,
    MqttSettings,
    OwnerDiscoverySettings,
    OwnerSettings,
)
from jitney.topics import TopicTree
from jitney.topics.tree import LAYOUT
from tests.fakes.walled import household

MODEL = model(household(["alice", "bob"]))


def adapter(name: str, kind: str, owner: str = "_house") -> AdapterSettings:
    return AdapterSettings(name=name, type=registry.adapter_type(kind), config=None, owner=owner)


def shown(owners: Mapping[str, OwnerDiscoverySettings], *adapters: AdapterSettings) -> Model:
    """Return the model of a household whose owners are shown in Home Assistant like this."""
    people = {owner: OwnerSettings(id=owner, discovery=settings) for owner, settings in owners.items()}
    found = household([])
    return model(replace(found, owners=people, adapters={one.name: one for one in adapters}))


def test_everybody_is_in_it_and_nobody_else() -> None:
    assert list(MODEL.principals) == [DAEMON, "_house", "alice", "bob", HOME, ADMINISTRATOR]
    assert MODEL.owners == ["_house", "alice", "bob"]


def test_who_is_disabled_may_nothing_and_is_rendered_for_no_broker() -> None:
    found = household(["alice", "bob"])
    away = model(replace(found, owners={**found.owners, "alice": replace(found.owners["alice"], enabled=False)}))
    assert (away.principals["alice"].rules, away.principals["alice"].enabled) == ((), False)
    assert away.principals["bob"] == MODEL.principals["bob"]
    devices = {"alice": ["phone"], "bob": ["phone"]}
    for text in (render(away, "mosquitto-acl", devices).text, render(away, "emqx", devices).text):
        assert "jitney/alice/" not in text
        assert "jitney/bob/" in text
    assert "user jitney-alice.phone" not in render(away, "mosquitto-acl", devices).text


@pytest.mark.parametrize("layout", [layout for layout in LAYOUT.values() if layout.startswith("{owner}")])
def test_an_owner_reads_every_class_of_topic_of_the_own_tree_and_none_of_another(layout: str) -> None:
    alice = MODEL.principals["alice"]
    levels = {"adapter": "a", "kind": "k", "subject": "s", "command": "c", "client": "x", "transaction": "t"}
    levels |= {"source": "s", "giver": "bob", "alert": "a"}
    mine, his = (f"jitney/{layout.format(owner=owner, **levels)}" for owner in ("alice", "bob"))
    assert alice.allows("subscribe", mine)
    assert alice.allows("receive", mine)
    assert not alice.allows("subscribe", his)
    assert not alice.allows("receive", his)
    assert alice.allows("publish", mine) is layout.startswith(("{owner}/command", "{owner}/inbox"))
    assert not alice.allows("retain", mine)
    assert not alice.allows("publish", his)


def test_an_owner_learns_whether_the_bus_is_there_and_no_more_of_it() -> None:
    alice = MODEL.principals["alice"]
    assert alice.allows("receive", "jitney/_bus/main/state")
    for topic in ("info", "health", "log", "response/reload", "request/reload"):
        assert not alice.allows("receive", f"jitney/_bus/main/{topic}")
    assert not alice.allows("publish", "jitney/_bus/main/request/reload")


def test_an_administrator_asks_this_bus_and_sees_nobodys_events() -> None:
    admin = MODEL.principals[ADMINISTRATOR]
    assert admin.allows("publish", "jitney/_bus/main/request/reload")
    assert admin.allows("receive", "jitney/_bus/main/response/reload")
    assert not admin.allows("publish", "jitney/_bus/attic/request/reload")
    assert not admin.allows("receive", "jitney/alice/event/a/b")


def test_home_assistant_is_let_see_what_it_is_told_of_and_nobody_who_wants_to_be_left_out() -> None:
    settings = {"alice": OwnerDiscoverySettings(), "bob": OwnerDiscoverySettings(enabled=False)}
    home = shown(settings, adapter("home", "homeassistant")).principals[HOME]
    assert home.allows("receive", "jitney/alice/state/home/light")
    assert home.allows("subscribe", "jitney/alice/event/home/+")
    assert home.allows("publish", "jitney/alice/command/home/call_service")
    assert home.allows("receive", "jitney/_house/status/home")
    assert home.allows("retain", "homeassistant/status")
    assert not home.allows("receive", "jitney/bob/state/home/light")
    assert not home.allows("receive", "jitney/alice/alert/home.reauth")
    assert not home.allows("retain", "jitney/alice/command/home/call_service")


def test_home_assistant_sees_nothing_of_what_is_private_altogether_unless_its_owner_shows_it() -> None:
    settings = {"alice": OwnerDiscoverySettings(), "bob": OwnerDiscoverySettings(private=("strava",))}
    home = shown(settings, adapter("strava", "strava")).principals[HOME]
    assert home.allows("receive", "jitney/alice/status/strava")
    assert not home.allows("receive", "jitney/alice/state/strava/stats")
    assert home.allows("receive", "jitney/bob/state/strava/stats")


def test_a_home_assistant_of_ones_own_sees_its_owner_alone() -> None:
    settings = {"alice": OwnerDiscoverySettings(prefix="hers"), "bob": OwnerDiscoverySettings()}
    found = shown(settings, adapter("home", "homeassistant"))
    hers, house = found.principals["_home-hers"], found.principals[HOME]
    assert hers.allows("receive", "jitney/alice/state/home/light")
    assert hers.allows("receive", "hers/device/x/y/config")
    assert not hers.allows("receive", "jitney/bob/state/home/light")
    assert not hers.allows("receive", "jitney/_house/state/home/light")
    assert not hers.allows("receive", "homeassistant/device/x/y/config")
    assert not house.allows("receive", "jitney/alice/state/home/light")


def test_two_prefixes_that_look_alike_are_two_principals() -> None:
    settings = {"alice": OwnerDiscoverySettings(prefix="a/b"), "bob": OwnerDiscoverySettings(prefix="a b")}
    assert {"_home-a-b", "_home-a-b-"} <= set(shown(settings).principals)


def test_without_discovery_there_is_no_home_assistant() -> None:
    found = model(replace(household(), discovery=DiscoverySettings(enabled=False)))
    assert HOME not in found.principals
    assert found.prefixes == ()
    assert not found.principals[DAEMON].allows("receive", "homeassistant/status")


def test_the_names_of_two_roots_never_meet() -> None:
    other = model(Config(mqtt=MqttSettings(topic_root="house/bus"), owners={"alice": OwnerSettings(id="alice")}))
    assert (MODEL.username("alice", "phone"), other.username("alice", "phone")) == (
        "jitney-alice.phone",
        "jitney@house.bus-alice.phone",
    )
    assert MODEL.device(other.username("alice", "phone")) is None
    assert other.device("jitney-alice.phone") is None
    assert other.principals["alice"].allows("receive", "house/bus/alice/event/a/b")


@pytest.mark.parametrize(
    "name", ["alice", "jitney", "jitney-alice", "jitney-.phone", "jitney-alice.", "jitney-a.B", "x.y"]
)
def test_a_login_that_is_no_device_is_not_taken_for_one(name: str) -> None:
    assert MODEL.device(name) is None


def test_a_login_of_a_device_is_read_back() -> None:
    assert MODEL.device(MODEL.username("a-b_c", "x-y")) == ("a-b_c", "x-y")
    assert MODEL.device(MODEL.username("_house", "panel")) == ("_house", "panel")


@pytest.mark.parametrize("login", ["jitney\nuser alice", " jitney", "jitney-alice.phone"])
def test_a_login_of_the_daemon_that_would_be_somebody_else_is_refused(login: str) -> None:
    with pytest.raises(MisconfiguredError, match=r"\[mqtt\] username"):
        model(replace(household(), mqtt=MqttSettings(username=login)))


def test_an_owner_who_is_called_like_the_daemon_has_no_login_without_a_device() -> None:
    found = model(household(["jitney"]))
    assert found.principals["jitney"].username == ""
    assert found.principals[DAEMON].username == "jitney"


def test_what_the_daemon_subscribes_and_announces_is_allowed() -> None:
    found = model(replace(household(), bus=BusSettings(instance="attic"))).principals[DAEMON]
    tree = TopicTree()
    for kind in LAYOUT:
        assert found.allows("subscribe", tree.filter(kind))
    for pattern in (
        "homeassistant/+/jitney-attic/+/config",
        "homeassistant/+/jitney-attic/+/+",
        "homeassistant/status",
    ):
        assert found.allows("subscribe", pattern)
        assert found.allows("receive", pattern)
    assert found.allows("retain", "homeassistant/device/jitney-attic/alice--home/config")
    assert not found.allows("retain", "homeassistant/device/jitney-main/alice--home/config")
