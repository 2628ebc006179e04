"""`jitney init`: a first configuration from a few questions."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from getpass import getpass
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from jitney.daemon.config.draft import EXAMPLE, HOME, Draft, Person, person, quoted, secret, text
from jitney.daemon.config.load import judge
from jitney.daemon.config.paths import default_path
from jitney.daemon.config.problems import ConfigError, Problem
from jitney.share import share

_MODE: Final = 0o600
_ANY_TOKEN: Final = quoted("0" * 64)
"""Stands in for a token that was not asked for yet, so that the rest is judged."""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "init",
        help="write a configuration to begin with",
        description="Ask a few questions (the broker, the people, Home Assistant) and write a configuration with"
        " comments, which only you can read. A file that exists is never overwritten.",
        epilog="Exit status: 0 written, 1 not written.  Example: jitney init -c config.toml",
    )
    parser.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help="where to write it (default: where `jitney run` looks for it)"
    )
    parser.add_argument(
        "-y", "--yes", action="store_true", help="ask nothing and write a file to fill in, as without a terminal"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask and write; returns 0, or 1 when nothing was written."""
    path = args.config or default_path(os.environ)
    if os.path.lexists(path):
        return _refuse(f"{path} exists and is never overwritten: edit it, or write another one with -c FILE")
    try:
        draft = Draft() if args.yes or not sys.stdin.isatty() else _Interview(path).hold()
        _write(path, _text(draft))
    except (EOFError, KeyboardInterrupt):
        return _refuse("\nNothing was written.")
    except OSError as error:
        return _refuse(f"{path} cannot be written ({error.strerror}): give another place with -c FILE")
    option = "" if path == default_path(os.environ) else f" -c {path}"
    print(f"Wrote {path}, which only you can read.")
    left = _problems(draft, path)
    if left:
        print("Before it can run:", *left, sep="\n  ")
    elif not draft.home_url:
        print("Fill in what stands there as a comment: without an adapter nothing happens on the bus.")
    print(f"Then: jitney check{option} and jitney run{option}")
    return 0


class _Interview:
    """The questions, each asked until `jitney check` would accept its answer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = Draft()

    def hold(self) -> Draft:
        """Return what a person answers; raises EOFError or KeyboardInterrupt when they leave."""
        print("A few questions; Enter takes what stands in [brackets].\n")
        self._ask(f"MQTT broker [{self._draft.broker}]: ", self._broker, key="mqtt.url")
        self._ask("Your user name there [none]: ", lambda answer: replace(self._draft, username=answer))
        if self._draft.username:
            self._ask_secret("The password", "password", key="mqtt.password")
        self._ask("Who lives in the house? Names, with commas [nobody]: ", self._people)
        self._ask(f"Home Assistant, such as {EXAMPLE} [none]: ", self._home, key=f"adapters.{HOME}.url")
        if self._draft.home_url:
            print("It wants a long-lived access token: in its profile page, Security, at the bottom.")
            self._ask_secret("The token", "home_token", key=f"adapters.{HOME}.token", default="file:home-token")
        return self._draft

    def _ask(self, prompt: str, become: Callable[[str], Draft], *, key: str = "") -> None:
        """Ask until the draft that ``become`` makes of the answer has nothing wrong at ``key``."""
        while True:
            try:
                draft = become(input(prompt).strip())
            except _AgainError as error:
                fault = str(error)
            else:
                fault = self._fault(draft, key)
            if not fault:
                self._draft = draft
                return
            print(f"  {fault}")

    def _ask_secret(self, what: str, field: str, *, key: str, default: str = "") -> None:
        """Ask for a secret or a reference to it, which may lead nowhere yet."""
        brackets = f" [{default}]" if default else ""
        print(f"{what} is not shown while you paste it. It may also be env:NAME, file:PATH or credential:NAME.")
        while True:
            value = secret(getpass(f"{what}{brackets}: ").strip() or default)
            draft = replace(self._draft, **{field: value})
            fault = "" if value.startswith("{") else self._fault(draft, key)
            if not fault:
                self._draft = draft
                return
            print(f"  {fault}")

    def _fault(self, draft: Draft, key: str) -> str:
        judged = draft if draft.home_token else replace(draft, home_token=_ANY_TOKEN)
        return next((problem.message for problem in _problems(judged, self._path) if problem.key == key), "")

    def _broker(self, answer: str) -> Draft:
        if not answer:
            return self._draft
        whole = "://" in answer or answer.startswith(("unix:", "embedded:"))
        return replace(self._draft, broker=answer if whole else f"mqtt://{answer}")

    def _home(self, answer: str) -> Draft:
        return replace(self._draft, home_url=answer if not answer or "://" in answer else f"http://{answer}")

    def _people(self, answer: str) -> Draft:
        people: dict[str, Person] = {}
        for name in filter(None, map(str.strip, answer.split(","))):
            somebody = person(name)
            if somebody is None:
                message = f'no id can be made of "{name}": write it with letters from a to z'
                raise _AgainError(message)
            if somebody.id in people:
                message = f'"{name}" and "{people[somebody.id].name}" would have the same id: tell them apart'
                raise _AgainError(message)
            people[somebody.id] = somebody
        return replace(self._draft, people=tuple(people.values()))


class _AgainError(Exception):
    """The answer is none; why."""


def _text(draft: Draft) -> str:
    return text(draft, example=share("config.example.toml"))


def _problems(draft: Draft, path: Path) -> Sequence[Problem]:
    """Return what `jitney check` would say of the draft as a file at ``path``."""
    try:
        judge(_text(draft), path, environ=os.environ)
    except ConfigError as error:
        return error.problems
    return ()


def _write(path: Path, content: str) -> None:
    """Write a new file that only its owner can read; raises OSError, also when there is one."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
    except OSError:
        path.unlink()
        raise


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)
    return 1
