"""How far inputs reach: which lines of Jitney were run."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

_OURS: Final = str(Path(__file__).resolve().parent.parent / "jitney")


class Reach:
    """Watches the lines of Jitney that inputs run. Watching is slow: let it see the seeds, and some of the others."""

    def __init__(self) -> None:
        self._seen: set[tuple[CodeType, int]] = set()
        self._fresh = False

    def __len__(self) -> int:
        return len(self._seen)

    def watch(self, run: Callable[[], None]) -> bool:
        """Run something in this thread and tell whether it reached a line for the first time; raises what it raises."""
        self._fresh = False
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            run()
        finally:
            sys.settrace(before)
        return self._fresh

    def _called(self, frame: FrameType, _event: str, _argument: object) -> Any:  # noqa: ANN401 - as Python wants it
        return self._line if frame.f_code.co_filename.startswith(_OURS) else None

    def _line(self, frame: FrameType, event: str, _argument: object) -> Any:  # noqa: ANN401 - as Python wants it
        if event == "line":
            place = (frame.f_code, frame.f_lineno)
            if place not in self._seen:
                self._seen.add(place)
                self._fresh = True
        return self._line
