"""Where a Home Assistant listens: from what people paste to the address of its websocket."""

from typing import Final
from urllib.parse import urlsplit

_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_API: Final = "/api/websocket"
_SUPERVISOR: Final = "supervisor"
_EXAMPLE: Final = "give the address that opens Home Assistant in a browser, like http://homeassistant.local:8123"


def websocket_url(url: str) -> str:
    """Return the address of the websocket; raises ValueError with what is wrong with ``url``.

    An app of Home Assistant's Supervisor says ``http://supervisor/core``.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in _SCHEMES:
        message = f"must begin with http://, https://, ws:// or wss://: {_EXAMPLE}"
        raise ValueError(message)
    if parts.username is not None or parts.password is not None:
        message = "must have no user and password: Home Assistant knows only the token"
        raise ValueError(message)
    if not parts.hostname or parts.query or parts.fragment or _port(url) == 0:
        message = f"is not the address of a Home Assistant: {_EXAMPLE}"
        raise ValueError(message)
    path = parts.path.rstrip("/")
    if parts.hostname == _SUPERVISOR:
        path = "/core/websocket"
    elif not path.endswith(_API):
        path = path.removesuffix("/api") + _API
    return f"{_SCHEMES[parts.scheme]}://{parts.netloc}{path}"


def profile_url(url: str) -> str:
    """Return the page on which a person makes access tokens; empty when no browser reaches ``url``."""
    parts = urlsplit(url.strip())
    if parts.hostname == _SUPERVISOR:
        return ""
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    path = parts.path.rstrip("/").removesuffix(_API).removesuffix("/api")
    return f"{scheme}://{parts.netloc}{path}/profile/security"


def _port(url: str) -> int | None:
    """Return the port that ``url`` names, None without one; raises ValueError."""
    try:
        return urlsplit(url.strip()).port
    except ValueError:
        message = f"has a port that is not a number from 1 to 65535: {_EXAMPLE}"
        raise ValueError(message) from None
