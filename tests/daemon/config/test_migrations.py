"""A file of an older version is read as one of the newest, and what would be written keeps what somebody wrote."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tomlkit import TOMLDocument

from jitney.daemon.config.load import examine, would_load
from jitney.daemon.config.migrations import STEPS, Migrated, Step, due, found, migrated, newest
from jitney.daemon.config.parts import together
from jitney.daemon.config.positions import Key, names
from jitney.daemon.config.problems import ConfigError
from jitney.daemon.config.reading import decoded
from jitney.daemon.config.rewriting import ANY, ByHandError, Change, Rename, edited, encoded, renamed

WHY = "as everywhere"
FILE = Path("config.toml")


def split(document: TOMLDocument) -> Iterator[Change]:
    """Make one URL of the host and the port of the broker."""
    for key, table in found(document, ("mqtt",)):
        if isinstance(table, dict) and isinstance(host := table.get("host"), str):
            table["url"] = f"mqtt://{host}:{table.get('port', 1883)}"
            del table["host"]
            yield Change((*key, "host"), (*key, "url"), "a URL says all of it")
            if table.pop("port", None) is not None:
                yield Change((*key, "port"), (), "the URL has it")


def moved(document: TOMLDocument) -> Iterator[Change]:
    """Move the time zone from a table of its own to the bus."""
    clock = document.get("clock")
    if isinstance(clock, dict) and "zone" in clock:
        bus = document.setdefault("bus", tomlkit.table())
        bus["time_zone"] = clock["zone"]
        del document["clock"]
        yield Change(("clock",), ("bus",), "one table less")
        yield Change(("clock", "zone"), ("bus", "time_zone"), "one table less")


def undecided(document: TOMLDocument) -> Iterator[Change]:
    for key, value in found(document, ("http", "both")):
        raise ByHandError(key, f"nobody can tell what {value} means: write listen or public_url")
    yield from ()


RENAMES = (
    Rename(("people",), "owners", WHY),
    Rename(("adapters", ANY, "of"), "owner", WHY),
    Rename(("routes", ANY, "event"), "on", WHY),
    Rename(("routes", ANY, "do", ANY, "to"), "value", WHY),
)
TO_2 = Step(RENAMES, split)
TO_3 = Step(edit=moved)
BOTH = (TO_2, TO_3)


def now(text: str, *steps: Step, since: int = 1, to: int = 0) -> Migrated:
    return migrated(text, FILE, since=since, steps=steps, to=to)


def test_without_steps_nothing_is_due() -> None:
    assert newest(()) == 1
    assert due({"version": 1}, ()) == due({}, ()) == 0
    assert due({"version": 1}, BOTH) == due({}, BOTH) == 1
    assert due({"version": 2}, BOTH) == 2
    assert [due({"version": version}, BOTH) for version in (3, 4, 0, True, "1", 1.0)] == [0] * 6


def test_the_example_is_of_the_newest_version() -> None:
    text = Path(__file__, "../../../../config.example.toml").resolve().read_text()
    assert tomllib.loads(text)["version"] == newest(STEPS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a = 1 # one\n# two\n", "z = 1 # one\n# two\n"),
        ("  'a'  =  1\n", "  z  =  1\n"),
        ('"\\u0061" = 1', "z = 1"),
        ("a.b . c = 1 # x\n", "z.b . c = 1 # x\n"),
        ("[ a ] # x\nb = 1\n[a . b.c]\n\n[x]\na = 2\n", "[ z ] # x\nb = 1\n[z . b.c]\n\n[x]\na = 2\n"),
        ("[a.b]\n[x]\n[a]\na = '''\na = 1'''\n", "[z.b]\n[x]\n[z]\na = '''\na = 1'''\n"),
        ("[[a]]\nx.a = 1\n[a.b]\n[[a]]\n[[a.c]]\n", "[[z]]\nx.a = 1\n[z.b]\n[[z]]\n[[z.c]]\n"),
        ("x = [{ a = 1 }]\na = [\n  { a = 1 }, # a\n]\n", "x = [{ a = 1 }]\nz = [\n  { a = 1 }, # a\n]\n"),
    ],
)
def test_a_name_is_changed_wherever_it_is_written_and_nothing_else(old: str, new: str) -> None:
    text, changes = renamed(old, [Rename(("a",), "z", WHY)])
    assert text == new
    assert changes == [Change(("a",), ("z",), WHY)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[[t]]\nk = 1\n[[t]]\n'k'=2\n", "[[t]]\nz = 1\n[[t]]\nz=2\n"),
        ("t = [{ k = 1, b = 2 }, {b=1,'k'=2}]", "t = [{ z = 1, b = 2 }, {b=1,z=2}]"),
        ("t.a.k = 1\nt.a.b = 2\n", "t.a.z = 1\nt.a.b = 2\n"),
        ("t = { a.k = 1, b = { k = 2 } }", "t = { a.z = 1, b = { z = 2 } }"),
        ("[t.a.k]\nk = 1\n[t.b]\n", "[t.a.z]\nk = 1\n[t.b]\n"),
    ],
)
def test_a_name_is_changed_in_each_table_of_a_pattern(old: str, new: str) -> None:
    assert renamed(old, [Rename(("t", ANY, "k"), "z", WHY)])[0] == new


def test_names_can_be_exchanged_and_tables_around_them_renamed_in_one_step() -> None:
    renames = [Rename(("a",), "b", WHY), Rename(("b",), "a", WHY), Rename(("a", "x"), "y", WHY)]
    text, changes = renamed("a.x = 1\n[b]\nx = 2\n", renames)
    assert text == "b.y = 1\n[a]\nx = 2\n"
    assert [(change.before, change.after) for change in changes] == [
        (("a",), ("b",)),
        (("a", "x"), ("b", "y")),
        (("b",), ("a",)),
    ]


@pytest.mark.parametrize("text", ["b = 1\na = 2\n", "[b.c]\n[a]\n", "a.x = 1\nb.y = 2\n"])
def test_a_name_that_is_there_already_has_to_be_changed_by_hand(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        now(text, Step((Rename(("a",), "b", WHY),)))
    (problem,) = caught.value.problems
    other = next(number for number, line in enumerate(text.split("\n"), 1) if line.startswith(("b", "[b")))
    assert (problem.file, problem.line, problem.key) == ("config.toml", 3 - other, "a")
    assert f"it is called b now, which is there too (line {other}): leave one out" in problem.message


OLD = """\
# The house. Two lines
# about it.

version = 1   # one

# The broker.
[mqtt]   # over there
# Where it is.
host = "broker.example.org"   # by name
port = 8883
username = 'jitney' # not "admin"

[people.alice] # her
name = "Alice"   # so

# When.
[clock]
zone = "Europe/Berlin" # home
[adapters]
his = { type = "demo", 'of' = "alice" } # inline
hers.type = "demo"
hers.of = "alice" # dotted
# The end.
"""

NEW = """\
# The house. Two lines
# about it.

version = 3   # one

# The broker.
[mqtt]   # over there
# Where it is.
username = 'jitney' # not "admin"
url = "mqtt://broker.example.org:8883"

[owners.alice] # her
name = "Alice"   # so

# When.
[adapters]
his = { type = "demo", owner = "alice" } # inline
hers.type = "demo"
hers.owner = "alice" # dotted
# The end.

[bus]
time_zone = "Europe/Berlin" # home
"""


def test_several_steps_follow_each_other_and_keep_what_does_not_concern_them() -> None:
    done = now(OLD, *BOTH)
    assert done.text == NEW
    assert [(one.line, one.text) for one in done.notes] == [
        (13, "people is now owners: as everywhere"),
        (20, "adapters.his.of is now adapters.his.owner: as everywhere"),
        (22, "adapters.hers.of is now adapters.hers.owner: as everywhere"),
        (9, "mqtt.host is now mqtt.url: a URL says all of it"),
        (10, "mqtt.port is gone: the URL has it"),
        (17, "clock is now bus: one table less"),
        (18, "clock.zone is now bus.time_zone: one table less"),
    ]


def test_a_migration_goes_as_far_as_wanted_and_the_rest_of_the_way_later() -> None:
    half = now(OLD, *BOTH, to=2).text
    assert "version = 2   # one" in half
    assert "[clock]" in half
    assert now(half, *BOTH, since=2).text == NEW


def test_the_lines_are_those_of_the_users_file() -> None:
    done = now(OLD, *BOTH)
    assert done.lines["mqtt", "username"] == 11
    assert done.lines["mqtt", "url"] == 9
    assert done.lines["owners", "alice", "name"] == 14
    assert done.lines["adapters", "his", "owner"] == 20
    assert done.lines["adapters", "hers", "owner"] == 22
    assert done.lines["bus", "time_zone"] == 18
    assert done.lines["version",] == 4
    assert done.was["bus", "time_zone"] == "clock.zone"
    assert done.was["adapters", "hers", "owner"] == "adapters.hers.of"
    assert ("mqtt", "username") not in done.was


def test_what_a_step_puts_before_others_in_a_list_does_not_shift_their_lines() -> None:
    def fewer(document: TOMLDocument) -> Iterator[Change]:
        del document["t"][0]
        yield Change(("t", 0), (), "nobody needs it")

    text = "version = 1\n[[t]]\na = 1\n[[t]]\na = 2\n[[t]]\na = 3\n"
    done = now(text, Step(edit=fewer))
    assert done.text == "version = 2\n[[t]]\na = 2\n[[t]]\na = 3\n"
    assert [done.lines["t", index, "a"] for index in (0, 1)] == [5, 7]


def test_a_file_without_a_version_gets_one_below_what_it_says_of_itself() -> None:
    assert now("[people.alice]\n", *BOTH).text == "version = 3\n[owners.alice]\n"
    assert now("# All.\n\n# Her.\n[people.alice]\n", *BOTH).text == "# All.\n\nversion = 3\n# Her.\n[owners.alice]\n"
    assert now("# Her.\n[people.alice]\n", *BOTH).text == "version = 3\n# Her.\n[owners.alice]\n"


def test_a_file_without_a_version_in_which_nothing_changes_needs_none() -> None:
    text = "[owners.alice]\n"
    assert now(text, *BOTH).text == text


@pytest.mark.parametrize("line", ['"version"=0x1# x', "version\t=\t1", "'version' = +1"])
def test_the_version_is_changed_however_it_is_written(line: str) -> None:
    text = now(f"{line}\n", TO_3).text
    assert tomllib.loads(text) == {"version": 2}
    assert text.count("# x") == line.count("# x")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_byte_order_mark_and_line_ends_stay(mark: bytes, end: bytes) -> None:
    raw = mark + OLD.encode().replace(b"\n", end)
    assert encoded(now(decoded(raw, FILE), *BOTH).text, raw) == mark + NEW.encode().replace(b"\n", end)


def test_lines_that_do_not_change_keep_even_a_mixture_of_line_ends() -> None:
    raw = b"[people.alice]\n\r\n[mqtt]\r\nurl = ''\nwindow = 3"
    changed = encoded(now(decoded(raw, FILE), *BOTH).text, raw)
    assert changed == b"version = 3\n[owners.alice]\n\r\n[mqtt]\r\nurl = ''\nwindow = 3"


def test_a_file_whose_end_is_cut_off_does_not_end_in_half_a_line_end() -> None:
    assert encoded("a = 1", b"a = 1\r\nb = 2") == b"a = 1"
    assert encoded("a = 1\nc = 3\n", b"a = 1\r\nb = 2") == b"a = 1\r\nc = 3\r\n"


def test_what_a_step_cannot_decide_is_told_with_the_place_in_the_users_file() -> None:
    step = Step((Rename(("web",), "http", WHY),), undecided)
    with pytest.raises(ConfigError) as caught:
        now("\n[web]\n\nboth = 7\n", step)
    assert str(caught.value) == (
        "config.toml:4: web.both: cannot be brought from version 1 to 2 by itself:"
        " nobody can tell what 7 means: write listen or public_url"
    )


def added(document: TOMLDocument) -> Iterator[Change]:
    document["added"] = 1
    yield Change((), ("added",), WHY)


def test_what_is_added_to_a_file_that_ends_within_a_line_is_no_part_of_that_line() -> None:
    assert edited("a.b = 1 # one", added)[0] == "a.b = 1 # one\nadded = 1\n"


@pytest.mark.parametrize("text", ["[[a.a]]\n[b]\nb = 1\n[a.a.b]\n[c]\n", "[[a.b]]\n[c]\n[a.b.d]\nx = 1\n"])
def test_tables_that_tomlkit_takes_for_others_are_refused_and_not_garbled(text: str) -> None:
    def more(document: TOMLDocument) -> Iterator[Change]:
        table = tomlkit.table()
        table["x"] = 1
        document["added"] = table
        yield Change((), ("added",), WHY)

    with pytest.raises(ByHandError, match="not understood"):
        edited(text, more)


def test_a_name_is_followed_back_through_all_steps() -> None:
    steps = [
        Step((Rename(("t",), "u", WHY),)),
        Step((Rename(("u", "x"), "y", WHY),)),
        Step((Rename(("u",), "v", WHY),)),
    ]
    done = now("version = 1\n[t]\nx = 1\n", *steps)
    assert done.text == "version = 4\n[v]\ny = 1\n"
    assert (done.lines["v", "y"], done.was["v", "y"]) == (3, "t.x")
    assert [(note.line, note.text) for note in done.notes] == [
        (2, f"t is now u: {WHY}"),
        (3, f"u.x is now u.y: {WHY}"),
        (2, f"u is now v: {WHY}"),
    ]


def test_found_yields_what_a_document_has_at_a_pattern_and_survives_what_it_has_not() -> None:
    text = "[[r]]\nd = [{ k = 1 }, { x = 2 }, 3]\n[[r]]\nd.y.k = 4\n[[r]]\nd = 5\n[s.a]\nk = 1\n[t]\n[s.b]\nk = 2\n"
    for document in (tomlkit.parse(text), tomllib.loads(text)):
        assert [*found(document, ("r", ANY, "d", ANY, "k"))] == [
            (("r", 0, "d", 0, "k"), 1),
            (("r", 1, "d", "y", "k"), 4),
        ]
        assert [*found(document, ("s", ANY, "k"))] == [(("s", "a", "k"), 1), (("s", "b", "k"), 2)]
        assert [*found(document, ("nobody", ANY))] == []


def written(folder: Path, **parts: str) -> Path:
    (folder / "config.d").mkdir()
    for name, text in parts.items():
        path = folder / "config.toml" if name == "main" else folder / "config.d" / f"{name}.toml"
        path.write_text(text)
        path.chmod(0o600)
    return folder / "config.toml"


def test_an_older_file_is_read_as_one_of_the_newest_warned_of_once_and_left_alone(tmp_path: Path) -> None:
    route = '[[routes]]\nname = "{}"\nowner = "alice"\n{} = "demo.*"\ndo = [{{ set = "n", {} = 1 }}]\n'
    path = written(
        tmp_path,
        main=OLD,
        new=f"version = 3\n{route.format('a', 'on', 'value')}",
        old=f"# Hers.\n{route.format('b', 'event', 'to')}",
        same="[owners.bob]\n",
    )
    loaded = examine(path, environ={}, steps=BOTH)
    assert loaded.config.mqtt.url == "mqtt://broker.example.org:8883"
    assert loaded.config.bus.time_zone == "Europe/Berlin"
    assert list(loaded.config.owners) == ["alice", "bob"]
    assert [route.on for route in loaded.config.routes] == ["demo.*", "demo.*"]
    remedy = f"is of version 1: `jitney migrate -c {path}` shows what would change"
    assert [str(warning) for warning in loaded.warnings] == [
        f"{path}:4: {remedy}",
        f"{tmp_path}/config.d/old.toml: {remedy}",
    ]
    assert path.read_text() == OLD
    assert (tmp_path / "config.d" / "old.toml").read_text().startswith("# Hers.\n[[routes]]")


def test_what_is_wrong_with_an_older_file_is_told_with_its_own_lines_and_names(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        main='version = 1\n[clock]\nzone = "Nowhere"\n[people.alice]\nx = 1\n[mqtt]\nhost = "h:x"\n'
        '[adapters.sim]\nof = "alice"\n',
        more='\n[adapters.toy]\ntype = "demo"\nof = "bobb"\n',
    )
    with pytest.raises(ConfigError) as caught:
        examine(path, environ={}, steps=BOTH)
    told = [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]
    assert [line.partition(" ")[0] for line in told] == [
        "config.toml:3:",
        "config.toml:5:",
        "config.toml:7:",
        "config.toml:8:",
        "config.d/more.toml:4:",
    ]
    assert told[0].startswith("config.toml:3: bus.time_zone: ")
    assert told[0].endswith("(here it is still clock.zone)")
    assert told[1].startswith("config.toml:5: owners.alice.x: unknown key")
    assert told[2].endswith("(here it is still mqtt.host)")
    assert told[3].startswith("config.toml:8: adapters.sim.type: missing")
    assert told[4].startswith("config.d/more.toml:4: adapters.toy.owner: ")


def test_a_version_that_is_none_is_told_with_the_newest(tmp_path: Path) -> None:
    path = written(tmp_path, main="version = 0\n", newer="version = 4\n")
    with pytest.raises(ConfigError) as caught:
        examine(path, environ={}, steps=BOTH)
    assert [problem.message for problem in caught.value.problems] == [
        "expected 3, got 0",
        "made by a newer Jitney, with version 4; this one reads version 3: upgrade it",
    ]


def test_what_cannot_be_migrated_is_told_for_every_file(tmp_path: Path) -> None:
    path = written(tmp_path, main="[people.a]\n[owners.b]\n", more="people.a.name = ''\nowners.b.name = ''\n")
    with pytest.raises(ConfigError) as caught:
        examine(path, environ={}, steps=BOTH)
    assert [Path(problem.file).name for problem in caught.value.problems] == ["config.toml", "more.toml"]


def test_whether_it_would_load_does_not_depend_on_secrets_that_only_the_service_has(tmp_path: Path) -> None:
    secrets = "[mqtt]\npassword = {}\n"
    path = written(tmp_path, main=secrets.format('{ credential = "mqtt" }'))
    assert would_load(together(path), environ={}).config.mqtt.password
    path.write_text(secrets.format('{ credentials = "mqtt" }'))
    with pytest.raises(ConfigError, match=r"config.toml:2: mqtt.password: expected a secret"):
        would_load(together(path), environ={})


def test_reading_a_file_of_the_newest_version_does_not_cost_the_memory_of_tomlkit(tmp_path: Path) -> None:
    path = written(tmp_path, main="version = 1\n[owners.alice]\n", more="[owners.bob]\n")
    code = f"""
import sys
from pathlib import Path
from jitney.daemon.config.load import examine
from jitney.daemon.config.migrations import Step
examine(Path({str(path)!r}), environ={{}})
before = "tomlkit" in sys.modules
examine(Path({str(path)!r}), environ={{}}, steps=[Step(edit=lambda document: [])])
print(before, "tomlkit" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)  # noqa: S603 - this Python
    assert done.stdout.split() == ["False", "True"]


NAMES = st.sampled_from(["a", "b", "c", "x-y", '"a"', "'b'", '"a b"', '"a.b"', '""', '"\\u0061"', "1", "true"])
BLANKS = st.sampled_from(["", "", "", " ", "\t"])
COMMENTS = st.sampled_from(["", "", " # c", "# = [ \" ' ] é {", "\t#"])
TEXTS_IN_QUOTES = [
    '"x # y"',
    "'c:\\d'",
    '"""m\nl"""',
    "'''\n q'' '''",
    '"""\\\n   x"""',
    '""',
    '"""a""b"""',
    '""""q"""',
]
TIMES = ["1979-05-27T07:32:00Z", "1979-05-27 07:32:00.5-07:00", "1979-05-27", "07:32:00"]
SCALARS = st.sampled_from(["0x1F", "-1_000", "1e5", "inf", "true", *TEXTS_IN_QUOTES, *TIMES])
KEYS = st.builds(lambda parts, blank: f"{blank}.{blank}".join(parts), st.lists(NAMES, min_size=1, max_size=3), BLANKS)
PAIRS = st.deferred(lambda: st.builds("{}{}{}={}{}".format, BLANKS, KEYS, BLANKS, BLANKS, VALUES))
BREAKS = st.sampled_from(["", " ", "\n", " # k\n", "\n  "])
LISTS = st.builds(
    lambda values, end: "[" + ",".join(values) + end + "]",
    st.lists(st.deferred(lambda: st.builds("{}{}{}".format, BREAKS, VALUES, BREAKS)), max_size=3),
    BREAKS,
)
TABLES = st.builds(lambda pairs, blank: "{" + ",".join(pairs) + blank + "}", st.lists(PAIRS, max_size=3), BLANKS)
VALUES: st.SearchStrategy[str] = SCALARS | SCALARS | LISTS | TABLES
LINES = (
    st.builds("{}{}".format, BLANKS, COMMENTS)
    | st.builds("{}[{}]{}".format, BLANKS, KEYS, COMMENTS)
    | st.builds("{}[[{}]]{}".format, BLANKS, KEYS, COMMENTS)
    | st.builds("{}{}{}".format, PAIRS, BLANKS, COMMENTS)
    | st.builds("{}{}{}".format, PAIRS, BLANKS, COMMENTS)
)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, st.lists(LINES, max_size=8), st.sampled_from(["", "\n"]))
ANY_TEXT = settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


def valid(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assume(False)  # noqa: FBT003 - as hypothesis has it
        raise


@ANY_TEXT
@given(
    text=TEXTS, ends=st.lists(st.sampled_from(["\n", "\r\n"]), min_size=1), mark=st.sampled_from([b"", b"\xef\xbb\xbf"])
)
def test_any_document_goes_through_a_step_that_changes_nothing_byte_for_byte(
    text: str, ends: list[str], mark: bytes
) -> None:
    valid(text)
    lines = text.split("\n")
    raw = (
        mark + "".join(line + ends[at % len(ends)] for at, line in enumerate(lines[:-1])).encode() + lines[-1].encode()
    )
    done = now(decoded(raw, FILE), Step((Rename(("nobody",), "z", WHY),), lambda _: ()))
    assert done.notes == ()
    assert encoded(done.text, raw) == raw


@ANY_TEXT
@given(text=TEXTS, data=st.data())
def test_in_any_document_another_name_changes_only_the_lines_where_it_is_written(
    text: str, data: st.DataObject
) -> None:
    document = valid(text)
    written = names(text)
    assume(written)
    key = data.draw(st.sampled_from([key for key, _, _ in written]))
    changed, _ = renamed(text, [Rename(key, "new", WHY)])
    assert tomllib.loads(changed) == with_name(document, key)
    there = {text.count("\n", 0, begin) for one, begin, _ in written if one == key}
    pairs = zip(text.split("\n"), changed.split("\n"), strict=True)
    assert {at for at, (old, new) in enumerate(pairs) if old != new} == there


def with_name(value: Any, key: Key) -> Any:  # noqa: ANN401 - what a document holds
    if not key:
        return value
    if isinstance(value, list):
        return [with_name(one, key[1:]) if at == key[0] else one for at, one in enumerate(value)]
    return {
        ("new" if name == key[0] and len(key) == 1 else name): with_name(one, key[1:]) if name == key[0] else one
        for name, one in value.items()
    }


@ANY_TEXT
@given(text=TEXTS)
def test_in_any_document_a_new_table_leaves_every_line_as_it_was_or_is_refused(text: str) -> None:
    document = valid(text)

    def more(document: TOMLDocument) -> Iterator[Change]:
        table = tomlkit.table()
        table["x"] = 1
        document["added"] = table
        yield Change((), ("added",), WHY)

    try:
        changed, _ = edited(text, more)
    except ByHandError:
        return
    assert tomllib.loads(changed) == {**document, "added": {"x": 1}}
    left = iter(changed.split("\n"))
    assert all(line in left for line in text.split("\n") if line.strip())


@ANY_TEXT
@given(text=TEXTS)
def test_any_document_is_migrated_or_told_why_not(text: str) -> None:
    valid(text)
    text = f"version = 1\n{text}"
    try:
        done = now(text, *BOTH, Step((Rename(("a",), "b", WHY), Rename(("b", ANY), "c", WHY)), split))
    except ConfigError as error:
        assert "by itself: " in str(error)  # noqa: PT017 - one of two right outcomes
        return
    assert tomllib.loads(done.text)["version"] == 4
    assert set(done.lines.values()) <= set(range(1, text.count("\n") + 2))
