"""Where the files of each owner lie."""

from pathlib import Path


def folder(state_dir: Path, owner: str) -> Path:
    """Return the folder of everything that is kept of an owner as files; it need not exist."""
    return state_dir / "owners" / owner


def make_folders(path: Path) -> None:
    """Make a folder and those above it that are missing, so that nobody else can look into them; raises OSError."""
    for one in (*reversed(path.parents), path):
        if not one.exists():
            one.mkdir(mode=0o700)
