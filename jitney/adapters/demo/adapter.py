"""The adapter around the simulation: its pace, its events and states, its commands."""

import asyncio
from random import Random
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta, Raw, Struct

from jitney.adapters.base import Context
from jitney.adapters.demo.household import LIGHTS, Happening, Household
from jitney.adapters.demo.kinds import KINDS
from jitney.adapters.errors import RefusedError
from jitney.topics import Command, EventData, Reply, State, event


class DemoConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same ``seed`` lets the same things happen; ``rate`` is in events per second, of all owners together."""

    seed: int = 1
    rate: Annotated[float, Meta(gt=0, le=1000)] = 2.0


class Demo:
    """A household for every configured owner, or one for the default owner where nobody is configured.

    Commands: ``switch`` {"subject": "light.desk", "on": true} and ``say`` {"text": "…"}, which the others hear.
    """

    name: ClassVar[str] = "demo"
    Config: ClassVar[type[Struct]] = DemoConfig
    Identity: ClassVar[type[Struct] | None] = None
    durable: ClassVar[bool] = False
    kinds: ClassVar[tuple[type[EventData], ...]] = KINDS
    commands: ClassVar[tuple[str, ...]] = ("switch", "say")

    def __init__(self, name: str, config: DemoConfig) -> None:
        self._name = name
        self._config = config
        self._households: dict[str, Household] = {}
        self._ctx: Context | None = None

    async def run(self, ctx: Context) -> None:
        """Let things happen until cancelled."""
        seed = self._config.seed
        self._households = {owner: Household(owner, seed) for owner in ctx.owners or (ctx.default_owner,)}
        self._ctx = ctx
        self._snapshot(ctx)
        ctx.online()
        chance = Random(seed)  # noqa: S311 - a simulation that has to be repeatable
        owners = list(self._households)
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            owner = chance.choice(owners)
            await self._happened(ctx, owner, self._households[owner].step())
            due = max(due + 1 / self._config.rate, clock())
            await asyncio.sleep(due - clock())

    async def command(self, command: Command) -> Reply:
        """Carry out ``switch`` or ``say``; raises RefusedError."""
        household, ctx = self._households.get(command.owner), self._ctx
        if household is None or ctx is None:
            raise RefusedError("unknown_owner", f"{command.owner} has no household in {self._name}")
        match command.name:
            case "switch":
                return await self._switch(ctx, household, command)
            case "say":
                return await self._say(ctx, household, command)
        raise RefusedError("unknown_command", f"{self._name} has no command {command.name!r}: use switch or say")

    def _snapshot(self, ctx: Context) -> None:
        subjects = []
        for owner, household in self._households.items():
            for subject, state in household.states().items():
                subjects.append((owner, subject))
                ctx.set_state(State(owner, subject, Raw(_encode(state))))
        ctx.keep_states(subjects)

    async def _switch(self, ctx: Context, household: Household, command: Command) -> Reply:
        wanted = _data(command, _Switch)
        try:
            happening = household.switch(wanted.subject, on=wanted.on)
        except KeyError:
            message = f"there is no light {wanted.subject!r}: use one of {', '.join(LIGHTS)}"
            raise RefusedError("unknown_subject", message) from None
        await self._happened(ctx, command.owner, happening, cause=command)
        return Reply.ok({"subject": wanted.subject, "on": wanted.on})

    async def _say(self, ctx: Context, household: Household, command: Command) -> Reply:
        text = _data(command, _Say).text
        await self._happened(ctx, command.owner, household.say(text), cause=command)
        others = [owner for owner in self._households if owner != command.owner]
        for owner in others:
            heard = self._households[owner].hear(text, sender=command.owner)
            await self._happened(ctx, owner, heard, cause=command)
        return Reply.ok({"heard_by": others})

    async def _happened(self, ctx: Context, owner: str, happening: Happening, *, cause: Command | None = None) -> None:
        if happening.state is not None:
            ctx.set_state(State(owner, happening.subject, Raw(_encode(happening.state))))
        await ctx.emit(
            event(
                happening.data,
                adapter=self._name,
                owner=owner,
                subject=happening.subject,
                actor=cause.owner if cause else "",
                causation=(cause.causation or cause.id) if cause else "",
                correlation=cause.id if cause else "",
                hops=cause.hops if cause else 0,
                traceparent=cause.traceparent if cause else "",
            )
        )


class _Switch(Struct, forbid_unknown_fields=True):
    subject: str
    on: bool


class _Say(Struct, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=200)]


_encode: Final = msgspec.json.Encoder().encode


def _data(command: Command, kind: type[Any]) -> Any:  # noqa: ANN401 - an instance of kind
    try:
        return msgspec.json.decode(command.data, type=kind)
    except msgspec.MsgspecError as error:
        raise RefusedError("invalid_data", f"{command.name}: {error}") from error
