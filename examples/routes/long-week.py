"""When alice's rides of a week come to 100 km together, everybody on the mesh and her phone hear of it, once.

No rule can say that: it takes the sum of what came before, and rides that are edited or deleted later count anew. Put
this file beside the configuration, name it there, and change what is in capitals, and whose rides they are:

    [routing]
    python = ["long-week.py"]

Then `jitney check` tells whether it fits, and runs the tests below. What it prints goes into the log.
"""

from datetime import date

from jitney.daemon.scripts import Bus, Event, route

GOAL = 100_000
"""Metres."""

RADIO = "base"
PHONE = "home.mobile_app_alice_phone"
"""The notify service of her phone, which Home Assistant lists under Developer tools, Actions."""


@route(
    owner="alice",
    on=["strava.activity.created", "strava.activity.updated", "strava.activity.deleted"],
    tests=[
        {"event": {"type": "strava.activity.created", "data": {"id": 1}}, "expect": [{"python": "long_week"}]},
        {"event": {"type": "strava.athlete.updated", "data": {"id": 1}}, "expect": "nothing"},
    ],
)
async def long_week(event: Event, bus: Bus) -> None:
    """Keep the rides of the newest week by their ids, and tell when they are enough."""
    weeks: dict[str, list[float]] = bus.get("rides", {})
    ride = str(event.data["id"])
    weeks.pop(ride, None)
    if counts(event):
        weeks[ride] = [week(event.data["start_local"]), event.data.get("distance", 0)]
    newest = max((number for number, _ in weeks.values()), default=0)
    rides = {ride: entry for ride, entry in weeks.items() if entry[0] == newest}
    bus.set("rides", rides)
    total = sum(metres for _, metres in rides.values())
    if total >= GOAL and bus.get("rides_told") != newest:
        text = f"{event.owner_name} rode {total / 1000:.0f} km this week"
        await bus.notify(RADIO, text)
        await bus.notify(PHONE, f"In {len(rides)} rides, the goal was {GOAL / 1000:.0f} km", title=text)
        bus.set("rides_told", newest)


def counts(event: Event) -> bool:
    """Tell whether an activity is a ride that others may know of."""
    there = event.kind != "activity.deleted" and "start_local" in event.data
    return there and event.data["sport"] == "ride" and not event.data.get("only_me")


def week(day: str) -> int:
    """Return the year and the number of the week of a day, as in 202647."""
    year, number, _ = date.fromisoformat(day[:10]).isocalendar()
    return year * 100 + number
