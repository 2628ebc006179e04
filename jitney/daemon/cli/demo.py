"""`jitney demo`: the whole bus in one process, with simulated sources and its own broker, and what happens on it."""

import argparse
import asyncio
import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from jitney.adapters.demo import DemoConfig
from jitney.adapters.registry import adapter_type
from jitney.daemon import log
from jitney.daemon.app import App
from jitney.daemon.cli.colours import BOLD, FAINT, Paint
from jitney.daemon.cli.common import VARIABLE, UsageError, program
from jitney.daemon.cli.tail import Watch, follow, for_person
from jitney.daemon.config.schema import (
    AdapterSettings,
    BusSettings,
    Config,
    HttpSettings,
    MqttSettings,
    OwnerSettings,
)
from jitney.daemon.log.stream import has_colours
from jitney.topics import JitneyError

ADAPTER: Final = "demo"
_FASTEST: Final = 1000

_EPILOG: Final = """examples:
  jitney demo                  until Ctrl-C
  jitney demo --rate 10        faster
  jitney demo --seconds 20     end by itself

Nothing is kept: the broker listens on a free port of this machine alone, the state is in a temporary folder.
"""

_HEADER: Final = """\
A bus for a household of two, alice and bob. Each has a house, a bicycle and a
radio; here they are simulated. Whatever happens is published to MQTT under the
person it belongs to:

  {events} what happened
  {states} how things are, retained
  {command} what to do; it is answered

Try it from a second terminal (Ctrl-C ends everything):

  {export}
  {tail}
  {switch}
  {say}
"""


def add(subparsers: "argparse._SubParsersAction[Any]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "demo",
        help="try it out: no configuration, no broker, simulated sources, live events",
        description="Run the bus with simulated sources and a broker of its own, and watch what happens.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rate", type=float, default=2.0, metavar="N", help="events per second (default: 2)")
    parser.add_argument("--seconds", type=float, metavar="N", help="end after so many seconds (default: at Ctrl-C)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until interrupted or the time is over."""
    if not 0 < args.rate <= _FASTEST:
        message = f"--rate: expected more than 0 and at most {_FASTEST}, got {args.rate:g}"
        raise UsageError(message)
    if find_spec("amqtt") is None:
        message = "the demo needs the embedded broker, which is not installed: pip install 'jitney[embedded]'"
        raise JitneyError(message)
    log.configure("auto", "warning")
    with TemporaryDirectory(prefix="jitney-demo-") as folder:
        asyncio.run(_demo(_config(args.rate), Path(folder), seconds=args.seconds))
    return 0


async def _demo(config: Config, folder: Path, *, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds) as end:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.reschedule, 0)
            await _run(config, folder)
    except TimeoutError:
        if not end.expired():
            raise


async def _run(config: Config, folder: Path) -> None:
    async with App(config, state_dir=folder) as app, asyncio.TaskGroup() as group:
        group.create_task(app.run(), name="bus")
        if sys.stdout.isatty():
            print(_header(app.broker_url), flush=True)
        settings = MqttSettings(url=app.broker_url, protocol=config.mqtt.protocol)
        await follow(settings, Watch(), for_person())


def _config(rate: float) -> Config:
    return Config(
        bus=BusSettings(log_level="warning"),
        mqtt=MqttSettings(url="embedded:", protocol="3.1.1"),
        http=HttpSettings(listen=""),
        owners={"alice": OwnerSettings(id="alice", name="Alice"), "bob": OwnerSettings(id="bob", name="Bob")},
        adapters={ADAPTER: AdapterSettings(name=ADAPTER, type=adapter_type(ADAPTER), config=DemoConfig(rate=rate))},
    )


def _header(url: str) -> str:
    """Return what one sees, and what to try."""
    paint = Paint(enabled=has_colours(sys.stdout, os.environ))
    topics = {
        "events": f"jitney/alice/event/{ADAPTER}/{{kind}}   ",
        "states": f"jitney/alice/state/{ADAPTER}/{{subject}}",
        "command": f"jitney/alice/command/{ADAPTER}/say    ",
    }
    trials = {
        "tail": "tail bob --state",
        "switch": f"send alice {ADAPTER} switch subject=light.desk on=true",
        "say": f"send alice {ADAPTER} say text='hello bob'",
    }
    painted = {name: paint(text, BOLD) for name, text in topics.items()}
    painted |= {name: f"{paint(program(), FAINT)} {paint(text, BOLD)}" for name, text in trials.items()}
    painted["export"] = f"{paint('export', FAINT)} {paint(f'{VARIABLE}={url}', BOLD)}"
    return _HEADER.format_map(painted)
