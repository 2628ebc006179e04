"""The broker: whether it is there, lets us in and allows what the bus needs, and what it says of itself."""

from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_address
from secrets import token_hex
from typing import Final
from urllib.parse import urlsplit

from jitney.adapters.base import Found
from jitney.daemon.broker.refusals import explain
from jitney.daemon.broker.session import REFUSED, BrokerRefusedError, BrokerUnreachableError
from jitney.daemon.broker.sessions.transport import endpoint
from jitney.daemon.config.schema import Config, MqttSettings
from jitney.daemon.config.urls import TLS
from jitney.daemon.delivery.administration import BUS
from jitney.daemon.service.doctor import mosquitto
from jitney.daemon.service.doctor.case import Case, Heard
from jitney.daemon.service.doctor.visibility import announced
from jitney.daemon.service.doctor.visit import Greeting, Visit, visit
from jitney.topics import HOUSE, TopicTree
from jitney.topics.tree import AlertTopic, BusTopic, CommandTopic, InboxTopic, ReplyTopic, RequestTopic, StatusTopic

CLIENT: Final = "doctor"
"""The level of the reply topics on which it is tried what may be published; nobody else reads them."""

MOST_OWNERS: Final = 50
"""Owners for whom it is tried; with more of them the others are taken to be like these."""

MOST_NAMED: Final = 3
"""Topics that are named where there are more."""

_VERSION: Final = "$SYS/broker/version"
_OWN: Final = (_VERSION, "$SYS/brokers/+/version", "$SYS/broker/publish/messages/dropped")
_OVERHEAD: Final = 2048
"""Bytes that a message has besides its event: topic and properties."""

_ALLOW: Final = "let Jitney's user read and write {root}/# in the broker's access rules"


async def look(case: Case) -> AsyncIterator[Found]:
    """Yield how the broker is, and let the other checks know what it retains."""
    settings = case.config.mqtt
    try:
        if settings.url.startswith("embedded:"):
            yield Found("note", "the broker is inside the daemon, for trying things out: it cannot be looked at")
            return
        for found in _openness(settings):
            yield found
        if case.offline:
            yield Found("note", f"{settings.url} was not tried: --offline")
            return
        async for found in _visited(case):
            yield found
    except BrokerUnreachableError as error:
        yield Found("problem", str(error), "until it is back, durable events wait on disk")
    except BrokerRefusedError as error:
        yield Found("problem", str(error))
    finally:
        case.tell(Heard())


async def _visited(case: Case) -> AsyncIterator[Found]:
    config, tree = case.config, case.tree
    async with visit(config.mqtt) as there:
        async for found in _readable(there, case):
            yield found
        yield Found("ok", _let_in(there, config.mqtt))
        for found in (*_limits(there.greeting, config), *_drops(there)):
            yield found
        if there.retained.get(_VERSION, b"").startswith(b"mosquitto") and is_near(config.mqtt.url):
            for found in mosquitto.look(case.root, port=endpoint(config.mqtt.url).port):
                yield found
        async for found in _writable(there, config, tree):
            yield found


def is_near(url: str) -> bool:
    """Tell whether a broker is on this machine."""
    parts = urlsplit(url)
    try:
        return parts.scheme == "unix" or parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _openness(settings: MqttSettings) -> Iterator[Found]:
    """Yield what somebody else on the network could see."""
    far = not is_near(settings.url)
    if far and settings.username and urlsplit(settings.url).scheme not in TLS:
        remedy = "use mqtts://, or a broker on this machine"
        yield Found("warning", "the password and everything else goes to the broker unencrypted", remedy)
    if not settings.username and not settings.cert_file:
        remedy = "give each program a user and a password there, and Jitney's as mqtt.username and mqtt.password"
        yield Found(
            "note", "Jitney signs in to the broker as nobody: if it lets others in too, they can read all", remedy
        )


async def _readable(there: Visit, case: Case) -> AsyncIterator[Found]:
    """Subscribe to what the bus reads, let the others know what is retained, and yield what is refused."""
    config, tree = case.config, case.tree
    needed = [
        tree.filter(CommandTopic),
        tree.filter(InboxTopic),
        tree.filter(RequestTopic, instance=config.bus.instance),
        tree.filter(BusTopic, instance=config.bus.instance),
        tree.filter(StatusTopic),
        tree.filter(AlertTopic),
        tree.filter(ReplyTopic, client=CLIENT),
        *announced(config, tree),
    ]
    codes = await there.subscribe([*needed, *_OWN])
    await there.quiet()
    case.tell(Heard(reached=True, retained=there.retained))
    for pattern, code in zip(needed, codes, strict=False):
        if code >= REFUSED:
            yield Found("problem", f"may not read {pattern}: {explain(code).text}", _ALLOW.format(root=tree.root))


async def _writable(there: Visit, config: Config, tree: TopicTree) -> AsyncIterator[Found]:
    """Publish where nobody reads, for every owner, and yield what does not come back."""
    token = token_hex(8)
    owners = [HOUSE, *config.owners][:MOST_OWNERS]
    sent: list[tuple[str, bytes]] = []
    well = True
    for owner in owners:
        topic = tree.name(ReplyTopic(owner, CLIENT, token))
        code = await there.publish(topic, token.encode())
        if code >= REFUSED:
            well = False
            remedy = _ALLOW.format(root=tree.root)
            yield Found("problem", f"may not publish below {tree.root}/{owner}/: {explain(code).text}", remedy)
        else:
            sent.append((topic, token.encode()))
    if missing := await there.missing(sent):
        well = False
        listed = ", ".join(missing[:MOST_NAMED])
        text = f"what is published below {tree.root}/ does not come back ({listed}): access rules drop it"
        yield Found("problem", text, _ALLOW.format(root=tree.root))
    if well:
        yield Found("ok", f"may read and write below {tree.root}/, for {len(owners)} owners")
        if there.greeting.retain:
            yield await _keeps(there, tree, config.bus.instance)


async def _keeps(there: Visit, tree: TopicTree, instance: str) -> Found:
    """Retain something, ask for it and remove it."""
    topic, token = f"{tree.root}/{BUS}/{instance}/response/{CLIENT}-{token_hex(4)}", token_hex(8).encode()
    code = await there.publish(topic, token, retain=True)
    try:
        await there.subscribe([topic])
        kept = not await there.missing([(topic, token)])
    finally:
        await there.publish(topic, b"", retain=True)
    if kept and topic in there.retained:
        return Found("ok", "keeps retained messages")
    why = explain(code).text if code >= REFUSED else "it does not give them back"
    return Found("problem", f"keeps no retained messages ({why}): no state would be seen", "allow them in the broker")


def _let_in(there: Visit, settings: MqttSettings) -> str:
    said = [payload for topic, payload in there.retained.items() if topic.startswith("$SYS/") and "version" in topic]
    version = f" ({said[0].decode(errors='replace')[:80]})" if said else ""
    user = f"lets {settings.username} in" if settings.username else "lets us in"
    return f"{there.place} {user} and speaks MQTT {there.greeting.protocol}{version}"


def _limits(greeting: Greeting, config: Config) -> Iterator[Found]:
    if greeting.protocol != "5":
        text = f"with MQTT {greeting.protocol} the broker does not say what it refuses, and lets no event expire"
        remedy = "" if config.mqtt.protocol == "3.1.1" else "a newer broker speaks MQTT 5 (mosquitto since 1.6)"
        yield Found("note", text, remedy)
        return
    if not greeting.retain:
        yield Found("problem", "keeps no retained messages, which the bus needs", "allow them in the broker")
    if not greeting.most_qos:
        yield Found("problem", "offers no QoS 1, which the bus needs", "allow it in the broker")
    if not greeting.wildcards:
        yield Found("problem", "allows no wildcards in subscriptions, which the bus needs", "allow them in the broker")
    longest = config.outbox.event_kb * 1024 + _OVERHEAD
    if greeting.packet_bytes and greeting.packet_bytes < longest:
        text = (
            f"takes packets of {greeting.packet_bytes} bytes at most, and an event can have {config.outbox.event_kb} KB"
        )
        fitting = max(4, (greeting.packet_bytes - _OVERHEAD) // 1024)
        yield Found("warning", text, f"raise it there (mosquitto: max_packet_size), or set outbox.event_kb = {fitting}")
    packet = f"packets of {greeting.packet_bytes} bytes" if greeting.packet_bytes else "packets of any length"
    yield Found("ok", f"takes {packet}, and {min(greeting.receive_max, config.mqtt.window)} messages at once")


def _drops(there: Visit) -> Iterator[Found]:
    """Yield what mosquitto says of its queues."""
    dropped = there.retained.get("$SYS/broker/publish/messages/dropped", b"").decode(errors="replace")
    if dropped.isascii() and dropped.isdigit() and int(dropped):
        text = f"has dropped {int(dropped)} messages since it was started: some client was away or slow for too long"
        yield Found("note", text, "raise max_queued_messages in mosquitto.conf, or find the client")
