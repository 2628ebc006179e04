"""Secrets by reference: the file names where a secret lies, and here it is fetched.

Nothing that stands in the place of a secret is ever repeated in a problem, because it may be the secret itself.
"""

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jitney.adapters.secret import Secret
from jitney.daemon.config.positions import Key
from jitney.daemon.config.problems import Problems
from jitney.daemon.config.words import A_REFERENCE, sort

LONGEST: Final = 65_536
"""The largest secret in bytes: whatever is longer is not a password, token or key."""

CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""Where systemd says it has put the credentials of a service (systemd.exec, "Credentials")."""

_WORTH_HIDING: Final = 4
"""Shorter ones would make a riddle of every text; a Secret itself shows as many characters."""

_PREFIX: Final = "secret_"
"""What `LoadCredential=secret:FOLDER` puts before the name of each file of the folder."""

_SHELL: Final = re.compile(r"\$(?:\w+|\{\w+\})")


class References:
    """Fetches the secrets of one configuration file, which lies in ``folder``."""

    def __init__(self, problems: Problems, *, folder: Path, environ: Mapping[str, str]) -> None:
        self.plain: list[Key] = []
        """The keys whose secret stands in the file itself."""
        self._problems = problems
        self._folder = folder
        self._environ = environ
        self._fetched: list[Secret] = []

    def secret(self, value: object, key: Key) -> Secret | None:
        """Return the secret that ``value`` is or refers to; None after noting why there is none."""
        try:
            secret = Secret(self._resolve(value, key))
        except _UnavailableError as error:
            self._problems.add(key, str(error))
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
                match source:
                    case "env":
                        return self._env(name)
                    case "file":
                        return self._file(name)
                    case "credential":
                        return self._credential(name)
            if source == "vault":
                message = "Jitney has no vault yet: use { env = … }, { file = … } or { credential = … }"
                raise _UnavailableError(message)
        message = f"expected {A_REFERENCE}, got {'another table' if isinstance(value, dict) else sort(value)}"
        raise _UnavailableError(message)

    def _plain(self, value: str, key: Key) -> str:
        if value:
            self.plain.append(key)
        if _SHELL.fullmatch(value):
            self._problems.warn(
                key, 'a "$" is not expanded here: to read an environment variable, use { env = "NAME" }'
            )
        return value

    def _env(self, name: str) -> str:
        value = self._environ.get(name)
        if value is None:
            message = "the environment variable that env names is not set: set it where Jitney is started"
            raise _UnavailableError(message)
        if not value.strip():
            message = "the environment variable that env names is empty: put the secret into it"
            raise _UnavailableError(message)
        return value.strip()

    def _file(self, name: str) -> str:
        if name.startswith("~"):
            message = "a path must be absolute or count from the folder of the configuration: '~' is not expanded"
            raise _UnavailableError(message)
        try:
            return _read(self._folder / name)
        except FileNotFoundError:
            message = (
                "there is no such file: write the secret into it (readable by Jitney alone: chmod 600)"
                f" or correct the path, which counts from {self._folder.absolute()}"
            )
            raise _UnavailableError(message) from None

    def _credential(self, name: str) -> str:
        given = self._environ.get(CREDENTIALS)
        if not given:
            message = (
                f"${CREDENTIALS} is not set: credentials exist only in a service that systemd started with"
                f" LoadCredential=; to check by hand, set {CREDENTIALS} to the folder that holds the secrets"
            )
            raise _UnavailableError(message)
        for candidate in (name, _PREFIX + name):
            if "/" not in candidate:
                try:
                    return _read(Path(given, candidate))
                except FileNotFoundError:
                    continue
        message = (
            f"systemd gave no credential of that name in {given}: add it to LoadCredential= of the service,"
            " or put a file of that name into the folder of secrets, and restart"
        )
        raise _UnavailableError(message)


class _UnavailableError(Exception):
    """Why there is no secret, without a word of it."""


def _read(path: Path) -> str:
    """Return what a file holds, stripped; raises FileNotFoundError, and _UnavailableError for every other reason."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            message = "what it names is not a file: give a file that holds nothing but the secret"
            raise _UnavailableError(message)
        with path.open("rb") as file:
            raw = file.read(LONGEST + 1)
        text = raw.decode().strip()
    except FileNotFoundError:
        raise
    except UnicodeDecodeError:
        message = "the file is not UTF-8 text: give a file that holds nothing but the secret"
        raise _UnavailableError(message) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        message = f"the file cannot be read ({reason}): let the user that Jitney runs as read it, or correct the path"
        raise _UnavailableError(message) from None
    if not text or len(raw) > LONGEST:
        size = "empty" if not text else f"larger than {LONGEST // 1024} KiB"
        message = f"the file is {size}: give a file that holds nothing but the secret"
        raise _UnavailableError(message)
    return text
