"""Who may do what at the broker: the one model, from which everything else of this room follows.

What no rule allows is denied, so no rule has to deny. Reading what is retained is receiving it: no broker that is known
here tells the two apart. A filter may be wider for who subscribes than for what is received, not the other way round.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal

from msgspec import Struct

from jitney.adapters.errors import MisconfiguredError
from jitney.daemon.access.filters import covers
from jitney.daemon.config.resting import resting, without_resting
from jitney.daemon.config.schema import AdapterSettings, Config
from jitney.daemon.discovery.names import node_id
from jitney.topics import HOUSE, TopicTree
from jitney.topics.tree import BusTopic, CommandTopic, InboxTopic, RequestTopic

Action = Literal["publish", "retain", "subscribe", "receive"]

DAEMON: Final = "_daemon"
ADMINISTRATOR: Final = "_bus"
HOME: Final = "_home"
"""The ids of the principals that are no owners; a Home Assistant with a prefix of its own is ``_home-{prefix}``."""

DEVICE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""What a device can be called."""

_READ: Final[tuple[Action, ...]] = ("subscribe", "receive")
_ALL: Final[tuple[Action, ...]] = ("publish", "retain", "subscribe", "receive")
_SAFE: Final = re.compile(r"[^a-z0-9_-]")


class Rule(Struct, frozen=True, order=True):
    """Something that is allowed. ``publish`` is without the retain flag, ``retain`` with it."""

    action: Action
    pattern: str


class Principal(Struct, frozen=True, kw_only=True):
    """Somebody at the broker: ``about`` says who in words, ``username`` is their own login, without any device.

    Who is not ``enabled`` may do nothing, and is not to be let in.
    """

    id: str
    about: str
    username: str
    rules: tuple[Rule, ...]
    enabled: bool = True

    def allows(self, action: Action, topic: str) -> bool:
        """Tell whether they may do something; ``topic`` may be a filter when it is to subscribe."""
        return any(rule.action == action and covers(rule.pattern, topic) for rule in self.rules)

    def patterns(self, *actions: Action) -> list[str]:
        """Return what is allowed to one or several actions alike, in order."""
        found = [{rule.pattern for rule in self.rules if rule.action == action} for action in actions]
        return sorted(set.intersection(*found))


class Model(Struct, frozen=True, kw_only=True):
    """Everybody at the broker, by id: the daemon, the owners with the house, Home Assistant, an administrator."""

    root: str
    instance: str
    prefix: str
    """Begins the name of everything at the broker that is ours."""
    prefixes: tuple[str, ...]
    """Where Home Assistant is told."""
    principals: dict[str, Principal]

    @property
    def owners(self) -> list[str]:
        """The owners, with the house."""
        return [one for one in self.principals if not one.startswith("_") or one == HOUSE]

    def role(self, principal: str) -> str:
        """Return the name of a principal's role."""
        return f"{self.prefix}{principal}"

    def username(self, principal: str, device: str) -> str:
        """Return the login of a device."""
        return f"{self.prefix}{principal}.{device}"

    def device(self, username: str) -> tuple[str, str] | None:
        """Return whose device a login is and what it is called, None where it is none of ours."""
        principal, dot, device = username.removeprefix(self.prefix).partition(".")
        known = username.startswith(self.prefix) and dot and principal and DEVICE.fullmatch(device)
        return (principal, device) if known else None

    def who(self, principal: str) -> Principal:
        """Return a principal who can have devices; raises MisconfiguredError."""
        found = self.principals.get(principal)
        if found is None or principal == DAEMON:
            known = ", ".join(one for one in self.principals if one != DAEMON)
            raise MisconfiguredError(f"nobody is called {principal!r}: devices can belong to {known}")
        return found


def model(config: Config) -> Model:
    """Return who may do what with a configuration; raises MisconfiguredError for a login that cannot be written."""
    tree = TopicTree(config.mqtt.topic_root)
    login = config.mqtt.username or "jitney"
    if not login.isprintable() or login != login.strip():
        message = f"[mqtt] username: {login!r} cannot stand in the rules of a broker"
        raise MisconfiguredError(message)
    owners = [HOUSE, *sorted(config.owners)]
    away = resting(config)
    everybody = [
        Principal(id=DAEMON, about="the daemon", username=login, rules=_sorted(_daemon(config, tree))),
        *(
            Principal(
                id=owner,
                about=_about(owner, enabled=owner not in away),
                username=owner if owner != login else "",
                rules=_sorted(_owner(owner, tree)) if owner not in away else (),
                enabled=owner not in away,
            )
            for owner in owners
        ),
        *_homes(without_resting(config), tree),
        Principal(
            id=ADMINISTRATOR,
            about="whoever may ask the bus itself",
            username="",
            rules=_sorted(_administrator(config, tree)),
        ),
    ]
    root = tree.root
    found = Model(
        root=root,
        instance=config.bus.instance,
        prefixes=tuple(_prefixes(config)) if config.discovery.enabled else (),
        prefix="jitney-" if root == "jitney" else f"jitney@{root.replace('/', '.')}-",
        principals={one.id: one for one in everybody},
    )
    if found.device(login) is not None:
        message = f"[mqtt] username: {login!r} is what a device of an owner is called: give the daemon another login"
        raise MisconfiguredError(message)
    return found


def _about(owner: str, *, enabled: bool) -> str:
    if owner == HOUSE:
        return "the house, which is nobody's in particular"
    return f"owner {owner}" if enabled else f"owner {owner}, who is disabled"


def _daemon(config: Config, tree: TopicTree) -> Iterator[Rule]:
    yield from _rules(f"{tree.root}/#", *_ALL)
    yield from _rules("$SYS/#", *_READ)  # what `jitney doctor` looks at
    node = node_id(tree.root, config.bus.instance)
    for prefix in _prefixes(config) if config.discovery.enabled else ():
        yield from _rules(f"{prefix}/+/{node}/#", *_ALL)
        yield from _rules(f"{prefix}/status", *_READ)


def _owner(owner: str, tree: TopicTree) -> Iterator[Rule]:
    yield from _rules(f"{tree.root}/{owner}/#", *_READ)
    yield from _rules(tree.filter(BusTopic, name="state"), *_READ)
    for kind in (CommandTopic, InboxTopic):
        yield Rule("publish", tree.filter(kind, owner=owner))


def _administrator(config: Config, tree: TopicTree) -> Iterator[Rule]:
    instance = config.bus.instance
    yield from _rules(f"{tree.root}/_bus/{instance}/#", *_READ)
    yield from _rules(tree.filter(BusTopic, name="state"), *_READ)
    yield Rule("publish", tree.filter(RequestTopic, instance=instance))


def _homes(config: Config, tree: TopicTree) -> Iterator[Principal]:
    """Yield each Home Assistant that is told anything."""
    if not config.discovery.enabled:
        return
    taken: set[str] = set()
    for prefix in _prefixes(config):
        name = HOME
        if prefix != config.discovery.prefix:
            name = f"{HOME}-{_SAFE.sub('-', prefix.lower())}"
            while name in taken:
                name += "-"
        taken.add(name)
        about = f"the Home Assistant that is told under {prefix}/"
        yield Principal(id=name, about=about, username="", rules=_sorted(_home(config, tree, prefix)))


def _home(config: Config, tree: TopicTree, prefix: str) -> Iterator[Rule]:
    yield from _rules(f"{prefix}/#", *_ALL)
    yield from _rules(tree.filter(BusTopic, name="state"), *_READ)
    owners = [one.id for one in config.owners.values() if one.discovery.enabled and _prefix(config, one.id) == prefix]
    if prefix == config.discovery.prefix:
        owners.insert(0, HOUSE)
        yield from _rules(tree.filter(BusTopic, instance=config.bus.instance, name="health"), *_READ)
    for owner in owners:
        for adapter in config.adapters.values():
            if adapter.enabled and adapter.owner in (HOUSE, owner):
                yield from _shown(owner, adapter, config, tree)


def _shown(owner: str, adapter: AdapterSettings, config: Config, tree: TopicTree) -> Iterator[Rule]:
    """Yield what a Home Assistant needs of one adapter; of one that has nothing but private things only its status."""
    branch = f"{tree.root}/{owner}"
    yield from _rules(f"{branch}/status/{adapter.name}", *_READ)
    kinds = adapter.type.kinds
    hidden = bool(kinds) and all(kind.private for kind in kinds)
    if hidden and owner != HOUSE and adapter.name not in config.owners[owner].discovery.private:
        return
    for word in ("state", "event"):
        yield from _rules(f"{branch}/{word}/{adapter.name}/+", *_READ)
    yield Rule("publish", f"{branch}/command/{adapter.name}/+")


def _prefixes(config: Config) -> list[str]:
    return sorted({config.discovery.prefix, *(_prefix(config, owner) for owner in config.owners)})


def _prefix(config: Config, owner: str) -> str:
    return config.owners[owner].discovery.prefix or config.discovery.prefix


def _rules(pattern: str, *actions: Action) -> Iterator[Rule]:
    return (Rule(action, pattern) for action in actions)


def _sorted(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(sorted(set(rules), key=lambda rule: (rule.pattern, rule.action)))
