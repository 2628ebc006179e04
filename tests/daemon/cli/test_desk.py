"""Which adapter of type strava is asked for whom."""

import pytest

from jitney.adapters.registry import adapter_type
from jitney.adapters.secret import Secret
from jitney.adapters.strava.config import App
from jitney.adapters.strava.config import Config as StravaConfig
from jitney.daemon.cli.common import UsageError
from jitney.daemon.cli.desk import Desk
from jitney.daemon.config.schema import AdapterSettings, Config, OwnerSettings
from jitney.topics import InvalidOwnerError


def adapter(name: str, *, owner: str = "_house", enabled: bool = True, write: bool = False) -> AdapterSettings:
    apps = {"main": App(client_id="100", client_secret=Secret("secret"))}
    settings = StravaConfig(apps=apps, write=write)
    return AdapterSettings(name=name, type=adapter_type("strava"), config=settings, owner=owner, enabled=enabled)


def desk(*adapters: AdapterSettings, named: str = "") -> Desk:
    owners = {owner: OwnerSettings(id=owner) for owner in ("alice", "bob")}
    config = Config(owners=owners, adapters={one.name: one for one in adapters})
    return Desk(config, named=named, seconds=1.0)


def test_the_only_one_is_meant() -> None:
    assert desk(adapter("runs")).adapter("alice") == "runs"
    assert desk(adapter("runs"), adapter("rides", enabled=False)).adapter("alice") == "runs"
    assert desk(adapter("runs"), named="runs").adapter("alice") == "runs"


def test_each_has_their_own() -> None:
    both = desk(adapter("hers", owner="alice"), adapter("his", owner="bob"))
    assert [both.adapter(owner) for owner in both.owners()] == ["hers", "his"]
    assert desk(adapter("hers", owner="alice")).owners() == ["alice"]


def test_of_several_one_has_to_be_named() -> None:
    with pytest.raises(UsageError, match=r"alice has several .* name one of runs, rides with --adapter"):
        desk(adapter("runs"), adapter("rides")).adapter("alice")
    assert desk(adapter("runs"), adapter("rides"), named="rides").adapter("alice") == "rides"
    with pytest.raises(UsageError, match="alice has no adapter 'swims' of type strava, but runs, rides"):
        desk(adapter("runs"), adapter("rides"), named="swims").adapter("alice")


@pytest.mark.parametrize("adapters", [[], [adapter("runs", enabled=False)], [adapter("his", owner="bob")]])
def test_who_has_none_is_told_so(adapters: list[AdapterSettings]) -> None:
    with pytest.raises(UsageError, match=r"alice has no adapter of type strava: docs/strava\.md"):
        desk(*adapters).adapter("alice")


def test_a_configuration_without_one_has_nobody_to_tell_of() -> None:
    with pytest.raises(UsageError, match="the configuration has no adapter of type strava"):
        desk().owners()


def test_only_people_are_connected() -> None:
    with pytest.raises(InvalidOwnerError):
        desk(adapter("runs")).adapter("_house")
    with pytest.raises(UsageError, match=r"no section \[owners\.carol\]"):
        desk(adapter("runs")).adapter("carol")


def test_the_permission_to_write_is_wanted_where_it_is_configured() -> None:
    assert "activity:write" in desk(adapter("runs", write=True)).wanted("alice")
    assert "activity:write" not in desk(adapter("runs")).wanted("alice")
