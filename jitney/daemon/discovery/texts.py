"""Texts for people and addresses of pages, in a form that Home Assistant takes."""

import re
from typing import Final
from urllib.parse import urlsplit

LONGEST_TEXT: Final = 100

_NOT_SHOWN: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]+")
_NOT_IN_URLS: Final = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]|\s")
_PORTS: Final = range(1, 65_536)


def line(text: str) -> str:
    """Return a text as one line of visible characters, at most 100 of them."""
    shown = _NOT_SHOWN.sub(" ", text).strip()
    return shown if len(shown) <= LONGEST_TEXT else shown[: LONGEST_TEXT - 1].rstrip() + "…"


def is_address(text: str) -> bool:
    """Tell whether a text is the address of a page or a picture."""
    if _NOT_IN_URLS.search(text):
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and (port is None or port in _PORTS)
