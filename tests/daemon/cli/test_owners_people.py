"""`jitney owners list`, `show`, `add`, `rename`, `disable`, `enable` and `claim`, on files of a configuration."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from jitney.daemon.cli import main
from jitney.daemon.config.load import load
from tests.daemon.running import observing, payload, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until

Shown = pytest.CaptureFixture[str]
Cli = Callable[..., tuple[int, str, str]]

HOUSE = """\
# our house
[mqtt]
url = "mqtt://127.0.0.1:1"
[bus]
state_dir = "{state}"
[http]
listen = ""
[owners.alice] # she
name = "Alice"
homeassistant = {{ person = "person.alice" }}
[owners.bob]
[adapters.hers]
type = "demo"
owner = "alice"
[[routes]]
name = "hers alone"
owner = "alice"
on = "demo.*"
do = [{{ publish = "x", data = {{}} }}]
[[grants]]
from = "alice"
to = ["bob"]
kinds = "demo.*"
until = 2126-12-31
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "config.toml"
    found.write_text(HOUSE.format(state=tmp_path / "state"))
    found.chmod(0o640)
    return found


@pytest.fixture
def cli(path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Return what runs `jitney owners` with the configuration: status, output and notes."""
    monkeypatch.delenv("JITNEY_MQTT", raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["owners", *arguments, "-c", str(path)])
        return status, *capsys.readouterr()

    return run


def test_everybody_is_listed_for_a_person_and_for_a_program(cli: Cli, path: Path) -> None:
    status, out, err = cli("list")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "owner  name   state    known as      adapters  routes",
        "alice  Alice  enabled  person.alice  hers      1",
        "bob    -      enabled  -             -         0",
    ]
    status, out, _ = cli("list", "--json")
    alice, bob = json.loads(out)
    assert (alice["id"], alice["name"], alice["enabled"], alice["place"]) == ("alice", "Alice", True, f"{path}:8")
    assert alice["known_as"] == [{"type": "homeassistant", "id": "person.alice", "adapter": "", "place": f"{path}:10"}]
    assert alice["routes"] == ["hers alone"]
    assert (len(alice["grants_given"]), len(bob["grants_received"])) == (1, 1)


def test_all_that_is_somebodys_is_shown_without_a_bus(cli: Cli, path: Path, tmp_path: Path) -> None:
    tmp_path.joinpath("state").mkdir()
    tmp_path.joinpath("state", "devices.json").write_text('{"alice":["phone"]}')
    status, out, err = cli("show", "alice")
    assert status == 0
    assert "how the adapters are doing is not known" in err
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "alice (Alice)"
    for line in (
        "state enabled",
        f"declared {path}:8",
        f"known as homeassistant person.alice {path}:10",
        "adapter hers (demo)",
        "route hers alone",
        "gives bob: demo.* until 2126-12-31",
        "devices phone",
    ):
        assert line in lines
    assert any(line.startswith("limits events_per_second 500, ") for line in lines)
    status, out, _ = cli("show", "bob", "--json")
    bob = json.loads(out)
    assert (bob["status"], bob["devices"], bob["grants_received"][0]["from"]) == (None, [], "alice")


def test_nobody_of_that_name_is_told_with_the_remedy(cli: Cli) -> None:
    assert cli("show", "alicce") == (2, "", 'jitney: there is no section [owners.alicce]: did you mean "alice"?\n')
    status, _, err = cli("disable", "carol")
    assert (status, "jitney owners add carol" in err) == (2, True)


def test_somebody_is_added_in_a_file_of_their_own_once(cli: Cli, path: Path) -> None:
    arguments = (
        "add",
        "carol",
        "--name",
        "Carol",
        "--homeassistant-person",
        "person.carol",
        "--mesh-node",
        "!a1b2c3d4",
    )
    beside = path.with_suffix(".d")
    status, out, err = cli(*arguments, "--dry-run")
    assert (status, beside.exists()) == (0, False)
    assert "+[owners.carol]" in out
    assert "because of --dry-run" in err
    status, out, err = cli(*arguments)
    assert (status, err) == (0, f"Wrote {beside / 'carol.toml'}.\nA bus that runs notices it by itself.\n")
    assert beside.joinpath("carol.toml").stat().st_mode & 0o777 == 0o640
    carol = load(path, environ={}).owners["carol"]
    assert (carol.name, carol.identities["meshtastic"].nodes) == ("Carol", ("!a1b2c3d4",))
    status, out, err = cli(*arguments)
    assert (status, out) == (0, "")
    assert err == f"Nothing to do: carol is declared already ({beside / 'carol.toml'}:3).\n"
    status, _, err = cli("add", "carol", "--name", "Caro", "--strava-athlete", "42")
    assert status == 2
    assert "jitney owners rename carol Caro" in err
    assert "jitney owners claim '42' carol" in err


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("Carol",), 1, "'Carol' is not an owner id"),
        (("_house",), 1, "'_house' is not an owner id"),
        (("carol", "--homeassistant-person", "carol"), 78, 'expected a person entity like "person.alice"'),
        (("carol", "--homeassistant-person", "person.alice"), 78, '"person.alice" belongs to owner alice already'),
        (("carol", "--strava-athlete", "x"), 2, "--strava-athlete: expected a number"),
        (("carol", "--mesh-node", "a1"), 78, "expected the id of a node"),
    ],
)
def test_what_could_not_be_used_is_not_written(
    cli: Cli, path: Path, arguments: tuple[str, ...], *, status: int, told: str
) -> None:
    found, _, err = cli("add", *arguments)
    assert (found, told in err) == (status, True), err
    assert not path.with_suffix(".d").exists()


def test_a_name_changes_and_the_id_does_not(cli: Cli, path: Path) -> None:
    before = path.read_text()
    status, out, err = cli("rename", "alice", "Alice", "Liddell")
    assert status == 0
    assert '-name = "Alice"\n+name = "Alice Liddell"\n' in out
    assert path.read_text() == before.replace('"Alice"', '"Alice Liddell"')
    (copy,) = path.parent.glob("config.toml.*")
    assert copy.read_text() == before
    assert str(copy) in err
    assert path.stat().st_mode & 0o777 == 0o640
    assert cli("rename", "alice", "Alice Liddell")[2] == "Nothing to do: alice is called Alice Liddell already.\n"
    assert cli("rename", "alice", "\x1b[2J")[0] == 2


def test_somebody_is_disabled_and_enabled_again(cli: Cli, path: Path) -> None:
    before = path.read_text()
    assert cli("enable", "alice") == (0, "", "Nothing to do: alice is enabled already.\n")
    status, out, err = cli("disable", "alice")
    assert (status, "+enabled = false" in out, "jitney acl apply" in err) == (0, True, True)
    assert load(path, environ={}).owners["alice"].enabled is False
    assert "alice  Alice  disabled  person.alice" in cli("list")[1]
    assert "state disabled: jitney owners enable alice" in " ".join(cli("show", "alice")[1].split())
    assert cli("disable", "alice")[2] == "Nothing to do: alice is disabled already.\n"
    assert cli("enable", "alice")[0] == 0
    assert path.read_text() == before.replace(
        'person = "person.alice" }\n', 'person = "person.alice" }\nenabled = true\n'
    )


def test_a_file_that_cannot_be_written_is_left_and_the_remedy_is_told(
    cli: Cli, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_text()

    def refused(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("jitney.daemon.config.saving.os.open", refused)
    status, out, err = cli("disable", "alice")
    assert (status, path.read_text()) == (1, before)
    assert "+enabled = false" in out
    assert f"{path} is left as it is" in err
    status, out, err = cli("add", "carol")
    assert status == 1
    assert f"+++ {path.with_suffix('.d') / 'carol.toml'}" in out
    assert f"{path.with_suffix('.d') / 'carol.toml'} was not written" in err


def test_an_external_id_is_claimed_once_and_by_one_owner(cli: Cli, path: Path) -> None:
    assert cli("claim", "!A1B2C3D4", "bob")[0] == 0
    assert load(path, environ={}).owners["bob"].identities["meshtastic"].nodes == ("!A1B2C3D4",)
    status, out, err = cli("claim", "!a1b2c3d4", "bob")
    assert (status, out, err) == (0, "", f"Nothing to do: !a1b2c3d4 is bob's already ({path}:12).\n")
    status, _, err = cli("claim", "!a1b2c3d4", "alice")
    assert (status, err) == (1, f"jitney: !a1b2c3d4 is bob's ({path}:12): take it out there first\n")
    assert cli("claim", "f" * 32, "alice")[0] == 0
    assert load(path, environ={}).owners["alice"].identities["homeassistant"].users == ("f" * 32,)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("person.ally", "alice"), 1, "alice is person.alice already"),
        (("nonsense", "alice"), 2, "'nonsense' is no external id"),
        (("\x1b[2J", "alice"), 2, r"\x1b[2J"),
        (("!a1b2c3d4",), 2, "jitney owners claim '!a1b2c3d4' OWNER"),
        (("!a1b2c3d4", "alice", "--type", "strava"), 2, "is no external id of type strava"),
        (("!a1b2c3d4", "carol"), 2, "there is no section [owners.carol]"),
    ],
)
def test_what_cannot_be_claimed_is_told(
    cli: Cli, path: Path, arguments: tuple[str, ...], *, status: int, told: str
) -> None:
    before = path.read_text()
    found, _, err = cli("claim", *arguments)
    assert (found, told in err) == (status, True), err
    assert "\x1b" not in err
    assert path.read_text() == before


def test_who_there_is_stands_in_a_configuration_and_not_at_a_broker(capsys: Shown) -> None:
    assert main(["owners", "show", "alice", "--mqtt", "mqtt://127.0.0.1:1"]) == 2
    assert "names a broker alone" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to somebody else")
def test_a_new_file_belongs_to_whom_the_configuration_belongs(cli: Cli, path: Path) -> None:
    os.chown(path, 65534, 65534)
    os.chown(path.parent, 65534, 65534)
    assert cli("add", "carol")[0] == 0
    new = path.with_suffix(".d")
    assert {one.stat().st_uid for one in (path, new, new / "carol.toml")} == {65534}


def move(path: Path, broker: Broker, root: str) -> None:
    """Let the configuration name a broker."""
    text = path.read_text().replace("mqtt://127.0.0.1:1", broker.url)
    path.write_text(text.replace("[bus]", f'topic_root = "{root}"\n[bus]'))


async def test_the_running_bus_tells_how_adapters_are_and_whom_they_have_met(
    cli: Cli, path: Path, shared_broker: Broker, root: str
) -> None:
    move(path, shared_broker, root)
    async with running(load(path, environ={}), path.parent / "state") as daemon:
        await daemon.connected()
        await until(lambda: daemon.app.parts.runners["hers"].context.is_online)
        daemon.context("hers").unclaimed("node", "!a1b2c3d4", hint="\x1b[2J' ; rm -rf")
        status, out, err = await asyncio.to_thread(cli, "show", "alice")
        assert (status, err) == (0, "")
        assert "hers online since" in " ".join(out.split())
        status, out, err = await asyncio.to_thread(cli, "claim")
        assert status == 0
        assert "\x1b" not in out + err
        assert r"\x1b[2J' ; rm -rf" in out
        assert "  jitney owners claim '!a1b2c3d4' OWNER" in err
        status, out, _ = await asyncio.to_thread(cli, "claim", "--json")
        (one,) = json.loads(out)["unclaimed"]
        assert (one["type"], one["kind"], one["id"], one["count"]) == ("demo", "node", "!a1b2c3d4", 1)


async def test_a_request_with_anything_else_in_it_is_refused(shared_broker: Broker, root: str, path: Path) -> None:
    move(path, shared_broker, root)
    async with (
        running(load(path, environ={}), path.parent / "state") as daemon,
        observing(shared_broker.port, f"{root}/_bus/#") as bus,
    ):
        await daemon.connected()
        for number, (name, data) in enumerate(
            [("unclaimed", '{"owner":"alice"}'), ("unclaimed", '{"x":1}'), ("owner_status", '{"owner":"A/b"}')]
        ):
            body = f'{{"data":{data},"transaction":"{number}"}}'
            await bus.publish(f"{root}/_bus/main/request/{name}", body.encode())
            answer = msgspec.json.decode(
                payload(
                    await bus.until(
                        lambda name=name, number=number: next(
                            (
                                one
                                for one in bus.on(f"{root}/_bus/main/response/{name}")
                                if f'"transaction":"{number}"'.encode() in payload(one)
                            ),
                            None,
                        )
                    )
                )
            )
            assert answer["error"]["code"] == "invalid"
