"""One request and its whole answer, within a deadline and a size; no error shows more of an address than its path."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from msgspec import Struct

from jitney import __version__
from jitney.adapters.strava.errors import StravaError, UnavailableError

MOST_BYTES: Final = 8 << 20
"""Bytes of the largest answer that is taken; a page of 200 activities has about half a megabyte."""

_CHUNK: Final = 1 << 16
_REASONS: Final[Mapping[type[Exception], str]] = {
    aiohttp.ClientConnectorCertificateError: "its certificate is not trusted: is the clock of this machine right?",
    aiohttp.ClientConnectorDNSError: "its name is not known to the name server",
    aiohttp.ServerDisconnectedError: "it hung up without an answer",
    aiohttp.ClientPayloadError: "its answer was cut off",
    aiohttp.InvalidURL: "this is not an address",
}


class Answer(Struct, frozen=True):
    """An answer with its whole body, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def good(self) -> bool:
        """Whether it is what was asked for: not an error, not a redirect, not a web page."""
        return self.status // 100 == 2 and not self.body.lstrip().startswith(b"<")  # noqa: PLR2004 - 2xx

    @property
    def retry_after(self) -> float | None:
        """Seconds after which to ask again, if it says so; from RFC 9110, 10.2.3."""
        value = self.headers.get("Retry-After", "").strip()
        if value.isascii() and value.isdigit():
            return float(value[:9])
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        now = datetime.now(UTC)
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())


def session() -> aiohttp.ClientSession:
    """Return a session for Strava: what it sets as cookies for one athlete is not sent for another one."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"jitney/{__version__}", "Accept": "application/json"},
    )


def place(method: str, url: str) -> str:
    """Return what an error says of a request."""
    return f"Strava, {method} {urlsplit(url).path}"


async def ask(
    http: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    timeout: float,  # noqa: ASYNC109 - of the request with all that belongs to it
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """Send a request (``form`` or ``body``) and return the answer; redirects are not followed.

    Raises UnavailableError when there is no whole answer in time, StravaError when it is larger than 8 MB.
    """
    where = place(method, url)
    try:
        async with http.request(
            method,
            url,
            headers=headers,
            params=query,
            data=form if body is None else body,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout),
        ) as response:
            return Answer(response.status, response.headers, await _read(response, where))
    except TimeoutError:
        raise UnavailableError(f"{where}: no answer within {timeout:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise UnavailableError(f"{where}: {_reason(error)}") from None


async def _read(response: aiohttp.ClientResponse, where: str) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MOST_BYTES:
            raise StravaError(f"{where}: the answer is larger than {MOST_BYTES >> 20} MB and was not read")
    return bytes(body)


def _reason(error: Exception) -> str:
    """Return why there is no answer; never the text of an error that may have the whole address or a header in it."""
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {error.host}: {_system(error.os_error)}"
    return _system(error) if isinstance(error, OSError) else type(error).__name__


def _system(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else type(error).__name__
