"""Runs one adapter: attempt after attempt, each failure handled by its class."""

import asyncio
import time
from typing import Final

from jitney.adapters.base import Adapter, Clock
from jitney.adapters.errors import DisconnectedError, MisconfiguredError, RefusedError, UnauthorisedError
from jitney.daemon.config.schema import AdapterSettings
from jitney.daemon.log import Decay, bound, get, mask
from jitney.daemon.owners.registry import Owners
from jitney.daemon.supervision.backoff import Backoff
from jitney.daemon.supervision.context import AdapterContext, Services
from jitney.daemon.supervision.status import StatusBoard
from jitney.topics import HOUSE, Command, JitneyError, Reply, TopicTree

REAUTH: Final = "reauth"
FAILED: Final = "failed"
"""The alerts that the runner itself raises."""

_log = get("adapter")


class Runner:
    """One adapter of the configuration. ``run`` ends only when the adapter cannot or need not run again."""

    def __init__(
        self, settings: AdapterSettings, context: AdapterContext, board: StatusBoard, *, clock: Clock = time.monotonic
    ) -> None:
        self.settings = settings
        self.context = context
        self.board = board
        self.attempts = 0
        self.attempted = 0.0
        self._adapter: Adapter = settings.type(settings.name, settings.config)
        self._backoff = Backoff(settings.retry, clock=clock)
        self._clock = clock
        self._decay = Decay(_log)
        self._crashes = Decay(_log)
        self._under_way: set[asyncio.Timeout] = set()
        context.came_online = self._came_online

    async def run(self) -> None:
        """Run the adapter until it is finished, failed or cancelled."""
        with bound(adapter=self.settings.name):
            self.board.set("connecting")
            delay = await self._attempt()
            while delay is not None:
                await asyncio.sleep(delay)
                delay = await self._attempt()

    def accepts(self, owner: str) -> bool:
        """Tell whether an owner may command it: a shared adapter's anybody, a person's only that person."""
        return self.settings.owner in (HOUSE, owner)

    def controls(self, command: str) -> bool:
        """Tell whether a command of this adapter does something outside, rather than tell something."""
        return command in getattr(self.settings.type, "controls", ())

    async def command(self, command: Command) -> Reply:
        """Carry out a command; raises RefusedError."""
        if not self.context.is_online:
            reason = self.board.status.reason or "it has not been online yet"
            raise RefusedError("offline", f"{self.settings.name} is {self.board.status.state}: {reason}")
        over = asyncio.timeout(None)
        try:
            async with over:
                self._under_way.add(over)
                reply = await self._adapter.command(command)
        except JitneyError as error:
            code = error.code if isinstance(error, RefusedError) else "failed"
            raise RefusedError(code, mask(str(error))) from error
        except Exception as error:  # adapters are other people's code
            if over.expired():
                message = f"{self.settings.name} has ended meanwhile: it may have been done nevertheless"
                raise RefusedError("interrupted", message) from None
            self._crashes.crashed("a command crashed its adapter's code", command=command.name)
            raise RefusedError("crashed", f"{type(error).__name__}: a fault in {self.settings.name}") from error
        finally:
            self._under_way.discard(over)
        self._crashes.over("commands work again")
        return reply

    def leave(self) -> None:
        """Know that the adapter has ended for good: nobody answers the commands that are under way."""
        for command in self._under_way:
            command.reschedule(0.0)

    async def erase(self, owner: str) -> None:
        """Let the adapter forget an owner, if it keeps anything of one; raises RefusedError."""
        forget = getattr(self._adapter, "erase", None)
        if forget is None:
            return
        if not self.context.is_online:
            raise RefusedError(
                "offline", f"{self.settings.name} is {self.board.status.state}: erase again when it is online"
            )
        try:
            await forget(owner)
        except JitneyError:
            raise
        except Exception as error:  # adapters are other people's code
            _log.exception("forgetting an owner crashed an adapter's code", owner=owner)
            raise RefusedError("crashed", f"{type(error).__name__}: a fault in {self.settings.name}") from error

    async def _attempt(self) -> float | None:
        """Run the adapter once; returns the seconds until the next attempt, None when there is to be none."""
        self.attempts += 1
        self.attempted = time.time()
        self.context.is_online = False
        began = self._clock()
        try:
            await self._adapter.run(self.context)
        except UnauthorisedError as error:
            self.context.retried("unauthorised")
            self._unauthorised(error)
            return self._backoff.delay(error)
        except MisconfiguredError as error:
            self._give_up(str(error))
        except (DisconnectedError, RefusedError) as error:
            self.context.retried("refused" if isinstance(error, RefusedError) else "disconnected")
            return self._disconnected(error, self._clock() - began)
        except Exception as error:  # noqa: BLE001 - adapters are other people's code: their faults stay theirs
            self._decay.crashed("the adapter crashed: this is a fault in its code")
            self.context.retried("crashed")
            if not self._backoff.crashed():
                return self._disconnected(error, self._clock() - began)
            self._give_up(f"it crashed again and again: {type(error).__name__}: {error}")
        else:
            self.board.set("offline", "finished")
        finally:
            self.context.ended()
        return None

    def _disconnected(self, error: Exception, lasted: float) -> float | None:
        self._backoff.succeeded(lasted)
        reason = str(error) or type(error).__name__
        delay = self._backoff.delay(error)
        if self._backoff.exhausted():
            self._give_up(f"given up after {self._backoff.attempts} attempts: {reason}")
            return None
        self._decay.failed("disconnected", reason=reason, next_attempt_in=round(delay, 1))
        self.board.set("offline", reason)
        return delay

    def _unauthorised(self, error: UnauthorisedError) -> None:
        self._decay.failed("not authorised", reason=str(error), remedy=error.remedy)
        self.board.set("reauth", str(error))
        self.board.alert(self.settings.owner, REAUTH, message=f"{error}: {error.remedy}", link=error.link)

    def _give_up(self, reason: str) -> None:
        _log.error("the adapter is given up until its configuration changes", reason=reason)
        self.board.set("failed", reason)
        self.board.alert(self.settings.owner, FAILED, message=reason)

    def _came_online(self) -> None:
        self._decay.recovered("online")
        self.board.resolve(self.settings.owner, REAUTH)
        self.board.resolve(self.settings.owner, FAILED)


def build(settings: AdapterSettings, services: Services, *, tree: TopicTree, owners: Owners) -> Runner:
    """Return the runner of a configured adapter with everything it needs; raises MisconfiguredError."""
    served, resting = owners.served_by(settings), owners.resting
    board = StatusBoard(tree, services.ledger, adapter=settings.name, owners=served, resting=resting)
    context = AdapterContext(
        services,
        board,
        name=settings.name,
        kind=settings.type.name,
        owners=owners.seen_by(settings),
        default_owner=settings.owner,
        durable=settings.durable,
        log=_log,
    )
    try:
        return Runner(settings, context, board)
    except Exception as error:  # adapters are other people's code
        reason = f"adapters.{settings.name}: a {settings.type.name} cannot be made of this"
        raise MisconfiguredError(f"{reason} ({type(error).__name__}: {mask(str(error))})") from error
