"""Secrets that webhooks send: fetched from where they lie at the moment when they are sent, and kept nowhere."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from jitney.adapters.secret import Secret
from jitney.daemon.config.secret_files import UnavailableError, credential, read
from jitney.daemon.log import remember
from jitney.daemon.routes.actions import SecretName
from jitney.daemon.routing.failures import FailedError

Fetch = Callable[[SecretName], Awaitable[Secret]]
"""Fetches a secret; raises a JitneyError when it is not there."""

InVault = Callable[[str], Awaitable[Secret | None]]
"""Returns a secret of the configuration from the vault; raises a JitneyError."""


class Secrets:
    """Where secrets lie, in the words of the configuration: ``folder`` is the one that paths of files count from."""

    def __init__(self, *, environ: Mapping[str, str], folder: Path, vault: InVault) -> None:
        self._environ = environ
        self._folder = folder
        self._vault = vault

    async def fetch(self, where: SecretName) -> Secret:
        """Return a secret; raises FailedError when it is not there, because a person can still put it there."""
        secret = (
            await self._vault(where.name) if where.source == "vault" else await asyncio.to_thread(self._read, where)
        )
        if not secret:
            raise FailedError("no_secret", f"there is no secret of that name in {where.source}")
        remember(secret)
        return secret

    def _read(self, where: SecretName) -> Secret | None:
        try:
            match where.source:
                case "env":
                    found: str | None = self._environ.get(where.name, "").strip()
                case "credential":
                    found = credential(where.name, environ=self._environ)
                case _:
                    found = read(self._folder / where.name)
        except FileNotFoundError:
            return None
        except UnavailableError as error:
            raise FailedError("no_secret", str(error)) from None
        return Secret(found) if found else None
