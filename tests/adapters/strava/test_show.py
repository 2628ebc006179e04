"""What an owner can say about what Home Assistant shows of their Strava."""

from pathlib import Path

import pytest

from jitney.adapters.base import Owner
from jitney.adapters.strava.config import Identity, Show, identity
from jitney.adapters.strava.sports import SPORTS
from jitney.daemon.config.load import load
from jitney.daemon.config.problems import ConfigError

ALICE = """\
[owners.alice.strava]
show = {{ {} }}
[adapters.strava]
type = "strava"
apps.main = {{ client_id = "12345", client_secret = {{ env = "SECRET" }} }}
"""


def told(folder: Path, show: str) -> Identity | str:
    """Return who alice is by a configuration, or all that is wrong with it."""
    path = folder / "config.toml"
    path.write_text(ALICE.format(show), encoding="utf-8")
    try:
        config = load(path, environ={"SECRET": "0123456789abcdef"})
    except ConfigError as error:
        return str(error)
    found = config.owners["alice"].identities["strava"]
    assert isinstance(found, Identity)
    return found


def test_what_is_not_said_is_useful_and_not_overwhelming() -> None:
    assert Show() == Show(sports=(), recent=1, gear=3, statistics=True, photos=False, photo_seconds=60)
    for somebody in (None, Owner("bob", "Bob")):
        assert identity(somebody) == Identity()


def test_what_is_said_is_read(tmp_path: Path) -> None:
    said = 'sports = ["Ride", "TrailRun"], recent = 10, gear = 0, photos = true, photo_seconds = 15, statistics = false'
    assert told(tmp_path, said) == Identity(
        show=Show(sports=("Ride", "TrailRun"), recent=10, gear=0, photos=True, photo_seconds=15, statistics=False)
    )


def test_every_sport_type_can_be_named() -> None:
    assert Show(sports=tuple(SPORTS)).sports == tuple(SPORTS)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (
            'sports = ["Rides"]',
            'owners.alice.strava.show.sports: Strava has no sport type "Rides": did you mean "Ride"?',
        ),
        ('sports = ["trail run"]', 'did you mean "TrailRun"?'),
        (
            'sports = ["Cycling"]',
            'Strava has no sport type "Cycling": expected one such as "Ride", "Run" or "TrailRun"',
        ),
        ('sports = ["Run", "Run"]', "owners.alice.strava.show.sports: the same one stands there twice"),
        ("recent = 0", "owners.alice.strava.show.recent: "),
        ("recent = 11", "owners.alice.strava.show.recent: "),
        ("gear = 21", "owners.alice.strava.show.gear: "),
        ("photo_seconds = 14", "owners.alice.strava.show.photo_seconds: "),
        ("photos = 1", "owners.alice.strava.show.photos: "),
        ("sport = []", "owners.alice.strava.show.sport: unknown key"),
    ],
)
def test_what_makes_no_sense_is_told_where_it_stands(tmp_path: Path, said: str, complaint: str) -> None:
    found = told(tmp_path, said)
    assert isinstance(found, str)
    assert complaint in found
    assert "config.toml:2" in found
