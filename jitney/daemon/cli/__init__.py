"""The command line: one file per command, of which only the one that was asked for is imported."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Final

from jitney import __version__
from jitney.daemon.cli.arguments import Arguments, Parser

COMMANDS: Final = {
    "run": ("jitney.daemon.cli.run", "run the bus in the foreground"),
    "demo": ("jitney.daemon.cli.demo", "try it out: no configuration, no broker, simulated sources, live events"),
    "init": ("jitney.daemon.cli.init", "write a configuration to begin with"),
    "check": ("jitney.daemon.cli.check", "look for everything that is wrong with a configuration"),
    "doctor": ("jitney.daemon.cli.doctor", "look at everything, try every connection, and say what to do"),
    "migrate": ("jitney.daemon.cli.migrate", "bring a configuration to the newest version of its format"),
    "reload": ("jitney.daemon.cli.reload", "let the running bus read its configuration again"),
    "log": ("jitney.daemon.cli.log", "watch the log of the running bus, and change what it tells"),
    "tail": ("jitney.daemon.cli.tail", "watch the events of one owner or of all"),
    "trace": ("jitney.daemon.cli.trace", "follow one event from its source to the broker, stage by stage"),
    "send": ("jitney.daemon.cli.send", "send a command to an adapter and wait for the reply"),
    "strava": ("jitney.daemon.cli.strava", "connect people with their Strava accounts"),
    "routes": ("jitney.daemon.cli.routes", "look at the routes, test and try them, and see what they did"),
    "dead": ("jitney.daemon.cli.dead", "look after what could not be published or done"),
    "acl": ("jitney.daemon.cli.acl", "let the broker keep owners apart, and prove that it does"),
    "audit": ("jitney.daemon.cli.audit", "see who did what, and prove that nothing of it was changed"),
    "devices": ("jitney.daemon.cli.devices", "give each phone and program of somebody a login of its own"),
    "owners": ("jitney.daemon.cli.owners", "the people: who there is, who they are outside, what is kept of them"),
    "backup": ("jitney.daemon.cli.backup", "copy everything that is kept into one encrypted file"),
    "restore": ("jitney.daemon.cli.restore", "show what is in a backup, and put it back"),
    "vault": ("jitney.daemon.cli.vault", "keep secrets of the configuration, encrypted"),
    "install-service": ("jitney.daemon.cli.install_service", "let systemd run the bus"),
}
"""Each command with its module, whose ``add(subparsers)`` sets ``run``, and what it is for."""

FAILED: Final = 1
WRONG_USAGE: Final = 2
WRONG_CONFIGURATION: Final = 78
INTERRUPTED: Final = 130
NOBODY_READS: Final = 141

_EXAMPLES: Final = """examples:
  jitney demo                                  see what it does
  jitney init && jitney check && jitney run    set it up
  jitney tail alice                            watch what happens to alice
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status and never raises for what a person did or the network does."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _unread()
    except ExceptionGroup as group:
        if group.split(BrokenPipeError)[1] is None:
            return _unread()
        raise


def _run(arguments: Sequence[str]) -> int:
    name = next((argument for argument in arguments if not argument.startswith("-")), "")
    if name and name not in COMMANDS:
        from difflib import get_close_matches  # noqa: PLC0415 - memory for whoever has mistyped something

        near = get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it is one of {', '.join(COMMANDS)}"
        print(f"jitney: there is no command {name!r}: {hint}", file=sys.stderr)
        return WRONG_USAGE
    try:
        parsed = _parsed(arguments, name)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    return WRONG_USAGE if parsed is None else _command(parsed)


def _parsed(arguments: Sequence[str], name: str) -> argparse.Namespace | None:
    """Return what the arguments say, None where they name no command; raises SystemExit."""
    parser = _parser(name, alone=bool(name) and arguments[0] == name)
    parsed = parser.parse_args(arguments)
    if not name:
        parser.print_help(sys.stderr)
        return None
    return parsed


def _parser(name: str, *, alone: bool) -> argparse.ArgumentParser:
    """Return the parser of all commands, of which only ``name`` knows its arguments, or of that one ``alone``."""
    parser = Parser(
        prog="jitney",
        description="An event bus for a household: what happens is published to MQTT under the person it belongs to.",
        epilog=_EXAMPLES + "\n`jitney COMMAND -h` says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"jitney {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Arguments)
    for command, (module, summary) in COMMANDS.items():
        if command == name:
            import_module(module).add(commands)
        elif not alone:
            commands.add_parser(command, help=summary)
    return parser


def _command(parsed: argparse.Namespace) -> int:
    from jitney.topics import JitneyError  # noqa: PLC0415 - keeps `jitney --help` from importing what it does not need

    try:
        return int(parsed.run(parsed))
    except JitneyError as error:
        return _failed(error)
    except ExceptionGroup as group:
        expected, others = group.split(JitneyError)
        if expected is None or others is not None:
            raise
        return max(_failed(error) for error in _leaves(expected) if isinstance(error, JitneyError))


def _failed(error: Exception) -> int:
    from jitney.daemon.cli.common import UsageError  # noqa: PLC0415 - only needed when something is wrong
    from jitney.daemon.config.problems import ConfigError  # noqa: PLC0415

    if isinstance(error, ConfigError):
        print(error, file=sys.stderr)
        return FAILED if error.passing else WRONG_CONFIGURATION
    print(f"jitney: {error}", file=sys.stderr)
    return WRONG_USAGE if isinstance(error, UsageError) else FAILED


def _leaves(group: BaseException) -> Iterator[BaseException]:
    if isinstance(group, BaseExceptionGroup):
        for error in group.exceptions:
            yield from _leaves(error)
    else:
        yield group


def _unread() -> int:
    """Let nothing more be written: whoever read our output has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return NOBODY_READS
