"""The encryption of a backup: what comes back, and what is told of what was changed."""

import io
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitney.adapters.secret import Secret
from jitney.daemon.service import backup_crypt
from jitney.daemon.service.backup_crypt import (
    BackupError,
    DamagedBackupError,
    Opener,
    Sealer,
    WrongPassphraseError,
)

PASSPHRASE: Final = Secret("five words that nobody guesses")
HEADER: Final = 128


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_crypt, "LOG_N", 4)
    monkeypatch.setattr(backup_crypt, "P", 1)
    monkeypatch.setattr(backup_crypt, "PIECE", 100)


def sealed(*parts: bytes) -> bytes:
    out = io.BytesIO()
    sealer = Sealer(out, PASSPHRASE)
    for part in parts:
        sealer.write(part)
    sealer.close()
    return out.getvalue()


def opened(data: bytes, passphrase: Secret = PASSPHRASE, *, at_once: int = 1 << 20) -> bytes:
    opener = Opener(io.BytesIO(data), passphrase)
    parts = []
    while part := opener.read(at_once):
        parts.append(part)
    opener.finish()
    return b"".join(parts)


# Bytes that do not become smaller, so that there are many pieces.
CONTENT: Final = b"".join(bytes([number * 7919 % 251, number * 104729 % 241]) for number in range(400))
WHOLE_PIECES: Final = 3


@given(st.lists(st.binary(max_size=600), max_size=6), st.integers(1, 700))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_sealed_comes_back(parts: list[bytes], at_once: int) -> None:
    assert opened(sealed(*parts), at_once=at_once) == b"".join(parts)


def test_another_passphrase_is_told_from_damage() -> None:
    with pytest.raises(WrongPassphraseError, match="the passphrase is not the one of this backup"):
        opened(sealed(CONTENT), Secret("another"))


def test_every_changed_byte_is_found() -> None:
    data = sealed(CONTENT)
    for index in range(len(data)):
        changed = bytearray(data)
        changed[index] ^= 0x41
        with pytest.raises(DamagedBackupError):
            opened(bytes(changed))


def test_every_cut_is_found() -> None:
    data = sealed(CONTENT)
    for length in range(len(data)):
        with pytest.raises(DamagedBackupError):
            opened(data[:length])


def test_pieces_cannot_be_moved_left_out_or_added() -> None:
    data = sealed(CONTENT)
    size = 100 + 16
    head, body = data[:HEADER], data[HEADER:]
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    assert len(pieces) > WHOLE_PIECES
    others = [
        [pieces[1], pieces[0], *pieces[2:]],
        [*pieces[:1], *pieces[2:]],
        [*pieces, pieces[-1]],
        pieces[:-1],
        [*pieces, b"more"],
    ]
    for other in others:
        with pytest.raises(DamagedBackupError):
            opened(head + b"".join(other))


def test_the_same_content_never_looks_the_same() -> None:
    one, other = sealed(CONTENT), sealed(CONTENT)
    assert one[HEADER:] != other[HEADER:]
    assert b"jitney backup" in one


def test_what_is_no_backup_is_told_so() -> None:
    with pytest.raises(BackupError, match="this is not a backup of Jitney"):
        opened(b"SQLite format 3\0" * 100)


def test_a_newer_format_asks_for_a_newer_jitney(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_crypt, "VERSION", 2)
    data = sealed(CONTENT)
    monkeypatch.setattr(backup_crypt, "VERSION", 1)
    with pytest.raises(BackupError, match="newer Jitney") as failure:
        opened(data)
    assert not isinstance(failure.value, DamagedBackupError)


def test_a_file_that_asks_for_all_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_crypt, "_MOST_LOG_N", 3)
    with pytest.raises(DamagedBackupError, match="more memory"):
        opened(sealed(CONTENT))


def test_the_passphrase_is_in_no_text_of_an_error() -> None:
    with pytest.raises(WrongPassphraseError) as failure:
        opened(sealed(b""), Secret("canary-1234"))
    assert "canary" not in str(failure.value)
