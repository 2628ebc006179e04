"""Globs over event types, as in `jitney tail --type`: ``strava.*``, ``*.message``."""

import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from typing import Final

LONGEST: Final = 200
MOST_STARS: Final = 8

_WILDCARDS: Final = frozenset("*?[")


def is_glob(text: str) -> bool:
    """Tell whether a text has wildcards."""
    return not _WILDCARDS.isdisjoint(text)


def fault(text: str) -> str:
    """Return what is wrong with a glob or an event type, empty when nothing is."""
    if not text.isprintable() or " " in text or not text:
        return 'expected an event type such as "strava.activity.created", or a glob such as "strava.*"'
    if len(text) > LONGEST or text.count("*") > MOST_STARS:
        return f"a glob has at most {LONGEST} characters and {MOST_STARS} stars"
    opened = text.find("[")
    if opened >= 0 and "]" not in text[opened + 2 :]:
        return 'a "[" needs its "]": "[abc]" stands for one of these characters'
    if not is_glob(text) and "." not in text:
        return f'a type has two words or more: did you mean "{text}.*"?'
    return ""


def matcher(globs: Iterable[str]) -> Callable[[str], bool]:
    """Return what tells whether a type is, or matches, one of the texts, upper and lower case being different."""
    texts = tuple(globs)
    if "*" in texts:
        return lambda _: True
    exact = frozenset(text for text in texts if not is_glob(text))
    prefixes = tuple(text[:-1] for text in texts if text.endswith("*") and not is_glob(text[:-1]))
    rest = [text for text in texts if text not in exact and text[:-1] not in prefixes]
    if not rest:
        return lambda text: text in exact or text.startswith(prefixes)
    regex = re.compile("|".join(map(translate, rest)))
    return lambda text: text in exact or text.startswith(prefixes) or regex.match(text) is not None
