"""What an answer that is an error means; see https://developers.strava.com/docs/reference/#api-models-Fault."""

from collections.abc import Iterable
from typing import Final

from jitney.adapters.secret import Secret
from jitney.adapters.strava.errors import (
    InactiveError,
    NotFoundError,
    ScopeMissingError,
    StravaError,
    UnavailableError,
)
from jitney.adapters.strava.http import Answer
from jitney.adapters.strava.models import ApiFault, FaultDetail
from jitney.adapters.strava.reading import one

SUBSCRIPTION: Final = "subscription"
"""The scope that is missing when an athlete's own Strava subscription would be needed."""

_UNAUTHORISED: Final = 401
_PAYMENT_REQUIRED: Final = 402
_NOT_FOUND: Final = 404
_TEMPORARY: Final = frozenset({408, 425})
_LONGEST: Final = 200
_PERMISSION: Final = "_permission"


def fault_of(answer: Answer) -> ApiFault | None:
    """Return what Strava says is wrong; None when it is not Strava that says so, but a web page or something else.

    An answer without a body says nothing, and is Strava's.
    """
    if not answer.body.strip():
        return ApiFault()
    try:
        return one(answer.body, ApiFault)
    except UnavailableError:
        return None


def refuses_token(answer: Answer) -> bool:
    """Tell whether an answer calls the access token invalid, which a new one may mend."""
    fault = fault_of(answer) if answer.status == _UNAUTHORISED else None
    return fault is not None and not _missing(fault.details) and not _about_app(fault.details)


def explained(answer: Answer, where: str, *, hide: Iterable[Secret] = ()) -> StravaError:
    """Return the error that an answer is, unless it is a 429; its text has none of the secrets in ``hide``.

    A token that is still refused after a refresh is taken for a fault at Strava: had the athlete taken the permission
    back, the refresh would have failed.
    """
    fault = fault_of(answer)
    if fault is None or answer.status >= 500 or answer.status < 400 or answer.status in _TEMPORARY:  # noqa: PLR2004
        what = "a web page, or something else that is not JSON" if fault is None else "no usable answer"
        return UnavailableError(f"{where}: {what} (HTTP {answer.status}){_said(fault, hide)}")
    return app_stopped(answer, where, hide=hide) or _refusal(answer.status, fault, where, _said(fault, hide))


def app_stopped(answer: Answer, where: str, *, hide: Iterable[Secret] = ()) -> InactiveError | None:
    """Return the error that the whole app is stopped or unknown, None when an answer is not that."""
    fault = fault_of(answer)
    code = _about_app(fault.details) if fault is not None else ""
    if not code:
        return None
    remedy = (
        "Strava has stopped this app: whoever registered it needs a paid Strava subscription"
        if code == "inactive"
        else "Strava does not know this app: compare client_id and client_secret"
    )
    return InactiveError(f"{where}: {remedy} (https://www.strava.com/settings/api){_said(fault, hide)}")


def _refusal(status: int, fault: ApiFault, where: str, said: str) -> StravaError:
    if missing := _missing(fault.details):
        return ScopeMissingError(f"{where}: the athlete did not allow {missing}{said}", scope=missing)
    if status == _PAYMENT_REQUIRED:
        return ScopeMissingError(f"{where}: the athlete has no Strava subscription{said}", scope=SUBSCRIPTION)
    if status == _UNAUTHORISED:
        return UnavailableError(f"{where}: Strava refuses a token that it has just given{said}")
    if status == _NOT_FOUND:
        return NotFoundError(f"{where}: not there, or not for this athlete{said}")
    return StravaError(f"{where}: HTTP {status}{said}")


def _missing(details: Iterable[FaultDetail]) -> str:
    """Return the scope that is missing: ``activity:read`` where Strava says ``activity:read_permission``."""
    fields = (one.field for one in details if one.resource == "AccessToken" and one.code == "missing")
    return next((field.removesuffix(_PERMISSION) for field in fields if field), "")


def _about_app(details: Iterable[FaultDetail]) -> str:
    """Return what is wrong with the app: ``inactive``, ``invalid`` or nothing."""
    codes = (one.code.lower() for one in details if one.resource == "Application")
    return next((code for code in codes if code in {"inactive", "invalid"}), "")


def _said(fault: ApiFault | None, hide: Iterable[Secret]) -> str:
    """Return Strava's own words for people, in one line."""
    text = str(fault or "")
    for secret in hide:
        text = text.replace(secret.reveal(), str(secret))
    text = "".join(character if character.isprintable() else " " for character in text)
    return f": {text[:_LONGEST]}" if text else ""
