"""From what dynamic security knows to what the model wants: which commands that takes, each with its reason."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from jitney.adapters.secret import Secret
from jitney.daemon.access import dynsec
from jitney.daemon.access.dynsec import Acl, Client, Command, Role, Standing
from jitney.daemon.access.filters import covers
from jitney.daemon.access.model import ADMINISTRATOR, DAEMON, HOME, Model, Principal
from jitney.topics import HOUSE, InvalidOwnerError
from jitney.topics.owners import person

_RECEIVE: Final = "publishClientReceive"
_SUBSCRIBES: Final = ("subscribeLiteral", "subscribePattern")


WITH_OWNER: Final = "disabled with its owner"
"""What is noted of a login that we have disabled, so that no other one is enabled again."""


class Change(Struct, frozen=True):
    """One thing to do, in words for a person."""

    text: str
    command: Command


class Plan(Struct, frozen=True):
    """What has to be changed, in this order, and what a person should know of what is not ours."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...]


def plan(model: Model, found: Standing, *, password: Secret) -> Plan:
    """Return what makes dynamic security what the model wants; ``password`` is that of the daemon, if it has one."""
    return Plan(
        (*_defaults(found, model), *_roles(model, found), *_daemon(model, found, password), *_clients(model, found)),
        tuple(_notes(model, found, password)),
    )


def is_ours(name: str, model: Model) -> bool:
    """Tell whether a role is one that this bus makes, for somebody of now or of earlier."""
    principal = name.removeprefix(model.prefix)
    if not name.startswith(model.prefix):
        return False
    if principal in (DAEMON, ADMINISTRATOR, HOUSE, HOME) or principal.startswith(f"{HOME}-"):
        return True
    try:
        return bool(person(principal))
    except InvalidOwnerError:
        return False


def _defaults(found: Standing, model: Model) -> Iterator[Change]:
    wanted = [kind for kind in dynsec.DENIED if kind != _RECEIVE or not _in_need_of_receiving(found, model)]
    wrong = [kind for kind in wanted if found.defaults.get(kind, True)]
    if wrong or not found.defaults.get("unsubscribe", False):
        text = f"deny what no role allows: {', '.join(wrong)}" if wrong else "let everybody unsubscribe"
        yield Change(text, dynsec.defaults(wanted))


def _in_need_of_receiving(found: Standing, model: Model) -> list[str]:
    """Return the roles of others that let somebody subscribe and leave it to the default what they receive."""
    return [
        role.rolename
        for role in found.roles.values()
        if not is_ours(role.rolename, model)
        and any(acl.allow and acl.acltype in _SUBSCRIBES for acl in role.acls)
        and not any(acl.allow and acl.acltype == _RECEIVE for acl in role.acls)
    ]


def _roles(model: Model, found: Standing) -> Iterator[Change]:
    for principal in model.principals.values():
        name = model.role(principal.id)
        wanted = dynsec.acls(principal)
        role = found.roles.get(name)
        if role is None:
            described = {"rolename": name, "textname": principal.about}
            yield Change(f"make role {name}: {principal.about}", {"command": "createRole", **described, "acls": wanted})
        elif differing := _differing(role, principal):
            yield Change(
                f"correct role {name}: {differing}", {"command": "modifyRole", "rolename": name, "acls": wanted}
            )
    for name in found.roles:
        principal_id = name.removeprefix(model.prefix)
        if is_ours(name, model) and principal_id not in model.principals:
            yield from _left_by(principal_id, name, model, found)


def _left_by(principal: str, role: str, model: Model, found: Standing) -> Iterator[Change]:
    """Yield the end of a role, after that of its logins: mosquitto 2.0.14 crashed the other way round."""
    for client in found.clients.values():
        if role in _names(client):
            name = client.username
            if model.device(name) is not None:
                text = f"remove login {name}: {principal} is not in the configuration any more"
                yield Change(text, {"command": "deleteClient", "username": name})
            else:
                command = {"command": "removeClientRole", "username": name, "rolename": role}
                yield Change(f"take the role {role} from login {name}", command)
    yield Change(f"remove role {role}", {"command": "deleteRole", "rolename": role})


def _differing(role: Role, principal: Principal) -> str:
    """Return what a role lacks and has too much, empty when it is as it should be."""
    wanted = {Acl(acltype=str(one["acltype"]), topic=str(one["topic"]), allow=True) for one in dynsec.acls(principal)}
    has = set(role.acls)
    words = [f"lacks {acl}" for acl in sorted(wanted - has, key=str)]
    return ", ".join(words + [f"has {acl} too much" for acl in sorted(has - wanted, key=str)])


def _daemon(model: Model, found: Standing, password: Secret) -> Iterator[Change]:
    """Yield what lets the daemon in; its login may be older than we are, so that it keeps everything it has."""
    name, role = model.principals[DAEMON].username, model.role(DAEMON)
    client = found.clients.get(name)
    roles = [{"rolename": role}]
    if client is None and password:
        command = {"command": "createClient", "username": name, "password": password, "roles": roles}
        yield Change(f"make login {name}, with the password of the configuration: the daemon", command)
    elif client is not None and role not in _names(client):
        yield Change(f"give login {name} the role {role}", {"command": "addClientRole", "username": name, **roles[0]})


def _clients(model: Model, found: Standing) -> Iterator[Change]:
    for client in found.clients.values():
        device = model.device(client.username)
        if device is None or device[0] not in model.principals or device[0] == DAEMON:
            continue
        wanted = model.role(device[0])
        wrong = [f"has role {name}" for name in _names(client) if name != wanted]
        wrong += [f"lacks role {wanted}"] if wanted not in _names(client) else []
        wrong += [f"is in group {member.groupname}" for member in client.groups]
        if wrong:
            roles = {"roles": [{"rolename": wanted}], "groups": []}
            command = {"command": "modifyClient", "username": client.username, **roles}
            yield Change(f"correct login {client.username}: {', '.join(wrong)}", command)
        yield from _let_in(client, model.principals[device[0]])


def _let_in(client: Client, principal: Principal) -> Iterator[Change]:
    """Yield what disables the login of somebody who is disabled, and what enables one that was disabled with them."""
    name = client.username
    if not principal.enabled and not client.disabled:
        described = {"command": "modifyClient", "username": name, "textdescription": WITH_OWNER}
        yield Change(f"remember of login {name} why it is disabled", described)
        disabled = {"command": "disableClient", "username": name}
        yield Change(f"disable login {name}: {principal.id} is disabled", disabled)
    elif principal.enabled and client.disabled and client.textdescription == WITH_OWNER:
        described = {"command": "modifyClient", "username": name, "textdescription": ""}
        yield Change(f"forget of login {name} why it was disabled", described)
        enabled = {"command": "enableClient", "username": name}
        yield Change(f"enable login {name}: {principal.id} is enabled again", enabled)


def _notes(model: Model, found: Standing, password: Secret) -> Iterator[str]:
    if needy := _in_need_of_receiving(found, model):
        listed = ", ".join(sorted(needy))
        yield (
            f"what no role allows to be received is still received: {listed} would not get anything any more. Give "
            "such a role publishClientReceive, and apply again"
        )
    probe = f"{model.root}/{HOUSE}/state/a/b"
    for role in found.roles.values():
        if not is_ours(role.rolename, model):
            rights = sorted(
                acl.acltype
                for acl in role.acls
                if acl.allow and acl.acltype in (*_SUBSCRIBES, "publishClientSend") and covers(acl.topic, probe)
            )
            holders = [client.username for client in found.clients.values() if role.rolename in _names(client)]
            if rights and holders:
                who, what = ", ".join(sorted(holders)), ", ".join(rights)
                yield f"role {role.rolename}, which is not ours, allows {who} {what} below {model.root}/"
    login = model.principals[DAEMON].username
    if login not in found.clients and not password:
        yield f"there is no login {login} for the daemon: set mqtt.username and mqtt.password, and apply again"


def _names(client: Client) -> list[str]:
    return [member.rolename for member in client.roles]
