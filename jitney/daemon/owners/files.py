"""Where the files of each owner lie."""

from pathlib import Path


def folder(state_dir: Path, owner: str) -> Path:
    """Return the folder of everything that is kept of an owner as files; it need not exist."""
    return state_dir / "owners" / owner
