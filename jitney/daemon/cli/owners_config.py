"""What the commands about people have in common: the configuration as its files say it, and changing one of them."""

import argparse
import os
import time

from jitney.daemon import log
from jitney.daemon.cli.common import UsageError, note
from jitney.daemon.cli.diffs import differences, show
from jitney.daemon.config.load import would_load
from jitney.daemon.config.parts import Whole, together
from jitney.daemon.config.paths import default_path
from jitney.daemon.config.people import Edited
from jitney.daemon.config.saving import create, save
from jitney.daemon.config.schema import Config
from jitney.daemon.config.words import mean


def opened(args: argparse.Namespace) -> tuple[Whole, Config]:
    """Return the files of the configuration that the arguments name, and what they say but for secrets elsewhere.

    Raises ConfigError, or UsageError where nothing but a broker is named.
    """
    if getattr(args, "mqtt", "") and not args.config:
        raise UsageError("--mqtt names a broker alone: who there is stands in a configuration, which --config names")
    whole = together(args.config or default_path(os.environ))
    return whole, would_load(whole, environ=os.environ).config


def known(config: Config, owner: str) -> str:
    """Return an owner of a configuration; raises UsageError."""
    if owner not in config.owners:
        remedy = mean(owner, config.owners) or f":  jitney owners add {owner}"
        raise UsageError(f"there is no section [owners.{owner}]{remedy}")
    return owner


def put(edited: Edited, *, dry: bool) -> None:
    """Show what changes, see that the whole can be used, and write it unless it is ``dry``.

    Raises ConfigError for what could not be used, and SaveError.
    """
    loaded = would_load(edited.whole, environ=os.environ)
    log.register(loaded.config)
    show(differences(str(edited.path), edited.old, edited.new, secrets=loaded.plain))
    if dry:
        note("Nothing was written, because of --dry-run.")
        return
    if edited.raw:
        copy = save(edited.path, edited.content, old=edited.raw, backup=time.strftime("%Y-%m-%d"))
        note(f"Wrote {edited.path}; as it was it is in {copy}.")
    else:
        create(edited.path, edited.content, like=edited.whole.parts[0].path)
        note(f"Wrote {edited.path}.")
    note("A bus that runs notices it by itself.")
