"""The model in the language of each broker, with what that broker cannot enforce."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, get_args

from msgspec import Struct, json

from jitney.daemon.access.dynsec import acls, defaults
from jitney.daemon.access.model import DAEMON, Model, Principal
from jitney.daemon.access.notes import NOTES, Target

TARGETS: Final = get_args(Target)

Devices = Mapping[str, Sequence[str]]
"""The names of the devices of each principal."""

_MADE: Final = "Made by `jitney acl render --target {target}`: change the configuration, and make it anew."
_SPECIAL: Final = re.compile(r"[.^$*+?{}\[\]\\|()]")


class Rendered(Struct, frozen=True):
    """A text for the broker, and what it cannot enforce."""

    text: str
    notes: tuple[str, ...]


def render(model: Model, target: Target, devices: Devices) -> Rendered:
    """Return the model in the language of a broker: the same text for the same configuration and devices."""
    lines = {"mosquitto-acl": _mosquitto_acl, "dynsec": _dynsec, "emqx": _emqx}[target](model, devices)
    return Rendered("\n".join(lines) + "\n", NOTES[target])


def _logins(principal: Principal, model: Model, devices: Devices) -> Iterator[tuple[str, str]]:
    """Yield the logins of a principal, each with whose it is in words; none of somebody who is disabled."""
    if not principal.enabled:
        return
    if principal.username:
        yield principal.about, principal.username
    for device in sorted(devices.get(principal.id, ())):
        yield f"{principal.about}: {device}", model.username(principal.id, device)


def _head(target: Target) -> Iterator[str]:
    yield _MADE.format(target=target)
    yield ""
    yield "What it cannot do, and what to know:"
    yield from (f"- {note}" for note in NOTES[target])


def _mosquitto_acl(model: Model, devices: Devices) -> Iterator[str]:
    for line in _head("mosquitto-acl"):
        yield f"# {line}".rstrip()
    for principal in model.principals.values():
        for about, login in _logins(principal, model, devices):
            yield ""
            yield f"# {about}"
            yield f"user {login}"
            yield from _topics(principal)


def _topics(principal: Principal) -> Iterator[str]:
    """Yield the lines of one login; a subscription needs none, as every one is granted."""
    reads, writes = set(principal.patterns("receive")), set(principal.patterns("publish"))
    for pattern in sorted(reads | writes):
        word = "readwrite" if pattern in reads & writes else "read" if pattern in reads else "write"
        yield f"topic {word} {pattern}"


def _dynsec(model: Model, devices: Devices) -> Iterator[str]:
    """Yield JSON, which has no comments: what to know stands in the descriptions of the roles."""
    del devices
    commands: list[object] = [defaults()]
    for principal in model.principals.values():
        name = model.role(principal.id)
        described = {"textname": principal.about, "textdescription": _MADE.format(target="dynsec")}
        commands.append({"command": "createRole", "rolename": name, **described})
        commands.append({"command": "modifyRole", "rolename": name, **described, "acls": acls(principal)})
    yield json.format(json.encode({"commands": commands}), indent=1).decode()


def _emqx(model: Model, devices: Devices) -> Iterator[str]:
    del devices
    for line in _head("emqx"):
        yield f"%% {line}".rstrip()
    for principal in model.principals.values():
        who = f"{{username, {{re, {_erlang(_pattern(principal, model))}}}}}"
        yield ""
        yield f"%% {principal.about}"
        yield from _allow(who, "subscribe", principal.patterns("subscribe"))
        both = principal.patterns("publish", "retain")
        plain = [pattern for pattern in principal.patterns("publish") if pattern not in both]
        yield from _allow(who, "publish", both)
        yield from _allow(who, "{publish, [{retain, false}]}", plain)
    yield ""
    yield "%% nothing else"
    yield "{deny, all}."


def _allow(who: str, action: str, patterns: Sequence[str]) -> Iterator[str]:
    if patterns:
        yield f"{{allow, {who}, {action}, [{', '.join(map(_erlang, patterns))}]}}."


def _pattern(principal: Principal, model: Model) -> str:
    """Return the regular expression of the logins of a principal."""
    device = f"{_SPECIAL.sub(_quoted, model.role(principal.id))}[.][a-z0-9][a-z0-9_-]*"
    own = [_SPECIAL.sub(_quoted, principal.username)] if principal.username else []
    return f"^({'|'.join(own if principal.id == DAEMON else [*own, device])})$"


def _quoted(match: re.Match[str]) -> str:
    return f"[{match[0]}]" if match[0] not in "^\\" else f"\\{match[0]}"


def _erlang(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
