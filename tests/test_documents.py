"""What the documents show works: configurations load, commands exist, payloads decode, links lead somewhere."""

import asyncio
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from msgspec import Struct

from jitney.adapters import registry
from jitney.adapters.base import Log, Owner
from jitney.adapters.errors import DisconnectedError, RefusedError
from jitney.daemon.config.load import load
from jitney.topics import Command, Event, State, cloudevents, requests
from jitney.topics.tree import LAYOUT

REPOSITORY = Path(__file__).parent.parent
DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
COMMAND = re.compile(r"(?:^|[\s`$/])jitney ((?:[a-z-]+)(?: [^|<>;&`\n]*)?)")
TOPIC = re.compile(r"`jitney/([^`]+)`")
ENVIRONMENT = {"HOME_TOKEN": "5f2c8e1b9d7a4c3f" * 4, "MQTT_PASSWORD": "a password"}


class Snippet(Struct, frozen=True):
    """A fenced block of a document."""

    document: str
    line: int
    language: str
    text: str


def snippets(*languages: str) -> list[Any]:
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match[1] in languages:
                line = text.count("\n", 0, match.start()) + 1
                snippet = Snippet(document.name, line, match[1], match[2])
                found.append(pytest.param(snippet, id=f"{document.name}:{line}"))
    return found


def example_adapter() -> ModuleType:
    (source,) = (one.values[0].text for one in snippets("python") if one.values[0].document == "adapters.md")
    module = ModuleType("doorbell_example")
    module.__doc__ = "The adapter of docs/adapters.md."
    sys.modules[module.__name__] = module
    exec(compile(source, "docs/adapters.md", "exec"), module.__dict__)  # noqa: S102 - it is the repository's own text
    return module


@pytest.fixture
def doorbell(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    module = example_adapter()
    monkeypatch.setitem(registry.BUILT_IN, "doorbell", f"{module.__name__}:Doorbell")
    yield module
    del sys.modules[module.__name__]


@pytest.mark.parametrize("snippet", snippets("toml"))
@pytest.mark.usefixtures("doorbell")
def test_a_configuration_in_a_document_loads(snippet: Snippet, tmp_path: Path) -> None:
    if snippet.text.startswith("# pyproject.toml\n"):
        tomllib.loads(snippet.text)
        return
    file = tmp_path / "config.toml"
    file.write_text(snippet.text, encoding="utf-8")
    assert load(file, environ=ENVIRONMENT).mqtt.topic_root == "jitney"


@pytest.mark.parametrize("snippet", snippets("json"))
def test_a_payload_in_a_document_is_one_of_the_bus(snippet: Snippet) -> None:
    value = json.loads(snippet.text)
    if isinstance(value, dict) and "specversion" in value:
        event = cloudevents.decode(snippet.text.encode())
        assert json.loads(cloudevents.encode(event)).keys() == value.keys()
    elif isinstance(value, dict):
        requests.decode(snippet.text.encode())


def commands() -> list[str]:
    texts = (snippet.values[0].text for snippet in snippets("console", "sh"))
    lines = [line.partition("#")[0] for text in texts for line in text.splitlines()]
    inline = [code for document in DOCUMENTS for code in re.findall(r"`([^`\n]+)`", document.read_text("utf-8"))]
    found = (match[1].strip() for line in [*lines, *inline] if (match := COMMAND.search(line)))
    return sorted({command for command in found if command})


def usage(*arguments: str) -> str:
    command = [sys.executable, "-m", "jitney.daemon.cli", *arguments, "-h"]
    done = subprocess.run(  # noqa: S603 - this Python on this repository
        command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_documents_show_commands() -> None:
    assert {"demo", "init", "check", "run", "tail", "send"} <= {command.split()[0] for command in commands()}


@pytest.mark.parametrize("command", commands())
def test_a_command_in_a_document_exists_with_its_options(command: str) -> None:
    name, *arguments = shlex.split(command)
    text = usage(name)
    options = [argument.partition("=")[0] for argument in arguments if argument.startswith("-")]
    assert [option for option in options if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_a_link_in_a_document_leads_somewhere(document: Path) -> None:
    targets = [target for target in LINK.findall(document.read_text(encoding="utf-8")) if "://" not in target]
    assert [target for target in targets if not (document.parent / target).exists()] == []


def shape(topic: str) -> str:
    return re.sub(r"\{\w+\}", "{}", topic)


def test_the_topics_that_the_readme_lists_are_those_of_the_tree() -> None:
    rows = [
        line for line in (REPOSITORY / "README.md").read_text("utf-8").splitlines() if line.startswith("| `jitney/")
    ]
    listed = {shape(topic) for row in rows for topic in TOPIC.findall(row.split("|")[1])}
    assert listed == {shape(layout) for layout in LAYOUT.values()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_topic_that_a_document_names_is_one_of_the_tree(document: Path) -> None:
    layouts = [
        re.compile("/".join("[^/]+" if level[0] == "{" else level for level in layout.split("/")))
        for layout in LAYOUT.values()
    ]
    named = TOPIC.findall(document.read_text(encoding="utf-8"))
    whole = [topic for topic in named if "#" not in topic and "…" not in topic]
    assert [topic for topic in whole if not any(layout.fullmatch(topic) for layout in layouts)] == []


class Heard:
    """A Context that keeps what an adapter says."""

    name = "front"
    default_owner = "alice"
    owners: dict[str, Owner]
    log: Log

    def __init__(self) -> None:
        self.owners = {}
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.is_online = asyncio.Event()
        self.counted: list[str] = []

    def online(self) -> None:
        self.is_online.set()

    def degraded(self, reason: str) -> None:
        raise AssertionError(reason)

    async def emit(self, *events: Event) -> None:
        for event in events:
            self.events.put_nowait(event)

    def set_state(self, state: State) -> None:
        raise AssertionError(state)

    def keep_states(self, subjects: Iterable[tuple[str, str]]) -> None:
        raise AssertionError(subjects)

    def alert(self, owner: str, alert: str, *, message: str, link: str = "") -> None:
        raise AssertionError(owner, alert, message, link)

    def resolve(self, owner: str, alert: str) -> None:
        raise AssertionError(owner, alert)

    def count(self, what: str, number: int = 1) -> None:
        self.counted += [what] * number

    async def load(self, key: str) -> bytes | None:
        raise AssertionError(key)

    async def save(self, key: str, value: bytes | None) -> None:
        raise AssertionError(key, value)


async def test_the_adapter_of_the_documents_hears_rings_and_tells_when_the_doorbell_is_gone(
    doorbell: ModuleType,
) -> None:
    rung: asyncio.Queue[bytes] = asyncio.Queue()

    async def bell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"number": 1, "button": "gate"}\nnot json\n{"number": 1, "button": "gate"}\n')
        rung.put_nowait(await reader.readline())
        writer.close()

    ctx = Heard()
    server = await asyncio.start_server(bell, "127.0.0.1", 0)
    settings = doorbell.Settings(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    adapter = doorbell.Doorbell("front", settings)
    async with asyncio.timeout(10), server:
        running = asyncio.create_task(adapter.run(ctx), name="doorbell")
        first, second = await ctx.events.get(), await ctx.events.get()
        assert (first.type, first.owner, bytes(first.data)) == ("doorbell.pressed", "alice", b'{"button":"gate"}')
        assert first.id == second.id
        assert ctx.counted == ["unreadable"]
        with pytest.raises(RefusedError, match="can ring, not explode"):
            await adapter.command(Command(id="1", owner="alice", adapter="front", name="explode"))
        reply = await adapter.command(Command(id="2", owner="alice", adapter="front", name="ring"))
        assert (reply.status, await rung.get()) == ("ok", b"ring\n")
        with pytest.raises(DisconnectedError, match="closed the connection"):
            await running
    with pytest.raises(DisconnectedError, match=r"no doorbell at 127\.0\.0\.1"):
        await adapter.run(ctx)
