"""What a radio does when its client administers it."""

from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from meshtastic.protobuf import admin_pb2, mesh_pb2, portnums_pb2

from tests.fakes.meshtastic.answers import DELIVERED, Answer

if TYPE_CHECKING:
    from tests.fakes.meshtastic.radio import Radio

SESSION_KEY: Final = b"canary-s"


class Administration:
    """Carries out admin messages; ``messages`` are all that came, session key requests included."""

    def __init__(self, radio: "Radio") -> None:
        self.messages: list[admin_pb2.AdminMessage] = []
        self._radio = radio

    def done(self, field: str) -> list[admin_pb2.AdminMessage]:
        """Return the messages that came with this field of the oneof, like ``reboot_seconds``."""
        return [message for message in self.messages if message.WhichOneof("payload_variant") == field]

    def carry_out(self, packet: mesh_pb2.MeshPacket) -> list[mesh_pb2.MeshPacket]:
        """Do what an admin packet says; returns what the client hears."""
        try:
            message = admin_pb2.AdminMessage.FromString(packet.decoded.payload)
        except DecodeError:
            return [self._radio.answers.routing(packet, Answer("BAD_REQUEST", own=True))]
        self.messages.append(message)
        own = self._radio.own
        if message.WhichOneof("payload_variant") == "set_owner":
            own.long_name = message.set_owner.long_name or own.long_name
            own.short_name = message.set_owner.short_name or own.short_name
        elif message.set_module_config.HasField("mqtt"):
            self._radio.settings.module.mqtt.CopyFrom(message.set_module_config.mqtt)
        return [*self._response(packet, message), self._radio.answers.routing(packet, DELIVERED)]

    def _response(self, packet: mesh_pb2.MeshPacket, message: admin_pb2.AdminMessage) -> list[mesh_pb2.MeshPacket]:
        if message.WhichOneof("payload_variant") != "get_config_request":
            return []
        reply = admin_pb2.AdminMessage(session_passkey=SESSION_KEY)
        reply.get_config_response.sessionkey.SetInParent()
        own = self._radio.own
        return [own.packet(portnums_pb2.PortNum.ADMIN_APP, reply, to=own.number, request_id=packet.id)]
