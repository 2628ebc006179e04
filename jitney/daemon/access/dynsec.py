"""mosquitto's dynamic security: what it knows, asked and changed over `$CONTROL/dynamic-security/v1`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from jitney.adapters.secret import Secret
from jitney.daemon.access.model import Action, Principal
from jitney.daemon.access.visitor import CUT, SECONDS, Login, Visitor, visiting
from jitney.daemon.broker.session import REFUSED, BrokerRefusedError, BrokerUnreachableError
from jitney.daemon.config.schema import MqttSettings
from jitney.topics import JitneyError

TOPIC: Final = "$CONTROL/dynamic-security/v1"

TYPES: Final[Mapping[Action, str]] = {
    "publish": "publishClientSend",
    "receive": "publishClientReceive",
    "subscribe": "subscribePattern",
}
"""What each action is called there; ``retain`` is not told from ``publish``."""

DENIED: Final = ("publishClientSend", "publishClientReceive", "subscribe")
"""What must be denied to whoever no role allows it."""

Command = Mapping[str, Any]


class DynsecError(JitneyError):
    """Dynamic security did not do what it was asked; the text says what it answered."""


class Acl(Struct, frozen=True, kw_only=True):
    """One line of a role."""

    acltype: str
    topic: str = ""
    priority: int = 0
    allow: bool = False

    def __str__(self) -> str:
        return f"{'' if self.allow else 'no '}{self.acltype} {self.topic}"


class Role(Struct, frozen=True, kw_only=True):
    """A role, and what it allows."""

    rolename: str
    acls: tuple[Acl, ...] = ()


class Member(Struct, frozen=True, kw_only=True):
    """A role or a group that somebody has."""

    rolename: str = ""
    groupname: str = ""


class Client(Struct, frozen=True, kw_only=True):
    """A login; ``clientid`` empty: any will do."""

    username: str
    clientid: str = ""
    textname: str = ""
    textdescription: str = ""
    disabled: bool = False
    roles: tuple[Member, ...] = ()
    groups: tuple[Member, ...] = ()


class Standing(Struct, frozen=True, kw_only=True):
    """Everything that dynamic security knows, without passwords: no broker gives them out."""

    defaults: Mapping[str, bool]
    roles: Mapping[str, Role]
    clients: Mapping[str, Client]


class _Answer(Struct, rename={"correlation": "correlationData"}):
    command: str = ""
    error: str = ""
    correlation: str = ""
    data: Raw = Raw(b"{}")


class _Answers(Struct):
    responses: list[_Answer]


class _Roles(Struct):
    roles: list[Role]


class _Clients(Struct):
    clients: list[Client]


class _Defaults(Struct):
    acls: list[Acl]


class DynamicSecurity:
    """An administrator's connection; ``administering`` makes it."""

    def __init__(self, visitor: Visitor, *, place: str) -> None:
        self._visitor = visitor
        self._place = place

    async def ask(self, *commands: Command) -> list[Raw]:
        """Carry out commands, in order; a failed one does not stop those after it.

        Raises DynsecError for the first that has failed, BrokerRefusedError or BrokerUnreachableError.
        """
        token = token_hex(8)
        asked = {"commands": [{**one, "correlationData": token} for one in commands]}
        payload = msgspec.json.encode(asked, enc_hook=_revealed)
        code = await self._visitor.publish(TOPIC, payload)
        if code >= REFUSED:
            raise BrokerRefusedError(
                f"{self._place} does not let this user administer its dynamic security: use the administrator that "
                "was made with it"
            )
        found: list[_Answer] = []
        if not await self._visitor.until(lambda: self._answered(token, found), seconds=SECONDS):
            raise BrokerUnreachableError(
                f"{self._place} did not answer on {TOPIC}/response within {SECONDS:g} s: is its plugin "
                "mosquitto_dynamic_security loaded?"
            )
        for answer in found:
            if answer.error:
                raise DynsecError(f"{self._place}: {answer.command}: {answer.error}")
        return [answer.data for answer in found]

    async def standing(self) -> Standing:
        """Return everything that is known; raises as ``ask`` does."""
        defaults, roles, clients = await self.ask(
            {"command": "getDefaultACLAccess"},
            {"command": "listRoles", "verbose": True},
            {"command": "listClients", "verbose": True},
        )
        return Standing(
            defaults={acl.acltype: acl.allow for acl in _read(defaults, _Defaults).acls},
            roles={role.rolename: role for role in _read(roles, _Roles).roles},
            clients={client.username: client for client in _read(clients, _Clients).clients},
        )

    def _answered(self, token: str, found: list[_Answer]) -> bool:
        """Look for the answer to a question among what has come: other administrators may ask at the same time."""
        while self._visitor.came and not found:
            came = self._visitor.came.pop(0)
            try:
                answers = msgspec.json.decode(came.payload, type=_Answers).responses
            except (msgspec.MsgspecError, UnicodeError):
                continue
            found += answers if answers and answers[0].correlation == token else []
        return bool(found)


@asynccontextmanager
async def administering(settings: MqttSettings, admin: Login) -> AsyncIterator[DynamicSecurity]:
    """Connect as the administrator; raises BrokerRefusedError or BrokerUnreachableError."""
    async with visiting(settings, admin, purpose="acl") as visitor:
        code = await visitor.subscribe(f"{TOPIC}/response")
        if code >= REFUSED or code == CUT:
            message = (
                f"{settings.url} does not let {admin.username!r} read {TOPIC}/response: use the administrator of its "
                "dynamic security"
            )
            raise BrokerRefusedError(message)
        yield DynamicSecurity(visitor, place=settings.url)


def acls(principal: Principal) -> list[dict[str, object]]:
    """Return the lines of a principal's role, as a command wants them."""
    return [
        {"acltype": kind, "topic": pattern, "priority": 0, "allow": True}
        for action, kind in TYPES.items()
        for pattern in principal.patterns(action)
    ]


def defaults(denied: Sequence[str] = DENIED) -> Command:
    """Return the command that denies what no role allows; anybody may unsubscribe."""
    return {
        "command": "setDefaultACLAccess",
        "acls": [*({"acltype": kind, "allow": False} for kind in denied), {"acltype": "unsubscribe", "allow": True}],
    }


def _revealed(secret: object) -> str:
    """Return a password, which is sent here and nowhere else."""
    if isinstance(secret, Secret):
        return secret.reveal()
    raise TypeError(type(secret).__name__)


def _read(data: Raw, kind: type[Any]) -> Any:  # noqa: ANN401 - one of the kind
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise DynsecError(f"dynamic security answered something unknown ({error}): is it a newer version?") from error
