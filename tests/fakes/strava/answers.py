"""Answers as Strava words them."""

from collections.abc import Mapping
from typing import Final

import msgspec
from aiohttp import web

HTML: Final = (
    "<!DOCTYPE html>\n<html lang='en'><head><title>Strava</title></head>"
    "<body><h1>Strava is temporarily unavailable</h1><p>We are working on it.</p></body></html>\n"
)
encode = msgspec.json.Encoder().encode


def json(body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a JSON answer."""
    return web.Response(
        body=encode(body), status=status, content_type="application/json", charset="utf-8", headers=headers
    )


def error(status: int, message: str, *errors: tuple[str, str, str]) -> web.Response:
    """Return an error; each of ``errors`` is (resource, field, code)."""
    rows = [{"resource": resource, "field": field, "code": code} for resource, field, code in errors]
    return json({"message": message, "errors": rows}, status=status)


def bad_request(resource: str, field: str, code: str) -> web.Response:
    """Return a 400."""
    return error(400, "Bad Request", (resource, field, code))


def invalid_token() -> web.Response:
    """Return the 401 of an access token that is unknown, expired or revoked."""
    return error(401, "Authorization Error", ("Athlete", "access_token", "invalid"))


def missing_scope(permission: str) -> web.Response:
    """Return the 401 of a scope that the athlete did not grant, such as ``activity:read_permission``."""
    return error(401, "Authorization Error", ("AccessToken", permission, "missing"))


def not_found(resource: str) -> web.Response:
    """Return the 404 of what does not exist, or not for this athlete."""
    return error(404, "Record Not Found", (resource, "", "not found"))


def inactive() -> web.Response:
    """Return the 403 of an app whose owner does not pay."""
    return error(403, "Forbidden", ("Application", "Status", "Inactive"))


def too_many_athletes() -> web.Response:
    """Return the 403 of an app that has as many athletes as it may."""
    return error(403, "Limit of connected athletes exceeded", ("Application", "connected athletes", "exceeded"))


def limited(field: str) -> web.Response:
    """Return the 429 of a used-up limit, ``read rate limit`` or ``overall rate limit``."""
    return error(429, "Rate Limit Exceeded", ("Application", field, "exceeded"))


def limited_as_it_was() -> web.Response:
    """Return a 429 in the older form, whose ``errors`` is a text."""
    return json({"errors": "Rate Limit Exceeded", "status": 429, "message": "Rate Limit Exceeded"}, status=429)


def wrong_secret() -> web.Response:
    """Return the 401 of an app with another client secret."""
    return error(401, "Authorization Error", ("Application", "", "invalid"))


def unknown_app() -> web.Response:
    """Return the 400 of a client id that does not exist."""
    return bad_request("Application", "client_id", "invalid")


def html(status: int) -> web.Response:
    """Return the page of a proxy in front of Strava."""
    return web.Response(text=HTML, status=status, content_type="text/html")
