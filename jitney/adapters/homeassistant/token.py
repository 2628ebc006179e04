"""Access tokens of Home Assistant: what one looks like, and when it expires.

A long-lived token is a JWT (RFC 7519): three base64url parts with two dots, its expiry readable without the key.
The token that the Supervisor gives to an app is opaque.
"""

import re
from base64 import urlsafe_b64decode
from typing import Final

import msgspec

from jitney.adapters.secret import Secret

_OPAQUE: Final = re.compile(r"[A-Za-z0-9_~+/=-]{8,}")
_JWT_BEGINS: Final = "eyJ"
_JWT_PARTS: Final = 3
_MAKE_ONE: Final = "make a long-lived access token in Home Assistant (your profile, Security) and copy all of it"


class Token(msgspec.Struct, frozen=True):
    """A token of the right shape; ``expires`` in Unix seconds, None when it does not say."""

    secret: Secret
    expires: float | None = None


class _Claims(msgspec.Struct):
    exp: float | None = None


def read_token(text: str) -> Token:
    """Return the token in what somebody pasted; raises ValueError, which shows its last 4 characters at most."""
    value = text.strip().strip("\"'").strip()
    scheme, _, rest = value.partition(" ")
    if scheme.lower() == "bearer":
        value = rest.strip()
    secret = Secret(value)
    if not value:
        message = f"is empty: {_MAKE_ONE}"
        raise ValueError(message)
    if value.startswith(_JWT_BEGINS) or "." in value:
        return Token(secret, _expiry(secret))
    if _OPAQUE.fullmatch(value) is None:
        message = f"is not an access token ({secret} has characters that no token has, or too few): {_MAKE_ONE}"
        raise ValueError(message)
    return Token(secret)


def _expiry(secret: Secret) -> float | None:
    """Return the ``exp`` of a JWT; raises ValueError when it is none."""
    parts = secret.reveal().split(".")
    if len(parts) != _JWT_PARTS or not all(parts):
        message = (
            f"is cut off: {secret} has {len(parts)} of the {_JWT_PARTS} parts, separated by dots, "
            f"that a long-lived token has: {_MAKE_ONE}"
        )
        raise ValueError(message)
    try:
        for part in parts:
            _bytes(part)
        msgspec.json.decode(_bytes(parts[0]), type=dict[str, msgspec.Raw])
        return msgspec.json.decode(_bytes(parts[1]), type=_Claims).exp
    except (ValueError, RecursionError):
        message = f"is not an access token (the parts of {secret} cannot be read): {_MAKE_ONE}"
        raise ValueError(message) from None


def _bytes(part: str) -> bytes:
    """Decode base64url as RFC 7515 writes it, without padding; raises ValueError."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", part) is None:
        message = "not base64url"
        raise ValueError(message)
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
