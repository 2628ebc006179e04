"""Where what is kept of an owner is looked up: at the running bus, else in the files of one that does not run."""

import argparse
import os
import sqlite3
from base64 import b64decode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from jitney.daemon.cli.asking import Errand, answer
from jitney.daemon.cli.common import configuration, from_vault, names_only_a_broker
from jitney.daemon.cli.state_at_rest import reading, rests
from jitney.daemon.cli.state_folder import configuration_file, state_folder
from jitney.daemon.config.load import load
from jitney.daemon.config.paths import default_path
from jitney.daemon.config.schema import AdapterSettings, MqttSettings
from jitney.daemon.owners.files import folder
from jitney.daemon.service.holdings import (
    CHUNK,
    FILES,
    MEMORY,
    Page,
    Part,
    Usage,
    files,
    files_usage,
    owned,
    readable,
    with_files,
)
from jitney.daemon.store import holdings
from jitney.daemon.store.holdings import TABLES, Cursor, Holding

Record = Mapping[str, object]


class Source(Protocol):
    """Tells what is kept. Raises JitneyError."""

    def usage(self, owner: str) -> Usage:
        """Return what an owner takes, or everybody when that is empty."""

    def records(self, owner: str, table: str) -> Iterator[Record]:
        """Return every record of an owner of a table, one after the other."""

    def file(self, owner: str, name: str) -> Iterator[bytes]:
        """Return a file of an owner, in parts."""


class AtBus:
    """Asks the running bus."""

    def __init__(self, mqtt: MqttSettings, *, instance: str, seconds: float) -> None:
        self._mqtt = mqtt
        self._instance = instance
        self._seconds = seconds

    def usage(self, owner: str) -> Usage:
        """Return what an owner takes, or everybody when that is empty."""
        return answer(self._mqtt, self._errand("owner_usage", {"owner": owner}), Usage)

    def records(self, owner: str, table: str) -> Iterator[Record]:
        """Return every record of an owner of a table, one after the other."""
        after: Cursor | None = None
        while True:
            data = {"owner": owner, "table": table, "after": after}
            page = answer(self._mqtt, self._errand("owner_export", data), Page)
            yield from page.records
            after = page.next
            if after is None:
                return

    def file(self, owner: str, name: str) -> Iterator[bytes]:
        """Return a file of an owner, in parts."""
        offset, size = 0, 1
        while offset < size:
            data = {"owner": owner, "name": name, "offset": offset}
            part = answer(self._mqtt, self._errand("owner_file", data), Part)
            content = b64decode(part.data)
            yield content
            offset, size = offset + max(1, len(content)), part.size

    def _errand(self, request: str, data: Mapping[str, Any]) -> Errand:
        return Errand(instance=self._instance, request=request, data=data, seconds=self._seconds)


class InFiles:
    """Reads the state file and folders of a bus that does not run; changes nothing."""

    def __init__(self, folder: Path, adapters: Mapping[str, AdapterSettings]) -> None:
        self.place = folder
        self._adapters = adapters

    def usage(self, owner: str) -> Usage:
        """Return what an owner takes, or everybody when that is empty."""
        with reading(self.place) as db:
            who = [owner] if owner else sorted({*holdings.owners(db), *with_files(self.place)} - {""})
            return Usage({one: self._of(db, one) for one in who})

    def records(self, owner: str, table: str) -> Iterator[Record]:
        """Return every record of an owner of a table, one after the other."""
        if table == MEMORY:
            return
        if table == FILES:
            yield from (one for _, one in files(self.place, owner))
            return
        (found,) = (one for one in TABLES if one.name == table)
        with reading(self.place) as db:
            yield from map(readable, holdings.rows(db, found, owner, owned(self._adapters, owner)))

    def file(self, owner: str, name: str) -> Iterator[bytes]:
        """Return a file of an owner, in parts."""
        with (folder(self.place, owner) / name).open("rb") as file:
            while part := file.read(CHUNK):
                yield part

    def _of(self, db: sqlite3.Connection, owner: str) -> dict[str, Holding]:
        found = holdings.usage(db, owner, owned(self._adapters, owner))
        return {**found, MEMORY: Holding(0, 0), FILES: files_usage(self.place, owner)}


def source(args: argparse.Namespace) -> Source:
    """Return the running bus, or the files of one that does not run here; raises JitneyError."""
    if not names_only_a_broker(args) and not args.instance:
        args.state_dir = None
        place = state_folder(args)
        if rests(place):
            return InFiles(place, _adapters(args))
    config = configuration(args)
    return AtBus(config.mqtt, instance=args.instance or config.bus.instance, seconds=args.timeout)


def _adapters(args: argparse.Namespace) -> Mapping[str, AdapterSettings]:
    if configuration_file(args) is None:
        return {}
    return load(args.config or default_path(os.environ), environ=os.environ, vault=from_vault).adapters
