"""A request that was read to its end, and what a part of the server does with it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import hdrs, web

from tests.fakes.strava.grants import Access
from tests.fakes.strava.record import Call
from tests.fakes.strava.world import App

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(eq=False)
class Asked:
    """A request: ``form`` is its body when that is one, ``app`` and ``access`` who asks as far as is known."""

    call: Call
    request: web.Request
    body: bytes = b""
    form: Mapping[str, str] = field(default_factory=dict)
    app: App | None = None
    access: Access | None = None

    @property
    def path(self) -> str:
        """The path without the prefix of the API."""
        return self.call.path

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the address."""
        return self.call.query

    @property
    def content_type(self) -> str:
        """The type of the body, empty when it names none."""
        return self.request.content_type if hdrs.CONTENT_TYPE in self.request.headers else ""

    @property
    def gone(self) -> bool:
        """Whether the client has closed the connection."""
        transport = self.request.transport
        return transport is None or transport.is_closing()


class Room(ABC):
    """A part of the server."""

    def identify(self, asked: Asked) -> None:  # noqa: B027 - some ask nobody who they are
        """Find out who asks, without judging it."""

    def admit(self, asked: Asked) -> web.Response | None:
        """Judge and count a request; returns the answer of one that goes no further."""
        del asked
        return None

    @abstractmethod
    async def answer(self, asked: Asked) -> web.Response:
        """Do what was asked."""

    async def rehearse(self, asked: Asked) -> web.Response:
        """Return an answer that looks the same for a request whose answer will not arrive whole."""
        return await self.answer(asked)

    def finish(self, asked: Asked, response: web.Response) -> None:  # noqa: B027 - some add nothing
        """Add what every answer has, whatever was made of it."""


async def read(request: web.Request, call: Call) -> Asked:
    """Read a request to its end."""
    asked = Asked(call, request)
    if asked.content_type in FORMS:
        fields = await request.post()
        asked.form = {key: value for key, value in fields.items() if isinstance(value, str)}
    else:
        asked.body = await request.read()
    return asked
