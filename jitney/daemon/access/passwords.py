"""Passwords of devices: made here, shown once, and kept by the broker alone."""

import base64
import hashlib
import secrets
from typing import Final

from jitney.adapters.secret import Secret

_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
"""Those that nobody takes for others."""

_GROUPS: Final = 5
_EACH: Final = 5
"""125 bits: brokers keep them with few rounds of PBKDF2, so a short one could be guessed from a stolen file."""

_ROUNDS: Final = 101
"""What mosquitto 2.0 itself takes, and newer ones read."""

_SALT_BYTES: Final = 12


def new_password() -> Secret:
    """Return a password that can be typed on a phone."""
    return Secret("-".join("".join(secrets.choice(_LETTERS) for _ in range(_EACH)) for _ in range(_GROUPS)))


def password_line(username: str, password: Secret) -> str:
    """Return the line of a mosquitto password file, as `mosquitto_passwd` writes it (PBKDF2 with SHA-512)."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.reveal().encode(), salt, _ROUNDS)
    return f"{username}:$7${_ROUNDS}${_base64(salt)}${_base64(digest)}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
