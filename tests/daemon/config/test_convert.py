from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

ADAPTER = '[adapters.x]\ntype = "sample"\n'


def settings(read: Callable, text: str) -> Any:  # noqa: ANN401 - the struct of an adapter that is installed later
    return read(f'{ADAPTER}url = "u"\n{text}').config.adapters["x"].config


def test_every_kind_of_setting_is_converted(read: Callable) -> None:
    text = """
token = "t"
spare = "s"
more = ["m", "n"]
apps.main = { client_id = "1", client_secret = "c" }
include = { domains = ["light"], areas = ["hall", "hall"] }
ratio = 0.25
level = 3
colour = "blue"
names = ["a"]
place = [1, 2.5]
since = 2026-01-02
send = { by = "post", street = "Elm" }
extra = { anything = [1] }
long = 7
"""
    found = settings(read, text)
    assert found.token.reveal() == "t"
    assert found.spare.reveal() == "s"
    assert [secret.reveal() for secret in found.more] == ["m", "n"]
    assert found.apps["main"].client_secret.reveal() == "c"
    assert found.include.domains == ("light",)
    assert found.include.areas == frozenset({"hall"})
    assert found.level == 3
    assert found.colour.name == "BLUE"
    assert found.names == ["a"]
    assert found.place == (1.0, 2.5)
    assert isinstance(found.place[0], float)
    assert found.since == date(2026, 1, 2)
    assert found.send.street == "Elm"
    assert found.extra == {"anything": [1]}
    assert found.longer == 7


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("size = 0", "size: expected a whole number from 1 to 64, got 0"),
        ("size = true", "size: expected a whole number from 1 to 64, got true"),
        ("size = 2.0", "size: expected a whole number from 1 to 64, got 2.0"),
        ("ratio = 1", "ratio: expected a number above 0 and below 1, got 1"),
        ("ratio = nan", "ratio: expected a number above 0 and below 1, got nan"),
        ("ratio = [1]", "ratio: expected a number above 0 and below 1, got a list of 1"),
        ("half = 3", "half: expected a whole number, got 3"),
        ("place = [1, inf]", "place[1]: expected a number, got inf"),
        ("place = [1]", "place: expected a list of 2, got a list of 1"),
        ('short = "abcd"', 'short: expected a text of at most 3 characters matching ^[a-z]*$, got "abcd"'),
        ('short = "A"', 'short: expected a text of at most 3 characters matching ^[a-z]*$, got "A"'),
        ('level = "mid"', 'level: expected one of 3, "high", "low", got "mid"'),
        ("level = 3.0", 'level: expected one of 3, "high", "low", got 3.0'),
        ('colour = "green"', 'colour: expected one of "red", "blue", got "green"'),
        ("names = 1", "names: expected a text or a list, got a whole number"),
        ("names = [1]", "names[0]: expected a text, got 1"),
        ('few = ["a", "b", "c"]', "few: expected a list of at most 2 elements, got a list of 3"),
        ("since = 2026-01-02T03:04:05", "since: expected a date, got a date and time"),
        ('since = "today"', "since: expected a date, got a text"),
        ("include = []", "include: expected a table, got a list"),
        ("include.domain = []", 'include.domain: unknown key: did you mean "domains"?'),
        ("include.areas = [1, 'a', 2]", "include.areas[0]: expected a text, got 1"),
        ("apps = 1", "apps: expected a table, got a whole number"),
        ("apps.main = {}", "apps.main.client_id: missing: expected a text"),
        ('send = { by = "fax" }', 'send: expected a table with by = "mail" or a table with by = "post", got a table'),
        ('send = { by = "mail", address = 1 }', "send.address: expected a text, got 1"),
        ('folder = "x"', "folder: cannot be given in a file, which has no Path"),
        ("longer = 1", 'longer: unknown key: did you mean "long"?'),
        ("long = 0xffffffffffffffff", "long: expected a whole number, got a whole number of 64 bits"),
    ],
)
def test_what_does_not_fit_is_told_in_words(complaints: Callable, text: str, complaint: str) -> None:
    assert f"4: adapters.x.{complaint}" in complaints(f'{ADAPTER}url = "u"\n{text}')


def test_every_element_of_a_list_is_checked(complaints: Callable) -> None:
    assert [line.split(":")[0] for line in complaints(f'{ADAPTER}url = "u"\ninclude.areas = [\n1,\n"a",\n2]')] == [
        "5",
        "7",
    ]


def test_what_a_struct_refuses_is_told_at_the_key_that_its_text_begins_with(complaints: Callable) -> None:
    assert complaints(ADAPTER + 'url = "refused"') == ["3: adapters.x.url: it is refused"]


def test_what_a_struct_refuses_otherwise_is_told_at_the_struct(complaints: Callable) -> None:
    assert complaints(ADAPTER + 'url = "u"\nsize = 13\ntoken = "canary"') == [
        "1: adapters.x: 13 brings bad luck to ••••"
    ]


def test_a_long_value_is_shortened(complaints: Callable) -> None:
    (complaint,) = complaints('[bus]\nlog_level = "' + "x" * 500 + '"')
    assert len(complaint) < 200


@pytest.mark.parametrize("url", ["mqt://me:canary@host", "mqtt://me:can/ary@host", "mqtt:me:canary@host"])
def test_the_password_of_a_url_is_never_told(complaints: Callable, url: str) -> None:
    (complaint,) = complaints(f'[mqtt]\nurl = "{url}"')
    assert "ary" not in complaint


def test_a_token_pasted_into_the_wrong_place_is_not_told(complaints: Callable) -> None:
    (complaint,) = complaints('[bus]\nlog_level = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiIifQ.c2ln"')
    assert complaint.endswith('got "Bearer eyJ…"')
