from collections.abc import Callable

from jitney.daemon.config.plan import Change, Plan, plan

BASE = """
[mqtt]
password = "a password"
[owners.alice]
name = "Alice"
[owners.bob]
strava = { athlete = 7 }
[adapters.demo]
type = "demo"
[adapters.hers]
type = "demo"
owner = "alice"
[[routes]]
name = "one"
on = "demo.*"
do = [{ set = "n", value = 1 }]
"""


def planned(read: Callable, text: str, *, base: str = BASE) -> Plan:
    old = read(base).config
    return plan(old, read(text).config)


def test_the_same_file_changes_nothing(read: Callable) -> None:
    assert planned(read, BASE) == Plan()


def test_an_adapter_that_was_added_changed_or_removed_is_begun_anew_and_no_other(read: Callable) -> None:
    added = planned(read, BASE + '[adapters.third]\ntype = "demo"\n')
    assert added.changes == (Change("adapters.third", "added"),)
    assert added.adapters == {"third": "added"}
    changed = planned(read, BASE.replace('owner = "alice"', 'owner = "bob"\nrate = 3.0'))
    assert changed.changes == (Change("adapters.hers", "changed", ("rate", "owner")),)
    assert changed.adapters == {"hers": "changed"}
    removed = planned(read, BASE.replace('[adapters.hers]\ntype = "demo"\nowner = "alice"\n', ""))
    assert removed.adapters == {"hers": "removed"}


def test_an_adapter_that_is_switched_off_is_ended(read: Callable) -> None:
    found = planned(read, BASE.replace('owner = "alice"', 'owner = "alice"\nenabled = false'))
    assert found.adapters == {"hers": "removed"}


def test_a_new_person_disturbs_only_the_adapters_that_see_them(read: Callable) -> None:
    found = planned(read, BASE + "[owners.carol]\n")
    assert found.changes == (Change("owners.carol", "added"),)
    assert found.adapters == {"demo": "changed"}


def test_an_identity_disturbs_only_the_adapters_of_its_type(read: Callable) -> None:
    found = planned(read, BASE.replace("athlete = 7", "athlete = 8"))
    assert [str(change) for change in found.changes] == ["owners.bob changed: strava"]
    assert not found.adapters


def test_routes_are_known_by_their_name(read: Callable) -> None:
    found = planned(read, BASE.replace("value = 1", "value = 2"))
    assert found.changes == (Change("routes.one", "changed", ("do",)),)
    assert found.touches("routes")
    assert not found.touches("grants")
    assert not found.adapters


def test_what_needs_a_restart_is_said(read: Callable) -> None:
    found = planned(
        read, BASE.replace('"a password"', '"another"') + '[bus]\ninstance = "attic"\nlog_level = "debug"\n'
    )
    assert found.restart == ("bus.instance", "mqtt.password")
    assert "a password" not in str(found)
    assert "another" not in str(found)
