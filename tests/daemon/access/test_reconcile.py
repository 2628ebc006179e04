"""Bringing the model to a real dynamic security, and mending what has become of it."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from jitney.adapters.secret import Secret
from jitney.daemon.access import dynsec
from jitney.daemon.access.devices import DynsecDevices
from jitney.daemon.access.dynsec import DynamicSecurity, DynsecError, administering
from jitney.daemon.access.model import model
from jitney.daemon.access.reconcile import is_ours, plan
from jitney.daemon.access.visitor import Login, visiting
from jitney.daemon.broker.session import BrokerRefusedError, BrokerUnreachableError
from jitney.daemon.config.schema import Config
from tests.conftest import StartBroker
from tests.fakes.mosquitto import Broker
from tests.fakes.walled import ADMIN, DAEMON, at, bare_dynsec, household


class Administered(Struct, frozen=True):
    """A dynamic security, and the configuration whose model it gets."""

    security: DynamicSecurity
    config: Config

    async def apply(self, config: Config | None = None, *, password: Secret = DAEMON.password) -> list[str]:
        """Bring the model there; returns what was done, in words."""
        who = model(config or self.config)
        found = plan(who, await self.security.standing(), password=password)
        if found.changes:
            await self.security.ask(*(change.command for change in found.changes))
        assert plan(who, await self.security.standing(), password=password).changes == ()
        return [change.text for change in found.changes]

    async def notes(self, *, password: Secret = DAEMON.password) -> list[str]:
        return list(plan(model(self.config), await self.security.standing(), password=password).notes)


@pytest.fixture
async def administered(mosquitto: StartBroker, tmp_path: Path) -> AsyncIterator[Administered]:
    broker = bare_dynsec(mosquitto, tmp_path)
    config = at(household(["alice", "bob"]), broker)
    async with administering(config.mqtt, ADMIN) as security:
        yield Administered(security, config)
    broker.kill()


def acl(kind: str, topic: str, *, allow: bool = True) -> Mapping[str, Any]:
    return {"acltype": kind, "topic": topic, "priority": 0, "allow": allow}


async def test_the_first_time_everything_is_made_and_the_second_time_nothing(administered: Administered) -> None:
    done = await administered.apply()
    assert done[0] == "deny what no role allows: publishClientReceive"
    assert [text.split(":")[0] for text in done[1:]] == [
        *(f"make role jitney-{name}" for name in ("_daemon", "_house", "alice", "bob", "_home", "_bus")),
        "make login jitney, with the password of the configuration",
    ]
    assert await administered.apply() == []
    async with visiting(administered.config.mqtt) as daemon:
        assert await daemon.subscribe("jitney/#") < 0x80


async def test_what_somebody_has_changed_is_named_and_mended(administered: Administered) -> None:
    await administered.apply()
    ask = administered.security.ask
    await ask({"command": "addRoleACL", "rolename": "jitney-alice", **acl("subscribePattern", "jitney/bob/#")})
    await ask(
        {"command": "removeRoleACL", "rolename": "jitney-bob", "acltype": "subscribePattern", "topic": "jitney/bob/#"}
    )
    await ask({"command": "setDefaultACLAccess", "acls": [{"acltype": "subscribe", "allow": True}]})
    assert await administered.apply() == [
        "deny what no role allows: subscribe",
        "correct role jitney-alice: has subscribePattern jitney/bob/# too much",
        "correct role jitney-bob: lacks subscribePattern jitney/bob/#",
    ]


async def test_a_word_that_the_broker_takes_without_knowing_it_is_seen(administered: Administered) -> None:
    await administered.apply()
    await administered.security.ask(
        {"command": "modifyRole", "rolename": "jitney-alice", "acls": [acl("nope", "jitney/alice/#")]}
    )
    (text,) = await administered.apply()
    assert text.count("lacks") == 6


async def test_a_device_that_was_given_more_loses_it_and_keeps_its_password(administered: Administered) -> None:
    await administered.apply()
    security = administered.security
    login = await DynsecDevices(security, model(administered.config)).add("alice", "phone")
    await security.ask(
        {"command": "createGroup", "groupname": "everybody", "roles": [{"rolename": "jitney-bob"}]},
        {"command": "addGroupClient", "groupname": "everybody", "username": login.username},
        {"command": "addClientRole", "username": login.username, "rolename": "jitney-bob"},
    )
    assert await administered.apply() == [
        "correct login jitney-alice.phone: has role jitney-bob, is in group everybody"
    ]
    async with visiting(administered.config.mqtt, login) as phone:
        assert await phone.subscribe("jitney/bob/#") == 0x87
        assert await phone.subscribe("jitney/alice/#") < 0x80


async def test_an_owner_who_has_gone_takes_every_login_along(administered: Administered) -> None:
    await administered.apply()
    security = administered.security
    login = await DynsecDevices(security, model(administered.config)).add("bob", "phone")
    await security.ask(
        {"command": "createClient", "username": "friend", "password": "x", "roles": [{"rolename": "jitney-bob"}]}
    )
    owners = {"alice": administered.config.owners["alice"]}
    assert await administered.apply(replace(administered.config, owners=owners)) == [
        "take the role jitney-bob from login friend",
        "remove login jitney-bob.phone: bob is not in the configuration any more",
        "remove role jitney-bob",
    ]
    with pytest.raises(BrokerRefusedError):
        async with visiting(administered.config.mqtt, login):
            pass
    assert "friend" in (await security.standing()).clients


async def test_who_is_disabled_is_not_let_in_until_they_are_enabled(administered: Administered) -> None:
    await administered.apply()
    devices = DynsecDevices(administered.security, model(administered.config))
    phone, lost, his = [
        await devices.add(owner, name) for owner, name in (("alice", "phone"), ("alice", "lost"), ("bob", "phone"))
    ]
    await administered.security.ask({"command": "disableClient", "username": lost.username})
    settings = administered.config.owners
    away = replace(administered.config, owners={**settings, "alice": replace(settings["alice"], enabled=False)})
    done = await administered.apply(away)
    assert done[0].startswith("correct role jitney-alice: has ")
    assert done[1:] == [
        "remember of login jitney-alice.phone why it is disabled",
        "disable login jitney-alice.phone: alice is disabled",
    ]
    with pytest.raises(BrokerRefusedError):
        async with visiting(administered.config.mqtt, phone):
            pass
    async with visiting(administered.config.mqtt, his):
        pass
    assert len(await administered.apply()) == 3
    async with visiting(administered.config.mqtt, phone):
        pass
    clients = (await administered.security.standing()).clients
    assert (clients[lost.username].disabled, clients[phone.username].textdescription) == (True, "")


async def test_what_is_not_ours_is_left_alone_and_told_where_it_reaches_into_the_tree(
    administered: Administered,
) -> None:
    others = [
        {"command": "createRole", "rolename": "zigbee", "acls": [acl("subscribePattern", "zigbee2mqtt/#")]},
        {"command": "createRole", "rolename": "all", "acls": [acl("publishClientSend", "#")]},
        {"command": "createRole", "rolename": "jitney-", "acls": []},
        {"command": "createRole", "rolename": "jitney-A role", "acls": []},
        {"command": "createClient", "username": "zigbee", "password": "x", "roles": [{"rolename": "zigbee"}]},
        {"command": "createClient", "username": "jitney-x", "password": "x", "roles": [{"rolename": "all"}]},
    ]
    await administered.security.ask(*others)
    before = await administered.security.standing()
    await administered.apply()
    after = await administered.security.standing()
    assert before.roles.items() <= after.roles.items()
    assert before.clients.items() <= after.clients.items()
    assert after.defaults["publishClientReceive"], "zigbee would get nothing any more"
    notes = " | ".join(await administered.notes())
    assert "zigbee would not get anything any more" in notes
    assert "role all, which is not ours, allows jitney-x publishClientSend below jitney/" in notes


async def test_a_login_of_the_daemon_that_was_there_keeps_what_it_has(administered: Administered) -> None:
    await administered.security.ask(
        {"command": "createRole", "rolename": "older", "acls": []},
        {
            "command": "createClient",
            "username": "jitney",
            "password": DAEMON.password,
            "roles": [{"rolename": "older"}],
        },
    )
    assert "give login jitney the role jitney-_daemon" in await administered.apply(password=Secret("another"))
    client = (await administered.security.standing()).clients["jitney"]
    assert {member.rolename for member in client.roles} == {"older", "jitney-_daemon"}
    async with visiting(administered.config.mqtt):
        pass


async def test_without_a_password_the_daemon_gets_no_login_and_it_is_told(administered: Administered) -> None:
    done = await administered.apply(password=Secret(""))
    assert [text for text in done if "login" in text] == []
    assert "there is no login jitney for the daemon" in " ".join(await administered.notes(password=Secret("")))


async def test_what_dynamic_security_refuses_is_told(administered: Administered) -> None:
    with pytest.raises(DynsecError, match="deleteRole: Role not found"):
        await administered.security.ask({"command": "deleteRole", "rolename": "nobody"})
    with pytest.raises(DynsecError, match="Unknown command"):
        await administered.security.ask({"command": "nonsense"})


async def test_two_administrators_do_not_take_each_others_answers(administered: Administered) -> None:
    async with administering(administered.config.mqtt, ADMIN) as another:
        for _ in range(3):
            await another.ask({"command": "listRoles"})
            assert await administered.security.standing()


async def test_somebody_who_administers_nothing_is_told(administered: Administered) -> None:
    await administered.apply()
    with pytest.raises(BrokerRefusedError, match="use the administrator"):
        async with administering(administered.config.mqtt, DAEMON):
            pass


async def test_a_broker_without_dynamic_security_is_told_apart(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynsec, "SECONDS", 0.2)
    settings = replace(household().mqtt, url=broker.url)
    async with administering(settings, Login("", Secret(""))) as security:
        with pytest.raises(BrokerUnreachableError, match=r"is its plugin mosquitto_dynamic_security loaded\?"):
            await security.standing()


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        *(("jitney-alice", True), ("jitney-zoe", True), ("jitney-_home-hers", True), ("jitney-_daemon", True)),
        *(
            ("alice", False),
            ("jitney-Alice", False),
            ("jitney-", False),
            ("jitney-_x", False),
            ("jitney@x-alice", False),
        ),
    ],
)
def test_a_role_is_ours_by_its_whole_name(name: str, *, ours: bool) -> None:
    assert is_ours(name, model(household())) is ours
