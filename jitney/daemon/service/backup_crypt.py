"""The encryption of a backup: a stream of sealed pieces under a passphrase, of which only one at a time is in memory.

The key is derived by scrypt (RFC 7914). The compressed content is cut into pieces, each sealed by AES-256-GCM with its
number and whether it is the last as nonce (the STREAM construction, Hoang and others, 2015), so that none can be
changed, left out, moved or added unnoticed. The header says how; it carries a plain checksum, which tells a damaged
file, and a keyed one, which tells a wrong passphrase.
"""

import hashlib
import hmac
import os
import struct
import zlib
from typing import BinaryIO, Final

from jitney.adapters.secret import Secret
from jitney.topics import JitneyError

MAGIC: Final = b"jitney backup\n\0\0"
VERSION: Final = 1

PIECE: Final = 64 * 1024
"""Bytes of one piece before it is sealed."""

LOG_N: Final = 15
R: Final = 8
P: Final = 3
"""What a derivation costs: 32 MiB of memory, half a second on a Raspberry Pi 4 (OWASP's choice for little memory)."""

_MOST_LOG_N: Final = 18
_MOST_P: Final = 16
_TAG: Final = 16
_KEY: Final = 32
_HEADER: Final = struct.Struct(">16sBBBB16s7s32s")
"""Magic, version, scrypt's log2 N, r and p, salt, beginning of every nonce, keyed checksum; a plain one follows."""

_DIGEST: Final = 32
_NONCE: Final = struct.Struct(">7sIB")
_LEVEL: Final = 3
"""How hard is compressed: JSON gets five times smaller, at the speed of a card."""


class BackupError(JitneyError):
    """What is wrong with a backup; the text says what to do."""


class DamagedBackupError(BackupError):
    """The file is no whole backup any more."""


class WrongPassphraseError(BackupError):
    """The file is a backup, and the passphrase is that of another one."""


class Sealer:
    """A file to write plain bytes to, which seals them into another; ``close`` it when all is written.

    Raises OSError where the other file cannot be written.
    """

    def __init__(self, file: BinaryIO, passphrase: Secret) -> None:
        self._file = file
        self._squeeze = zlib.compressobj(_LEVEL)
        self._waiting = bytearray()
        salt, prefix = os.urandom(16), os.urandom(7)
        self._cipher = _Cipher(passphrase, salt=salt, prefix=prefix, cost=(LOG_N, R, P))
        blank = _HEADER.pack(MAGIC, VERSION, LOG_N, R, P, salt, prefix, b"")
        header = blank[:-_DIGEST] + self._cipher.checksum(blank)
        self._file.write(header + hashlib.sha256(header).digest())

    def write(self, data: bytes) -> int:
        """Seal bytes; returns how many."""
        self._waiting += self._squeeze.compress(data)
        while len(self._waiting) > PIECE:
            self._seal(last=False)
        return len(data)

    def close(self) -> None:
        """Seal the rest, which ends the backup; the other file stays open."""
        self._waiting += self._squeeze.flush()
        while len(self._waiting) > PIECE:
            self._seal(last=False)
        self._seal(last=True)

    def _seal(self, *, last: bool) -> None:
        piece = bytes(self._waiting[:PIECE])
        del self._waiting[:PIECE]
        self._file.write(self._cipher.seal(piece, last=last))


class Opener:
    """A file to read plain bytes from, which opens what a ``Sealer`` has sealed.

    Raises WrongPassphraseError, or DamagedBackupError at the first byte that is not as it was written.
    """

    def __init__(self, file: BinaryIO, passphrase: Secret) -> None:
        self._file = file
        self._expand = zlib.decompressobj()
        self._ready = b""
        self._ended = False
        header, plain = _exactly(file, _HEADER.size), _exactly(file, _DIGEST)
        if not header.startswith(MAGIC):
            message = "this is not a backup of Jitney"
            raise DamagedBackupError(message)
        magic, version, log_n, r, p, salt, prefix, keyed = _HEADER.unpack(header)
        if hashlib.sha256(header).digest() != plain:
            raise DamagedBackupError(_damage("its beginning"))
        if version > VERSION:
            message = f"the backup was made by a newer Jitney (format {version}): upgrade this one"
            raise BackupError(message)
        if not (0 < log_n <= _MOST_LOG_N and r == R and 0 < p <= _MOST_P):
            message = "the backup asks for more memory than one of Jitney does: it was made by something else"
            raise DamagedBackupError(message)
        self._cipher = _Cipher(passphrase, salt=salt, prefix=prefix, cost=(log_n, r, p))
        blank = _HEADER.pack(magic, version, log_n, r, p, salt, prefix, b"")
        if not hmac.compare_digest(self._cipher.checksum(blank), keyed):
            message = "the passphrase is not the one of this backup: nothing was read, nothing was changed"
            raise WrongPassphraseError(message)
        self._next = file.read(PIECE + _TAG)

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, fewer only at the end."""
        parts: list[bytes] = []
        while size and (part := self._some(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def finish(self) -> None:
        """Read to the end, so that all of it was found to be whole."""
        while self._some(PIECE):
            pass

    def _some(self, size: int) -> bytes:
        while True:
            source = self._expand.unconsumed_tail or self._ready
            self._ready = b""
            try:
                data = self._expand.decompress(source, size)
            except zlib.error:
                raise DamagedBackupError(_damage("its content")) from None
            if data or (self._ended and not self._expand.unconsumed_tail):
                return data
            if not self._expand.unconsumed_tail:
                self._open()

    def _open(self) -> None:
        piece, self._next = self._next, self._file.read(PIECE + _TAG)
        self._ended = not self._next
        opened = self._cipher.open(piece, last=self._ended)
        if opened is None:
            place = "its end: it is not complete" if self._ended else f"piece {self._cipher.number}"
            raise DamagedBackupError(_damage(place))
        self._ready = opened


class _Cipher:
    """Seals or opens the pieces of one backup, in order."""

    def __init__(self, passphrase: Secret, *, salt: bytes, prefix: bytes, cost: tuple[int, int, int]) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - only who makes backups pays
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt  # noqa: PLC0415

        log_n, r, p = cost
        derived = Scrypt(salt, 2 * _KEY, 1 << log_n, r, p).derive(passphrase.reveal().encode())
        self._cipher = AESGCM(derived[:_KEY])
        self._checking = derived[_KEY:]
        self._prefix = prefix
        self.number = 0

    def checksum(self, header: bytes) -> bytes:
        return hmac.digest(self._checking, header, "sha256")

    def seal(self, piece: bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(self._nonce(last=last), piece, None)

    def open(self, piece: bytes, *, last: bool) -> bytes | None:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        try:
            return self._cipher.decrypt(self._nonce(last=last), piece, None)
        except (InvalidTag, ValueError):
            return None

    def _nonce(self, *, last: bool) -> bytes:
        nonce = _NONCE.pack(self._prefix, self.number, last)
        self.number += 1
        return nonce


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size and MAGIC.startswith(data[: len(MAGIC)]):
        raise DamagedBackupError(_damage("its end: it is not complete"))
    return data.ljust(size, b"\0")


def _damage(place: str) -> str:
    return f"the backup is damaged in {place}; nothing was changed: take another one, and check what it lay on"
