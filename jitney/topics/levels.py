"""One level of a topic: any text in, one safe word out, and back unchanged."""

import re
from typing import Final

from jitney.topics.errors import InvalidTopicError

MAX_TEXT_BYTES: Final = 65_535
"""The longest text MQTT can carry (MQTT 5 section 1.5.4)."""

# Same section: NUL and surrogates are forbidden, control and non-characters may be refused by a broker.
_FORBIDDEN: Final = "\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef" + "".join(
    chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF)
)
_UNSAFE = re.compile(f"[/+#%{_FORBIDDEN}]")
# paho takes U+FEFF in a property for a malformed packet and disconnects.
_UNCARRIABLE = re.compile(f"[{_FORBIDDEN}\ufeff]")
_ESCAPES = re.compile(r"(?:%[0-9A-F]{2})+")
_EMPTY = "%"


def escape(text: str) -> str:
    """Return ``text`` as one topic level: no separator, wildcard or control character is left in it."""
    if not text:
        return _EMPTY
    return _UNSAFE.sub(_encode, text)


def unescape(level: str) -> str:
    """Return the text that ``escape`` made ``level`` of; raises InvalidTopicError for anything else."""
    if level == _EMPTY:
        return ""
    if "%" not in level:
        text = level
    else:
        try:
            text = _ESCAPES.sub(_decode, level)
        except UnicodeDecodeError:
            text = ""
    if escape(text) != level:
        message = f"topic level {level[:80]!r} is not percent-encoded as Jitney does it"
        raise InvalidTopicError(message)
    return text


def carriable(text: str) -> str:
    """Return ``text`` with U+FFFD for every character that cuts off who sends or gets it as a property."""
    return _UNCARRIABLE.sub("\ufffd", text)


def _encode(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _decode(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "surrogatepass")
