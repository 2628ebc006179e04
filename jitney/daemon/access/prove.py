"""The proof that owners are kept apart: connect as each of them, try everything, and look at what really happens.

Whatever is tried has a token in its topic and expires, and nothing that can be carried out is asked. The daemon's login
looks on: what counts is not what the broker says, but whether a message arrives.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from jitney.adapters.secret import Secret
from jitney.daemon.access import trials
from jitney.daemon.access.model import Model
from jitney.daemon.access.proofs import NOBODY, Outcome, Proof, UnprovedError
from jitney.daemon.access.trials import Trial
from jitney.daemon.access.visitor import CUT, Came, Login, Visitor, visiting
from jitney.daemon.access.witness import Witness
from jitney.daemon.broker.session import REFUSED, BrokerRefusedError, Message
from jitney.daemon.config.schema import MqttSettings
from jitney.topics import TopicTree

_PATIENCE: Final = 1.0
"""Seconds for what is expected to come although nothing after it can be waited for."""


async def prove(settings: MqttSettings, model: Model, logins: Mapping[str, Login]) -> list[Proof]:
    """Return what came of everything that was tried in the name of each owner of whom a login is given.

    Raises UnprovedError, BrokerRefusedError, also for a login that is not let in, or BrokerUnreachableError.
    """
    async with visiting(settings, purpose="verify") as daemon:
        witness = Witness(daemon, TopicTree(settings.topic_root), instance=model.instance)
        await witness.begin()
        proofs: list[Proof] = []
        for owner, login in logins.items():
            proofs += [proof async for proof in _Suspect(settings, model, witness, owner=owner, login=login).proofs()]
        return proofs + [proof async for proof in _nobody(settings, model, witness)]


class _Suspect:
    """An owner in whose name everything is tried."""

    def __init__(self, settings: MqttSettings, model: Model, witness: Witness, *, owner: str, login: Login) -> None:
        self._settings = settings
        self._model = model
        self._witness = witness
        self._owner = owner
        self._login = login
        self._me = model.principals[owner]
        self._trials = trials.Trials(TopicTree(settings.topic_root), model, owner=owner, token=witness.token)
        self._patience = _PATIENCE
        self._grants_all = False
        """The broker grants what it does not deliver, as mosquitto does with an ACL file."""

    async def proofs(self) -> AsyncIterator[Proof]:
        """Try everything, and yield what came of it."""
        for trial in self._trials.reading(online=self._witness.online):
            yield await self._read(trial)
        for trial in self._trials.sharing():
            yield await self._share(trial)
        async for proof in self._writing():
            yield proof
        for trial in self._trials.wills():
            yield await self._will(trial)
        for trial, told in self._trials.bus():
            yield await self._bus(trial, told)

    @asynccontextmanager
    async def _visiting(self, will: Message | None = None) -> AsyncIterator[Visitor]:
        async with visiting(self._settings, self._login, purpose="verify", will=will) as visitor:
            yield visitor

    async def _read(self, trial: Trial) -> Proof:
        """Subscribe, let something be published on every topic that is asked for, and see what comes."""
        fence = self._trials.fence
        async with self._witness.retaining(trial.retained), self._visiting() as visitor:
            await visitor.subscribe(fence)
            code = await visitor.subscribe(trial.topic)
            sent = await self._witness.publish([*trial.probes, fence])
            if not await visitor.until(lambda: _has(visitor.came, fence, sent), seconds=self._patience):
                self._patience = 0.0  # nothing of the own tree comes, which is told; it need not be waited for again
            await self._witness.settled()
            await visitor.caught_up()
            self._check_that_it_lasted(visitor, code)
            came = {(one.topic, one.payload) for one in visitor.came}
        topics = {topic for topic, _ in came}
        if trial.may:
            wanted = {
                *((topic, sent) for topic in trial.probes),
                *((topic, self._witness.kept) for topic in trial.retained),
            }
            missing = sorted({topic for topic, _ in wanted - came} | set(trial.standing) - topics)
            how = f"{missing[0]} did not come: {_said(code)}" if missing else "came"
            return self._proof(trial, "no" if missing else "yes", how)
        foreign = sorted(topic for topic in topics if not self._me.allows("receive", topic))
        self._grants_all = self._grants_all or (code < REFUSED and not foreign)
        return self._proof(trial, "yes" if foreign else "no", f"{foreign[0]} came" if foreign else _kept_out(code))

    async def _share(self, trial: Trial) -> Proof:
        """Join a shared subscription of others: once it is granted, the broker chooses messages for us."""
        async with self._visiting() as visitor:
            code = await visitor.subscribe(trial.topic)
            await self._witness.publish(trial.probes)
            await self._witness.settled()
            await visitor.caught_up()
            self._check_that_it_lasted(visitor, code)
            seen = sorted({one.topic for one in visitor.came if not self._me.allows("receive", one.topic)})
        if seen:
            return self._proof(trial, "yes", f"{seen[0]} came")
        if code < REFUSED:
            how = "granted: what is chosen for it is lost to its group"
            return self._proof(trial, "yes", how, gap=self._grants_all)
        return self._proof(trial, "no", _said(code))

    async def _writing(self) -> AsyncIterator[Proof]:
        """Publish, each over a connection of its own: a broker may close one over what it refuses."""
        for trial in self._trials.writing():
            yield await self._write(trial)

    async def _write(self, trial: Trial) -> Proof:
        payload = self._witness.payload()
        async with self._visiting() as visitor:
            code = await visitor.publish(trial.topic, payload, retain=trial.retain)
            if trial.unseen and trial.retain and code < REFUSED:
                await visitor.publish(trial.topic, b"", retain=True)
        arrived = await self._witness.saw(payload)
        if trial.retain and arrived:
            await self._witness.clear(trial.topic)
        if trial.unseen and code < REFUSED:
            return self._proof(trial, "yes", _said(code))
        return self._proof(trial, "yes" if arrived else "no", "arrived" if arrived else _dropped(code))

    async def _will(self, trial: Trial) -> Proof:
        """Leave a will and vanish; then one that is allowed, which comes after it."""
        payload, after = self._witness.payload(), self._witness.payload()
        for topic, will in ((trial.topic, payload), (self._trials.own, after)):
            try:
                async with self._visiting(Message(topic, will, retain=trial.retain and will is payload)) as visitor:
                    await visitor.vanish()
            except BrokerRefusedError:
                if will is payload:
                    return self._proof(trial, "no", "not let in with it")
                raise
        if not await self._witness.saw(after, seconds=self._patience):
            self._patience = 0.0  # not even an own will is published, which is told as a command that is not
        arrived = await self._witness.saw(payload)
        if arrived and trial.retain:
            await self._witness.clear(trial.topic)
        return self._proof(trial, "yes" if arrived else "no", "published" if arrived else "not published")

    async def _bus(self, trial: Trial, told: str) -> Proof:
        """Ask the bus for what it has to refuse; ``told`` is the code with which it does."""
        if not self._witness.online:
            return self._proof(trial, "not tried", f"the bus {self._model.instance} is not online")
        token = self._witness.payload()
        async with self._visiting() as visitor:
            code = await visitor.publish(
                trial.topic, b"{}", retain=trial.retain, response_topic=trial.response, correlation=token
            )
        if code >= REFUSED:
            return self._proof(trial, "no", _said(code))
        reply = await self._witness.reply(token, asked=trial.topic)
        if trial.retain:
            await self._witness.clear(trial.topic)
        if reply is None:
            return self._proof(trial, "yes", "the bus did not answer that it is refused")
        if not self._me.allows("receive", reply.topic):
            return self._proof(trial, "yes", f"the bus answered on {reply.topic}")
        refused = told.encode() in reply.payload
        return self._proof(trial, "no" if refused else "yes", f"the bus says {told}" if refused else "the bus took it")

    def _check_that_it_lasted(self, visitor: Visitor, code: int) -> None:
        """Raise UnprovedError where nothing could come any more although it was granted."""
        if visitor.gone and code < REFUSED:
            message = (
                f"the broker ended the connection of {self._login.username} while it was tried what it can read: does "
                "somebody else use this login and client id?"
            )
            raise UnprovedError(message)

    def _proof(self, trial: Trial, does: Outcome, how: str, *, gap: bool = False) -> Proof:
        return Proof(
            owner=self._owner, attempt=trial.attempt, topic=trial.topic, may=trial.may, does=does, how=how, gap=gap
        )


async def _nobody(settings: MqttSettings, model: Model, witness: Witness) -> AsyncIterator[Proof]:
    """Try to get in without a login."""
    trial = Trial(attempt="read everything without a login", topic="#", may=False)
    probes = [f"{model.root}/{owner}/event/{trials.ADAPTER}/{witness.token}" for owner in model.owners]
    does: Outcome = "no"
    how = "not let in"
    try:
        async with visiting(settings, Login("", Secret("")), purpose="verify") as visitor:
            code = await visitor.subscribe(trial.topic)
            sent = await witness.publish(probes)
            await witness.settled()
            await visitor.caught_up()
            seen = any(came.payload == sent for came in visitor.came)
            does, how = ("yes", "came") if seen else ("no", _kept_out(code))
    except BrokerRefusedError:
        pass
    yield Proof(owner=NOBODY, attempt=trial.attempt, topic=trial.topic, may=False, does=does, how=how)


def _has(came: list[Came], topic: str, payload: bytes) -> bool:
    return any(one.topic == topic and one.payload == payload for one in came)


def _said(code: int) -> str:
    if code == CUT:
        return "cut off"
    return f"refused (0x{code:02x})" if code >= REFUSED else "accepted"


def _kept_out(code: int) -> str:
    return _said(code) if code >= REFUSED else "granted, and nothing comes"


def _dropped(code: int) -> str:
    return _said(code) if code >= REFUSED else "accepted, and dropped"
