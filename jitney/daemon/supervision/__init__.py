"""Runs the adapters: attempts, back-off, status."""
