"""A first configuration: what a few answers become as a file that explains itself."""

import json
import re
import unicodedata
from pathlib import Path
from typing import Final

from msgspec import Struct

from jitney.daemon.config.schema import MqttSettings

HOME: Final = "home"
"""What the adapter of the household's Home Assistant is called."""

EXAMPLE: Final = "http://homeassistant.local:8123"
"""Where a Home Assistant usually is."""

_REFERENCE: Final = re.compile(r"(env|file|credential):(.+)")

_TEMPLATE: Final = """\
# The configuration of Jitney: `jitney check` tells whether it is right, `jitney run` starts the bus.
# Every key there is, explained: {example}
# A secret need not stand here: {{ env = "NAME" }}, {{ file = "PATH" }} or {{ credential = "NAME" }} can take its place.
version = 1

[mqtt]
# The broker: mqtt://HOST:PORT, mqtts:// (TLS), ws://, wss://, unix:///PATH or "embedded:" (inside Jitney, for trials).
url = {broker}
# Who Jitney is there, if the broker wants to know.
{credentials}

# The people: one section for each. The word after the dot is the id: it is part of every topic, so it stays.
{people}

# Where events come from.
{home}
"""

_HOME: Final = """\
[adapters.{name}]
type = "homeassistant"
# The address that opens it in a browser.
url = {url}
# A long-lived access token: sign in as a user made for Jitney, then your profile, Security, at the bottom.
token = {token}
"""


class Person(Struct, frozen=True):
    """Somebody of the household."""

    id: str
    name: str


class Draft(Struct, frozen=True, kw_only=True):
    """What is known of the household; secrets are TOML, as ``secret`` makes it. Empty: not known."""

    broker: str = MqttSettings().url
    username: str = ""
    password: str = ""
    people: tuple[Person, ...] = ()
    home_url: str = ""
    home_token: str = ""


def text(draft: Draft, *, example: Path) -> str:
    """Return the draft as TOML; what is not known stands there as a comment to fill in."""
    people = draft.people or (Person("alice", "Alice"),)
    home = _HOME.format(
        name=HOME,
        url=quoted(draft.home_url or EXAMPLE),
        token=draft.home_token or secret("env:HOME_TOKEN"),
    )
    return (
        _TEMPLATE.format(
            example=example,
            broker=quoted(draft.broker),
            credentials=_credentials(draft),
            people=_if(draft.people, "\n\n".join(_person(person, known=bool(draft.home_url)) for person in people)),
            home=_if(draft.home_url, home),
        ).rstrip("\n")
        + "\n"
    )


def person(name: str) -> Person | None:
    """Return somebody by their name, with an id made of it; None when no letter or digit of it can be in an id."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    owner = re.sub(r"[^a-z0-9]+", "_", plain).lstrip("_")[:32].rstrip("_")
    return Person(owner, name.strip()) if owner else None


def secret(answer: str) -> str:
    """Return TOML for a secret as a person gives it: itself, or ``env:``, ``file:``, ``credential:`` and a name."""
    match = _REFERENCE.fullmatch(answer)
    return quoted(answer) if match is None else f"{{ {match[1]} = {quoted(match[2].strip())} }}"


def quoted(value: str) -> str:
    """Return a text as TOML writes it."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _credentials(draft: Draft) -> str:
    lines = [
        f"username = {quoted(draft.username or 'jitney')}",
        f"password = {draft.password or secret('env:MQTT_PASSWORD')}",
    ]
    return "\n".join([_if(draft.username, lines[0]), _if(draft.username and draft.password, lines[1])])


def _person(person: Person, *, known: bool) -> str:
    lines = [f"[owners.{person.id}]", f"name = {quoted(person.name)}"]
    identity = f'homeassistant = {{ person = "person.{person.id}" }}'
    return "\n".join([*lines, "# Who this is in Home Assistant: compare Settings, People.", _if(known, identity)])


def _if(condition: object, lines: str) -> str:
    """Return the lines, as comments unless the condition holds."""
    return lines if condition else re.sub(r"^(?!# |$)", "# ", lines, flags=re.MULTILINE)
