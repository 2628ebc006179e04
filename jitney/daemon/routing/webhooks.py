"""Webhooks of routes: what they need is loaded with the first one."""

from typing import TYPE_CHECKING

from jitney.daemon.routes.actions import Webhook
from jitney.daemon.routes.allowed import AllowList
from jitney.daemon.routing.secrets import Fetch

if TYPE_CHECKING:
    from jitney.daemon.routing.outgoing_http import OutgoingHttp


class Webhooks:
    """Sends webhooks to the places of a list, with secrets that ``fetch`` returns."""

    def __init__(self, allowed: AllowList, fetch: Fetch) -> None:
        self._allowed = allowed
        self._fetch = fetch
        self._http: OutgoingHttp | None = None

    async def send(self, webhook: Webhook, *, traceparent: str = "") -> None:
        """Send a request, part of a trace if one is given.

        Raises RefusedError or FailedError as ``OutgoingHttp.send`` does.
        """
        if self._http is None:
            from jitney.daemon.routing.outgoing_http import OutgoingHttp  # noqa: PLC0415 - costs memory for nothing else

            self._http = OutgoingHttp(self._allowed, self._fetch)
        await self._http.send(webhook, traceparent=traceparent)

    async def change(self, allowed: AllowList) -> None:
        """Send to the places of another list from now on."""
        self._allowed = allowed
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        if self._http is not None:
            http, self._http = self._http, None
            await http.close()
