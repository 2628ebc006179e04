"""A secret does not get out by any way that prints, copies or encodes."""

import copy
import io
import json
import logging
import pickle
import pprint
import string
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.secret import Secret

ALPHABET = "αβγδεζηθικλμνξοπρστυφχψω"
"""Letters that nothing else prints, so that each of them in an output is one of the secret."""

MOST_SHOWN = 4
values = st.text(st.sampled_from(ALPHABET), max_size=80)


class Settings(msgspec.Struct):
    token: Secret


@dataclass
class Plain:
    token: Secret


def shown(value: str) -> str:
    """Return what may be seen of a secret."""
    return "••••" + (value[-MOST_SHOWN:] if len(value) >= 16 else "")


def logged(secret: Secret) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    for message, arguments in (("a %s, b %r, c %10s", (secret, secret, secret)), (secret, ())):
        handler.handle(logging.LogRecord("name", logging.ERROR, "file", 1, message, arguments, None))
    return stream.getvalue()


def printed(secret: Secret) -> str:
    stream = io.StringIO()
    print(secret, [secret], file=stream)
    return stream.getvalue()


def structured(secret: Secret) -> str:
    renderers: tuple[structlog.typing.Processor, ...] = (
        structlog.processors.JSONRenderer(),
        structlog.processors.LogfmtRenderer(),
        structlog.dev.ConsoleRenderer(colors=False),
    )
    return "".join(str(render(None, "info", {"event": "x", "token": secret})) for render in renderers)


def raised(secret: Secret) -> str:
    """Return a traceback with the values of its local variables, as a crash reporter makes it."""
    empty: dict[Secret, int] = {}
    try:
        empty[secret]
    except KeyError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    raise AssertionError


def raised_inside(secret: Secret) -> str:
    try:
        pickle.dumps(secret)
    except TypeError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    raise AssertionError


CHANNELS: dict[str, Callable[[Secret], str]] = {
    "str": str,
    "repr": repr,
    "ascii": lambda secret: ascii(secret).encode().decode("unicode_escape"),
    "format": format,
    "format with a width": lambda secret: format(secret, ">60"),
    "f-string": lambda secret: f"{secret}{secret!s:60}",
    "f-string repr": lambda secret: f"{secret!r}",
    "f-string debug": lambda secret: f"{secret=}",
    "percent": lambda secret: "%s" % secret,  # noqa: UP031 - this way of formatting is what is tried
    "percent repr": lambda secret: "%r" % secret,  # noqa: UP031 - this way of formatting is what is tried
    "str.format": "{0!s} {0!r} {0}".format,
    "string.Template": lambda secret: string.Template("$token").substitute(token=secret),
    "in a list": lambda secret: str([secret]),
    "in a dict": lambda secret: str({"token": secret, secret: 1}),
    "in a struct": lambda secret: repr(Settings(secret)),
    "in a dataclass": lambda secret: repr(Plain(secret)),
    "pprint": lambda secret: pprint.pformat({"token": secret}),
    "json with a default": lambda secret: json.dumps({"token": secret}, default=str, ensure_ascii=False),
    "msgspec with a hook": lambda secret: msgspec.json.encode(Settings(secret), enc_hook=str).decode(),
    "print": printed,
    "logging": logged,
    "structlog": structured,
    "exception": lambda secret: str(ValueError(secret)) + repr(ValueError(secret)),
    "traceback": raised,
    "traceback from inside": raised_inside,
}


def letters(text: str) -> int:
    return sum(character in ALPHABET for character in text)


@pytest.mark.parametrize("channel", CHANNELS)
@given(value=values)
def test_at_most_the_last_four_characters_of_a_long_secret_are_seen(channel: str, value: str) -> None:
    said = CHANNELS[channel](Secret(value))
    assert letters(said.replace(shown(value), "")) == 0
    if len(value) < 16:
        assert letters(said) == 0


@given(values)
def test_what_is_seen_is_dots_and_the_end_of_a_long_one(value: str) -> None:
    assert str(Secret(value)) == shown(value)
    assert repr(Secret(value)) == f"Secret({shown(value)})"
    assert len(shown(value)) <= 8


REFUSED: dict[str, Callable[[Secret], object]] = {
    "pickle": pickle.dumps,
    "pickle of the oldest protocol": lambda secret: pickle.dumps(secret, protocol=0),
    "pickle of a struct": lambda secret: pickle.dumps(Settings(secret)),
    "pickle of a dataclass": lambda secret: pickle.dumps(Plain(secret)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "dataclasses.asdict": lambda secret: asdict(Plain(secret)),
    "json": json.dumps,
    "msgspec json": msgspec.json.encode,
    "msgspec json of a struct": lambda secret: msgspec.json.encode(Settings(secret)),
    "msgspec msgpack": msgspec.msgpack.encode,
    "msgspec to_builtins": lambda secret: msgspec.to_builtins(Settings(secret)),
    "join": lambda secret: ",".join(iter([secret])),  # type: ignore[arg-type]
    "concatenation": lambda secret: "token " + secret,  # type: ignore[operator]
    "bytes": bytes,  # type: ignore[dict-item]
    "iteration": list,  # type: ignore[dict-item]
    "vars": vars,
    "sorting": lambda secret: sorted([secret, secret]),  # type: ignore[type-var]
}


@pytest.mark.parametrize("way", REFUSED)
def test_what_would_give_it_away_is_refused_without_a_word_of_it(way: str) -> None:
    with pytest.raises((TypeError, AttributeError)) as refused:
        REFUSED[way](Secret(ALPHABET))
    assert letters(str(refused.value)) == 0


@given(values, values)
def test_a_secret_is_equal_to_its_like_and_to_no_text(one: str, other: str) -> None:
    assert (Secret(one) == Secret(other)) == (one == other)
    assert Secret(one) != one
    assert hash(Secret(one)) == hash(Secret(one))
    assert bool(Secret(one)) == bool(one)


def test_only_reveal_gives_it() -> None:
    assert Secret(ALPHABET).reveal() == ALPHABET
    assert not hasattr(Secret(ALPHABET), "__dict__")


def test_an_uncaught_exception_does_not_print_it(capsys: pytest.CaptureFixture[str]) -> None:
    sys.excepthook(RuntimeError, RuntimeError(Secret(ALPHABET)), None)
    assert letters(capsys.readouterr().err.replace(shown(ALPHABET), "")) == 0
