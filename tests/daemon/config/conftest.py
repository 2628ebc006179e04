import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date, time
from functools import singledispatch
from pathlib import Path

import pytest

from jitney.daemon.config.load import Loaded, Vault, examine
from jitney.daemon.config.problems import ConfigError, Problem

Examine = Callable[..., Loaded]
Complaints = Callable[..., list[str]]


@pytest.fixture(scope="session", autouse=True)
def third_party() -> Iterator[None]:
    """Adapters of types sample, anonymous and broken are installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent / "third_party")
        yield


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("etc")


@pytest.fixture(scope="session")
def read(folder: Path) -> Examine:
    """Load a document from a file that only its owner may read."""

    def read(
        text: str | bytes, environ: Mapping[str, str] | None = None, *, mode: int = 0o600, vault: Vault | None = None
    ) -> Loaded:
        path = folder / "config.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return examine(path, environ=environ or {}, vault=vault)

    return read


@pytest.fixture(scope="session")
def problems(read: Examine) -> Callable[..., tuple[Problem, ...]]:
    """Load a document that is refused and return why."""

    def problems(text: str | bytes, environ: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
        with pytest.raises(ConfigError) as caught:
            read(text, environ)
        return caught.value.problems

    return problems


@pytest.fixture(scope="session")
def complaints(problems: Callable[..., tuple[Problem, ...]]) -> Complaints:
    """Load a document that is refused and return `line: key: message` of each problem."""

    def complaints(text: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
        return [str(problem).partition("config.toml:")[2] for problem in problems(text, environ)]

    return complaints


@pytest.fixture(scope="session")
def toml() -> Callable[[object], str]:
    """Write a value as TOML on one line; a document from a dict."""

    def document(table: Mapping[str, object]) -> str:
        return "".join(f"{inline_key(name)} = {inline(value)}\n" for name, value in table.items())

    return lambda value: document(value) if isinstance(value, dict) else inline(value)


@singledispatch
def inline(value: date | time) -> str:
    return value.isoformat()


@inline.register
def _(value: str) -> str:
    return inline_key(value)


@inline.register
def _(value: bool) -> str:  # noqa: FBT001 - a value to write
    return str(value).lower()


@inline.register
def _(value: int) -> str:
    return hex(value) if value >= 0 else str(value)


@inline.register
def _(value: float) -> str:
    return repr(value)


@inline.register
def _(value: list) -> str:
    return "[" + ", ".join(map(inline, value)) + "]"


@inline.register
def _(value: dict) -> str:
    return "{" + ", ".join(f"{inline_key(name)} = {inline(one)}" for name, one in value.items()) + "}"


def inline_key(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
