"""What every answer has in its headers: nothing about the program, and that browsers keep to themselves what it is."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

SERVER: Final = "jitney"

_FRAMES: Final = "frame-ancestors 'none'"

SAFE: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": f"default-src 'none'; base-uri 'none'; form-action 'none'; {_FRAMES}",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Where an adapter says nothing else (OWASP Secure Headers Project)."""

PLAIN: Final[Mapping[str, str]] = {**SAFE, "Server": SERVER}

_HSTS: Final = "max-age=31536000"


def finish(response: web.StreamResponse, *, https: bool) -> None:
    """Complete the headers of an answer; ``https``: it goes out to where nobody should ask without TLS again."""
    headers = response.headers
    headers["Server"] = SERVER
    for name, value in SAFE.items():
        headers.setdefault(name, value)
    policy = headers["Content-Security-Policy"]
    if "frame-ancestors" not in policy:
        headers["Content-Security-Policy"] = f"{policy.rstrip('; ')}; {_FRAMES}"
    if https:
        headers["Strict-Transport-Security"] = _HSTS
