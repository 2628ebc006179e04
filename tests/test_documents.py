"""What the documents show works: configurations load, commands exist, payloads decode, links lead somewhere."""

import asyncio
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import get_args

import msgspec
import pytest

from jitney.adapters import registry
from jitney.adapters.base import Log, Owner
from jitney.adapters.errors import DisconnectedError, RefusedError
from jitney.adapters.meshtastic import commands as mesh_commands
from jitney.adapters.meshtastic import last_messages, statistics, uplink
from jitney.adapters.meshtastic.asked import read
from jitney.adapters.meshtastic.kinds_sending import Progress
from jitney.adapters.strava.commands import Commands
from jitney.adapters.strava.config import Privacy
from jitney.adapters.strava.kinds import KINDS
from jitney.daemon.cli import main
from jitney.daemon.cli.send import assignment, merged
from jitney.daemon.config.load import examine
from jitney.daemon.config.problems import ConfigError
from jitney.topics import Command, Event, Kinds, State, cloudevents, requests
from jitney.topics.tree import LAYOUT
from tests.adapters.strava.playing import household
from tests.documents import (
    CREDENTIALS,
    DOCUMENTS,
    ENVIRONMENT,
    REPOSITORY,
    VAULT,
    Snippet,
    blocks,
    first_cells,
    messages,
    snippets,
)

LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?[^)]*\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
COMMAND = re.compile(r"(?:^|[\s`$/])jitney (?!jitney )((?:[a-z-]+)(?: [^|<>;&`\n]*)?)")
TOPIC = re.compile(r"`jitney/([^`]+)`")


def example_adapter() -> ModuleType:
    source, _ = (block.text for block in blocks(REPOSITORY / "docs" / "adapters.md", "python"))
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


def whole(snippet: Snippet) -> str:
    """Return the configuration that a snippet is, or that it is the end of: then it has routes and no owners."""
    if "[[routes]]" not in snippet.text or "[owners." in snippet.text:
        return snippet.text
    (house,) = (one.text for one in blocks(REPOSITORY / "docs" / "routes.md", "toml") if "[adapters.home]" in one.text)
    return f"{house}\n{snippet.text}"


def check(text: str, folder: Path) -> None:
    """Do what `jitney check` does; raises ConfigError."""
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    secrets = folder / "secrets"
    secrets.mkdir()
    for name in CREDENTIALS:
        (secrets / name).write_text("0123456789abcdef")
    environ = {**ENVIRONMENT, "CREDENTIALS_DIRECTORY": str(secrets)}
    loaded = examine(file, environ=environ, vault=lambda _, name: VAULT.get(name), trials=True)
    assert loaded.config.mqtt.topic_root == "jitney"


@pytest.mark.parametrize("snippet", snippets("toml"))
@pytest.mark.usefixtures("doorbell")
def test_a_configuration_in_a_document_is_right_and_the_tests_of_its_routes_hold(
    snippet: Snippet, tmp_path: Path
) -> None:
    if snippet.text.startswith("# pyproject.toml\n"):
        tomllib.loads(snippet.text)
    else:
        check(whole(snippet), tmp_path)


@pytest.mark.parametrize("snippet", [one for one in snippets("toml") if "[[routes.tests]]" in one.values[0].text])
def test_the_tests_of_routes_in_a_document_are_run(snippet: Snippet, tmp_path: Path) -> None:
    broken = re.sub(r"(?m)^expect = .*$", 'expect = [{ state = "impossible" }]', whole(snippet))
    with pytest.raises(ConfigError) as refused:
        check(broken, tmp_path)
    assert str(refused.value).count(" fails: ") == snippet.text.count("[[routes.tests]]")


@pytest.mark.parametrize("snippet", snippets("json"))
def test_a_payload_in_a_document_is_one_of_the_bus(snippet: Snippet) -> None:
    value = json.loads(snippet.text)
    if isinstance(value, dict) and "specversion" in value:
        event = cloudevents.decode(snippet.text.encode())
        assert json.loads(cloudevents.encode(event)).keys() == value.keys()
        data = Kinds(registry.adapter_type(event.type.partition(".")[0]).kinds).data(event)
        assert json.loads(msgspec.json.encode(data)).items() >= value["data"].items()
    elif isinstance(value, dict):
        requests.decode(snippet.text.encode())


def commands() -> list[str]:
    texts = (snippet.values[0].text for snippet in snippets("console", "sh"))
    lines = [line.partition("#")[0] for text in texts for line in text.splitlines()]
    inline = [code for document in DOCUMENTS for code in re.findall(r"`([^`\n]+)`", document.read_text("utf-8"))]
    found = (match[1].strip() for line in [*lines, *inline] if (match := COMMAND.search(line)))
    return sorted({command for command in found if command})


@cache
def usage(*arguments: str) -> str:
    with redirect_stdout(StringIO()) as shown:
        assert main([*arguments, "-h"]) == 0
    return shown.getvalue()


def programs() -> set[str]:
    return {path.name for path in (REPOSITORY / "bench").glob("*.py") if '__name__ == "__main__"' in path.read_text()}


def test_every_program_that_measures_is_listed_and_what_is_listed_is_one() -> None:
    text = (REPOSITORY / "bench" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+\.py)` \| ([^|]+) \| ([^|]*) ?\|$", text, re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == sorted(programs())
    assert [
        name for name, _, takes in rows if not takes.strip() and not re.search(rf"`{name}`[^\n]*starts it", text)
    ] == []


def test_what_make_measures_is_what_is_said_of_it() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    run = re.findall(r"python -m bench\.(\w+)$", makefile, re.MULTILINE)
    (said,) = re.findall(
        r"^`make bench` runs (.*?)\n\n",
        (REPOSITORY / "bench" / "README.md").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert re.findall(r"`(\w+)`", said) == run


def test_the_documents_show_commands() -> None:
    assert {"demo", "init", "check", "run", "tail", "send"} <= {command.split()[0] for command in commands()}


@pytest.mark.parametrize("command", commands())
def test_a_command_in_a_document_exists_with_its_options(command: str) -> None:
    name, *arguments = shlex.split(command)
    text = usage(name)
    if "ACTION ..." in text and arguments:
        text = usage(name, arguments[0])
    options = [argument.partition("=")[0] for argument in arguments if argument.startswith("-")]
    assert [option for option in options if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text)] == []


def anchors(document: Path) -> set[str]:
    """Return where links into a document can lead, as GitHub makes them of its headings."""
    headings = HEADING.findall(re.sub(r"(?ms)^```.*?^```$", "", document.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_a_link_in_a_document_leads_somewhere(document: Path) -> None:
    links = [link for link in LINK.findall(document.read_text(encoding="utf-8")) if "://" not in link[0]]
    targets = [(document.parent / target if target else document, anchor) for target, anchor in links]
    assert [str(target) for target, _ in targets if not target.exists()] == []
    assert [f"{target.name}#{anchor}" for target, anchor in targets if anchor and anchor not in anchors(target)] == []


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


def test_the_guide_to_strava_lists_its_events() -> None:
    assert sorted(first_cells("strava.md", "event")) == sorted(f"`{kind.type}`" for kind in KINDS)


async def test_the_guide_to_strava_lists_its_states(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        alice = house.strava.athlete(1001)
        alice.add_bike("Gravel bike")
        alice.add_activity().add_photo()
        await house.sign_in("alice", alice)
        await house.ctx.until(lambda: {"photos", "stats"} <= house.subjects("alice"))
        told = {subject.partition("_")[0] for subject in house.subjects("alice")}
    listed = [re.findall(r"`([a-z]+)", cell)[0] for cell in first_cells("strava.md", "state")]
    assert sorted(listed) == sorted(told)


async def test_the_guide_to_strava_names_every_command() -> None:
    commands = Commands(None, privacy=Privacy())  # type: ignore[arg-type]
    with pytest.raises(RefusedError, match="known here are") as refused:
        await commands.carry_out(Command(id="1", owner="alice", adapter="strava", name="nothing"))
    text = (REPOSITORY / "docs" / "strava.md").read_text("utf-8")
    known = str(refused.value).partition("known here are ")[2].split(", ")
    assert [name for name in known if not re.search(rf"\b{name}\b", text)] == []


def test_the_guide_to_meshtastic_lists_its_events() -> None:
    kinds = registry.adapter_type("meshtastic").kinds
    assert sorted(first_cells("meshtastic.md", "event")) == sorted(f"`{kind.type}`" for kind in kinds)


def test_the_guide_to_meshtastic_lists_every_state_and_outcome() -> None:
    states = [
        word for cell in first_cells("meshtastic.md", "state") for word in re.findall(r"`([a-z]+(?:_[a-z]+)?)", cell)
    ]
    assert sorted(states) == sorted(["node_a", statistics.SUBJECT, uplink.SUBJECT, *last_messages.SUBJECTS])
    assert first_cells("meshtastic.md", "outcome") == [f"`{outcome}`" for outcome in get_args(Progress)]


def test_the_guide_to_meshtastic_shows_every_command_with_data_that_it_takes() -> None:
    shown = [shlex.split(command)[3:] for command in commands() if command.startswith("send alice base ")]
    assert {name for name, *_ in shown} == set(mesh_commands.COMMANDS)
    for name, *words in shown:
        given = words[: words.index("--timeout")] if "--timeout" in words else words
        data = msgspec.json.encode(merged({}, map(assignment, given)))
        read(
            Command(id="1", owner="alice", adapter="base", name=name, data=msgspec.Raw(data)),
            mesh_commands.COMMANDS[name],
        )


def test_what_the_guide_to_meshtastic_explains_is_said() -> None:
    said = messages("jitney/adapters/meshtastic")
    explained = re.findall(r'"([^"]+)"', "\n".join(first_cells("meshtastic.md", "you see")))
    assert len(explained) > 15
    assert [text for text in explained if not any(text in message for message in said)] == []


def test_what_the_guide_to_strava_explains_is_said() -> None:
    said = messages("jitney/adapters/strava", "jitney/daemon/cli", "jitney/daemon/config")
    explained = re.findall(r'"([^"]+)"', "\n".join(first_cells("strava.md", "you see")))
    assert len(explained) > 15
    assert [text for text in explained if not any(text in message for message in said)] == []


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
