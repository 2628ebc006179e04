"""What a route wants done: everything that is needed later, and nothing more."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from jitney.adapters.errors import RefusedError
from jitney.daemon.routes.actions import (
    Action,
    Drop,
    Forward,
    Notify,
    PublishEvent,
    PublishState,
    Reply,
    SecretName,
    SendCommand,
    SetVariable,
    Webhook,
)
from jitney.daemon.routing.failures import LONGEST, FailedError, judge, pause
from jitney.daemon.routing.planned import NOBODY, Origin, Planned, decode, describe, destination, encode, place, plan
from jitney.topics import Command, InvalidTopicError, JitneyError
from jitney.topics.messages import ReplyAddress
from tests.daemon.routing.doing import START, event

EVERY: list[tuple[Action, str]] = [
    (
        SendCommand(adapter="home", command="call_service", data=Raw(b'{"a":[1,"\\u00e9"]}')),
        "command home.call_service",
    ),
    (PublishEvent(kind="long.ride", data=Raw(b"{}"), subject="s", source="r"), "publish long.ride"),
    (PublishState(subject="lamp", data=Raw(b"{}"), expiry=60), "state lamp"),
    (PublishState(subject="lamp"), "state lamp"),
    (Reply(text="pong"), "reply"),
    (Notify(target="home.phone", message="m", title="t"), "notify home.phone"),
    (
        Webhook(
            method="POST",
            url="https://user:pass@hooks.example.org/secret?token=1",
            secrets={"Authorization": SecretName("vault", "hook")},
            body=Raw(b"[1]"),
        ),
        "webhook POST https://hooks.example.org",
    ),
    (Forward(to="bob"), "forward bob"),
    (SetVariable(name="n", value=Raw(b"1"), expiry=9), "set n"),
    (Drop(), "drop"),
]


def one(action: Action, **fields: object) -> Planned:
    (planned,) = plan(event(**fields), [action], route="r", now=START, ttl=60)  # type: ignore[arg-type]
    return planned


@pytest.mark.parametrize("action", [action for action, _ in EVERY if not isinstance(action, Drop)])
def test_what_is_planned_is_the_same_when_it_was_on_disk(action: Action) -> None:
    planned = one(action, subject="door", hops=3)
    assert decode(encode(planned)) == planned
    assert (planned.owner, planned.route, planned.event_id) == ("alice", "r", "event-1")
    assert (planned.event_type, planned.adapter, planned.subject, planned.hops) == (
        "played.ticked",
        "played",
        "door",
        3,
    )


@pytest.mark.parametrize(("action", "words"), EVERY)
def test_what_an_action_does_is_told_in_the_words_of_the_file_and_without_secrets(action: Action, words: str) -> None:
    assert describe(action) == words


def test_a_delay_comes_before_the_time_to_live() -> None:
    planned = one(SendCommand(adapter="a", command="c", delay=7200))
    assert (planned.due, planned.until) == (START + 7200, START + 7260)


def test_to_drop_the_event_is_nothing_to_do_later() -> None:
    assert plan(event(), [Drop()], route="r", now=START, ttl=60) == []


def test_only_what_needs_the_event_has_it() -> None:
    assert one(Forward(to="bob")).event == event()
    assert one(SendCommand(adapter="a", command="c")).event is None


def test_whoever_gave_an_address_is_answered_there() -> None:
    address = ReplyAddress(response_topic="jitney/alice/reply/x/1", correlation=b"\x00\xff")
    (planned,) = plan(event(), [Reply(text="x")], route="r", now=START, ttl=60, address=address)
    assert decode(encode(planned)).origin == Origin(address=address)


HEARD = b'{"node":"!a1b2c3d4","to":"broadcast","packet_id":77,"channel":2,"text":"ping"}'


def test_the_sender_of_a_packet_is_answered_on_its_channel() -> None:
    planned = one(Reply(text="pong"), type="meshtastic.message", source="/base", data=Raw(HEARD))
    assert planned.origin == Origin(node="!a1b2c3d4", packet_id=77, channel=2)
    assert destination(planned) == "adapter base"
    own = one(Reply(text="pong"), type="meshtastic.message", source="/base", data=Raw(HEARD[:-1] + b',"own":true}'))
    assert own.origin == planned.origin


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("played.ticked", HEARD),
        ("inbox.message", HEARD),
        ("meshtastic.radio", b'{"state":"connected","node":"!a1b2c3d4"}'),
        ("meshtastic.message", b"[]"),
        ("meshtastic.message", b'{"node":7}'),
        ("meshtastic.message", b"{"),
    ],
)
def test_nobody_is_answered_who_did_not_send_a_packet(type_: str, data: bytes) -> None:
    assert one(Reply(text="pong"), type=type_, data=Raw(data)).origin == NOBODY


def test_what_goes_to_the_same_place_is_known_as_such() -> None:
    places = [
        destination(one(action))
        for action in (
            SendCommand(adapter="home", command="call_service"),
            Notify(target="home.phone", message="m"),
            Webhook(method="POST", url="https://h.example.org:8443/a?b"),
            Webhook(method="GET", url="https://h.example.org:8443/c"),
            Forward(to="bob"),
            PublishState(subject="a"),
            SetVariable(name="a"),
            Reply(text="x"),
        )
    ]
    hook = "webhook https://h.example.org:8443"
    assert places == ["adapter home", "adapter home", hook, hook, "owner bob", "bus", "bus", "bus"]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://h.example.org/hook/secret", "https://h.example.org"),
        ("https://h.example.org?token=secret", "https://h.example.org"),
        ("https://h.example.org#secret", "https://h.example.org"),
        ("https://alice:secret@h.example.org:8443/", "https://h.example.org:8443"),
    ],
)
def test_of_a_url_only_the_place_is_told(url: str, told: str) -> None:
    assert place(url) == told


@pytest.mark.parametrize(
    ("error", "code", "final", "blocking", "unsure"),
    [
        (RefusedError("not_allowed", "no"), "not_allowed", True, False, False),
        (RefusedError("offline", "no"), "offline", False, True, False),
        (RefusedError("timeout", "no"), "timeout", False, True, True),
        (RefusedError("not_found", "no"), "not_found", False, False, False),
        (FailedError("no_response", "no"), "no_response", False, True, False),
        (InvalidTopicError("no"), "invalid", True, False, False),
        (JitneyError("no"), "failed", False, False, False),
    ],
)
def test_an_error_says_whether_to_try_again(
    error: JitneyError, code: str, *, final: bool, blocking: bool, unsure: bool
) -> None:
    failure = judge(error)
    assert (failure.code, failure.reason) == (code, f"{code}: no")
    assert (failure.final, failure.blocking, failure.unsure) == (final, blocking, unsure)


@given(st.integers(1, 100_000), st.floats(0, 1e9))
def test_the_pause_grows_to_a_limit_and_is_never_shorter_than_asked_for(tries: int, after: float) -> None:
    seconds = pause(tries, after=after)
    limit = min(2.0 ** min(tries - 1, 16), LONGEST)
    assert max(limit / 2, min(after, LONGEST)) <= seconds <= max(limit, min(after, LONGEST))


def test_a_command_that_an_older_version_has_kept_can_be_read() -> None:
    kept = b'{"id":"1","owner":"alice","adapter":"home","name":"turn","data":{},"deadline":1.0}'
    command = msgspec.json.decode(kept, type=Command)
    assert (command.hops, command.causation) == (0, "")
