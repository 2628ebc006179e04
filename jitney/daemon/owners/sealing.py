"""The cryptography of the vault: a key that seals secrets so that each opens only in its own place.

AES-256-GCM (NIST SP 800-38D): a secret is encrypted, and a tag is computed over it and over where it belongs. The
96-bit nonce is random at every write; at that rate a key would have to last for 2^32 writes before one is likely enough
to come twice.
"""

import binascii
import hashlib
import os
from base64 import b64decode, urlsafe_b64encode
from typing import Final, Self

from jitney.adapters.errors import MisconfiguredError
from jitney.adapters.secret import Secret
from jitney.daemon.store.secrets import Entry, Sealed

BYTES: Final = 32
"""The length of a key."""

HOW: Final = "make one with `openssl rand -base64 32`"

SEALS: Final = b"jitney audit"
"""What the key is for that seals the audit log."""

_NONCE_BYTES: Final = 12
_DOMAIN: Final = "jitney vault 1"
_LENGTH_BYTES: Final = 4


class DamagedError(MisconfiguredError):
    """What is sealed was changed, damaged or put into another place."""


class Key:
    """A key of the vault. Nothing prints it but ``text``; ``id`` tells keys apart without telling them."""

    __slots__ = ("_cipher", "_raw", "id")

    def __init__(self, raw: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - only who uses the vault pays

        self.id = hashlib.blake2b(raw, digest_size=8, person=b"jitney vault id").hexdigest()
        self._raw = raw
        self._cipher = AESGCM(raw)

    @classmethod
    def new(cls) -> Self:
        """Return a random key."""
        return cls(os.urandom(BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the key that a text is, as base64 (of either alphabet) or hex; raises MisconfiguredError."""
        raw = _decoded("".join(text.split()))
        if len(raw) != BYTES:
            message = f"expected {BYTES} bytes as base64 or hex, got something else: {HOW}"
            raise MisconfiguredError(message)
        return cls(raw)

    def text(self) -> str:
        """Return the key as ``parse`` reads it."""
        return urlsafe_b64encode(self._raw).decode()

    def seal(self, entry: Entry, secret: Secret) -> Sealed:
        """Encrypt a secret for one place."""
        nonce = os.urandom(_NONCE_BYTES)
        plain = secret.reveal().encode(errors="surrogatepass")
        return Sealed(entry, self.id, nonce, self._cipher.encrypt(nonce, plain, self._place(entry)))

    def open(self, sealed: Sealed) -> Secret:
        """Decrypt what this key has sealed; raises DamagedError."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        try:
            plain = self._cipher.decrypt(sealed.nonce, sealed.ciphertext, self._place(sealed.entry))
        except (InvalidTag, ValueError):  # ValueError: a nonce of an impossible length
            raise DamagedError(_damage(sealed.entry)) from None
        return Secret(plain.decode(errors="surrogatepass"))

    def derived(self, purpose: bytes) -> bytes:
        """Return another key that follows from this one, for one purpose, named in up to 16 bytes."""
        return hashlib.blake2b(self._raw, digest_size=BYTES, person=purpose).digest()

    def __repr__(self) -> str:
        return f"Key({self.id})"

    def _place(self, entry: Entry) -> bytes:
        """Return what a secret is bound to; each part with its length, so that none can grow at another's cost."""
        parts = [part.encode() for part in (_DOMAIN, self.id, entry.adapter, entry.owner, entry.name)]
        return b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in parts)


def described(entry: Entry) -> str:
    """Return which secret it is, in words."""
    if not entry.adapter:
        return f'"{entry.name}" of the configuration'
    return f'"{entry.name}" of {entry.owner} for adapter {entry.adapter}'


def _damage(entry: Entry) -> str:
    remedy = (
        f"put it there again with `jitney vault set {entry.name}`"
        if not entry.adapter
        else f"restore the state file from a backup, or let {entry.owner} sign in again"
    )
    return f"the vault's {described(entry)} was changed or damaged in the state file: {remedy}"


def _decoded(text: str) -> bytes:
    if len(text) == 2 * BYTES:
        try:
            return bytes.fromhex(text)
        except ValueError:
            return b""
    try:
        return b64decode(text.rstrip("=").translate(_STANDARD) + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


_STANDARD: Final = str.maketrans("-_", "+/")
