"""What the bus keeps and says for one adapter."""

from pathlib import Path

import msgspec
import pytest

from jitney.adapters.errors import RefusedError
from tests.daemon.running import config, observing, payload, running
from tests.fakes.mosquitto import Broker
from tests.waiting import until


async def test_several_values_are_kept_over_a_restart_and_found_by_their_prefix(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon:
        await daemon.context().save_all({"a/2": b"two", "a/1": b"one", "b/1": b"other"})
        await daemon.context().save_all({"a/2": None, "a/3": b"three"})
    async with running(config(broker.url), tmp_path) as daemon:
        assert await daemon.context().load_all("a/") == {"a/1": b"one", "a/3": b"three"}
        assert list(await daemon.context().load_all("")) == ["a/1", "a/3", "b/1"]


async def test_one_adapter_does_not_find_what_another_keeps(broker: Broker, tmp_path: Path) -> None:
    settings = config(broker.url, adapters={"one": "_house", "two": "_house"})
    async with running(settings, tmp_path) as daemon:
        await daemon.context("one").save("key", b"1")
        assert await daemon.context("two").load_all("") == {}


async def test_who_saves_is_told_when_the_disk_does_not_take_it(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon:
        store = daemon.app.parts.store
        await store.read(lambda db: db.execute("PRAGMA query_only = ON"))
        with pytest.raises(RefusedError, match="read-only"):
            await daemon.context().save("key", b"1")
        await store.read(lambda db: db.execute("PRAGMA query_only = OFF"))
        await daemon.context().save("other", b"2")
        assert await daemon.context().load_all("") == {"other": b"2"}


async def test_one_owner_is_told_what_is_amiss_for_them_alone(broker: Broker, tmp_path: Path) -> None:
    async with observing(broker.port) as observer, running(config(broker.url), tmp_path) as daemon:
        await daemon.connected()

        def status(owner: str) -> object:
            seen = observer.on(f"jitney/{owner}/status/played")
            return msgspec.json.decode(payload(seen[-1]))["state"] if seen else None

        await until(lambda: status("alice") == status("bob") == "online")
        daemon.context().owner_status("bob", "reauth", "sign in again")
        await until(lambda: status("bob") == "reauth")
        daemon.context().degraded("slow")
        await until(lambda: status("alice") == "degraded")
        assert status("bob") == "reauth"
        daemon.context().owner_status("bob", "online")
        await until(lambda: status("bob") == "degraded")


async def test_files_of_an_owner_lie_in_a_folder_of_their_own(broker: Broker, tmp_path: Path) -> None:
    async with running(config(broker.url), tmp_path) as daemon:
        assert daemon.context().folder("alice") == tmp_path / "owners" / "alice" / "played"
