"""Any sequence of what can happen to a lane, played with an eye on its rules."""

from math import inf

from hypothesis import strategies as st

from jitney.daemon.routing.lanes import Lane, Waiting
from tests.daemon.routing.doing import START, command, planned

Step = tuple[str, str, str, int, bool]
"""What happens, to which route, with an action for which adapter, after how many seconds, blocking or not."""

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "take", "done", "later", "wait", "reached"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["home", "base"]),
        st.integers(0, 20),
        st.booleans(),
    ),
    max_size=120,
)


class LaneGame:
    """A lane, and what was added to it, is taken out and is finished."""

    def __init__(self) -> None:
        self.lane = Lane()
        self.added: list[Waiting] = []
        self.finished: list[Waiting] = []
        self._now = START
        self._out: dict[str, Waiting] = {}

    def play(self, step: Step) -> None:
        what, route, adapter, seconds, blocking = step
        if what == "add":
            (one,) = planned(command("x", adapter=adapter, delay=seconds), route=route, now=self._now)
            self.added.append(Waiting(one, len(self.added), size=1))
            self.lane.add(self.added[-1])
        elif what == "take":
            self._take()
        elif what == "wait":
            self._now += seconds
        elif what == "reached":
            self.lane.reached(f"adapter {adapter}")
        elif route in self._out:
            item = self._out.pop(route)
            if what == "later":
                self.lane.later(item, self._now + seconds, blocking=blocking)
            else:
                self._done(item)

    def finish(self) -> None:
        """Let everything that was added come to its end."""
        for item in self._out.values():
            self._done(item)
        self._out.clear()
        while len(self.lane):
            item = self._take()
            if item is None:
                assert self._now < self.lane.next < inf
                self._now = self.lane.next
            else:
                self._done(self._out.pop(item.route))

    def _done(self, item: Waiting) -> None:
        self.finished.append(item)
        self.lane.done(item)

    def _take(self) -> Waiting | None:
        item = self.lane.take(self._now)
        if item is not None:
            assert item.route not in self._out
            assert max(item.due, item.again) <= self._now
            for one in self.added:
                if one < item and one not in self.finished and (one.route, one.place) == (item.route, item.place):
                    assert one.again > self._now
                    assert not one.blocking
            self._out[item.route] = item
        return item
