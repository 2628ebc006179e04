"""Names that never change: what Home Assistant knows the bus, its devices and their entities by.

No two of them are equal unless what they are made of is: each can be read back from the right or from the left.
"""

import re
from typing import Final

DEVICE: Final = "device"
"""The word in a topic that announces a whole device, where that of one entity has its platform."""

BRANCH: Final = "discovery/"
"""Begins the name under which announcements are in the ledger; the adapter follows, nothing for the bus itself."""

_BUS: Final = "bus"
_OTHER: Final = re.compile(r"[^A-Za-z0-9_]")


def node_id(root: str, instance: str) -> str:
    """Return the level that all announcements of one instance have in common: ``jitney-main``."""
    return f"{_word(root)}-{_word(instance)}"


def object_id(owner: str, adapter: str, device: str = "") -> str:
    """Return the level that names a device: ``alice--mesh--a1b2c3d4``, without its key ``alice--mesh``.

    No adapter is the bus itself, which no person can be called when it has further devices.
    """
    if adapter:
        parts = [owner, adapter, device] if device else [owner, adapter]
    else:
        parts = [f"_{_BUS}", device] if device else [_BUS]
    return "--".join(map(_word, parts))


def identifier(root: str, instance: str, *, owner: str, adapter: str, device: str = "") -> str:
    """Return the identifier of a device: ``jitney.main.alice.mesh.a1b2c3d4``; the bus itself is ``jitney.main``."""
    parts = [_word(root), instance]
    if adapter:
        parts += [owner, adapter]
    if device:
        parts += [device] if adapter else ["", device]
    return ".".join(parts)


def unique_id(device: str, entity: str) -> str:
    """Return the unique id of an entity of the device with an identifier."""
    return f"{device}..{entity}"


def device_topic(prefix: str, node: str, device: str) -> str:
    """Return the topic that announces a device with all its entities."""
    return f"{prefix}/{DEVICE}/{node}/{device}/config"


def entity_topic(prefix: str, node: str, device: str, *, platform: str, entity: str) -> str:
    """Return the topic that announces one entity of a device."""
    return f"{prefix}/{platform}/{node}/{device}--{entity}/config"


def _word(text: str) -> str:
    """Return a text of the characters that a discovery topic can have, with no single '-' that means nothing.

    After a '-' follow: '_' for the '-' of the text, the number of another character and '_', or another part.
    """
    return _OTHER.sub(lambda match: "-_" if match[0] == "-" else f"-{ord(match[0]):x}_", text)
