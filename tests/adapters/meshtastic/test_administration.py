"""The radio itself is controlled as asked, and nothing wrong reaches it."""

import pytest

from jitney.adapters.errors import DisconnectedError, RefusedError
from jitney.adapters.secret import Secret
from tests.adapters.meshtastic.linked import linked


async def test_the_radio_is_renamed() -> None:
    async with linked() as (radio, _, link):
        await link.admin("set_owner", long_name="  New name ", short_name="NEW")
        await radio.until(lambda: radio.own.long_name == "New name")
        assert radio.own.short_name == "NEW"
        await link.admin("set_owner", short_name="\U0001f680")
        await radio.until(lambda: radio.own.short_name == "\U0001f680")
        assert radio.own.long_name == "New name"


async def test_what_is_not_said_of_the_mqtt_module_stays_as_it_is() -> None:
    async with linked() as (radio, _, link):
        before = radio.settings.module.mqtt.username
        await link.admin("set_mqtt", root="msh/home", password=Secret("new password"), json_enabled=True)
        await radio.until(lambda: radio.administration.done("set_module_config"))
        module = radio.settings.module.mqtt
        assert (module.root, module.password, module.json_enabled) == ("msh/home", "new password", True)
        assert (module.username, module.enabled) == (before, True)


@pytest.mark.parametrize(
    ("action", "arguments", "field", "value"),
    [
        ("reboot", {}, "reboot_seconds", 10),
        ("reboot", {"seconds": 3}, "reboot_seconds", 3),
        ("shutdown", {"seconds": 60}, "shutdown_seconds", 60),
        ("factory_reset", {}, "factory_reset_config", 1),
        ("factory_reset", {"full": True}, "factory_reset_device", 1),
    ],
)
async def test_the_radio_does_what_it_is_told(
    action: str, arguments: dict[str, object], field: str, value: int
) -> None:
    async with linked() as (radio, _, link):
        await link.admin(action, **arguments)
        await radio.until(lambda: radio.administration.done(field))
        (message,) = radio.administration.done(field)
        assert getattr(message, field) == value


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("explode", {}),
        ("set_owner", {}),
        ("set_owner", {"long_name": "  "}),
        ("set_owner", {"long_name": "x" * 40}),
        ("set_owner", {"short_name": "ABCDE"}),
        ("set_owner", {"short_name": "\U0001f680\U0001f680"}),
        ("set_owner", {"long_name": "\ud800"}),
        ("set_owner", {"long_name": 5}),
        ("set_owner", {"long_name": "Base", "is_licensed": True}),
        ("set_mqtt", {}),
        ("set_mqtt", {"enabled": "yes"}),
        ("set_mqtt", {"root": 5}),
        ("set_mqtt", {"root": "x" * 64}),
        ("set_mqtt", {"enabled": True, "wifi_psk": "x"}),
        ("reboot", {"seconds": 0}),
        ("reboot", {"seconds": True}),
        ("reboot", {"seconds": 1.5}),
        ("reboot", {"seconds": 3601}),
        ("shutdown", {"now": True}),
        ("factory_reset", {"full": "yes"}),
        ("factory_reset", {"fully": True}),
    ],
)
async def test_what_is_wrong_is_refused_and_does_not_reach_the_radio(action: str, arguments: dict[str, object]) -> None:
    async with linked() as (radio, _, link):
        with pytest.raises(RefusedError):
            await link.admin(action, **arguments)
        await link.admin("reboot")
        await radio.until(lambda: radio.administration.done("reboot_seconds"))
        assert {message.WhichOneof("payload_variant") for message in radio.administration.messages} == {
            "get_config_request",
            "reboot_seconds",
        }


async def test_a_secret_does_not_come_back_in_a_refusal() -> None:
    async with linked() as (_, _, link):
        with pytest.raises(RefusedError) as refused:
            await link.admin("set_mqtt", enabled=Secret("hunter2 hunter2"))
        assert "hunter2" not in str(refused.value)


async def test_settings_that_did_not_reach_the_radio_are_not_written_with_the_next() -> None:
    async with linked() as (radio, _, link):
        radio.drop()
        await radio.disconnected()
        assert link._interface is not None
        for _ in range(2):
            with pytest.raises((DisconnectedError, RefusedError)):
                await link.admin("set_mqtt", root="msh/lost")
        assert link._interface.localNode.moduleConfig.mqtt.root == "msh/EU_868"
