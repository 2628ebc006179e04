import os
import pty
import re
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitney.daemon.cli import main
from jitney.daemon.config.draft import Draft, person, quoted, secret, text
from jitney.daemon.config.load import judge, load

TOKEN = "0123456789abcdef0123456789abcdef"
SECONDS = 20
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
from jitney.daemon.cli import main
sys.exit(main())
"""


class Terminal:
    """`jitney init` at a terminal, and somebody who types what it asks for."""

    def __init__(self, *arguments: str, environ: dict[str, str]) -> None:
        self.seen = ""
        self._asked = 0
        self._terminal, theirs = pty.openpty()
        command = [sys.executable, "-c", PROGRAM, "init", *arguments]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, start_new_session=True
        )
        os.close(theirs)

    def answer(self, prompt: str, reply: str) -> None:
        """Wait for the prompt and type."""
        self.wait(prompt)
        os.write(self._terminal, (reply + "\n").encode())

    def wait(self, prompt: str) -> None:
        """Wait for a prompt after the one before."""
        while prompt not in self.seen[self._asked :]:
            assert self._read(), self.seen
        self._asked = len(self.seen)

    def close_input(self) -> None:
        """Type Ctrl-D."""
        os.write(self._terminal, b"\x04")

    def interrupt(self) -> None:
        """Do what Ctrl-C does, again when it came just before the program began to read: then nobody noticed."""
        for _ in range(5):
            self._process.send_signal(signal.SIGINT)
            if select.select([self._terminal], [], [], 3)[0]:
                return

    def end(self) -> int:
        """Read the rest; returns the exit status."""
        while self._read():
            pass
        return self._process.wait(SECONDS)

    def close(self) -> None:
        self._process.kill()
        self._process.wait(SECONDS)
        os.close(self._terminal)

    def _read(self) -> bool:
        assert select.select([self._terminal], [], [], SECONDS)[0], self.seen
        try:
            some = os.read(self._terminal, 4096)
        except OSError:  # Linux tells so that nobody has the other end open
            return False
        self.seen += some.decode()
        return bool(some)


Start = Callable[..., Terminal]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `jitney init` for a configuration in ``tmp_path``."""
    started: list[Terminal] = []

    def start(**environ: str) -> Terminal:
        terminal = Terminal("-c", str(tmp_path / "config.toml"), environ={**os.environ, **environ})
        started.append(terminal)
        return terminal

    yield start
    for terminal in started:
        terminal.close()


def test_the_answers_become_a_configuration_that_only_its_owner_can_read(start: Start, tmp_path: Path) -> None:
    terminal = start()
    terminal.answer("MQTT broker [mqtt://localhost:1883]:", "broker.example.org")
    terminal.answer("user name there [none]:", "jitney")
    terminal.answer("The password:", 'pass"word')
    terminal.answer("Names, with commas [nobody]:", "Alice, Bob the 2nd")
    terminal.answer("Home Assistant, such as", "homeassistant.local:8123")
    terminal.answer("The token [file:home-token]:", TOKEN)
    assert terminal.end() == 0, terminal.seen
    path = tmp_path / "config.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    config = load(path, environ={})
    assert config.mqtt.url == "mqtt://broker.example.org"
    assert (config.mqtt.username, config.mqtt.password.reveal()) == ("jitney", 'pass"word')
    assert {owner.id: owner.name for owner in config.owners.values()} == {
        "alice": "Alice",
        "bob_the_2nd": "Bob the 2nd",
    }
    assert config.owners["alice"].identities["homeassistant"].person == "person.alice"
    home = config.adapters["home"].config
    assert (home.url, home.token.reveal()) == ("http://homeassistant.local:8123", TOKEN)
    assert f"jitney check -c {path} and jitney run -c {path}" in terminal.seen


def test_secrets_are_not_shown_while_they_are_pasted(start: Start) -> None:
    terminal = start()
    terminal.answer("MQTT broker", "")
    terminal.answer("user name there", "jitney")
    terminal.answer("The password:", "canary-1")
    terminal.answer("Names", "")
    terminal.answer("Home Assistant", "http://homeassistant.local:8123")
    terminal.answer("The token [file:home-token]:", "canary-2-canary-2-canary-2")
    assert terminal.end() == 0
    assert "canary" not in terminal.seen


def test_an_answer_that_would_not_be_accepted_is_asked_again(start: Start, tmp_path: Path) -> None:
    terminal = start()
    terminal.answer("MQTT broker", "http://localhost")
    terminal.answer("MQTT broker", "mqtt://me:pw@localhost")
    terminal.answer("MQTT broker", "")
    terminal.answer("user name there", "")
    terminal.answer("Names", "Alice, alice")
    terminal.answer("Names", "!")
    terminal.answer("Names", "")
    terminal.answer("Home Assistant", "ftp://home")
    terminal.answer("Home Assistant", "http://home:8123")
    terminal.answer("The token [file:home-token]:", "eyJcut.off")
    terminal.answer("The token [file:home-token]:", f"Bearer {TOKEN}")
    assert terminal.end() == 0, terminal.seen
    assert load(tmp_path / "config.toml", environ={}).adapters["home"].config.token.reveal() == TOKEN


def test_secrets_can_be_elsewhere_and_what_is_missing_is_told(start: Start, tmp_path: Path) -> None:
    terminal = start()
    terminal.answer("MQTT broker", "")
    terminal.answer("user name there", "jitney")
    terminal.answer("The password:", "env:MQTT_PASSWORD")
    terminal.answer("Names", "")
    terminal.answer("Home Assistant", "http://home:8123")
    terminal.answer("The token [file:home-token]:", "")
    assert terminal.end() == 0
    assert "Before it can run:" in terminal.seen
    assert "mqtt.password: the environment variable that env names is not set" in terminal.seen
    assert "adapters.home.token: there is no such file" in terminal.seen
    (tmp_path / "home-token").write_text(TOKEN)
    config = load(tmp_path / "config.toml", environ={"MQTT_PASSWORD": "pw"})
    assert config.mqtt.password.reveal() == "pw"
    assert config.adapters["home"].config.token.reveal() == TOKEN


@pytest.mark.parametrize("leave", [Terminal.close_input, Terminal.interrupt])
def test_whoever_leaves_gets_no_file(start: Start, tmp_path: Path, leave: Callable[[Terminal], None]) -> None:
    terminal = start()
    terminal.answer("MQTT broker", "")
    terminal.wait("user name there")
    leave(terminal)
    assert terminal.end() == 1
    assert "Nothing was written." in terminal.seen
    assert "Traceback" not in terminal.seen
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_a_file_to_fill_in_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "etc" / "jitney" / "config.toml"
    assert main(["init", "--yes", "-c", str(path)]) == 0
    assert "Fill in what stands there as a comment" in capsys.readouterr().out
    assert main(["check", "-c", str(path)]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_stands_as_a_comment_is_a_configuration_too(tmp_path: Path) -> None:
    comments = text(Draft(), example=Path("x"))
    uncommented = re.sub(r"^# (?=\w+ = |\[)", "", comments, flags=re.MULTILINE)
    environ = {"MQTT_PASSWORD": "pw", "HOME_TOKEN": TOKEN}
    config = judge(uncommented, tmp_path / "config.toml", environ=environ).config
    assert config.owners["alice"].identities["homeassistant"].person == "person.alice"
    assert config.adapters["home"].config.token.reveal() == TOKEN
    assert config.mqtt.password.reveal() == "pw"


@pytest.mark.parametrize("broken", [False, True])
def test_a_file_that_exists_is_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, broken: bool
) -> None:
    path = tmp_path / "config.toml"
    if broken:
        path.symlink_to("nowhere")
    else:
        path.write_text("mine")
    assert main(["init", "--yes", "-c", str(path)]) == 1
    assert f"{path} exists and is never overwritten: edit it, or write another" in capsys.readouterr().err
    assert path.is_symlink() if broken else path.read_text() == "mine"


def test_a_file_that_appears_while_questions_are_asked_is_not_overwritten(start: Start, tmp_path: Path) -> None:
    terminal = start()
    terminal.answer("MQTT broker", "")
    (tmp_path / "config.toml").write_text("mine")
    terminal.answer("user name there", "")
    terminal.answer("Names", "")
    terminal.answer("Home Assistant", "")
    assert terminal.end() == 1
    assert "cannot be written (File exists)" in terminal.seen
    assert (tmp_path / "config.toml").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["init", "--yes", "-c", str(tmp_path / "file" / "config.toml")]) == 1
    assert "cannot be written (Not a directory): give another place with -c FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("Alice", "alice"),
        ("Åsa Öberg", "asa_oberg"),
        ("Strauß", "strauss"),
        ("Bob-2", "bob_2"),
        ("_x_", "x"),
        ("a" * 31 + " bc", "a" * 31),
    ],
)
def test_an_id_is_made_of_a_name(name: str, owner: str) -> None:
    somebody = person(name)
    assert somebody is not None
    assert somebody.id == owner


@pytest.mark.parametrize("name", ["", "王", "!?"])
def test_of_some_names_no_id_can_be_made(name: str) -> None:
    assert person(name) is None


@pytest.mark.parametrize(
    ("answer", "toml"),
    [
        ("pw", '"pw"'),
        ("env:NAME", '{ env = "NAME" }'),
        ("file:/a b", '{ file = "/a b" }'),
        ("credential: home", '{ credential = "home" }'),
        ("env:", '"env:"'),
        ("vault:x", '"vault:x"'),
    ],
)
def test_a_secret_is_given_itself_or_by_where_it_is(answer: str, toml: str) -> None:
    assert secret(answer) == toml


@settings(deadline=None)
@given(
    broker=st.sampled_from(["mqtt://localhost", "wss://x"]),
    username=st.text(st.characters(codec="utf-8")),
    password=st.text(st.characters(codec="utf-8"), min_size=1),
    names=st.lists(st.text(st.characters(codec="utf-8"))),
)
def test_whatever_is_answered_the_file_says_it(broker: str, username: str, password: str, names: list[str]) -> None:
    people = {somebody.id: somebody for name in names if (somebody := person(name))}
    draft = Draft(broker=broker, username=username, password=quoted(password), people=tuple(people.values()))
    config = judge(text(draft, example=Path("x")), Path("config.toml"), environ={}).config
    assert config.mqtt.username == username
    assert config.mqtt.password.reveal() == (password if username else "")
    assert {owner.id: owner.name for owner in config.owners.values()} == {
        somebody.id: somebody.name for somebody in people.values()
    }
