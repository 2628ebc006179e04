"""Another configuration while the bus runs: whoever asks for it, it takes the same road."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Raw, Struct

from jitney.adapters.errors import RefusedError
from jitney.daemon import log
from jitney.daemon.app import App
from jitney.daemon.config.load import Loaded, Vault, examine
from jitney.daemon.config.plan import Plan
from jitney.daemon.config.problems import ConfigError, Mark, Problem
from jitney.daemon.config.schema import Config
from jitney.daemon.config.watched import Marks, look
from jitney.daemon.service.notify import Notifier
from jitney.daemon.store.store import StoreError
from jitney.topics import JitneyError

LOOK: Final = 2.0
"""Seconds between two looks at the files; one that is still being written is looked at once more."""

AGAIN: Final = 10.0
"""Seconds after which it is tried again what could not be done for a reason that may pass."""

VAULT: Final = Path("vault")
"""Stands among the files for the secrets in the vault; every file has an absolute path."""

INVALID: Final = "invalid_configuration"
"""The code of an answer that the file is wrong."""

_log = log.get("config")


class Outcome(Struct, frozen=True, kw_only=True):
    """What a reload has changed, or would; ``restart`` are the keys that count from the next start on."""

    changes: tuple[str, ...] = ()
    adapters: Mapping[str, str] = {}
    restart: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    done: bool = False


class Reloading:
    """Reads the configuration again when it is ``wanted``, when somebody asks, or when it or a secret has changed.

    What is wrong with the file is told where everybody looks, and the old configuration stays in force. ``seen`` are
    its files and those of its secrets as they were when the configuration that is in force was read, or just before.
    """

    def __init__(
        self,
        app: App,
        path: Path,
        *,
        environ: Mapping[str, str],
        vault: Vault | None,
        notifier: Notifier,
        wanted: asyncio.Event,
        seen: Marks,
    ) -> None:
        self._app = app
        self._path = path
        self._environ = environ
        self._vault = vault
        self._notifier = notifier
        self._lock = asyncio.Lock()
        self._wanted = wanted
        self._seen = seen
        self._secrets: frozenset[Path] = frozenset(seen)
        self._due = inf
        self._group: asyncio.TaskGroup | None = None
        app.administration["reload"] = self._requested

    async def run(self) -> None:
        """Read it again whenever it is wanted or a file has changed; cancelled to stop it."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                self._seen = {**await self._look(), **self._seen}
                while True:
                    await self._until_wanted()
                    self._wanted.clear()
                    await self._tried()
            finally:
                self._group = None

    async def reload(self, *, only_plan: bool = False) -> Outcome:
        """Read the configuration and put it in force, or with ``only_plan`` tell what that would change.

        It is done to its end also when nobody waits for it any more. Raises ConfigError, or another JitneyError; then
        the old one stays in force.
        """
        if self._group is None:
            raise RefusedError("unavailable", "the bus is starting or stopping")
        work = self._group.create_task(self._tried(only_plan=only_plan), name="reload")
        match await asyncio.shield(work):
            case Outcome() as outcome:
                return outcome
            case error:
                raise error

    async def _tried(self, *, only_plan: bool = False) -> Outcome | JitneyError:
        """Reload and return what came of it."""
        async with self._lock:
            with self._notifier.reloading():
                before = await self._look()
                try:
                    if not only_plan:
                        await self._finish()
                    loaded = await asyncio.to_thread(examine, self._path, environ=self._environ, vault=self._vault)
                    self._check(loaded.config)
                    if only_plan:
                        return _outcome(loaded, self._app.plan(loaded.config), done=False)
                    self._secrets = frozenset(loaded.marks)
                    before = {**loaded.marks, **before}
                    return await self._use(loaded)
                except JitneyError as error:
                    if isinstance(error, ConfigError):
                        before = {**error.secrets, **before}
                    if not only_plan:
                        self._told(error)
                    return error
                finally:
                    if not only_plan:  # what was written while it was read is another one than before
                        self._seen = {one: before.get(one, mark) for one, mark in (await self._look()).items()}

    def _check(self, config: Config) -> None:
        """Raise ConfigError for a file that has lost everything, as one that a full disk has cut off."""
        if _says_something(self._app.config) and not _says_something(config):
            message = "it has neither owners nor adapters any more: if that is meant, restart the bus"
            raise ConfigError([Problem(str(self._path), 0, "", message)])

    async def _use(self, loaded: Loaded) -> Outcome:
        log.register(loaded.config)
        found = await self._app.reload(loaded.config)
        bus = self._app.config.bus
        log.configure(bus.log_format, bus.log_level)
        self._app.tell_configuration()
        self._notifier.remark("")
        for warning in loaded.warnings:
            _log.warning(str(warning))
        if found.changes:
            _log.info("the configuration was read again", changes=[str(change) for change in found.changes])
        if found.restart:
            _log.warning("this counts from the next start on", keys=list(found.restart))
        return _outcome(loaded, found, done=True)

    def _told(self, error: JitneyError) -> None:
        lines = tuple(log.mask(str(error)).splitlines())
        if self._app.unfinished:
            _log.error("the configuration is in force but for routes or discovery: tried again", problems=list(lines))
        else:
            _log.error("the configuration cannot be used: the old one stays in force", problems=list(lines))
        if self._app.unfinished or getattr(error, "passing", False):
            self._due = asyncio.get_running_loop().time() + AGAIN
        if isinstance(error, ConfigError):
            self._secrets |= frozenset(error.secrets)
        self._app.tell_configuration(refused=lines)
        kept = "not all of it is in force yet" if self._app.unfinished else "kept the old one"
        self._notifier.remark(f"{lines[0] if lines else 'the configuration is wrong'} ({kept})")

    async def _finish(self) -> None:
        """Do what an earlier reload could not, whatever the files say now."""
        self._due = inf
        if self._app.unfinished:
            with suppress(StoreError):  # it is tried once more, and told, with what the files say
                await self._app.reload(self._app.config)

    async def _until_wanted(self) -> None:
        """Wait until somebody wants it, or until a file is another one than before and is not being written."""
        before = self._seen
        while not self._wanted.is_set():
            try:
                async with asyncio.timeout(LOOK):
                    await self._wanted.wait()
            except TimeoutError:
                if asyncio.get_running_loop().time() >= self._due:
                    return
                now = await self._look()
                if now != self._seen and now == before:
                    self._seen = now
                    return
                before = now

    async def _requested(self, data: Raw) -> Outcome:
        """Answer the request to reload; raises RefusedError."""
        try:
            asked = msgspec.json.decode(data, type=_Asked)
        except msgspec.MsgspecError as error:
            raise RefusedError("invalid", str(error)) from error
        try:
            return await self.reload(only_plan=asked.plan)
        except ConfigError as error:
            raise RefusedError(INVALID, str(error)) from error

    async def _look(self) -> Marks:
        found = await asyncio.to_thread(look, self._path, (*self._app.config.files, *self._secrets))
        return {**found, VAULT: await self._look_into_vault()}

    async def _look_into_vault(self) -> Mark | None:
        """Return the mark of the secrets in the vault, that of the last time where nobody can look."""
        try:
            async with asyncio.timeout(LOOK):
                return await self._app.vault_mark()
        except (TimeoutError, StoreError):
            return self._seen.get(VAULT)


class _Asked(Struct, frozen=True, forbid_unknown_fields=True):
    plan: bool = False


def _says_something(config: Config) -> bool:
    return bool(config.owners or config.adapters)


def _outcome(loaded: Loaded, found: Plan, *, done: bool) -> Outcome:
    return Outcome(
        changes=tuple(map(str, found.changes)),
        adapters=found.adapters,
        restart=found.restart,
        warnings=tuple(map(str, loaded.warnings)),
        done=done,
    )
