"""The process of a Python file: `python -m jitney.daemon.scripts.worker SOCKET LIFE`, started by ``Child``.

It answers one event after the other. It imports asyncio only with a file that does: without, it takes half the memory.
"""

import os
import sys
from collections.abc import Coroutine, Mapping
from importlib import import_module
from types import ModuleType, TracebackType
from typing import Any, Final

from jitney.daemon.scripts.api import Bus, Event, Log, RefusedError
from jitney.daemon.scripts.lasting import protect
from jitney.daemon.scripts.link import Link

LONGEST_TEXT: Final = 400
LONGEST_TRACE: Final = 2000
LONGEST_LINE: Final = 1000
"""Characters of what is told about an error, of its traceback, and of a line for the log."""

_HERE: Final = __file__.removesuffix("worker.py")
_ASYNCIO: Final = "asyncio"
_NAME: Final = "python_routes"
"""What the file is called as a module."""


def main() -> None:
    """Answer events until there is no bus any more."""
    socket, life = (int(text) for text in sys.argv[1:3])
    link = Link(socket)
    begin = link.receive()
    if begin is None:
        return
    protect(socket, life, megabytes=begin["megabytes"])
    sys.argv = [begin["path"]]
    sys.path.append(os.path.dirname(begin["path"]))  # noqa: PTH120 - pathlib takes a megabyte
    file = File(link, path=begin["path"], source=begin["source"])
    link.send(file.load())
    while (job := link.receive()) is not None:
        link.send(file.answer(job))


class File:
    """A Python file and its functions."""

    def __init__(self, link: Link, *, path: str, source: str) -> None:
        self._link = link
        self._path = path
        self._source = source
        self._module = ModuleType(_NAME)
        self._module.__file__ = path

    def load(self) -> dict[str, Any]:
        """Run the file itself; returns what to tell of it."""
        sys.modules[_NAME] = self._module
        try:
            if (
                _ASYNCIO in self._source
            ):  # also where a function imports it, which would be too late for the first event
                import_module(_ASYNCIO)
            exec(compile(self._source, self._path, "exec", dont_inherit=True), self._module.__dict__)  # noqa: S102 - this is what it is for
        except BaseException as error:  # noqa: BLE001 - other people's code, which may also call sys.exit
            return self._failed(0, error)
        return {"do": "ready"}

    def answer(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Let a function answer an event; returns what to tell of it."""
        number = job["number"]
        going = True

        def check() -> None:
            if not going:
                raise RuntimeError("this event is over: what a route does, it does before it returns")

        async def perform(what: str, fields: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
            check()
            if _ASYNCIO not in sys.modules:
                return self._link.call(number, what, fields)
            from asyncio import to_thread  # noqa: PLC0415 - it is there already

            return await to_thread(self._link.call, number, what, fields)

        def say(level: str, text: str) -> None:
            check()
            self._link.say(number, level, _carriable(text)[:LONGEST_LINE])

        try:
            bus = Bus(perform, Log(say), job["variables"])
            self._run(job["handler"], _event(job), bus, seconds=job["seconds"])
            changes = [{"name": name, **change} for name, change in bus.changes.items()]
        except BaseException as error:  # noqa: BLE001 - other people's code, which may also call sys.exit
            return self._failed(number, error)
        finally:
            going = False
        return {"do": "done", "event": number, "changes": changes}

    def _run(self, name: str, event: Event, bus: Bus, *, seconds: float) -> None:
        function = getattr(self._module, name, None)
        if function is None:
            raise RefusedError("unknown_handler", f"there is no {name} when the file has run")
        coroutine = function(event, bus)
        if not isinstance(coroutine, Coroutine):
            message = f"{name} returned {type(coroutine).__name__}: is it an `async def`, also below its decorators?"
            raise TypeError(message)
        if _ASYNCIO in sys.modules:
            _with_asyncio(coroutine, seconds)
        else:
            _plainly(coroutine)

    def _failed(self, number: int, error: BaseException) -> dict[str, Any]:
        refused = isinstance(error, RefusedError)
        code = error.code if isinstance(error, RefusedError | _LateError) else "raised"
        line, function, trace = self._place(error)
        try:
            text = str(error)
        except Exception:  # noqa: BLE001 - other people's code
            text = ""
        if not refused and not isinstance(error, _LateError):
            text = f"{type(error).__name__}: {text}".removesuffix(": ")
        return {
            "do": "failed",
            "event": number,
            "code": code,
            "text": _carriable(text)[:LONGEST_TEXT],
            "line": line,
            "function": function,
            "trace": trace,
        }

    def _place(self, error: BaseException) -> tuple[int, str, str]:
        """Return the last line of the file that led to an error, the function that it is in, and the traceback."""
        import linecache  # noqa: PLC0415 - memory for those who have errors
        import traceback  # noqa: PLC0415

        if isinstance(error, SyntaxError) and error.filename == self._path:
            return error.lineno or 0, "", ""
        linecache.cache[self._path] = len(self._source), None, self._source.splitlines(keepends=True), self._path
        caused: BaseException | None = error
        while caused is not None:
            ours = _within(caused.__traceback__, self._path)
            if ours is not None:
                frames = [one for one in traceback.extract_tb(ours) if not one.filename.startswith(_HERE)]
                last = [one for one in frames if one.filename == self._path][-1]
                trace = "".join([*traceback.format_list(frames), *traceback.format_exception_only(caused)])
                return last.lineno or 0, last.name, _carriable(trace)[-LONGEST_TRACE:]
            caused = caused.__cause__ or caused.__context__
        return 0, "", ""


class _LateError(Exception):
    """The event has taken too long."""

    code = "timeout"


def _event(job: Mapping[str, Any]) -> Event:
    told = job["event"]
    return Event(
        type=told["type"],
        data=told["data"],
        id=told["id"],
        owner=told["owner"],
        owner_name=job["owner_name"],
        adapter=told["source"][1:],
        subject=told.get("subject", ""),
        time=told["time"],
        actor=told.get("actor", ""),
        seq=told["seq"],
        hops=told["hops"],
    )


def _plainly(coroutine: Coroutine[Any, Any, object]) -> None:
    """Run a coroutine that waits for nothing but the bus, which answers at once."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("it awaits something that needs asyncio: write `import asyncio` at the top of the file")


def _with_asyncio(coroutine: Coroutine[Any, Any, object], seconds: float) -> None:
    """Run a coroutine in an event loop of its own; what it has started ends with it."""
    import asyncio  # noqa: PLC0415 - the file has imported it

    async def bounded() -> None:
        try:
            async with asyncio.timeout(seconds) as limit:
                await coroutine
        except TimeoutError as error:
            if limit.expired():
                message = f"not done within {seconds:g} s"
                raise _LateError(message) from error
            raise

    asyncio.run(bounded())


def _within(trace: TracebackType | None, path: str) -> TracebackType | None:
    """Return the part of a traceback that begins in a file, None when it never comes there."""
    while trace is not None and trace.tb_frame.f_code.co_filename != path:
        trace = trace.tb_next
    return trace


def _carriable(text: str) -> str:
    """Return a text as JSON can carry it."""
    return text.encode(errors="backslashreplace").decode()


if __name__ == "__main__":
    main()
