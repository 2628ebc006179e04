"""Python routes, for what rules cannot say: each file of each owner runs in a process of its own.

A file imports from here what it needs, and this is all that it needs::

    from jitney.daemon.scripts import Bus, Event, route

    @route(on="strava.activity.created", owner="alice")
    async def praise(event: Event, bus: Bus) -> None:
        await bus.notify("base", f"{event.data['name']}: well done!")
"""

from jitney.daemon.scripts.api import Bus, Event, RefusedError, route

__all__ = ["Bus", "Event", "RefusedError", "route"]
