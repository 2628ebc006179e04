"""Where the files of each owner lie."""

from contextlib import suppress
from pathlib import Path


def folder(state_dir: Path, owner: str) -> Path:
    """Return the folder of everything that is kept of an owner as files; it need not exist."""
    return state_dir / "owners" / owner


def size(path: Path, *, but: str) -> int:
    """Return how many bytes the files below a folder have together, those in one folder in it left out."""
    found = 0
    for part in path.iterdir() if path.is_dir() else ():
        if part.name != but:
            with suppress(FileNotFoundError):
                found += sum(file.stat().st_size for file in (part, *part.rglob("*")) if file.is_file())
    return found


def make_folders(path: Path) -> None:
    """Make a folder and those above it that are missing, so that nobody else can look into them; raises OSError."""
    for one in (*reversed(path.parents), path):
        if not one.exists():
            one.mkdir(mode=0o700)
