"""Who and what there is in a household: what routes can name."""

from collections.abc import Callable, Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from jitney.daemon.routes.allowed import PORTS, AllowList
from jitney.daemon.routes.words import mean
from jitney.topics import HOUSE, RESERVED, UNCLAIMED

Kinds = Callable[[str], bool | None]
"""Tells whether an event type is private, None for one that no adapter has declared."""

OWN_WORDS = frozenset({"inbox", "route"})
"""First words of the types that owners make up themselves."""


HOME: Final = "homeassistant"
RADIO: Final = "meshtastic"
"""The types of adapters that can tell somebody something."""


class Skill(Struct, frozen=True):
    """What an adapter can do: its ``type``, and its commands where the type declares them."""

    type: str
    commands: Collection[str] | None = None


class Household(Struct, frozen=True, kw_only=True):
    """The ids of owners, the adapters with whom they belong to, and the event types, of which any may be known.

    ``skills`` of adapters by name, and where webhooks may go, are known or not.
    """

    owners: Collection[str]
    adapters: Mapping[str, str]
    kinds: Kinds | None = None
    skills: Mapping[str, Skill] = {}
    webhooks: AllowList | None = None

    def owner_fault(self, owner: str) -> str:
        """Return what is wrong with the id of an owner, empty when nothing is."""
        if owner in self.owners or owner in RESERVED:
            return ""
        return f"there is no owner {owner!r}{mean(owner, [*self.owners, HOUSE])}"

    def adapter_fault(self, adapter: str, owners: Collection[str] | None) -> str:
        """Return why a route of these owners (None: of everybody) cannot command an adapter, empty when it can."""
        whose = self.adapters.get(adapter)
        if whose is None:
            return f"there is no adapter {adapter!r}{mean(adapter, self.adapters)}"
        if whose == HOUSE or (owners is not None and set(owners) <= {whose}):
            return ""
        others = "everybody" if owners is None else ", ".join(sorted(set(owners) - {whose}))
        remedy = f'give this route owner = "{whose}", or name an adapter of the house'
        return f"{adapter} belongs to {whose}, and this route is for {others}: {remedy}"

    def command_fault(self, adapter: str, command: str) -> str:
        """Return why an adapter does not know a command, empty when it may."""
        skill = self.skills.get(adapter)
        if skill is None or skill.commands is None or command in skill.commands:
            return ""
        return f"{adapter} is a {skill.type}, which has no command {command!r}{mean(command, skill.commands)}"

    def notify_fault(self, target: str) -> str:
        """Return why nobody can be told anything through a target, an adapter or a service of one; empty: they may."""
        adapter, _, service = target.partition(".")
        skill = self.skills.get(adapter)
        if skill is None or skill.type == RADIO or (skill.type == HOME and service):
            return ""
        if skill.type == HOME:
            return f"say through which notify service of {adapter}: {adapter}.mobile_app_phone"
        return f"{adapter} is a {skill.type}: use its commands to tell somebody something"

    def webhook_fault(self, url: str, *, whole: bool) -> str:
        """Return why a webhook may not go to a URL, of which only the beginning is known unless it is ``whole``."""
        if self.webhooks is None or not url.isascii() or any(mark in url for mark in ("%", "..", " ", "\\")):
            return ""  # which would first have to be brought into the form in which it is sent
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if self.webhooks.permits(parts.scheme, host, port, path=path if whole else None):
            return ""
        where = f"{parts.scheme}://{parts.netloc}"
        return f"{where} is not allowed{' with this path' if whole else ''}: add it to webhooks in [routing]"

    def kind_fault(self, kind: str) -> str:
        """Return what is wrong with an event type without wildcards, empty when nothing is."""
        if self.kinds is None or kind.partition(".")[0] in OWN_WORDS or self.kinds(kind) is not None:
            return ""
        return f"no configured adapter has events of the type {kind!r}: the guide of each adapter lists them"


def everybody(owner: str) -> bool:
    """Tell whether an owner is among those whom "*" means: all but what nobody is known for."""
    return owner != UNCLAIMED
