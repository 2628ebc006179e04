"""`jitney acl` and `jitney devices`, at real brokers."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jitney.adapters.secret import Secret
from jitney.daemon.access.passwords import password_line
from jitney.daemon.access.visitor import Login
from jitney.daemon.cli import main
from tests.conftest import StartBroker
from tests.fakes.mosquitto import Broker
from tests.fakes.walled import ADMIN, DAEMON, bare_dynsec

Shown = pytest.CaptureFixture[str]
Jitney = Callable[..., tuple[int, str, str]]


@pytest.fixture
def administered(mosquitto: StartBroker, tmp_path: Path) -> Iterator[Broker]:
    broker = bare_dynsec(mosquitto, tmp_path)
    yield broker
    broker.kill()


@pytest.fixture
def jitney(tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> Jitney:
    """Return what runs a command with the configuration in the test's folder: its status, output and errors."""
    for name in ("JITNEY_MQTT", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JITNEY_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("JITNEY_ADMIN_PASSWORD", ADMIN.password.reveal())
    configure(tmp_path, "mqtt://127.0.0.1:1")

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run


def configure(folder: Path, url: str, owners: tuple[str, ...] = ("alice", "bob"), more: str = "") -> None:
    people = "\n".join(f"[owners.{owner}]" for owner in owners)
    (folder / "config.toml").write_text(
        f'version = 1\n[bus]\nstate_dir = "{folder}/state"\n'
        f'[mqtt]\nurl = "{url}"\nusername = "jitney"\npassword = "{DAEMON.password.reveal()}"\n{people}\n{more}\n'
    )
    (folder / "config.toml").chmod(0o600)


AS_ADMIN = ("--admin-username", "admin")


def test_rules_are_applied_once_and_a_change_of_the_people_is_followed(
    administered: Broker, jitney: Jitney, tmp_path: Path
) -> None:
    configure(tmp_path, administered.url)
    status, out, _ = jitney("acl", "apply", *AS_ADMIN, "--dry-run")
    assert (status, "would make role jitney-alice: owner alice\n" in out) == (0, True)
    status, out, _ = jitney("acl", "apply", *AS_ADMIN)
    assert (status, "\nmake role jitney-alice: owner alice\n" in out) == (0, True)
    assert DAEMON.password.reveal() not in out
    assert jitney("acl", "apply", *AS_ADMIN)[:2] == (0, "Nothing to do: everything is as it should be.\n")
    configure(tmp_path, administered.url, ("alice", "carol"))
    told = json.loads(jitney("acl", "apply", *AS_ADMIN, "--json")[1])
    assert told["changes"] == ["make role jitney-carol: owner carol", "remove role jitney-bob"]
    assert json.loads(jitney("acl", "apply", *AS_ADMIN, "--json")[1])["changes"] == []


def test_the_walls_are_proved_with_devices_that_are_gone_afterwards(
    administered: Broker, jitney: Jitney, tmp_path: Path
) -> None:
    configure(tmp_path, administered.url, ("alice",))
    jitney("acl", "apply", *AS_ADMIN)
    status, out, _ = jitney("acl", "verify", *AS_ADMIN)
    assert status == 0
    lines = out.splitlines()
    assert lines[0].split() == ["as", "tries", "to", "may", "seen"]
    assert any(line.startswith(" ✓  alice ") and line.endswith("no   no: refused (0x87)") for line in lines)
    assert lines[-1].endswith("all as they should be.")
    assert json.loads(jitney("devices", "list", *AS_ADMIN, "--json")[1]) == []


def test_nobody_is_tried_as_who_is_disabled_whose_login_is_not_let_in(
    administered: Broker, jitney: Jitney, tmp_path: Path
) -> None:
    configure(tmp_path, administered.url)
    jitney("acl", "apply", *AS_ADMIN)
    jitney("devices", "add", "alice", "phone", *AS_ADMIN)
    assert jitney("owners", "disable", "alice")[0] == 0
    status, out, _ = jitney("acl", "apply", *AS_ADMIN)
    assert (status, "disable login jitney-alice.phone: alice is disabled" in out) == (0, True)
    assert "disabled" in jitney("devices", "list", *AS_ADMIN)[1]
    assert jitney("acl", "apply", *AS_ADMIN)[1] == "Nothing to do: everything is as it should be.\n"
    told: dict[str, Any] = json.loads(jitney("acl", "verify", "--json", *AS_ADMIN)[1])
    assert (told["ok"], {proof["owner"] for proof in told["proofs"]}) == (True, {"_house", "bob", "nobody"})


def test_what_is_open_is_shown_and_fails(mosquitto: StartBroker, jitney: Jitney, tmp_path: Path) -> None:
    wide = mosquitto()
    configure(tmp_path, wide.url, ("alice",))
    (tmp_path / "alice.txt").write_text("any\n")
    given = ("--as", f"alice=alice:{tmp_path}/alice.txt")
    status, out, _ = jitney("acl", "verify", *given)
    assert status == 1
    assert any(line.startswith(" ✗  alice   read the tree of _house") for line in out.splitlines())
    told = json.loads(jitney("acl", "verify", *given, "--json")[1])
    assert told["ok"] is False
    assert {proof["holds"] for proof in told["proofs"]} == {True, False}
    wide.kill()


def test_with_an_acl_file_from_render_the_devices_get_in_and_strict_tells_what_it_does_not_hold_off(
    mosquitto: StartBroker, jitney: Jitney, tmp_path: Path
) -> None:
    logins = {}
    lines = [password_line(DAEMON.username, DAEMON.password)]
    for owner in ("alice", "bob"):
        status, line, told = jitney("devices", "add", owner, "phone")
        assert (status, line.count("\n")) == (0, 1)
        logins[owner] = told.split("Password:  ")[1].split("\n")[0]
        lines.append(line.strip())
    assert jitney("acl", "render", "--target", "mosquitto-acl", "--output", f"{tmp_path}/acl")[:2] == (0, "")
    (tmp_path / "passwd").write_text("".join(f"{line}\n" for line in lines))
    walled = mosquitto(anonymous=False, extra=[f"password_file {tmp_path}/passwd", f"acl_file {tmp_path}/acl"])
    configure(tmp_path, walled.url)
    given = []
    for owner, password in logins.items():
        (tmp_path / owner).write_text(password)
        given += ["--as", f"{owner}=jitney-{owner}.phone:{tmp_path}/{owner}"]
    status, out, _ = jitney("acl", "verify", *given)
    assert status == 0, out
    assert " !  alice   join a shared subscription of bob " in out
    assert jitney("acl", "verify", *given, "--strict")[0] == 1
    walled.kill()


def test_devices_are_made_listed_and_revoked_at_the_broker(
    administered: Broker, jitney: Jitney, tmp_path: Path
) -> None:
    configure(tmp_path, administered.url)
    jitney("acl", "apply", *AS_ADMIN)
    made = json.loads(jitney("devices", "add", "alice", "phone", *AS_ADMIN, "--json")[1])
    assert made["client_id"] == made["username"] == "jitney-alice.phone"
    assert made["url"].startswith(f"mqtt://jitney-alice.phone:{made['password']}@127.0.0.1:")
    status, out, _ = jitney("devices", "add", "_bus", "desk", *AS_ADMIN, "--any-client-id")
    password = out.split("Password:  ")[1].split("\n")[0]
    assert (status, "Client id: any" in out) == (0, True)
    status, out, _ = jitney("devices", "list", *AS_ADMIN)
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["_bus", "desk", "jitney-_bus.desk"],
        ["alice", "phone", "jitney-alice.phone"],
    ]
    assert password not in out
    assert jitney("devices", "revoke", "alice", "phone", *AS_ADMIN)[0] == 0
    assert jitney("devices", "revoke", "alice", "phone", *AS_ADMIN)[0] == 1
    assert [one["name"] for one in json.loads(jitney("devices", "list", *AS_ADMIN, "--json")[1])] == ["desk"]


def test_what_jitney_itself_asks_works_with_the_login_of_an_owner_and_of_an_administrator(
    administered: Broker, jitney: Jitney, tmp_path: Path
) -> None:
    configure(tmp_path, administered.url)
    jitney("acl", "apply", *AS_ADMIN)
    for owner, arguments in (
        ("alice", ("send", "alice", "home", "nothing")),
        ("_bus", ("owners", "erase", "alice", "--yes")),
    ):
        login = json.loads(jitney("devices", "add", owner, "x", *AS_ADMIN, "--any-client-id", "--json")[1])
        status, _, err = jitney(*arguments, "--mqtt", login["url"])
        assert (status, "nobody listens to" in err) == (1, True), err


def test_a_qr_code_is_shown_when_it_is_wanted_and_says_a_name_that_a_phone_knows(
    jitney: Jitney,
) -> None:
    _, line, told = jitney("devices", "add", "alice", "phone", "--qr", "--broker", "mqtts://pi.example.org")
    assert "█" in told
    assert line.startswith("jitney-alice.phone:$7$101$")
    assert "█" not in jitney("devices", "add", "alice", "desk")[2]
    assert "which is another machine on a phone" in jitney("devices", "add", "alice", "tv", "--qr")[2]


def test_names_are_kept_until_they_are_revoked(jitney: Jitney) -> None:
    jitney("devices", "add", "alice", "phone")
    assert "alice" in jitney("devices", "list")[1]
    assert "user jitney-alice.phone\n" in jitney("acl", "render", "--target", "mosquitto-acl")[1]
    status, out, _ = jitney("devices", "revoke", "alice", "phone")
    assert (status, out) == (0, "mosquitto_passwd -D /etc/mosquitto/passwd jitney-alice.phone\n")
    assert "user jitney-alice.phone\n" not in jitney("acl", "render", "--target", "mosquitto-acl")[1]
    assert jitney("devices", "list")[2] == "nobody has a device yet: `jitney devices add OWNER NAME`\n"


@pytest.mark.parametrize("target", ["mosquitto-acl", "dynsec", "emqx"])
def test_what_a_broker_cannot_enforce_is_told_apart_from_the_rules(target: str, jitney: Jitney) -> None:
    status, out, err = jitney("acl", "render", "--target", target)
    assert (status, "jitney/alice/#" in out) == (0, True)
    assert "note: " in err
    assert "note: " not in out
    assert jitney("acl", "render", "--target", target)[1] == out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("acl", "apply"), "--admin-username"),
        (("acl", "verify"), "nobody to try as"),
        (("acl", "verify", "--as", "alice"), "expected OWNER=USER:FILE"),
        (("acl", "verify", "--as", "zoe=zoe:file"), "there is no owner 'zoe'"),
        (("acl", "verify", "--as", "alice=alice:/nowhere"), "there is no file"),
        (("acl", "apply", "--admin-username", "admin", "--admin-password-file", "/nowhere"), "there is no file"),
        (("devices", "list", "--admin-password-file", "/nowhere"), "needs --admin-username"),
        (("devices", "add", "alice", "phone", "--any-client-id"), "every login can use any"),
        (("acl", "render", "--target", "emqx", "--mqtt", "mqtt://localhost"), "names a broker alone"),
    ],
)
def test_arguments_that_do_not_fit_are_told(
    arguments: tuple[str, ...], said: str, jitney: Jitney, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "--mqtt" in arguments:
        monkeypatch.delenv("JITNEY_CONFIG")
    status, _, err = jitney(*arguments)
    assert (status, said in err) == (2, True), err


def test_a_wrong_password_of_the_administrator_is_told_without_it(
    administered: Broker, jitney: Jitney, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, administered.url)
    monkeypatch.setenv("JITNEY_ADMIN_PASSWORD", "not the one")
    status, _, err = jitney("acl", "apply", *AS_ADMIN)
    assert (status, "admin" in err, "not the one" in err) == (1, True, False)


def test_the_logins_of_the_configuration_are_used_where_no_others_are_given(
    mosquitto: StartBroker, jitney: Jitney, tmp_path: Path
) -> None:
    wide = mosquitto()
    login = Login("alice", Secret("hers"))
    more = f'[access.logins.alice]\nusername = "{login.username}"\npassword = "{login.password.reveal()}"\n'
    configure(tmp_path, wide.url, ("alice",), more)
    told: dict[str, Any] = json.loads(jitney("acl", "verify", "--json")[1])
    assert {proof["owner"] for proof in told["proofs"]} == {"alice", "nobody"}
    wide.kill()
