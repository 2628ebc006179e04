"""A case to examine, and what one check says about it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from jitney.adapters.base import Found
from jitney.daemon.config.schema import Config, MqttSettings
from jitney.daemon.service.doctor.case import Case, Heard


def case(config: Config | None = None, *, state: Path = Path("/nowhere"), **options: Any) -> Case:  # noqa: ANN401
    return Case(config or Config(), file=Path("config.toml"), state=state, environ={}, **options)


def at(url: str, **mqtt: Any) -> Config:  # noqa: ANN401
    return Config(mqtt=MqttSettings(url=url, **mqtt))


async def looked(look: Callable[[Case], AsyncIterator[Found]], of: Case, heard: Heard | None = None) -> list[Found]:
    """Return what a check yields; ``heard`` is what another one has learned of the broker."""
    if heard is not None:
        of.tell(heard)
    return [found async for found in look(of)]


def texts(found: list[Found], level: str = "") -> list[str]:
    return [one.text for one in found if not level or one.level == level]
