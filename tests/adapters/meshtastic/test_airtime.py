"""How busy the air is, and who may still send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.meshtastic.airtime import FRESH, REFUSED, Airtime
from jitney.adapters.meshtastic.limits import Limits
from jitney.adapters.meshtastic.outgoing import Priority
from tests.adapters.meshtastic.sending import LIMITS, measured

EVERYTHING = set(Priority)
NOW = 50.0


def allowed(airtime: Airtime, now: float = NOW) -> set[Priority]:
    return {priority for priority in Priority if not airtime.holds(priority, now)}


def airtime(limits: Limits = LIMITS, region: str = "", **metrics: object) -> Airtime:
    made = Airtime(limits)
    made.region(region)
    made.heard(measured(**metrics).packet, NOW)
    return made


@pytest.mark.parametrize(
    ("percent", "may"),
    [
        (0.0, EVERYTHING),
        (25.0, EVERYTHING),
        (25.1, {Priority.ALERT, Priority.DIRECT_TEXT}),
        (40.0, {Priority.ALERT, Priority.DIRECT_TEXT}),
        (40.1, {Priority.ALERT}),
        (100.0, {Priority.ALERT}),
    ],
)
def test_the_busier_the_channel_the_fewer_may_send(percent: float, may: set[Priority]) -> None:
    assert allowed(airtime(channelUtilization=percent)) == may


def test_the_limits_can_be_configured() -> None:
    limits = Limits(busy_above=10, alerts_only_above=20)
    assert allowed(airtime(limits, channelUtilization=12)) == {Priority.ALERT, Priority.DIRECT_TEXT}
    assert allowed(airtime(limits, channelUtilization=21)) == {Priority.ALERT}


@pytest.mark.parametrize(
    ("region", "used", "may"),
    [
        ("EU_868", 7.9, EVERYTHING),
        ("EU_868", 8.0, {Priority.ALERT, Priority.DIRECT_TEXT}),
        ("EU_868", 10.0, set()),
        ("EU_433", 10.0, set()),
        ("EU_866", 2.4, {Priority.ALERT, Priority.DIRECT_TEXT}),
        ("EU_866", 2.5, set()),
        ("US", 90.0, EVERYTHING),
    ],
)
def test_the_region_limits_how_much_the_radio_sends(region: str, used: float, may: set[Priority]) -> None:
    assert allowed(airtime(region=region, airUtilTx=used)) == may


def test_a_configured_duty_cycle_goes_before_the_regions() -> None:
    assert allowed(airtime(Limits(duty_cycle=1.0), region="EU_868", airUtilTx=1.0)) == set()


def test_a_measurement_counts_only_while_it_is_fresh() -> None:
    made = airtime(region="EU_868", channelUtilization=90, airUtilTx=10.0)
    assert allowed(made, NOW + FRESH - 1) == set()
    assert allowed(made, NOW + FRESH) == EVERYTHING
    assert made.utilisation(NOW) == 90
    assert made.utilisation(NOW + FRESH) == 0


def test_local_statistics_count_as_well_and_the_newest_measurement_of_each_holds() -> None:
    made = airtime(channelUtilization=50)
    made.heard({"decoded": {"telemetry": {"localStats": {"channelUtilization": 3.5, "airUtilTx": 0.1}}}}, NOW)
    assert made.utilisation(NOW) == 3.5
    made.heard(measured(airUtilTx=0.2).packet, NOW)
    assert made.utilisation(NOW) == 3.5


def test_a_radio_that_refuses_for_its_duty_cycle_is_left_alone_for_a_while() -> None:
    made = airtime()
    made.refused(NOW)
    assert allowed(made, NOW + REFUSED - 1) == set()
    assert allowed(made, NOW + REFUSED) == EVERYTHING


@pytest.mark.parametrize("value", ["NaN", "Infinity", float("nan"), float("inf"), -1, True, None, {}])
def test_what_is_no_percentage_is_left_out(value: object) -> None:
    assert allowed(airtime(region="EU_868", channelUtilization=value, airUtilTx=value)) == EVERYTHING


_junk = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.dictionaries(
        st.sampled_from(["decoded", "telemetry", "deviceMetrics", "localStats", "airUtilTx", "channelUtilization"]),
        inner,
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.just("decoded"), _junk))
def test_no_packet_is_too_strange(packet: dict[str, object]) -> None:
    made = Airtime(LIMITS)
    made.heard(packet, NOW)
    assert Priority.ALERT in allowed(made)
