"""What is shown of a radio's configuration: nothing that nobody has looked at."""

import msgspec
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from meshtastic.protobuf import localonly_pb2

from jitney.adapters.meshtastic.device_config import SHOWN, SHOWN_MODULES, shown
from tests.fakes.meshtastic import SECRETS, Settings

CANARY = 0x5EC2E7
HARMLESS_TEXTS = {"device.tzdef", "network.ntp_server", "mqtt.root"}
"""The only texts that are shown."""


def filled(message: Message) -> None:
    """Put a canary into every field."""
    for field in message.DESCRIPTOR.fields:
        value: object
        if field.type == FieldDescriptor.TYPE_BOOL or field.enum_type is not None:
            value = 1
        elif field.type == FieldDescriptor.TYPE_STRING:
            value = f"canary {field.full_name}"
        elif field.type == FieldDescriptor.TYPE_BYTES:
            value = b"canary"
        else:
            value = CANARY
        if field.message_type is not None:
            if field.is_repeated:
                filled(getattr(message, field.name).add())
            else:
                filled(getattr(message, field.name))
        elif field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)


def test_of_a_configuration_full_of_secrets_only_harmless_texts_are_shown() -> None:
    local, modules = localonly_pb2.LocalConfig(), localonly_pb2.LocalModuleConfig()
    filled(local)
    filled(modules)
    found = [
        (section, fields)
        for config in (shown(local, SHOWN), shown(modules, SHOWN_MODULES))
        for section, fields in config.items()
    ]
    texts = {
        f"{section}.{name}"
        for section, fields in found
        for name, value in fields.items()
        if isinstance(value, str) and "canary" in value
    }
    assert texts == HARMLESS_TEXTS
    names = {f"{section}.{name}" for section, fields in found for name in fields}
    assert not {name for name in names if any(word in name for word in ("psk", "pin", "key", "password", "user"))}
    assert "bluetooth.fixed_pin" not in names


def test_the_secrets_of_a_radio_are_not_in_it() -> None:
    settings = Settings()
    text = msgspec.json.encode([shown(settings.local, SHOWN), shown(settings.module, SHOWN_MODULES)]).decode()
    for secret in SECRETS.values():
        for spelling in (str(secret), msgspec.json.encode(secret).decode().strip('"')):
            assert spelling not in text


def test_every_field_that_is_named_exists_and_is_shown_in_words() -> None:
    settings = Settings()
    local = shown(settings.local, SHOWN)
    assert {section: tuple(fields) for section, fields in local.items()} == SHOWN
    modules = shown(settings.module, SHOWN_MODULES)
    assert {section: tuple(fields) for section, fields in modules.items()} == SHOWN_MODULES
    assert local["lora"]["region"] == "EU_868"
    assert local["lora"]["tx_enabled"] is True
    assert modules["mqtt"]["root"] == "msh/EU_868"


def test_a_section_or_field_that_this_library_does_not_have_is_left_out() -> None:
    assert shown(Settings().local, {"device": ("role", "mood"), "kitchen": ("oven",)}) == {"device": {"role": "CLIENT"}}
