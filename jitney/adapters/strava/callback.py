"""What Strava sends a browser back with after a sign-in, or what somebody has copied of it."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from jitney.adapters.errors import RefusedError
from jitney.adapters.strava.grants import ACTIVITY
from jitney.adapters.strava.pages import BOXES

_LONGEST: Final = 4096
_DENIED: Final = "access_denied"
_SCOPE: Final = re.compile(r"[a-z_]{1,30}(:[a-z_]{1,30})?")
_BETWEEN: Final = re.compile(r"[,\s]+")


def read_answer(pasted: str) -> dict[str, str]:
    """Return what Strava's answer says, from the address that somebody copied; raises RefusedError.

    Only what follows the question mark counts, and that alone is enough.
    """
    text = pasted.strip().strip("\"'<>").strip()
    if len(text) > _LONGEST:
        raise RefusedError("incomplete", "this is too long for the address to which Strava led the browser")
    answer: dict[str, str] = {}
    query = (text.partition("?")[2] or text).partition("#")[0]
    for name, value in parse_qsl(query, keep_blank_values=True):
        answer.setdefault(name.removeprefix("amp;"), value)
    if "state" not in answer:
        message = (
            "this is not the address to which Strava led the browser: copy all of it from the address bar, with state="
            " and code= in it, and put it in quotes"
        )
        raise RefusedError("incomplete", message)
    return answer


def allowed(owner: str, answer: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return the code and the scopes of an answer; raises RefusedError when nothing useful was allowed."""
    begin = f"begin again with  jitney strava connect {owner}"
    error = answer.get("error", "")
    if error:
        message = f"it was not allowed on Strava's page: {begin}" if error == _DENIED else f"Strava refused: {begin}"
        raise RefusedError("denied" if error == _DENIED else "failed", message)
    code = answer.get("code", "")
    if not code or "scope" not in answer:
        message = f"the address has no code= or no scope=: {begin}, and copy all of the address, in quotes"
        raise RefusedError("incomplete", message)
    scopes = tuple(word for word in _BETWEEN.split(answer["scope"]) if _SCOPE.fullmatch(word))
    if set(ACTIVITY).isdisjoint(scopes):
        message = f"activities were not allowed: {begin}, and leave “{BOXES['activity:read']}” ticked"
        raise RefusedError("missing_scope", message)
    return code, scopes
