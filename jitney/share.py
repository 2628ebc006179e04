"""The files beside the package: the example configuration, the units of systemd."""

from pathlib import Path


def share(name: str) -> Path:
    """Return the path of a file that comes with Jitney, installed or in a checkout; raises FileNotFoundError."""
    package = Path(__file__).parent
    for folder in (package / "data", package.parent):
        path = folder / name
        if path.exists():
            return path
    message = f"{name} is missing from the installation of Jitney in {package}: install it again"
    raise FileNotFoundError(message)
