"""Jitney: a small shared bus that takes each household member's events to their own stop."""

__version__ = "0.1.0"
