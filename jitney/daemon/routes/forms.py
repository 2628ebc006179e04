"""The actions of the file: what each form of them can say, compiled to what makes the action for an event."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from msgspec import UNSET, Raw, Struct

from jitney.daemon.routes.actions import (
    Action,
    Drop,
    Forward,
    Notify,
    PublishEvent,
    PublishState,
    Reply,
    SecretName,
    SendCommand,
    SetVariable,
    Webhook,
)
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.faults import Faults, Path, TemplateError
from jitney.daemon.routes.household import Household
from jitney.daemon.routes.values import compile_data, compile_json, compile_text
from jitney.daemon.routes.words import mean, shown
from jitney.topics import EMPTY

MOST: Final = 50
"""Actions of one route."""

LONGEST_DELAY: Final = 2_592_000
"""Seconds: thirty days."""

LONGEST_EXPIRY: Final = 31_536_000

METHODS: Final = ("POST", "GET", "PUT", "PATCH", "DELETE")

Make = Callable[[Document], Sequence[Action]]

_KIND: Final = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*")
_VARIABLE: Final = re.compile(r"[A-Za-z0-9_]{1,64}")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_LONGEST_WORD: Final = 100
_LONGEST_URL: Final = 2000
_SOURCES: Final = ("vault", "credential", "env", "file")
_NOTHING: Final[Make] = lambda _: ()  # noqa: E731 - a value of this type


Waits = Literal["", "debounce", "for", "schedule"]
"""The key because of which an event is over when its route acts, or there was none."""


class Place(Struct, frozen=True):
    """Whose route it is that acts: its ``name``, its ``owners`` (None: everybody), where it lives, why it ``waits``."""

    name: str
    owners: Collection[str] | None
    household: Household
    waits: Waits = ""


def compile_actions(do: Sequence[Mapping[str, Any]], place: Place, faults: Faults) -> tuple[Make, ...]:
    """Return what makes the actions of each table; what is wrong is noted."""
    if not 0 < len(do) <= MOST:
        faults.add(f"expected 1 to {MOST} actions, got {len(do)}")
    makes: list[Make] = []
    for index, table in enumerate(do):
        with faults.at(index):
            makes.append(_action(table, place, faults))
    return tuple(makes)


def _action(table: object, place: Place, faults: Faults) -> Make:
    if not isinstance(table, Mapping):
        faults.add(f'expected a table such as {{ command = "…" }}, got {shown(table)}')
        return _NOTHING
    found = [word for word in table if word in _FORMS]
    if len(found) != 1:
        unknown = "".join(mean(str(word), _FORMS) for word in table if not found)
        near = unknown[unknown.index(": did") :] if ": did" in unknown else ""
        what = (
            "an action begins with one of" if not found else f"{' and '.join(found)} are several actions, take one of"
        )
        faults.add(f"{what} {', '.join(_FORMS)}{near}")
        return _NOTHING
    (word,) = found
    known, form = _FORMS[word]
    for key in table.keys() - {word, *known, "delay"}:
        with faults.at(str(key)):
            faults.add(f"unknown key{mean(str(key), [*known, 'delay'])}")
    return form(_Form(table, word, place, faults, _seconds("delay", table, faults, most=LONGEST_DELAY)))


class _Form(Struct):
    """One table of the file while it is compiled."""

    table: Mapping[str, Any]
    word: str
    place: Place
    faults: Faults
    delay: float

    def word_of(self, key: str) -> str:
        """Return a plain word, which is no template."""
        value = self.table.get(key)
        with self.faults.at(key):
            if not isinstance(value, str) or not value.strip():
                self.faults.add(f"expected a text, got {shown(value)}")
                return ""
            if "{{" in value or "{%" in value:
                self.faults.add("is no place for a template: it must be known when the file is read")
                return ""
            if len(value) > _LONGEST_WORD or not value.isprintable():
                self.faults.add(f"expected at most {_LONGEST_WORD} printable characters")
                return ""
        return value

    def text(self, key: str, *, needed: bool = False) -> Callable[[Document], str]:
        """Return what makes the text of a template."""
        with self.faults.at(key):
            if key not in self.table:
                if needed:
                    self.faults.add(f"missing: {self.word} needs a text here")
                return lambda _: ""
            return compile_text(self.table[key], self.faults)

    def data(self, key: str = "data") -> Callable[[Document], Raw]:
        """Return what makes the JSON of a table, an empty one when there is none."""
        if key not in self.table:
            return lambda _: EMPTY
        with self.faults.at(key):
            return compile_data(self.table[key], self.faults)

    def gone(self, value: str) -> bool:
        """Tell whether something is taken away instead of given the ``value``."""
        gone = self.table.get("gone", False)
        if gone not in (True, False) or (gone is True) == (value in self.table):
            self.faults.add(f"expected either {value} = …, or gone = true")
        return gone is True

    def adapter(self, name: str, fault: str) -> None:
        """Note why the route cannot command an adapter, else the other ``fault``, if there is one."""
        fault = self.place.household.adapter_fault(name, self.place.owners) or fault
        if fault:
            self.faults.add(fault, self.word)


def _command(form: _Form) -> Make:
    adapter, dot, command = form.word_of("command").partition(".")
    if not dot or not command or not adapter:
        form.faults.add('expected an adapter and its command, such as "base.send_text"', "command")
    else:
        form.adapter(adapter, form.place.household.command_fault(adapter, command))
    data, delay = form.data(), form.delay
    return lambda document: [SendCommand(adapter=adapter, command=command, data=data(document), delay=delay)]


def _publish(form: _Form) -> Make:
    kind = form.word_of("publish")
    if kind and _KIND.fullmatch(kind) is None:
        form.faults.add(f'expected a kind such as "door.left_open", got {shown(kind)}', "publish")
    data, subject, source, delay = form.data(), form.text("subject"), form.place.name, form.delay
    return lambda document: [
        PublishEvent(kind=kind, data=data(document), subject=subject(document), source=source, delay=delay)
    ]


def _state(form: _Form) -> Make:
    subject, gone = _filled(form.text("state"), (*form.faults.path, "state")), form.gone("data")
    data, delay = form.data(), form.delay
    expiry = int(_seconds("expiry", form.table, form.faults, most=LONGEST_EXPIRY))
    return lambda document: [
        PublishState(subject=subject(document), data=UNSET if gone else data(document), expiry=expiry, delay=delay)
    ]


def _reply(form: _Form) -> Make:
    delay = form.delay
    if form.place.waits == "schedule":
        form.faults.add("what the clock brings about comes from nobody who can be answered: use notify", "reply")
    if isinstance(form.table["reply"], Mapping):
        data = form.data("reply")
        return lambda document: [Reply(data=data(document), delay=delay)]
    text = _filled(form.text("reply"), (*form.faults.path, "reply"))
    return lambda document: [Reply(text=text(document), delay=delay)]


def _notify(form: _Form) -> Make:
    target = form.word_of("notify")
    if target:
        form.adapter(target.partition(".")[0], form.place.household.notify_fault(target))
    message, title, data, delay = form.text("message", needed=True), form.text("title"), form.data(), form.delay
    return lambda document: [
        Notify(target=target, message=message(document), title=title(document), data=data(document), delay=delay)
    ]


def _webhook(form: _Form) -> Make:
    url, method = _url(form), form.table.get("method", "POST")
    if method not in METHODS:
        form.faults.add(f"expected one of {', '.join(METHODS)}, got {shown(method)}", "method")
    headers, secrets = _headers(form)
    body: Callable[[Document], Raw] | None = None
    if "data" in form.table:
        with form.faults.at("data"):
            body = compile_json(form.table["data"], form.faults)
    delay = form.delay
    return lambda document: [
        Webhook(
            method=method,
            url=url(document),
            headers={name: header(document) for name, header in headers.items()},
            secrets=secrets,
            body=UNSET if body is None else body(document),
            delay=delay,
        )
    ]


def _url(form: _Form) -> Callable[[Document], str]:
    make = _one_line(form.text("webhook"), (*form.faults.path, "webhook"), most=_LONGEST_URL)
    text = form.table["webhook"]
    fixed = re.split(r"\{[{%#]", text, maxsplit=1) if isinstance(text, str) else [""]
    try:
        parts = urlsplit(fixed[0])
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or (len(fixed) > 1 and not parts.path):
        form.faults.add("expected a URL whose host stands in the file, such as https://hooks.example.org/…", "webhook")
    elif "@" in parts.netloc:
        form.faults.add("user and password do not belong into the URL: give them in headers", "webhook")
    elif fault := form.place.household.webhook_fault(fixed[0], whole=len(fixed) == 1):
        form.faults.add(fault, "webhook")
    return make


def _headers(form: _Form) -> tuple[dict[str, Callable[[Document], str]], dict[str, SecretName]]:
    headers: dict[str, Callable[[Document], str]] = {}
    secrets: dict[str, SecretName] = {}
    given = form.table.get("headers", {})
    with form.faults.at("headers"):
        if not isinstance(given, Mapping):
            form.faults.add(f"expected a table, got {shown(given)}")
            return headers, secrets
        for name, value in given.items():
            with form.faults.at(name):
                if _HEADER.fullmatch(name) is None:
                    form.faults.add("not the name of a header")
                if isinstance(value, Mapping):
                    secrets[name] = _secret(value, form.faults)
                else:
                    headers[name] = _one_line(compile_text(value, form.faults), form.faults.path, most=_LONGEST_URL)
    return headers, secrets


def _secret(table: Mapping[str, Any], faults: Faults) -> SecretName:
    match list(table.items()):
        case [("vault" | "credential" | "env" | "file" as source, str() as name)] if name:
            return SecretName(source, name)
    faults.add(f"expected a text, or where a secret lies: one of {', '.join(f'{{ {one} = … }}' for one in _SOURCES)}")
    return SecretName("vault", "")


def _forward(form: _Form) -> Make:
    given = form.table["forward"]
    owners = tuple(given) if isinstance(given, list | tuple) else (given,)
    for owner in owners or ("",):
        fault = (
            form.place.household.owner_fault(owner) if isinstance(owner, str) else f"expected an id, got {shown(owner)}"
        )
        if not fault and form.place.owners is not None and set(form.place.owners) == {owner}:
            fault = f"{owner} has these events already: name somebody else"
        if fault:
            form.faults.add(fault, "forward")
    delay = form.delay
    return lambda document: [Forward(to=to, delay=delay) for to in owners if to != document.event.owner]


def _drop(form: _Form) -> Make:
    if form.table["drop"] is not True:
        form.faults.add(f"expected true, got {shown(form.table['drop'])}", "drop")
    match form.place.waits:
        case "schedule":
            form.faults.add("a schedule has no event that could be dropped: leave it out", "drop")
        case "for" | "debounce" as word:
            form.faults.add(f"with {word} the event is published before: leave one of the two out", "drop")
    if form.delay:
        form.faults.add("an event cannot be dropped later: leave it out", "delay")
    return lambda _: [Drop()]


def _set(form: _Form) -> Make:
    name, gone = form.word_of("set"), form.gone("value")
    if name and _VARIABLE.fullmatch(name) is None:
        form.faults.add(f"expected a name of letters, digits and _, got {shown(name)}", "set")
    with form.faults.at("value"):
        value = compile_json(form.table.get("value", ""), form.faults)
    expiry, delay = _seconds("expiry", form.table, form.faults, most=LONGEST_EXPIRY), form.delay
    return lambda document: [
        SetVariable(name=name, value=UNSET if gone else value(document), expiry=expiry, delay=delay)
    ]


_FORMS: Final[Mapping[str, tuple[Collection[str], Callable[[_Form], Make]]]] = {
    "command": (("data",), _command),
    "publish": (("data", "subject"), _publish),
    "state": (("data", "gone", "expiry"), _state),
    "reply": ((), _reply),
    "notify": (("message", "title", "data"), _notify),
    "webhook": (("method", "headers", "data"), _webhook),
    "forward": ((), _forward),
    "drop": ((), _drop),
    "set": (("value", "gone", "expiry"), _set),
}
"""By the word that an action begins with: which other keys it may have, and what compiles it."""


def _seconds(key: str, table: Mapping[str, Any], faults: Faults, *, most: float) -> float:
    value = table.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        faults.add(f"expected 0 to {most} seconds, got {shown(value)}", key)
        return 0.0
    return float(value)


def _filled(make: Callable[[Document], str], place: Path) -> Callable[[Document], str]:
    """Return what makes a text that must not be empty."""

    def filled(document: Document) -> str:
        text = make(document)
        if not text.strip():
            raise TemplateError("it became an empty text", place)
        return text

    return filled


def _one_line(make: Callable[[Document], str], place: Path, *, most: int) -> Callable[[Document], str]:
    """Return what makes a text without line breaks, control characters and excess."""

    def line(document: Document) -> str:
        text = make(document)
        if not text or not text.isprintable() or len(text) > most:
            raise TemplateError(f"it must be one line of 1 to {most} characters", place)
        return text

    return line
