"""One line for one message of the bus: for a person, or as JSON for a program."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw

from jitney.daemon.cli.colours import BOLD, CYAN, FAINT, GREEN, RED, YELLOW, Paint, colour_of, cut, padded, width
from jitney.daemon.cli.digest import digest
from jitney.daemon.cli.mqtt_client import Heard
from jitney.daemon.config.problems import one_line
from jitney.topics import Event, InvalidPayloadError, cloudevents, utc_now
from jitney.topics.tree import AlertTopic, BusTopic, EventTopic, SharedTopic, StateTopic, StatusTopic, Topic

_OWNER_COLUMNS: Final = 6
_WHAT_COLUMNS: Final = 22
_SUBJECT_COLUMNS: Final = 19
_STATUS_COLOURS: Final = {
    "online": GREEN,
    "connecting": YELLOW,
    "degraded": YELLOW,
    "offline": RED,
    "reauth": RED,
    "failed": RED,
}


def as_json(heard: Heard) -> str:
    """Return topic and payload as one JSON object on one line; a payload that is not JSON becomes a text."""
    payload: Any
    try:
        payload = msgspec.json.decode(heard.payload) if heard.payload else None
        encoded = msgspec.json.encode({"topic": heard.topic, "retained": heard.retained, "payload": payload})
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        payload = heard.payload.decode("utf-8", "replace")
        encoded = msgspec.json.encode({"topic": heard.topic, "retained": heard.retained, "payload": payload})
    return encoded.decode()


class Lines:
    """Lays messages out: time, owner, adapter and kind, subject, data.

    ``columns`` tells how wide the terminal is now; 0: lines may be as long as they get.
    """

    def __init__(self, paint: Paint, *, columns: Callable[[], int]) -> None:
        self._width = columns
        self._paint = paint
        self._owner = _OWNER_COLUMNS

    def line(self, heard: Heard, address: Topic) -> str:
        """Return the line of a message; what came from outside cannot reach the terminal as anything but text."""
        match address:
            case EventTopic(owner, adapter, kind):
                line = self._event(heard, owner, f"{adapter}/{kind}")
            case SharedTopic(owner, giver, adapter, kind):
                line = self._event(heard, owner, f"{giver}:{adapter}/{kind}")
            case StateTopic(owner, adapter, subject):
                line = self._state(heard, owner, adapter, subject=subject)
            case StatusTopic(owner, adapter):
                line = self._status(heard, owner, f"{adapter} status")
            case BusTopic(instance, _):
                line = self._status(heard, "_bus", f"{instance} bus")
            case AlertTopic(owner, alert):
                line = self._alert(heard, owner, alert)
            case _:
                line = one_line(f"{heard.topic} {heard.payload.decode('utf-8', 'replace')}")
        return line

    def _event(self, heard: Heard, owner: str, what: str) -> str:
        try:
            event = cloudevents.decode(heard.payload)
        except InvalidPayloadError as error:
            return self._columns(_now(heard), owner, what, text=str(error), colour=RED)
        subject = "" if event.subject is UNSET else event.subject
        return self._columns(event.time, owner, what, subject=subject, text=_of(event, subject))

    def _state(self, heard: Heard, owner: str, adapter: str, *, subject: str) -> str:
        data = _object(heard.payload)
        text = "gone" if data is None else digest(data, subject=subject)
        return self._columns(_now(heard), owner, f"{adapter} state", subject=subject, text=text, colour=FAINT)

    def _status(self, heard: Heard, owner: str, what: str) -> str:
        data = _object(heard.payload)
        if not isinstance(data, dict):
            return self._columns(_now(heard), owner, what, text="gone", colour=FAINT)
        state, reason = str(data.get("state", "")), str(data.get("reason") or "")
        text = f"{state}: {reason}" if reason else state
        return self._columns(
            str(data.get("since") or _now(heard)), owner, what, text=text, colour=_STATUS_COLOURS.get(state, "")
        )

    def _alert(self, heard: Heard, owner: str, alert: str) -> str:
        data = _object(heard.payload)
        if not isinstance(data, dict):
            return self._columns(_now(heard), owner, f"{alert} alert", text="resolved", colour=GREEN)
        text = " ".join(str(data[name]) for name in ("message", "link") if data.get(name))
        return self._columns(
            str(data.get("since") or _now(heard)), owner, f"{alert} alert", text=text, colour=RED, weight=BOLD
        )

    def _columns(
        self, time: str, owner: str, what: str, *, subject: str = "", text: str, colour: str = "", weight: str = ""
    ) -> str:
        self._owner = max(self._owner, width(owner))
        what, subject, text = one_line(what), one_line(subject), one_line(text)
        paint, clock = self._paint, _clock(time)
        body = f"{padded(subject, _SUBJECT_COLUMNS)} {text}" if subject else text
        if columns := self._width():
            left = columns - width(clock) - self._owner - len("  ")
            what = cut(what, left)
            body = cut(body, left - max(width(what), _WHAT_COLUMNS) - len(" "))
        subject_part, text_part = (body[: len(subject)], body[len(subject) :]) if subject else ("", body)
        return (
            f"{paint(clock, FAINT)} {paint(padded(owner, self._owner), colour_of(owner), BOLD)} "
            f"{paint(padded(what, _WHAT_COLUMNS), CYAN)} "
            f"{subject_part}{paint(text_part, *filter(None, (colour, weight)))}"
        ).rstrip()


def _now(heard: Heard) -> str:
    """Return the time of a message that does not say it; nothing for one that was there before."""
    return "" if heard.retained else utc_now()


def _of(event: Event, subject: str) -> str:
    words = digest(_object(bytes(event.data)), subject=subject)
    actor = "" if event.actor in (UNSET, event.owner) else f" (by {event.actor})"
    return words + actor


def _object(payload: bytes | Raw) -> Any:  # noqa: ANN401 - any JSON
    """Return the JSON in a payload; None for nothing, a text for what is no JSON."""
    if not payload:
        return None
    try:
        return msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return bytes(payload).decode("utf-8", "replace")


def _clock(time: str) -> str:
    """Return an RFC 3339 instant as the local time of day, blanks when there is none."""
    try:
        return datetime.fromisoformat(time).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return " " * len("00:00:00")
