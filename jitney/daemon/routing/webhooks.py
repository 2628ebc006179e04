"""Webhooks of routes: each owner's over connections of their own, and what they need is loaded with the first one."""

from jitney.daemon.owners.runtime import Runtimes
from jitney.daemon.routes.actions import Webhook
from jitney.daemon.routes.allowed import AllowList
from jitney.daemon.routing.secrets import Fetch


class Webhooks:
    """Sends webhooks to the places of a list, with secrets that ``fetch`` returns."""

    def __init__(self, allowed: AllowList, fetch: Fetch, runtimes: Runtimes) -> None:
        self._allowed = allowed
        self._fetch = fetch
        self._runtimes = runtimes

    async def send(self, webhook: Webhook, *, owner: str, traceparent: str = "") -> None:
        """Send a request of an owner, part of a trace if one is given.

        Raises RefusedError or FailedError as ``OutgoingHttp.send`` does.
        """
        from jitney.daemon.routing.outgoing_http import OutgoingHttp  # noqa: PLC0415 - costs memory for nothing else

        http = self._runtimes.part(owner, OutgoingHttp, lambda: OutgoingHttp(self._allowed, self._fetch))
        await http.send(webhook, traceparent=traceparent)

    async def change(self, allowed: AllowList) -> None:
        """Send to the places of another list from now on."""
        self._allowed = allowed
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._runtimes.close()
