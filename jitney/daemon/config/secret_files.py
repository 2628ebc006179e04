"""Files that hold nothing but a secret: those that a configuration names, and the credentials of systemd."""

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

LONGEST: Final = 65_536
"""The largest secret in bytes: whatever is longer is not a password, token or key."""

CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""Where systemd says it has put the credentials of a service (systemd.exec, "Credentials")."""

SECRETS: Final = Path("/etc/jitney/secrets")
"""The folder whose files systemd gives to the service; a command by hand looks into it itself."""

_PREFIX: Final = "secret_"
"""What `LoadCredential=secret:FOLDER` puts before the name of each file of the folder."""

_PASSING: Final = frozenset({errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT})
_READ: Final = 0o044
_ENTER: Final = 0o011


class UnavailableError(Exception):
    """Why there is no secret, without a word of it; ``passing``: not for good."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


def read(path: Path) -> str:
    """Return what a file holds, stripped; raises FileNotFoundError, and UnavailableError for every other reason."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            message = "what it names is not a file: give a file that holds nothing but the secret"
            raise UnavailableError(message)
        with path.open("rb") as file:
            raw = file.read(LONGEST + 1)
        text = raw.decode().strip()
    except FileNotFoundError:
        raise
    except UnicodeDecodeError:
        message = "the file is not UTF-8 text: give a file that holds nothing but the secret"
        raise UnavailableError(message) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        message = f"the file cannot be read ({reason}): let the user that Jitney runs as read it, or correct the path"
        raise UnavailableError(message, passing=getattr(error, "errno", 0) in _PASSING) from None
    if not text or len(raw) > LONGEST:
        size = "empty" if not text else f"larger than {LONGEST // 1024} KiB"
        message = f"the file is {size}: give a file that holds nothing but the secret"
        raise UnavailableError(message)
    return text


def credential(name: str, *, environ: Mapping[str, str]) -> str | None:
    """Return a credential that systemd gave, None when it gave none of that name; raises UnavailableError.

    Where systemd gives none at all, which is so for a command by hand, the file that it would give is read instead,
    by whoever may; others may not be able to.
    """
    by_hand = not environ.get(CREDENTIALS)
    for path in places(name, environ=environ):
        try:
            if by_hand:
                _check_that_others_cannot(path)
            return read(path)
        except (FileNotFoundError, PermissionError):
            continue
    return None


def places(name: str, *, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where a credential of that name can lie, the first first."""
    if "/" in name or name in {"", ".", ".."}:
        return ()
    given = environ.get(CREDENTIALS)
    return (Path(given, name), Path(given, _PREFIX + name)) if given else (SECRETS / name,)


def _check_that_others_cannot(path: Path) -> None:
    """Raise UnavailableError where others can read a file, PermissionError where this user cannot even look at it."""
    try:
        others = path.stat().st_mode & _READ
        doors = path.parent.stat().st_mode & _ENTER
    except (FileNotFoundError, PermissionError):
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise UnavailableError(f"the file in {SECRETS} cannot be read: {reason}") from None
    if others and doors:
        message = f"others on this machine can read it in {SECRETS}: chmod 600 the file, or chmod 700 {SECRETS}"
        raise UnavailableError(message)
    if not os.access(path, os.R_OK):
        raise PermissionError
