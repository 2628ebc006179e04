"""What a radio is configured to, with a secret in every place that can hold one."""

from collections.abc import Iterator
from typing import Final

from meshtastic.protobuf import channel_pb2, config_pb2, localonly_pb2, mesh_pb2, module_config_pb2

SECRETS: Final = {
    "private_key": b"canary-private-key-32-bytes-long",
    "admin_key": b"canary-admin-key-0032-bytes-long",
    "psk": b"canary-channel-psk-of-32-bytes-x",
    "wifi_psk": "canary-wifi-psk",
    "mqtt_username": "canary-mqtt-user",
    "mqtt_password": "canary-mqtt-password",
    "fixed_pin": 734921,
}
"""What must appear nowhere outside the radio."""

CHANNELS: Final = 8
FIRMWARE: Final = "2.7.26.54e0d8d"


class Settings:
    """The whole configuration of a radio; tests change the protobufs before a client comes."""

    def __init__(self) -> None:
        self.local = _local()
        self.module = _module()
        self.channels = list(_channels())
        self.metadata = mesh_pb2.DeviceMetadata(
            firmware_version=FIRMWARE,
            device_state_version=24,
            canShutdown=True,
            hasWifi=True,
            hasBluetooth=True,
            role=config_pb2.Config.DeviceConfig.CLIENT,
            hw_model=mesh_pb2.HardwareModel.HELTEC_V3,
            hasPKC=True,
        )

    def sections(self) -> Iterator[mesh_pb2.FromRadio]:
        """Yield metadata, channels and every section of the configuration, in the order of the firmware."""
        yield mesh_pb2.FromRadio(metadata=self.metadata)
        for channel in self.channels:
            yield mesh_pb2.FromRadio(channel=channel)
        for field in self.local.DESCRIPTOR.fields:
            if field.message_type is not None:
                config = config_pb2.Config()
                getattr(config, field.name).CopyFrom(getattr(self.local, field.name))
                yield mesh_pb2.FromRadio(config=config)
        for field in self.module.DESCRIPTOR.fields:
            if field.message_type is not None:
                module = module_config_pb2.ModuleConfig()
                getattr(module, field.name).CopyFrom(getattr(self.module, field.name))
                yield mesh_pb2.FromRadio(moduleConfig=module)


def _local() -> localonly_pb2.LocalConfig:
    local = localonly_pb2.LocalConfig()
    local.device.role = config_pb2.Config.DeviceConfig.CLIENT
    local.lora.use_preset = True
    local.lora.modem_preset = config_pb2.Config.LoRaConfig.LONG_FAST
    local.lora.region = config_pb2.Config.LoRaConfig.EU_868
    local.lora.hop_limit = 3
    local.lora.tx_enabled = True
    local.network.wifi_enabled = True
    local.network.wifi_ssid = "home"
    local.network.wifi_psk = SECRETS["wifi_psk"]
    local.bluetooth.enabled = True
    local.bluetooth.fixed_pin = SECRETS["fixed_pin"]
    local.security.private_key = SECRETS["private_key"]
    local.security.public_key = b"p" * 32
    local.security.admin_key.append(SECRETS["admin_key"])
    return local


def _module() -> localonly_pb2.LocalModuleConfig:
    module = localonly_pb2.LocalModuleConfig()
    module.mqtt.enabled = True
    module.mqtt.address = "mqtt.example.org:8883"
    module.mqtt.username = SECRETS["mqtt_username"]
    module.mqtt.password = SECRETS["mqtt_password"]
    module.mqtt.encryption_enabled = True
    module.mqtt.tls_enabled = True
    module.mqtt.root = "msh/EU_868"
    return module


def _channels() -> Iterator[channel_pb2.Channel]:
    primary = channel_pb2.Channel(index=0, role=channel_pb2.Channel.PRIMARY)
    primary.settings.psk = SECRETS["psk"]
    primary.settings.uplink_enabled = True
    yield primary
    family = channel_pb2.Channel(index=1, role=channel_pb2.Channel.SECONDARY)
    family.settings.name = "Family"
    family.settings.psk = SECRETS["psk"]
    family.settings.downlink_enabled = True
    yield family
    for index in range(2, CHANNELS):
        yield channel_pb2.Channel(index=index, role=channel_pb2.Channel.DISABLED)
