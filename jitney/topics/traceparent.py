"""``traceparent``: by which trace of a larger system something was caused. Source: W3C Trace Context, section 3.2."""

import re
from secrets import token_hex
from typing import Final, NamedTuple

_FORM: Final = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_FORBIDDEN: Final = "ff"
_NOTHING: Final = "0"


class Parent(NamedTuple):
    """What a ``traceparent`` says, in hexadecimal digits: the trace and the span in it, and whether it is recorded."""

    trace: str
    span: str
    sampled: bool


def parse(traceparent: str) -> Parent | None:
    """Return what a ``traceparent`` says, None where it is none."""
    found = _FORM.fullmatch(traceparent)
    if found is None or found["version"] == _FORBIDDEN or (found["more"] and found["version"] == "00"):
        return None
    if not found["trace"].strip(_NOTHING) or not found["span"].strip(_NOTHING):
        return None
    return Parent(found["trace"], found["span"], bool(int(found["flags"], 16) & 1))


def follow(traceparent: str) -> str:
    """Return the ``traceparent`` of what something leads to: the same trace, a new span; empty where it is not one.

    Of a later version only what this one knows is carried on, as the source demands.
    """
    parent = parse(traceparent)
    return f"00-{parent.trace}-{_span()}-{parent.sampled:02x}" if parent else ""


def _span() -> str:
    """Return the id of a new span, which is never nothing but zeros."""
    while not (span := token_hex(8)).strip(_NOTHING):
        pass
    return span
