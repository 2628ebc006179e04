"""`jitney audit`, at a running bus and with the file of one that was stopped."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jitney.adapters.secret import Secret
from jitney.daemon.cli import main
from jitney.daemon.service import audit_requests
from jitney.daemon.store.tables import DATABASE
from tests.daemon.running import config, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until

Jitney = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def jitney(
    tmp_path: Path, broker: Broker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Jitney:
    """Return what runs a command with a configuration in the test's folder: its status, output and errors."""
    for name in ("JITNEY_MQTT", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "JITNEY_VAULT_KEY"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "config.toml"
    path.write_text(
        f'version = 1\n[bus]\nstate_dir = "{tmp_path}/state"\n[mqtt]\nurl = "{broker.url}"\n'
        "[owners.alice]\n[owners.bob]\n"
    )
    monkeypatch.setenv("JITNEY_CONFIG", str(path))

    async def run(*arguments: str) -> tuple[int, str, str]:
        status = await asyncio.to_thread(main, arguments)
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run


def told(lines: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(lines.splitlines()[-1])
    return found


async def test_a_running_bus_is_asked_page_by_page(
    broker: Broker, tmp_path: Path, jitney: Jitney, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jitney.daemon.cli.audit.MOST", 3)
    async with running(config(broker.url), tmp_path / "state") as daemon:
        await daemon.connected()
        audit = daemon.app.parts.audit
        for number in range(8):
            audit.add("command", owner="alice", who="phone", detail=f"echo {number}")
        audit.add("refused", owner="bob", outcome="foreign_owner", detail="\x1b[31mred")
        await until(lambda: audit.head.number == 10)
        status, out, _ = await jitney("audit", "list", "--limit", "0", "--json")
        assert (status, [row["number"] for row in told(out)]) == (0, list(range(1, 11)))
        status, out, _ = await jitney("audit", "list", "--owner", "alice", "--limit", "4", "--json")
        assert [row["detail"] for row in told(out)] == ["echo 4", "echo 5", "echo 6", "echo 7"]
        status, out, _ = await jitney("audit", "list", "--what", "refused")
        assert (status, len(out.splitlines())) == (0, 1)
        assert "\x1b" not in out
        assert "foreign_owner" in out
        assert (await jitney("audit", "list", "--since", "2999-01-01"))[1] == ""
        status, out, _ = await jitney("audit", "verify")
        assert status == 0
        assert "whole: 10 rows" in out
        (head,) = (line.removeprefix("It ends with ") for line in out.splitlines() if line.startswith("It ends"))
        assert (await jitney("audit", "verify", "--known", head))[0] == 0
        other = f"10:{'ab' * 32}"
        status, out, _ = await jitney("audit", "verify", "--known", other, "--known", head)
        assert (status, out.startswith("Row 10 of the audit log is not as it should be")) == (1, True)


async def test_the_file_of_a_bus_that_was_stopped_is_read_and_what_is_wrong_with_it_is_named(
    broker: Broker, tmp_path: Path, jitney: Jitney
) -> None:
    async with running(config(broker.url), tmp_path / "state") as daemon:
        await daemon.connected()
        await daemon.context().vault.put("alice", "token", Secret("canary-token"))
        daemon.app.parts.audit.add("sign_in", owner="alice", adapter="played")
        await until(lambda: daemon.app.parts.audit.head.number == 2)
    status, out, _ = await jitney("audit", "verify")
    assert status == 0
    assert "Up to row 3 it is sealed with the vault's key." in out
    assert [row["what"] for row in told((await jitney("audit", "list", "--json"))[1])] == ["start", "sign_in", "stop"]
    with closing(sqlite3.connect(tmp_path / "state" / DATABASE, isolation_level=None)) as db:
        db.execute("DROP TRIGGER audit_stays")
        db.execute("UPDATE audit SET detail = 'nothing' WHERE number = 2")
    status, out, _ = await jitney("audit", "verify", "--json")
    assert (status, json.loads(out)["broken"]) == (1, 2)
    assert (await jitney("audit", "verify"))[1].startswith("Row 2 of the audit log")


async def test_the_vaults_key_can_be_rotated_and_the_log_stays_sealed(
    broker: Broker, tmp_path: Path, jitney: Jitney
) -> None:
    async with running(config(broker.url), tmp_path / "state") as daemon:
        await daemon.context().vault.put("alice", "token", Secret("canary-token"))
    assert (await jitney("vault", "rotate"))[0] == 0
    assert "sealed with the vault's key" in (await jitney("audit", "verify"))[1]


async def test_devices_that_are_added_without_the_bus_are_told_when_it_runs(
    broker: Broker, tmp_path: Path, jitney: Jitney
) -> None:
    (tmp_path / "state").mkdir()
    _, out, _ = await jitney("devices", "add", "alice", "phone", "--json")
    password = json.loads(out)["password"]
    async with running(config(broker.url), tmp_path / "state") as daemon:
        await until(lambda: daemon.app.parts.audit.head.number >= 2)
        _, out, _ = await jitney("audit", "list", "--what", "acl", "--instance", "main", "--json")
        (row,) = told(out)
        assert (row["owner"], row["detail"]) == ("alice", "device phone added")
        assert "on this machine" in row["who"]
    assert password.encode() not in b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())


async def test_where_the_state_folder_is_not_the_running_bus_is_told(
    broker: Broker, tmp_path: Path, jitney: Jitney
) -> None:
    async with running(config(broker.url), tmp_path / "elsewhere") as daemon:
        await daemon.connected()
        status, _, _ = await jitney("acl", "render", "--target", "mosquitto-acl")
        assert status == 0
        from jitney.daemon.cli.audited import tell  # noqa: PLC0415
        from jitney.daemon.cli.common import configuration  # noqa: PLC0415

        settings = configuration(argparse_like(tmp_path))
        await asyncio.to_thread(tell, settings, argparse_like(tmp_path), "acl", owner="bob", detail="device x added")
        await until(lambda: daemon.app.parts.audit.head.number == 2)
        (row,) = told((await jitney("audit", "list", "--what", "acl", "--json"))[1])
        assert row["who"].startswith("somebody who says ")


def argparse_like(folder: Path) -> Any:  # noqa: ANN401
    from argparse import Namespace  # noqa: PLC0415

    return Namespace(mqtt="", config=folder / "config.toml", root=None)


@pytest.mark.parametrize(
    ("request_", "data"),
    [
        ("audit_list", {"most": 100_000}),
        ("audit_list", {"before": -1}),
        ("audit_verify", {"known": ["x"]}),
        ("audit_verify", {"known": ["1:00"] * 101}),
        ("audit_note", {"what": "command"}),
        ("audit_note", {"what": "acl", "time": "1999"}),
    ],
)
async def test_what_is_asked_wrongly_is_refused(broker: Broker, tmp_path: Path, *, request_: str, data: Any) -> None:  # noqa: ANN401
    async with running(config(broker.url), tmp_path) as daemon:
        with pytest.raises(audit_requests.RefusedError):
            await daemon.app.administration[request_](audit_requests.Raw(json.dumps(data).encode()))
