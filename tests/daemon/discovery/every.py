"""A device with an entity of every type, and devices of any kind."""

from typing import Any, Final

from hypothesis import strategies as st

from jitney.adapters.entities import (
    AnyEntity,
    At,
    BinarySensor,
    Button,
    Device,
    DeviceTracker,
    EventEntity,
    Image,
    Notify,
    OfBus,
    OfStatus,
    Select,
    Sensor,
    Source,
    Text,
    Update,
)

STATE: Final = "node/!a1b2c3d4"

ENTITIES: Final[tuple[AnyEntity, ...]] = (
    Sensor(
        key="battery",
        name="Battery",
        value=At(STATE, "device.battery"),
        unit="%",
        device_class="battery",
        state_class="measurement",
        category="diagnostic",
        expires=7200,
    ),
    Sensor(
        key="distance",
        name="Distance",
        value=At(STATE, "distance"),
        unit="m",
        shown_as=("km", "mi"),
        device_class="distance",
        state_class="measurement",
        precision=1,
    ),
    Sensor(
        key="pace",
        name="Pace",
        value=At(STATE, "speed"),
        unit="min/km",
        expression="16.667 / value if value else none",
        system="metric",
    ),
    Sensor(
        key="role",
        name="Role",
        value=At(STATE, "role"),
        device_class="enum",
        options=("client", "router"),
        category="diagnostic",
        enabled=False,
    ),
    Sensor(key="heard", name="Last heard", value=At(STATE, "heard"), device_class="timestamp", icon="mdi:ear-hearing"),
    Sensor(key="message", name="Last message", value=At("inbox", "0.text"), attributes=At("inbox", "0")),
    Sensor(key="reason", name="Reason", value=OfStatus("reason"), needs="bus", category="diagnostic"),
    Sensor(key="waiting", name="Waiting", value=OfBus("health", "outbox"), needs="nothing", state_class="measurement"),
    BinarySensor(key="online", name="Online", value=At(STATE, "online"), device_class="connectivity"),
    DeviceTracker(key="place", place=At(STATE, "position")),
    EventEntity(
        key="messages", name="Messages", kinds=("message.received", "message.sent"), where=("from", "!a1b2c3d4")
    ),
    EventEntity(key="alarm", name="Alarm", kinds=("alarm",)),
    Image(key="map", name="Map", url=At("map", "url")),
    Button(
        key="reboot",
        name="Reboot",
        command="reboot",
        data={"node": "!a1b2c3d4"},
        device_class="restart",
        category="config",
    ),
    Notify(key="send", name="Send", command="send", data={"to": "!a1b2c3d4", "ack": True}),
    Text(key="owner", name="Long name", command="set_owner", text="long_name", value=At(STATE, "name"), longest=36),
    Select(
        key="preset",
        name="Preset",
        command="set",
        data={"section": "lora"},
        choice="preset",
        options=("LONG_FAST", "SHORT_SLOW"),
        value=At(STATE, "preset"),
    ),
    Update(
        key="firmware",
        name="Firmware",
        installed=At(STATE, "firmware"),
        latest=At("firmware", "latest"),
        title="Meshtastic",
        release_url="https://github.com/meshtastic/firmware/releases",
    ),
)

EVERYTHING: Final = Device(
    key="a1b2c3d4",
    name="Cabin",
    manufacturer="Heltec",
    model="V3",
    model_id="HELTEC_V3",
    serial="!a1b2c3d4",
    software="2.7.11",
    hardware="3",
    url="http://cabin.local/",
    entities=ENTITIES,
)

KEYS: Final = st.from_regex(r"[a-z0-9_]{1,12}", fullmatch=True)
TEXTS: Final = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(exclude_categories=[]), max_size=10),
    st.text(st.sampled_from("{}%#+/'\"\\ \n\x00é😀"), max_size=20),
    st.text("x{ \n", min_size=1, max_size=5).map(lambda text: (text * 10_000)[:10_000]),
)
PATHS: Final = st.lists(TEXTS, max_size=3).map(".".join)
DATA: Final = st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=9), max_size=3)
SUBJECTS: Final = st.text(max_size=30) | st.text(st.sampled_from("{}%#+/'\"\\ \n\x00é😀"), max_size=20)


@st.composite
def _entity(draw: st.DrawFn, key: str) -> AnyEntity:
    source: Source = draw(
        st.builds(At, SUBJECTS, PATHS) | st.builds(OfStatus, PATHS) | st.builds(OfBus, st.just("info"), PATHS)
    )
    state = draw(st.builds(At, SUBJECTS, PATHS))
    options = tuple(draw(st.lists(KEYS.filter(lambda word: word != "none"), min_size=1, max_size=3, unique=True)))
    common: dict[str, Any] = {
        "key": key,
        "name": draw(TEXTS),
        "icon": draw(st.sampled_from(["", "mdi:home"])),
        "category": draw(st.sampled_from(["", "diagnostic"])),
        "enabled": draw(st.booleans()),
        "needs": draw(st.sampled_from(["adapter", "bus", "nothing"])),
        "attributes": draw(st.none() | st.just(source)),
    }
    asked: dict[str, Any] = {**common, "command": draw(KEYS), "data": draw(DATA)}
    typed = draw(st.text(max_size=5))
    where = draw(st.none() | st.tuples(PATHS, TEXTS))
    return draw(
        st.sampled_from(
            [
                Sensor(**common, value=source),
                Sensor(
                    **common,
                    value=source,
                    unit=draw(st.sampled_from(["m", "steps"])),
                    precision=draw(st.integers(0, 9)),
                ),
                Sensor(**common, value=source, device_class="enum", options=options),
                BinarySensor(**common, value=source, on=(True, 1, draw(TEXTS))),
                DeviceTracker(**{**common, "attributes": draw(st.none() | st.just(state))}, place=state),
                EventEntity(**common, kinds=options, where=where),
                Image(**common, url=state),
                Button(**asked),
                Notify(**asked, text=typed),
                Text(**asked, text=typed, value=draw(st.none() | st.just(source)), longest=draw(st.integers(1, 999))),
                Select(**asked, choice=typed, options=options, value=source),
                Update(**common, installed=source, latest=state, title=draw(TEXTS)),
            ]
        )
    )


@st.composite
def devices(draw: st.DrawFn) -> Device:
    """Any device that an adapter can declare."""
    keys = draw(st.lists(KEYS, min_size=1, max_size=4, unique=True))
    texts = {name: draw(TEXTS) for name in ("name", "manufacturer", "model", "model_id", "serial", "software", "url")}
    return Device(key=draw(KEYS | st.just("")), entities=tuple(draw(_entity(key)) for key in keys), **texts)
