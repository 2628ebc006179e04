"""What mosquitto thinks of the names of the tree, and of the properties of events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiomqtt
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from jitney.topics import Event, TopicTree, cloudevents
from jitney.topics.tree import Topic
from tests.conftest import StartBroker
from tests.fakes.mosquitto import Broker
from tests.topics.strategies import addresses, events, texts

NAMES = 40
ROUNDS = 5
TREE = TopicTree()
in_rounds = settings(
    max_examples=ROUNDS,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@pytest.fixture(scope="module")
def broker(mosquitto: StartBroker) -> Broker:
    return mosquitto()


@asynccontextmanager
async def connected(broker: Broker) -> AsyncIterator[aiomqtt.Client]:
    address = urlsplit(broker.url)
    async with (
        asyncio.timeout(30),
        aiomqtt.Client(str(address.hostname), address.port or 0, protocol=aiomqtt.ProtocolVersion.V5) as client,
    ):
        yield client


async def subscribe(client: aiomqtt.Client, address: Topic, number: int) -> None:
    levels = {field: getattr(address, field) for field in address.__struct_fields__}
    options = Properties(PacketTypes.SUBSCRIBE)  # type: ignore[no-untyped-call]
    options.SubscriptionIdentifier = number
    await client.subscribe(TREE.filter(type(address), **levels), properties=options)


async def publish(client: aiomqtt.Client, event: Event) -> None:
    options = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    options.UserProperty = cloudevents.properties(event)
    await client.publish("events", cloudevents.encode(event), qos=1, properties=options)


@pytest.mark.broker
@in_rounds
@given(st.lists(addresses, min_size=NAMES, max_size=NAMES, unique_by=TREE.name))
async def test_mosquitto_carries_every_name_and_delivers_it_to_its_filters_only(
    broker: Broker, found: list[Topic]
) -> None:
    async with connected(broker) as client:
        await asyncio.gather(*(subscribe(client, address, number) for number, address in enumerate(found, 1)))
        await asyncio.gather(*(client.publish(TREE.name(address), b"x", qos=1) for address in found))
        messages = client.messages
        for number, address in enumerate(found, 1):
            message = await anext(messages)
            assert TREE.parse(str(message.topic)) == address
            assert vars(message.properties)["SubscriptionIdentifier"] == [number]
        await client.publish("end", b"", qos=1)
        assert len(messages) == 0


@pytest.mark.broker
@in_rounds
@given(
    st.lists(events(texts.map(lambda text: text.encode("utf-8", "replace").decode())), min_size=NAMES, max_size=NAMES)
)
async def test_mosquitto_carries_the_properties_of_every_event(broker: Broker, found: list[Event]) -> None:
    async with connected(broker) as client:
        await client.subscribe("events", qos=1)
        await asyncio.gather(*(publish(client, event) for event in found))
        messages = client.messages
        for event in found:
            message = await anext(messages)
            assert vars(message.properties)["UserProperty"] == cloudevents.properties(event)
            assert message.payload == cloudevents.encode(event)
