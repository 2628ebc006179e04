"""What a Python route works with: the decorator, the event and the bus.

It runs in the process of a Python file, so it imports nothing but small parts of the standard library.
"""

import json
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

MOST_NAMES: Final = 64
"""Variables of an owner."""

LONGEST_NAME: Final = 64
"""Characters of the name of a variable."""

MOST_BYTES: Final = 4096
"""Bytes of the value of a variable as JSON."""

_NAME: Final = re.compile(r"[A-Za-z0-9_]+")

Perform = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""Asks the bus for something, by its name and with its fields."""


class RefusedError(Exception):
    """The bus or an adapter has refused something; ``code`` is for programs, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Event:
    """Something that happened to one owner. ``data`` is what it says; what an attribute does not know is empty.

    In a test of a route it can be made with what matters: ``Event(type="strava.activity.created", data={…})``.
    """

    def __init__(  # noqa: PLR0913 - the attributes of an event
        self,
        *,
        type: str,  # noqa: A002 - the attribute's name in CloudEvents
        data: Mapping[str, Any] | None = None,
        id: str = "",  # noqa: A002
        owner: str = "",
        owner_name: str = "",
        adapter: str = "",
        subject: str = "",
        time: str = "1970-01-01T00:00:00Z",
        actor: str = "",
        seq: int = 0,
        hops: int = 0,
    ) -> None:
        self.type = type
        """The type: the adapter's type and the kind, as in ``strava.activity.created``."""
        self.data: dict[str, Any] = dict(data or {})
        self.id = id
        self.owner = owner
        """The id of its owner."""
        self.owner_name = owner_name or owner
        self.adapter = adapter
        """The name of the adapter that it came from."""
        self.subject = subject
        self.actor = actor
        """The owner or external id of who caused it."""
        self.seq = seq
        self.hops = hops
        self._time = time

    @property
    def kind(self) -> str:
        """The type without its first word: ``activity.created``."""
        return self.type.partition(".")[2]

    @property
    def time(self) -> datetime:
        """When it happened, in the time zone of this machine; raises ValueError when nobody can read it."""
        return datetime.fromisoformat(self._time).astimezone()

    def __repr__(self) -> str:
        return f"<Event {self.type} of {self.owner}, {self.subject or 'no subject'}>"


class Log:
    """Writes into the log of the bus; every line names the owner, the file and the event."""

    def __init__(self, say: Callable[[str, str], None]) -> None:
        self._say = say

    def debug(self, text: object) -> None:
        """Write what only a developer wants to know."""
        self._say("debug", str(text))

    def info(self, text: object) -> None:
        """Write what somebody may want to know."""
        self._say("info", str(text))

    def warning(self, text: object) -> None:
        """Write what a person has to look at."""
        self._say("warning", str(text))


class Bus:
    """What a route can do about one event, always as the owner of that event; after the event it is over.

    Every method that is awaited raises RefusedError when it is refused; a route that does not catch it has failed, and
    is run again later. What it has had done by then is not done twice.
    """

    def __init__(self, perform: Perform, log: Log, variables: Mapping[str, Any]) -> None:
        self.log = log
        self.changes: dict[str, dict[str, Any]] = {}
        """The variables that were set, by name; kept when the route has ended well."""
        self._perform = perform
        self._variables = dict(variables)

    async def command(self, command: str, /, **data: object) -> dict[str, Any]:
        """Let an adapter carry out a command, such as ``base.send_text``; returns the data of its reply."""
        found: dict[str, Any] = await self._perform("command", {"command": command, "data": data})
        return found

    async def publish(self, kind: str, data: Mapping[str, Any] | None = None, *, subject: str = "") -> None:
        """Publish an event ``route.{kind}``; it is on disk when this returns."""
        await self._perform("publish", {"kind": kind, "data": data or {}, "subject": subject})

    async def state(self, subject: str, data: Mapping[str, Any] | None, *, expiry: int = 0) -> None:
        """Set the last known value of a subject, None to clear it, gone by itself after ``expiry`` seconds unless 0."""
        await self._perform("state", {"subject": subject, "data": data, "expiry": expiry})

    async def reply(self, answer: str | Mapping[str, Any]) -> None:
        """Answer where the event came from: a text for a person, or a table for a program.

        A radio that gives no answer on purpose (another machine, too soon, too busy) is no error.
        """
        if isinstance(answer, str):
            await self._perform("reply", {"text": answer})
        else:
            await self._perform("reply", {"data": answer})

    async def notify(
        self, target: str, message: str, *, title: str = "", data: Mapping[str, Any] | None = None
    ) -> None:
        """Tell a person something through an adapter or a service of one: ``base``, ``home.mobile_app_phone``."""
        await self._perform("notify", {"target": target, "message": message, "title": title, "data": data or {}})

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - any JSON
        """Return a variable of the owner, as it was when the event came or as it was set since."""
        change = self.changes.get(name)
        if change is None:
            return self._variables.get(name, default)
        return json.loads(change["value"]) if change["value"] is not None else default

    def set(self, name: str, value: object, *, expiry: float = 0) -> None:
        """Set a variable of the owner to a JSON value, gone after ``expiry`` seconds unless 0.

        It is kept, together with all others, when the route has ended without an error. Raises ValueError or TypeError.
        """
        if len(name) > LONGEST_NAME or _NAME.fullmatch(name) is None:
            message = f"the name of a variable has 1 to {LONGEST_NAME} letters, digits and _, not {name!r}"
            raise ValueError(message)
        text = encoded(value)
        if len(text.encode()) > MOST_BYTES:
            message = f"the value of the variable {name!r} takes {len(text.encode())} bytes: at most {MOST_BYTES}"
            raise ValueError(message)
        if name not in self.changes and len(self.changes) >= MOST_NAMES:
            message = f"an owner has at most {MOST_NAMES} variables"
            raise ValueError(message)
        if not 0 <= expiry <= 1e9:  # noqa: PLR2004 - no number of seconds that anybody means
            message = f"expiry: expected a number of seconds, got {expiry}"
            raise ValueError(message)
        self.changes[name] = {"value": text, "expiry": expiry}

    def forget(self, name: str) -> None:
        """Remove a variable of the owner; no error when there is none."""
        self.changes[name] = {"value": None, "expiry": 0}


Handler = Callable[[Event, Bus], Coroutine[Any, Any, None]]
_H = TypeVar("_H", bound=Handler)
_Words = str | list[str] | tuple[str, ...]


def route(  # noqa: PLR0913 - the words of a route
    *,
    on: _Words = (),
    owner: _Words = "*",
    name: str = "",
    when: Mapping[str, Any] | None = None,
    if_: str = "",
    enabled: bool = True,
    debounce: float = 0,
    throttle: float = 0,
    for_: float = 0,
    count: Mapping[str, float] | None = None,
    once_per: str = "",
    key: str = "",
    quiet_hours: str = "",
    schedule: Mapping[str, Any] | None = None,
    ttl: float = 3600,
    tests: list[Mapping[str, Any]] | tuple[Mapping[str, Any], ...] = (),
) -> Callable[[_H], _H]:
    """Let a function answer the events of an owner that are of a type and meet the conditions.

    The words are those of `[[routes]]`, and each must be written out: they are read without running the file. Without
    a ``name`` the route is called like the function.
    """
    del (
        on,
        owner,
        name,
        when,
        if_,
        enabled,
        debounce,
        throttle,
        for_,
        count,
        once_per,
        key,
        quiet_hours,
        schedule,
        ttl,
        tests,
    )
    return lambda function: function


def encoded(value: object) -> str:
    """Return a value as JSON; times are written in ISO 8601. Raises ValueError or TypeError."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_plain)
    text.encode()
    return text


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    message = f"{type(value).__name__} is nothing that JSON can say: make a text, a number, a list or a table of it"
    raise TypeError(message)
