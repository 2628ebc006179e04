import math
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from jitney.adapters.secret import Secret
from jitney.daemon import log
from jitney.daemon.log import journal, redact
from jitney.daemon.log.configure import Format

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiI0YTdhIiwiZXhwIjoyMDc1fQ.Zx-1_dGhlIHNpZ25hdHVyZQ"
SECRETS = st.text(st.characters(codec="utf-8"), min_size=12, max_size=60).filter(lambda text: len(set(text)) > 5)


class Holder(Struct):
    password: Secret
    name: str = "bus"


def rendered(format: Format, write: Callable[[log.Logger], None]) -> str:  # noqa: A002
    stream = StringIO()
    log.configure(format, "debug", stream=stream)
    write(log.get("test"))
    return stream.getvalue()


def refuse(secret: str) -> None:
    message = f"refused {secret}"
    raise OSError(message)


def everywhere(secret: str) -> Callable[[log.Logger], None]:
    def write(logger: log.Logger) -> None:
        sentence = f"signing in with {secret}"
        logger.info(sentence)
        logger.info("event", text=secret, url=f"mqtt://bus:{quote(secret, safe='')}@localhost", raw=secret.encode())
        logger.info("event", nested={"list": [secret, (secret, {secret: secret})]}, object=Secret(secret))
        logger.info("event", error=ValueError(f"refused {secret!r}"), holder={"a": Holder(Secret(secret))})
        with log.bound(owner=f"x{secret}x"):
            logger.info("event")
        try:
            refuse(secret)
        except OSError:
            logger.exception("failed")

    return write


@pytest.mark.parametrize("format", ["json", "console"])
@given(SECRETS)
def test_a_registered_secret_is_nowhere_in_any_line(format: Format, secret: str) -> None:  # noqa: A002
    log.reset()
    log.register(Holder(Secret(secret)))
    text = rendered(format, everywhere(secret))
    assert len(text.splitlines()) >= 6
    assert secret not in text
    assert quote(secret, safe="") not in text
    assert repr(secret)[1:-1] not in text


@given(SECRETS)
def test_a_registered_secret_is_nowhere_in_a_journal_entry(secret: str) -> None:
    log.reset()
    log.register([{"token": Secret(secret)}])
    line = redact.redact(None, "info", {"event": f"a {secret}", "level": "info", "text": secret, "exception": secret})
    assert secret not in "".join(journal.fields(None, "info", line).values())


@pytest.mark.parametrize("format", ["json", "console"])
@pytest.mark.parametrize("secret", [JWT, JWT[:30], f"Bearer {JWT}", "bearer 0a1b2c3d4e5f60718293"])
def test_what_looks_like_a_token_is_masked_to_its_last_characters(format: Format, secret: str) -> None:  # noqa: A002
    text = rendered(format, everywhere(secret))
    kept = secret.removeprefix("Bearer ").removeprefix("bearer ")
    assert kept[:-4] not in text
    assert f"••••{kept[-4:]}" in text


def test_the_user_and_the_password_of_a_url_are_masked_and_the_rest_is_not() -> None:
    assert log.mask("no answer from mqtt://bus:hunter2@broker:1883/x") == "no answer from mqtt://••••@broker:1883/x"
    assert log.mask("mqtt://broker:1883 at 10:00 by me@home") == "mqtt://broker:1883 at 10:00 by me@home"


def test_a_secret_object_shows_dots() -> None:
    assert '"key":"••••"' in rendered("json", lambda logger: logger.info("event", key=Secret("short")))
    text = rendered("json", lambda logger: logger.info("event", key=Secret("long enough for a tail")))
    assert '"key":"••••tail"' in text


@pytest.mark.parametrize("name", ["password", "Token", "client_secret", "Authorization"])
def test_a_field_with_a_telling_name_is_masked_whatever_it_holds(name: str) -> None:
    text = rendered("json", lambda logger: logger.info("event", deep={name: "swordfish"}, **{name: "swordfish"}))
    assert "swordfish" not in text


def test_a_secret_that_is_too_short_to_be_told_from_a_word_masks_nothing() -> None:
    log.register(Secret("home"))
    assert log.mask("homeassistant") == "homeassistant"


def test_the_longest_of_two_secrets_is_masked_whole() -> None:
    log.register(Secret("correct horse"), Secret("correct horse battery"))
    assert log.mask("it is correct horse battery.") == "it is ••••tery."


def test_what_would_move_the_cursor_of_a_terminal_is_spelt_out() -> None:
    text = rendered("console", lambda logger: logger.info("from \x1b[2J\x07 a radio", name="\u202ealice\x9b"))
    assert "\x1b" not in text
    assert "\\x1b[2J\\x07" in text
    assert "\\u202e" in text


def test_a_long_value_is_cut_at_its_end_and_a_traceback_at_its_beginning() -> None:
    line = redact.redact(None, "", {"event": "x" * 20_000, "exception": "frame " * 5000 + "ValueError: here"})
    assert line["event"].endswith("(20000 characters)")
    assert len(line["event"]) < 9000
    assert line["exception"].startswith("…")
    assert line["exception"].endswith("ValueError: here")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(Path("/tmp")),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.frozensets(st.integers())
        ),
    )
)
def test_any_value_can_be_logged_in_any_format(value: object) -> None:
    for format in ("json", "console"):  # noqa: A001
        assert "odd" in rendered(format, lambda logger: logger.warning("odd", value=value))
    line = redact.redact(None, "", {"event": "odd", "level": "info", "value": value})
    assert journal.fields(None, "info", line)["MESSAGE"].startswith("odd")


def test_a_value_that_holds_itself_and_a_number_beyond_json_can_be_logged() -> None:
    endless: list[object] = []
    endless.append(endless)
    text = rendered(
        "json", lambda logger: logger.info("odd", endless=endless, many=16**5000, nan=math.nan, text="\ud800")
    )
    assert '"many":"0x1000000' in text
    assert "\\\\ud800" in text


def test_a_secret_that_comes_and_goes_is_masked_until_many_others_have_come() -> None:
    first = "first-token-9a8b7c6d5e"
    log.remember(Secret(first))
    for number in range(63):
        log.remember(Secret(f"token-number-{number:04}-0123"))
    assert log.mask(first) == "••••6d5e"
    log.remember(Secret(first))
    log.remember(Secret("another-token-0123"))
    assert log.mask(first) == "••••6d5e"
    assert log.mask("token-number-0000-0123") == "token-number-0000-0123"
    assert log.mask("another-token-0123") == "••••0123"


def test_of_a_secret_of_several_parts_each_is_masked() -> None:
    log.remember(Secret('{"access_token":"0123456789abcdef-a","refresh_token":"0123456789abcdef-r","athlete":12345}'))
    assert log.mask("0123456789abcdef-a 0123456789abcdef-r 12345") == "••••ef-a ••••ef-r 12345"


def test_what_was_registered_is_not_forgotten_for_what_was_only_remembered() -> None:
    log.register(Secret("for-good-0123456789"))
    log.remember(Secret("for-good-0123456789"))
    for number in range(100):
        log.remember(Secret(f"token-number-{number:04}-0123"))
    assert log.mask("for-good-0123456789") == "••••6789"
