"""The proof finds what is open: each hole that a broker can have, made on purpose."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from jitney.adapters.secret import Secret
from jitney.daemon.access.dynsec import administering
from jitney.daemon.access.proofs import NOBODY, Proof, UnprovedError, broken, verdict
from jitney.daemon.access.prove import prove
from jitney.daemon.access.visitor import Login, visiting
from jitney.daemon.broker.session import BrokerRefusedError
from tests.conftest import StartBroker
from tests.fakes.walled import ADMIN, DAEMON, Walled, household, with_a_file, with_dynsec

HOUSEHOLD = household(["alice", "bob"])


async def alice_tries(walled: Walled) -> list[Proof]:
    return await prove(walled.settings, walled.model, {"alice": walled.logins["alice"]})


def told(proofs: list[Proof]) -> set[str]:
    """Return what is open, in words."""
    return {f"{proof.attempt} ({proof.how})" for proof in broken(proofs)}


async def test_a_broker_with_its_walls_up_is_proved(mosquitto: StartBroker, tmp_path: Path) -> None:
    walled = with_a_file(mosquitto, tmp_path, HOUSEHOLD)
    proofs = await alice_tries(walled)
    assert broken(proofs) == []
    assert {proof.owner for proof in proofs} == {"alice", NOBODY}
    assert {proof.attempt for proof in proofs if proof.may} == {
        "read the own tree",
        "publish a command",
        "publish an event for the inbox",
    }
    assert verdict(proofs).endswith("4 known not to be held off by this broker, all as they should be")
    assert len(broken(proofs, strict=True)) == 4


HOLES = [
    {
        "topic read jitney/bob/event/#": "read the tree of bob (jitney/bob/event/access/",
        "topic read jitney/_bus/main/response/#": "read what the bus says and is asked (jitney/_bus/main/response/",
        "topic read $SYS/#": "read what the broker says of itself ($SYS/",
    },
    {
        "topic read jitney/+/state/#": "read everybody's trees (jitney/_house/state/access/",
        "topic read jitney/_bus/+/health": "read what the bus says and is asked (jitney/_bus/",
    },
    {"topic read jitney/bob/alert/+": "read the tree of bob (jitney/bob/alert/"},
    {
        "topic write jitney/alice/event/#": "publish an event as if it were the bus (arrived)",
        "topic write jitney/alice/state/#": "leave a will as a state (published)",
        "topic write jitney/alice/reply/#": "publish a reply as if it were the bus (arrived)",
        "topic write jitney/bob/command/#": "publish a command of bob (arrived)",
        "topic write jitney/+/inbox/#": "publish an event for the inbox of bob (arrived)",
        "topic write jitney/bob/shared/#": "publish a shared event of bob (arrived)",
        "topic write jitney/_bus/main/request/#": "ask the bus itself (arrived)",
        "topic write jitney/_bus/main/+": "speak for the bus (arrived)",
        "topic write homeassistant/#": "announce something to Home Assistant (accepted)",
        "topic write $CONTROL/#": "administer the broker (accepted)",
    },
    {"topic write jitney/_bus/+/request/#": "ask another bus (arrived)"},
    {"topic deny jitney/alice/state/#": "read the own tree (jitney/alice/state/access/"},
    {"topic deny jitney/alice/inbox/#": "publish an event for the inbox (refused (0x87))"},
]
"""Lines too many in an ACL file, and what the proof has to say of each."""


@pytest.mark.parametrize("holes", HOLES, ids=lambda holes: "+".join(line.split(maxsplit=1)[1] for line in holes))
async def test_what_is_open_or_shut_by_mistake_is_found(
    holes: dict[str, str], mosquitto: StartBroker, tmp_path: Path
) -> None:
    walled = with_a_file(mosquitto, tmp_path, HOUSEHOLD, more="\n".join(["", "user alice", *holes, ""]))
    found = told(await alice_tries(walled))
    assert [line for line, text in holes.items() if not any(one.startswith(text) for one in found)] == [], found
    await nothing_is_left(walled)
    walled.broker.kill()


async def nothing_is_left(walled: Walled) -> None:
    """See that no retained message of the proof remains, wherever it got."""
    async with visiting(walled.settings) as daemon:
        await daemon.subscribe("jitney/#")
        await daemon.subscribe("homeassistant/+/jitney-main/#")
        await daemon.publish("jitney/_house/event/a/fence", b"")
        assert await daemon.until(lambda: any(one.topic.endswith("/fence") for one in daemon.came))
        assert [one.topic for one in daemon.came if one.retained] == []


async def test_a_broker_that_lets_everybody_in_is_found_out(mosquitto: StartBroker, tmp_path: Path) -> None:
    walled = with_a_file(mosquitto, tmp_path, HOUSEHOLD)
    wide = mosquitto()
    settings = replace(walled.settings, url=wide.url)
    proofs = await prove(settings, walled.model, {"alice": walled.logins["alice"]})
    assert "read everything without a login (came)" in told(proofs)
    assert len(broken(proofs)) > 30
    async with visiting(settings) as daemon:
        await daemon.subscribe("#")
        await daemon.caught_up()
        assert [one.topic for one in daemon.came if one.retained] == []
    wide.kill()


async def test_a_role_that_has_become_too_wide_is_found(mosquitto: StartBroker, tmp_path: Path) -> None:
    walled = await with_dynsec(mosquitto, tmp_path, HOUSEHOLD)
    async with administering(walled.settings, ADMIN) as security:
        for kind, topic in (("subscribePattern", "$share/+/jitney/#"), ("publishClientSend", "jitney/+/command/#")):
            await security.ask(
                {"command": "addRoleACL", "rolename": "jitney-alice", "acltype": kind, "topic": topic, "allow": True}
            )
    open_ = told(await alice_tries(walled))
    assert "publish a command of bob (arrived)" in open_
    assert "join a shared subscription of bob (granted: what is chosen for it is lost to its group)" in open_
    assert not any(text.startswith("read ") for text in open_)


async def test_without_the_daemons_own_rights_nothing_can_be_proved(mosquitto: StartBroker, tmp_path: Path) -> None:
    walled = with_a_file(mosquitto, tmp_path, HOUSEHOLD)
    alice = walled.logins["alice"]
    as_alice = replace(walled.settings, username=alice.username, password=alice.password)
    with pytest.raises(UnprovedError, match="apply the rules first"):
        await prove(as_alice, walled.model, {"alice": DAEMON})


async def test_a_daemon_that_may_not_publish_somewhere_proves_nothing(mosquitto: StartBroker, tmp_path: Path) -> None:
    walled = with_a_file(mosquitto, tmp_path, HOUSEHOLD, more="\nuser jitney\ntopic deny jitney/bob/event/#\n")
    with pytest.raises(UnprovedError, match="own login may not publish on jitney/bob/event/access/"):
        await alice_tries(walled)


async def test_a_login_that_is_not_let_in_is_told(mosquitto: StartBroker, tmp_path: Path) -> None:
    walled = with_a_file(mosquitto, tmp_path, HOUSEHOLD)
    with pytest.raises(BrokerRefusedError, match="'alice'"):
        await prove(walled.settings, walled.model, {"alice": Login("alice", Secret("wrong"))})


async def test_a_login_of_another_owner_is_not_proved_to_be_ones_own(mosquitto: StartBroker, tmp_path: Path) -> None:
    walled = with_a_file(mosquitto, tmp_path, HOUSEHOLD)
    proofs = await prove(walled.settings, walled.model, {"alice": walled.logins["bob"]})
    assert {proof.attempt for proof in broken(proofs)} >= {"read the own tree", "read the tree of bob"}
