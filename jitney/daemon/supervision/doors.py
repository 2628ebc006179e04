"""Which adapter answers which HTTP path, and where a browser finds it."""

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jitney.adapters.base import HttpHandler


class Doors:
    """The adapters that serve HTTP now. The port is opened elsewhere, and ``port`` is told from there."""

    def __init__(self, public_url: str, adapters: Collection[str]) -> None:
        self.port = 0
        self.adapters = adapters
        self.handlers: dict[str, HttpHandler] = {}
        self._public_url = public_url.rstrip("/")

    def public_url(self, adapter: str) -> str:
        """Return where the outside reaches an adapter, empty when it cannot."""
        return f"{self._public_url}/{adapter}" if self._public_url and self.port else ""

    def local_url(self, adapter: str) -> str:
        """Return where a browser on this machine reaches an adapter, empty when no port is open."""
        return f"http://localhost:{self.port}/{adapter}" if self.port else ""
