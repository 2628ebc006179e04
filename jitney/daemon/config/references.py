"""Secrets by reference: the file names where a secret lies, and here it is fetched.

Nothing that stands in the place of a secret is ever repeated in a problem, because it may be the secret itself.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from jitney.adapters.secret import Secret
from jitney.daemon.config.positions import Key
from jitney.daemon.config.problems import Mark, Problems
from jitney.daemon.config.secret_files import CREDENTIALS, SECRETS, UnavailableError, credential, places, read
from jitney.daemon.config.watched import mark
from jitney.daemon.config.words import A_REFERENCE, sort
from jitney.topics import JitneyError

InVault = Callable[[str], Secret | None]
"""Returns a secret of the vault by its name, None when there is none; raises JitneyError, without a secret in it."""

_STAND_IN: Final = "0" * 64
"""Takes the place of a secret that is not to be fetched."""

_SOURCES: Final = frozenset({"env", "file", "credential", "vault"})

_WORTH_HIDING: Final = 4
"""Shorter ones would make a riddle of every text; a Secret itself shows as many characters."""

_PATH: Final = re.compile(r"[a-z0-9_-]{1,32}(?:/[a-z0-9_-]{1,32}){1,3}")
"""A name that is certainly no secret put in its place: `strava/main`."""

_SHELL: Final = re.compile(r"\$(?:\w+|\{\w+\})")


class References:
    """Fetches the secrets of one configuration file, which lies in ``folder``; ``vault`` None: there is none here.

    With ``fetch`` false what is referred to need not be there.
    """

    def __init__(
        self,
        problems: Problems,
        *,
        folder: Path,
        environ: Mapping[str, str],
        vault: InVault | None = None,
        fetch: bool = True,
    ) -> None:
        self.plain: dict[Key, Secret] = {}
        """The keys whose secret stands in the file itself, and that secret."""
        self.marks: dict[Path, Mark | None] = {}
        """The files from which secrets come, as they were just before."""
        self.passing = 0
        """How many secrets could not be read for a reason that may pass."""
        self._problems = problems
        self._folder = folder
        self._environ = environ
        self._vault = vault
        self._fetch = fetch
        self._fetched: list[Secret] = []

    def secret(self, value: object, key: Key) -> Secret | None:
        """Return the secret that ``value`` is or refers to; None after noting why there is none."""
        try:
            secret = Secret(self._resolve(value, key))
        except UnavailableError as error:
            self._problems.add(key, str(error))
            self.passing += error.passing
            return None
        self._fetched.append(secret)
        return secret

    def scrub(self, text: str) -> str:
        """Return ``text``, which somebody else wrote, without any secret that was fetched."""
        for secret in self._fetched:
            if len(secret.reveal()) >= _WORTH_HIDING:
                text = text.replace(secret.reveal(), str(secret))
        return text

    def _resolve(self, value: object, key: Key) -> str:
        if isinstance(value, str):
            return self._plain(value, key)
        if isinstance(value, dict) and len(value) == 1:
            ((source, name),) = value.items()
            if isinstance(name, str) and name:
                if not self._fetch and source in _SOURCES:
                    return _STAND_IN
                match source:
                    case "env":
                        return self._env(name)
                    case "file":
                        return self._file(name)
                    case "credential":
                        return self._credential(name)
                    case "vault":
                        return self._in_vault(name)
        message = f"expected {A_REFERENCE}, got {'another table' if isinstance(value, dict) else sort(value)}"
        raise UnavailableError(message)

    def _plain(self, value: str, key: Key) -> str:
        if value:
            self.plain[key] = Secret(value)
        if _SHELL.fullmatch(value):
            self._problems.warn(
                key, 'a "$" is not expanded here: to read an environment variable, use { env = "NAME" }'
            )
        return value

    def _env(self, name: str) -> str:
        value = self._environ.get(name)
        if value is None:
            message = "the environment variable that env names is not set: set it where Jitney is started"
            raise UnavailableError(message)
        if not value.strip():
            message = "the environment variable that env names is empty: put the secret into it"
            raise UnavailableError(message)
        return value.strip()

    def _file(self, name: str) -> str:
        if name.startswith("~"):
            message = "a path must be absolute or count from the folder of the configuration: '~' is not expanded"
            raise UnavailableError(message)
        path = self._folder / name
        self._mark(path)
        try:
            return read(path)
        except FileNotFoundError:
            message = (
                "there is no such file: write the secret into it (readable by Jitney alone: chmod 600)"
                f" or correct the path, which counts from {self._folder.absolute()}"
            )
            raise UnavailableError(message) from None

    def _credential(self, name: str) -> str:
        self._mark(*places(name, environ=self._environ))
        value = credential(name, environ=self._environ)
        if value is not None:
            return value
        given = self._environ.get(CREDENTIALS)
        message = (
            f"systemd gave no credential of that name in {given}: add it to LoadCredential= of the service,"
            " or put a file of that name into the folder of secrets, and restart"
        )
        if not given:
            message = (
                f"${CREDENTIALS} is not set, as it is in the service, and in {SECRETS} is no file of that name that"
                f" this user can read: use sudo, or set {CREDENTIALS} to the folder that holds the secrets"
            )
        raise UnavailableError(message)

    def _mark(self, *paths: Path) -> None:
        for path in paths:
            self.marks.setdefault(path.absolute(), mark(path))

    def _in_vault(self, name: str) -> str:
        if self._vault is None:
            message = "there is no vault here to look into: use { env = … }, { file = … } or { credential = … }"
            raise UnavailableError(message)
        try:
            secret = self._vault(name)
        except JitneyError as error:
            passing = bool(getattr(error, "passing", False))  # of a StoreError, which stands above this room
            raise UnavailableError(str(error), passing=passing) from None
        if secret is not None:
            return secret.reveal()
        if _PATH.fullmatch(name):
            message = f'the vault has no "{name}": put it there with `jitney vault set {name}`'
        else:
            message = "the vault has nothing of that name: put it there with `jitney vault set NAME`"
        raise UnavailableError(message)
