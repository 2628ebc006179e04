"""The model in the language of each broker, with what that broker cannot enforce."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, get_args

from msgspec import Struct, json

from jitney.daemon.access.dynsec import acls, defaults
from jitney.daemon.access.model import DAEMON, Model, Principal

Target = Literal["mosquitto-acl", "dynsec", "emqx"]
TARGETS: Final = get_args(Target)

Devices = Mapping[str, Sequence[str]]
"""The names of the devices of each principal."""

_MADE: Final = "Made by `jitney acl render --target {target}`: change the configuration, and make it anew."
_SPECIAL: Final = re.compile(r"[.^$*+?{}\[\]\\|()]")
_RETAINED: Final = (
    "A retained command cannot be forbidden to somebody who may publish commands: the bus refuses it, with a reply."
)
_RESPONSE: Final = (
    "Nobody checks the Response Topic of a command but the bus, which answers only inside the tree of whoever asked."
)

NOTES: Final[Mapping[Target, tuple[str, ...]]] = {
    "mosquitto-acl": (
        "mosquitto with an ACL file grants every subscription and drops at delivery what may not be read: nobody is "
        "told that they are refused.",
        "Who subscribes $share/GROUP/… of another owner gets nothing, and what was chosen for them is lost to that "
        "owner's group: do not use shared subscriptions with an ACL file.",
        "A login is not bound to a client id: whoever has one can throw out a client whose client id they know. That "
        "of the daemon is secret.",
        _RETAINED,
        _RESPONSE,
        "A will on a topic of somebody else is accepted when connecting, and then not published.",
    ),
    "dynsec": (
        "%u and %c do nothing in dynamic security before mosquitto 2.1: each owner has a role in which the name is "
        "spelt out.",
        "Before mosquitto 2.0.12 a subscription that waits for somebody who is away outlives the right to it; what "
        "comes of it is still not delivered.",
        _RETAINED,
        _RESPONSE,
        "A will on a topic of somebody else is accepted when connecting, and then not published.",
        "These are the roles alone: logins are made by `jitney devices add`, and `jitney acl apply` does all of this by "
        "itself.",
    ),
    "emqx": (
        "Written after the documentation of EMQX 5.1.1 and later (no version was at hand to try it): prove it with "
        "`jitney acl verify`.",
        "Set authorization.no_match = deny, and let this be the only source of rules: EMQX allows what no rule matches.",
        "EMQX checks subscriptions and not deliveries, and reads $share/GROUP/FILTER as FILTER: owners may share their "
        "own tree, nobody that of others.",
        "Logins and their client ids are kept by EMQX: no rule here binds them.",
        _RESPONSE,
    ),
}
"""What a person should know of each target."""


class Rendered(Struct, frozen=True):
    """A text for the broker, and what it cannot enforce."""

    text: str
    notes: tuple[str, ...]


def render(model: Model, target: Target, devices: Devices) -> Rendered:
    """Return the model in the language of a broker: the same text for the same configuration and devices."""
    lines = {"mosquitto-acl": _mosquitto_acl, "dynsec": _dynsec, "emqx": _emqx}[target](model, devices)
    return Rendered("\n".join(lines) + "\n", NOTES[target])


def logins(principal: Principal, model: Model, devices: Devices) -> list[str]:
    """Return the logins of a principal: without a device, and of each."""
    own = [principal.username] if principal.username else []
    return [*own, *(model.username(principal.id, device) for device in sorted(devices.get(principal.id, ())))]


def _head(target: Target) -> Iterator[str]:
    yield _MADE.format(target=target)
    yield ""
    yield "What it cannot do, and what to know:"
    yield from (f"- {note}" for note in NOTES[target])


def _mosquitto_acl(model: Model, devices: Devices) -> Iterator[str]:
    for line in _head("mosquitto-acl"):
        yield f"# {line}".rstrip()
    for principal in model.principals.values():
        for login in logins(principal, model, devices):
            yield ""
            yield f"# {principal.about}"
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

