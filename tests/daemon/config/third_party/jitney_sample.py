"""An adapter as a third party would install it: its settings are of every kind that a file can give."""

from collections.abc import Mapping
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct, field

from jitney.adapters.secret import Secret


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class App(Struct, frozen=True):
    client_id: str
    client_secret: Secret


class Filter(Struct, frozen=True):
    domains: tuple[str, ...] = ()
    areas: frozenset[str] = frozenset()


class ByMail(Struct, frozen=True, tag_field="by", tag="mail"):
    address: str


class ByPost(Struct, frozen=True, tag_field="by", tag="post"):
    street: str


class Settings(Struct, frozen=True, kw_only=True):
    url: Annotated[str, Meta(extra={"expects": "a URL"})]
    token: Secret = field(default_factory=lambda: Secret(""))
    spare: Secret | None = None
    more: list[Secret] = field(default_factory=list)
    apps: Mapping[str, App] = field(default_factory=dict)
    include: Filter = Filter()
    size: Annotated[int, Meta(ge=1, le=64)] = 16
    ratio: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    half: Annotated[int, Meta(multiple_of=2)] = 2
    short: Annotated[str, Meta(max_length=3, pattern="^[a-z]*$")] = ""
    level: Literal["low", "high", 3] = "low"
    colour: Colour = Colour.RED
    names: str | list[str] = ""
    place: tuple[float, float] = (0.0, 0.0)
    few: Annotated[list[str], Meta(max_length=2)] = field(default_factory=list)
    since: date | None = None
    send: ByMail | ByPost | None = None
    extra: Any = None
    folder: Path = Path()
    longer: int = field(default=1, name="long")

    def __post_init__(self) -> None:
        if self.url == "refused":
            message = "url: it is refused"
            raise ValueError(message)
        if self.size == 13:
            message = f"13 brings bad luck to {self.token.reveal()}"
            raise ValueError(message)

    def claims(self) -> list[str]:
        return [app.client_id for app in self.apps.values()]


class Person(Struct, frozen=True):
    nodes: tuple[str, ...] = ()

    def claims(self) -> tuple[str, ...]:
        return self.nodes


class Sample:
    name: ClassVar = "sample"
    Config: ClassVar = Settings
    Identity: ClassVar = Person
    durable: ClassVar = True
    kinds: ClassVar = ()


class Nothing(Struct, frozen=True):
    pass


class Anonymous:
    name: ClassVar = "anonymous"
    Config: ClassVar = Nothing
    Identity: ClassVar = None
    durable: ClassVar = False
    kinds: ClassVar = ()
