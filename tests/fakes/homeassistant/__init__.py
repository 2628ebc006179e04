"""A Home Assistant on a real socket that behaves as the real one does and forgives nothing."""

from tests.fakes.homeassistant.connection import Limits
from tests.fakes.homeassistant.record import Command
from tests.fakes.homeassistant.server import FakeHomeAssistant
from tests.fakes.homeassistant.services import ServiceCall, ServiceError
from tests.fakes.homeassistant.users import User
from tests.fakes.homeassistant.world import Context, Fired, State

__all__ = [
    "Command",
    "Context",
    "FakeHomeAssistant",
    "Fired",
    "Limits",
    "ServiceCall",
    "ServiceError",
    "State",
    "User",
]
