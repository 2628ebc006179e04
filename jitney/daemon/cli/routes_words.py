"""Routes, their actions and events in words for a person."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from jitney.daemon.cli.colours import BOLD, FAINT, Paint, colour_of
from jitney.daemon.config.problems import one_line
from jitney.daemon.routes.actions import Action, Webhook
from jitney.daemon.routes.compiled import Route
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.saying import said
from jitney.daemon.routes.settings import HandlerSettings, RouteSettings, ScheduleSettings, Words
from jitney.daemon.routes.trials import event_of
from jitney.daemon.routing.planned import place

ACTIONS: Final = ("command", "publish", "state", "reply", "notify", "webhook", "forward", "drop", "set")
"""The words that actions of the file begin with."""

HIDDEN: Final = "…"
"""In the place of what can be a secret."""

_LASTING: Final = ("delay", "expiry")
_LONGEST: Final = 60


def conditions(route: Route) -> list[str]:
    """Return what is asked of an event; what one would have to say to that is no matter here."""
    document = Document(event_of(route, {"type": "none"}))
    return [condition.explain(document).what for condition in route.conditions]


def timing(settings: RouteSettings) -> Iterator[str]:
    """Yield what is asked about more than one event, and about the time."""
    if settings.schedule is not None:
        yield _schedule(settings.schedule)
    yield from memory(settings)


def memory(settings: RouteSettings) -> Iterator[str]:
    """Yield what can hold a route back although an event matches."""
    apart = f", apart for each {settings.key.strip()}" if "{" in settings.key else ""
    if settings.for_:
        yield f"only when it has stayed like that for {_seconds(settings.for_)}"
    if settings.count is not None:
        yield f"only number {settings.count.n} of those within {_seconds(settings.count.within)}{apart}"
    if settings.debounce:
        yield f"only when nothing more has come for {_seconds(settings.debounce)}{apart}"
    if settings.throttle:
        yield f"then not again for {_seconds(settings.throttle)}{apart}"
    if settings.once_per:
        yield f"once per {settings.once_per.strip()}{apart}"
    if settings.quiet_hours:
        yield f"not during {settings.quiet_hours}"


def intentions(settings: RouteSettings) -> list[str]:
    """Return what the actions of a route do, without a secret: the path of a URL can be one."""
    if isinstance(settings, HandlerSettings):
        return [f"python {settings.file}:{settings.handler}"]
    return [_intended(table) for table in settings.do]


def filled_in(action: Action) -> dict[str, Any]:
    """Return an action with its templates filled in, as the table of the file, without what can be a secret.

    That is a URL behind its host, and the values of headers.
    """
    table = said(action)
    if isinstance(action, Webhook):
        table["webhook"] = f"{place(action.url)}/{HIDDEN}"
        if action.headers or action.secrets:
            table["headers"] = dict.fromkeys([*action.headers, *action.secrets], HIDDEN)
    return table


def phrase(table: Mapping[str, Any]) -> str:
    """Return a table of ``filled_in`` on one line."""
    (word, value), *others = table.items()
    first = value if isinstance(value, str) else _json(value)
    head = word if word == "drop" else f"{word} {first}"
    more = (f"{name} {_seconds(other) if name in _LASTING else _json(other)}" for name, other in others)
    return one_line(", ".join([head, *more]))


def happening(paint: Paint, *, at: str, owner: str, what: Sequence[str]) -> str:
    """Return the line of an event: when, whose, what."""
    about = one_line(" ".join(part for part in what if part))
    return f"{paint(at, FAINT)}  {paint(one_line(owner), colour_of(owner), BOLD)}  {about}"


def when(at: str) -> str:
    """Return an RFC 3339 instant as local date and time, as it is where it is none."""
    try:
        return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return one_line(at)


def _intended(table: Mapping[str, Any]) -> str:
    word = next(word for word in ACTIONS if word in table)
    value = table[word]
    if word == "webhook":
        text = f"{table.get('method', 'POST')} {place(value)}"
    elif word == "drop":
        text = ""
    else:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    after = f" after {_seconds(table['delay'])}" if table.get("delay") else ""
    return f"{word} {short}".rstrip() + after


def _schedule(schedule: ScheduleSettings) -> str:
    times = [f"at {', '.join(_words(schedule.at))}"] if schedule.at else []
    if schedule.every:
        times.append(f"every {_seconds(schedule.every)}")
    days = f" on {', '.join(_words(schedule.days))}" if schedule.days else ""
    return " and ".join(times) + days


def _words(words: Words) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else words


def _seconds(seconds: float) -> str:
    return f"{seconds:.12g} s"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
