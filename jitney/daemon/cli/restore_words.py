"""A backup and what it would replace, in words."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from jitney.daemon.cli.amounts import counted, size
from jitney.daemon.service.backup_config import Change
from jitney.daemon.service.backup_contents import Manifest
from jitney.daemon.service.backup_restore import Restored
from jitney.daemon.store import holdings
from jitney.daemon.store.tables import DATABASE, version_of
from jitney.topics import rfc3339


class PutBack(Struct, frozen=True):
    """What a restoration tells programs: ``before`` is where the old state lies, empty where there was none."""

    manifest: Manifest
    folder: str
    before: str
    written: Sequence[str]
    missing: str


def put_back(done: Restored, written: Sequence[Change]) -> PutBack:
    """Return what was done."""
    before = str(done.before or "")
    return PutBack(done.manifest, str(done.folder), before, [str(change.path) for change in written], done.missing)


def told(manifest: Manifest) -> Iterator[str]:
    """Return what is in a backup."""
    key = "with its key" if manifest.key else f"its key (id {', '.join(manifest.keys)}) is not in it"
    yield f"Backup of {manifest.made}, made by Jitney {manifest.version} on {manifest.host} from {manifest.state_dir}"
    yield f"  state          {size(manifest.state_bytes)}, version {manifest.state_version}"
    yield f"  files          {manifest.files}, {size(manifest.files_bytes)}"
    yield f"  vault          {key}" if manifest.keys else "  vault          empty"
    yield f"  configuration  {manifest.config or 'not in it'}"
    yield from _owners(manifest.owners)


def present(folder: Path) -> Iterator[str]:
    """Return what there is in a state folder that a restoration would replace."""
    path = folder / DATABASE
    try:
        status = path.stat()
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            version = version_of(db)
            found = {owner: holdings.usage(db, owner) for owner in holdings.owners(db)}
    except FileNotFoundError:
        yield f"There is no state in {folder} yet."
    except (OSError, sqlite3.Error) as error:
        yield f"It would replace {folder}, which cannot be looked into ({error})."
    else:
        changed = rfc3339(datetime.fromtimestamp(max(status.st_mtime, _of_log(path)), UTC))
        yield f"It would replace {folder}, written last at {changed}"
        yield f"  state          {size(status.st_size)}, version {version}"
        yield from _owners(found)


def _of_log(path: Path) -> float:
    log = path.with_name(f"{path.name}-wal")
    return log.stat().st_mtime if log.exists() else 0.0


def _owners(owners: Mapping[str, Mapping[str, holdings.Holding]]) -> Iterator[str]:
    for owner, tables in owners.items():
        waiting = counted(tables["outbox"].rows, "event") + " waiting"
        secrets = counted(tables["vault"].rows, "secret")
        total = sum(holding.bytes for holding in tables.values())
        yield f"  {owner:<14} {waiting}, {tables['retained'].rows} retained, {secrets}, {size(total)} in all"
