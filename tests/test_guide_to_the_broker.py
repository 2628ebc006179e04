"""The guide to the broker is followed to the letter, at a real mosquitto, and what it says is what is so."""

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import StartBroker
from tests.documents import REPOSITORY, Snippet, blocks
from tests.fakes.walled import plugin

if TYPE_CHECKING:
    from tests.fakes.mosquitto import Broker

GUIDE = REPOSITORY / "docs" / "broker.md"
FOLDERS = ("/etc/mosquitto", "/var/lib/mosquitto")
PASSWORDS = {"admin": "the administrator's", "jitney": "the daemon's", "alice": "hers", "bob": "his"}


class Machine:
    """A folder that stands for a machine: what the guide does to it is done there."""

    def __init__(self, folder: Path, start: StartBroker) -> None:
        self.folder = folder
        self.broker: Broker | None = None
        self._start = start
        for place in ("/etc/mosquitto/conf.d", "/var/lib/mosquitto", "/bin"):
            (folder / place[1:]).mkdir(parents=True)
        self._shim("sudo", 'if [ "$1" = -u ]; then shift 2; fi\nexec "$@"')
        self._shim("chown", "exit 0")  # the user mosquitto is not everywhere
        self._shim("systemctl", f'echo "$1" >> {folder}/systemctl')
        self._shim("jitney", f'exec {sys.executable} -m jitney.daemon.cli "$@"')
        self.configure("mqtt://127.0.0.1:1")

    def configure(self, url: str) -> None:
        (self.folder / "config.toml").write_text(
            f'version = 1\n[bus]\nstate_dir = "{self.folder}/state"\n[mqtt]\nurl = "{url}"\nusername = "jitney"\n'
            f'password = "{PASSWORDS["jitney"]}"\n[owners.alice]\n[owners.bob]\n'
        )

    def conf(self, snippet: Snippet) -> None:
        (self.folder / "household.conf").write_text(self._here(snippet.text))

    def run(self, text: str, *, typed: str = "", check: bool = True) -> str:
        """Run commands of the guide, with an answer to each question; returns what they print."""
        environment: Mapping[str, str] = {
            **os.environ,
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}:/usr/sbin",
            "PYTHONPATH": str(REPOSITORY),
            "JITNEY_CONFIG": f"{self.folder}/config.toml",
            "JITNEY_ADMIN_PASSWORD": PASSWORDS["admin"],
        }
        done = subprocess.run(  # noqa: S603 - the guide's own commands
            ["/bin/bash", "-e", "-o", "pipefail", "-c", self._here(text)],
            cwd=self.folder,
            env=environment,
            input=f"{typed}\n{typed}\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        assert done.returncode == 0 or not check, done.stderr
        self._follow_systemctl()
        return done.stdout + done.stderr

    def _follow_systemctl(self) -> None:
        told = self.folder / "systemctl"
        for word in told.read_text().split() if told.exists() else ():
            if word == "reload":
                assert self.broker is not None
                self.broker._signal(signal.SIGHUP)
            else:
                lines = (self.folder / "household.conf").read_text().splitlines()
                extra = [line for line in lines if not line.startswith(("listener", "allow_anonymous"))]
                self.broker = self._start(anonymous=False, extra=extra)
                self.configure(self.broker.url)
        told.unlink(missing_ok=True)

    def _here(self, text: str) -> str:
        text = re.sub(r"/usr/lib/\S+/mosquitto_dynamic_security\.so", str(plugin()), text)
        for folder in FOLDERS:
            text = text.replace(folder, f"{self.folder}{folder}")
        if self.broker is not None:
            text = text.replace("mosquitto_pub ", f"mosquitto_pub -p {self.broker.port} ")
        return text

    def _shim(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def machine(tmp_path: Path, mosquitto: StartBroker) -> Iterator[Machine]:
    found = Machine(tmp_path, mosquitto)
    yield found
    if found.broker is not None:
        found.broker.kill()


def section(title: str) -> list[Snippet]:
    """Return the blocks of the guide below a heading."""
    text = GUIDE.read_text("utf-8")
    begin = text[: text.index(f"\n## {title}\n")].count("\n") + 1
    end = text.find("\n## ", text.index(f"\n## {title}\n") + 1)
    last = text[:end].count("\n") + 1
    return [one for one in blocks(GUIDE, "conf", "sh") if begin < one.line < last]


def test_the_way_with_dynamic_security_works_as_it_is_written(machine: Machine) -> None:
    conf, init, people, after = section("With dynamic security")
    machine.conf(conf)
    machine.run(init.text, typed=PASSWORDS["admin"])
    shown = machine.run(people.text)
    assert "make role jitney-alice: owner alice" in shown
    assert "Username:  jitney-alice.phone" in shown
    assert "all as they should be." in shown
    shown = machine.run(after.text)
    assert "client id jitney-alice.phone" in shown
    assert "Revoked jitney-alice.phone" in shown


def test_the_way_with_an_acl_file_works_as_it_is_written(machine: Machine) -> None:
    conf, daemon, devices, verify, revoke = section("With an ACL file")
    machine.conf(conf)
    machine.run(daemon.text, typed=PASSWORDS["jitney"])
    shown = machine.run(devices.text)
    password = shown.split("Password:  ")[1].split("\n")[0]
    assert password not in (machine.folder / "etc/mosquitto/passwd").read_text()
    for owner in ("alice", "bob"):
        machine.run(f"sudo mosquitto_passwd /etc/mosquitto/passwd {owner}", typed=PASSWORDS[owner])
        (machine.folder / f"{owner}.txt").write_text(PASSWORDS[owner])
    machine.run("sudo systemctl reload mosquitto")
    assert "all as they should be." in machine.run(verify.text)
    machine.run(revoke.text)
    assert "jitney-alice.phone" not in (machine.folder / "etc/mosquitto/acl").read_text()
    assert "jitney-alice.phone" not in (machine.folder / "etc/mosquitto/passwd").read_text()


def test_the_commands_that_are_sent_by_hand_are_taken(machine: Machine) -> None:
    conf, init, people, _ = section("With dynamic security")
    (by_hand,) = section("Other brokers")
    machine.conf(conf)
    machine.run(init.text, typed=PASSWORDS["admin"])
    machine.run(by_hand.text)
    apply, *_ = people.text.splitlines()
    shown = machine.run(apply)
    assert "role" not in shown.split("note:")[0]
    assert "make login jitney" in shown
