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


NEVER = (
    HOUSE
    + """\
[routing]
webhooks = ["https://hooks.example.org/*"]
[[routes]]
name = "never"
owner = "alice"
on = ["demo.*", "deom.*"]
debounce = 5
do = [
  { drop = true },
  { notify = "toy", message = "hello" },
  { webhook = "https://elsewhere.example.org/x" },
  { command = "toy.explode" },
  { forward = "bob" },
]
"""
)


def test_what_could_never_work_is_told_with_its_line(complaints: Callable) -> None:
    nowhere = "https://elsewhere.example.org is not allowed with this path"
    assert complaints(NEVER) == [
        "14: routes[0].do[0].drop: with debounce the event is published before: leave one of the two out",
        "15: routes[0].do[1].notify: toy is a demo: use its commands to tell somebody something",
        f"16: routes[0].do[2].webhook: {nowhere}: add it to webhooks in [routing]",
        "17: routes[0].do[3].command: toy is a demo, which has no command 'explode': there are say, switch",
    ]


def test_what_will_never_do_anything_is_a_warning_with_its_line(read: Callable) -> None:
    faulty = ("drop", "notify", "webhook =", "command")
    told = read("\n".join(line for line in NEVER.splitlines() if not any(word in line for word in faulty))).warnings
    assert [(one.line, one.key, one.message.partition(":")[0]) for one in told] == [
        (11, "routes[0].on[1]", "no configured adapter has events that match 'deom.*'"),
        (14, "routes[0].do[0].forward", "no grant lets bob see this"),
    ]


def test_what_a_python_file_declares_and_nothing_brings_about_is_a_warning_too(read: Callable, folder: Path) -> None:
    source = "from jitney.daemon.scripts import route\n\n@route(on='deom.*')\nasync def f(event, bus):\n    ...\n"
    (folder / "never.py").write_text(source, encoding="utf-8")
    (told,) = read(HOUSE + '[routing]\npython = ["never.py"]\n').warnings
    assert (Path(told.file).name, told.line) == ("never.py", 3)
    assert told.message.startswith("no configured adapter has events that match")
