"""What is kept of somebody, as it is given away."""

import pytest

from jitney.daemon.service.holdings import readable

ALERT = b'{"message":"sign in again","link":"https://bus.example.org/strava/connect/alice/secret"}'


@pytest.mark.parametrize("topic", ["jitney/alice/alert/strava.sign_in", "house/bus/alice/alert/strava.sign_in"])
def test_the_link_of_an_alert_is_not_in_it(topic: str) -> None:
    record = readable({"topic": topic, "adapter": "strava", "payload": ALERT})
    assert record == {"topic": topic, "adapter": "strava", "payload": {"message": "sign in again"}}


def test_any_other_value_is_said_whole() -> None:
    topic = "jitney/alice/state/strava/latest"
    assert readable({"topic": topic, "payload": b'{"link":"x"}'})["payload"] == {"link": "x"}
    assert readable({"topic": topic, "payload": b"\xff"})["payload"] == {"base64": "/w=="}
    assert readable({"topic": "jitney/alice/alert/x", "payload": b""})["payload"] == ""
