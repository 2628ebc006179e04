"""Routes and grants of a file: what is wrong with them is told with its line, all at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jitney.daemon.cli import main
from jitney.daemon.config.load import load

HOUSE = """\
[owners.alice]
name = "Alice"
[owners.bob]
[adapters.toy]
type = "demo"
"""
RIDE = 'on = "demo.ride_finished"\n'


def test_routes_and_grants_are_read(read: Callable) -> None:
    text = HOUSE + (
        f'[[routes]]\nname = "ride"\n{RIDE}if = "data.distance > 1"\ndo = [{{ publish = "long" }}]\n'
        '[[grants]]\nfrom = "alice"\nto = ["bob"]\nkinds = "demo.*"\nuntil = 2030-01-01\n'
        '[routing]\nwebhooks = ["https://hooks.example.org/*"]\n'
    )
    config = read(text).config
    assert [(route.name, route.owner, route.if_) for route in config.routes] == [("ride", "*", "data.distance > 1")]
    assert [(grant.from_, grant.to, grant.until.year) for grant in config.grants] == [("alice", ("bob",), 2030)]
    assert config.routing.webhooks == ("https://hooks.example.org/*",)


def test_a_fault_in_a_route_is_told_with_its_line_and_key(complaints: Callable) -> None:
    text = (
        HOUSE
        + f'[[routes]]\nname = "ride"\n{RIDE}when = {{ "data.distance" = {{ gtt = 1 }} }}\ndo = [{{ drop = true }}]\n'
    )
    (complaint,) = complaints(text)
    assert complaint.startswith('9: routes[0].when."data.distance".gtt: unknown operator: did you mean "gt"?')


def test_every_fault_of_every_route_and_grant_is_told_at_once(complaints: Callable) -> None:
    text = HOUSE + (
        f'[[routes]]\nname = "one"\nowner = "carol"\n{RIDE}do = [{{ command = "tyo.on" }}]\n'
        '[[routes]]\nname = "one"\non = "demo.*"\nthrottle = -1\ndo = []\n'
        f'[[routes]]\nname = "one"\n{RIDE}do = [{{ reply = "{{{{ x.__class__ }}}}" }}]\nwhenn = {{}}\n'
        f'[[routes]]\nname = "one"\n{RIDE}quiet_hours = "always"\ndo = [{{ drop = true }}]\n'
        '[[grants]]\nfrom = "alice"\nto = ["bob", "carol"]\nkinds = "*"\n'
    )
    told = [complaint.split(": ") for complaint in complaints(text)]
    assert [(int(line), key) for line, key, *_ in told] == [
        (8, "routes[0].owner"),
        (10, "routes[0].do[0].command"),
        (14, "routes[1].throttle"),
        (17, "routes[2].name"),
        (19, "routes[2].do[0].reply"),
        (20, "routes[2].whenn"),
        (22, "routes[3].name"),
        (24, "routes[3].quiet_hours"),
        (28, "grants[0].to[1]"),
    ]


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ('from = "alcie"\nto = "bob"', "7: grants[0].from: there is no owner 'alcie': did you mean \"alice\"?"),
        ('from = "alice"\nto = "dave"', "8: grants[0].to: there is no owner 'dave'"),
        ('from = "alice"\nto = "alice"', "8: grants[0].to: alice sees these events already"),
        ('from = "alice"\nto = "bob"\nuntil = "2030"', "9: grants[0].until: expected a date such as 2026-12-31"),
        ('from = "alice"', "6: grants[0].to: missing"),
    ],
)
def test_a_grant_of_or_to_nobody_is_told(complaints: Callable, keys: str, complaint: str) -> None:
    (told,) = complaints(f'{HOUSE}[[grants]]\n{keys}\nkinds = "*"\n')
    assert told.startswith(complaint)


def test_neither_routes_nor_grants_are_single_tables(complaints: Callable) -> None:
    assert complaints("[routes]\n[grants]\n") == [
        "1: routes: expected [[routes]], an array of tables, got a table",
        "2: grants: expected [[grants]], an array of tables, got a table",
    ]


TESTED = (
    HOUSE
    + f"""\
[[routes]]
name = "broken"
{RIDE}do = []
[[routes]]
name = "ride"
owner = "alice"
{RIDE}when = {{ "data.distance" = {{ gt = 20000 }} }}
do = [{{ publish = "long", subject = "{{{{ owner.name }}}}" }}]
[[routes.tests]]
event = {{ type = "demo.ride_finished", data = {{ distance = 30000 }} }}
expect = [{{ publish = "long", subject = "Alice" }}]
[[routes.tests]]
name = "a short one"
event = {{ type = "demo.ride_finished", data = {{ distance = 10 }} }}
expect = [{{ publish = "long" }}]
"""
)
BROKEN = TESTED[TESTED.index("[[routes]]") : TESTED.index('[[routes]]\nname = "ride"')]
FAILS = (
    "routes[{}].tests[1]: a short one fails: expected 1 action, got nothing: data.distance is 10, not more than 20000"
)


def test_a_test_that_fails_makes_the_check_fail_at_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.toml"
    path.write_text(TESTED.replace(BROKEN, ""))
    assert main(["check", "-c", str(path)]) == 78
    assert capsys.readouterr().err == f"{path}:15: {FAILS.format(0)}\n"
    path.write_text(TESTED.replace(BROKEN, "").replace("distance = 10 ", "distance = 21000 "))
    assert main(["check", "-c", str(path)]) == 0


def test_a_test_that_fails_is_told_beside_faults_of_other_routes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(TESTED)
    assert main(["check", "-c", str(path)]) == 78
    assert capsys.readouterr().err.splitlines() == [
        f"{path}:9: routes[0].do: expected 1 to 50 actions, got 0",
        f"{path}:19: {FAILS.format(1)}",
    ]


def test_a_test_that_fails_keeps_nothing_but_the_check_from_going_on(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(TESTED.replace(BROKEN, ""))
    assert len(load(path, environ={}).routes[0].tests) == 2
