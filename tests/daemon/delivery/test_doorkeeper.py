"""The doorkeeper: who is let in, whose door is closed, and when it is opened again."""

from collections.abc import Collection, Sequence

from jitney.daemon.broker.session import Incoming, Subscription
from jitney.daemon.config.limits import LimitSettings, OwnLimits
from jitney.daemon.config.schema import Config, OwnerSettings
from jitney.daemon.counters import Counters
from jitney.daemon.delivery.doorkeeper import FIRST, LONGEST, TRIAL, Doorkeeper
from jitney.daemon.owners.limits import Limits
from jitney.topics import HOUSE, TopicTree

FEW = LimitSettings(inbox_per_second=10, inbox_burst=20, commands_per_second=5, command_burst=5)


class House:
    """A doorkeeper, what it hears of the broker, and what people are told; the clock stands until it is turned."""

    def __init__(self, settings: LimitSettings = FEW, **own: OwnLimits) -> None:
        self.now = 100.0
        self.heard: set[str] = set()
        self.told: dict[tuple[str, str], str] = {}
        self.counters = Counters()
        self.limits = Limits(config(settings, **own), clock=self.clock)
        self.keeper = Doorkeeper(
            TopicTree(),
            self.limits,
            connection=lambda: self,
            notice=self.notice,
            counters=self.counters,
            clock=self.clock,
        )
        self.keeper.serve({"alice", "bob", HOUSE})

    def clock(self) -> float:
        return self.now

    def notice(self, owner: str, door: str, message: str) -> None:
        self.told[owner, door] = message

    async def subscribe(self, subscriptions: Sequence[Subscription]) -> None:
        self.heard |= {one.pattern for one in subscriptions}

    async def unsubscribe(self, patterns: Collection[str]) -> None:
        self.heard -= set(patterns)

    def send(self, topic: str, number: int = 1, *, body: bytes = b"{}") -> list[str]:
        return [self.keeper.judge(Incoming(topic, body, retain=False, packet_id=1)) for _ in range(number)]

    async def flood(self) -> None:
        """Send until the inbox of alice is closed."""
        self.send("jitney/alice/inbox/flow/x", 100)
        await self.keeper.settle()


def config(settings: LimitSettings, **own: OwnLimits) -> Config:
    owners = {owner: OwnerSettings(id=owner, limits=own.get(owner, OwnLimits())) for owner in ("alice", "bob")}
    return Config(limits=settings, owners=owners)


async def test_every_owner_has_two_doors_and_they_are_open() -> None:
    house = House()
    await house.keeper.settle()
    assert house.heard == {
        f"jitney/{owner}/{word}/+/+" for owner in ("alice", "bob", HOUSE) for word in ("inbox", "command")
    }


async def test_what_is_over_the_limit_is_refused_counted_and_told_only_as_long_as_that_is_little() -> None:
    house = House()
    verdicts = house.send("jitney/alice/inbox/flow/x", 28)
    assert verdicts == ["admitted"] * 20 + ["answered"] * 5 + ["refused"] * 3
    assert house.counters.total("dropped", owner="alice", adapter="inbox", reason="rate_limited") == 8
    assert house.send("jitney/alice/command/home/x") == ["admitted"]
    assert house.send("jitney/bob/inbox/flow/x", 20) == ["admitted"] * 20
    await house.keeper.settle()
    assert "jitney/alice/inbox/+/+" in house.heard
    assert house.told == {}


async def test_what_is_no_door_of_anybody_is_let_through() -> None:
    house = House()
    for topic in ("jitney/_bus/main/request/erase_owner", "jitney/mallory/inbox/a/b", "homeassistant/status", "jitney"):
        assert house.send(topic, 500) == ["admitted"] * 500


async def test_whoever_goes_on_is_not_heard_and_the_others_are() -> None:
    house = House()
    await house.flood()
    assert "jitney/alice/inbox/+/+" not in house.heard
    assert len(house.heard) == 5
    assert "not taken for 10 s" in house.told["alice", "inbox"]
    assert "raise inbox_per_second in [limits]" in house.told["alice", "inbox"]
    assert house.keeper.closed == 1
    standing = house.keeper.standings()["alice"]["inbox"]
    assert (standing.limit, standing.burst, standing.refused, standing.closed) == (10, 20, 80, FIRST)
    house.now += 5
    assert set(house.send("jitney/alice/inbox/flow/x", 9)) == {"answered", "refused"}  # what was still on its way


async def test_a_closed_door_is_opened_again_and_told_so_when_it_has_stayed_open() -> None:
    house = House()
    await house.flood()
    house.now += FIRST
    await house.keeper.settle()
    assert "jitney/alice/inbox/+/+" in house.heard
    assert house.told["alice", "inbox"]
    assert house.send("jitney/alice/inbox/flow/x", 11) == ["admitted"] * 10 + ["answered"]  # and not 20 at once
    house.now += TRIAL
    await house.keeper.settle()
    assert house.told["alice", "inbox"] == ""


async def test_a_door_stays_closed_longer_each_time_up_to_a_limit() -> None:
    house = House()
    pauses = []
    for _ in range(8):
        await house.flood()
        pauses.append(house.keeper.standings()["alice"]["inbox"].closed)
        house.now += pauses[-1]
        await house.keeper.settle()
        house.now += TRIAL
        await house.keeper.settle()
    assert pauses == [10, 20, 40, 80, 160, LONGEST, LONGEST, LONGEST]
    house.now += LONGEST
    await house.flood()
    assert house.keeper.standings()["alice"]["inbox"].closed == FIRST


async def test_somebody_who_is_a_little_over_the_limit_is_refused_a_little_and_never_shut_out() -> None:
    house = House()
    verdicts = []
    for _ in range(1000):
        house.now += 1 / 12
        verdicts += house.send("jitney/alice/inbox/flow/x")
    assert 0.8 < verdicts.count("admitted") / len(verdicts) < 0.87
    await house.keeper.settle()
    assert "jitney/alice/inbox/+/+" in house.heard


async def test_many_bytes_are_too_many_however_few_the_messages() -> None:
    house = House(LimitSettings(inbox_per_second=0, inbox_kb_per_second=100))
    big = b"x" * 400_000
    assert [one == "admitted" for one in house.send("jitney/alice/inbox/flow/x", 6, body=big)] == [True] * 4 + [
        False
    ] * 2
    house.send("jitney/alice/inbox/flow/x", 200, body=big)
    await house.keeper.settle()
    assert "more came than 100 KB a second" in house.told["alice", "inbox"]
    assert "inbox_kb_per_second" in house.told["alice", "inbox"]


async def test_other_limits_open_a_closed_door_at_once_for_those_whose_limits_they_are() -> None:
    house = House()
    await house.flood()
    house.limits.use(config(FEW, bob=OwnLimits(inbox_per_second=50)))
    house.keeper.serve({"alice", "bob", HOUSE})
    await house.keeper.settle()
    assert "jitney/alice/inbox/+/+" not in house.heard
    house.limits.use(config(FEW, alice=OwnLimits(inbox_per_second=0)))
    house.keeper.serve({"alice", "bob", HOUSE})
    await house.keeper.settle()
    assert "jitney/alice/inbox/+/+" in house.heard
    assert set(house.send("jitney/alice/inbox/flow/x", 1000)) == {"admitted"}


async def test_somebody_who_is_removed_is_not_heard_and_told_nothing_any_more() -> None:
    house = House()
    await house.flood()
    house.keeper.serve({"bob", HOUSE})
    await house.keeper.settle()
    assert {pattern.split("/")[1] for pattern in house.heard} == {"bob", HOUSE}
    assert house.told["alice", "inbox"] == ""
    house.keeper.serve({"alice", "bob", HOUSE})
    await house.keeper.settle()
    assert "jitney/alice/inbox/+/+" in house.heard
