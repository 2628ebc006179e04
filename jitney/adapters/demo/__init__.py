"""A simulated household, for trying the bus out: lights and doors, rides, radio messages."""

from jitney.adapters.demo.adapter import Demo, DemoConfig

__all__ = ["Demo", "DemoConfig"]
