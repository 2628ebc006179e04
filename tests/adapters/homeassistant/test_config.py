"""What is accepted as configuration, and that no message shows a token."""

import time
from base64 import urlsafe_b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitney.adapters.errors import UnauthorisedError
from jitney.adapters.homeassistant import expiry
from jitney.adapters.homeassistant.address import profile_url, websocket_url
from jitney.adapters.homeassistant.config import Config, Identity, Include
from jitney.adapters.homeassistant.filters import Filters
from jitney.adapters.homeassistant.places import Places
from jitney.adapters.homeassistant.token import read_token
from jitney.adapters.secret import Secret
from tests.fakes.context import RecordingContext

OPAQUE = "f4c9a1d20b7e3586" * 7


def jwt(**claims: object) -> str:
    parts = [{"alg": "HS256", "typ": "JWT"}, {"iss": "22a81539c0474c11bddb2cb1528b3697", **claims}]
    encoded = [urlsafe_b64encode(msgspec.json.encode(part)).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "RwqLECDURoWQrH-_ih_NZbOqEdASfUnMcSTNxge8qJw"])


@pytest.mark.parametrize(
    ("url", "websocket"),
    [
        ("http://homeassistant.local:8123", "ws://homeassistant.local:8123/api/websocket"),
        ("https://ha.example.org/", "wss://ha.example.org/api/websocket"),
        (" http://[fe80::1]:8123 ", "ws://[fe80::1]:8123/api/websocket"),
        ("ws://10.0.0.5:8123/api/websocket", "ws://10.0.0.5:8123/api/websocket"),
        ("wss://ha.example.org/api/websocket/", "wss://ha.example.org/api/websocket"),
        ("http://10.0.0.5:8123/api/", "ws://10.0.0.5:8123/api/websocket"),
        ("https://example.org/house", "wss://example.org/house/api/websocket"),
        ("http://supervisor/core", "ws://supervisor/core/websocket"),
        ("ws://supervisor/core/websocket", "ws://supervisor/core/websocket"),
    ],
)
def test_what_people_give_as_address_leads_to_the_websocket(url: str, websocket: str) -> None:
    assert websocket_url(url) == websocket


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("homeassistant.local:8123", "must begin with http://"),
        ("", "must begin with http://"),
        ("mqtt://homeassistant.local", "must begin with http://"),
        ("http://", "is not the address"),
        ("http://ha:0", "is not the address"),
        ("http://ha:port", "has a port that is not a number"),
        ("http://ha:99999", "has a port that is not a number"),
        ("http://ha/?token=x", "is not the address"),
        ("http://me:secret@ha:8123", "must have no user and password"),
    ],
)
def test_what_is_no_address_says_what_is_wrong(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"^url: ") as caught:
        Config(url=url, token=Secret(OPAQUE))
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


@given(st.text() | st.text().map("http://{}".format))
def test_no_text_is_too_odd_for_an_address(url: str) -> None:
    try:
        websocket = websocket_url(url)
    except ValueError:
        return
    assert websocket.startswith(("ws://", "wss://"))
    assert websocket_url(websocket) == websocket
    profile_url(url)


def test_tokens_are_made_on_the_profile_page() -> None:
    assert profile_url("ws://ha:8123/api/websocket") == "http://ha:8123/profile/security"
    assert profile_url("http://supervisor/core") == ""


@pytest.mark.parametrize(
    "written",
    [jwt(exp=2110606472), f"  {jwt(exp=2110606472)}\n", f"Bearer {jwt(exp=2110606472)}", f'"{jwt(exp=2110606472)}"'],
)
def test_a_long_lived_token_is_taken_as_people_paste_it(written: str) -> None:
    token = read_token(written)
    assert token.secret == Secret(jwt(exp=2110606472))
    assert token.expires == 2110606472
    assert Config(url="http://ha", token=Secret(written)).token == token.secret


def test_the_token_of_the_supervisor_is_opaque() -> None:
    assert read_token(OPAQUE).expires is None


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("Bearer ", "is empty"),
        ("short", "not an access token"),
        ("two words of something", "not an access token"),
        ("http://homeassistant.local:8123", "is cut off"),
        (jwt(exp=1).rpartition(".")[0], "has 2 of the 3 parts"),
        (jwt(exp=1)[:60], "is cut off"),
        (jwt(exp=1) + ".", "has 4 of the 3 parts"),
        ("eyJhbGciOiJIUzI1NiJ9.!!!.abc", "cannot be read"),
        ("eyJhbGciOiJIUzI1NiJ9.bm90IGpzb24.abcd", "cannot be read"),
        (jwt(exp="soon"), "cannot be read"),
    ],
)
def test_what_cannot_be_a_token_says_why(written: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"^token: ") as caught:
        Config(url="http://ha", token=Secret(written))
    assert says in str(caught.value)
    assert "long-lived access token" in str(caught.value)


@given(st.text(alphabet="ЖЩ.QX7_", min_size=5, max_size=60), st.sampled_from(["", "eyJ", "Bearer "]))
def test_no_message_shows_more_of_a_token_than_four_characters(text: str, before: str) -> None:
    try:
        shown = repr(read_token(before + text))
    except ValueError as error:
        shown = str(error)
    pieces = {text[at : at + 5] for at in range(len(text) - 4)}
    assert not [piece for piece in pieces if piece in shown]


def test_a_configuration_does_not_print_its_token() -> None:
    config = Config(url="http://ha", token=Secret(OPAQUE))
    assert OPAQUE not in repr(config)
    assert OPAQUE[-4:] in repr(config)


def test_an_identity_names_what_only_one_owner_can_be() -> None:
    identity = Identity(person="person.alice", entities=("*.alice_*",), areas=("alice_room",), users=("0" * 32,))
    assert list(identity.claims()) == ["person.alice", "0" * 32]
    assert list(Identity().claims()) == []


@pytest.mark.parametrize(
    ("identity", "says"),
    [
        ({"person": "alice"}, 'person: expected a person entity like "person.alice", got "alice"'),
        ({"users": ("alice",)}, "users: a user id has 32 hexadecimal digits"),
        ({"entities": ("alice_*",)}, 'entities: "alice_*" matches no entity, whose id is domain.name: use "*.alice_*"'),
    ],
)
def test_an_identity_that_can_be_nobody_says_why(identity: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=r"^(person|users|entities): ") as caught:
        Identity(**identity)  # type: ignore[arg-type]
    assert says in str(caught.value)


def test_an_expired_token_is_refused_and_one_that_expires_soon_is_announced() -> None:
    now = time.time()
    config = Config(url="http://ha", token=Secret(jwt(exp=now + expiry.ANNOUNCED)))
    ctx = RecordingContext(default_owner="alice")
    expiry.announce(ctx, config, now=lambda: now)
    assert ctx.alerts == {}
    expiry.announce(ctx, config, now=lambda: now + 1)
    assert set(ctx.alerts) == {("alice", "token_expires")}
    expiry.refuse_expired(config, now=lambda: now + expiry.ANNOUNCED - 1)
    with pytest.raises(UnauthorisedError, match="expired on"):
        expiry.refuse_expired(config, now=lambda: now + expiry.ANNOUNCED)


def test_filters_choose_by_domain_pattern_and_area() -> None:
    places = Places()
    places.load(
        areas=msgspec.Raw(b'[{"area_id":"kitchen","name":"K\xc3\xbcche"},{"area_id":"attic"}]'),
        devices=msgspec.Raw(b'[{"id":"d","area_id":"attic"}]'),
        entities=msgspec.Raw(b'{"entities":[{"ei":"light.stove","ai":"kitchen"},{"ei":"light.roof","di":"d"}]}'),
        odd=lambda *odd: pytest.fail(str(odd)),
    )
    include = Include(domains=("sensor",), entities=("*.hall_*",), areas=("Küche", "attic"))
    filters = Filters(_config(include=include), places)
    wanted = ["sensor.rain", "light.hall_1", "light.stove", "light.roof"]
    assert [one for one in [*wanted, "light.x", "sensors.x"] if filters.wants_entity(one)] == wanted
    assert filters.areas == ("Küche", "attic")


def test_event_types_are_chosen_by_pattern() -> None:
    filters = Filters(_config(event_types=("zha_*", "doorbell")), Places())
    assert [one for one in ("zha_event", "doorbell", "doorbells", "timer") if filters.wants_type(one)] == [
        "zha_event",
        "doorbell",
    ]
    assert filters.exact_types is None
    assert Filters(_config(event_types=("doorbell",)), Places()).exact_types == ("doorbell",)


def _config(**fields: object) -> Config:
    return Config(url="http://ha", token=Secret(OPAQUE), **fields)  # type: ignore[arg-type]
