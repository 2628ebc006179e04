"""Jitney: a small shared bus that takes each household member's events to their own stop."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("jitney")
except PackageNotFoundError:
    __version__ = "0+checkout"
