"""The names that adapters and third parties build on."""

import jitney.topics
from jitney import topics
from jitney.topics import Reply, ReplyError, errors


def test_the_public_names_are_these() -> None:
    assert sorted(topics.__all__) == [
        "Command",
        "EMPTY",
        "Event",
        "EventData",
        "HOUSE",
        "InvalidOwnerError",
        "InvalidPayloadError",
        "InvalidTopicError",
        "JitneyError",
        "Kinds",
        "MAX_HOPS",
        "RESERVED",
        "Reply",
        "ReplyError",
        "State",
        "TopicTree",
        "UNCLAIMED",
        "derived_id",
        "event",
        "made_at",
        "new_id",
        "rfc3339",
        "utc_now",
    ]


def test_every_public_name_exists() -> None:
    assert [name for name in topics.__all__ if not hasattr(jitney.topics, name)] == []


def test_every_error_of_this_layer_is_a_jitney_error() -> None:
    found = [value for name, value in vars(errors).items() if name.endswith("Error")]
    assert len(found) == 4
    assert all(issubclass(error, errors.JitneyError) for error in found)


def test_a_reply_says_ok_with_data_or_why_not() -> None:
    assert Reply.ok() == Reply(status="ok")
    assert bytes(Reply.ok({"a": 1}).data) == b'{"a":1}'
    assert Reply.failed("busy", "later") == Reply(status="error", error=ReplyError("busy", "later"))
