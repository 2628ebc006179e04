"""Requests to the bus itself: `_bus/{instance}/request/{name}`, answered on `…/response/{name}`."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from jitney.adapters.errors import RefusedError
from jitney.daemon.broker.session import Incoming, Message
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.asked import read
from jitney.daemon.delivery.replies import EXPIRY, Replies
from jitney.daemon.log import bound, get
from jitney.daemon.owners.audit import REFUSALS, UNHEARD, Auditing
from jitney.topics import InvalidTopicError, JitneyError, Reply, TopicTree, new_id
from jitney.topics.tree import RequestTopic, ResponseTopic

MOST_AT_ONCE: Final = 4
"""Requests that are under way at the same time; more are refused as busy."""

PATIENCE: Final = 60.0
"""Seconds after which a request has failed."""

BUS: Final = "_bus"
"""Whose turn the answers take."""

Handler = Callable[[Raw], Awaitable[object]]
"""Carries out a request with a JSON object; returns what the answer holds. Raises RefusedError."""

_encode = msgspec.json.Encoder().encode
_log = get("administration")


def late(names: Iterable[str], build: Callable[[], Mapping[str, Handler]]) -> dict[str, Handler]:
    """Return handlers by these names that are built when somebody asks for the first time: memory for those who do."""
    built = cache(build)

    def of(name: str) -> Handler:
        async def handled(data: Raw) -> object:
            return await built()[name](data)

        return handled

    return {name: of(name) for name in names}


class Administration:
    """Carries out requests to one instance. They are not kept over a restart: who gets no answer asks again."""

    def __init__(self, tree: TopicTree, replies: Replies, *, instance: str, counters: Counters) -> None:
        self.handlers: dict[str, Handler] = {}
        self._tree = tree
        self._replies = replies
        self._instance = instance
        self._counters = counters
        self._group: asyncio.TaskGroup | None = None
        self._under_way = 0
        self.audit: Auditing = UNHEARD

    @property
    def pattern(self) -> str:
        """The filter of every request to this instance."""
        return self._tree.filter(RequestTopic, instance=self._instance)

    async def run(self) -> None:
        """Carry out requests; cancelled to stop it."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            await asyncio.Event().wait()

    def begin(self, incoming: Incoming, address: RequestTopic) -> None:
        """Take a request; it is answered in any case."""
        if self._group is None:
            return
        if self._under_way >= MOST_AT_ONCE:
            self._answer(incoming, address.name, _busy(incoming))
            return
        self._under_way += 1
        self._group.create_task(self._carry_out(incoming, address.name), name=f"request {address.name}")

    async def _carry_out(self, incoming: Incoming, name: str) -> None:
        with bound(event_id=new_id()):
            _log.info("requested", request=name)
            try:
                async with asyncio.timeout(PATIENCE):
                    self._answer(incoming, name, await self._reply(incoming, name))
            except TimeoutError:
                self._answer(incoming, name, Reply.failed("timeout", f"not done within {PATIENCE:g} s"))
            finally:
                self._under_way -= 1

    async def _reply(self, incoming: Incoming, name: str) -> Reply:
        try:
            request = read(incoming, "request")
        except RefusedError as error:
            return Reply.failed(error.code, str(error))
        handler = self.handlers.get(name)
        if handler is None:
            known = ", ".join(sorted(self.handlers))
            reply = Reply.failed("unknown_request", f"there is no request {name!r}: known here are {known}")
        else:
            reply = await _handled(handler, request.data)
        return replace(reply, transaction=request.transaction) if request.transaction else reply

    def _answer(self, incoming: Incoming, name: str, reply: Reply) -> None:
        code = reply.error.code if reply.error else "ok"
        self._counters.add("requests", adapter=name if name in self.handlers else "unknown", reason=code)
        if code in REFUSALS:
            self.audit.asked("request", code, owner="", detail=name)
        if reply.error:
            _log.warning("refused a request", request=name, code=code, reason=reply.error.message)
        topic = incoming.response_topic if self._allows(incoming.response_topic) else ""
        topic = topic or self._tree.name(ResponseTopic(self._instance, name))
        message = Message(topic, _encode(reply), expiry=EXPIRY, correlation=incoming.correlation)
        self._replies.publish(message, owner=BUS, adapter="requests")

    def _allows(self, topic: str) -> bool:
        """Tell whether an answer may go there: only among the responses of this instance."""
        try:
            address = self._tree.parse(topic)
        except InvalidTopicError:
            return False
        return isinstance(address, ResponseTopic) and address.instance == self._instance


def _busy(incoming: Incoming) -> Reply:
    busy = Reply.failed("busy", f"{MOST_AT_ONCE} requests are under way: ask again")
    try:
        transaction = read(incoming, "request").transaction
    except RefusedError:
        return busy
    return replace(busy, transaction=transaction) if transaction else busy


async def _handled(handler: Handler, data: Raw) -> Reply:
    try:
        return Reply.ok(await handler(data))
    except RefusedError as error:
        return Reply.failed(error.code, str(error))
    except JitneyError as error:
        return Reply.failed("failed", str(error))
