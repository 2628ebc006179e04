"""What a broker's refusal means and what a person can do about it (MQTT 5 section 2.4)."""

from typing import Final

from msgspec import Struct


class Refusal(Struct, frozen=True):
    """Why the broker did not take a message; ``passing`` ones may succeed later."""

    text: str
    remedy: str
    passing: bool = False


_KNOWN: Final = {
    0x80: Refusal("unspecified_error", "see the broker's log", passing=True),
    0x81: Refusal("not_encodable", "MQTT cannot carry its topic or a property of it"),
    0x83: Refusal("implementation_specific_error", "see the broker's log", passing=True),
    0x87: Refusal("not_authorised", "let Jitney's user read and write everything below the topic root"),
    0x90: Refusal("topic_name_invalid", "the broker does not allow this topic: see its log"),
    0x91: Refusal("packet_id_in_use", "see the broker's log", passing=True),
    0x95: Refusal("too_large", "raise the broker's maximum packet size or lower outbox.event_kb"),
    0x97: Refusal("quota_exceeded", "raise the broker's limits", passing=True),
    0x99: Refusal("payload_format_invalid", "the broker checks payloads: let it accept JSON"),
}


def explain(reason: int) -> Refusal:
    """Return the meaning of a reason code of 0x80 or more."""
    return _KNOWN.get(reason) or Refusal(f"reason_0x{reason:02x}", "see the broker's log")
