"""What the configuration of a mosquitto on this machine says about what it forgets (mosquitto.conf(5))."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from jitney.adapters.base import Found

FILE: Final = "etc/mosquitto/mosquitto.conf"

SELDOM: Final = 300
"""Seconds between two savings that are too many where the power can be cut."""

_PORT: Final = 1883
_AUTOSAVE: Final = 1800
_QUEUED: Final = 1000
_DEEPEST: Final = 3


def look(root: Path, *, port: int) -> Iterator[Found]:
    """Yield what can be known of the mosquitto that listens on a port, 0 for a Unix socket."""
    said = settings(root / FILE, root=root)
    if not said or (port and port not in _ports(said)):
        yield Found("note", "whether it keeps retained messages over a restart cannot be seen from here")
        return
    if _last(said, "persistence") != "true":
        remedy = f"persistence true in /{FILE}; Jitney publishes its own again whenever the broker comes back"
        yield Found("note", "forgets queued and retained messages when it is restarted", remedy)
    else:
        yield _saved(said)
    queued = _number(_last(said, "max_queued_messages"), _QUEUED)
    yield Found("ok", f"holds {queued or 'any number of'} messages for a client that is away")


def settings(path: Path, *, root: Path, depth: int = 0) -> Mapping[str, list[str]]:
    """Return the values of every key, with those of the files in ``include_dir``; empty where nothing can be read."""
    found: dict[str, list[str]] = {}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    for line in lines:
        key, _, value = line.strip().partition(" ")
        if key == "include_dir" and depth < _DEEPEST:
            for one in sorted((root / value.strip().lstrip("/")).glob("*.conf")):
                for inner, values in settings(one, root=root, depth=depth + 1).items():
                    found.setdefault(inner, []).extend(values)
        elif key and not key.startswith("#"):
            found.setdefault(key, []).append(value.strip())
    return found


def _saved(said: Mapping[str, list[str]]) -> Found:
    seconds = _number(_last(said, "autosave_interval"), _AUTOSAVE)
    if _last(said, "autosave_on_changes") == "true" or 0 < seconds <= SELDOM:
        return Found("ok", "keeps queued and retained messages over a restart")
    often = f"every {seconds // 60} minutes" if seconds else "only when it is stopped"
    text = f"keeps messages over a restart, but saves them {often}: a power cut loses the rest"
    return Found("note", text, f"autosave_interval 60 in /{FILE}")


def _ports(said: Mapping[str, list[str]]) -> set[int]:
    words = [value.partition(" ")[0] for key in ("listener", "port") for value in said.get(key, ())]
    return {_number(word, 0) for word in words} or {_PORT}


def _last(said: Mapping[str, list[str]], key: str) -> str:
    return said.get(key, [""])[-1]


def _number(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() else default
