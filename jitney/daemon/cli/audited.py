"""Telling the audit log what a command has done by itself, without the bus."""

import argparse
import os
from pathlib import Path

from jitney.daemon.cli.asking import Errand, answer
from jitney.daemon.cli.common import note
from jitney.daemon.config.paths import state_dir
from jitney.daemon.config.schema import Config
from jitney.daemon.owners import audit_notes
from jitney.daemon.service.audit_requests import Done
from jitney.topics import JitneyError

_SECONDS = 5.0


def tell(config: Config, args: argparse.Namespace, what: str, *, owner: str = "", detail: str = "") -> None:
    """Leave a note in the state folder; where it cannot be written, tell the running bus; else tell the person."""
    folder = getattr(args, "state_dir", None) or state_dir(config.bus, os.environ)
    if audit_notes.leave(Path(folder), what, owner=owner, detail=detail):
        return
    data = {"what": what, "owner": owner, "who": audit_notes.who(), "detail": detail}
    errand = Errand(instance=config.bus.instance, request="audit_note", data=data, seconds=_SECONDS)
    try:
        answer(config.mqtt, errand, Done)
    except JitneyError as error:
        note(f"note: this is not in the audit log: {folder} cannot be written here, and {error}")
