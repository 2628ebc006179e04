"""The people who can sign in, and their tokens: JWTs as Home Assistant makes and checks them."""

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_bytes, token_hex
from typing import Any, Final

import msgspec

YEARS: Final = 3650 * 86_400
_LEEWAY_SECONDS: Final = 10
_HEADER: Final = {"alg": "HS256", "typ": "JWT"}
_SYSTEM_USER: Final = "Home Assistant Content"
_encode = msgspec.json.Encoder().encode


@dataclass(eq=False)
class User:
    """Somebody who can sign in; ``token`` is a long-lived one. Change ``active`` and ``admin`` at will."""

    name: str
    admin: bool = False
    owner: bool = False
    active: bool = True
    system: bool = False
    id: str = field(default_factory=lambda: token_hex(16))
    token: str = ""

    def listed(self) -> dict[str, Any]:
        """Return the user as ``config/auth/list`` shows it."""
        group = "system-admin" if self.admin else "system-read-only" if self.system else "system-users"
        return {
            "id": self.id,
            "username": None if self.system else self.name.lower(),
            "name": self.name,
            "is_owner": self.owner,
            "is_active": self.active,
            "local_only": False,
            "system_generated": self.system,
            "group_ids": [group],
            "credentials": [] if self.system else [{"type": "homeassistant"}],
        }

    def current(self) -> dict[str, Any]:
        """Return the user as ``auth/current_user`` shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "is_owner": self.owner,
            "is_admin": self.admin,
            "credentials": [{"auth_provider_type": "homeassistant", "auth_provider_id": None}],
            "mfa_modules": [{"id": "totp", "name": "Authenticator app", "enabled": False}],
        }


class Users:
    """Every user by name, and the tokens that are valid."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._keys: dict[str, tuple[User, bytes]] = {}
        self.add(_SYSTEM_USER).system = True

    def __getitem__(self, name: str) -> User:
        return self._users[name]

    def __iter__(self) -> Iterator[User]:
        return iter(self._users.values())

    def add(self, name: str, *, admin: bool = False, owner: bool = False) -> User:
        """Return a new user with a token of ten years."""
        user = self._users[name] = User(name, admin=admin or owner, owner=owner)
        user.token = self.issue(user)
        return user

    def issue(self, user: User, *, age: float = 0, lifespan: float = YEARS) -> str:
        """Return a new token of ``user``, made ``age`` seconds ago (negative: by a clock that is ahead)."""
        issuer, key = token_hex(16), token_bytes(64)
        self._keys[issuer] = user, key
        issued = int(time.time() - age)
        claims = {"iss": issuer, "iat": issued, "exp": int(issued + lifespan)}
        signed = f"{_base64(_encode(_HEADER))}.{_base64(_encode(claims))}"
        return f"{signed}.{_signature(signed, key)}"

    def revoke(self, token: str) -> None:
        """Make a token invalid for good."""
        del self._keys[_claims(token)["iss"]]

    def who(self, token: str) -> User | None:
        """Return whose token it is, None when it is malformed, forged, expired, revoked or its user is inactive."""
        try:
            claims = _claims(token)
            user, key = self._keys[claims["iss"]]
            signed, _, signature = token.rpartition(".")
            now = time.time()
            in_time = claims["iat"] - _LEEWAY_SECONDS <= now < claims["exp"] + _LEEWAY_SECONDS
        except (ValueError, KeyError, TypeError, msgspec.MsgspecError):
            return None
        genuine = hmac.compare_digest(_signature(signed, key).encode(), signature.encode())
        return user if genuine and in_time and user.active else None


def _claims(token: str) -> dict[str, Any]:
    _, claims, _ = token.split(".")
    return msgspec.json.decode(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)), type=dict[str, Any])


def _signature(signed: str, key: bytes) -> str:
    return _base64(hmac.new(key, signed.encode(), sha256).digest())


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
