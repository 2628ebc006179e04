"""Routes are compiled once, although the check of a file and the bus both ask for them."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from jitney.daemon.config import routes
from jitney.daemon.routes.compiled import Fault, Route, compile_routes
from jitney.daemon.routes.settings import RouteSettings


def test_routes_are_compiled_once_and_anew_only_when_they_or_who_there_is_have_changed(
    read: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def counted(settings: Sequence[RouteSettings], **household: Any) -> tuple[list[Route], list[Fault]]:  # noqa: ANN401
        made.append(len(settings))
        return compile_routes(settings, **household)

    monkeypatch.setattr(routes, "compile_routes", counted)
    text = '[[routes]]\nname = "one"\non = "inbox.x"\ndo = [{ drop = true }]\n'
    config = read(text).config
    assert routes.compiled(config)[0] == routes.compiled(replace(config, folder="/elsewhere"))[0]
    assert made == [1]
    assert len(routes.compiled(replace(config, routes=config.routes * 2))[1]) == 1
    assert len(routes.compiled(replace(config, owners={**config.owners}))[0]) == 1
    assert made == [1, 2, 1]
    read(text)
    assert made == [1, 2, 1, 1]
