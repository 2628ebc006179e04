"""The configuration: any file is one, or a list of problems with their lines; it takes neither long nor much."""

from collections.abc import Iterable
from pathlib import Path

from hypothesis import strategies as st

from fuzz.oracle import check
from jitney.daemon.config.load import judge
from jitney.daemon.config.problems import ConfigError
from jitney.daemon.config.reading import decoded

WORDS = (
    b"[owners.bob]\n",
    b"[adapters.x]\ntype = ",
    b'"strava"',
    b'"homeassistant"',
    b'"meshtastic"',
    b'"demo"',
    b"[[routes]]\n",
    b"[[grants]]\n",
    b"version = 1\n",
    b"version = 0\n",
    b'{ env = "HOME" }',
    b'{ file = "none" }',
    b'{ vault = "x" }',
    b"inf",
    b"nan",
    b"1979-05-27T07:32:00Z",
    b'"""\n',
    b"''",
    b"= [[[[",
    b"\r\n",
    b'"\\u0000"',
    b"99999999999999999999999",
)
_PATH = Path("config.toml")
_REPOSITORY = Path(__file__).parents[2]
_LONGEST_PROBLEM = 4000


def one(data: bytes) -> None:
    """Feed a file."""
    try:
        loaded = judge(decoded(data, _PATH), _PATH, environ={})
    except ConfigError as error:
        problems = error.problems
        check(problems, "an error without a problem")
    else:
        problems = loaded.warnings
    for problem in problems:
        text = str(problem)
        check(text.isprintable(), f"a problem that cannot be printed: {text[:200]!r}")
        check(len(text) <= _LONGEST_PROBLEM, f"a problem of {len(text)} characters")
        check(problem.line >= 0, "a problem before the first line")


def seeds() -> Iterable[bytes]:
    """Return the example, section by section, and the routes of the examples."""
    example = (_REPOSITORY / "config.example.toml").read_text(encoding="utf-8")
    lines = [line for line in example.splitlines() if line and not line.startswith("#")]
    text = "\n".join(lines)
    yield text.encode()
    yield from (f"version = 1\n[{section}".encode() for section in text.split("\n[")[1:])
    for path in sorted((_REPOSITORY / "examples" / "routes").glob("*.toml")):
        yield path.read_bytes()


def inputs() -> st.SearchStrategy[bytes]:
    """Return sections with keys that are known and values that need not fit."""
    sections = [
        "bus",
        "mqtt",
        "http",
        "outbox",
        "owners.alice",
        "adapters.home",
        "adapters.strava",
        "discovery",
        "limits",
    ]
    keys = [
        "url",
        "token",
        "type",
        "owner",
        "name",
        "listen",
        "password",
        "apps",
        "durable",
        "retry",
        "do",
        "on",
        "when",
    ]
    scalars = st.sampled_from(["1", "-1", "true", "1.5", "inf", '"strava"', '"alice"', '"*"', "2026-11-21", "[]", "{}"])
    values = st.recursive(
        scalars | st.text(st.characters(codec="ascii", exclude_characters='"\\\n\x7f'), max_size=5).map('"{}"'.format),
        lambda inner: (
            st.lists(inner, max_size=3).map(lambda found: f"[{', '.join(found)}]")
            | st.builds("{{ {} = {} }}".format, st.sampled_from(keys), inner)
        ),
        max_leaves=5,
    )
    lines = st.builds("{} = {}".format, st.sampled_from(keys), values)
    headers = st.sampled_from(sections).map("[{}]".format) | st.sampled_from(["[[routes]]", "[[grants]]"])
    return st.lists(headers | lines | lines, max_size=12).map(lambda found: "\n".join(found).encode())
