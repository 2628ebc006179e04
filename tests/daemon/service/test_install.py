"""Installing into the root of another system, which needs neither root nor systemd, and what is refused."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from jitney.daemon.cli import main
from jitney.daemon.config.load import load
from jitney.daemon.service.hand import Step
from jitney.daemon.service.install import Installation
from jitney.daemon.service.install_user import UserInstallation
from jitney.daemon.service.machine import (
    CannotInstallError,
    Machine,
    check_program,
    check_reach,
    check_root,
    check_systemd,
)
from jitney.share import share

UNITS = "etc/systemd/system"
OWN = Path("/home", "alice", ".config", "systemd", "user")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine where everything is as it should be; its programs are in a folder of the test."""
    program = tmp_path / "opt" / "bin" / "jitney"
    program.parent.mkdir(parents=True)
    program.touch()
    return Machine(
        prefix=tmp_path / "opt",
        interpreter=Path("/usr/bin/python3"),
        package=Path("/opt/jitney/lib"),
        uid=0,
        systemd=252,
        booted=True,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return an image to install into, with the group of the service as far as the test may give it files."""
    image = tmp_path / "image"
    (image / "etc").mkdir(parents=True)
    (image / "etc" / "group").write_text(f"root:x:0:\njitney:x:{os.getgid()}:\n")
    (image / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    return image


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a service see the folders of tests, and make no users."""
    monkeypatch.setattr("jitney.daemon.service.install.check_reach", lambda _: None)
    monkeypatch.setattr("jitney.daemon.service.hand.subprocess.run", lambda *_, **__: pytest.fail("nothing is run"))
    monkeypatch.setattr("jitney.daemon.service.install.os.geteuid", lambda: 1000)


class Installing:
    """Installs and keeps what was told."""

    def __init__(self, machine: Machine, root: Path) -> None:
        self._machine = machine
        self.root = root
        self.steps = [Step("nothing", "yet")]

    def installation(self, *, dry: bool = False, **changes: int) -> Installation:
        self.steps.clear()
        return Installation(replace(self._machine, **changes), root=self.root, dry=dry, tell=self.steps.append)

    def told(self, verb: str) -> set[str]:
        return {step.what for step in self.steps if step.verb == verb}

    def files(self) -> dict[str, str]:
        """Return every file in the image by its path."""
        return {
            str(path.relative_to(self.root)): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
            for path in self.root.rglob("*")
            if path.is_symlink() or path.is_file()
        }


@pytest.fixture
def installing(machine: Machine, root: Path, reachable: None) -> Installing:
    del reachable
    return Installing(machine, root)


def test_everything_is_written_and_named(installing: Installing, machine: Machine) -> None:
    before = set(installing.files())
    installing.installation().install(serial=True)
    made = {f"/{path}" for path in set(installing.files()) - before}
    assert made - {"/etc/jitney/.installed.json"} == installing.told("wrote")
    assert any(str(step) == "wrote    /etc/jitney/config.toml  (yours to edit)" for step in installing.steps)
    assert installing.told("made") == {"/etc/jitney/", "/etc/jitney/secrets/"}
    unit = installing.files()[f"{UNITS}/jitney.service"]
    assert f"ExecStart={machine.program} run --config /etc/jitney/config.toml" in unit
    assert installing.files()["usr/local/bin/jitney"] == f"-> {machine.program}"
    modes = {
        name: stat.S_IMODE((installing.root / name).stat().st_mode) for name in ("etc/jitney", "etc/jitney/secrets")
    }
    assert modes == {"etc/jitney": 0o750, "etc/jitney/secrets": 0o700}
    assert stat.S_IMODE((installing.root / "etc/jitney/config.toml").stat().st_mode) == 0o640


def test_doing_it_again_changes_nothing(installing: Installing) -> None:
    installing.installation().install(serial=True)
    before = installing.files()
    installing.installation().install(serial=True)
    assert installing.files() == before
    assert {step.verb for step in installing.steps} == {"kept"}


def test_a_dry_run_tells_the_same_and_changes_nothing(installing: Installing) -> None:
    before = installing.files()
    installing.installation(dry=True).install(serial=False)
    would = {step.what for step in installing.steps if step.verb.startswith("would: ")}
    assert installing.files() == before
    assert list(installing.root.iterdir()) == [installing.root / "etc"]
    installing.installation().install(serial=False)
    assert would == installing.told("wrote") | installing.told("made")


def test_a_configuration_is_never_overwritten(installing: Installing) -> None:
    file = installing.root / "etc/jitney/config.toml"
    file.parent.mkdir()
    file.write_text("# mine\n")
    installing.installation().install(serial=True)
    installing.installation().uninstall()
    assert file.read_text() == "# mine\n"


def test_the_first_configuration_is_right_and_finds_the_state_also_by_hand(installing: Installing) -> None:
    installing.installation().install(serial=True)
    config = load(installing.root / "etc/jitney/config.toml", environ={})
    assert config.bus.state_dir == "/var/lib/jitney"
    assert 'password = { credential = "mqtt" }' in installing.files()["etc/jitney/config.toml"]


@pytest.mark.parametrize(("version", "there"), [(252, False), (253, True), (257, True)])
def test_a_reload_that_can_be_waited_for_is_for_a_systemd_that_knows_it(
    installing: Installing, version: int, *, there: bool
) -> None:
    installing.installation(systemd=version).install(serial=True)
    assert (f"{UNITS}/jitney.service.d/10-reload.conf" in installing.files()) == there
    installing.installation(systemd=252).install(serial=True)
    assert f"{UNITS}/jitney.service.d/10-reload.conf" not in installing.files()


def test_no_serial_stays_chosen(installing: Installing) -> None:
    name = f"{UNITS}/jitney.service.d/20-no-serial.conf"
    installing.installation().install(serial=True)
    assert name not in installing.files()
    installing.installation().install(serial=False)
    assert name in installing.files()
    installing.installation().install(serial=True)
    assert name in installing.files()


def test_a_new_version_brings_its_units_but_not_over_what_somebody_has_changed(
    installing: Installing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installing.installation().install(serial=True)
    (installing.root / UNITS / "jitney.socket").write_text("[Socket]\nListenStream=9000\n")

    def newer(name: str) -> Path:
        file = tmp_path / "newer"
        file.write_text(share(name).read_text() + "# newer\n")
        return file

    monkeypatch.setattr("jitney.daemon.service.install.share", newer)
    installing.installation().install(serial=True)
    assert installing.files()[f"{UNITS}/jitney.service"].endswith("# newer\n")
    assert installing.files()[f"{UNITS}/jitney.socket"] == "[Socket]\nListenStream=9000\n"
    assert installing.told("left") == {"/etc/systemd/system/jitney.socket"}


def test_uninstalling_removes_what_was_installed_and_nothing_else(installing: Installing) -> None:
    before = installing.files()
    drop_in = installing.root / UNITS / "jitney.service.d" / "mine.conf"
    installing.installation(systemd=257).install(serial=False)
    drop_in.write_text("[Service]\nMemoryMax=1G\n")
    (installing.root / "etc/jitney/secrets/mqtt").write_text("hush")
    assert installing.installation().uninstall()
    left = {name: text for name, text in installing.files().items() if name not in before}
    assert set(left) == {
        "etc/jitney/config.toml",
        "etc/jitney/secrets/mqtt",
        str(drop_in.relative_to(installing.root)),
    }
    assert not installing.installation().uninstall()


def test_uninstalling_leaves_what_somebody_has_changed(installing: Installing) -> None:
    installing.installation().install(serial=True)
    unit = installing.root / UNITS / "jitney.service"
    unit.write_text(unit.read_text() + "# mine\n")
    installing.installation().uninstall()
    assert unit.exists()
    assert installing.told("left") == {"/etc/systemd/system/jitney.service"}


def test_a_command_that_is_somebody_elses_is_left(installing: Installing) -> None:
    command = installing.root / "usr/local/bin/jitney"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    installing.installation().install(serial=True)
    assert command.read_text() == "#!/bin/sh\n"
    installing.installation().uninstall()
    assert command.exists()


def test_a_receipt_that_cannot_be_read_is_no_licence_to_overwrite(installing: Installing) -> None:
    installing.installation().install(serial=True)
    (installing.root / "etc/jitney/.installed.json").write_text("{")
    with pytest.raises(CannotInstallError, match=r"\.installed\.json.* cannot be read"):
        installing.installation().install(serial=True)


def test_the_receipt_names_only_what_can_be_removed(installing: Installing) -> None:
    installing.installation().install(serial=True)
    receipt = json.loads(installing.files()["etc/jitney/.installed.json"])
    assert "/etc/jitney/config.toml" not in receipt
    assert set(receipt) <= {f"/{name}" for name in installing.files()}


@pytest.mark.parametrize(
    ("check", "changes", "said"),
    [
        (check_program, {"prefix": Path("/usr/nowhere")}, "run from its sources"),
        (check_reach, {"prefix": Path("/home", "alice")}, "nothing below /home"),
        (check_reach, {"prefix": Path("/opt"), "interpreter": Path("/root", "python3")}, "its Python"),
        (check_reach, {"prefix": Path("/opt"), "package": Path("/tmp/jitney")}, "nothing below /tmp"),
        (check_root, {"uid": 1000}, "sudo "),
        (check_systemd, {"systemd": 0}, "does not run here"),
        (check_systemd, {"booted": False}, "does not run here"),
    ],
)
def test_what_cannot_work_is_refused_with_the_remedy(
    machine: Machine, check: Callable[[Machine], None], changes: dict[str, object], said: str
) -> None:
    with pytest.raises(CannotInstallError, match=said):
        check(replace(machine, **changes))


def test_a_path_that_a_unit_cannot_name_is_refused(machine: Machine, tmp_path: Path) -> None:
    odd = tmp_path / "my 100% bus"
    (odd / "bin").mkdir(parents=True)
    (odd / "bin" / "jitney").touch()
    with pytest.raises(CannotInstallError, match="because of the characters in it"):
        check_program(replace(machine, prefix=odd))


def test_a_user_gets_a_unit_and_nothing_else(machine: Machine, root: Path) -> None:
    steps: list[Step] = []

    def own() -> UserInstallation:
        environ = {"HOME": "/home/alice"}
        return UserInstallation(replace(machine, systemd=257), environ=environ, root=root, dry=False, tell=steps.append)

    own().install()
    folder = root / OWN.relative_to("/")
    unit = (folder / "jitney.service").read_text()
    assert f"ExecStart={machine.program} run\n" in unit
    assert "User=" not in unit
    assert {step.what for step in steps} == {
        str(OWN / "jitney.service"),
        str(OWN / "jitney.service.d/10-reload.conf"),
    }
    assert own().uninstall()
    assert list(folder.iterdir()) == []


def test_the_command_refuses_in_one_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jitney.daemon.service.machine.sys.prefix", "/usr/nowhere")
    assert main(["install-service"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("jitney: there is no /usr/nowhere/bin/jitney")
    assert "sudo python3 -m venv /opt/jitney" in said.err
