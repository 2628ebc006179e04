"""Files that hold nothing but a secret: those that a configuration names, and the credentials of systemd."""

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

LONGEST: Final = 65_536
"""The largest secret in bytes: whatever is longer is not a password, token or key."""

CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""Where systemd says it has put the credentials of a service (systemd.exec, "Credentials")."""

_PREFIX: Final = "secret_"
"""What `LoadCredential=secret:FOLDER` puts before the name of each file of the folder."""


class UnavailableError(Exception):
    """Why there is no secret, without a word of it."""


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
        raise UnavailableError(message) from None
    if not text or len(raw) > LONGEST:
        size = "empty" if not text else f"larger than {LONGEST // 1024} KiB"
        message = f"the file is {size}: give a file that holds nothing but the secret"
        raise UnavailableError(message)
    return text


def credential(name: str, *, environ: Mapping[str, str]) -> str | None:
    """Return a credential that systemd gave, None when it gave none of that name; raises UnavailableError."""
    given = environ.get(CREDENTIALS)
    for candidate in (name, _PREFIX + name) if given else ():
        if "/" not in candidate:
            try:
                return read(Path(given or "", candidate))
            except FileNotFoundError:
                continue
    return None
