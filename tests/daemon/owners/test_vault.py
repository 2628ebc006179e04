"""The vault of a running instance, over a real store."""

import asyncio
import shutil
import sqlite3
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitney.adapters.errors import MisconfiguredError, RefusedError
from jitney.adapters.secret import Secret
from jitney.daemon import log
from jitney.daemon.owners.key_sources import FILE, NEXT
from jitney.daemon.owners.sealing import DamagedError, Key
from jitney.daemon.owners.vault import Vault
from jitney.daemon.store.secrets import Entry
from jitney.daemon.store.store import Store
from jitney.daemon.store.tables import DATABASE

CANARY = "canary-7d1f3ab09e-refresh-token"


@asynccontextmanager
async def opened(folder: Path, **environ: str) -> AsyncIterator[Vault]:
    async with Store(folder / DATABASE) as store:
        yield Vault(store, folder, environ=environ)


def changed(folder: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as db:
        db.execute(sql, values)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def kept(folder: Path, owner: str = "alice", text: str = CANARY, **environ: str) -> None:
    async with opened(folder, **environ) as vault:
        await vault.for_adapter("strava").put(owner, "token", Secret(text))


async def test_a_secret_is_there_at_the_next_start(tmp_path: Path) -> None:
    await kept(tmp_path)
    async with opened(tmp_path) as vault:
        assert await vault.for_adapter("strava").get("alice", "token") == Secret(CANARY)


async def test_an_adapter_sees_only_what_it_has_kept_itself(tmp_path: Path) -> None:
    async with opened(tmp_path) as vault:
        strava, komoot = vault.for_adapter("strava"), vault.for_adapter("komoot")
        await strava.put("alice", "token", Secret("one"))
        await komoot.put("alice", "token", Secret("two"))
        assert await strava.get("alice", "token") == Secret("one")
        assert await komoot.get("alice", "token") == Secret("two")
        assert await strava.get("bob", "token") is None
        assert await strava.get("alice", "other") is None


async def test_the_newest_secret_replaces_the_one_before(tmp_path: Path) -> None:
    async with opened(tmp_path) as vault:
        strava = vault.for_adapter("strava")
        for number in range(5):
            await strava.put("alice", "token", Secret(f"token {number}"))
        assert await strava.get("alice", "token") == Secret("token 4")
        assert await vault.names() == [Entry("strava", "alice", "token")]


async def test_one_secret_or_all_of_an_owner_are_erased(tmp_path: Path) -> None:
    async with opened(tmp_path) as vault:
        strava = vault.for_adapter("strava")
        for owner in ("alice", "bob"):
            for name in ("access", "refresh"):
                await strava.put(owner, name, Secret(name))
        await strava.delete("alice", "access")
        assert [entry.name for entry in await vault.names() if entry.owner == "alice"] == ["refresh"]
        await strava.delete("alice")
        await strava.delete("alice")
        assert {entry.owner for entry in await vault.names()} == {"bob"}
        assert await strava.get("bob", "access") == Secret("access")


async def test_erasing_an_owner_reaches_the_secrets_of_every_adapter(tmp_path: Path) -> None:
    async with opened(tmp_path) as vault:
        for adapter in ("strava", "komoot"):
            for owner in ("alice", "bob"):
                await vault.for_adapter(adapter).put(owner, "token", Secret("x"))
        await vault.erase("alice")
        assert await vault.names() == [Entry("komoot", "bob", "token"), Entry("strava", "bob", "token")]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.tuples(st.text(max_size=8), st.text(max_size=8)), st.text(st.characters(), max_size=80), max_size=6
    )
)
def test_whatever_was_kept_comes_back(tmp_path: Path, secrets: dict[tuple[str, str], str]) -> None:
    async def keep_and_read() -> dict[tuple[str, str], str]:
        found = {}
        async with opened(tmp_path) as vault:
            strava = vault.for_adapter("strava")
            for (owner, name), text in secrets.items():
                await strava.put(owner, name, Secret(text))
            for owner, name in secrets:
                secret = await strava.get(owner, name)
                found[owner, name] = "nothing" if secret is None else secret.reveal()
        return found

    assert asyncio.run(keep_and_read()) == secrets
    changed(tmp_path, "DELETE FROM vault")


async def test_a_row_that_was_moved_to_somebody_else_does_not_open(tmp_path: Path) -> None:
    await kept(tmp_path, "alice")
    await kept(tmp_path, "bob", "bob's token")
    changed(tmp_path, "UPDATE vault SET owner = CASE owner WHEN 'alice' THEN 'eve' ELSE 'alice' END")
    async with opened(tmp_path) as vault:
        with pytest.raises(DamagedError, match=r'"token" of alice .* was changed or damaged'):
            await vault.for_adapter("strava").get("alice", "token")
        with pytest.raises(DamagedError, match='"token" of eve'):
            await vault.for_adapter("strava").get("eve", "token")


async def test_damage_of_one_secret_leaves_the_others_readable(tmp_path: Path) -> None:
    await kept(tmp_path, "alice")
    await kept(tmp_path, "bob")
    changed(tmp_path, "UPDATE vault SET ciphertext = zeroblob(40) WHERE owner = 'alice'")
    async with opened(tmp_path) as vault:
        strava = vault.for_adapter("strava")
        with pytest.raises(DamagedError):
            await strava.get("alice", "token")
        assert await strava.get("bob", "token") == Secret(CANARY)
        await strava.put("alice", "token", Secret("signed in again"))
        assert await strava.get("alice", "token") == Secret("signed in again")


async def test_no_key_is_made_before_there_is_a_secret_to_keep(tmp_path: Path) -> None:
    async with opened(tmp_path) as vault:
        assert await vault.for_adapter("strava").get("alice", "token") is None
        await vault.for_adapter("strava").delete("alice")
        await vault.erase("alice")
        assert await vault.names() == []
        assert not (tmp_path / FILE).exists()


async def test_many_first_secrets_at_once_have_one_key(tmp_path: Path) -> None:
    async with opened(tmp_path) as vault:
        strava = vault.for_adapter("strava")
        async with asyncio.TaskGroup() as group:
            for number in range(10):
                work = strava.put(f"owner{number}", "token", Secret(str(number)))
                group.create_task(work, name=f"put {number}")
        assert [await strava.get(f"owner{number}", "token") for number in range(10)] == [
            Secret(str(number)) for number in range(10)
        ]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.write_text(Key.new().text())])
async def test_a_lost_or_wrong_key_is_an_error_and_never_overwritten(
    tmp_path: Path, lose: Callable[[Path], object]
) -> None:
    await kept(tmp_path)
    lose(tmp_path / FILE)
    before = contents(tmp_path)
    async with opened(tmp_path) as vault:
        strava = vault.for_adapter("strava")
        with pytest.raises(MisconfiguredError, match="the vault needs the key with the id"):
            await strava.get("alice", "token")
        with pytest.raises(MisconfiguredError, match="the vault needs the key with the id"):
            await strava.put("alice", "token", Secret("new"))
        with pytest.raises(MisconfiguredError, match="the vault needs the key with the id"):
            await strava.put("bob", "token", Secret("new"))
        await strava.delete("carol")
    assert contents(tmp_path) == before


async def test_without_its_key_a_secret_can_still_be_erased_and_a_new_key_begins(tmp_path: Path) -> None:
    await kept(tmp_path)
    (tmp_path / FILE).unlink()
    async with opened(tmp_path) as vault:
        await vault.erase("alice")
    await kept(tmp_path, text="new")
    async with opened(tmp_path) as vault:
        assert await vault.for_adapter("strava").get("alice", "token") == Secret("new")


async def test_a_key_that_was_put_right_is_taken_without_a_restart(tmp_path: Path) -> None:
    await kept(tmp_path)
    shutil.move(tmp_path / FILE, tmp_path / "away")
    async with opened(tmp_path) as vault:
        strava = vault.for_adapter("strava")
        with pytest.raises(MisconfiguredError):
            await strava.get("alice", "token")
        shutil.move(tmp_path / "away", tmp_path / FILE)
        assert await strava.get("alice", "token") == Secret(CANARY)


async def test_a_key_from_the_environment_leaves_no_file(tmp_path: Path) -> None:
    key = Key.new().text()
    await kept(tmp_path, JITNEY_VAULT_KEY=key)
    assert not (tmp_path / FILE).exists()
    async with opened(tmp_path, JITNEY_VAULT_KEY=key) as vault:
        assert await vault.for_adapter("strava").get("alice", "token") == Secret(CANARY)
    async with opened(tmp_path) as vault:
        with pytest.raises(MisconfiguredError):
            await vault.for_adapter("strava").get("alice", "token")


async def test_a_rotation_that_was_cut_off_after_its_commit_is_finished_by_the_next_start(tmp_path: Path) -> None:
    await kept(tmp_path)
    new = (tmp_path / FILE).read_bytes()
    shutil.move(tmp_path / FILE, tmp_path / NEXT)
    (tmp_path / FILE).write_text(Key.new().text())
    (tmp_path / FILE).chmod(0o600)
    async with opened(tmp_path) as vault:
        assert await vault.for_adapter("strava").get("alice", "token") == Secret(CANARY)
    assert (tmp_path / FILE).read_bytes() == new
    assert not (tmp_path / NEXT).exists()


async def test_what_another_key_was_used_for_meanwhile_is_not_mixed_with(tmp_path: Path) -> None:
    async with opened(tmp_path, JITNEY_VAULT_KEY=Key.new().text()) as vault:
        strava = vault.for_adapter("strava")
        await strava.put("alice", "token", Secret("one"))
        changed(tmp_path, "UPDATE vault SET key_id = 'other'")
        with pytest.raises(MisconfiguredError, match="the key with the id other"):
            await strava.put("bob", "token", Secret("two"))
        assert [entry.owner for entry in await vault.names()] == ["alice"]


async def test_a_full_disk_refuses_a_secret_and_keeps_the_one_before(tmp_path: Path) -> None:
    async with Store(tmp_path / DATABASE) as store:
        vault = Vault(store, tmp_path, environ={})
        strava = vault.for_adapter("strava")
        await strava.put("alice", "token", Secret(CANARY))
        (pages,) = await store.read(lambda db: db.execute("PRAGMA page_count").fetchone())
        await store.read(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchall())
        with pytest.raises(RefusedError, match=r"the secret cannot be kept: .* the disk is full") as caught:
            await strava.put("alice", "token", Secret("x" * 100_000))
        assert caught.value.code == "not_kept"
        assert await strava.get("alice", "token") == Secret(CANARY)
        await store.read(lambda db: db.execute("PRAGMA max_page_count = 100000").fetchall())
        await strava.put("alice", "token", Secret("there is room again"))
        assert await strava.get("alice", "token") == Secret("there is room again")


async def test_what_cannot_be_erased_is_refused(tmp_path: Path) -> None:
    async with Store(tmp_path / DATABASE) as store:
        vault = Vault(store, tmp_path, environ={})
        await vault.for_adapter("strava").put("alice", "token", Secret(CANARY))
        await store.read(lambda db: db.execute("PRAGMA query_only = ON").fetchall())
        with pytest.raises(RefusedError, match="the secrets of alice cannot be erased") as caught:
            await vault.erase("alice")
        assert caught.value.code == "not_erased"


async def test_neither_key_nor_secret_is_in_the_state_in_a_log_line_or_in_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log.configure("json", "debug")
    told: list[str] = []
    state: list[dict[str, bytes]] = []

    async def refused(folder: Path, **environ: str) -> None:
        async with opened(folder, **environ) as vault:
            for work in (
                vault.for_adapter("strava").get("alice", "token"),
                vault.for_adapter("strava").get("bob", "token"),
            ):
                try:
                    told.append(repr(await work))
                except MisconfiguredError as error:
                    told.append(repr((error, error.__cause__, error.__context__)))
            state.append(contents(folder))

    await kept(tmp_path, "alice")
    await kept(tmp_path, "bob")
    await refused(tmp_path, JITNEY_VAULT_KEY="canary-wrong-key")
    await refused(tmp_path, JITNEY_VAULT_KEY=Key.new().text())
    changed(tmp_path, "UPDATE vault SET owner = 'alice' || owner")
    changed(tmp_path, "UPDATE vault SET owner = 'bob' WHERE owner = 'alicealice'")
    await refused(tmp_path)
    text = (tmp_path / FILE).read_text().strip()
    raw = Key.parse(text)._raw
    out, err = capfd.readouterr()
    assert "made the key of the vault" in err
    assert sum("the vault" in one for one in told) >= 5
    state.append(contents(tmp_path))
    everything = b"".join(raw for files in state for name, raw in files.items() if name != FILE)
    everything += "\n".join([out, err, *told]).encode()
    for hidden in (CANARY.encode(), b"canary", text.encode(), b64encode(raw), raw.hex().encode(), raw):
        assert hidden not in everything
    log.reset()
