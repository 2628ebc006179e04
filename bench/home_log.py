"""What a Home Assistant complains about in its log, and which of it is about us."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

_RECORD: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.,]\d+\S* (?P<level>[A-Z]+) ")
_COMPLAINTS: Final = frozenset({"WARNING", "ERROR", "CRITICAL"})


class HomeLog:
    """A log file that grows, read from where it ends now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = path.stat().st_size

    def news(self) -> list[str]:
        """Return the complaints since this was asked before."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            raw = file.read()
        whole = raw[: raw.rfind(b"\n") + 1]
        self._read += len(whole)
        return complaints(whole.decode(errors="replace"))


def complaints(text: str) -> list[str]:
    """Return the records of a log that are warnings or worse, each with its traceback."""
    found: list[str] = []
    keeps = False
    for line in text.splitlines():
        record = _RECORD.match(line)
        if record is not None:
            keeps = record["level"] in _COMPLAINTS
            if keeps:
                found.append(line)
        elif keeps:
            found[-1] += f"\n{line}"
    return found


def naming(records: Collection[str], words: Collection[str]) -> list[str]:
    """Return those records that have one of the words in them, in whichever case."""
    wanted = [word.casefold() for word in words]
    return [record for record in records if any(word in record.casefold() for word in wanted)]
