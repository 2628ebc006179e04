"""A host of Python files, with somebody who does what they ask for and a board that keeps what it is told."""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from jitney.adapters.errors import RefusedError
from jitney.daemon.config.schema import RetrySettings, Script
from jitney.daemon.scripts.errors import HandlerError
from jitney.daemon.scripts.host import Host, Limits, Task
from jitney.daemon.scripts.standing import Standing
from jitney.daemon.scripts.wire import Ask, Change
from tests.waiting import until

FILE = "routes/alice.py"
QUICK = RetrySettings(first=0.01, longest=0.02)


class Board:
    """A status board that keeps what it is told."""

    def __init__(self) -> None:
        self.status: dict[str, str] = {}
        self.alerts: dict[str, str] = {}

    def set_for(self, owner: str, state: str, reason: str = "") -> None:
        self.status[owner] = f"{state}: {reason}" if reason else state

    def alert(self, owner: str, alert: str, *, message: str, link: str = "") -> None:
        del link
        self.alerts[f"{owner}/{alert}"] = message

    def resolve(self, owner: str, alert: str) -> None:
        self.alerts.pop(f"{owner}/{alert}", None)


class Hosting:
    """A host, and what was asked for; ``answers`` are by the words of what is asked for."""

    def __init__(self, host: Host, board: Board) -> None:
        self.host = host
        self.board = board
        self.asked: list[Ask] = []
        self.answers: dict[str, object] = {}

    async def run(
        self,
        handler: str,
        data: object = None,
        *,
        owner: str = "alice",
        file: str = FILE,
        variables: Mapping[str, Any] | None = None,
        **fields: Any,  # noqa: ANN401
    ) -> tuple[Change, ...]:
        """Let a function answer an event."""
        event = {
            "id": "event-1",
            "source": "/played",
            "type": "played.ticked",
            "time": "2026-11-21T05:41:00.120Z",
            "owner": owner,
            "seq": 3,
            "hops": 0,
            "data": {} if data is None else data,
            **fields,
        }
        task = Task(
            file=file,
            handler=handler,
            route=handler,
            owner=owner,
            owner_name=owner.title(),
            event=Raw(msgspec.json.encode(event)),
            variables=Raw(msgspec.json.encode(variables or {})),
        )
        return await self.host.run(task, self._done)

    async def told(self, handler: str, data: object = None, **fields: Any) -> Any:  # noqa: ANN401
        """Let a function answer an event and return what it sets as the variable `told`."""
        changes = await self.run(handler, data, **fields)
        (value,) = (change.value for change in changes if change.name == "told")
        return None if value is None else msgspec.json.decode(value)

    async def failed(self, handler: str, data: object = None, **fields: Any) -> HandlerError:  # noqa: ANN401
        """Let a function fail and return why, as soon as it can be run again."""
        while True:
            with pytest.raises(HandlerError) as raised:
                await self.run(handler, data, **fields)
            if not raised.value.after:
                return raised.value

    async def ready(self) -> None:
        """Wait until no process has to wait before it is started again."""
        await until(lambda: all(seat.until <= self.host._clock() for seat in self.host._seats.values()))

    async def _done(self, ask: Ask) -> Raw:
        self.asked.append(ask)
        answer = self.answers.get(str(ask), {})
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = await answer()
        return Raw(msgspec.json.encode(answer))


def refused(code: str, text: str) -> RefusedError:
    return RefusedError(code, text)


@asynccontextmanager
async def hosting(
    folder: Path,
    source: str,
    *,
    seconds: float = 20.0,
    megabytes: int = 256,
    retry: RetrySettings = QUICK,
    environ: Mapping[str, str] | None = None,
    clock: Callable[[], float] | None = None,
    files: Mapping[str, str] | None = None,
) -> AsyncIterator[Hosting]:
    """Host a file, which begins with the usual import, and others."""
    scripts = [written(folder, name, text) for name, text in {FILE: source, **(files or {})}.items()]
    board = Board()
    host = Host(
        scripts,
        Standing(board),
        environ=os.environ if environ is None else environ,
        folder=folder,
        limits=Limits(seconds=seconds, megabytes=megabytes),
        retry=retry,
        **({"clock": clock} if clock else {}),
    )
    try:
        yield Hosting(host, board)
    finally:
        await host.close()


def written(folder: Path, name: str, text: str) -> Script:
    """Write a file and return it as the configuration would."""
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    source = f"from jitney.daemon.scripts import Bus, Event, RefusedError, route\n{text}"
    path.write_text(source, encoding="utf-8")
    return Script(name=name, path=str(path), source=source)


def running(pid: int) -> bool:
    """Tell whether there is a process that is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def there_is(pid: int) -> bool:
    """Tell whether there is a process, be it a zombie."""
    return Path(f"/proc/{pid}").exists()
