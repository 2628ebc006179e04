"""What a key seals opens with that key in that place, and nowhere else."""

import os
from base64 import b64encode, urlsafe_b64encode
from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from jitney.adapters.errors import MisconfiguredError
from jitney.adapters.secret import Secret
from jitney.daemon.owners.sealing import DamagedError, Key
from jitney.daemon.store.secrets import Entry

RAW = bytes(range(32))
KEY = Key(RAW)
TOKEN = Entry("strava", "alice", "token")
WORDS = st.text(max_size=12)
ENTRIES = st.builds(Entry, WORDS, WORDS, WORDS)
SECRETS = st.text(st.characters(), max_size=200)


@given(ENTRIES, SECRETS)
def test_any_secret_of_any_place_comes_back(entry: Entry, secret: str) -> None:
    assert KEY.open(KEY.seal(entry, Secret(secret))).reveal() == secret


@given(ENTRIES, ENTRIES)
def test_a_secret_does_not_open_in_another_place(here: Entry, there: Entry) -> None:
    assume(here != there)
    with pytest.raises(DamagedError):
        KEY.open(replace(KEY.seal(here, Secret("token")), entry=there))


@given(st.lists(st.text(max_size=3), min_size=3, max_size=3), st.data())
def test_no_letter_can_move_from_one_part_of_a_place_to_the_next(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    first = data.draw(st.integers(0, len(text)))
    second = data.draw(st.integers(first, len(text)))
    shifted = [text[:first], text[first:second], text[second:]]
    assume(shifted != parts)
    with pytest.raises(DamagedError):
        KEY.open(replace(KEY.seal(Entry(*parts), Secret("token")), entry=Entry(*shifted)))


@given(st.data())
def test_no_bit_of_what_is_sealed_can_be_changed(data: st.DataObject) -> None:
    sealed = KEY.seal(TOKEN, Secret("a token"))
    field = data.draw(st.sampled_from(["nonce", "ciphertext"]))
    raw = bytearray(getattr(sealed, field))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamagedError):
        KEY.open(replace(sealed, **{field: bytes(raw)}))


@pytest.mark.parametrize(("nonce", "ciphertext"), [(b"", b"x" * 40), (b"n" * 12, b""), (b"n" * 200, b"x" * 40)])
def test_what_is_cut_short_is_damaged_too(nonce: bytes, ciphertext: bytes) -> None:
    with pytest.raises(DamagedError):
        KEY.open(replace(KEY.seal(TOKEN, Secret("a token")), nonce=nonce, ciphertext=ciphertext))


def test_damage_is_told_with_the_place_and_the_remedy() -> None:
    sealed = replace(KEY.seal(TOKEN, Secret("canary")), ciphertext=b"x" * 40)
    with pytest.raises(
        DamagedError, match=r'"token" of alice for adapter strava was changed or damaged .* sign in again'
    ):
        KEY.open(sealed)
    with pytest.raises(DamagedError, match=r'"strava/main" of the configuration .* `jitney vault set strava/main`'):
        KEY.open(replace(sealed, entry=Entry("", "_house", "strava/main")))


def test_the_same_secret_is_never_sealed_alike() -> None:
    sealed = [KEY.seal(TOKEN, Secret("a token")) for _ in range(100)]
    assert len({one.nonce for one in sealed}) == len({one.ciphertext for one in sealed}) == 100
    assert {len(one.nonce) for one in sealed} == {12}


def test_another_key_does_not_open_it_even_under_the_same_id() -> None:
    other = Key.new()
    assert other.id != KEY.id
    with pytest.raises(DamagedError):
        other.open(replace(KEY.seal(TOKEN, Secret("a token")), key_id=other.id))


@given(st.binary(min_size=32, max_size=32))
def test_a_key_is_read_as_base64_of_either_alphabet_or_as_hex(raw: bytes) -> None:
    wanted = Key(raw).id
    for text in (
        b64encode(raw).decode(),
        urlsafe_b64encode(raw).decode(),
        urlsafe_b64encode(raw).decode().rstrip("="),
        raw.hex(),
        raw.hex().upper(),
        f"\n {raw.hex()[:20]}\n{raw.hex()[20:]} \n",
        Key(raw).text(),
    ):
        assert Key.parse(text).id == wanted


@pytest.mark.parametrize(
    "text", ["", "canary", "canary" * 7, "z" * 64, RAW.hex()[:-2], b64encode(RAW + b"x").decode(), "ü" * 43]
)
def test_what_is_no_key_is_refused_with_how_to_make_one(text: str) -> None:
    with pytest.raises(MisconfiguredError, match=r"32 bytes as base64 or hex.*`openssl rand -base64 32`") as caught:
        Key.parse(text)
    assert not text or text not in str(caught.value)


@given(st.text(st.characters(), max_size=100))
def test_no_text_makes_reading_a_key_fail_in_another_way(text: str) -> None:
    with suppress(MisconfiguredError):
        assert Key.parse(text).id


def test_a_key_is_not_printed() -> None:
    raw = os.urandom(32)
    key = Key(raw)
    shown = f"{key} {key!r} {key.id} {[key]}"
    assert shown.startswith(f"Key({key.id})")
    assert not any(spelling in shown for spelling in (key.text(), raw.hex(), b64encode(raw).decode(), repr(raw)))
