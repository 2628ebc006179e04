"""The typed configuration: what `config.toml` can say, with defaults and descriptions."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from jitney.adapters.base import AdapterType
from jitney.adapters.secret import Secret
from jitney.daemon.config.limits import LimitSettings, OwnLimits
from jitney.daemon.config.words import EXPECTS
from jitney.daemon.routes.settings import GrantSettings, RouteSettings

Seconds = Annotated[float, Meta(gt=0)]
Level = Literal["debug", "info", "warning", "error"]
Url = Annotated[str, Meta(extra={EXPECTS: "a URL"})]


class BusSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[bus]`: this instance. ``state_dir`` empty: $STATE_DIRECTORY, else the XDG state folder.

    ``time_zone`` is a name such as Europe/Berlin; empty: that of this machine. ``log_mqtt`` is the level from which
    on lines also go to the broker.
    """

    instance: str = "main"
    state_dir: str = ""
    time_zone: str = ""
    log_level: Level = "info"
    log_format: Literal["auto", "console", "json", "journal"] = "auto"
    log_mqtt: Literal["off", "debug", "info", "warning", "error"] = "off"


class MqttSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[mqtt]`: the broker. ``protocol`` auto: MQTT 5, and 3.1.1 where the broker speaks nothing newer."""

    url: Url = "mqtt://localhost:1883"
    username: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    topic_root: Annotated[str, Meta(max_length=200)] = "jitney"
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    keepalive: Annotated[int, Meta(ge=5, le=3600)] = 30
    window: Annotated[int, Meta(ge=1, le=1000)] = 100


class OutboxSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[outbox]`: what waits for the broker. The limits are per owner and adapter but ``disk_mb``, which is for all.

    ``synchronous`` normal survives a crash of the daemon, full also a power cut, at one more disk sync a commit.
    """

    memory_events: Annotated[int, Meta(ge=100, le=100_000)] = 1000
    disk_events: Annotated[int, Meta(ge=1000)] = 500_000
    disk_mb: Annotated[int, Meta(ge=16)] = 512
    event_kb: Annotated[int, Meta(ge=4, le=1024)] = 128
    expiry: Annotated[int, Meta(ge=60)] = 86_400
    synchronous: Literal["normal", "full"] = "normal"


class HttpSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[http]`: health over HTTP. An empty ``listen`` opens no port; port 0 takes any free one.

    ``metrics``: there is /metrics for Prometheus, in which the people and adapters are named. ``details`` are those
    who may see such pages, ``trusted_proxies`` those who are believed for whom they ask; addresses or networks.
    """

    listen: str = "127.0.0.1:8077"
    public_url: Url = ""
    metrics: bool = False
    details: tuple[str, ...] = ("127.0.0.0/8", "::1")
    trusted_proxies: tuple[str, ...] = ()
    connections: Annotated[int, Meta(ge=16, le=16_384)] = 1024
    connections_per_address: Annotated[int, Meta(ge=4, le=16_384)] = 256


class AccessLogin(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A login of an owner at the broker; ``client_id`` where it is bound to one."""

    username: str
    password: Secret
    client_id: str = ""


class AccessSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[access]`: whether the daemon itself proves that the broker keeps owners apart, and with which ``logins``."""

    verify: Literal["off", "start", "daily"] = "off"
    logins: Mapping[str, AccessLogin] = field(default_factory=dict)


class TracingSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tracing]`: spans for an OpenTelemetry collector at ``otlp``, empty for none; ``sample`` is the part followed.

    ``attributes`` are what may tell about people: their ids, the ids of events, the names of routes.
    """

    otlp: Url = ""
    sample: Annotated[float, Meta(ge=0.01, le=1)] = 1.0
    service_name: Annotated[str, Meta(min_length=1, max_length=100)] = "jitney"
    headers: Mapping[str, Secret] = field(default_factory=dict)
    attributes: tuple[Literal["owner", "id", "route"], ...] = ()


class AuditSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[audit]`: how long the audit log is kept, in days, and how many rows of it at the most."""

    days: Annotated[int, Meta(ge=1, le=36_500)] = 365
    most: Annotated[int, Meta(ge=1000, le=10_000_000)] = 100_000


class RetrySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`retry` of an adapter: delays in seconds between attempts; ``attempts`` 0 means for ever."""

    first: Seconds = 1.0
    longest: Seconds = 60.0
    unauthorised: Seconds = 600.0
    attempts: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        if self.first > self.longest:
            message = f"first: expected at most longest, which is {self.longest:g}, got {self.first:g}"
            raise ValueError(message)


class RoutingSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[routing]`: what is the same for all routes. ``webhooks``: where routes may send requests, with wildcards.

    ``python``: the files of Python routes. One event may take ``python_seconds``, and one process ``python_mb``.
    """

    webhooks: tuple[str, ...] = ()
    python: tuple[str, ...] = ()
    python_seconds: Annotated[float, Meta(gt=0, le=600)] = 30.0
    python_mb: Annotated[int, Meta(ge=32, le=65_536)] = 256


class Script(Struct, frozen=True, kw_only=True):
    """A file of Python routes: its name in the configuration, where it is, and its text when that was read."""

    name: str
    path: str
    source: str


class DiscoverySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[discovery]`: Home Assistant shows what the bus knows. ``per_component`` is for versions before 2024.11."""

    enabled: bool = True
    prefix: Annotated[str, Meta(min_length=1, max_length=100)] = "homeassistant"
    per_component: bool = False


class OwnerDiscoverySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`discovery` of an owner. ``prefix`` empty: that of the house; another one is a Home Assistant of one's own.

    ``private`` are adapters of which that Home Assistant also shows what is private. ``units`` native leaves it to it.
    """

    enabled: bool = True
    prefix: Annotated[str, Meta(max_length=100)] = ""
    units: Literal["metric", "imperial", "native"] = "metric"
    private: tuple[str, ...] = ()


class OwnerSettings(Struct, frozen=True, kw_only=True):
    """`[owners.<id>]`: a person, with one ``Identity`` per adapter type that knows them."""

    id: str
    name: str = ""
    enabled: bool = True
    discovery: OwnerDiscoverySettings = field(default_factory=OwnerDiscoverySettings)
    limits: OwnLimits = OwnLimits()
    identities: Mapping[str, Any] = field(default_factory=dict)


class AdapterSettings(Struct, frozen=True, kw_only=True):
    """`[adapters.<name>]`: the keys that every adapter has, and ``config``, its type's own."""

    name: str
    type: AdapterType
    config: Any
    owner: str = "_house"
    enabled: bool = True
    durable: bool = False
    retry: RetrySettings = field(default_factory=RetrySettings)


class Config(Struct, frozen=True, kw_only=True):
    """A whole valid configuration; ``folder`` is where its file lies, from which paths in it count.

    ``files`` are all that it was read from.

    ``discovery`` is not enabled where the file has no such section. The Python routes, which the ``scripts`` declare,
    are the last of the ``routes``.
    """

    bus: BusSettings = field(default_factory=BusSettings)
    mqtt: MqttSettings = field(default_factory=MqttSettings)
    outbox: OutboxSettings = field(default_factory=OutboxSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    access: AccessSettings = field(default_factory=AccessSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    tracing: TracingSettings = field(default_factory=TracingSettings)
    limits: LimitSettings = LimitSettings()
    owners: Mapping[str, OwnerSettings] = field(default_factory=dict)
    adapters: Mapping[str, AdapterSettings] = field(default_factory=dict)
    discovery: DiscoverySettings = field(default_factory=lambda: DiscoverySettings(enabled=False))
    routing: RoutingSettings = field(default_factory=RoutingSettings)
    routes: tuple[RouteSettings, ...] = ()
    grants: tuple[GrantSettings, ...] = ()
    scripts: tuple[Script, ...] = ()
    folder: str = ""
    files: tuple[str, ...] = ()
