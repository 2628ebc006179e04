"""The corpus: for each target the inputs to begin with. `python -m fuzz.corpus` writes it anew from the seeds."""

import shutil
from hashlib import blake2b
from pathlib import Path
from typing import Final

from fuzz.lasting import close_all
from fuzz.targets import SHARES, target

FOLDER: Final = Path(__file__).parent / "corpus"
FOUND: Final = Path(__file__).parent / "found"
"""Where inputs are put that break something."""

_SHORT: Final = 8


def name_of(data: bytes) -> str:
    """Return what the file of an input is called."""
    return blake2b(data, digest_size=_SHORT).hexdigest()


def corpus(name: str) -> list[bytes]:
    """Return the inputs of a target, always in the same order."""
    return [path.read_bytes() for path in sorted((FOLDER / name).iterdir())]


def save(name: str, data: bytes, *, folder: Path = FOUND) -> Path:
    """Keep an input that breaks a target and return its file."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    path = place / name_of(data)
    path.write_bytes(data)
    return path


def main() -> None:
    """Write the corpus of every target."""
    for name in SHARES:
        place = FOLDER / name
        shutil.rmtree(place, ignore_errors=True)
        for seed in target(name).seeds():
            save(name, seed, folder=FOLDER)
    close_all()


if __name__ == "__main__":
    main()
