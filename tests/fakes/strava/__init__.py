"""A Strava on a real socket that behaves as the real one does and forgives nothing."""

from tests.fakes.strava import trouble
from tests.fakes.strava.activities import ABSENT, Activity
from tests.fakes.strava.athletes import Athlete, Gear
from tests.fakes.strava.browser import ConsentError, Landing
from tests.fakes.strava.callbacks import Attempt
from tests.fakes.strava.grants import Access, Grant
from tests.fakes.strava.photos import Photo
from tests.fakes.strava.quota import Limits
from tests.fakes.strava.record import Call
from tests.fakes.strava.server import ALL_SCOPES, FakeStrava
from tests.fakes.strava.subscriptions import Subscription
from tests.fakes.strava.webhooks import Delivery
from tests.fakes.strava.world import App

__all__ = [
    "ABSENT",
    "ALL_SCOPES",
    "Access",
    "Activity",
    "App",
    "Athlete",
    "Attempt",
    "Call",
    "ConsentError",
    "Delivery",
    "FakeStrava",
    "Gear",
    "Grant",
    "Landing",
    "Limits",
    "Photo",
    "Subscription",
    "trouble",
]
