"""Controlling the radio itself: who may, what is told of it, and what is never shown."""

import msgspec
import pytest

from jitney.adapters.errors import DisconnectedError, RefusedError
from jitney.adapters.meshtastic.config import Config
from jitney.adapters.meshtastic.control import COMMANDS, Control
from jitney.adapters.meshtastic.kinds_sending import KINDS_SENDING
from jitney.adapters.secret import Secret
from jitney.topics import HOUSE, Command, Kinds, Reply
from tests.adapters.meshtastic.sending import OWN, RecordingLink, Turned, command
from tests.fakes.context import RecordingContext
from tests.fakes.meshtastic import SECRETS, Settings

NODE = f"!{OWN:08x}"
DATA = {
    "set_owner": {"long_name": "Base", "short_name": "🏠"},
    "set_mqtt": {"enabled": True},
    "reboot": {},
    "shutdown": {"seconds": 3},
    "factory_reset": {"confirm": NODE},
    "get_device_config": {},
}


class Controlled:
    """A radio under control, and what was told of it."""

    def __init__(self, **allow: object) -> None:
        self.ctx = RecordingContext(name="base", default_owner=HOUSE)
        self.link = RecordingLink(Turned())
        config = Config(connection="tcp://192.168.1.9", allow=allow)
        self.control = Control(self.ctx, config, self.link)

    async def does(self, name: str, data: object = None, *, owner: str = "alice") -> Reply:
        return await self.control.carry_out(command(name, data, owner=owner))

    async def refuses(self, name: str, data: object = None, *, owner: str = "alice") -> RefusedError:
        with pytest.raises(RefusedError) as caught:
            await self.does(name, data, owner=owner)
        return caught.value

    def told(self) -> list[tuple[str, str, str]]:
        """Return (command, outcome, code) of every event, each of which has its line in the log."""
        kinds = Kinds(KINDS_SENDING)
        found = []
        for event, (level, line, fields) in zip(self.ctx.events, self.ctx.lines.written, strict=True):
            data = kinds.data(event)
            assert (event.owner, event.type) == (HOUSE, "meshtastic.control")
            assert (line, fields["owner"]) == ("device control", event.actor)
            assert (data.command, data.outcome, data.code) == (fields["command"], fields["outcome"], fields["code"])
            assert (level == "warning") == (data.outcome in ("refused", "failed"))
            found.append((data.command, data.outcome, data.code))
        return found


@pytest.mark.parametrize("name", sorted(COMMANDS))
async def test_everything_is_off_unless_it_is_allowed_and_the_attempt_is_told(name: str) -> None:
    radio = Controlled()
    error = await radio.refuses(name, DATA[name])
    assert error.code == "not_allowed"
    assert f'allow.alice = ["{name}"]' in str(error)
    assert radio.told() == [(name, "refused", "not_allowed")]
    assert radio.link.actions == []


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"get_device_config"}))
async def test_what_is_allowed_is_told_before_it_is_done_and_after(name: str) -> None:
    radio = Controlled(alice=(name,), bob="*")
    reply = await radio.does(name, DATA[name])
    assert msgspec.json.decode(reply.data) == {"node": NODE}
    assert radio.told() == [(name, "allowed", ""), (name, "done", "")]
    assert [action for action, _ in radio.link.actions] == [name]


async def test_one_owner_and_command_that_is_allowed_allows_no_other() -> None:
    radio = Controlled(alice=("reboot",))
    assert (await radio.refuses("reboot", owner="bob")).code == "not_allowed"
    assert (await radio.refuses("shutdown")).code == "not_allowed"
    assert [fields for _, _, fields in radio.ctx.lines.written if fields["owner"] == "bob"]


async def test_everything_allowed_is_not_a_factory_reset() -> None:
    radio = Controlled(alice="*")
    assert (await radio.refuses("factory_reset", {"confirm": NODE})).code == "not_allowed"
    await radio.does("reboot")


@pytest.mark.parametrize("confirm", ["", "yes", "!00000000", NODE[1:], "base"])
async def test_a_factory_reset_needs_the_node_id(confirm: str) -> None:
    radio = Controlled(alice=("factory_reset",))
    assert (await radio.refuses("factory_reset", {"confirm": confirm})).code == "not_confirmed"
    assert (await radio.refuses("factory_reset", {})).code == "invalid"
    assert radio.link.actions == []
    await radio.does("factory_reset", {"confirm": NODE, "full": True})
    assert radio.link.actions == [("factory_reset", {"full": True})]


async def test_what_is_given_goes_to_the_radio_and_nothing_else() -> None:
    radio = Controlled(alice="*")
    await radio.does("set_owner", {"short_name": "B"})
    await radio.does("reboot")
    assert radio.link.actions == [("set_owner", {"short_name": "B"}), ("reboot", {"seconds": 10})]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("set_owner", {}, "nothing to be set"),
        ("set_mqtt", {}, "nothing to be set"),
        ("set_mqtt", {"password": 5}, "data of set_mqtt: expected a text - at `$.password`"),
        ("reboot", {"seconds": 0}, ">= 1"),
        ("shutdown", {"now": True}, "unknown field `now`"),
    ],
)
async def test_what_is_wrong_with_the_data_is_said_and_told(name: str, data: object, says: str) -> None:
    radio = Controlled(alice="*")
    assert says in str(await radio.refuses(name, data))
    assert radio.told() == [(name, "refused", "invalid")]


async def test_a_password_is_given_to_the_radio_and_shown_nowhere() -> None:
    radio = Controlled(alice="*")
    await radio.does("set_mqtt", {"username": "canary-user", "password": "canary-password", "root": "msh/EU_868"})
    ((_, arguments),) = radio.link.actions
    assert arguments["password"] == Secret("canary-password")
    assert arguments["username"] == Secret("canary-user")
    everything = f"{[bytes(event.data) for event in radio.ctx.events]} {radio.ctx.lines.written} {arguments}"
    assert "canary" not in everything
    assert msgspec.json.decode(radio.ctx.events[0].data)["fields"] == ["username", "password", "root"]


async def test_a_radio_that_refuses_or_goes_away_is_told_too() -> None:
    radio = Controlled(alice="*")
    radio.link.errors = [RefusedError("invalid", "too long"), DisconnectedError("gone")]
    assert (await radio.refuses("set_owner", {"long_name": "x" * 50})).code == "invalid"
    error = await radio.refuses("reboot")
    assert (error.code, str(error)) == ("disconnected", "gone: whether it was done is not known")
    assert [outcome for _, outcome, _ in radio.told()] == ["allowed", "failed", "allowed", "failed"]


async def test_what_cannot_be_told_is_not_done() -> None:
    radio = Controlled(alice="*")
    radio.ctx.refuses = {HOUSE}
    assert (await radio.refuses("reboot")).code == "outbox_full"
    assert radio.link.actions == []


async def test_what_cannot_be_told_afterwards_is_counted_and_the_reply_is_the_same() -> None:
    radio = Controlled(alice="*")
    action = radio.link.admin

    async def admin(name: str, **arguments: object) -> None:
        await action(name, **arguments)
        radio.ctx.refuses = {HOUSE}

    radio.link.admin = admin
    assert (await radio.does("reboot")).status == "ok"
    assert (await radio.refuses("shutdown", owner="bob")).code == "not_allowed"
    assert radio.ctx.counts["control_not_told"] == 2


async def test_the_configuration_is_shown_without_secrets() -> None:
    radio = Controlled(alice="*")
    settings = Settings()
    radio.link.local, radio.link.modules = settings.local, settings.module
    reply = await radio.does("get_device_config")
    shown = msgspec.json.decode(reply.data)
    assert shown["radio"]["node_id"] == NODE
    assert shown["config"]["lora"]["region"] == "EU_868"
    assert shown["modules"]["mqtt"]["enabled"] is True
    assert not [secret for secret in SECRETS.values() if str(secret) in bytes(reply.data).decode()]


async def test_what_happens_names_the_command_that_caused_it() -> None:
    radio = Controlled(alice="*")
    asked: Command = command("reboot")
    await radio.control.carry_out(asked)
    for event in radio.ctx.events:
        assert (event.causationid, event.actor, event.subject, event.hops) == (asked.id, "alice", NODE, 0)


async def test_what_a_route_wanted_names_the_event_that_led_to_it_and_counts_on() -> None:
    radio = Controlled(alice="*")
    await radio.control.carry_out(command("reboot", hops=2, causation="heard", traceparent="00-1"))
    told = [(event.causationid, event.hops, event.traceparent) for event in radio.ctx.events]
    assert told == [("heard", 2, "00-1")] * 2
