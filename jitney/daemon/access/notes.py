"""What each sort of broker cannot enforce, and what else to know of it."""

from collections.abc import Mapping
from typing import Final, Literal

Target = Literal["mosquitto-acl", "dynsec", "emqx"]

_RETAINED: Final = """\
A retained command cannot be forbidden to whoever may publish commands: the bus refuses it, with a reply.
"""
_RESPONSE: Final = """\
Only the bus looks at the Response Topic of a command: it answers nowhere but inside the tree of whoever asked.
"""
_WILL: Final = """\
A will on a topic of somebody else is accepted with the connection, and then not published.
"""

_MOSQUITTO_ACL: Final = """\
mosquitto 2.0 with an ACL file grants every subscription, and drops at delivery what may not be read.
Who subscribes to $share/GROUP/… of another owner gets nothing, but what was chosen for them is lost to that group:
  use no shared subscriptions with an ACL file.
A login is not bound to a client id: whoever has one can throw out a client whose client id they know. The daemon's
  is a secret.
"""

_DYNSEC: Final = """\
Nothing is written with %u or %c, which do nothing in dynamic security before mosquitto 2.1.
Before mosquitto 2.0.12 a subscription of somebody who is away outlives the right to it; it delivers nothing.
These are the roles alone: `jitney acl apply` brings them there by itself, `jitney devices add` makes the logins.
"""

_EMQX: Final = """\
Written after the documentation of EMQX 5.1.1 and later, and tried with none: prove it with `jitney acl verify`.
Set authorization.no_match = deny, and let no other source of rules stand before this one.
EMQX checks subscriptions, not deliveries. It reads $share/GROUP/FILTER as FILTER: owners may share their own tree.
No rule here binds a login to a client id.
"""


def _notes(*texts: str) -> tuple[str, ...]:
    """Return one note for each line; one that is indented goes on with the note before it."""
    return tuple("".join(texts).rstrip("\n").replace("\n  ", " ").split("\n"))


NOTES: Final[Mapping[Target, tuple[str, ...]]] = {
    "mosquitto-acl": _notes(_MOSQUITTO_ACL, _RETAINED, _RESPONSE, _WILL),
    "dynsec": _notes(_DYNSEC, _RETAINED, _RESPONSE, _WILL),
    "emqx": _notes(_EMQX, _RESPONSE),
}
"""What a person should know of each target."""
