"""The time zone of the house in the whole daemon."""

from pathlib import Path

import msgspec

from jitney.daemon.config.schema import BusSettings
from jitney.daemon.routes.settings import RouteSettings
from tests.daemon.running import config, observing, payload, running, tick
from tests.fakes.mosquitto import Broker


async def test_routes_go_by_the_zone_of_the_house(broker: Broker, tmp_path: Path) -> None:
    said = {"now": "{{ now().strftime('%z') }}", "epoch": "{{ 0 | timestamp_custom('%H:%M') }}"}
    route = msgspec.convert(
        {"name": "say", "on": "played.ticked", "do": [{"state": "said", "data": said}]}, RouteSettings
    )
    settings = config(broker.url, routes=(route,), bus=BusSettings(time_zone="Asia/Kathmandu"))
    async with observing(broker.port) as observer, running(settings, tmp_path) as daemon:
        await daemon.connected()
        await daemon.context().emit(tick(1))
        state = await observer.message("jitney/alice/state/route/said")
        assert msgspec.json.decode(payload(state)) == {"now": "+0545", "epoch": "05:30"}
