"""What a Home Assistant is for: values of the right person, events as they happen, commands that arrive."""

import json
from collections.abc import Mapping
from typing import Any, Final

from meshtastic.protobuf import mesh_pb2, portnums_pb2

from bench.discovery_bench import SOON, Bench, settled, whose
from bench.discovery_house import KILOMETRES, PLACES, RADIOS, ROOT
from bench.home_entities import Key, Shown, Told
from bench.lab import LabError
from bench.record import Recorder

MESSAGE: Final = 'It\'s "19:30" \\ at the hut\n{{ 1 }} <b> déjà vu 🏔'
WORD: Final = "Öak"
"""What is typed: no more than the shortest name may have."""

REPLY_SECONDS: Final = 60.0

_TEXT: Final = portnums_pb2.PortNum.TEXT_MESSAGE_APP
_PLACE: Final = 0.001
"""Degrees."""

_ASKING: Final[dict[str, str]] = {
    "button": "press",
    "notify": "send_message",
    "text": "set_value",
    "select": "select_option",
}


async def people_with_equal_names(bench: Bench) -> None:
    """Check that equal names of things do not mix what they are."""
    found = await bench.look()
    mine, theirs = ([_named(entity) for key, entity in found.items() if whose(key)[0] == owner] for owner in RADIOS)
    problems = [] if sorted(mine) == sorted(theirs) else [f"not the same: {sorted({*mine} ^ {*theirs})[:5]}"]
    bench.verdict.say(f"two people have {len(mine)} and {len(theirs)} entities of equal names", problems)

    async def mixed() -> list[str]:
        now = await bench.look()
        return [problem for owner in RADIOS for problem in wrong_values(now, owner)]

    seconds, problems = await settled(mixed, within=SOON)
    bench.verdict.say("each of them sees places and distances of their own", problems, seconds=seconds)


def wrong_values(found: Mapping[Key, Shown], owner: str) -> list[str]:
    """Return what an owner's trackers and distances show that is not theirs, in words."""
    other = next(one for one in RADIOS if one != owner)
    ours = {key: entity for key, entity in found.items() if whose(key)[0] == owner}
    places = [
        (entity.attributes["latitude"], entity.attributes["longitude"])
        for key, entity in ours.items()
        if key[0] == "device_tracker" and whose(key)[1] == RADIOS[owner] and "latitude" in entity.attributes
    ]
    kilometres = {
        round(float(entity.state or 0), 1)
        for entity in ours.values()
        if entity.traits.device_class == "distance" and entity.traits.unit == "km" and _is_number(entity.state)
    }
    problems = [f"a tracker of {owner} is at {place}" for place in places if not _near(place, PLACES[owner])]
    if not places:
        problems.append(f"no tracker of {owner} is anywhere")
    if KILOMETRES[owner] not in kilometres or KILOMETRES[other] in kilometres:
        problems.append(f"distances of {owner}: {sorted(kilometres)} km")
    return problems


async def pictures(bench: Bench) -> None:
    """Check that the photos of both people can be seen, by way of Home Assistant."""

    async def unseen() -> list[str]:
        found = await bench.look()
        images = {
            owner: [one for key, one in found.items() if key[0] == "image" and whose(key)[0] == owner]
            for owner in RADIOS
        }
        problems = [f"{owner} has no image" for owner, theirs in images.items() if not theirs]
        for owner, theirs in images.items():
            for image in theirs:
                if not image.available:
                    problems.append(f"{image.entity_id} is {image.state}")
                elif await bench.client.picture(image.attributes["entity_picture"]) != bench.house.photos[owner]:
                    problems.append(f"{image.entity_id} is not the photo of {owner}")
        return problems

    seconds, problems = await settled(unseen, within=SOON)
    bench.verdict.say("each of them sees photos of their own", problems, seconds=seconds)


async def events(bench: Bench) -> None:
    """Let things happen to one person, and check that only their event entities tell it."""
    await _happens(bench, "a text on the mesh", "message", lambda: bench.house.hikers["alice"].text("on my way"))
    await _happens(bench, "an activity at Strava", "activity.created", lambda: bench.house.ride("alice"))
    bench.complaints("events")


async def commands(bench: Bench) -> None:
    """Use everything of alice's that can be used, and check that it is carried out."""
    shown = await bench.look()
    usable = [
        (entity, shown[key])
        for key, entity in sorted(bench.announced.items())
        if whose(key)[0] == "alice" and entity.command and key in shown and shown[key].available
    ]
    platforms = {entity.platform for entity, _ in usable}
    problems = [f"alice has no {platform}" for platform in sorted(bench.usable - platforms)]
    async with Replies(bench.house.broker.port) as replies:
        for entity, there in usable:
            problems += [
                f"{there.entity_id}: {problem}" for problem in await _carried_out(bench, entity, there, replies)
            ]
    bench.verdict.say(f"{len(usable)} things to press, choose and type in do what they say", problems)
    bench.complaints("commands")


class Replies(Recorder):
    """The answers that alice gets, up inside ``async with``."""

    def __init__(self, port: int) -> None:
        super().__init__(port, f"{ROOT}/alice/reply/#", lambda _topic, payload: self.all.append(json.loads(payload)))
        self.all: list[dict[str, Any]] = []

    async def after(self, number: int) -> dict[str, Any] | None:
        """Return the answer after so many, None when it does not come."""
        there = await self.until(lambda: len(self.all) > number, patience=REPLY_SECONDS)
        return self.all[number] if there else None


async def _carried_out(bench: Bench, entity: Told, there: Shown, replies: Replies) -> list[str]:
    """Use an entity, and return what did not happen as it should, in words."""
    radio, other = (bench.house.radios[owner] for owner in RADIOS)
    answered, texts, elsewhere = len(replies.all), len(_texts(radio.sent)), len(other.sent)
    try:
        await use(bench, entity, there)
    except LabError as error:
        return [str(error)]
    reply = await replies.after(answered)
    if reply is None:
        return [f"nobody answered {entity.command}"]
    if reply["status"] != "ok":
        return [f"{entity.command} was refused: {reply['error']}"]
    problems = ["bob's radio has sent something"] if len(other.sent) > elsewhere else []
    if entity.platform == "notify":

        async def unsent() -> list[str]:
            sent = _texts(radio.sent)[texts:]
            return [] if sent == [MESSAGE] else [f"the radio sent {sent}"]

        problems += (await settled(unsent, within=SOON))[1]
    return problems


async def use(bench: Bench, entity: Told, there: Shown) -> None:
    """Do with an entity what it is for; raises LabError when Home Assistant refuses."""
    data: dict[str, object] = {}
    match entity.platform:
        case "notify":
            data = {"message": MESSAGE}
        case "text":
            data = {"value": WORD}
        case "select":
            data = {"option": next(option for option in entity.options if option != there.state)}
    await bench.client.call(entity.platform, _ASKING[entity.platform], there.entity_id, **data)


async def _happens(bench: Bench, what: str, kind: str, begin: Any) -> None:  # noqa: ANN401 - whatever it returns
    """Let something happen to alice, and check which event entities tell it."""
    before = await bench.look()
    telling = {key for key, entity in bench.announced.items() if key[0] == "event" and kind in entity.options}
    begin()

    async def silent() -> list[str]:
        now = await bench.look()
        told = [key for key in telling if now[key].state != before[key].state]
        problems = [f"told by {now[key].entity_id}" for key in told if whose(key)[0] != "alice"]
        problems += [
            f"{now[key].entity_id} tells {now[key].attributes.get('event_type')}"
            for key in told
            if now[key].attributes.get("event_type") != kind
        ]
        return problems if told else ["no event entity tells it"]

    seconds, problems = await settled(silent, within=SOON)
    bench.verdict.say(f"{what} is an event", problems, seconds=seconds)


def _named(entity: Shown) -> tuple[str, str, str]:
    return entity.key[0], entity.traits.device_name, entity.traits.name


def _texts(sent: list[mesh_pb2.MeshPacket]) -> list[str]:
    return [packet.decoded.payload.decode() for packet in sent if packet.decoded.portnum == _TEXT]


def _near(place: tuple[float, float], wanted: tuple[float, float]) -> bool:
    return all(abs(one - other) < _PLACE for one, other in zip(place, wanted, strict=True))


def _is_number(state: str | None) -> bool:
    try:
        float(state or "")
    except ValueError:
        return False
    return True
