"""What is said on the bus: owners, topic names, messages and their encodings."""

from jitney.topics.errors import InvalidOwnerError, InvalidPayloadError, InvalidTopicError, JitneyError
from jitney.topics.ids import derived_id, made_at, new_id
from jitney.topics.kinds import Kinds
from jitney.topics.messages import EMPTY, MAX_HOPS, Command, Event, EventData, Reply, ReplyError, State, event
from jitney.topics.owners import HOUSE, RESERVED, UNCLAIMED
from jitney.topics.times import rfc3339, utc_now
from jitney.topics.tree import TopicTree

__all__ = [
    "EMPTY",
    "HOUSE",
    "MAX_HOPS",
    "RESERVED",
    "UNCLAIMED",
    "Command",
    "Event",
    "EventData",
    "InvalidOwnerError",
    "InvalidPayloadError",
    "InvalidTopicError",
    "JitneyError",
    "Kinds",
    "Reply",
    "ReplyError",
    "State",
    "TopicTree",
    "derived_id",
    "event",
    "made_at",
    "new_id",
    "rfc3339",
    "utc_now",
]
