"""What the guide to operating says is so: its tables are those of the code, and its messages are really printed."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jitney.daemon.cli import COMMANDS
from jitney.daemon.config.limits import LimitSettings
from jitney.daemon.config.load import examine
from jitney.daemon.config.plan import FIXED, LIVE
from jitney.daemon.config.schema import OutboxSettings
from jitney.daemon.delivery import commands, lanes, logbook, retention, traces
from jitney.daemon.log import journal
from jitney.daemon.routing import journal as events
from jitney.daemon.routing import records, room
from jitney.daemon.service.doctor import adapters
from jitney.daemon.store import kept, outbox
from jitney.daemon.web import verdict
from jitney.daemon.web.metric_names import table
from jitney.daemon.web.reports import Detailed
from tests.documents import REPOSITORY, blocks, codes, first_cells, messages, rows

GUIDE: Final = "operating.md"
TEXT: Final = (REPOSITORY / "docs" / GUIDE).read_text(encoding="utf-8")
DAEMON: Final = REPOSITORY / "jitney" / "daemon"
SAID: Final = tuple(str(path.relative_to(REPOSITORY)) for path in (DAEMON, *DAEMON.rglob("*")) if path.is_dir())


def test_the_guide_lists_every_metric_as_it_is_scraped() -> None:
    assert rows(GUIDE, "metric") == [[f"`{name}`", kind, labels, what] for name, kind, labels, what in table()]


def test_every_metric_that_the_guide_and_the_dashboard_name_exists() -> None:
    known = {name for name, *_ in table()}
    dashboard = (REPOSITORY / "examples" / "grafana" / "jitney.json").read_text(encoding="utf-8")
    drawn = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\bjitney_[a-z_]+", dashboard)}
    assert set(re.findall(r"\bjitney_[a-z_]+", TEXT)) <= known
    assert drawn <= known


def test_the_guide_lists_everything_that_detailed_health_has() -> None:
    assert [code for cell in first_cells(GUIDE, "key") for code in codes(cell)] == list(Detailed.__struct_fields__)


def test_the_guide_says_which_sections_count_from_the_next_start_on() -> None:
    (sections, live) = re.findall(
        r"\n((?:`\[\w+\]`(?:, | and )?)+) count from the next start on .*?, except (.*?),", TEXT, re.DOTALL
    )[0]
    assert codes(sections) == [f"[{name}]" for name in FIXED]
    assert set(codes(live)) == {*(key for _, key in LIVE), *(f"[{section}]" for section, _ in LIVE)}


def test_the_guide_names_the_fields_of_the_journal() -> None:
    line = {"level": "warning", "part": "fleet", "owner": "alice", "adapter": "home", "event_id": "1", "reason": "no"}
    written = journal.fields(None, "warning", {"event": "gone", **line}).keys()
    listed = {code for cell in first_cells(GUIDE, "field") for code in codes(cell)}
    assert listed == set(written) - {"JITNEY_LEVEL"}
    ranks = next(cells[1] for cells in rows(GUIDE, "field") if cells[0] == "`PRIORITY`")
    assert {(word, int(rank)) for rank, word in re.findall(r"(\d) (\w+)", ranks)} == {
        (word, rank) for word, rank in journal._PRIORITIES.items() if word != "critical"
    }


def test_what_the_guide_explains_is_said() -> None:
    said = messages(*SAID)
    explained = re.findall(r'"([^"]+)"', "\n".join(first_cells(GUIDE, "you see")))
    assert len(explained) > 15
    assert [text for text in explained if not any(text in message for message in said)] == []


def test_a_person_of_the_guide_can_stand_in_a_file_of_her_own(tmp_path: Path) -> None:
    (carol,) = [block.text for block in blocks(REPOSITORY / "docs" / GUIDE, "toml") if "[owners.carol]" in block.text]
    place = tmp_path / re.findall(r"^# (\S+)$", carol, re.MULTILINE)[0]
    place.parent.mkdir()
    place.write_text(carol, encoding="utf-8")
    (tmp_path / "config.toml").write_text('version = 1\n[owners.alice]\nname = "Alice"\n', encoding="utf-8")
    config = examine(tmp_path / "config.toml", environ={}, trials=True).config
    assert set(config.owners) == {"alice", "carol"}
    assert [route.name for route in config.routes] == ["carol has coffee"]


@dataclass(frozen=True)
class Limit:
    """What begins a row, and the numbers in it in the order in which they stand there."""

    what: str
    numbers: tuple[Any, ...]


def test_the_limits_in_the_guide_are_those_of_the_code() -> None:
    waiting = OutboxSettings()
    limits = [
        Limit("events that wait", (waiting.memory_events, waiting.disk_events, waiting.disk_mb)),
        Limit("an event", (waiting.event_kb,)),
        Limit("ids of events", (outbox.SEEN_ON_DISK, lanes.SEEN_IN_MEMORY)),
        Limit("retained topics", (LimitSettings().states,)),
        Limit("dead events", (outbox.MOST_DEAD, retention.DEAD_DAYS, outbox.MOST_DEAD_BYTES // 1_000_000)),
        Limit("actions of routes", (room.MOST,)),
        Limit("what routes remember", (records.MOST_KEYS, records.MOST_BYTES // 1_000_000)),
        Limit("commands", (commands.MOST_AT_ONCE,)),
        Limit("a value", (kept.MOST_BYTES >> 20,)),
        Limit("events that `jitney trace`", (traces.MOST_EVENTS,)),
        Limit("events that `jitney routes", (events.MOST_EVENTS,)),
        Limit("log lines", (logbook.MOST_LINES,)),
    ]
    found = rows(GUIDE, "what | at the most")
    assert len(found) == len(limits)
    for (what, most), limit in zip(found, limits, strict=True):
        assert what.startswith(limit.what)
        numbers = tuple(int(number.replace(" ", "")) for number in re.findall(r"\d[\d ]*\d|\d", most))
        assert numbers == limit.numbers, what
    assert f"The last {traces.MOST_EVENTS} events of each owner and source" in TEXT
    assert f"Up to {logbook.MOST_LINES} lines wait for the broker" in TEXT
    assert (verdict.GRACE, "for two minutes" in TEXT) == (120.0, True)
    adapters_guide = (REPOSITORY / "docs" / "adapters.md").read_text(encoding="utf-8")
    assert f"{adapters.PATIENCE:g} seconds" in adapters_guide


def test_the_changelog_names_every_command() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"\*\*The command line:\*\* (.*?)\. `jitney", changelog, re.DOTALL)
    assert set(codes(listed)) == set(COMMANDS)
